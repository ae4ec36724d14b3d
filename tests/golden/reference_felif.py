"""Spiking networks neuron by neuron in plain Python integers: the definition, written a second time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from attractor.spec import FelifSpec


@dataclass
class Cell:
    """One neuron: its parameters by name, its state, and what it saw in its last tick."""

    kind: str
    values: dict[str, int]
    tables: dict[str, list[int]]
    options: dict[str, object]
    v: int = 0
    p: int | None = None
    c: int | None = None
    s: int = 0
    total: int = 0
    drive: int = 0

    def advance(self, total: int) -> None:
        self.total = total
        scaled = total * self.values["scale"] // 2 ** int(str(self.options["scale_shift"]))
        bits = {"felif_a": 17, "felif_b": 19}.get(self.kind, int(str(self.options["state_bits"])))
        self.drive = saturate(scaled + self.values["bias"], bits)
        {"felif_a": self._a, "felif_b": self._b}.get(self.kind, self._plain)()

    def _a(self) -> None:
        assert self.p is not None
        x = toward_zero(self.v + self.drive, self._leak(9))
        e = self.tables["field"][min(abs(x - self.v).bit_length(), 16)] + self.values["field_offset"]
        d = x - self.p
        if d - e > 0:
            q = (d - e) * self.values["inverse"] // 65536
        elif d + e < 0:
            q = -((-d - e) * self.values["inverse"] // 65536)
        else:
            q = 0
        p = clamp(self.p + q, 4096)
        self._finish(clamp(x - (p - self.p) * self.values["coupling"] // 256, self.tables["limit"][0]), p, 4096)

    def _b(self) -> None:
        assert self.p is not None
        u, p = self.v, self.p
        for _ in range(64):
            e = u - p
            j = (abs(e) - self.values["field_offset"] * 256) // 2**14 - 60
            k = 0 if j < 0 else self.tables["field"][min(j, 63)]
            q = ((2**20 if e > 0 else -(2**20) if e < 0 else 0) - p) * k // 2**20
            x = toward_zero(u + self.drive, self._leak(17, u))
            u = clamp(x - q * self.values["coupling"] // 256, self.tables["limit"][0])
            p = clamp(p + q, 2**20)
            if u >= self.values["threshold"]:
                break
        self._finish(u, p, 2**20)

    def _leak(self, shift: int, u: int | None = None) -> int:
        index = min(max((self.v if u is None else u) // 2**shift, 0), 31)
        return self.tables["leak"][index] * self.values["leak_scale"] // 64

    def _finish(self, u: int, p: int, one: int) -> None:
        if self.s:
            u, p = self.tables["reset"][0], -one
        self.v, self.p, self.s = u, p, int(u >= self.values["threshold"])

    def _plain(self) -> None:
        bits, current = int(str(self.options["state_bits"])), self.drive
        if self.c is not None:
            current = self.c = saturate(fade(self.c, self.values["synapse_decay"]) + self.drive, bits)
        v = saturate(fade(self.v, self.values["decay"]) + current, bits)
        if self.kind == "lif":
            threshold = self.values["threshold"]
            self.s = int(v > threshold or (v == threshold and not self.options["strict"]))
            if self.s:
                after = {"zero": 0, "value": self.values.get("reset", 0), "subtract": saturate(v - threshold, bits)}
                v = after[str(self.options["reset"])]
        self.v = v


@dataclass
class Reference:
    """A network; ``layers`` holds its cells."""

    spec: FelifSpec
    parameters: dict[str, np.ndarray]
    layers: list[list[Cell]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for index, layer in enumerate(self.spec.layers):
            cells = []
            own = {name[:-2]: self.parameters[name].tolist() for name in self.parameters if name[-2:] == f"_{index}"}
            tables = {name: own[name] for name in ("leak", "field", "limit") if name in own}
            if layer.kind in ("felif_a", "felif_b"):
                tables["reset"] = own.pop("reset")
            for i in range(layer.neurons):
                values = {name: own[name][i] for name in own if name not in ("weights", *tables)}
                one = {"felif_a": 4096, "felif_b": 2**20}.get(layer.kind)
                p, c = None if one is None else -one, 0 if layer.synapse else None
                cells.append(Cell(layer.kind, values, tables, vars(layer), p=p, c=c))
            self.layers.append(cells)

    def tick(self, frame: list[int]) -> None:
        sent = frame
        for index, cells in enumerate(self.layers):
            sources = sent + ([cell.s for cell in cells] if self.spec.layers[index].recurrent else [])
            weights = self.parameters[f"weights_{index}"].tolist()
            for cell, row in zip(cells, weights, strict=True):
                cell.advance(sum(w * x for w, x in zip(row, sources, strict=True)))
            sent = [cell.s for cell in cells]


def clamp(x: int, high: int) -> int:
    return max(-high, min(high, x))


def saturate(x: int, bits: int) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, x))


def toward_zero(x: int, by: int) -> int:
    if abs(x) <= by:
        return 0
    return x - by if x > 0 else x + by


def fade(x: int, k: int) -> int:
    return x * k // 2**15 if x >= 0 else -(-x * k // 2**15)
