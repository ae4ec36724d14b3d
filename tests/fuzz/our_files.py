"""Kinds of files that this project writes, and arrays: intact ones, how they are damaged, and what reads them."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from attractor.host.model_files import hash_of

from .kinds import FileKind, Random, in_archive, saved
from .mutations import changed_json, damaged, damaged_text

__all__ = ["OUR_FILES"]


# Arrays


def _npy() -> list[bytes]:
    arrays: list[Any] = [np.arange(12.0).reshape(3, 4), np.zeros((2, 3), "u1"), np.ones((0, 4)), np.array(["a", "bc"])]
    arrays += [np.asfortranarray(np.arange(6, dtype="i8").reshape(2, 3)), np.zeros(3, [("a", "i4"), ("b", "f4")])]
    return [saved(lambda path, array=array: np.save(path, array), "a.npy") for array in arrays]


def _header(data: bytes, rng: Random) -> bytes:
    """Put another header of the same form before the values."""
    length = int.from_bytes(data[8:10], "little")
    kind = rng.choice(
        ("<f8", ">i4", "|O", "|V8", "<U900000", "|S0", "<U0", "f8,f8", "<M8[ns]", "<c16", "<f16", "int", "x")
    )
    shape = rng.choice(
        ("(3, 4)", "()", "(-1,)", "(1 << 40,)", "(99999999999999, 8)", "(3,)", "3", "(0, 1 << 60)", "((),)")
    )
    shape = rng.choice(
        (shape, "(0, 9223372036854775807)", "(" + "1, " * rng.choice((3, 33, 600)) + ")", "(2.5,)", "(True,)")
    )
    order = rng.choice(("False", "True", "0", "None", "__import__('os')", "-" * 90 + "1", "(" * 50 + ")" * 50))
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text = text if rng.random() < 0.9 else text.replace(b"'", b"", 1)
    size = rng.choice((len(text), len(text), len(text), 0, 0xFFFF))
    return data[:8] + size.to_bytes(2, "little") + text + data[10 + length :]


def _npz() -> list[bytes]:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"images": rng.random((6, 9)), "labels": np.arange(6) % 2}
    texts = arrays | {"labels": np.array(["a", "b", "c"] * 2)}
    return [
        saved(lambda path: np.savez(path, **arrays), "a.npz"),
        saved(lambda path: np.savez_compressed(path, **texts), "a.npz"),
        saved(lambda path: np.savez_compressed(path, images=np.zeros((150, 200))), "a.npz"),
    ]


def _read_array(path: Path) -> object:
    from attractor.cli.files import read_rows

    return read_rows(path)


def _read_images(path: Path) -> object:
    from attractor.cli.datasets import load_images

    return load_images(str(path))


# Models and specs


def _models() -> list[bytes]:
    from attractor.estimators import EqPropClassifier, HopfieldNetwork, OscillatorClassifier
    from attractor.golden import FelifNetwork  # noqa: F401 - its family's views are imported with it
    from attractor.host import Model
    from attractor.spec import FelifLayer, FelifSpec

    random_images = np.random.default_rng(0).random((24, 9))
    labels = np.arange(24) % 3
    spec = FelifSpec(inputs=3, layers=(FelifLayer(neurons=4, kind="lif"),))
    zeros = {name: np.zeros(each.shape, each.dtype) for name, each in spec.parameters.items()}
    models: list[Any] = [
        OscillatorClassifier(epochs=1).fit(random_images, labels).model_,
        EqPropClassifier(epochs=1, hidden=(6,), replicas=1).fit(random_images, labels).model_,
        HopfieldNetwork().fit(np.sign(random_images[:2] - 0.5)).model_,
        Model(spec, zeros),
    ]
    return [saved(model.save, "a.safetensors") for model in models]


def _models_1() -> list[bytes]:
    """Return models of the first format, as version 0.1 wrote them."""
    from safetensors.numpy import load, save

    found = []
    for data in _models():
        metadata, tensors = _metadata(data), load(data)
        spec = json.dumps(json.loads(metadata["network"]) | json.loads(metadata.get("build", "{}")))
        said = {"classes": ["a", "b", "c"], "black": 0.0, "white": 1.0, "code": {}, "rule": "hebb", "nir": {}}
        old = {"format": "attractor-model-1", "spec": spec, "provenance": json.dumps(said)}
        texts = [old[name] for name in ("format", "spec", "provenance")]
        found.append(save(tensors, old | {"sha256": hash_of(texts, tensors)}))
    return found


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]


def _signed(data: bytes, rng: Random) -> bytes:
    """Change what a model says about itself, and sign it anew, so that the reader has to look at it."""
    from safetensors.numpy import load, save

    metadata, tensors = _metadata(data), load(data)
    name = rng.choice([name for name in metadata if name not in ("format", "sha256")])
    changed = changed_json(json.loads(metadata[name]), rng)
    metadata[name] = (
        json.dumps(changed) if rng.random() < 0.9 else damaged_text(metadata[name].encode(), rng).decode("latin1")
    )
    if rng.random() < 0.1:
        tensors[rng.choice(list(tensors))] = np.zeros((2, 2), rng.choice(("i1", "f4", "i8", "u1")))
    try:
        if metadata["format"].endswith("1"):
            texts = [metadata[name] for name in ("format", "spec", "provenance")]
        else:
            texts = [text for item in sorted(metadata.items()) if item[0] != "sha256" for text in item]
        return save(tensors, metadata | {"sha256": hash_of(texts, tensors)})
    except UnicodeError:
        return damaged(data, rng)


def _tensor_header(data: bytes, rng: Random) -> bytes:
    """Change the header of a file of tensors."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(changed_json(json.loads(data[8 : 8 + length]), rng)).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _read_model(path: Path) -> object:
    from attractor.estimators import classifier_from_model
    from attractor.host import Model
    from attractor.spec.files import load_spec

    load_spec(path)
    model = Model.load(path)
    try:
        return classifier_from_model(model)
    except ValueError as error:  # an intact model, but no classifier
        if type(error) is not ValueError or not str(error).startswith("the model "):
            raise
        return model


