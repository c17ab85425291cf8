"""The cells to try: what they are is known, and told only after the answer."""

import re

import pytest
from PIL import Image

from leukovision import synthetic
from leukovision.demo.analyse import input_html
from leukovision.demo.examples import find_examples, verdict
from leukovision.i18n import LANGUAGES


def test_pictures_in_folders_of_their_class_take_turns_and_tell_what_they_are(tmp_path):
    for name in ("all/a.png", "all/b.png", "hem/c.png", "UID_H3_1_1_hem.png", "who knows.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=1)).save(tmp_path / name)
    found = find_examples(tmp_path)
    told = dict(zip([cell.name for cell in found.cells], found.truths, strict=True))
    assert told == {
        "UID_H3_1_1_hem.png": "healthy", "all/a.png": "ALL", "who knows.png": "",
        "hem/c.png": "healthy", "all/b.png": "ALL",
    }  # fmt: skip
    assert sorted(found.truths[:3]) == ["", "ALL", "healthy"]


def test_what_an_example_is_stands_nowhere_before_the_answer():
    page = input_html(None, find_examples())
    assert not re.search("blast|lymphocyte|healthy", page)


@pytest.mark.parametrize("texts", LANGUAGES.values())
def test_after_the_answer_its_truth_is_told_and_whether_the_ensemble_was_right(texts):
    right, wrong, unsure = (
        verdict("ALL", True, decision, texts) for decision in ("ALL", "healthy", "unsure")
    )
    assert len({right, wrong, unsure}) == 3
    assert all(said.startswith(texts("teach.drawn_positive")) for said in (right, wrong, unsure))
    assert wrong.endswith(texts("analyse.verdict.wrong"))
    assert verdict("", False, "ALL", texts) == ""
