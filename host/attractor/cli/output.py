"""What the command line prints: results on standard output, all else on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


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
        self.json = self.verbose = self.quiet = False
        self._result = Console(highlight=False, soft_wrap=True)
        self._log = Console(stderr=True, highlight=False, soft_wrap=True)

    def result(self, values: Mapping[str, Any], text: str | None = None) -> None:
        """Print the result of a command: ``values`` as JSON, or ``text``, or a table of ``values``."""
        if self.json:
            print(json.dumps(values, indent=2))  # noqa: T201 - this is where printing happens
        elif text is not None:
            self._result.print(text, markup=False)
        else:
            table = Table(show_header=False, box=None, pad_edge=False)
            for name, value in values.items():
                table.add_row(name.replace("_", " "), _plain(value))
            self._result.print(table)

    def table(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Print rows with the same keys; as JSON they are a list named ``key``."""
        if self.json:
            self.result({key: rows})
            return
        table = Table(box=None, pad_edge=False)
        for name in rows[0] if rows else ():
            table.add_column(name.replace("_", " "))
        for row in rows:
            table.add_row(*(_plain(value) for value in row.values()))
        self._result.print(table)

    def log(self, message: str) -> None:
        """Say what is being done."""
        if not self.quiet:
            self._log.print(message, markup=False)

    def error(self, message: str) -> None:
        """Say what went wrong."""
        self._log.print(f"error: {message}", markup=False, style="bold red")

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar while the block runs; the value is a callback for finished and all pieces."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._log, disable=self.quiet, transient=True) as bar:
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
