"""The page on memory maps has the tables that the specs give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import attractor.spec
from attractor.spec import EqPropSpec, FelifLayer, FelifSpec, OscillatorSpec, Spec

PAGE = Path(__file__).parents[1] / "docs" / "memory_map.md"
SPECS: dict[str, Spec] = {
    "oscillator": OscillatorSpec(oscillators=75, inputs=65, labels=10, reference=64),
    "oscillator-all": OscillatorSpec(
        oscillators=12, inputs=4, labels=3, reference=1, learning=True, random_start=True, flips=True
    ),
    "eqprop": EqPropSpec(layers=(64, 48, 20), state_high=(4, 14), counter_bits=6, lanes=8, learning=True),
    "felif": FelifSpec(
        inputs=6, layers=(FelifLayer(neurons=5, kind="lif"), FelifLayer(neurons=2, kind="readout")), ticks=8
    ),
    "felif-all": FelifSpec(
        inputs=6,
        layers=(
            FelifLayer(neurons=5, kind="felif_a"),
            FelifLayer(neurons=4, kind="felif_b", recurrent=True),
            FelifLayer(neurons=3, kind="lif", synapse=True, reset="value"),
            FelifLayer(neurons=2, kind="readout"),
        ),
        ticks=8,
    ),
}


def filled(page: str) -> str:
    """Return the page with the tables of today."""
    for name, spec in SPECS.items():
        table = f"<!-- {name} -->\n\n{spec.memory_map.table()}\n\n<!-- end -->"
        page = re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _, table=table: table, page, flags=re.DOTALL)
    return page


def test_tables_are_those_of_the_specs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "write the page anew: python -m tests.test_memory_map_page"


@pytest.mark.parametrize("name", SPECS)
def test_the_page_shows_the_specs_that_it_names(name: str) -> None:
    """The text names the sizes; the tables have the words that follow from them."""
    before = PAGE.read_text(encoding="utf-8").split(f"<!-- {name} -->")[0]
    shown = re.findall(r"`(\w+Spec\(.*\))`", before)[-1]
    assert eval(shown, vars(attractor.spec)) == SPECS[name]


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
