"""What a lesson rests on: changed cells, scores of unseen cells, drawings of figures."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from leukovision import artifact, ood, synthetic
from leukovision.artifact import SCORES
from leukovision.cell import CellError, read_cell
from leukovision.demo import charts, scores
from leukovision.demo.examples import truth_of
from leukovision.demo.perturbation import MAGENTA, WINDOW, Perturbation, perturbed, window
from leukovision.demo.teach import break_it, lesson, size_shortcut, threshold
from leukovision.hub import EMBEDDED
from leukovision.i18n import ENGLISH


@pytest.fixture(scope="module")
def cell():
    return read_cell(synthetic.paint(synthetic.CellRecipe(), seed=3), "drawn")


def test_a_cell_with_no_changes_is_the_same_cell(cell):
    assert np.array_equal(perturbed(cell, Perturbation()).pixels, cell.pixels)


@pytest.mark.parametrize(
    "changes",
    [
        Perturbation(turn=35), Perturbation(size=0.7), Perturbation(size=1.3), Perturbation(brightness=1.7),
        Perturbation(blur=6), Perturbation(stain=-1), Perturbation(noise=40), Perturbation(corner=True),
        Perturbation(quality=20),
        Perturbation(covered=[(0.5, 0.5)]),
    ],
)  # fmt: skip
def test_every_change_is_seen_and_leaves_a_cell_on_black(cell, changes):
    now = perturbed(cell, changes)
    assert not np.array_equal(now.pixels, cell.pixels)
    assert now.on_black
    area = now.outline.sum() / cell.outline.sum()
    assert area == pytest.approx(changes.size**2, rel=0.05)


def test_a_cell_saved_as_a_poor_jpeg_is_told_by_its_blocks(cell):
    assert ood.blocks(perturbed(cell, Perturbation(quality=50))) > ood.BLOCKS > ood.blocks(cell)


@pytest.mark.parametrize("name", ["quality", "stain"])
def test_the_smallest_change_turns_the_decision_and_one_step_less_does_not(ensemble, cell, name):
    said, changes = break_it.turned_html(ensemble, cell, Perturbation(), name)
    value, (_, _, none, step) = getattr(changes, name), break_it.SLIDERS[name]

    def decided(value: float) -> tuple[str, bool]:
        (one,) = ensemble.analyse([perturbed(cell, Perturbation(**{name: value}))])
        return one.decision, one.in_domain

    if value == none:
        assert "none within range" in said
        return
    assert decided(value) != decided(none) == decided(value + (step if value < none else -step))
    assert f"from {ENGLISH.figure(value, 'g')} on" in said


def test_brush_and_corner_stand_where_they_were_put(cell):
    seen = window(perturbed(cell, Perturbation(covered=[(0.5, 0.5)], corner=True)))
    assert seen.shape == (WINDOW, WINDOW, 3)
    assert not seen[WINDOW // 2 - 9 : WINDOW // 2 + 9, WINDOW // 2 - 9 : WINDOW // 2 + 9].any()
    assert tuple(seen[3, 3]) == MAGENTA


def test_a_cell_that_is_covered_whole_is_said_to_be_gone(cell):
    everywhere = [(x, y) for x in np.linspace(0, 1, 24) for y in np.linspace(0, 1, 24)]
    with pytest.raises(CellError, match="drawn"):
        perturbed(cell, Perturbation(covered=everywhere))


def test_scores_of_the_embedded_ensemble_give_the_figures_of_its_card():
    found, figures = scores.read(EMBEDDED), artifact.read_manifest(EMBEDDED).figures
    told = figures["unseen"]["ensemble"]
    assert found is not None
    assert len(np.unique(found.subjects)) == figures["calibration"]["subjects"]
    assert scores.auc(found, "p_all") == pytest.approx(told["auc"]["value"], abs=0.002)
    assert scores.auc(found, "area") == pytest.approx(0.79, abs=0.02)
    line = scores.confusion(found, scores.called(found, "p_all", 0.5))
    assert line.sensitivity == pytest.approx(told["sensitivity"]["value"], abs=0.002)
    assert line.specificity == pytest.approx(told["specificity"]["value"], abs=0.002)


def test_predictive_values_follow_bayes():
    line = scores.Confusion(true_positives=90, false_negatives=10, false_positives=20, true_negatives=80)
    positive, negative = line.predictive(0.01)
    assert positive == pytest.approx(0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.2))
    assert negative == pytest.approx(0.99 * 0.8 / (0.99 * 0.8 + 0.01 * 0.1))
    assert np.isnan(scores.Confusion(0, 5, 0, 5).predictive(0.5)[0])


def test_an_ensemble_without_scores_says_so(tmp_path):
    assert scores.read(tmp_path) is None
    (tmp_path / SCORES).write_text("a,b\n1,2\n")
    assert scores.read(tmp_path) is None
    for page in (threshold.line_html(None, 0.5, 50), size_shortcut.ruler_html(None, "area", 50)):
        assert "scores.csv" in page


def test_a_number_that_is_smaller_in_all_is_called_below_the_line(tmp_path):
    shutil.copy(EMBEDDED / "ensemble.json", tmp_path)
    with (tmp_path / SCORES).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("subject", "is_all", "p_all", *scores.RULERS))
        writer.writerows((f"S{k}", int(k < 5), 0.9 if k < 5 else 0.1, k, 9 - k, k, k) for k in range(10))
    found = scores.read(tmp_path)
    assert scores.called(found, "area", 4).tolist() == [True] * 5 + [False] * 5
    assert {row[2] for row in scores.by_subject(found, scores.called(found, "area", 4))} == {1.0}


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("UID_14_11_1_all.bmp", "ALL"), ("UID_H10_1_2_hem.bmp", "healthy"), ("hem/3.png", "healthy"),
        ("small cell.png", ""), ("allen.png", ""),
    ],
)  # fmt: skip
def test_the_truth_is_read_from_names_only_where_they_tell_it(name, truth):
    assert truth_of(name) == truth


def test_drawn_cells_repeat_for_one_visitor_and_differ_for_another():
    (first, truth), (again, same) = lesson.drawn_cell(5, 0), lesson.drawn_cell(5, 0)
    assert np.array_equal(first.pixels, again.pixels) and truth == same
    assert not np.array_equal(first.pixels, lesson.drawn_cell(6, 0)[0].pixels)
    assert {lesson.drawn_cell(5, place)[1] for place in range(6)} == {"ALL", "healthy"}


def test_charts_say_in_words_what_they_draw():
    drawn = charts.trace([("as it was", 0.9), ("<blur>", 0.4)], (0.2, 0.8))
    assert "p(ALL): 0.90, 0.40" in drawn and "<blur>" not in drawn
    bars = charts.subjects([("H1", False, 0.2, 4), ("7", True, 0.9, 30)], "Right")
    assert "Below 50 %: H1" in bars and bars.count("<rect") == 2
