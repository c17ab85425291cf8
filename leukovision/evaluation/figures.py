"""Scored cells of unseen subjects come in; figures with intervals, by cell and by subject, go out.

Every figure is by cells whose calibration was fitted without their subject, and every interval is by drawing
subjects, not cells: the next person is what the figures are for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leukovision import ood
from leukovision.evaluation import calibrate, plots, several_cells, tables
from leukovision.evaluation import predictions as table
from leukovision.evaluation.bootstrap import DRAWS, Interval, People, aucs, figures, interval
from leukovision.evaluation.calibrate import CrossFitted
from leukovision.evaluation.matched_auc import matched_auc
from leukovision.evaluation.predictions import Cells

ENSEMBLE = "ensemble"

SHORTCUTS = {
    "area": ("area",),
    "mean colour": ("red", "green", "blue"),
    "sharpness": ("sharpness",),
    "all of them": ood.LOOKS,
}
"""What tells the classes apart without a look at the cell, by what a network could find instead of it."""


def probabilities(cells: Cells, crossed: CrossFitted) -> dict[str, np.ndarray]:
    """(n,) float64, p by each member and each way to combine them.

    `mean_probability` and `majority_vote` combine networks as they come out of training, uncalibrated;
    `as_loaded` is what the ensemble itself said when the cells were scored, if it was one.
    """
    raw = np.stack([special.expit(logits) for logits in cells.logits.values()])
    return {
        **crossed.members,
        "mean_probability": raw.mean(0),
        # A vote that all agree on is no certainty, and would cost an endless log loss.
        "majority_vote": np.clip((raw >= 0.5).mean(0), 0.01, 0.99),
        "weighted_mean": crossed.weighted_mean,
        **({"as_loaded": cells.p_all} if len(set(cells.parts)) == 1 else {}),
        ENSEMBLE: special.expit(crossed.logit),
    }


def by_subject(cells: Cells, logit: np.ndarray) -> list[dict[str, Any]]:
    """For each subject what the ensemble made of it, the weakest of each class first.

    Returns:
        `subject`, `class`, `part`, `cells`, `accuracy` (share of its cells called right), `mean_p_all`,
        `mean_logit` and `called`, the decision by the mean logit.
    """
    rows = []
    for subject in np.unique(cells.subjects):
        mask = cells.subjects == subject
        is_all, own = int(cells.is_all[mask][0]), logit[mask]
        rows.append(
            {
                "subject": str(subject),
                "class": cells.question.called(is_all),
                "part": str(cells.parts[mask][0]),
                "cells": int(mask.sum()),
                "accuracy": round(float(((own >= 0) == is_all).mean()), 4),
                "mean_p_all": round(float(special.expit(own).mean()), 4),
                "mean_logit": round(float(own.mean()), 4),
                "called": cells.question.called(own.mean() >= 0),
            }
        )
    return sorted(rows, key=lambda row: (row["class"], row["accuracy"]))


def compute(
    cells: Cells,
    accuracy: float = calibrate.ACCURACY,
    draws: int = DRAWS,
    seed: int = 1,
    crossed: CrossFitted | None = None,
) -> dict[str, Any]:
    """Everything that `figures.json` holds.

    Args:
        cells: of subjects that the networks were not trained on.
        accuracy: what decided cells shall reach.
        draws: of subjects, for the intervals.
        seed: of them, and of the cells of one slide.
        crossed: what `calibrate.cross_fit` made of the cells, if it is at hand.

    Raises:
        ValueError: one class is missing, or subjects are too few to judge calibration.
    """
    people = People.of(cells.is_all, cells.subjects, draws, seed)
    crossed = crossed or calibrate.cross_fit(cells, accuracy)
    p_all = probabilities(cells, crossed)
    found = {name: _figures(cells, values, people) for name, values in p_all.items()}
    subjects = by_subject(cells, crossed.logit)
    rivals = [*cells.logits, "majority_vote"]
    sick = int(people.with_all.sum())
    return {
        "cells": len(cells.is_all),
        "subjects": dict(zip(cells.question.names, (sick, len(people.names) - sick), strict=True)),
        "parts": {str(p): int(n) for p, n in zip(*np.unique(cells.parts, return_counts=True), strict=True)},
        "prevalence": round(float(cells.is_all.mean()), 4),
        "views": cells.views,
        "draws": draws,
        "figures": {name: {c: interval(v) for c, v in columns.items()} for name, columns in found.items()},
        "log_loss_less_than": {
            name: interval(found[ENSEMBLE]["log_loss"] - found[name]["log_loss"]) for name in rivals
        },
        "decided": {"wanted_accuracy": accuracy} | _decided(cells, crossed, people),
        "rejected": _rejected(cells),
        "by_mean_logit": _by_mean_logit(cells, subjects, draws, seed),
        "shortcuts": _shortcuts(cells, crossed.folds, people),
        "area_bands": _area_bands(cells, p_all[ENSEMBLE], draws, seed),
        "slide": several_cells.several(cells, crossed, accuracy, draws, seed),
        "calibration": {fold: asdict(fitted) for fold, fitted in crossed.parameters.items()},
        "by_subject": subjects,
    }  # fmt: skip


def _figures(cells: Cells, p_all: np.ndarray, people: People) -> dict[str, np.ndarray]:
    """`bootstrap.figures`, after the one that a ruler cannot reach, where areas are known."""
    found = figures(cells.is_all, p_all, people)
    area = cells.looks.get("area")
    return found if area is None else {"matched_auc": matched_auc(p_all, area, people)} | found


def _rejected(cells: Cells) -> dict[str, float] | None:
    """The share of cells out of domain, of all and by class; None where that was not looked at."""
    if np.isnan(cells.distances).all() and cells.in_domain.all():
        return None
    (positive, negative), out = cells.question.names, ~cells.in_domain
    kinds = {"all": cells.is_all >= 0, positive: cells.is_all == 1, negative: cells.is_all == 0}
    return {name: round(float(out[mask].mean()), 4) for name, mask in kinds.items()}


def _decided(cells: Cells, crossed: CrossFitted, people: People) -> dict[str, Interval | None]:
    """How many cells are decided, and how many of these rightly."""

    def total(values: np.ndarray) -> np.ndarray:
        return np.asarray(people.counts @ np.bincount(people.place, values, len(people.names)))

    def share(part: np.ndarray, whole: np.ndarray) -> Interval | None:
        with np.errstate(invalid="ignore"):
            return interval(total(part & whole) / total(whole)) if whole.any() else None

    right, ill = (crossed.logit >= 0) == cells.is_all, cells.is_all == 1
    positive, negative = cells.question.names
    kinds = {"": ill | ~ill, f"_{positive}": ill, f"_{negative}": ~ill}
    return {f"coverage{kind}": share(crossed.decided, own) for kind, own in kinds.items()} | {
        f"accuracy{kind}": share(right, crossed.decided & own) for kind, own in kinds.items()
    }


def _by_mean_logit(
    cells: Cells, subjects: list[dict[str, Any]], draws: int, seed: int
) -> dict[str, Interval]:
    """Whole subjects decided by the mean logit of all their cells."""
    is_all = np.array([int(row["class"] == cells.question.positive) for row in subjects])
    people = People.of(is_all, np.array([row["subject"] for row in subjects]), draws, seed)
    found = figures(is_all, special.expit(np.array([row["mean_logit"] for row in subjects])), people)
    wanted = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auc")
    return {column: interval(found[column]) for column in wanted}


def _shortcuts(cells: Cells, folds: np.ndarray, people: People) -> dict[str, dict[str, Interval]]:
    """How far a logistic regression on a few numbers of a cell gets, out of fold as the networks are."""
    result = {}
    for name, looks in SHORTCUTS.items():
        if not set(looks) <= set(cells.looks):
            continue
        values = np.nan_to_num(np.stack([cells.looks[look] for look in looks], 1))
        scores = np.zeros(len(values))
        for fold in np.unique(folds):
            model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
            model.fit(values[folds != fold], cells.is_all[folds != fold])
            scores[folds == fold] = model.predict_proba(values[folds == fold])[:, 1]
        auc, auc_by_subject = aucs(scores, people)
        result[name] = {"auc": interval(auc), "auc_by_subject": interval(auc_by_subject)}
    return result


def _area_bands(cells: Cells, p_all: np.ndarray, draws: int, seed: int) -> list[dict[str, Any]]:
    """The ensemble's AUC among cells of like size, in five bands of as many cells: none of it is by size."""
    area = cells.looks.get("area", np.full(len(p_all), np.nan))
    if not np.isfinite(area).all():
        return []
    edges = np.quantile(area, np.linspace(0, 1, 6))
    band = np.searchsorted(edges[1:-1], area, side="right")
    rows = []
    for place in range(5):
        mask = band == place
        if len(set(cells.is_all[mask])) == 2:
            people = People.of(cells.is_all[mask], cells.subjects[mask], draws, seed)
            auc, _ = aucs(p_all[mask], people)
            rows.append(
                {
                    "from": round(float(edges[place]), 1),
                    "to": round(float(edges[place + 1]), 1),
                    cells.question.positive: int((cells.is_all[mask] == 1).sum()),
                    cells.question.negative: int((cells.is_all[mask] == 0).sum()),
                    "auc": interval(auc),
                }
            )
    return rows


