"""How benchmarks speak: one JSON document on standard output, or tables for people; logs go to standard error."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with ``--json``; a script adds its own options and gives :func:`report` what was chosen."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    result.add_argument("--json", action="store_true", help="print one JSON document")
    return result


def log(message: str) -> None:
    """Say on standard error what is being done."""
    Console(stderr=True, highlight=False).print(message, style="dim", markup=False)


def report(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the result of a benchmark.

    Parameters
    ----------
    result:
        Figures by name; groups of them may be mappings, and a list of mappings with the same keys is a table.
    as_json:
        Print one JSON document instead of tables for people.
    """
    if as_json:
        print(json.dumps(result, indent=2))
        return
    console = Console(highlight=False)
    figures = list(_figures(result))
    if figures:
        table = Table(show_header=False, box=None)
        for name, value in figures:
            table.add_row(name, value)
        console.print(table)
    for name, value in result.items():
        if _is_table(value):
            console.print(_table(name, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _figures(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{name}.")
        elif not _is_table(value):
            yield f"{prefix}{name}", _text(value)


def _table(title: str, rows: list[Mapping[str, Any]]) -> Table:
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*map(_text, row.values()))
    return table


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
