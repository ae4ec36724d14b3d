"""Parts of the project that a slim installation lacks."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["optional"]


def optional(module: str, extra: str) -> Any:
    """Import ``module``; raise :class:`RuntimeError` naming the extra to install if something it needs is absent."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("attractor"):
            raise
        raise RuntimeError(f"{error.name} is not installed; this needs pip install 'attractor[{extra}]'") from error
