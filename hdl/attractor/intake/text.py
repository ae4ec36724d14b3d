"""Text from outside: decoded, and made safe to print."""

from __future__ import annotations

__all__ = ["printable"]

#: White space that stays as it is.
_LINES = "\n\t"


def printable(text: str, most: int | None = None, *, lines: bool = False) -> str:
    r"""Return ``text`` with all that a terminal would act on written as an escape sequence of Python, such as ``\x1b``.

    Parameters
    ----------
    text:
        Text of any origin.
    most:
        Characters after which it is cut, and ends in an ellipsis; None for no limit.
    lines:
        Whether line breaks and tabs stay.
    """
    cut = text if most is None or len(text) <= most else text[:most] + "…"
    if cut.isprintable():
        return cut
    return "".join(
        sign if sign.isprintable() or (lines and sign in _LINES) else sign.encode("unicode_escape").decode()
        for sign in cut
    )
