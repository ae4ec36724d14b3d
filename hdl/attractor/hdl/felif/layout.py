"""Layouts of what the parts of a spiking core exchange."""

from enum import IntEnum

from amaranth.hdl import Shape
from amaranth.lib import data, enum

from attractor.spec import FelifLayer
from attractor.spec.felif.layer import FELIF_B

__all__ = ["FelifBank", "NeuronState", "Token", "TokenKind"]


class FelifBank(IntEnum):
    """Accumulators of a neuron in a spiking core."""

    #: Weighted sum of the tick.
    SUM = 0
    #: Never written, so it holds 0.
    ZERO = 1


class TokenKind(enum.Enum, shape=2):
    """What a token means for the sums of a layer."""

    #: A source sends: its weights are added, or subtracted.
    EVENT = 0
    #: All sums are doubled, for the next bit of the inputs.
    DOUBLE = 1
    #: The tick has no more events.
    END = 2


class Token(data.StructLayout):
    """What comes to a layer from below.

    Members
    -------
    kind: :class:`TokenKind`
    negate: ``1``
        The weights are subtracted; EVENT only.
    source: ``range(sources)``
        Who sends; EVENT only.
    """

    def __init__(self, sources: int) -> None:
        super().__init__({"kind": TokenKind, "negate": 1, "source": range(sources)})


class NeuronState(data.StructLayout):
    """What a neuron keeps from tick to tick.

    Members
    -------
    voltage: ``signed(state_bits)``
    polarisation: ``signed(fraction_bits + 2)``
    spiked: ``1``
        It spiked in the last tick. Both of FeLIF neurons only.
    reached: ``1``
        Its voltage reached the threshold in a sub-step of this tick; of FeLIF B only.
    synapse: ``signed(state_bits)``
        Of LIF neurons with a synaptic state only.
    """

    def __init__(self, layer: FelifLayer) -> None:
        voltage = Shape(layer.state_bits, signed=True)
        members: dict[str, object] = {"voltage": voltage}
        if layer.ferroelectric:
            members |= {"polarisation": Shape(layer.fraction_bits + 2, signed=True), "spiked": 1}
        if layer.kind == FELIF_B:
            members["reached"] = 1
        if layer.synapse:
            members["synapse"] = voltage
        super().__init__(members)  # pyright: ignore[reportArgumentType]