def _specs() -> list[bytes]:
    from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec

    layers = FelifLayer(neurons=4, kind="lif", recurrent=True), FelifLayer(neurons=2, kind="readout")
    specs = [
        OscillatorSpec(oscillators=6, lanes=3, labels=2),
        EqPropSpec(layers=(6, 4, 4), state_high=(7, 3), classes=2, learning=True),
        FelifSpec(inputs=3, layers=layers, ticks=4),
    ]
    return [spec.to_json().encode() for spec in specs]


def _json_file(data: bytes, rng: Random) -> bytes:
    return json.dumps(changed_json(json.loads(data), rng)).encode(errors="surrogatepass")


def _read_spec(path: Path) -> object:
    from attractor.spec.files import load_spec

    spec = load_spec(path)
    return spec.memory_map.describe(), spec.parameters, spec.fingerprint


# Bundles and checkpoints


def _bundles() -> list[bytes]:
    import hashlib

    from attractor.gateware.bundle import FORMAT, Bundle
    from attractor.gateware.report import TimingPath
    from attractor.spec import OscillatorSpec

    spec, bits = OscillatorSpec(oscillators=6, lanes=3), bytes(range(256)) * 10
    build = {"board": "icebreaker", "clock_hz": 12_000_000, "baud": 500_000, "seed": 4}
    path = TimingPath("clk", "clk", "a", "b", 7.5, 3.0, 4.5, 3, ("a", "m", "b"))
    common = {"fingerprint": spec.fingerprint.hex(), "bitstream": "top.bin", "fmax_hz": {"clk": [3e7, 1.2e7]}}
    common |= {"bitstream_sha256": hashlib.sha256(bits).hexdigest(), "critical_paths": [path.to_dict()]}
    common |= {"utilisation": {"LC": [10, 5280]}, "tools": {"yosys": "0.1"}, "pll": None}
    new = {"format": FORMAT, "network": spec.network_to_dict(), "build": spec.build_to_dict() | build}
    return [Bundle(bits, common | new).to_bytes()]


