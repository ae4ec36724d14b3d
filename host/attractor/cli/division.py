"""What ``attractor solve`` does with a problem that a network cannot hold: it divides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attractor.host.pool import DevicePool
from attractor.solve.annealing import Annealing
from attractor.solve.decomposing import DecomposingSampler, room
from attractor.solve.dimod_extra import dimod
from attractor.solve.ising import MOST_REFERENCES
from attractor.solve.sampler import OscillatorSampler
from attractor.solve.sparse_networks import prefers_sparse
from attractor.spec.sparse import SparseSpec

if TYPE_CHECKING:
    from attractor.cli.solutions import Request

__all__ = ["divided", "sample_in_parts"]


def divided(bqm: dimod.BinaryQuadraticModel, request: Request) -> tuple[int, str] | None:
    """Return the most variables of a part and why there are any; None if a network holds the problem whole."""
    sampler = _sampler(request)
    held = room(sampler.child, biased=bool(np.any(list(bqm.spin.linear.values()))))
    sparse = request.made.get("couplings") == "sparse" or prefers_sparse(bqm.num_variables, bqm.num_interactions)
    made = sampler.child.properties.get("max_variables") is None and request.made.get("couplings") != "dense"
    if made and sparse and not Annealing(**request.annealing).turns:
        held = SparseSpec.most_oscillators - MOST_REFERENCES
    if request.divide is None and (held is None or bqm.num_variables <= held):
        return None
    size = min(sampler.size, bqm.num_variables)
    why = f"{bqm.num_variables:,} variables" + (f", and a network holds {held:,}" if request.divide is None else "")
    return size, f"{why}: solving it in parts of at most {size:,}"


def sample_in_parts(bqm: dimod.BinaryQuadraticModel, request: Request) -> dimod.SampleSet:
    """Return the sample found, with what a summary tells of it in ``info``."""
    limits = {name: request.reads[name] for name in ("seed", "time_limit")}
    sampler = _sampler(request)
    try:
        found = sampler.sample(bqm, child_options=request.annealing, **limits)
    finally:
        for child in sampler.children:
            child.close()
    spent: dict[str, Any] = {"upload": 0.0, "anneal": 0.0, "download": 0.0, "cycles": None}
    found.info["timing"] = spent | {name: found.info["timing"]["child"].get(name, spent[name]) for name in spent}
    return found


def _sampler(request: Request) -> DecomposingSampler:
    """Return the sampler that divides; a pool's boards get a part each."""
    pool = request.device.devices if isinstance(request.device, DevicePool) else [request.device]
    children = [OscillatorSampler(device, random_start=request.random_start) for device in pool]
    options = {"child_reads": request.part_reads, "progress": request.progress, "keep_interrupted": True}
    return DecomposingSampler(children, request.divide, **options)
