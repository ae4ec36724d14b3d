"""The pages on ferroelectric networks: their examples do what they say, and their numbers are those of the sources."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from attractor.spec import FelifLayer
from attractor.spec.felif.layer import FELIF_A, FELIF_B, LIF, READOUT
from attractor.train.felif.scales import WITHOUT_MEMORY

DOCS = Path(__file__).parent.parent / "docs"
FELIF, BRUNO = ((DOCS / name).read_text(encoding="utf-8") for name in ("felif.md", "bruno.md"))
_NUMBER = r"\d+\.\d+"


def example(page: str) -> tuple[str, str]:
    """Return what a page's example prints, and what the page says that it prints."""
    found = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", page, re.DOTALL)
    assert found is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found.group(1), {})
    return printed.getvalue(), found.group(2)


def test_the_neurons_do_what_the_page_says() -> None:
    printed, expected = example(FELIF)
    assert printed == expected


def test_the_network_learns_what_the_page_says() -> None:
    """Words exactly; losses and shares nearly, as float sums of other machines round otherwise."""
    printed, expected = example(BRUNO)
    assert re.sub(_NUMBER, "#", printed) == re.sub(_NUMBER, "#", expected)
    found, told = ([float(number) for number in re.findall(_NUMBER, text)] for text in (printed, expected))
    assert found == pytest.approx(told, abs=0.03)
    assert found[0] < found[1] == round(WITHOUT_MEMORY, 2)
    assert f"{WITHOUT_MEMORY:.3f}" in BRUNO


def test_widths_are_those_of_the_spec() -> None:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in FELIF.splitlines() if line.startswith("|")]
    rows = {row[0]: row[1:] for row in cells if len(row) == 5}
    for column, kind in enumerate((FELIF_A, FELIF_B, LIF, READOUT)):
        layer = FelifLayer(neurons=1, kind=kind)
        assert f"{layer.state_bits} " in rows["voltage"][column]
        assert f"{layer.record.bits} bits" in rows["word of a neuron"][column]
        if not layer.ferroelectric:
            continue
        assert rows["polarisation"][column] == f"{layer.fraction_bits + 2} bits"
        assert rows["one stands for"][column] == f"{layer.polarisation_high:,}"
        assert rows["drive"][column] == f"{layer.drive_bits} bits"
        for row, table in (
            ("`leak`, bins of 1/8 in u", "leak"),
            ("`field`", "field"),
            ("`limits`: reset, limit", "limits"),
        ):
            words, record = layer.tables[table]
            told = [int(number) for number in re.findall(r"\d+", rows[row][column])]
            assert told == [words, record.bits][words == 1 :]


def test_states_are_as_wide_as_the_gateware_keeps_them() -> None:
    from attractor.hdl.felif.layout import NeuronState

    row = re.search(
        r"^\| kept between ticks \| (\d+) bits \| (\d+) bits \| (\d+) bits, (\d+) .*? \| (\d+)", FELIF, re.MULTILINE
    )
    assert row is not None
    layers = [FelifLayer(neurons=1, kind=kind) for kind in (FELIF_A, FELIF_B, LIF)]
    layers += [FelifLayer(neurons=1, kind=LIF, synapse=True), FelifLayer(neurons=1, kind=READOUT)]
    assert [int(width) for width in row.groups()] == [NeuronState(layer).size for layer in layers]


def test_constants_of_the_device() -> None:
    from attractor.physics.felif import FelifDevice

    device = FelifDevice()
    for text, value in (
        ("0.966", device.per_volt), ("9.27", device.coupling), ("573 fF", float(device.capacitance) * 1e15),
        ("0.57 pF", float(device.capacitance) * 1e12),
        ("5.9 pF", float(device.capacitance) * 1e12 * (1 + float(device.coupling))),
        ("9.05·10⁷ 1/m", float(device.applied_divider) * 1e-7),
        ("4.26·10⁸", float(device.depolarisation_divider) * 1e-8),
    ):  # fmt: skip
        assert text in FELIF
        number = re.match(r"[\d.]+", text)
        assert number is not None
        decimals = len(number.group().partition(".")[2])
        assert round(float(value), decimals) == float(number.group())
