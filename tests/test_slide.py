"""What the cells of one person say together, and in which words."""

from __future__ import annotations

import math

import pytest

from leukovision import batch
from leukovision.artifact import SlideSpec
from leukovision.errors import sentence
from leukovision.explain.sentences import together
from leukovision.i18n import ENGLISH, LANGUAGES
from leukovision.slide import decide

GERMAN = LANGUAGES["de"]
SPEC = SlideSpec(means=(-2, 2), spread=1.5, offset=1, abstain=(0.2, 0.8))


def rows(folder: str, *p_all: float, in_domain: bool = True) -> list[batch.Row]:
    return [
        batch.Row(file=f"{folder}{n}.png", decision="ALL", p_all=p, in_domain=in_domain)
        for n, p in enumerate(p_all)
    ]


def test_cells_that_agree_are_surer_together_and_those_out_of_domain_say_nothing():
    one, many = (batch.together(rows("", *[0.8] * count), SPEC) for count in (1, 40))
    assert many.decision == "ALL" and many.p_all > one.p_all and many.low > one.low
    odd = batch.together([*rows("", *[0.8] * 40), *rows("", 0.001, 0.001, in_domain=False)], SPEC)
    assert (odd.p_all, odd.cells, odd.carried_by) == (many.p_all, 42, 40)
    assert batch.together(rows("", 0.2, 0.8), SPEC).decision == "unsure"


def test_a_cell_that_a_table_rounds_to_one_does_not_outvote_all_others():
    found = batch.together(rows("", 1, 0, *[0.02] * 20), SPEC)
    assert found.decision == "healthy" and math.isfinite(found.p_all)
    assert batch.together(rows("", 0, 1), SPEC).p_all == pytest.approx(0.5)


def test_each_folder_or_zip_file_of_two_or_more_cells_is_decided_by_itself():
    files = [*rows("a.zip/", 0.9, 0.9), *rows("b.zip/", 0.1, 0.1), *rows("", 0.9), batch.Row(file="no.png")]
    assert [one.decision for one in batch.several(files, SPEC).values()] == ["ALL", "healthy"]
    assert set(batch.slides(files, SPEC)) == {"a.zip", "b.zip", "."}
    assert batch.several(files, None) == {}


def test_it_is_said_in_words_in_every_language():
    found = batch.together([*rows("", *[0.9] * 38), *rows("", 0.9, 0.9, in_domain=False)], SPEC)
    figures = f"p(ALL) {found.p_all:.2f} ({found.low:.2f} to {found.high:.2f})"
    assert together(found) == (
        f"Together, if these are cells of one person: ALL, {figures}, carried by 38 of 40 cells."
    )
    assert together(found, "a{b}.zip").startswith("a{b}.zip, if these are cells of one person: ALL, p(ALL)")
    assert together(found, ".", GERMAN).startswith("Die einzelnen Dateien, falls ")
    assert figures.replace("to", "bis").replace(".", ",") in together(found, "", GERMAN)


@pytest.mark.parametrize(
    ("p_all", "in_domain", "spec", "reason"),
    [(0.5, True, SPEC, sentence("together_between", low=0.2, high=0.8)),
     (0.9, False, SPEC, sentence("none_known")),
     (0.9, True, None, sentence("one_by_one"))],
)  # fmt: skip
def test_unsure_has_a_reason_in_every_language(p_all, in_domain, spec, reason):
    found = decide([math.log(p_all / (1 - p_all))] * 2, [in_domain] * 2, ["ALL"] * 2, spec)
    assert found.decision == "unsure" and found.reason == reason
    words = together(found)
    assert ": unsure" in words and words.endswith(reason) and "nan" not in words
    assert GERMAN.said(reason) != reason and together(found, "", GERMAN).endswith(GERMAN.said(reason))
    assert ENGLISH.said(reason) == reason
