"""A known graph of 800 vertices through a simulated board with sparse couplings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from attractor.solve.problem_files import read_problem
from attractor.solve.problems import Graph, max_cut
from attractor.solve.sampler import OscillatorSampler

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler (c++) for Verilator")

#: Of the greatest cut that is known.
BEST_KNOWN = 564


@pytest.mark.parametrize("lanes", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_g11_is_cut_as_the_golden_model_cuts_it(lanes: int, published: Callable[[str], Path]) -> None:
    problem = read_problem(published("G11.gz"))
    assert isinstance(problem, Graph)
    bqm = max_cut(problem).bqm
    found = {}
    for device in (None, "rtl:"):
        with OscillatorSampler(device, lanes=lanes, random_start=True) as sampler:
            found[device] = sampler.sample(bqm, num_reads=4, seed=3, periods=100)
    assert np.array_equal(found[None].record.sample, found["rtl:"].record.sample)
    assert len(np.unique(found[None].record.sample, axis=0)) == 4
    assert -found["rtl:"].record.energy.mean() > 0.97 * BEST_KNOWN
    assert found["rtl:"].info["timing"]["cycles"] > 0
