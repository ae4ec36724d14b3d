"""Golden models of ferroelectric spiking networks: the device, its integer neurons, whole networks."""

from attractor.golden.felif.device import FelifDevice
from attractor.golden.felif.lif_float import FloatLayer, FloatNetwork, FloatRun, FloatState
from attractor.golden.felif.network import FelifNetwork, FelifRun, LayerTrace
from attractor.golden.felif.neurons import Neurons, NeuronState, neurons
from attractor.golden.felif.tables import felif_parameters, tables_digest
from attractor.golden.felif.twin import FelifTwin, TwinRun, TwinState

__all__ = [
    "FelifDevice",
    "FelifNetwork",
    "FelifRun",
    "FelifTwin",
    "FloatLayer",
    "FloatNetwork",
    "FloatRun",
    "FloatState",
    "LayerTrace",
    "NeuronState",
    "Neurons",
    "TwinRun",
    "TwinState",
    "felif_parameters",
    "neurons",
    "tables_digest",
]
