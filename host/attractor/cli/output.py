"""What the command line prints: results on standard output, all else on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Output", "output"]


class Output:
    """Printer of one run, set up by the global options.

    Attributes
    ----------
    json:
        One JSON document on standard output instead of text.
    verbose, quiet:
        Show tracebacks; hide progress.
    """

    def __init__(self) -> None:
        self.reset()
        self._result = Console(highlight=False, soft_wrap=True)
        self._log = Console(stderr=True, highlight=False, soft_wrap=True)

    def reset(self) -> None:
        """Forget the options of an earlier run."""
        self.json = self.verbose = self.quiet = False

    def result(self, values: Mapping[str, Any], text: str | None = None) -> None:
        """Print the result of a command: ``values`` as JSON, or ``text``, or ``values`` one on a line."""
        if self.json:
            # Flushed, because a program may wait for it at the other end of a pipe.
            print(json.dumps(values, indent=2, allow_nan=False), flush=True)  # noqa: T201 - printing happens here
        elif text is not None:
            self._result.print(text, markup=False)
        else:
            self._print_aligned([[name.replace("_", " "), _plain(value)] for name, value in values.items()])

    def table(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Print rows with the same keys; as JSON they are a list named ``key``."""
        if self.json:
            self.result({key: rows})
            return
        header = [[name.replace("_", " ") for name in rows[0]]] if rows else []
        self._print_aligned(header + [[_plain(value) for value in row.values()] for row in rows])

    def log(self, message: str) -> None:
        """Say what is being done."""
        if not self.quiet:
            self._log.print(message, markup=False)

    def error(self, message: str) -> None:
        """Say what went wrong."""
        self._log.print(f"error: {message}", markup=False, style="bold red")

    def _print_aligned(self, rows: list[list[str]]) -> None:
        """Print columns, each line whole: a path that is cut or wrapped cannot be copied."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._result.print(line.rstrip(), markup=False)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar while the block runs; the value is a callback for finished and all pieces."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns,
            console=self._log,
            disable=self.quiet or not self._log.is_terminal,
            transient=True,
            redirect_stdout=False,  # results must not go where the bar is
        ) as bar:
            task = bar.add_task(label, total=None)

            def advance(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            yield advance


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_plain(item) for item in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


#: The printer of this process.
output = Output()
