"""The oscillator core: one call settles the network once."""

from typing import Any

from amaranth.hdl import Assert, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.change_list import ChangeList
from attractor.hdl.change_queue import ChangeQueue
from attractor.hdl.core import CoreSignature
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.noise import NoiseGenerator
from attractor.hdl.oscillator.control import RunControl
from attractor.hdl.oscillator.lanes import TAG_BITS, Lanes, NeuronState
from attractor.hdl.oscillator.loader import StateLoader
from attractor.hdl.oscillator.move import Context, EdgeSequencer, PhaseMover
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
    load          ``2 G`` for each oscillator, and a few
    slot          ``2 G + 3``; and 1 at the end of a period, 2 more where a new schedule entry begins
    noise, lock   ``G`` more in a slot for each, and 1 where ``G`` is 1
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
        spec = self.spec
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
        m.submodules.loader = loader = StateLoader(spec)
        m.submodules.mover = mover = PhaseMover(spec)
        m.submodules.sequencer = sequencer = EdgeSequencer(spec, crossbar.operation)
        m.submodules.schedule = schedule = Schedule(spec)

        windows = self.bus.windows
        for name in crossbar.weights.signature.members:
            wiring.connect(m, wiring.flipped(getattr(windows, name)), getattr(crossbar.weights, name))
        wiring.connect(m, wiring.flipped(windows.state), loader.window)
        wiring.connect(m, wiring.flipped(windows.schedule), schedule.window)
        wiring.connect(m, wiring.flipped(windows.settle), schedule.settle_window)
        if spec.learning:
            m.submodules.margin = register = WindowRegister(spec.memory_map["margin"])
            wiring.connect(m, wiring.flipped(windows.margin), register.window)
            # The link does not check what it writes; no field less the margin may overflow.
            margin = register.value.margin
            m.d.comb += control.margin.eq(Mux(margin > spec.margin_high, spec.margin_high, margin))

        # Loading and moving never overlap, so whoever has a placement is heard.
        with m.If(loader.o.valid):
            wiring.connect(m, loader.o, sequencer.i)
        with m.Else():
            wiring.connect(m, mover.o, sequencer.i)
        wiring.connect(m, sequencer.o, control.i)
        wiring.connect(m, control.o, crossbar.i)
        waiting = self._neurons(m, crossbar, mover, control, schedule)

        m.d.comb += [
            control.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            self.bus.busy.eq(control.busy),
            loader.start.eq(control.load),
            control.loading.eq(control.load | ~loader.idle | ~sequencer.idle),
            control.moving.eq(waiting | ~mover.idle | ~sequencer.idle),
            control.placed.eq(sequencer.i.valid & sequencer.i.ready),
            control.schedule_busy.eq(schedule.busy),
            control.over.eq(schedule.over),
            control.quiet.eq(schedule.settled),
            control.noise.eq(schedule.noise),
            control.lock.eq(schedule.lock),
            sequencer.teaching.eq(control.teaching),
            mover.max_step.eq(schedule.max_step),
            schedule.start.eq(control.load),
            schedule.slot_end.eq(control.slot_end),
            schedule.moved.eq(control.moved),
            schedule.period_end.eq(control.period_end),
            self.slot_end.eq(control.slot_end),
        ]
        self._results(m, control, schedule, mover, sequencer)
        return m

    def _neurons(
        self, m: Module, crossbar: Crossbar, mover: PhaseMover, control: RunControl, schedule: Schedule
    ) -> Value:
        """Connect what finds and moves the targets whose reference changed; return whether any is waiting."""
        spec, beat = self.spec, crossbar.neurons.beat
        m.submodules.lanes = lanes = Lanes(spec, crossbar.beat)
        # Groups come one after the other anyway, so a memory of masks takes the place of a register for each target.
        kind = ChangeQueue if spec.groups == 1 else ChangeList
        m.submodules.queue = queue = kind(spec.groups, spec.lanes)
        m.submodules.noise = noise = NoiseGenerator()
        wiring.connect(m, queue.o, mover.i)
        low_locks = Cat((control.slot - slot)[spec.phase_bits - 1] for slot in spec.lock_slots)
        m.d.comb += [
            lanes.beat.eq(beat),
            lanes.late_slot.eq(control.slot[-1]),
            lanes.turn.eq(Mux(schedule.alternate, Mux(control.slot[0] ^ control.odd_period, 0b10, 0b01), 0b11)),
            lanes.noise.eq(Mux(beat.context.noisy, noise.word, 0)),
            lanes.low_locks.eq(Mux(beat.context.locked, low_locks, 0)),
            crossbar.neurons.tags.eq(lanes.tags),
            crossbar.neurons.states.eq(lanes.states),
            crossbar.neurons.amplitudes.eq(lanes.amplitudes),
            crossbar.neurons.signs.eq(lanes.signs),
            crossbar.neurons.learns.eq(lanes.learns),
            queue.i.valid.eq(crossbar.neurons.valid & beat.context.decides),
            queue.i.payload.group.eq(beat.group),
            queue.i.payload.mask.eq(lanes.moving),
            queue.i.payload.flags.eq(lanes.rising),
            mover.slot.eq(control.slot),
            control.learns.eq(crossbar.neurons.valid & beat.context.marks & lanes.teaches),
            noise.start.eq(self.bus.start),
            noise.step.eq(crossbar.neurons.valid & beat.context.noisy),
        ]
        m.submodules.seed = seed = WindowRegister(spec.memory_map["seed"])
        wiring.connect(m, wiring.flipped(self.bus.windows.seed), seed.window)
        m.d.comb += noise.seed.eq(seed.value)
        return ~queue.empty

    def _results(
        self, m: Module, control: RunControl, schedule: Schedule, mover: PhaseMover, sequencer: EdgeSequencer
    ) -> None:
        """The phases and who reads them, the winner, and the record of the run."""
        spec = self.spec
        m.submodules.phases = phases = memory.Memory(shape=unsigned(spec.phase_bits), depth=spec.oscillators, init=[])
        read, write = phases.read_port(), phases.write_port()
        placement = sequencer.i.payload
        m.d.comb += [
            write.addr.eq(placement.source),
            write.data.eq(placement.new),
            write.en.eq(control.placed),
            mover.phase.eq(read.data),
        ]
        m.d.sync += Assert(~(read.en & write.en & (read.addr == write.addr)), "phase read while written")
        window = self.bus.windows.phases
        with m.If(window.read):
            m.d.comb += [read.en.eq(1), read.addr.eq(window.address + spec.inputs)]
        with m.Else():
            m.d.comb += [read.en.eq(mover.read), read.addr.eq(mover.address)]
        m.d.comb += window.read_data.eq(read.data)

        m.submodules.record = record = RunRecord(spec)
        m.d.comb += [
            record.start.eq(self.bus.start),
            record.running.eq(control.busy),
            record.slot_end.eq(control.slot_end),
            record.moved.eq(control.moved),
            record.period_end.eq(control.period_end),
            record.settled.eq(control.settled),
            record.aborted.eq(control.aborted),
            record.winner.eq(NO_WINNER),
        ]
        wiring.connect(m, wiring.flipped(self.bus.windows.result), record.window)
        if spec.labels:
            m.submodules.readout = readout = LabelReadout(spec)
            m.d.comb += [
                readout.start.eq(control.read_out),
                control.reading_out.eq(readout.busy),
                readout.phase.eq(read.data),
                record.winner.eq(readout.winner),
            ]
            with m.If(readout.read):
                m.d.comb += [read.en.eq(1), read.addr.eq(readout.address)]
