"""The core of oscillator networks with sparse couplings: one call settles the network once."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arbiter import StreamArbiter
from attractor.hdl.core import CoreSignature
from attractor.hdl.noise import NoiseGenerator
from attractor.hdl.oscillator.loader import StateLoader
from attractor.hdl.oscillator.phases import PhaseMemory
from attractor.hdl.oscillator.readout import LabelReadout, RunRecord
from attractor.hdl.oscillator.schedule import Schedule
from attractor.hdl.sparse.control import RunControl
from attractor.hdl.sparse.layouts import Visit
from attractor.hdl.sparse.rows import RowReader
from attractor.hdl.sparse.sums import Sums
from attractor.hdl.sparse.targets import Targets, effect_of
from attractor.hdl.windows import WindowRegister
from attractor.spec.oscillator import NO_WINNER
from attractor.spec.sparse import SparseSpec

__all__ = ["SparseCore"]


class SparseCore(wiring.Component):
    """A network of digital oscillators of which few pairs are coupled.

    The sum over what is coupled to a target, weight times level, is not computed anew in each slot. As in dense
    networks, the difference that all edges at a slot make in the sum is kept for each slot of half a period, so that a
    slot costs one addition a target, and only an oscillator whose phase changes costs more: its row is read,
    ``entries`` couplings a cycle, each into the memory of its class, where all numbers of a target are one word, so
    that the old edge, the new one and the sum are set right in one go::

        state -> loader --+                     +--> targets: scanner -> list of changes -> mover --+
                          +--> row reader -> sums                                                   |
                          +-------------------------------------------------------------------------+

    Where phases are 0 or half a period (``binary``), weight times *side* (+1 for phase 0) is summed up instead: that
    changes only where an oscillator flips. There are no differences, no mover, and nothing is written in a scan.

    A slot first scans all groups, ``lanes`` targets a cycle, and then adds the rows of what changes. No oscillator has
    a register or a gate of its own, and there is no multiplier.

    With ``G = ceil(targets / lanes)`` groups, and rows of ``w`` words that take ``max(w, 1)`` cycles each, a call
    takes, in clock cycles:

    ============= =================================================================================
    clear         ``G``
    load          the rows of all oscillators, and 12; 8 more where start phases are drawn
    slot          ``G + 8`` if nothing changes; and 1 at the end of a period, 2 more where an entry begins
    slot, changes ``G + 7`` and the rows of all that change; up to 16 more if only the last groups scanned
                  have any, or if they come one by one there
    read-out      ``labels + 3``, or 1 without labels
    ============= =================================================================================

    With ``binary`` a load takes 1 cycle less, a slot 3 less, or 1 where there are changes, and that up to 9 more.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    bus: ``In(CoreSignature(spec))``
        Parameters, inputs and outputs.
    slot_end: ``Out(1)``
        A slot ends in this cycle: from the next one on, until a group of the next slot is written, all memories hold
        what the golden model holds after that slot.
    """

    bus: Any
    slot_end: Signal

    def __init__(self, spec: SparseSpec) -> None:
        self.spec = spec
        super().__init__({"bus": In(CoreSignature(spec)), "slot_end": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, windows = self.spec, self.bus.windows
        m.submodules.control = control = RunControl(spec)
        m.submodules.schedule = schedule = Schedule(spec)
        m.submodules.targets = targets = Targets(spec)
        m.submodules.accumulators = sums = Sums(spec)
        m.submodules.phases = phases = PhaseMemory(spec, bits=spec.drawn_bits)
        wiring.connect(m, wiring.flipped(windows.schedule), schedule.window)
        wiring.connect(m, wiring.flipped(windows.settle), schedule.settle_window)
        wiring.connect(m, wiring.flipped(windows.phases), phases.window)
        wiring.connect(m, schedule.now, control.schedule, targets.schedule)
        wiring.connect(m, control.progress, schedule.progress, targets.progress)
        m.d.comb += [
            control.run.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            self.bus.busy.eq(control.run.busy),
            schedule.start.eq(control.load.start),
            self.slot_end.eq(control.progress.slot_end),
            targets.sums.eq(sums.sums),
            control.moves.eq(targets.moved),
        ]
        if not spec.binary:
            wiring.connect(m, targets.phases, phases.mover)
            m.d.comb += sums.slot.eq(control.progress.slot)
        loader = self._visit(m, control, targets, sums, phases)
        word = self._noise(m, control, schedule, loader)
        self._scan(m, control, targets, sums, word)
        self._results(m, control, phases)
        return m

    def _visit(self, m: Module, control: RunControl, targets: Targets, sums: Sums, phases: PhaseMemory) -> StateLoader:
        """The way of an oscillator that is placed, or changes, to the sums; its phase is kept on the way."""
        spec, windows = self.spec, self.bus.windows
        m.submodules.loader = loader = StateLoader(spec)
        m.submodules.arbiter = arbiter = StreamArbiter(Visit(spec), 2)
        m.submodules.rows = rows = RowReader(spec)
        wiring.connect(m, wiring.flipped(windows.state), loader.window)
        wiring.connect(m, wiring.flipped(windows.pointers), rows.pointers)
        wiring.connect(m, wiring.flipped(windows.rows), rows.rows)
        # All oscillators are loaded before the first slot, so loader and targets never ask at the same time.
        first, again = arbiter.i
        wiring.connect(m, targets.visits, again)
        wiring.connect(m, arbiter.o, rows.i)
        wiring.connect(m, rows.o, sums.i)
        effect_of(m, spec, loader.o.payload, first.payload.effect)
        m.d.comb += [
            first.valid.eq(loader.o.valid),
            first.payload.source.eq(loader.o.payload.source),
            loader.o.ready.eq(first.ready),
            targets.placed.eq(loader.o.valid & loader.o.ready),
            targets.placement.eq(loader.o.payload),
            rows.hold.eq(control.scan),
            loader.start.eq(control.load.start),
        ]
        busy = ~rows.idle | ~sums.idle
        m.d.comb += [control.load.busy.eq(~loader.idle | busy), control.moving.eq(~targets.idle | busy)]
        self._follow(m, control, rows, phases)
        return loader

    def _follow(self, m: Module, control: RunControl, rows: RowReader, phases: PhaseMemory) -> None:
        """Keep the phase of each oscillator that is visited, and tell for how long rows are read."""
        effect = rows.i.payload.effect
        phase = Cat(Const(0, self.spec.phase_bits - 1), ~effect.up) if self.spec.binary else effect.new
        # A cycle late, so that nothing waits for the memory.
        m.d.sync += [
            phases.placed.eq(rows.i.valid & rows.i.ready),
            phases.placement.source.eq(rows.i.payload.source),
            phases.placement.new.eq(phase),
        ]
        # No row is read after the last slot. Registered: chooses the addresses of many block RAMs.
        with m.If(self.bus.start):
            m.d.sync += rows.running.eq(1)
        with m.Elif(control.read_out.start):
            m.d.sync += rows.running.eq(0)

    def _scan(self, m: Module, control: RunControl, targets: Targets, sums: Sums, word: Signal) -> None:
        """Scan a group, or clear its sums."""
        # With full phases many memories are told at once, and a register is what reaches them.
        domain = m.d.comb if self.spec.binary else m.d.sync
        domain += [
            sums.scan.eq(control.scan),
            sums.clear.eq(control.clear),
            sums.group.eq(control.group),
            targets.scan.eq(control.scan),
            targets.group.eq(control.group),
            targets.word.eq(word),
        ]

    def _noise(self, m: Module, control: RunControl, schedule: Schedule, loader: StateLoader) -> Signal:
        """Return a random word: one for each group and slot with noise or flips, and for each phase that is drawn."""
        spec, windows = self.spec, self.bus.windows
        draws = schedule.now.noise != 0
        if spec.flips:
            draws |= schedule.now.flips
        m.submodules.noise = noise = NoiseGenerator()
        m.submodules.seed = seed = WindowRegister(spec.memory_map["seed"])
        wiring.connect(m, wiring.flipped(windows.seed), seed.window)
        m.d.comb += [
            noise.seed.eq(seed.value),
            noise.start.eq(self.bus.start),
            noise.step.eq(control.scan & draws),
        ]
        if spec.random_start:
            m.submodules.random_start = register = WindowRegister(spec.memory_map["start"])
            wiring.connect(m, wiring.flipped(windows.start), register.window)
            m.d.comb += [loader.random.eq(register.value.start), loader.word.eq(noise.word)]
            with m.If(loader.steps):
                m.d.comb += noise.step.eq(1)
        return noise.word

    def _results(self, m: Module, control: RunControl, phases: PhaseMemory) -> None:
        """The record of the run, spins, and the winner where there are labels."""
        spec, windows = self.spec, self.bus.windows
        m.submodules.record = record = RunRecord(spec)
        wiring.connect(m, wiring.flipped(windows.result), record.window)
        wiring.connect(m, control.progress, record.progress)
        wiring.connect(m, control.outcome, record.outcome)
        m.d.comb += [
            record.start.eq(self.bus.start),
            record.running.eq(control.run.busy),
            record.winner.eq(NO_WINNER),
        ]
        if spec.random_start:
            wiring.connect(m, wiring.flipped(windows.spins), phases.spins)
        if spec.labels:
            m.submodules.readout = readout = LabelReadout(spec)
            wiring.connect(m, control.read_out, readout.task)
            wiring.connect(m, readout.phases, phases.readout)
            m.d.comb += record.winner.eq(readout.winner)
