"""The Equilibrium Propagation core: one call classifies a sample, or learns it."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.arbiter import StreamArbiter
from attractor.hdl.change_list import ChangeList
from attractor.hdl.core import CoreSignature, connect_windows
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.eqprop.control import RunControl
from attractor.hdl.eqprop.events import EventSequencer
from attractor.hdl.eqprop.layout import Context, EqPropBank, NeuronState, Source, Store, sum_bits
from attractor.hdl.eqprop.learner import Learner
from attractor.hdl.eqprop.neurons import Neurons
from attractor.hdl.eqprop.readout import RunRecord, ScoreReadout
from attractor.hdl.eqprop.scanner import InputScanner
from attractor.hdl.eqprop.signatures import BeatSignature
from attractor.hdl.stream_register import StreamRegister
from attractor.hdl.synapse import CountingSynapse, SignSynapse
from attractor.hdl.weights import WeightStore
from attractor.hdl.windows import WindowRegister
from attractor.spec import EqPropSpec

__all__ = ["EqPropCore"]


class EqPropCore(wiring.Component):
    """A binary Equilibrium Propagation array, driven by the bits that change.

    A neuron's sum is changed by an event whenever a bit changes that it sees: the row of weights of the source is added
    or subtracted. A step visits all neurons once and finds their new states; those whose bit changed become the sources
    of the next events::

        sample -> scanner --+          control, read-out, learner --+
                            +-> sequencer --------------------------+-> crossbar <-> neurons --+
        change list --------+                                                                  |
             ^                                                                                 |
             +---------------------------------------------------------------------------------+

    Control begins each stretch of a call with an operation of its own and waits until nothing is left to do; while it,
    the read-out or the learner uses the crossbar, events wait.

    With ``G_l = ceil(neurons of layer l / lanes)`` groups of a layer and G of all a call takes, in clock cycles:

    ============== ================================================================================================
    begin          ``G + 2``, three more where the core can learn; after parameters were written ``2 G + 2`` more and
                   an event for each neuron
    inputs         ``G_1`` for each input that is on; a byte without any takes one in which others may go on
    event          the groups of the layers above and below; one more where it begins with the group that the event
                   before ended with
    step           ``G + 6`` if no bit changes; otherwise its events begin nine cycles after the first group with a
                   change was read, yet not before all groups were, and the last one takes four to end
    nudged step    ``(2^shift - 1 - sigma) G_L`` more, at least none; pushes to a single group take two each
    targets        two, and two for each output of the label
    read-out       ``outputs + 3 G_L + 3``
    learning       three for each connection and six for each group; where a neuron below or in the group differs
                   between the phases one for each source that then counts, and what a step takes to list these
    flip           about seven, and one for each word; between an input and a neuron only one
    ============== ================================================================================================

    Apart from flips, the golden model's steps say how many these are, to the cycle.

    Parameters
    ----------
    spec:
        The network.

    Members
    -------
    bus: ``In(CoreSignature(spec))``
        Parameters, inputs and outputs.
    step_end: ``Out(1)``
        A step ends in this cycle: from now on, until the next step or the next phase begins, all memories hold what the
        golden model holds after that step.
    """

    bus: Any
    step_end: Signal

    def __init__(self, spec: EqPropSpec) -> None:
        self.spec = spec
        super().__init__({"bus": In(CoreSignature(spec)), "step_end": Out(1)})
        self._crossbar = crossbar = _build_crossbar(spec)
        self._scanner = InputScanner(spec)
        self._changes = ChangeList(spec.groups, spec.lanes)
        self._sequencer = EventSequencer(spec, crossbar.operation)
        self._control = RunControl(spec, crossbar.operation)
        self._learner = Learner(spec, crossbar.operation, crossbar.beat) if spec.learning else None
        self._readout = ScoreReadout(spec, crossbar.operation, crossbar.beat)
        self._neurons = Neurons(spec, crossbar.beat)
        self._record = RunRecord(spec)
        # Registers before the crossbar and before the sequencer.
        self._operations, self._sources = StreamRegister(crossbar.operation), StreamRegister(Source(spec))
        self._beats: Any = BeatSignature(crossbar.beat).create()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crossbar, m.submodules.neurons = crossbar, neurons = self._crossbar, self._neurons
        wiring.connect(m, crossbar.neurons, neurons.crossbar)
        wiring.connect(m, neurons.marks, self._changes.i)
        m.d.comb += [
            self._beats.valid.eq(crossbar.neurons.valid),
            self._beats.beat.eq(crossbar.neurons.beat),
            self._beats.flips.eq(crossbar.flips),
        ]
        self._connect_windows(m)
        self._give_sources(m)
        self._give_operations(m)
        self._run(m)
        self._report(m)
        if self._learner is not None:
            self._learn(m, self._learner)
        return m

    def _connect_windows(self, m: Module) -> None:
        """Connect the windows with the parts behind them."""
        windows, control = self.bus.windows, self._control
        m.submodules.steps = steps = WindowRegister(self.spec.memory_map["steps"])
        connect_windows(m, windows, self._crossbar.weights)
        for window, part in (
            (windows.sample, self._scanner),
            (windows.steps, steps),
            (windows.scores, self._readout),
            (windows.result, self._record),
        ):
            wiring.connect(m, wiring.flipped(window), part.window)
        weights = [getattr(windows, name) for name in self._crossbar.weights.signature.members]
        m.d.comb += [
            control.limits.eq(steps.value),
            control.stale.eq(Cat(window.write for window in weights).any()),
        ]

    def _give_sources(self, m: Module) -> None:
        """Bring inputs, or else neurons whose bit changed, to the sequencer."""
        m.submodules.scanner, m.submodules.changes = scanner, changes = self._scanner, self._changes
        m.submodules.source_arbiter = arbiter = StreamArbiter(Source(self.spec), 2)
        # Registered: cuts the path from the search for the lowest marked lane to the rows of weights of that neuron;
        # costs a cycle between the marks of a step and its first event.
        m.submodules.sources = sources = self._sources
        m.submodules.sequencer = sequencer = self._sequencer
        inputs, changed = arbiter.i
        wiring.connect(m, scanner.o, inputs)
        m.d.comb += [
            changed.valid.eq(changes.o.valid),
            changed.payload.group.eq(changes.o.payload.group),
            changed.payload.lane.eq(changes.o.payload.lane),
            changed.payload.flag.eq(changes.o.payload.flag),
            changes.o.ready.eq(changed.ready),
        ]
        wiring.connect(m, arbiter.o, sources.i)
        wiring.connect(m, sources.o, sequencer.i)

    def _give_operations(self, m: Module) -> None:
        """Bring the operations of all parts to the crossbar; no two of them give one in the same cycle."""
        control, learner, sequencer = self._control, self._learner, self._sequencer
        m.submodules.control, m.submodules.readout = control, self._readout
        others = [self._readout, control] if learner is None else [learner, self._readout, control]
        m.submodules.operation_arbiter = arbiter = StreamArbiter(self._crossbar.operation, 1 + len(others))
        # Registered: cuts the path from the states of those who give operations to the crossbar's hazard, addresses and
        # rows; costs a cycle from an operation to its first beat.
        m.submodules.operations = operations = self._operations
        events, *places = arbiter.i
        for part, place in zip(others, places, strict=True):
            wiring.connect(m, part.o, place)
        admits = control.admits if learner is None else control.admits | learner.admits
        m.d.comb += [
            events.valid.eq(sequencer.o.valid & admits),
            events.payload.eq(sequencer.o.payload),
            sequencer.o.ready.eq(events.ready & admits),
        ]
        wiring.connect(m, arbiter.o, operations.i)
        wiring.connect(m, operations.o, self._crossbar.i)

    def _run(self, m: Module) -> None:
        """Run a call; say when a stretch of it has come to its end."""
        control, scanner, operations, sources = self._control, self._scanner, self._operations, self._sources
        giving = operations.i.valid | operations.o.valid | self._crossbar.busy | sources.o.valid | scanner.start
        # Registered: cuts the path from all that may hold work to the next states of control and learner; costs a cycle
        # at the end of each stretch. What begins in this cycle counts as well, or its beginning were taken for its end.
        quiet = Signal()
        m.d.sync += quiet.eq(scanner.idle & self._changes.empty & self._sequencer.idle & ~giving)
        m.d.comb += [
            control.run.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            self.bus.busy.eq(control.run.busy),
            control.quiet.eq(quiet),
            control.moved.eq(self._neurons.moved),
            self._sequencer.base.eq(control.base),
            scanner.start.eq(control.scan if self._learner is None else control.scan | self._learner.scan),
            self.step_end.eq(control.step_end),
        ]

    def _report(self, m: Module) -> None:
        """Connect the scores, and the record of the run."""
        control, readout, record = self._control, self._readout, self._record
        m.submodules.record = record
        wiring.connect(m, control.scores, readout.scores)
        wiring.connect(m, self._beats, readout.beats)
        wiring.connect(m, self._neurons.touches, record.touches)
        wiring.connect(m, control.report, record.report)
        m.d.comb += [
            record.start.eq(self.bus.start),
            record.running.eq(control.run.busy),
            record.winner.eq(readout.winner),
        ]

    def _learn(self, m: Module, learner: Learner) -> None:
        """Connect what learns."""
        control, (first, second) = self._control, self._scanner.readers
        m.submodules.learner = learner
        wiring.connect(m, control.update, learner.update)
        wiring.connect(m, control.target, self._readout.target)
        wiring.connect(m, control.header, first)
        wiring.connect(m, learner.header, second)
        wiring.connect(m, learner.lesson, self._sequencer.lesson)
        wiring.connect(m, self._beats, learner.beats)
        wiring.connect(m, self._neurons.probe, learner.probe)
        m.d.comb += [
            learner.quiet.eq(control.quiet),
            learner.reversed.eq(control.reversed),
            self._crossbar.rule.eq(learner.rule),
            self._record.flipped.eq(learner.flipped),
        ]


def _build_crossbar(spec: EqPropSpec) -> Crossbar:
    """Return the crossbar of a network, with both memories of weights."""
    synapse = CountingSynapse(spec.counter_bits) if spec.learning else SignSynapse()
    stores = {
        Store.UP: WeightStore(spec.up_memory, synapse, learning=spec.learning),
        Store.DOWN: WeightStore(spec.down_memory, SignSynapse(), learning=spec.learning),
    }
    return Crossbar(
        [stores[store] for store in Store],
        groups=spec.groups,
        lanes=spec.lanes,
        sum_bits=sum_bits(spec),
        banks=len(EqPropBank),
        parts=True,
        push_sums=True,
        state_bits=NeuronState(spec).size,
        context=Context(spec),
    )
