"""Golden models of spiking networks: integer neurons, and whole networks of them."""

from typing import Any

from attractor._moved import moved_name
from attractor.golden.felif.network import FelifNetwork, FelifRun, LayerTrace
from attractor.golden.felif.neurons import Neurons, NeuronState, neurons

__all__ = ["FelifNetwork", "FelifRun", "LayerTrace", "NeuronState", "Neurons", "neurons"]


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
