"""From a trained network to a spec and integer parameters: what a device runs, bit for bit as it was trained."""

from __future__ import annotations

import numpy as np

from attractor.spec import FelifSpec, IntegerArray
from attractor.train.felif.bruno import Floats
from attractor.train.felif.integer import IntegerNeurons
from attractor.train.felif.network import TrainedNetwork
from attractor.train.felif.readout import IntegerReadout

__all__ = ["exported"]


def exported(
    network: TrainedNetwork,
    parameters: dict[str, Floats],
    *,
    input_bits: int = 1,
    ticks: int = 1,
    lanes: int = 0,
) -> tuple[FelifSpec, dict[str, IntegerArray]]:
    """Return spec and parameters of a network of integer neurons, its weights rounded to the nearest level.

    Parameters
    ----------
    network:
        A network whose layers are all of integer neurons with weights of a few bits.
    parameters:
        Its float weights.
    input_bits, ticks, lanes:
        Of the spec.

    Raises
    ------
    ValueError
        If a layer has no integer model, or float weights.
    """
    layers, arrays = [], {}
    weights = network.weights(parameters)
    for index, ((neurons, _), held) in enumerate(zip(network.layers, weights, strict=False)):
        if not isinstance(neurons, IntegerNeurons) or held.levels is None:
            raise ValueError(f"layer {index} has no integer neurons with weights of a few bits; train it with both")
        layers.append(neurons.layer)
        arrays |= {f"{name}_{index}": array for name, array in neurons.exported(held).items()}
    readout = network.readout
    if readout is not None:
        if not isinstance(readout, IntegerReadout) or weights[-1].levels is None:
            raise ValueError("the read-out is no integer read-out with weights of a few bits; train it with both")
        index = len(layers)
        layers.append(readout.layer)
        arrays |= {
            f"{name}_{index}": array for name, array in readout.exported(weights[-1], parameters["bias"]).items()
        }
    spec = FelifSpec(inputs=network.inputs, input_bits=input_bits, layers=tuple(layers), ticks=ticks, lanes=lanes)
    return spec, spec.check_parameters({name: np.asarray(array) for name, array in arrays.items()})
