from __future__ import annotations

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from attractor.data import mnist as module
from attractor.data.mnist import DATA_VARIABLE, DataError, mnist, shifted
from attractor.golden import OscillatorNetwork
from attractor.train.oscillator.hidden import broadcast_delta
from attractor.train.oscillator.layered import layered_parameters, layered_phases, layered_spec


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    """Return an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a small data set of the same form, two files gzipped and two plain, and declare its digests."""
    shapes = {"train-images": (6, 28, 28), "train-labels": (6,), "t10k-images": (3, 28, 28), "t10k-labels": (3,)}
    digests, generator = {}, np.random.default_rng(2)
    for number, name in enumerate(module.FILES):
        shape = shapes[name.rsplit("-", 2)[0]]
        data = idx(generator.integers(0, 256 if len(shape) == 3 else 10, shape).astype(np.uint8))
        digests[name] = hashlib.sha256(data).hexdigest()
        if number % 2:
            (tmp_path / name).write_bytes(data)
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    monkeypatch.setattr(module, "FILES", digests)
    return tmp_path


def test_files_are_read(folder: Path) -> None:
    data = mnist(folder)
    assert data.train_images.shape == (6, 784)
    assert data.test_images.shape == (3, 784)
    assert data.train_labels.shape == (6,)
    assert data.test_labels.max() <= 9
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert data.test_images.tobytes() == raw[16:]


def test_the_variable_names_the_folder_above(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "mnist").symlink_to(folder)
    monkeypatch.setenv(DATA_VARIABLE, str(folder.parent))
    assert (mnist().train_labels == mnist(folder).train_labels).all()


def test_without_files_the_message_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match=rf"{DATA_VARIABLE} is not set.*{module.SOURCE}.*train-images-idx3-ubyte"):
        mnist()
    with pytest.raises(DataError, match=rf"is there; fetch {module.SOURCE}train-images-idx3-ubyte\.gz into"):
        mnist(tmp_path)


def test_another_file_is_refused(folder: Path) -> None:
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte in .* has the SHA-256"):
        mnist(folder)


@pytest.mark.parametrize("keep", [5, 40, -4])
def test_a_damaged_file_is_refused(folder: Path, keep: int) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="cannot be read"):
        mnist(folder)


def test_shifts_by_at_most_a_pixel() -> None:
    images = np.zeros((2, 28, 28), np.int8)
    images[0, 10, 12] = images[1, 20, 5] = 1
    found, generator = set(), np.random.default_rng(2)
    for _ in range(100):
        moved = shifted(images.reshape(2, 784), generator).reshape(2, 28, 28)
        (row, column), (other_row, other_column) = np.argwhere(moved[0])[0], np.argwhere(moved[1])[0]
        assert (row - 10, column - 12) == (other_row - 20, other_column - 5)
        found.add((int(row) - 10, int(column) - 12))
    assert found == {(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)}


@pytest.mark.slow
@pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason=f"{DATA_VARIABLE} names no folder with a subfolder mnist")
def test_a_hidden_layer_on_mnist() -> None:
    data = mnist()
    train, test = (np.where(images >= 128, np.int8(1), np.int8(-1)) for images in (data.train_images, data.test_images))
    weights = broadcast_delta(
        train, data.train_labels, classes=10, hidden=128, weight_bits=6, epochs=6, augment=shifted
    )
    spec = layered_spec(784, 128, 10)
    run = OscillatorNetwork(spec, layered_parameters(spec, weights.labels, weights.hidden)).run(
        layered_phases(spec, test)
    )
    assert run.settled.all()
    assert (run.winner == data.test_labels).mean() >= 0.95