def _manifest(data: bytes, rng: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["manifest.json"] = json.dumps(changed_json(json.loads(members["manifest.json"]), rng)).encode()
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return found.getvalue()


def _read_bundle(path: Path) -> object:
    from attractor.gateware.bundle import Bundle

    bundle = Bundle.open(path)
    with tempfile.TemporaryDirectory() as folder:
        written = bundle.save_bitstream(Path(folder) / "a" / "b")
        assert written.parent == Path(folder) / "a" / "b"
    return bundle.spec.memory_map, bundle.board, bundle.clock_hz, bundle.critical_paths


_IDENTITY = {"spec": {"a": 1}, "samples": "0" * 64}


def _checkpoints() -> list[bytes]:
    from attractor.train.checkpoints import save_checkpoint

    arrays = {"last.weights": np.ones((3, 4), np.int8), "best.bias": np.zeros(3)}
    return [saved(lambda path: save_checkpoint(path, _IDENTITY, {"history": [1, 2]}, arrays), "a.npz")]


def _read_checkpoint(path: Path) -> object:
    from attractor.train.checkpoints import load_checkpoint

    return load_checkpoint(path, _IDENTITY)


@cache
def _float_trainer() -> Any:
    from attractor.physics.eqprop import DenseNetwork, Rule
    from attractor.train.eqprop.published import FloatTrainer

    rates: dict[str, Any] = {
        "momentum_rates": (0.01, 0.02),
        "flip_thresholds": (2e-4, 4e-4),
        "bias_rates": (0.01, 0.02),
    }
    rule = Rule(binary_activations=False, free_steps=3, nudged_steps=2, beta=2.0, scale_rates=(1e-5, 1e-5), **rates)
    trainer = FloatTrainer(DenseNetwork((9, 6, 3), rule, seed=4), classes=3, batch=8, seed=1)
    images = np.random.default_rng(1).random((16, 9), np.float32)
    trainer.run_epoch(images, np.arange(16) % 3)
    return trainer


def _float_checkpoints() -> list[bytes]:
    return [saved(_float_trainer().save, "a.safetensors")]


def _progress(data: bytes, rng: Random) -> bytes:
    from safetensors.numpy import load, save

    metadata = _metadata(data)
    name = rng.choice(list(metadata))
    return save(load(data), metadata | {name: json.dumps(changed_json(json.loads(metadata[name]), rng))})


def _read_float_checkpoint(path: Path) -> object:
    return _float_trainer().load(path)


_TENSORS = (damaged, _tensor_header)
OUR_FILES = (
    FileKind("npy", "a.npy", _npy, (damaged, _header, _header), _read_array),
    FileKind("npz", "a.npz", _npz, (damaged, partial(in_archive, damaged), partial(in_archive, _header)), _read_images),
    FileKind("model", "a.safetensors", _models, (*_TENSORS, _signed, _signed), _read_model),
    FileKind("model of version 0.1", "a.safetensors", _models_1, (*_TENSORS, _signed, _signed), _read_model),
    FileKind("spec", "a.json", _specs, (damaged_text, _json_file), _read_spec),
    FileKind("bundle", "a.zip", _bundles, (damaged, _manifest, partial(in_archive, damaged)), _read_bundle),
    FileKind("checkpoint", "a.npz", _checkpoints, (damaged, partial(in_archive, damaged)), _read_checkpoint),
    FileKind("float checkpoint", "a.safetensors", _float_checkpoints, (*_TENSORS, _progress), _read_float_checkpoint),
)
