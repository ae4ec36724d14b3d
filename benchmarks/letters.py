"""The letters A to E as bitmaps of 7x6, 10x10 and 22x22 pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Rows of A, B, C, D and E side by side; # is a dark pixel.
_SMALL = """
..##.. #####. .##### ####.. ######
.#..#. #....# ##.... #..##. #.....
.#..#. #....# #..... #...## #.....
#....# #####. #..... #....# ####..
###### #....# #..... #...## #.....
#....# #....# ##.... #..##. #.....
#....# #####. .##### ####.. ######
"""

_LARGE = """
....##.... ########.. ..#######. #######... ##########
...####... ##....###. .###...### ##...####. ##########
..##..##.. ##.....##. ##......## ##.....##. ##........
..##..##.. ##.....##. ##........ ##......## ##........
.##....##. ########.. ##........ ##......## #######...
.########. ########.. ##........ ##......## #######...
.########. ##.....### ##........ ##......## ##........
##......## ##......## ##......## ##.....##. ##........
##......## ##.....### .###...### ##...####. ##########
##......## #########. ..#######. #######... ##########
"""


def letters(shape: tuple[int, int]) -> npt.NDArray[np.int8]:
    """Return the five letters, +1 dark and -1 light, shape (5, rows * columns).

    The 22x22 letters are the 10x10 ones with every pixel doubled and a light margin of one.

    Raises
    ------
    KeyError
        If there are no letters of that shape.
    """
    large = _bitmaps(_LARGE)
    doubled = np.pad(large.repeat(2, axis=1).repeat(2, axis=2), ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    return {(7, 6): _bitmaps(_SMALL), (10, 10): large, (22, 22): doubled}[shape].reshape(5, -1)


def _bitmaps(drawing: str) -> npt.NDArray[np.int8]:
    """Return the drawing as +1 and -1, shape (letters, rows, columns)."""
    rows = [
        [[1 if pixel == "#" else -1 for pixel in part] for part in row.split()] for row in drawing.split("\n") if row
    ]
    return np.array(rows, np.int8).transpose(1, 0, 2)
