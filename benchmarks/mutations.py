"""Whether the tests notice broken gateware: small faults are put into copies of the sources, one at a time.

For each fault the four package folders and the tests are copied to a temporary folder, one expression is replaced, and
the tests that are responsible run there. ``killed`` is a fault that makes a test fail. The checkout is never touched,
and the tests are first run once without any fault. Fails if a fault survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reporting import log, parser, report

ROOT = Path(__file__).parents[1]
FOLDERS = ("hdl", "gateware", "sim", "host", "tests")
SOURCES = Path("hdl/attractor/hdl")
#: Longest time in seconds for the tests of one fault; one that makes a test hang is killed as well.
TEST_SECONDS = 900

#: A failure is enough: no search for the simplest one.
CONFTEST = """\
from hypothesis import Phase, settings
settings.register_profile("mutations", phases=[Phase.explicit, Phase.generate], derandomize=True)
"""

ARITHMETIC = ("tests/hdl/test_arithmetic.py",)
NOISE = ("tests/hdl/test_noise.py",)
CROSSBAR = ("tests/hdl/test_crossbar.py",)
QUEUE = ("tests/hdl/test_change_queue.py",)
PROVEN_QUEUE = ("tests/prove/test_proofs.py::test_claims_hold_in_every_cycle[change queue, 3 groups of 20 lanes]",)
PARTS = ("tests/hdl/test_oscillator_parts.py",)
MOVES = ("tests/hdl/test_oscillator_moves.py",)
LOCKSTEP = ("tests/sim/test_lockstep.py::test_in_icarus",)
COUPLED = ("tests/sim/test_sparse_lockstep.py::test_in_icarus",)
PHASES = tuple(
    f"tests/sim/test_sparse_lockstep.py::test_in_icarus[phases, {name}]"
    for name in ("odd lanes", "several lanes of a class", "one class, no flips")
)
COUPLINGS = ("tests/hdl/test_sparse_parts.py",)
WINDOWS = ("tests/hdl/test_windows.py",)
REGISTER = ("tests/hdl/test_stream_register.py",)
ARBITER = ("tests/hdl/test_arbiter.py",)
SCANNER = ("tests/hdl/test_eqprop_sources.py::test_scanner_gives_the_inputs_that_are_on",)
EVENTS = ("tests/hdl/test_eqprop_sources.py::test_a_source_reaches_the_layers_beside_it",)
LESSONS = ("tests/hdl/test_eqprop_sources.py::test_a_source_teaches_one_group_of_the_layer_above",)
NEURONS = ("tests/hdl/test_eqprop_neurons.py::test_neurons_halve_their_sum_and_say_what_changed",)
SCORES = ("tests/hdl/test_eqprop_neurons.py::test_read_out_finds_the_greatest_score_and_a_label",)
RECORD = ("tests/hdl/test_eqprop_neurons.py::test_the_record_of_a_run_is_what_the_host_reads",)
FLIPS = ("tests/hdl/test_eqprop_learning.py::test_a_flip_is_copied_and_counts_twice",)
LEARNING = ("tests/hdl/test_eqprop_learning.py::test_only_groups_and_sources_that_differ_learn",)
PENDING = ("tests/hdl/test_eqprop_learning.py::test_flips_are_dealt_with_before_anything_else",)
LAYERS = ("tests/sim/test_eqprop_lockstep.py::test_in_icarus",)
DATAPATHS = ("tests/hdl/test_felif_datapaths.py",)
DECIMALS = ("tests/hdl/test_felif_parts.py::test_arithmetic",)
SPIKES = (
    "tests/hdl/test_felif_parts.py::test_spikes_come_out_in_order_and_each_tick_ends",
    "tests/hdl/test_felif_parts.py::test_a_cleared_list_begins_anew",
)
FRAMES = ("tests/hdl/test_felif_parts.py::test_inputs_come_bit_by_bit_and_add_up_to_their_values",)
OUTPUTS = ("tests/hdl/test_felif_parts.py::test_outputs_are_counts_or_voltages_and_the_first_greatest_wins",)
TICKS = ("tests/sim/test_felif_lockstep.py::test_in_icarus",)
LINK = ("tests/hdl/link/test_link.py", "tests/hdl/link/test_link_random.py")
LINK_PARTS = ("tests/hdl/link/test_parts.py",)
ENCODER = ("tests/hdl/link/test_encoder.py",)
FRAMING = ("tests/hdl/link/test_framing.py",)
UART = ("tests/hdl/link/test_uart.py",)


@dataclass(frozen=True)
class Mutation:
    """A fault: ``old`` occurs once in ``file`` and becomes ``new``; ``tests`` have to notice."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTATIONS = (
    Mutation("arithmetic.py", "Cat(negate, value)", "Cat(Const(0, 1), value)", ARITHMETIC),
    Mutation("arithmetic.py", "~Value.cast(negate)[:1]", "Const(1, 1)", ARITHMETIC),
    Mutation("arithmetic.py", "value[-1].replicate", "Const(0, 1).replicate", ARITHMETIC),
    Mutation("noise.py", "second ^ (second << 17)", "second ^ (second << 16)", NOISE),
    Mutation("noise.py", "first ^ (first >> 7)", "first ^ (first >> 6)", NOISE),
    Mutation("noise.py", "Cat(Const(1, 1), self.seed)", "Cat(self.seed, Const(1, 1))", NOISE),
    Mutation("noise.py", "with m.Elif(self.step):", "with m.Else():", NOISE),
    Mutation("noise.py", "(lane + distance) % WORD_BITS", "(lane + 1) % WORD_BITS", NOISE),
    Mutation("crossbar.py", "pipe.issue.eq(self.i.valid & ~pipe.hazard)", "pipe.issue.eq(self.i.valid)", CROSSBAR),
    Mutation("crossbar.py", "hazard.eq(rereads | unlearnt)", "hazard.eq(rereads)", CROSSBAR),
    Mutation("crossbar.py", "executing.address == pipe.address", "executing.address == issued.address", CROSSBAR),
    Mutation("crossbar.py", "pipe.write & ~pipe.learns & (executing.group == issued.group)", "rereads", CROSSBAR),
    Mutation(
        "crossbar.py",
        "pipe.write & ~pipe.learns & (executing.group == issued.group)",
        "pipe.write & (executing.group == issued.group)",
        CROSSBAR,
    ),
    Mutation(
        "crossbar.py",
        "pipe.write & ~pipe.learns & (executing.address == pipe.address)",
        "pipe.write & (executing.address == pipe.address)",
        LOCKSTEP,
    ),
    Mutation("crossbar.py", "group.eq(operation.first + offset)", "group.eq(offset)", CROSSBAR),
    Mutation("crossbar.py", "row.eq(operation.row + offset)", "row.eq(operation.row)", CROSSBAR),
    Mutation(
        "crossbar.py", "pipe.fetches_addend | (operation.kind == OperationKind.PUSH)", "pipe.fetches_addend", CROSSBAR
    ),
    Mutation("crossbar.py", "<< self.fold_shift", "<< 0", CROSSBAR),
    Mutation("crossbar.py", "Mux(keep, Value.cast(before.sum), 0)", "Value.cast(before.sum)", CROSSBAR),
    Mutation("crossbar.py", "with m.If(keep):", "with m.If(~keep):", CROSSBAR),
    Mutation("crossbar.py", "changes[lane], sign ^ negate", "changes[lane], negate", CROSSBAR),
    Mutation(
        "crossbar.py", "self.neurons.signs ^ operation.negate.replicate(self.lanes)", "self.neurons.signs", CROSSBAR
    ),
    Mutation(
        "crossbar.py", "(pipe.write & ~pipe.learns, executing.address)", "(pipe.write, executing.address)", CROSSBAR
    ),
    Mutation("crossbar.py", "pipe.write & ~self.neurons.keep_states", "pipe.write", CROSSBAR),
    Mutation("crossbar.py", "pipe.learns & (operation.store == index)", "pipe.learns", CROSSBAR),
    Mutation("crossbar.py", " & (chosen_store == index)", "", CROSSBAR),
    Mutation("crossbar.py", " | (stored & (stored_row == issued.row))", "", CROSSBAR),
    Mutation("weights.py", "Mux(learns, written, port.address)", "port.address", CROSSBAR),
    Mutation("synapse.py", "return sign_extend(word, width)", "return word", CROSSBAR),
    Mutation("synapse.py", "sign & ~rest.any(), ~sign & rest.all()", "sign & ~rest.any(), 0", CROSSBAR),
    Mutation("synapse.py", "sign & ~rest.any(), ~sign & rest.all()", "0, ~sign & rest.all()", CROSSBAR),
    Mutation("synapse.py", "Mux(learns & ~at_end, changed, word)", "Mux(~at_end, changed, word)", CROSSBAR),
    Mutation("synapse.py", "moves = learns & ~at_end", "moves = learns", CROSSBAR),
    Mutation("synapse.py", "(counter[-1] == falls)", "Const(1, 1)", CROSSBAR),
    Mutation("synapse.py", "changed ^ (~negative)", "counter ^ (~negative)", CROSSBAR),
    Mutation(
        "synapse.py", "Cat(negative, sign_extend(rule, width))", "Cat(Const(0, 1), sign_extend(rule, width))", CROSSBAR
    ),
    Mutation("synapse.py", "flips = learns & ~margin[width]", "flips = ~margin[width]", CROSSBAR),
    Mutation("change_queue.py", "found & ~stale & ", "found & ", PROVEN_QUEUE),
    Mutation("change_queue.py", "stale.eq(self.i.valid | fetch)", "stale.eq(fetch)", QUEUE),
    Mutation("change_queue.py", "~(self.i.valid | stale | found | chunk.any())", "~(found | chunk.any())", QUEUE),
    Mutation("change_queue.py", "self.o.ready & ~rest.any()", "self.o.ready", QUEUE),
    Mutation("change_queue.py", "self.o.payload.lane.eq(start + lane)", "self.o.payload.lane.eq(lane)", QUEUE),
    Mutation("synapse.py", "return word ^ learns, learns", "return word, learns", LAYERS),
    Mutation("synapse.py", "threshold > self.counter_high", "threshold >= self.counter_high", LEARNING),
    Mutation("lane_walker.py", "self.o.ready & ~rest.any()", "self.o.ready", QUEUE),
    Mutation("lane_walker.py", "self.o.payload.lane.eq(start + lane)", "self.o.payload.lane.eq(lane)", QUEUE),
    Mutation("lane_walker.py", "self.i.ready.eq(fetch & last)", "self.i.ready.eq(fetch)", QUEUE),
    Mutation("change_list.py", "read.en | (valid & ~walker.i.ready)", "read.en", QUEUE),
    Mutation("change_list.py", "~(self.i.valid | arrived | waiting)", "~(arrived | waiting)", QUEUE),
    Mutation("arbiter.py", "requests & (requests - 1)", "requests & 0", ARBITER),
    Mutation("arbiter.py", "self.o.payload.eq(source.payload)", "self.o.payload.eq(self.i[0].payload)", ARBITER),
    Mutation("arbiter.py", "source.ready.eq(self.o.ready)", "source.ready.eq(1)", ARBITER),
    Mutation("stream_register.py", "self.o.ready | ~valid", "self.o.ready", REGISTER),
    Mutation("stream_register.py", "spare_valid | self.i.valid", "self.i.valid", REGISTER),
    Mutation("stream_register.py", "self.i.ready.eq(~spare_valid)", "self.i.ready.eq(1)", REGISTER),
    Mutation("eqprop/scanner.py", "(1 << (inputs - 1) % 8 + 1) - 1, 0xFF", "0xFF, 0xFF", SCANNER),
    Mutation("eqprop/scanner.py", "number + self.spec.header_bytes", "number", SCANNER),
    Mutation("eqprop/scanner.py", "reading & (~valid | walker.i.ready)", "reading", SCANNER),
    Mutation("eqprop/scanner.py", "Mux(second.read, second.address, first.address)", "first.address", SCANNER),
    Mutation("eqprop/events.py", "operation.negate.eq(~self._source.flag)", "operation.negate.eq(0)", EVENTS),
    Mutation("eqprop/events.py", "self.o.ready & ~(self._up & self._down)", "self.o.ready", EVENTS),
    Mutation("eqprop/events.py", "start = base - ", "start = base + 0 * ", EVENTS),
    Mutation("eqprop/events.py", "Mux(self.base, EqPropBank.BASE, EqPropBank.SUM)", "EqPropBank.SUM", EVENTS),
    Mutation("eqprop/events.py", "self.i.valid & ~self.lesson.teaching & layer[2:].any()", "layer[2:].any()", LESSONS),
    Mutation("eqprop/events.py", "Mux(self.lesson.teaching, self.lesson.within, 0)", "0", LESSONS),
    Mutation("eqprop/events.py", "context.free.eq(~self.lesson.changed | ~source.flag)", "context.free.eq(1)", LESSONS),
    Mutation("eqprop/events.py", "context.paired.eq(~source.input)", "context.paired.eq(1)", LESSONS),
    Mutation("eqprop/neurons.py", "~self._exists[lane] | context.low", "context.low", NEURONS),
    Mutation("eqprop/neurons.py", "(total[-1] & ~context.high)", "total[-1]", NEURONS),
    Mutation("eqprop/neurons.py", "Mux(over, self._high, half[: len(level)])", "half[: len(level)]", NEURONS),
    Mutation("eqprop/neurons.py", "Mux(context.holds, state.free, bit)", "bit", NEURONS),
    Mutation(
        "eqprop/neurons.py", "(old_bit & context.nudged) ^ (state", "(old_bit & context.nudged) | (state", NEURONS
    ),
    Mutation("eqprop/neurons.py", "Mux(context.alone, self._takes_part[lane], touched)", "touched", NEURONS),
    Mutation("eqprop/neurons.py", "(beat.kind == OperationKind.LEARN) & (beat.store == Store.UP)", "1", NEURONS),
    Mutation("eqprop/neurons.py", "self.marks.valid & changes.any()", "changes.any()", NEURONS),
    Mutation("eqprop/neurons.py", "Mux(context.shows, old_bit, bit)", "bit", NEURONS),
    Mutation("eqprop/readout.py", "score > most", "score >= most", SCORES),
    Mutation("eqprop/readout.py", "Mux(begins, 0, score)", "score", SCORES),
    Mutation("eqprop/readout.py", "(replica == 0) & (label == target.label)", "label == target.label", SCORES),
    Mutation("eqprop/readout.py", "Mux(valid, count_ones(mask), 0)", "count_ones(mask)", RECORD),
    Mutation("eqprop/flips.py", "context.amplitude.eq(2)", "context.amplitude.eq(1)", FLIPS),
    Mutation(
        "eqprop/flips.py",
        "Mux(step == FlipStep.COPY, OperationKind.LEARN, OperationKind.ADD)",
        "OperationKind.ADD",
        FLIPS,
    ),
    Mutation("eqprop/flips.py", " - spec.first_group(layer - 1)", "", FLIPS),
    Mutation("eqprop/flips.py", "self.o.ready & (step == FlipStep.BELOW)", "self.o.ready", FLIPS),
    Mutation("eqprop/flips.py", "(beat.kind == OperationKind.LEARN) & (beat.store", "(beat.store", FLIPS),
    Mutation("eqprop/flips.py", "words.w_en | words.r_rdy", "words.r_rdy", FLIPS),
    Mutation("eqprop/flips.py", "walked & walker.idle", "walked", FLIPS),
    Mutation("eqprop/learner.py", "self._targets_differ | self.probe.differs", "self.probe.differs", LEARNING),
    Mutation("eqprop/learner.py", "with m.If(~self._group_differs):", "with m.If(0):", LEARNING),
    Mutation("eqprop/learner.py", "(self._connection - 1)[: len(self._connection)]", "self._connection", LEARNING),
    Mutation("eqprop/learner.py", "(self._connection << 1) + self.spec", "self.spec", LEARNING),
    Mutation("eqprop/learner.py", "self.admits.eq(~self._flips.pending)", "self.admits.eq(1)", PENDING),
    Mutation("eqprop/learner.py", "self.quiet & ~flips.pending", "self.quiet", PENDING),
    Mutation("eqprop/control.py", "Mux(self.reversed, 1, -1)", "-1", LAYERS),
    Mutation("eqprop/control.py", "context.holds.eq(self._nudging)", "context.holds.eq(0)", LAYERS),
    Mutation("eqprop/control.py", "self._learns & ~self.report.aborted", "self._learns", LAYERS),
    Mutation("eqprop/control.py", "m.d.sync += self._rebuild.eq(1)", "pass", LAYERS),
    Mutation("eqprop/control.py", "~self._unsettled | self._stopping", "self._stopping", LAYERS),
    Mutation("eqprop/control.py", "Mux(self.target.known, spec.replicas, 0)", "spec.replicas", LAYERS),
    Mutation(
        "eqprop/core.py", "events.valid.eq(sequencer.o.valid & admits)", "events.valid.eq(sequencer.o.valid)", LAYERS
    ),
    Mutation("eqprop/core.py", "giving = operations.i.valid | ", "giving = ", LAYERS),
    Mutation("eqprop/core.py", "learner.reversed.eq(control.reversed)", "learner.reversed.eq(0)", LAYERS),
    Mutation("oscillator/lanes.py", "Mux(total == 0, held, ~total[-1])", "~total[-1]", LOCKSTEP),
    Mutation("oscillator/lanes.py", " & ~state.clamp", "", LOCKSTEP),
    Mutation("oscillator/lanes.py", " & ~stays & turn", " & turn", LOCKSTEP),
    Mutation("oscillator/lanes.py", " & self._exists(lane)", "", LOCKSTEP),
    Mutation("oscillator/lanes.py", " & ~stays & turn", " & ~stays", LOCKSTEP),
    Mutation("oscillator/lanes.py", "(state.lock == 0)", "(state.lock != 0)", LOCKSTEP),
    Mutation("oscillator/lanes.py", "self._turn[parity].replicate", "self._turn[0].replicate", LOCKSTEP),
    Mutation("oscillator/lanes.py", "beat.group[0] ^ (lane & 1)", "Const(lane & 1, 1)", LOCKSTEP),
    Mutation(
        "oscillator/lanes.py",
        "Cat(beat.context.present, beat.context.late)",
        "Cat(Const(1, 1), beat.context.late)",
        LOCKSTEP,
    ),
    Mutation("oscillator/lanes.py", " & (beat.group == edge.group)", "", LOCKSTEP),
    Mutation("oscillator/lanes.py", " ^ Array(lows)[state.lock]", "", LOCKSTEP),
    Mutation("oscillator/lanes.py", "with m.If(turns[lane]):", "with m.If(starts[lane]):", LOCKSTEP),
    Mutation("oscillator/lanes.py", "(edge.marks & state.reference)", "edge.marks", LOCKSTEP),
    Mutation("oscillator/lanes.py", "(beat.kind == OperationKind.LEARN) & ~state.reference", "0", LOCKSTEP),
    Mutation("oscillator/lanes.py", "state.teach & ~selected[lane]", "state.teach", LOCKSTEP),
    Mutation("oscillator/lanes.py", "Mux(edge.noisy, self.word, 0)", "self.word", LOCKSTEP),
    Mutation("oscillator/lanes.py", "Mux(self.crossbar.beat.context.locked, low, 0)", "low", LOCKSTEP),
    Mutation(
        "oscillator/core.py",
        "noise.step.eq(crossbar.neurons.valid & takes_word)",
        "noise.step.eq(self.slot_end)",
        LOCKSTEP,
    ),
    Mutation(
        "oscillator/lanes.py", "self.progress.slot[0] ^ self.progress.odd_period", "self.progress.slot[0]", LOCKSTEP
    ),
    Mutation("oscillator/lanes.py", " & marked.any()", "", LOCKSTEP),
    Mutation("oscillator/rule.py", "forward > half", "forward >= half", MOVES),
    Mutation("oscillator/rule.py", "Mux(distance < max_step, distance", "Mux(1, distance", MOVES),
    Mutation("oscillator/rule.py", "was_high ^ is_high", "was_high", MOVES),
    Mutation("oscillator/move.py", "operation.negate.eq(placement.new[-1])", "operation.negate.eq(0)", MOVES),
    Mutation("oscillator/move.py", "negate.eq(~placement.old[-1])", "negate.eq(placement.old[-1])", MOVES),
    Mutation(
        "oscillator/move.py", "Mux(placement.level, EdgeStep.LEVEL_AGAIN, EdgeStep.PLACE)", "EdgeStep.PLACE", MOVES
    ),
    Mutation("oscillator/move.py", "self.o.ready & (step == EdgeStep.PLACE)", "self.o.ready", MOVES),
    Mutation("oscillator/move.py", "self.i.payload.first, EdgeStep.LEVEL_AGAIN", "0, EdgeStep.LEVEL_AGAIN", MOVES),
    Mutation("oscillator/move.py", "Mux(self.teaching, EdgeStep.PLACE, entry)", "entry", MOVES),
    Mutation(
        "oscillator/move.py", "operation.kind.eq(OperationKind.LEARN)", "operation.kind.eq(OperationKind.ADD)", MOVES
    ),
    Mutation("oscillator/move.py", "context.first.eq(0)", "context.first.eq(1)", MOVES),
    Mutation("oscillator/move.py", "context.places.eq(0)", "context.places.eq(1)", MOVES),
    Mutation(
        "oscillator/move.py", "context.lock.eq(lock_index(self.spec, placement.new))", "context.lock.eq(0)", MOVES
    ),
    Mutation("oscillator/rule.py", " + spec.period // 2) >>", ") >>", MOVES),
    Mutation("oscillator/rule.py", "Mux(rounded == spec.lock_phases, 0, rounded)", "rounded", MOVES),
    Mutation("oscillator/schedule.py", "with m.If(~still | self.progress.moved):", "with m.If(~still):", PARTS),
    Mutation("oscillator/schedule.py", "with m.If(periods == 1):", "with m.If(periods <= 2):", PARTS),
    Mutation("oscillator/schedule.py", "(settle != 0) & ", "", PARTS),
    Mutation("oscillator/schedule.py", "fetching.eq(index != last)", "fetching.eq(1)", PARTS),
    Mutation("oscillator/schedule.py", "Mux(amplitude > largest, largest, amplitude)", "amplitude", PARTS),
    Mutation("oscillator/schedule.py", "self._limited(entry.lock)", "self._limited(entry.noise)", PARTS),
    Mutation("oscillator/schedule.py", "entry.alternate.any()", "entry.alternate[0]", PARTS),
    Mutation("oscillator/readout.py", "distance < least", "distance <= least", PARTS),
    Mutation("oscillator/readout.py", "Mux(forward[-1], -forward, forward)", "forward", PARTS),
    Mutation("oscillator/readout.py", "last_change.eq(next_slot)", "last_change.eq(slots)", LOCKSTEP),
    Mutation("oscillator/control.py", "operation.negate.eq(slot[-1])", "operation.negate.eq(0)", LOCKSTEP),
    Mutation("oscillator/control.py", "self._bank == self.sum_bank", "self._bank == self.sum_bank - 1", LOCKSTEP),
    Mutation("oscillator/control.py", "with m.Elif(self.placed):", "with m.Elif(0):", LOCKSTEP),
    Mutation("oscillator/control.py", "decides.eq(lock == 0)", "decides.eq(1)", LOCKSTEP),
    Mutation("oscillator/control.py", "Mux(noise == 0, self.sum_bank, self.field_bank)", "self.sum_bank", LOCKSTEP),
    Mutation("oscillator/control.py", "progress.odd_period ^ progress.period_end", "progress.odd_period", LOCKSTEP),
    Mutation("oscillator/core.py", "~loader.idle | ~sequencer.idle", "~loader.idle", LOCKSTEP),
    Mutation("oscillator/core.py", "~queue.empty | ~mover.idle | ", "~mover.idle | ", LOCKSTEP),
    Mutation("oscillator/phases.py", "self.window.address + self.spec.inputs", "self.window.address", PARTS),
    Mutation("oscillator/phases.py", "with m.Elif(self.readout.read):", "with m.Elif(0):", PARTS),
    Mutation("oscillator/phases.py", "readers & (readers - 1)", "readers & 0", PARTS),
    Mutation("oscillator/loader.py", "low.eq(~phase[-1])", "low.eq(phase[-1])", PARTS),
    Mutation("oscillator/loader.py", "~valid | self.o.ready", "1", PARTS),
    Mutation("oscillator/loader.py", "free & ~state.clamp", "free", PARTS),
    Mutation("oscillator/loader.py", "draws & self.o.valid & self.o.ready", "draws & self.o.valid", PARTS),
    Mutation("oscillator/loader.py", "return left == 0", "return left == 1", PARTS),
    Mutation("oscillator/phases.py", "- reference + spec.period // 4", "- reference", PARTS),
    Mutation("oscillator/core.py", "start & (control.margin == 0)", "start", LOCKSTEP),
    Mutation("windows.py", "always | self.read", "always", WINDOWS),
    Mutation("sparse/rows.py", "starts.valid & ~self.hold & ~goes_on", "starts.valid & ~goes_on", COUPLED),
    Mutation("sparse/rows.py", "marks.word[0] | at_end", "marks.word[0]", COUPLINGS),
    Mutation("sparse/rows.py", "Mux(goes_on, following, starts.payload.pointer)", "starts.payload.pointer", COUPLINGS),
    Mutation("sparse/rows.py", "valid & (~read | starts.ready)", "valid", COUPLINGS),
    Mutation("sparse/rows.py", "waiting.eq(valid | read)", "waiting.eq(valid)", COUPLED),
    Mutation("sparse/rows.py", "effect.eq(visit.effect)", "effect.eq(self.i.payload.effect)", COUPLINGS),
    Mutation("sparse/rewritten.py", "Mux(near, self.result, known)", "known", COUPLINGS),
    Mutation("sparse/rewritten.py", "Mux(far, before, seen)", "seen", COUPLINGS),
    Mutation("sparse/rewritten.py", "near.eq(nearer)", "near.eq(1)", COUPLINGS),
    Mutation("sparse/rewritten.py", "self.read & ~same[last]", "self.read", COUPLINGS),
    Mutation("sparse/rewritten.py", "Mux(middle, self.result, known)", "known", COUPLINGS),
    Mutation("sparse/rewritten.py", "Mux(near, self.result, kept)", "kept", COUPLINGS),
    Mutation("sparse/rewritten.py", "with m.If(clears[-1]):", "with m.If(0):", COUPLED),
    Mutation("sparse/rewritten.py", "Cat(rewrites[1:]).any()", "rewrites[1]", COUPLED),
    Mutation("sparse/sums.py", "work.addends[number] & chosen", "work.addends[number]", COUPLINGS),
    Mutation("sparse/sums.py", "Mux(step.twice[number], weight << 1, weight)", "weight", COUPLINGS),
    Mutation("sparse/sums.py", '"twice": ~effect.first}', '"twice": Value.cast(0)}', COUPLED),
    Mutation("sparse/sums.py", "~effect.first & (old[:-1] == bank)", "(old[:-1] == bank)", PHASES),
    Mutation("sparse/sums.py", "Mux(took, ~old[-1], new[-1])", "new[-1]", PHASES),
    Mutation("sparse/sums.py", "Cat(*(took & put for took, put", "Cat(*(took & ~took for took, _", PHASES),
    Mutation(
        "sparse/sums.py", "zip(takes, puts, strict=True)), effect.level)", "zip(takes, puts, strict=True)), 1)", PHASES
    ),
    Mutation("sparse/sums.py", "Cat(step.negate[:-1], self.slot[-1])", "Cat(step.negate[:-1], 0)", PHASES),
    Mutation("sparse/sums.py", "(difference << 1)[:width]", "difference", PHASES),
    Mutation(
        "sparse/lane_phases.py", "Mux(self.placed, one_hot(self.lane, lanes), 0)", "one_hot(self.lane, lanes)", PHASES
    ),
    Mutation("sparse/mover.py", "valid[step] & ~stays", "valid[step]", PHASES),
    Mutation("sparse/mover.py", "~valid[step + 1] | ready[step + 1]", "1", PHASES),
    Mutation("sparse/mover.py", "~Cat(valid[1:]).any()", "~valid[1]", PHASES),
    Mutation("sparse/phase_scanner.py", "~(phase[-1] ^ slot[-1] ^ held)", "~(phase[-1] ^ slot[-1])", PHASES),
    Mutation("sparse/phase_scanner.py", "index == 0 for index", "index != 0 for index", PHASES),
    Mutation("sparse/phase_scanner.py", "Mux(self.schedule.flips, levels, sides.high)", "levels", PHASES),
    Mutation("sparse/phase_scanner.py", "compared.may & allowed", "compared.may", PHASES),
    Mutation("sparse/phase_scanner.py", "~stays & sides.free", "~stays", PHASES),
    Mutation("sparse/phase_scanner.py", "~stays & sides.free", "sides.free", PHASES),
    Mutation("sparse/phase_scanner.py", "(positive & ~balanced) | (known.held & balanced)", "positive", PHASES),
    Mutation("sparse/phase_scanner.py", "Cat(Const(0, fraction), total)", "total", PHASES),
    Mutation("sparse/phase_scanner.py", "lock, low[lane])", "lock, 0)", PHASES),
    Mutation("sparse/draw.py", 'Mux(self.schedule.flips, members["negative"],', 'Mux(1, members["negative"],', PHASES),
    Mutation("sparse/terms.py", "Mux(self.flips, total, self.noise)", "total", COUPLINGS),
    Mutation("sparse/sides.py", "takes.eq(self.placed & placement.free)", "takes.eq(self.placed)", COUPLED),
    Mutation("sparse/sides.py", "kept.eq(Mux(whole, 0, word))", "kept.eq(word)", COUPLED),
    Mutation("sparse/sides.py", "lane & (~placement.clamp).replicate(lanes)", "lane", COUPLED),
    Mutation("sparse/sides.py", "if self.spec.binary else placement.new[-1]", "", PHASES),
    Mutation("sparse/terms.py", "most + (most << 1)", "most << 1", COUPLINGS),
    Mutation("sparse/terms.py", "value[:fraction].any()", "0", COUPLINGS),
    Mutation("sparse/terms.py", '"middle": fourth ^ most', '"middle": fourth', COUPLED),
    Mutation("sparse/terms.py", "Mux(differ, pairs[n],", "Mux(0, pairs[n],", COUPLED),
    Mutation("sparse/draw.py", " ^ slot[-1].replicate(spec.lanes)", "", COUPLED),
    Mutation("sparse/draw.py", "slot[0] ^ self.progress.odd_period", "slot[0]", COUPLED),
    Mutation("sparse/draw.py", "self.group[0] if self.spec.lanes % 2 else 0", "0", COUPLED),
    Mutation("sparse/scanner.py", " & ~balanced & may", " & may", COUPLED),
    Mutation("sparse/terms.py", " & ~values[lane].rest", "", COUPLED),
    Mutation("sparse/scanner.py", " & may & sides.free", " & may", COUPLED),
    Mutation("sparse/control.py", "with m.Elif(self.moves):", "with m.Elif(0):", COUPLED),
    Mutation("sparse/control.py", "progress.odd_period ^ progress.period_end", "progress.odd_period", COUPLED),
    Mutation("sparse/targets.py", "self.idle.eq(scanner.idle & changes.empty)", "self.idle.eq(changes.empty)", COUPLED),
    Mutation("sparse/targets.py", "scanner.idle & changes.empty & mover.idle", "scanner.idle & changes.empty", PHASES),
    Mutation("sparse/targets.py", "self.placed | moves", "moves", PHASES),
    Mutation("sparse/targets.py", "effect.level.eq(placement.level)", "effect.level.eq(0)", PHASES),
    Mutation("sparse/core.py", "~rows.idle | ~sums.idle", "~rows.idle", COUPLED),
    Mutation("sparse/core.py", "noise.step.eq(control.scan & draws)", "noise.step.eq(self.slot_end)", COUPLED),
    Mutation("sparse/core.py", "noise.step.eq(control.scan & draws)", "noise.step.eq(control.scan)", PHASES),
    Mutation("felif/backlash.py", "layer.fraction_bits - 3", "layer.fraction_bits - 2", DATAPATHS),
    Mutation("felif/backlash.py", "(s.leak * s.leak_scale) >> 6", "(s.leak * s.leak_scale) >> 7", DATAPATHS),
    Mutation("felif/backlash.py", "magnitude(s.x - s.voltage)", "magnitude(s.x)", DATAPATHS),
    Mutation("felif/backlash.py", "s.field + s.field_offset", "s.field", DATAPATHS),
    Mutation("felif/backlash.py", "rises = s.above > 0", "rises = s.below <= 0", DATAPATHS),
    Mutation("felif/backlash.py", "Mux(s.below > 0, s.below, 0)", "s.below", DATAPATHS),
    Mutation("felif/backlash.py", "Mux(goal > high, high, Mux(goal < -high, -high, goal))", "goal", DATAPATHS),
    Mutation("felif/backlash.py", "clamp(s.x - s.charge, limit)", "(s.x - s.charge)", DATAPATHS),
    Mutation("felif/backlash.py", "Mux(s.spiked, reset,", "Mux(0, reset,", DATAPATHS),
    Mutation("felif/backlash.py", "Mux(s.spiked, -high, s.goal)", "s.goal", DATAPATHS),
    Mutation("felif/backlash.py", "s.voltage >= s.threshold", "s.voltage > s.threshold", DATAPATHS),
    Mutation("felif/microstep.py", "s.reached & ~s.first", "s.reached", DATAPATHS),
    Mutation("felif/microstep.py", "(s.field_offset << 8)", "0", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.field < 0, -high, high)", "high", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.bin > last_bin, last_bin, s.bin[:6])", "s.bin[:6]", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.still, 0, at_most_one(s.part))", "at_most_one(s.part)", DATAPATHS),
    Mutation("felif/microstep.py", "at_most_one(s.part)", "s.part", DATAPATHS),
    Mutation("felif/microstep.py", "(s.move * s.coupling) >> 8", "(s.move * s.coupling) >> 9", DATAPATHS),
    Mutation("felif/microstep.py", "clamp(s.x - s.charge, limit)", "(s.x - s.charge)", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.spiked, reset,", "Mux(0, reset,", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.spiked, -high,", "Mux(0, -high,", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.frozen, s.voltage, s.charged)", "s.charged", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.frozen, s.polarisation, s.moved)", "s.moved", DATAPATHS),
    Mutation("felif/microstep.py", "s.voltage >= s.threshold", "s.voltage > s.threshold", DATAPATHS),
    Mutation("felif/microstep.py", "Mux(s.last, reached, s.spiked)", "reached", DATAPATHS),
    Mutation("felif/plain.py", "at_most_one(getattr(s, decay))", "getattr(s, decay)", DATAPATHS),
    Mutation("felif/plain.py", "with_sign(s.voltage_size, s.voltage[-1])", "s.voltage_size", DATAPATHS),
    Mutation(
        "felif/plain.py", "saturate(with_sign(s.synapse_size, s.synapse[-1]) + s.drive, bits)", "s.drive", DATAPATHS
    ),
    Mutation("felif/plain.py", "s.voltage > s.threshold if", "s.voltage >= s.threshold if", DATAPATHS),
    Mutation("felif/plain.py", "else s.voltage >= s.threshold", "else s.voltage > s.threshold", DATAPATHS),
    Mutation("felif/plain.py", "after: Value = Const(0)", "after: Value = s.voltage", DATAPATHS),
    Mutation("felif/plain.py", "after = s.reset", "after: Value = Const(0)", DATAPATHS),
    Mutation("felif/plain.py", "saturate(s.voltage - s.threshold,", "saturate(s.voltage,", DATAPATHS),
    Mutation("felif/pipeline.py", "fits = rest == sign.replicate(len(rest))", "fits = ~rest.any()", DECIMALS),
    Mutation("felif/pipeline.py", "Mux(value < -limit, -limit, value)", "value", DECIMALS),
    Mutation("felif/pipeline.py", "Mux(nearer[-1] == value[-1], nearer, 0)", "nearer", DECIMALS),
    Mutation("felif/pipeline.py", "beyond.replicate(bits)", "0", DECIMALS),
    Mutation("felif/pipeline.py", "value[most - 1 :].any()", "value[most - 1]", DECIMALS),
    Mutation("felif/spikes.py", "shown.eq(read.en | (shown & ~self.o.ready))", "shown.eq(read.en)", SPIKES),
    Mutation("felif/spikes.py", "closed & ~shown & ~waiting", "closed & ~shown", SPIKES),
    Mutation("felif/spikes.py", "self.empty & ~load & ~close", "self.empty & ~load", SPIKES),
    Mutation("felif/spikes.py", "self.clear | (self.empty", "0 | (self.empty", SPIKES),
    Mutation("felif/spikes.py", "self.updates.done if self.ends else 0", "self.updates.done", SPIKES),
    Mutation("felif/scanner.py", "o.negate.eq((self._plane == sign) if sign else 0)", "o.negate.eq(0)", FRAMES),
    Mutation("felif/scanner.py", "self.o.valid.eq(self._plane != sign)", "self.o.valid.eq(1)", FRAMES),
    Mutation("felif/scanner.py", "~reading & walker.idle", "walker.idle", FRAMES),
    Mutation("felif/scanner.py", "self._tick + 1 >= self.scan.limit", "self._tick >= self.scan.limit", FRAMES),
    Mutation("felif/scanner.py", "frames.address.eq(self._base + self._word)", "frames.address.eq(self._word)", FRAMES),
    Mutation(
        "felif/scanner.py",
        "Mux(walked == spec.frame_words - 1, (1 << in_last) - 1, (1 << width) - 1)",
        "((1 << width) - 1)",
        FRAMES,
    ),
    Mutation("felif/scanner.py", "self.scan.stopped.eq(~last)", "self.scan.stopped.eq(1)", FRAMES),
    Mutation("felif/readout.py", "value > most", "value >= most", OUTPUTS),
    Mutation("felif/readout.py", "Mux(first, 0, read.data)", "read.data", OUTPUTS),
    Mutation("felif/readout.py", "(neuron == 0) | (value > most)", "value > most", OUTPUTS),
    Mutation(
        "felif/readout.py", "Mux(self.start, 0, outcome.ticks + update.done)", "outcome.ticks + update.done", TICKS
    ),
    Mutation("felif/readout.py", "[cycles.eq(0), spikes.eq(0)]", "[cycles.eq(0)]", TICKS),
    Mutation("felif/sequencer.py", "token.negate & (token.kind == TokenKind.EVENT)", "0", TICKS),
    Mutation("felif/sequencer.py", " + self.below * self.groups", "", TICKS),
    Mutation("felif/sequencer.py", "last | (lane == self.lanes - 1)", "(lane == self.lanes - 1)", TICKS),
    Mutation("felif/sequencer.py", "~last_lane | self.o.ready", "1", TICKS),
    Mutation("felif/sequencer.py", "& self.own_empty & ~self._waiting", "& ~self._waiting", TICKS),
    Mutation("felif/sequencer.py", "& ~self._waiting & self.room", "& ~self._waiting", TICKS),
    Mutation("felif/sequencer.py", "m.d.sync += self._clearing.eq(1)", "pass", TICKS),
    Mutation(
        "felif/sequencer.py", "ends_below & self.own_empty & ~self._waiting &", "ends_below & self.own_empty &", TICKS
    ),
    Mutation("felif/neurons.py", "saturate(s.scaled + s.bias,", "saturate(s.scaled,", TICKS),
    Mutation("felif/neurons.py", "self.fresh & s.first", "s.first", TICKS),
    Mutation("felif/neurons.py", "end.valid & end.last", "end.valid", TICKS),
    Mutation("felif/neurons.py", "lap == SUBSTEPS - 1", "lap == SUBSTEPS - 2", TICKS),
    Mutation("felif/neurons.py", '{"polarisation": -layer.polarisation_high} if', '{"polarisation": 0} if', TICKS),
    Mutation("felif/layer.py", "m.d.sync += fresh.eq(0)", "pass", TICKS),
    Mutation("felif/layer.py", "own.clear.eq(self.start & self.fresh)", "own.clear.eq(0)", TICKS),
    Mutation("felif/layer.py", "room = upward.empty", "pass", TICKS),
    Mutation("felif/control.py", "Mux(self.ticks > most, most, self.ticks)", "self.ticks", TICKS),
    Mutation("felif/control.py", "m.d.sync += stale.eq(1)", "pass", TICKS),
    Mutation("felif/control.py", "m.d.sync += stopping.eq(1)", "pass", TICKS),
    Mutation("felif/control.py", "self.fresh.eq(~self.keep | stale)", "self.fresh.eq(~self.keep)", TICKS),
    Mutation("link/encoder.py", "self._wrapped | ~borrow", "~borrow", ENCODER),
    Mutation("link/encoder.py", "(count == self._address_bits) & was_some", "(count == self._address_bits)", ENCODER),
    Mutation("link/encoder.py", "(self.depth >> _FRAME_BITS) - 1", "(self.depth >> _FRAME_BITS) + 1", ENCODER),
    Mutation("link/decoder.py", "length >= _SHORTEST", "length >= 6", FRAMING),
    Mutation("link/order.py", "differs & ~sign", "differs", LINK_PARTS),
    Mutation("link/attention.py", "len(ATTENTION) - 1)", "len(ATTENTION) - 2)", LINK_PARTS),
    Mutation("link/rate.py", "(1 << bits) - self.fallback_cycles", "0", LINK_PARTS),
    Mutation("link/uart.py", "init=RATE_CYCLES // 2", "init=RATE_CYCLES // 8", UART),
    Mutation("link/cursor.py", "Mux(self.advance, following, self.index)", "self.index", LINK),
    Mutation("link/word_bits.py", "self.following == self.given", "self.place == self.given", LINK),
    Mutation("link/request.py", "self._rate_low ^ self._rate_top", "self._rate_low | self._rate_top", LINK),
    Mutation("link/datapath.py", "~request.none_left & (request.bits", "(request.bits", LINK),
    Mutation("link/executor.py", "self._differs | (self._bit", "(self._bit", LINK),
    Mutation("link/executor.py", "self.abort.eq(self._halted)", "self.abort.eq(0)", LINK),
    Mutation("link/executor.py", "cursor.advance.eq(self._place != 0)", "cursor.advance.eq(0)", LINK),
    Mutation("link/executor.py", "with m.If(self.line_idle):", "with m.If(self.reply.sent):", LINK),
    Mutation("link/executor.py", "m.d.sync += self.parameters_valid.eq(0)", "pass", LINK),
    Mutation("link/executor.py", "begins & call & self._request.none_wanted", "call & self._request.none_wanted", LINK),
)


