from __future__ import annotations

import random
import threading

import pytest

from attractor.sim.verilog import to_verilog
from attractor.sim.verilog_board import QUIET_CYCLES, SimulationError, VerilogBoard

from .designs import DIVISOR, FRAME_BITS, WORK_CYCLES, Commands, Echo

pytestmark = pytest.mark.usefixtures("tools")

#: Seconds: only a hang takes that long.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def echo_verilog() -> str:
    return to_verilog(Echo(), "board")


@pytest.fixture(scope="module")
def commands_verilog() -> str:
    return to_verilog(Commands(), "board")


def read_bytes(board: VerilogBoard, count: int) -> bytes:
    """Read until ``count`` bytes have come or no more will."""
    data = b""
    while len(data) < count and (more := board.read(PATIENCE)):
        data += more
    return data


def test_long_stream_in_random_pieces_comes_back_whole(echo_verilog: str) -> None:
    source = random.Random(1)
    with VerilogBoard(echo_verilog, "board", clocks_per_bit=DIVISOR) as board:
        sent = received = b""
        while len(sent) < 40_000:
            piece = source.randbytes(source.choice([0, 1, 2, 17, 500, 2000]))
            board.write(piece)
            sent += piece
            if source.random() < 0.5:
                received += board.read(0.0)
        received += read_bytes(board, len(sent) - len(received))
        assert received == sent
        assert board.framing_errors == 0
        assert board.pending == 0
        # One start bit, eight data bits and one stop bit for each byte, and not a clock more.
        assert len(sent) * FRAME_BITS * DIVISOR <= board.cycles < (len(sent) + 8) * FRAME_BITS * DIVISOR + QUIET_CYCLES


def test_boards_of_one_design_are_independent(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as first, VerilogBoard(commands_verilog, "board") as second:
        first.write(b"ccc")
        assert read_bytes(first, 3) == b"\0\1\2"
        assert second.cycles == 0
        second.write(b"c")
        assert read_bytes(second, 1) == b"\0"
        first.write(b"c")
        assert read_bytes(first, 1) == b"\3"
        second.close()
        first.write(b"c")
        assert read_bytes(first, 1) == b"\4"


def test_a_silent_design_costs_no_time(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        board.write(b"....")
        assert not board.idle
        assert board.read(PATIENCE) == b""
        assert board.idle
        spent = board.cycles
        assert QUIET_CYCLES <= spent <= QUIET_CYCLES + 6 * FRAME_BITS * DIVISOR
        assert board.read(PATIENCE) == b""
        assert board.cycles == spent


def test_a_busy_design_is_waited_for(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        board.write(b"w")
        assert board.read(PATIENCE) == b"w"
        assert WORK_CYCLES <= board.cycles <= WORK_CYCLES + 3 * FRAME_BITS * DIVISOR


def test_a_read_without_patience_lets_time_pass(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        board.write(b"w")
        assert board.read(0.0) == b""
        assert 0 < board.cycles < WORK_CYCLES
        assert not board.idle
        reads = 1
        while not (data := board.read(0.0)):
            reads += 1
            assert reads < WORK_CYCLES
        assert data == b"w"


def test_steps_are_counted_and_end_when_bytes_arrive(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        assert board.step(1234) == 0
        assert board.cycles == 1234
        board.write(b"cc")
        assert board.pending == 2
        assert board.step(10**6) == 2
        assert board.pending == 0
        assert board.cycles < 1234 + 6 * FRAME_BITS * DIVISOR
        assert board.read(0.0) == b"\0\1"
        # Nobody asked for an end: the design is idle, and time passes all the same.
        cycles = board.cycles
        assert board.step(3 * QUIET_CYCLES) == 0
        assert board.cycles == cycles + 3 * QUIET_CYCLES


def test_bytes_are_taken_without_time_passing(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        assert board.take() == b""
        assert board.cycles == 0
        board.write(b"cc")
        board.step(10**6)
        cycles = board.cycles
        assert board.take() == b"\0\1"
        assert board.take() == b""
        assert board.cycles == cycles


def test_reset_forgets_everything(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        board.write(b"cc")
        assert read_bytes(board, 2) == b"\0\1"
        board.write(b"ccccc")
        board.step(FRAME_BITS * DIVISOR + 5)
        board.reset()
        assert (board.cycles, board.pending) == (0, 0)
        assert board.read(PATIENCE) == b""
        board.write(b"c")
        assert read_bytes(board, 1) == b"\0"


def test_uninitialised_state_follows_the_seed(commands_verilog: str) -> None:
    def answer(seed: int | None) -> bytes:
        with VerilogBoard(commands_verilog, "board", seed=seed) as board:
            board.write(b"u")
            return read_bytes(board, 1)

    assert answer(None) == b"\0"
    answers = [answer(seed) for seed in range(6)]
    assert answers == [answer(seed) for seed in range(6)]
    assert len(set(answers)) > 3


def test_a_failed_assertion_is_an_error_with_its_message(
    commands_verilog: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        VerilogBoard(commands_verilog, "board", name="rtl:x") as board,
        VerilogBoard(commands_verilog, "board") as other,
    ):
        board.write(b"f")
        with pytest.raises(SimulationError, match=r"rtl:x stopped in clock cycle \d+: asked to fail.*Assertion failed"):
            board.read(PATIENCE)
        with pytest.raises(SimulationError, match="asked to fail"):
            board.read(PATIENCE)
        other.write(b"c")
        assert read_bytes(other, 1) == b"\0"
        board.reset()
        board.write(b"c")
        assert read_bytes(board, 1) == b"\0"
    assert capfd.readouterr() == ("", "")


def test_a_byte_without_stop_bit_is_dropped_and_counted(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board:
        board.write(b"b")
        assert board.read(PATIENCE) == b""
        # One break is one error, however long it is.
        assert board.framing_errors == 1
        board.write(b"c")
        assert board.read(PATIENCE) == b"\1"
        assert board.framing_errors == 1


def test_a_closed_board_says_so(commands_verilog: str) -> None:
    board = VerilogBoard(commands_verilog, "board", name="rtl:x")
    board.close()
    board.close()
    for use in (
        lambda: board.write(b"c"),
        lambda: board.read(0.0),
        lambda: board.step(1),
        board.take,
        lambda: board.cycles,
    ):
        with pytest.raises(SimulationError, match="rtl:x is closed"):
            use()


def test_threads_may_share_a_board(echo_verilog: str) -> None:
    sent = random.Random(2).randbytes(5000)
    with VerilogBoard(echo_verilog, "board") as board:

        def send() -> None:
            for start in range(0, len(sent), 50):
                board.write(sent[start : start + 50])

        thread = threading.Thread(target=send)
        thread.start()
        received = b""
        while thread.is_alive():
            received += board.read(0.0)
        thread.join()
        received += read_bytes(board, len(sent) - len(received))
        assert received == sent


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clocks_per_bit": 1}, "clocks_per_bit is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**31 - 1}, "seed is 2147483647"),
        ({"quiet_cycles": 0}, "quiet_cycles is 0"),
    ],
)
def test_impossible_boards_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VerilogBoard("", "board", **arguments)  # pyright: ignore[reportArgumentType]


def test_time_does_not_run_backwards(commands_verilog: str) -> None:
    with VerilogBoard(commands_verilog, "board") as board, pytest.raises(ValueError, match="cycles is -1"):
        board.step(-1)
