"""The Equilibrium Propagation core: one call classifies a sample, or learns it."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from attractor.hdl.change_list import ChangeList
from attractor.hdl.core import CoreSignature
from attractor.hdl.crossbar import Crossbar
from attractor.hdl.crossbar import OperationKind as Kind
from attractor.hdl.eqprop.control import RunControl
from attractor.hdl.eqprop.events import EventSequencer
from attractor.hdl.eqprop.layout import Bank, Context, NeuronState, Source, Store, sum_bits
from attractor.hdl.eqprop.learner import Learner
from attractor.hdl.eqprop.neurons import Neurons
from attractor.hdl.eqprop.readout import RunRecord, ScoreReadout
from attractor.hdl.eqprop.scanner import InputScanner
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

        sample -> scanner --+
                            +-> sequencer -> control -> crossbar -> neurons -+
        change list --------+        |          ^                            |
             ^                       +-> learner +                           |
             +---------------------------------------------------------------+

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

    Apart from flips, ``benchmarks/eqprop_cycles.py`` counts these cycle by cycle, and ``benchmarks/scale_eqprop.py``
    compares the count with the core's counter.

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

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, windows = self.spec, self.bus.windows
        synapse = CountingSynapse(spec.counter_bits) if spec.learning else SignSynapse()
        stores = {
            Store.UP: WeightStore(spec.up_memory, synapse, learning=spec.learning),
            Store.DOWN: WeightStore(spec.down_memory, SignSynapse(), learning=spec.learning),
        }
        m.submodules.crossbar = crossbar = Crossbar(
            [stores[store] for store in Store],
            groups=spec.groups,
            lanes=spec.lanes,
            sum_bits=sum_bits(spec),
            banks=len(Bank),
            parts=True,
            push_sums=True,
            state_bits=NeuronState(spec).size,
            context=Context(spec),
        )
        m.submodules.control = control = RunControl(spec, crossbar.operation)
        m.submodules.scanner = scanner = InputScanner(spec)
        m.submodules.changes = changes = ChangeList(spec.groups, spec.lanes)
        m.submodules.sequencer = sequencer = EventSequencer(spec, crossbar.operation)
        m.submodules.neurons = neurons = Neurons(spec, crossbar.beat)
        for name in crossbar.weights.signature.members:
            wiring.connect(m, wiring.flipped(getattr(windows, name)), getattr(crossbar.weights, name))
        wiring.connect(m, wiring.flipped(windows.sample), scanner.window)
        # Who asks and what waits for a hazard are far apart.
        m.submodules.operations = operations = StreamRegister(crossbar.operation)
        wiring.connect(m, control.o, operations.i)
        wiring.connect(m, operations.o, crossbar.i)
        m.d.comb += [
            neurons.beat.eq(crossbar.neurons.beat),
            neurons.valid.eq(crossbar.neurons.valid),
            crossbar.neurons.states.eq(neurons.states),
            crossbar.neurons.keep_states.eq(neurons.keep_states),
            crossbar.neurons.amplitudes.eq(neurons.amplitudes),
            crossbar.neurons.signs.eq(neurons.signs),
            crossbar.neurons.learns.eq(neurons.learns),
            changes.i.valid.eq(neurons.loads),
            changes.i.payload.group.eq(neurons.group),
            changes.i.payload.mask.eq(neurons.mask),
            changes.i.payload.flags.eq(neurons.flags),
            control.start.eq(self.bus.start),
            control.abort.eq(self.bus.abort),
            control.stale.eq(Cat(getattr(crossbar.weights, n).write for n in crossbar.weights.signature.members).any()),
            control.moved.eq(neurons.loads & neurons.moved),
            sequencer.base.eq(control.base),
            self.bus.busy.eq(control.busy),
            self.step_end.eq(control.step_end),
        ]
        self._sources(m, control, crossbar, scanner, changes, sequencer, operations)
        flipped: Value = Const(0, 1)
        if spec.learning:
            flipped = self._learning(m, control, crossbar, scanner, sequencer, neurons)
        else:
            wiring.connect(m, sequencer.o, control.events)
            m.d.comb += scanner.start.eq(control.scan)
        self._results(m, control, crossbar, neurons, flipped)
        return m

    def _sources(
        self,
        m: Module,
        control: RunControl,
        crossbar: Crossbar,
        scanner: InputScanner,
        changes: ChangeList,
        sequencer: EventSequencer,
        operations: StreamRegister,
    ) -> None:
        """Connect whatever has a source with the sequencer, and say when there is none."""
        # Inputs and changes never overlap, so whoever has a source is heard.
        m.submodules.sources = sources = StreamRegister(Source(self.spec))
        wiring.connect(m, sources.o, sequencer.i)
        with m.If(scanner.o.valid):
            wiring.connect(m, scanner.o, sources.i)
        with m.Else():
            m.d.comb += [
                sources.i.valid.eq(changes.o.valid),
                sources.i.payload.group.eq(changes.o.payload.group),
                sources.i.payload.lane.eq(changes.o.payload.lane),
                sources.i.payload.flag.eq(changes.o.payload.flag),
                changes.o.ready.eq(sources.i.ready),
            ]
        # A cycle late; so what begins in this cycle is no longer quiet either.
        quiet = Signal()
        working = operations.i.valid | operations.o.valid | crossbar.busy | sources.o.valid | scanner.start
        m.d.sync += quiet.eq(scanner.idle & changes.empty & sequencer.idle & ~working)
        m.d.comb += control.quiet.eq(quiet)

    def _learning(
        self,
        m: Module,
        control: RunControl,
        crossbar: Crossbar,
        scanner: InputScanner,
        sequencer: EventSequencer,
        neurons: Neurons,
    ) -> Value:
        """Connect what learns; return whether a weight flipped."""
        m.submodules.learner = learner = Learner(self.spec, crossbar.operation, crossbar.beat)
        wiring.connect(m, learner.o, control.learner)
        with m.If(learner.busy):
            wiring.connect(m, sequencer.o, learner.i)
        with m.Else():
            wiring.connect(m, sequencer.o, control.events)
        m.d.comb += [
            crossbar.rule.eq(learner.rule),
            learner.start.eq(control.learn),
            learner.beat.eq(crossbar.neurons.beat),
            learner.valid.eq(crossbar.neurons.valid),
            learner.flips.eq(crossbar.flips),
            learner.probed.eq(neurons.probes),
            learner.differs.eq(neurons.mask.any()),
            learner.quiet.eq(control.quiet),
            learner.byte.eq(scanner.byte),
            control.learning.eq(learner.busy),
            control.byte.eq(scanner.byte),
            scanner.fetch.eq(control.fetch | learner.fetch),
            scanner.address.eq(Mux(learner.fetch, learner.address, control.address)),
            scanner.start.eq(control.scan | learner.scan),
            sequencer.teaching.eq(learner.busy),
            sequencer.group.eq(learner.group),
            sequencer.within.eq(learner.within),
            sequencer.changed.eq(learner.changed),
            sequencer.reversed.eq(control.reversed),
        ]
        return learner.flipped

    def _results(self, m: Module, control: RunControl, crossbar: Crossbar, neurons: Neurons, flipped: Value) -> None:
        """Connect the limits of the steps, the scores, and the record of the run."""
        spec, windows, beat = self.spec, self.bus.windows, crossbar.neurons.beat
        m.submodules.readout = readout = ScoreReadout(spec, crossbar.operation)
        m.submodules.record = record = RunRecord(spec)
        wiring.connect(m, readout.o, control.readout)
        wiring.connect(m, wiring.flipped(windows.scores), readout.window)
        m.submodules.steps = steps = WindowRegister(spec.memory_map["steps"])
        wiring.connect(m, wiring.flipped(windows.steps), steps.window)
        wiring.connect(m, wiring.flipped(windows.result), record.window)
        m.d.comb += [
            control.free_limit.eq(steps.value.free),
            control.nudged_limit.eq(steps.value.nudged),
            control.reading_out.eq(readout.busy),
            control.known.eq(readout.known),
            control.group.eq(readout.group),
            control.lane.eq(readout.lane),
            readout.start.eq(control.read_out),
            readout.label.eq(control.label),
            readout.valid.eq(crossbar.neurons.valid),
            readout.states.eq(beat.states),
            record.start.eq(self.bus.start),
            record.running.eq(control.busy),
            record.touches.eq(crossbar.neurons.valid & (beat.kind == Kind.LEARN) & (beat.store == Store.UP)),
            record.touched.eq(neurons.touched),
            record.flipped.eq(flipped),
            record.settled.eq(control.settled),
            record.aborted.eq(control.aborted),
            record.learnt.eq(control.learnt),
            record.winner.eq(readout.winner),
            record.free_steps.eq(control.free_steps),
            record.nudged_steps.eq(control.nudged_steps),
        ]
