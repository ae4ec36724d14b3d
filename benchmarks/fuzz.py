"""Damaged files, hostile devices and hostile hosts: how each ends, and what it takes.

Every kind of file is damaged as lines, disks and attackers do, and read as commands do; devices answer as the golden
model does but for one thing; hosts send a simulated board whatever they like. The inputs are those of ``tests/fuzz``;
the same number is the same input in every run.

``accepted``, ``refused``
    Inputs that are still intact, or that ended in one line that names them.
``foreign``
    Inputs that ended otherwise: with another error, in several lines or unprintable ones, or in a crash.
``hung``
    Inputs that did not end within a minute.
``worst_seconds``, ``worst_mb``
    Longest time of one input, and most memory that a process took, its libraries included.

Fails if any input is foreign or has hung, if one takes more than 10 s, or a process more than 500 MB.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reporting import log, parser, report

sys.path.append(str(Path(__file__).parents[1]))  # where the tests are

MOST_SECONDS, MOST_MEGABYTES = 10.0, 500.0


def main() -> int:
    """Run the campaign, and print its figures; return 1 if one is too bad."""
    from tests.fuzz.campaign import Row, campaign, names

    arguments = parser(__doc__)
    arguments.add_argument("kinds", nargs="*", help="beginnings of the names of kinds; default all")
    arguments.add_argument("--inputs", type=int, help="inputs of each kind; default 3000, of a device or host 100")
    arguments.add_argument("--first", type=int, default=0, help="number of the first input")
    arguments.add_argument("--workers", type=int, default=2, help="processes at the same time")
    given = arguments.parse_args()

    def done(row: Row) -> None:
        log(f"{row.kind}: {row.inputs} inputs, {row.foreign} foreign, {row.hung} hung")
        for told in row.told[:5]:
            log(f"  {told}")

    rows = campaign(names(given.kinds), inputs=given.inputs, first=given.first, workers=given.workers, done=done)
    report({"rows": [row.figures() for row in rows]}, as_json=given.json)
    clean = all(not row.foreign and not row.hung for row in rows)
    cheap = all(row.worst_seconds <= MOST_SECONDS and row.worst_mb <= MOST_MEGABYTES for row in rows)
    return 0 if clean and cheap else 1


if __name__ == "__main__":
    sys.exit(main())
