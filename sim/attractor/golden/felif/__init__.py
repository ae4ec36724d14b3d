"""Golden models of spiking networks: integer neurons, and whole networks of them."""

from attractor.golden.felif.network import FelifNetwork, FelifRun, LayerTrace
from attractor.golden.felif.neurons import Neurons, NeuronState, neurons

__all__ = ["FelifNetwork", "FelifRun", "LayerTrace", "NeuronState", "Neurons", "neurons"]