def copy(folder: Path) -> None:
    """Copy the sources, the tests and the settings."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "conftest.py").write_text(CONFTEST)


def apply(mutation: Mutation, folder: Path) -> None:
    """Put a fault into a copy."""
    path = folder / SOURCES / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise SystemExit(
            f"{mutation.old!r} occurs {text.count(mutation.old)} times in {mutation.file}, not once: correct the list"
        )
    path.write_text(text.replace(mutation.old, mutation.new))


def fails(tests: tuple[str, ...], folder: Path) -> bool:
    """Run tests in a copy and return whether one of them fails."""
    packages = os.pathsep.join(str(folder / name) for name in FOLDERS[:4])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=mutations",
        *tests,
    ]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=TEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    if done.returncode not in (0, 1) or " skipped" in done.stdout:
        raise SystemExit(f"the tests {tests} could not be run:\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def survives(mutation: Mutation) -> bool:
    """Return whether the tests pass in spite of a fault."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        apply(mutation, folder)
        return not fails(mutation.tests, folder)


def check_unbroken(mutations: list[Mutation]) -> None:
    """See that every fault can be applied, and that the tests of all pass without one, and so in the copy."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        if fails(tuple(sorted({test for mutation in mutations for test in mutation.tests})), folder):
            raise SystemExit("the tests fail without any fault: correct that first")
        for mutation in mutations:
            copied = folder / SOURCES / mutation.file
            shutil.copy(ROOT / SOURCES / mutation.file, copied)
            apply(mutation, folder)


def main() -> None:
    """Try every fault."""
    options = parser(__doc__)
    options.add_argument("--only", default="", help="only faults in files whose name contains this")
    arguments = options.parse_args()
    chosen = [mutation for mutation in MUTATIONS if arguments.only in mutation.file]
    if not chosen:
        raise SystemExit(f"no fault is in a file named like {arguments.only!r}")
    log("no fault")
    check_unbroken(chosen)
    rows: list[dict[str, Any]] = []
    for number, mutation in enumerate(chosen, 1):
        end = "survived" if survives(mutation) else "killed"
        log(f"{number} of {len(chosen)}, {mutation.file}: {mutation.old}  ->  {mutation.new}: {end}")
        rows.append({"file": mutation.file, "old": mutation.old, "new": mutation.new, "end": end})
    survivors = [row for row in rows if row["end"] == "survived"]
    report({"mutations": len(rows), "survived": len(survivors), "rows": rows}, as_json=arguments.json)
    if survivors:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
