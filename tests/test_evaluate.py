"""Scores -> figures: by cell, and by subject where one donor must not carry the result."""

from pathlib import Path

import numpy as np
import pytest

from leukovision.training.dataset import Image
from leukovision.training.evaluate import ENSEMBLE, Scores, auc_by_subject, by_subject, figures, table, write


def scores() -> Scores:
    """A healthy donor with 400 easy cells, one whose cells all look like blasts, and two with ALL."""
    rng = np.random.default_rng(0)
    donors = {"H1": (0, 400, 0.05), "H2": (0, 10, 0.9), "1": (1, 100, 0.8), "2": (1, 100, 0.7)}
    images, p_all = [], []
    for subject, (is_all, count, mean) in donors.items():
        images += [Image(Path(f"{subject}_{n}.bmp"), is_all, subject, "fold_0", "") for n in range(count)]
        p_all += list(np.clip(rng.normal(mean, 0.02, count), 0, 1))
    decisions = ["ALL" if p >= 0.5 else "healthy" for p in p_all]
    return Scores(images, {ENSEMBLE: np.array(p_all)}, decisions)


def test_one_easy_donor_carries_the_auc_over_cells_but_not_the_one_by_subject() -> None:
    assert table(scores())[ENSEMBLE]["auc"] > 0.95
    assert auc_by_subject(scores())[ENSEMBLE] == pytest.approx(0.5, abs=0.02)


def test_subjects_are_listed_with_the_weakest_of_each_class_first() -> None:
    rows = by_subject(scores())
    assert [(row["subject"], row["accuracy"], row["cells"]) for row in rows if row["class"] == "healthy"] == [
        ("H2", 0.0, 10),
        ("H1", 1.0, 400),
    ]


def test_sensitivity_is_of_all_and_specificity_of_healthy() -> None:
    found = figures(np.array([1, 1, 1, 1, 0, 0]), np.array([0.9, 0.9, 0.9, 0.1, 0.1, 0.9]))
    assert (found["sensitivity"], found["specificity"]) == (0.75, 0.5)
    assert found["balanced_accuracy"] == 0.625


def test_one_class_alone_is_refused() -> None:
    some = scores()
    alone = Scores(some.images[:400], {ENSEMBLE: some.p_all[ENSEMBLE][:400]}, some.decisions[:400])
    with pytest.raises(ValueError, match="one class"):
        table(alone)


def test_written_figures_say_how_much_was_decided_and_how_well(tmp_path: Path) -> None:
    content = write(scores(), 0.5, tmp_path, {"only": "test"})
    assert content["decided"] == {"coverage": 1.0, "accuracy": pytest.approx(600 / 610)}
    assert {path.name for path in tmp_path.iterdir()} == {
        "figures.json", "figures.csv", "figures.md", "subjects.csv", "cells.csv",
    }  # fmt: skip
