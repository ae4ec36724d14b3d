"""One layer of a spiking network, and its neurons: every operation, rounding and width, in integers.

Notation: ``>>`` is the arithmetic shift, which rounds down. ``clamp(x, h)`` is x limited to -h to h, ``saturate(x, n)``
x limited to what n bits hold in two's complement, ``-2**(n-1)`` to ``2**(n-1) - 1``. ``toward_zero(x, l)`` is 0 if
``|x| <= l``, otherwise ``x - l`` for a positive and ``x + l`` for a negative x. Products are exact.

*Drive.* In each tick a neuron i gets, from the sum ``S`` of its weights times what their sources sent,

``d = saturate(((S * scale[i]) >> scale_shift) + bias[i], drive_bits)``.

*FeLIF A* (:data:`FELIF_A`), one step a tick; voltage u and polarisation p with 12 fraction bits::

    l = (leak[min(max(u >> 9, 0), 31)] * leak_scale[i]) >> 6
    x = toward_zero(u + d, l)
    e = field[min(bit length of |x - u|, 16)] + field_offset[i]
    y = x - p
    q = ((y - e) * inverse[i]) >> 16         if y > e, or else
        -(((-y - e) * inverse[i]) >> 16)     if -y > e, or else 0
    p' = clamp(p + q, 4096)
    u' = clamp(x - (((p' - p) * coupling[i]) >> 8), limit)
    if s:  u', p' = reset, -4096             the neuron spiked in the tick before
    s' = u' >= threshold[i]

*FeLIF B* (:data:`FELIF_B`), 64 sub-steps a tick; u and p with 20 fraction bits, d is that of a sub-step::

    repeat 64 times, but no longer once u >= threshold[i] after a sub-step:
        f = u - p
        j = ((|f| - (field_offset[i] << 8)) >> 14) - 60
        k = 0 if j < 0, or else field[min(j, 63)]
        q = (((2**20 if f > 0 else -2**20 if f < 0 else 0) - p) * k) >> 20
        l = (leak[min(max(u >> 17, 0), 31)] * leak_scale[i]) >> 6
        x = toward_zero(u + d, l)
        u, p = clamp(x - ((q * coupling[i]) >> 8), limit), clamp(p + q, 2**20)
    if s:  u, p = reset, -2**20              the neuron spiked in the tick before
    s' = u >= threshold[i]

Both start with u = 0, p = -1 (-4096 or -2**20) and s = 0.

*LIF* (:data:`LIF`), with ``fade(x, k) = (x * k) >> 15`` for x >= 0 and ``-((-x * k) >> 15)`` for x < 0::

    c' = saturate(fade(c, synapse_decay[i]) + d, state_bits)      with a synaptic state; otherwise c' = d
    v' = saturate(fade(v, decay[i]) + c', state_bits)
    s' = v' > threshold[i] if strict, or else v' >= threshold[i]
    if s':  v' = 0, or reset[i], or saturate(v' - threshold[i], state_bits), as ``reset`` says

*Read-out* (:data:`READOUT`), which never spikes: ``v' = saturate(fade(v, decay[i]) + d, state_bits)``. A decay of
32768 keeps everything, so v is a plain sum; one of 0 keeps nothing. Both start with v = 0, c = 0 and s = 0.

A device reads a decay above 32768 as 32768 and an entry of B's ``field`` above 2**20 as 2**20; all other parameters
may have any value that their width holds.

FeLIF is the ferroelectric neuron of Fehlings et al. (arXiv 2505.17791), by its equations as read in their public
code; A and B are discretisations of our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from attractor.spec.base import SpecError, check_range
from attractor.spec.records import Field, Record

__all__ = [
    "COUPLING_ONE",
    "DECAY_ONE",
    "FELIF_A",
    "FELIF_B",
    "FIELD_ENTRIES",
    "FIRST_BIN",
    "KINDS",
    "LEAK_ENTRIES",
    "LEAK_ONE",
    "LIF",
    "MOST_NEURONS",
    "READOUT",
    "RESETS",
    "SUBSTEPS",
    "FelifLayer",
]

#: Kinds of neurons.
FELIF_A, FELIF_B, LIF, READOUT = "felif_a", "felif_b", "lif", "readout"
KINDS = (FELIF_A, FELIF_B, LIF, READOUT)
#: What a LIF neuron's voltage becomes after a spike: 0, the neuron's reset value, or less its threshold.
RESETS = ("zero", "value", "subtract")
#: Most neurons of a layer.
MOST_NEURONS = 4096
#: Sub-steps of FeLIF B in a tick.
SUBSTEPS = 64
#: Entries of the table ``leak``, and of the table ``field`` of A and B.
LEAK_ENTRIES, FIELD_ENTRIES = 32, {FELIF_A: 17, FELIF_B: 64}
#: First bin of the table ``field`` of B; bins are 1/64 wide.
FIRST_BIN = 60
#: A leak scale, a coupling and a decay of 1.
LEAK_ONE, COUPLING_ONE, DECAY_ONE = 1 << 6, 1 << 8, 1 << 15
_STATE_BITS = {FELIF_A: 16, FELIF_B: 24, LIF: 18, READOUT: 24}
_FRACTION_BITS = {FELIF_A: 12, FELIF_B: 20}
_DRIVE_BITS = {FELIF_A: 17, FELIF_B: 19}
_FIELD_BITS = {FELIF_A: 13, FELIF_B: 21}


@dataclass(frozen=True, kw_only=True)
class FelifLayer:
    """A layer of one kind of neurons, and the synapses that lead to it.

    Parameters
    ----------
    neurons:
        Number of neurons, 1 to 4,096.
    kind:
        One of :data:`KINDS`. A read-out can only be the last layer.
    weight_bits:
        Width b of a weight, 2 to 8, in two's complement. Training uses ``-(2**(b-1) - 1)`` to ``2**(b-1) - 1``.
    recurrent:
        The layer's own spikes of the tick before are sources too. Not for a read-out.
    scale_bits, scale_shift:
        Width of the unsigned scales, 1 to 16, and how far their product with a sum is shifted right, 0 to 24.
    state_bits:
        Width of a voltage. 16 for FeLIF A and 24 for B, which have no choice; for LIF and read-out 8 to 32, by default
        18 and 24. 0 stands for the default.
    synapse:
        LIF neurons have a synaptic state.
    reset:
        One of :data:`RESETS`; of LIF neurons only.
    strict:
        A LIF neuron spikes above its threshold; otherwise at it, too.

    Raises
    ------
    SpecError
        If a value is out of range; the message names it.
    """

    neurons: int
    kind: str
    weight_bits: int = 4
    recurrent: bool = False
    scale_bits: int = 16
    scale_shift: int = 4
    state_bits: int = 0
    synapse: bool = False
    reset: str = "zero"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError(f"kind is {self.kind!r}; it must be one of {', '.join(KINDS)}")
        if self.reset not in RESETS:
            raise SpecError(f"reset is {self.reset!r}; it must be one of {', '.join(RESETS)}")
        check_range("neurons", self.neurons, 1, MOST_NEURONS)
        check_range("weight_bits", self.weight_bits, 2, 8)
        check_range("scale_bits", self.scale_bits, 1, 16)
        check_range("scale_shift", self.scale_shift, 0, 24)
        self._check_state_bits()
        for name in ("recurrent", "synapse", "strict"):
            if not isinstance(getattr(self, name), bool):
                raise SpecError(f"{name} must be true or false, not {getattr(self, name)!r}")
        if self.recurrent and not self.spikes:
            raise SpecError("recurrent is true, but a read-out sends nothing that could come back")
        for name, default in (("synapse", False), ("reset", "zero"), ("strict", False)):
            if self.kind != LIF and getattr(self, name) != default:
                raise SpecError(f"{name} is {getattr(self, name)!r}; only {LIF} neurons have it, not {self.kind}")

    def _check_state_bits(self) -> None:
        default = _STATE_BITS[self.kind]
        if self.state_bits == 0:
            object.__setattr__(self, "state_bits", default)
        free = self.kind in (LIF, READOUT)
        check_range("state_bits", self.state_bits, *((8, 32) if free else (default, default)))

    # Kind

    @property
    def spikes(self) -> bool:
        """Whether the neurons spike: all but a read-out."""
        return self.kind != READOUT

    @property
    def ferroelectric(self) -> bool:
        """Whether the neurons have a polarisation: FeLIF A and B."""
        return self.kind in (FELIF_A, FELIF_B)

    @property
    def fraction_bits(self) -> int:
        """Fraction bits of voltage and polarisation; of FeLIF only."""
        return _FRACTION_BITS[self.kind]

    @property
    def polarisation_high(self) -> int:
        """Greatest magnitude of a polarisation, saturation; of FeLIF only."""
        return 1 << self.fraction_bits

    # Ranges

    @property
    def weight_range(self) -> tuple[int, int]:
        """Least and greatest weight."""
        half = 1 << self.weight_bits - 1
        return -half, half - 1

    @property
    def drive_bits(self) -> int:
        """Signed width of a drive and of a bias."""
        return _DRIVE_BITS.get(self.kind, self.state_bits)

    # Parameters

    @property
    def record(self) -> Record:
        """What the memory holds for each neuron."""
        decay = Field("decay", 16, high=DECAY_ONE, meaning="what is left of the state after a tick, 32,768 for all")
        fields = [
            Field("scale", self.scale_bits, meaning="factor of the sum of the weights"),
            Field("bias", self.drive_bits, signed=True, meaning="drive without any input"),
        ]
        if self.kind == READOUT:
            return Record((*fields, decay))
        fields.append(Field("threshold", self.state_bits, signed=True, meaning="state at which the neuron spikes"))
        if self.kind == LIF:
            synapse = Field("synapse_decay", 16, high=DECAY_ONE, meaning="the same of the synaptic state")
            reset = Field("reset", self.state_bits, signed=True, meaning="state after a spike")
            fields += [decay, *([synapse] if self.synapse else []), *([reset] if self.reset == "value" else [])]
            return Record(tuple(fields))
        fields += [
            Field("leak_scale", 8, meaning="factor of the leak, 64 for 1"),
            Field("field_offset", 12, signed=True, meaning="added to the field at which the polarisation turns"),
            Field("coupling", 12, meaning="voltage that a turning polarisation takes, 256 for 1"),
        ]
        inverse = Field("inverse", 16, meaning="part of the distance that the polarisation goes, 65,536 for 1")
        fields += [inverse] if self.kind == FELIF_A else []
        return Record(tuple(fields))

    @property
    def tables(self) -> dict[str, tuple[int, Record]]:
        """Number of words of each further memory of a FeLIF layer, and the record of each; empty for other layers.

        ``limits`` has one word: what the voltage becomes after a spike, and its greatest magnitude.
        """
        if not self.ferroelectric:
            return {}
        # 1 is an entry of B's table, so it has a bit more than a fraction.
        highest = self.polarisation_high if self.kind == FELIF_B else None
        field_bits = _FIELD_BITS[self.kind]
        limits = Record(
            (
                Field("reset", self.state_bits, signed=True, meaning="voltage after a spike"),
                Field("limit", self.state_bits - 1, meaning="greatest magnitude of a voltage"),
            )
        )
        leak = Record((Field("leak", 16, meaning="voltage that leaks, by the voltage"),))
        field = Record((Field("field", field_bits, high=highest, meaning="what turns the polarisation, by the field"),))
        return {
            "leak": (LEAK_ENTRIES, leak),
            "field": (FIELD_ENTRIES[self.kind], field),
            "limits": (1, limits),
        }
