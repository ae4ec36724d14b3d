"""The oscillator core: one call settles the network once."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arbiter import StreamArbiter
from attractor.hdl.change_list import ChangeList
from attractor.hdl.change_queue import ChangeQueue
from attractor.hdl.core import CoreSignature, connect_windows
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.noise import NoiseGenerator
from attractor.hdl.oscillator.control import RunControl
from attractor.hdl.oscillator.lanes import TAG_BITS, Lanes, NeuronState
from attractor.hdl.oscillator.loader import StateLoader
from attractor.hdl.oscillator.move import Context, EdgeSequencer, PhaseMover, Placement
from attractor.hdl.oscillator.phases import PhaseMemory
from attractor.hdl.oscillator.readout import LabelReadout, RunRecord
from attractor.hdl.oscillator.schedule import Schedule
from attractor.hdl.synapse import IntegerSynapse
from attractor.hdl.weights import WeightStore
from attractor.hdl.windows import WindowRegister
from attractor.spec import OscillatorSpec
from attractor.spec.oscillator import NO_WINNER

__all__ = ["OscillatorCore"]


class OscillatorCore(wiring.Component):
    """A network of digital oscillators, driven by phase events.

    A target's sum is not computed anew in each slot. For each slot of half a period a bank keeps the difference that
    all edges at that slot make in the sum (a fall half a period later is minus a rise), so ``h(t)`` is ``h(t-1)``
    plus or minus twice that difference: one addition for all lanes at once, whatever the number of oscillators. Only
    when a phase *moves* is a row of weights read, to take the edge out of one bank and put it into another::

        state -> loader --+                                 +--> lanes -> queue -> mover --+
                          +-> sequencer -> control -> crossbar                             |
                          +----------------------------------------------------------------+

    With ``G = ceil(targets / lanes)`` groups a run takes, in clock cycles:

    ============= =================================================================================
    clear         ``(P / 2 + 1) G``
    load          ``2 G`` for each oscillator, and a few; 8 more where start phases are drawn
    slot          ``2 G + 3``; and 1 at the end of a period, 2 more where a new schedule entry begins
    noise, lock   ``G`` more in a slot for each, and 1 where ``G`` is 1; where targets flip, noise for each of its signs
    phase change  ``2 G``, or ``4 G`` where the level changes too; the first of a slot also waits for the find-first
    read-out      ``labels + 3``
    ============= =================================================================================

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    bus: ``In(CoreSignature(spec))``
        Parameters, inputs and outputs.
    slot_end: ``Out(1)``
        A slot ends in this cycle: from the next one on, until its first fold is written, all memories hold what the
        golden model holds after that slot.
    """

    bus: Any
    slot_end: Signal

    def __init__(self, spec: OscillatorSpec) -> None:
        self.spec = spec
        super().__init__({"bus": In(CoreSignature(spec)), "slot_end": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, windows = self.spec, self.bus.windows
        weights = WeightStore(spec.weight_memory, IntegerSynapse(spec.weight_bits), learning=spec.learning)
        m.submodules.crossbar = crossbar = Crossbar(
            [weights],
            groups=spec.groups,
            lanes=spec.lanes,
            sum_bits=spec.sum_bits,
            banks=spec.period // 2 + 3,
            fold_shift=1,
            tag_bits=TAG_BITS,
            state_bits=NeuronState(spec).size,
            context=Context(spec),
        )
        m.submodules.control = control = RunControl(spec, crossbar.operation)
        m.submodules.schedule = schedule = Schedule(spec)
        m.submodules.lanes = lanes = Lanes(spec, crossbar.beat)
        m.submodules.mover = mover = PhaseMover(spec)
        m.submodules.phases = phases = PhaseMemory(spec)
        connect_windows(m, windows, crossbar.weights)
        wiring.connect(m, wiring.flipped(windows.schedule), schedule.window)
        wiring.connect(m, wiring.flipped(windows.settle), schedule.settle_window)
        wiring.connect(m, wiring.flipped(windows.phases), phases.window)
        wiring.connect(m, schedule.now, control.schedule, lanes.schedule, mover.schedule)
        wiring.connect(m, control.progress, schedule.progress, lanes.progress, mover.progress)
        wiring.connect(m, control.o, crossbar.i)
        wiring.connect(m, crossbar.neurons, lanes.crossbar)
        wiring.connect(m, mover.phases, phases.mover)
        m.d.comb += [
            control.run.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            self.bus.busy.eq(control.run.busy),
            schedule.start.eq(control.load.start),
            self.slot_end.eq(control.progress.slot_end),
        ]
        noise = self._noise(m, crossbar, lanes)
        loader = self._place(m, control, lanes, mover, phases)
        self._results(m, control, phases)
        if spec.learning:
            self._learn(m, control, lanes)
        if spec.random_start:
            self._draw(m, control, noise, loader)
            wiring.connect(m, wiring.flipped(windows.spins), phases.spins)
        return m

    def _noise(self, m: Module, crossbar: Crossbar, lanes: Lanes) -> NoiseGenerator:
        """One random word for each beat that adds noise, or decides who flips."""
        m.submodules.noise = noise = NoiseGenerator()
        m.submodules.seed = seed = WindowRegister(self.spec.memory_map["seed"])
        wiring.connect(m, wiring.flipped(self.bus.windows.seed), seed.window)
        context, takes_word = crossbar.neurons.beat.context, crossbar.neurons.beat.context.noisy
        if self.spec.flips:
            takes_word |= context.decides & lanes.schedule.flips
        m.d.comb += [
            noise.seed.eq(seed.value),
            noise.start.eq(self.bus.start),
            noise.step.eq(crossbar.neurons.valid & takes_word),
            lanes.word.eq(noise.word),
        ]
        return noise

    def _place(
        self, m: Module, control: RunControl, lanes: Lanes, mover: PhaseMover, phases: PhaseMemory
    ) -> StateLoader:
        """The way of the placements, from whoever makes them to the control; the phases follow them."""
        spec = self.spec
        m.submodules.loader = loader = StateLoader(spec)
        # Several groups give their masks one after the other, so a memory of masks can take the place of a register for
        # each target.
        m.submodules.queue = queue = (ChangeQueue if spec.groups == 1 else ChangeList)(spec.groups, spec.lanes)
        m.submodules.arbiter = arbiter = StreamArbiter(Placement(spec), 2)
        m.submodules.sequencer = sequencer = EdgeSequencer(spec, control.operation)
        wiring.connect(m, wiring.flipped(self.bus.windows.state), loader.window)
        wiring.connect(m, lanes.changes, queue.i)
        wiring.connect(m, queue.o, mover.i)
        # All oscillators are loaded before the first slot, so loader and mover never ask at the same time.
        wiring.connect(m, loader.o, arbiter.i[0])
        wiring.connect(m, mover.o, arbiter.i[1])
        wiring.connect(m, arbiter.o, sequencer.i)
        wiring.connect(m, sequencer.o, control.i)
        placed = sequencer.i.valid & sequencer.i.ready
        m.d.comb += [
            loader.start.eq(control.load.start),
            control.load.busy.eq(~loader.idle | ~sequencer.idle),
            sequencer.teaching.eq(control.teaching),
            control.moving.eq(~queue.empty | ~mover.idle | ~sequencer.idle),
            control.placed.eq(placed),
            phases.placed.eq(placed),
            phases.placement.eq(sequencer.i.payload),
        ]
        return loader

    def _draw(self, m: Module, control: RunControl, noise: NoiseGenerator, loader: StateLoader) -> None:
        """Start phases from the generator of the noise; the pattern of a lesson is the given one."""
        m.submodules.random_start = register = WindowRegister(self.spec.memory_map["start"])
        wiring.connect(m, wiring.flipped(self.bus.windows.start), register.window)
        m.d.comb += [loader.random.eq(register.value.start & (control.margin == 0)), loader.word.eq(noise.word)]
        with m.If(loader.steps):
            m.d.comb += noise.step.eq(1)

    def _results(self, m: Module, control: RunControl, phases: PhaseMemory) -> None:
        """The record of the run, and the winner where there are labels."""
        m.submodules.record = record = RunRecord(self.spec)
        wiring.connect(m, wiring.flipped(self.bus.windows.result), record.window)
        wiring.connect(m, control.progress, record.progress)
        wiring.connect(m, control.outcome, record.outcome)
        m.d.comb += [
            record.start.eq(self.bus.start),
            record.running.eq(control.run.busy),
            record.winner.eq(NO_WINNER),
        ]
        if self.spec.labels:
            m.submodules.readout = readout = LabelReadout(self.spec)
            wiring.connect(m, control.read_out, readout.task)
            wiring.connect(m, readout.phases, phases.readout)
            m.d.comb += record.winner.eq(readout.winner)

    def _learn(self, m: Module, control: RunControl, lanes: Lanes) -> None:
        """The margin of a call that learns."""
        m.submodules.margin = register = WindowRegister(self.spec.memory_map["margin"])
        wiring.connect(m, wiring.flipped(self.bus.windows.margin), register.window)
        # The link does not check what it writes; no field less the margin may overflow.
        margin, largest = register.value.margin, self.spec.margin_high
        m.d.comb += [
            control.margin.eq(Mux(margin > largest, largest, margin)),
            control.learns.eq(lanes.learns),
        ]
