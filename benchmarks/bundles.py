"""The bitstreams of the digits network: what they use of each board, and how fast they could be clocked.

The network is the one of ``attractor demo``: 64 pixel, 10 label and 1 reference oscillators, 5-bit couplings, 16
phases, one lane for each label. ``margin`` is the reached clock over the board's clock, minus one.
"""

from __future__ import annotations

from typing import Any

from reporting import log, parser, report

from attractor.gateware.boards import find_board
from attractor.gateware.build import build
from attractor.train.oscillator.classifier import classifier_spec


def bundle_row(name: str, *, cache: bool) -> dict[str, Any]:
    """Build for one board and return its row."""
    board = find_board(name)
    bundle = build(classifier_spec(64, 10), board, cache=cache, progress=log)
    reached, required = min(bundle.manifest["fmax_hz"].values(), key=lambda pair: pair[0] / pair[1])
    return {
        "board": name,
        "clock_mhz": board.clock_hz / 1e6,
        "fmax_mhz": round(reached / 1e6, 1),
        "margin": round(reached / required - 1, 2),
        "bitstream_bytes": len(bundle.bitstream),
        "utilisation": {kind: used for kind, (used, _) in bundle.manifest["utilisation"].items() if used},
    }


def main() -> None:
    """Build for every board asked for and report."""
    options = parser(__doc__)
    options.add_argument("--board", action="append", help="a board; default iCEBreaker and ULX3S-85F")
    options.add_argument("--no-cache", action="store_true", help="build anew")
    chosen = options.parse_args()
    boards = chosen.board or ["icebreaker", "ulx3s-85f"]
    report({"rows": [bundle_row(name, cache=not chosen.no_cache) for name in boards]}, as_json=chosen.json)


if __name__ == "__main__":
    main()
