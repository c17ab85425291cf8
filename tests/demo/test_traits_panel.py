"""The panel of traits says in words all that its bars show, in both languages."""

from __future__ import annotations

import re

import pytest

from leukovision.demo.traits_panel import traits_html
from leukovision.explain import trait_ranges, trait_words
from leukovision.explain.trait_ranges import Ranges
from leukovision.explain.traits import COMPARED, NAMES, Traits
from leukovision.i18n import LANGUAGES

CELL = Traits(
    area=44_000, diameter=237, nucleus_to_cell=0.95, roundness=0.8, indentation=0.02, coarseness=1.5,
    nucleoli=2, missing={"basophilia": "The cut-out holds too little cytoplasm."},
)  # fmt: skip
RANGES = Ranges.model_validate({
    "cells": {"ALL": 100, "healthy": 100}, "subjects": {"ALL": 9, "healthy": 9},
    "traits": {
        "area": {
            "percentiles": {"ALL": (30e3, 40e3, 44e3, 48e3, 55e3), "healthy": (20e3, 23e3, 25e3, 28e3, 35e3)},
            "cells": {"ALL": 100, "healthy": 100},
        },
        "roundness": {
            "percentiles": {"ALL": (0.1, 0.2, 0.3, 0.4, 0.5), "healthy": (0.6, 0.7, 0.8, 0.9, 1.0)},
            "cells": {"ALL": 100, "healthy": 100},
        },
        "coarseness": {
            "percentiles": dict.fromkeys(("ALL", "healthy"), (1, 1.2, 1.5, 1.7, 2)),
            "cells": {"ALL": 100, "healthy": 100},
        },
    },
})  # fmt: skip


def test_one_sentence_says_which_traits_are_on_the_side_of_the_decision() -> None:
    told = trait_ranges.told(CELL, RANGES)
    assert trait_words.agreement("ALL", told, RANGES) == (
        "For the decision speak size of the cell; against it roundness of the nucleus; "
        "for neither: coarseness of the chromatin."
    )
    assert trait_words.agreement("healthy", told, RANGES).startswith("For the decision speak roundness")
    assert trait_words.agreement("unsure", told, RANGES).startswith("Nearer to ALL cells are size")
    assert "without ranges" in trait_words.agreement("ALL", trait_ranges.told(CELL, None), None)
    assert "Beware of size" in trait_words.beware(RANGES) and not trait_words.beware(None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_bar_shows_is_said_too(language: str) -> None:
    texts = LANGUAGES[language]
    page = traits_html(CELL, "ALL", RANGES, texts)
    assert page.count("<li>") == len(COMPARED) and page.count('class="lv-range"') == 3
    assert all(f">{texts(f'glossary.{name}.word')}<" in page for name in COMPARED)
    assert "44\u202f000 px²" in page and texts("said.trait_no_cytoplasm") in page
    places = [float(at) for at in re.findall(r"left:(-?[\d.]+)%", page)]
    assert len(places) == 3 * 5 and all(0 <= at <= 100 for at in places)


def test_without_ranges_there_are_values_and_no_bars() -> None:
    page = traits_html(CELL, "ALL", None)
    assert "lv-range" not in page and "44\u202f000 px²" in page


def test_where_red_cells_give_a_scale_lengths_are_in_um() -> None:
    told = trait_ranges.told(Traits(area=36_100, diameter=214.4, px_per_um=19.0), RANGES)
    assert (told["area"].value, told["area"].unit) == (100, "µm²")
    assert trait_words.value_line("area", told) == "100 µm² (11.3 µm across)"
    assert set(told) == set(NAMES)
