"""Modules that have another name than in version 0.1: imported by the old one they warn, and are the new one."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from warnings import warn

__all__ = ["MOVED", "MOVED_NAMES", "find_moved_modules", "moved_name"]

#: Old name of each module, and its new one. Modules below it moved along.
MOVED = {
    "attractor.cli.families.base": "attractor.cli.family",
    "attractor.cli.families.eqprop": "attractor.cli.eqprop.commands",
    "attractor.cli.families.eqprop_demo": "attractor.cli.eqprop.demo",
    "attractor.cli.families.felif": "attractor.cli.felif.commands",
    "attractor.cli.families.felif_demo": "attractor.cli.felif.demo",
    "attractor.cli.families.oscillator": "attractor.cli.oscillator.commands",
    "attractor.cli.families.oscillator_demo": "attractor.cli.oscillator.demo",
    "attractor.golden.eqprop_float": "attractor.physics.eqprop",
    "attractor.golden.felif.device": "attractor.physics.felif.device",
    "attractor.golden.felif.fidelity": "attractor.physics.felif.fidelity",
    "attractor.golden.felif.lif_float": "attractor.physics.felif.lif_float",
    "attractor.golden.felif.response": "attractor.physics.felif.response",
    "attractor.golden.felif.tables": "attractor.physics.felif.tables",
    "attractor.golden.felif.trials": "attractor.trials.felif",
    "attractor.golden.felif.twin": "attractor.physics.felif.twin",
    "attractor.hdl.felif.window_memory": "attractor.hdl.windows",
    "attractor.host.acceptance": "attractor.verify",
    "attractor.host.annealer": "attractor.solve.annealer",
    "attractor.host.annealing": "attractor.solve.annealing",
    "attractor.host.dimod_extra": "attractor.solve.dimod_extra",
    "attractor.host.estimators": "attractor.estimators",
    "attractor.host.estimators.presets": "attractor.estimators.eqprop.presets",
    "attractor.host.ising": "attractor.solve.ising",
    "attractor.host.learning": "attractor.host.oscillator.learning",
    "attractor.host.nir": "attractor.nir",
    "attractor.host.plot": "attractor.plot.oscillator",
    "attractor.host.plot_bruno": "attractor.plot.bruno",
    "attractor.host.plot_dynamics": "attractor.plot.dynamics",
    "attractor.host.plot_eqprop": "attractor.plot.eqprop",
    "attractor.host.plot_felif": "attractor.plot.felif",
    "attractor.host.potts": "attractor.solve.potts",
    "attractor.host.problem_files": "attractor.solve.problem_files",
    "attractor.host.problems": "attractor.solve.problems",
    "attractor.host.sampler": "attractor.solve.sampler",
    "attractor.sim.cache": "attractor.machine.cache",
    "attractor.sim.lockstep.eqprop_bench": "attractor.sim.lockstep.eqprop.bench",
    "attractor.sim.lockstep.eqprop_state": "attractor.sim.lockstep.eqprop.state",
    "attractor.sim.lockstep.felif_bench": "attractor.sim.lockstep.felif.bench",
    "attractor.sim.lockstep.felif_state": "attractor.sim.lockstep.felif.state",
    "attractor.sim.lockstep.oscillator_bench": "attractor.sim.lockstep.oscillator.bench",
    "attractor.sim.lockstep.oscillator_state": "attractor.sim.lockstep.oscillator.state",
    "attractor.spec.eqprop_call": "attractor.spec.eqprop.call",
    "attractor.spec.felif_call": "attractor.spec.felif.call",
    "attractor.spec.felif_layer": "attractor.spec.felif.layer",
    "attractor.train.chorales": "attractor.data.chorales",
    "attractor.train.classifier": "attractor.train.oscillator.classifier",
    "attractor.train.digits": "attractor.data.digits",
    "attractor.train.eqprop_dense": "attractor.train.eqprop.dense",
    "attractor.train.eqprop_digits": "attractor.train.eqprop.digits",
    "attractor.train.eqprop_events": "attractor.train.eqprop.events",
    "attractor.train.eqprop_float": "attractor.train.eqprop.published",
    "attractor.train.eqprop_presets": "attractor.train.eqprop.presets",
    "attractor.train.eqprop_sequence": "attractor.train.eqprop.sequence",
    "attractor.train.hidden": "attractor.train.oscillator.hidden",
    "attractor.train.layer": "attractor.train.oscillator.layer",
    "attractor.train.layered": "attractor.train.oscillator.layered",
    "attractor.train.mnist": "attractor.data.mnist",
    "attractor.train.pruned": "attractor.train.oscillator.pruned",
    "attractor.train.psalm": "attractor.data.psalm",
}

#: Names that left a module which is still there, and the module that has them now.
MOVED_NAMES = {
    "attractor.golden.felif": (
        "attractor.physics.felif",
        {
            *("FelifDevice", "FelifTwin", "FloatLayer", "FloatNetwork", "FloatRun", "FloatState"),
            *("TwinRun", "TwinState", "felif_parameters", "tables_digest"),
        },
    ),
}


def moved_name(module: str, name: str) -> Any:
    """Return what ``name`` of a module is now, with a warning; raise :class:`AttributeError` if it never was there."""
    home, names = MOVED_NAMES[module]
    if name not in names:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    warn(
        f"{module}.{name} is now {home}.{name}; import that, the old name goes with the next release",
        DeprecationWarning,
        stacklevel=3,
    )
    return getattr(import_module(home), name)


class _MovedModule(Loader):
    """Loads the module ``name`` in place of the one that was asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The frames of the import system between here and the import statement do not count.
        warn(
            f"{module.__name__} is now {self._name}; import that, the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        sys.modules[module.__name__] = import_module(self._name)


class _MovedFinder(MetaPathFinder):
    """Finds modules by the names that they had before.

    Asked first: once a package was imported by its old name, the others would find its modules a second time below it.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not fullname.startswith("attractor."):
            return None
        before, after = fullname, ""
        while before not in MOVED:
            before, dot, last = before.rpartition(".")
            if not dot:
                return None
            after = f".{last}{after}"
        return ModuleSpec(fullname, _MovedModule(MOVED[before] + after), is_package=True)


def find_moved_modules() -> None:
    """Let modules be imported by their old names too."""
    if not any(isinstance(finder, _MovedFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _MovedFinder())
