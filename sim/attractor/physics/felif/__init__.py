"""Ferroelectric neurons as a device in SI units, its twin in small steps, and the tables of integer neurons."""

from attractor.physics.felif.device import FelifDevice
from attractor.physics.felif.lif_float import FloatLayer, FloatNetwork, FloatRun, FloatState
from attractor.physics.felif.tables import felif_parameters, tables_digest
from attractor.physics.felif.twin import FelifTwin, TwinRun, TwinState

__all__ = [
    "FelifDevice",
    "FelifTwin",
    "FloatLayer",
    "FloatNetwork",
    "FloatRun",
    "FloatState",
    "TwinRun",
    "TwinState",
    "felif_parameters",
    "tables_digest",
]
