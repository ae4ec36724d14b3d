"""What a conversion decided and what it cost, as data, as JSON and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from attractor.nir.agreement import Agreement
from attractor.nir.chain import Population
from attractor.nir.quantise import IntegerLayer, ParameterError

__all__ = ["ConversionReport", "LayerReport", "layer_report", "warnings_of"]


@dataclass(frozen=True)
class LayerReport:
    """A layer and its number format.

    Parameters
    ----------
    name, node:
        Name of the node, and its type; ``"read-out"`` for weights that lead to the output.
    neurons, sources:
        Sizes of its weights.
    recurrent:
        Whether its own spikes are sources.
    number_format:
        One sentence on widths, scales and ranges.
    steps_per_volt:
        Integer voltage that stands for 1.
    bounded:
        Whether no input can saturate a state.
    errors:
        Quantisation error of each parameter.
    """

    name: str
    node: str
    neurons: int
    sources: int
    recurrent: bool
    number_format: str
    steps_per_volt: float
    bounded: bool
    errors: tuple[ParameterError, ...]


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion from NIR decided where the graph says nothing, and what rounding cost.

    Parameters
    ----------
    source:
        File or graph.
    rules:
        Options of the conversion, by their names.
    decisions:
        One sentence for each question that NIR leaves open.
    layers:
        In order.
    agreement:
        Spikes in integers against spikes in double precision.
    warnings:
        What looks wrong, though nothing forbids it.
    """

    source: str
    rules: Mapping[str, Any]
    decisions: Mapping[str, str]
    layers: tuple[LayerReport, ...]
    agreement: Agreement
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return the report as text of several lines."""
        width = max(map(len, self.decisions))
        lines = [f"imported {self.source}", "", "decisions"]
        lines += [f"  {name:{width}}  {said}" for name, said in self.decisions.items()]
        for layer in self.layers:
            recurrent = ", recurrent" if layer.recurrent else ""
            lines += ["", f"layer {layer.name} ({layer.node}, {layer.neurons} neurons{recurrent})"]
            lines.append(f"  {layer.number_format}")
            lines += _aligned([_error_row(error) for error in layer.errors], _ERROR_HEADER)
        runs, ticks = self.agreement.runs, self.agreement.ticks
        lines += ["", f"integers against double precision: {self.agreement.stimulus}, {runs} runs of {ticks} ticks"]
        lines += _aligned([_agreement_row(layer) for layer in self.agreement.layers], _AGREEMENT_HEADER)
        lines.append(f"  same winner in {self.agreement.same_winner:.1%} of the runs")
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def layer_report(population: Population, layer: IntegerLayer) -> LayerReport:
    """Return the report of one layer."""
    node = "read-out" if population.node is None else type(population.node).__name__
    spec = layer.layer
    bounds = "no input can saturate them" if layer.bounded else f"they saturate at {_range(layer):.4g}"
    number_format = (
        f"weights of {spec.weight_bits} bits times a scale of {spec.scale_bits} bits for each neuron, shifted right by "
        f"{spec.scale_shift}; states of {spec.state_bits} bits with {layer.steps_per_volt:g} steps for 1: {bounds}; "
        "decays in 1/32768"
    )
    neurons, sources = layer.parameters["weights"].shape
    return LayerReport(
        population.name,
        node,
        neurons,
        sources,
        spec.recurrent,
        number_format,
        layer.steps_per_volt,
        layer.bounded,
        layer.errors,
    )


#: Part of the largest threshold by which none should be off.
_COARSE = 0.01


def warnings_of(layers: tuple[LayerReport, ...], agreement: Agreement) -> tuple[str, ...]:
    """Return what looks wrong."""
    coarse = [
        f"thresholds of layer {layer.name} are off by up to {error.largest:.3g} of {error.range:.3g}; use wider "
        "states, or smaller weights"
        for layer in layers
        for error in layer.errors
        if error.parameter == "threshold" and error.largest > _COARSE * error.range
    ]
    silent = [
        f"no neuron of layer {layer.layer} spiked in double precision on these inputs; is dt in the unit of the "
        "graph's time constants?"
        for layer in agreement.layers
        if not layer.spikes_float
    ]
    stuck = [
        f"states of layer {layer.layer} saturated in {layer.saturated} of {layer.cells} cells; use wider states"
        for layer in agreement.layers
        if layer.saturated
    ]
    return (*coarse, *silent, *stuck)


def _range(layer: IntegerLayer) -> float:
    return (1 << layer.layer.state_bits - 1) / layer.steps_per_volt


_ERROR_HEADER = ["parameter", "values", "greatest", "largest error", "rms error", "saturated"]
_AGREEMENT_HEADER = ["layer", "cells", "spikes", "in integers", "wrong cells", "rate error, rms", "saturated"]


def _error_row(error: ParameterError) -> list[str]:
    numbers = (error.range, error.largest, error.root_mean_square)
    return [error.parameter, f"{error.values:,}", *(f"{number:.3g}" for number in numbers), f"{error.saturated:,}"]


def _agreement_row(layer: Any) -> list[str]:
    counts = (layer.cells, layer.spikes_float, layer.spikes_integer, layer.wrong_cells)
    return [layer.layer, *(f"{count:,}" for count in counts), f"{layer.rate_error:.3g}", f"{layer.saturated:,}"]


def _aligned(rows: list[list[str]], header: list[str]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
