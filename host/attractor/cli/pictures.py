"""Places to write pictures to."""

from __future__ import annotations

from pathlib import Path

from attractor.cli.extras import optional
from attractor.cli.files import check_writable

__all__ = ["check_picture"]


def check_picture(path: Path) -> None:
    """Raise an error if no picture can be written to ``path`` later: better now than after minutes of work.

    Raises
    ------
    RuntimeError
        If matplotlib is absent.
    ValueError
        If there is no such folder, or the name does not end as a picture's.
    """
    figure = optional("matplotlib.figure", "plot").Figure()
    known = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:] not in known:
        raise ValueError(f"{path}: a picture's name must end in one of {', '.join(f'.{name}' for name in known)}")
    check_writable(path)