def write(
    cells: Cells,
    out: Path,
    accuracy: float = calibrate.ACCURACY,
    given: Mapping[str, float] | None = None,
    draws: int = DRAWS,
    seed: int = 1,
) -> dict[str, Any]:
    """Write `figures.json`, `figures.md`, `figures.csv`, `subjects.csv`, and the plots with their data.

    Args:
        cells: from `cells.read`.
        out: folder, made if it is not there.
        accuracy, draws, seed: as in `compute`.

    Returns:
        What is in the JSON.
    """
    out.mkdir(parents=True, exist_ok=True)
    crossed = calibrate.cross_fit(cells, accuracy, given)
    content = compute(cells, accuracy, draws, seed, crossed)
    (out / "figures.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (out / "figures.md").write_text(tables.tables(content), encoding="utf-8")
    table.write(
        out / "figures.csv",
        [
            {"who": name}
            | {f"{column}{end}": found[key] for column, found in row.items()
               for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))}
            for name, row in content["figures"].items()
        ],
    )  # fmt: skip
    table.write(out / "subjects.csv", content["by_subject"])
    shown = {
        name: p for name, p in probabilities(cells, crossed).items() if name in (*cells.logits, ENSEMBLE)
    }
    plots.draw(cells, shown, content, out)
    return content
