"""Write the files that ``attractor_client.c`` reads: ``python export.py MODEL IMAGES PARAMETERS INPUTS``.

MODEL is a classifier (.safetensors), IMAGES a .npy file with a row for each image, as ``attractor classify`` has them.
PARAMETERS gets the bytes of all parameter windows, one after another, INPUTS for each call those of all input windows.
"""

import sys
from pathlib import Path

import numpy as np

from attractor.estimators import classifier_from_model
from attractor.host import Device, Model
from attractor.sim.golden_board import GoldenBoard
from attractor.spec import Region


class Recorder(GoldenBoard):
    """A golden board that keeps the inputs of each call."""

    inputs = b""

    def _run(self, windows: dict[str, bytes], inputs: bytes) -> bytes:
        self.inputs += inputs
        return super()._run(windows, inputs)


def main(model_file: str, images_file: str, parameters_file: str, inputs_file: str) -> None:
    """Write both files."""
    model = Model.load(model_file)
    windows = model.spec.encode_parameters(model.parameters)
    Path(parameters_file).write_bytes(model.spec.memory_map.join(Region.PARAMETERS, windows))
    board = Recorder(model.spec)
    with Device.open(board) as device:
        classifier_from_model(model, device=device).predict(np.load(images_file))
    Path(inputs_file).write_bytes(board.inputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
