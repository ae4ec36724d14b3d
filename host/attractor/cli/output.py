"""What the command line prints: results on standard output, all else on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Output", "output", "show_version"]


#: Longest message of an error, in characters.
_MOST_MESSAGE = 4000


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

    @cached_property
    def _log(self) -> Console:
        """Where all but results goes; made when it is needed, because results need no Rich."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def reset(self) -> None:
        """Forget the options of an earlier run."""
        self.json = self.verbose = self.quiet = self._has_result = False

    def result(self, values: Mapping[str, Any], text: str | None = None, only_json: Collection[str] = ()) -> None:
        """Print the result of a command.

        Parameters
        ----------
        values:
            What is printed as JSON; as text one on a line.
        text:
            What is printed as text instead.
        only_json:
            Values that the text leaves out, because others say the same.
        """
        if self.json:
            self._document(values)
        elif text is not None:
            self._print(text)
        else:
            shown = {name: value for name, value in values.items() if name not in only_json}
            self._print_aligned([[name.replace("_", " "), _plain(value)] for name, value in shown.items()])

    def table(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Print rows with the same keys; as JSON they are a list named ``key``."""
        if self.json:
            self.result({key: rows})
            return
        header = [[name.replace("_", " ") for name in rows[0]]] if rows else []
        self._print_aligned(header + [[_plain(value) for value in row.values()] for row in rows])

    def text(self, text: str) -> None:
        """Print more of a result for people; programs have it in :meth:`result`."""
        if not self.json:
            self._print(text)

    def log(self, message: str) -> None:
        """Say what is being done."""
        if not self.quiet:
            self._log.print(message, markup=False, emoji=False)

    def error(self, message: str, kind: str = "error") -> None:
        """Say what went wrong; as JSON too, unless a result was printed before.

        Parameters
        ----------
        message:
            The cause and, behind the last semicolon, the next step.
        kind:
            What sort of error it is, for programs.
        """
        from attractor.intake.text import printable

        said = printable(message, _MOST_MESSAGE, lines=True)
        self._log.print(f"error: {said}", markup=False, emoji=False, style="bold red")
        self.error_document(said, kind)

    def error_document(self, message: str, kind: str) -> None:
        """Print an error as the one JSON document, where one is wanted and none was printed."""
        if self.json and not self._has_result:
            _, _, following = message.rpartition("; ")
            self._document({"error": {"kind": kind, "message": message, "next": following}})

    def _document(self, values: Mapping[str, Any]) -> None:
        """Print the one JSON document of this run."""
        self._has_result = True
        self._print(json.dumps(values, indent=2, allow_nan=False))

    def _print_aligned(self, rows: list[list[str]]) -> None:
        """Print columns, each line whole: a path that is cut or wrapped cannot be copied."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._print(line.rstrip())

    @staticmethod
    def _print(text: str) -> None:
        from attractor.intake.text import printable

        # What files and devices say must not act on a terminal. Flushed, because a program may wait for it at the other
        # end of a pipe.
        print(printable(text, lines=True), flush=True)  # noqa: T201 - printing happens here

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar while the block runs; the value is a callback for finished and all pieces."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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


def show_version() -> None:
    """Print the version of this installation."""
    from importlib.metadata import version

    found = version("attractor")
    output.result({"version": found}, found)
