"""The bitstreams of the demos' networks: what they use of each board, how fast they are clocked, and could be.

The networks are those of ``attractor demo`` for each family. Each is built at the clock that ``attractor build``
chooses. ``used`` is that clock over the highest frequency that place and route reports for the placed design; what
does not fit a board is left out.
"""

from __future__ import annotations

from typing import Any

from reporting import log, parser, report

from attractor.cli.families import all_commands
from attractor.gateware.build import build
from attractor.gateware.estimate import DoesNotFit
from attractor.spec import Spec


def bundle_row(name: str, family: str, spec: Spec, *, seeds: int, cache: bool) -> dict[str, Any] | None:
    """Build a network for one board and return its row; None if it does not fit."""
    log(f"{family} on {name}")
    try:
        bundle = build(spec, name, seeds=seeds, cache=cache, progress=lambda step: log(f"  {step}"))
    except DoesNotFit as error:
        log(f"  {error}")
        return None
    (longest,) = (path for path in bundle.critical_paths if path.from_clock == path.to_clock)
    return {
        "board": name,
        "network": family,
        "clock_hz": bundle.clock_hz,
        "fmax_hz": bundle.fmax_hz,
        "used": round(bundle.clock_hz / bundle.fmax_hz, 3),
        "seed": bundle.seed,
        "levels": longest.levels,
        "longest_path": f"{longest.start} to {longest.end}",
        "bitstream_bytes": len(bundle.bitstream),
        "utilisation": {kind: used for kind, (used, _) in bundle.manifest["utilisation"].items() if used},
    }


def main() -> None:
    """Build for every board asked for and report."""
    options = parser(__doc__)
    options.add_argument("--board", action="append", help="a board; default iCEBreaker and ULX3S-85F")
    options.add_argument("--network", action="append", choices=list(all_commands()), help="a family; default all")
    options.add_argument("--seeds", type=int, default=1, help="placements to try of each")
    options.add_argument("--no-cache", action="store_true", help="build anew")
    chosen = options.parse_args()
    networks = {name: all_commands()[name].demo().prepare().spec for name in chosen.network or all_commands()}
    rows = [
        bundle_row(name, family, spec, seeds=chosen.seeds, cache=not chosen.no_cache)
        for name in chosen.board or ["icebreaker", "ulx3s-85f"]
        for family, spec in networks.items()
    ]
    report({"rows": [row for row in rows if row]}, as_json=chosen.json)


if __name__ == "__main__":
    main()
