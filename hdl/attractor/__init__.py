"""Networks that compute by settling, as open FPGA gateware: train, generate, verify, load, run.

Begin here: :class:`OscillatorClassifier`, :class:`EqPropClassifier` and :class:`HopfieldNetwork` learn from arrays;
:class:`OscillatorSampler` solves Ising problems; :class:`Model` is what was learnt, in a file; :class:`Device` is a
board, real (``"/dev/ttyUSB1"``) or simulated (``"sim:FILE"``, ``"rtl:FILE"``); :func:`build` makes its bitstream.
:class:`OscillatorSpec`, :class:`EqPropSpec` and :class:`FelifSpec` describe networks. All else is in the packages
below, which the front page lists. Nothing of them is imported before it is used.
"""

# The packages below lie in four folders of a checkout, each with a copy of this file; installed, they are one.
from pkgutil import extend_path
from typing import TYPE_CHECKING

__path__ = extend_path(__path__, __name__)
if __spec__ is not None:
    __spec__.submodule_search_locations = __path__  # for tools that look for packages without importing them

from attractor._front import __all__

if TYPE_CHECKING:
    from attractor._front import *  # noqa: F403
else:
    from attractor._front import __getattr__  # noqa: F401


def __dir__() -> list[str]:
    return [*globals(), *__all__]
