"""An ensemble and labelled images come in; a table of figures, by cell and by subject, goes out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn import metrics

from leukovision.backbones import BACKBONES
from leukovision.cell import read_cell
from leukovision.ensemble import Ensemble
from leukovision.training.dataset import Image

ENSEMBLE = "ensemble"
COLUMNS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "weighted_f1", "auc")

_CHUNK = 64


@dataclass(frozen=True)
class Scores:
    """What an ensemble said of labelled images.

    Attributes:
        images: n of them.
        p_all: (n,) float64 by member, and under `ENSEMBLE` for the ensemble.
        decisions: n of "ALL", "healthy", "unsure".
    """

    images: Sequence[Image]
    p_all: dict[str, np.ndarray]
    decisions: list[str]

    @property
    def is_all(self) -> np.ndarray:
        """(n,) int, 1 for ALL."""
        return np.array([image.is_all for image in self.images])


def score(
    ensemble: Ensemble,
    images: Sequence[Image],
    views: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Scores:
    """Analyse labelled images.

    Args:
        ensemble: what to measure.
        images: what to measure it on.
        views: as in `Ensemble.analyse`.
        progress: called with how many are done.

    Raises:
        CellError: an image that cannot be read.
    """
    columns: dict[str, list[float]] = {name: [] for name in (*ensemble.networks, ENSEMBLE)}
    decisions: list[str] = []
    for start in range(0, len(images), _CHUNK):
        cells = [read_cell(image.path) for image in images[start : start + _CHUNK]]
        for analysis in ensemble.analyse(cells, views):
            decisions.append(analysis.decision)
            columns[ENSEMBLE].append(analysis.p_all)
            for name, member in analysis.members.items():
                columns[name].append(member.p_all)
        progress(len(decisions))
    return Scores(images, {name: np.array(values) for name, values in columns.items()}, decisions)


def figures(is_all: np.ndarray, p_all: np.ndarray, decide: float = 0.5) -> dict[str, float]:
    """The figures of one classifier.

    Args:
        is_all: (n,) int, 1 for ALL; both classes must be there.
        p_all: (n,) float.
        decide: from which p(ALL) on a cell is called ALL; "unsure" is not used here.

    Returns:
        A value for each of `COLUMNS`; sensitivity is the share of ALL cells called ALL, specificity
        that of healthy cells called healthy.
    """
    called = (p_all >= decide).astype(int)
    return {
        "accuracy": float(metrics.accuracy_score(is_all, called)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(is_all, called)),
        "sensitivity": float(metrics.recall_score(is_all, called)),
        "specificity": float(metrics.recall_score(is_all, called, pos_label=0)),
        "weighted_f1": float(metrics.f1_score(is_all, called, average="weighted")),
        "auc": float(metrics.roc_auc_score(is_all, p_all)),
    }


def table(scores: Scores, decide: float = 0.5) -> dict[str, dict[str, float]]:
    """`figures` of each member and of the ensemble.

    Raises:
        ValueError: only one class is there, so that most figures have no value.
    """
    if len(set(scores.is_all)) < 2:
        raise ValueError("the images are all of one class; choose some of both to evaluate on.")
    return {
        name: figures(scores.is_all, p_all, decide if name == ENSEMBLE else 0.5)
        for name, p_all in scores.p_all.items()
    }


def auc_by_subject(scores: Scores) -> dict[str, float]:
    """AUC with every pair of an ALL subject and a healthy one counted alike, by member and ensemble.

    One donor with hundreds of easy cells can carry the AUC over cells; it cannot carry this one.
    Subjects with fewer than five cells are left out, unless there are no others.
    """
    places: dict[str, list[int]] = {}
    for place, image in enumerate(scores.images):
        places.setdefault(image.subject, []).append(place)
    large = {subject: found for subject, found in places.items() if len(found) >= 5} or places
    with_all, healthy = (
        [np.array(found) for found in large.values() if scores.is_all[found[0]] == value] for value in (1, 0)
    )
    if not with_all or not healthy:
        return {}
    return {
        name: float(
            np.mean(
                [
                    metrics.roc_auc_score(
                        np.repeat([1, 0], [len(ill), len(well)]), p_all[np.concatenate([ill, well])]
                    )
                    for ill in with_all
                    for well in healthy
                ]
            )
        )
        for name, p_all in scores.p_all.items()
    }


def by_subject(scores: Scores, decide: float = 0.5) -> list[dict[str, str | int | float]]:
    """For each subject: class, cells, share called right by the ensemble, mean p(ALL); weakest first."""
    p_all = scores.p_all[ENSEMBLE]
    right = (p_all >= decide) == scores.is_all
    subjects = np.array([image.subject for image in scores.images])
    rows: list[dict[str, str | int | float]] = [
        {
            "subject": str(subject),
            "class": "ALL" if scores.is_all[mask][0] else "healthy",
            "cells": int(mask.sum()),
            "accuracy": float(right[mask].mean()),
            "mean_p_all": float(p_all[mask].mean()),
        }
        for subject in np.unique(subjects)
        for mask in [subjects == subject]
    ]
    return sorted(rows, key=lambda row: (str(row["class"]), row["accuracy"]))


def write(scores: Scores, decide: float, out: Path, about: dict[str, object]) -> dict[str, object]:
    """Write `figures.json`, `figures.csv`, `figures.md`, `subjects.csv` and `cells.csv`.

    Args:
        scores: from `score`.
        decide: the ensemble's threshold.
        out: folder, made if it is not there.
        about: what was measured on what, for the JSON.

    Returns:
        What is in the JSON.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows, subjects, aucs = table(scores, decide), by_subject(scores, decide), auc_by_subject(scores)
    decided = np.array([decision != "unsure" for decision in scores.decisions])
    called_all = np.array([decision == "ALL" for decision in scores.decisions])
    right = called_all[decided] == scores.is_all[decided]
    content: dict[str, object] = {
        **about,
        "cells": len(scores.images),
        "figures": rows,
        "auc_by_subject": aucs,
        "decided": {
            "coverage": float(decided.mean()),
            "accuracy": float(right.mean()) if decided.any() else None,
        },
        "subjects": subjects,
    }
    (out / "figures.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (out / "figures.md").write_text(_markdown(rows, aucs, subjects), encoding="utf-8")
    _write_csv(out / "figures.csv", [{"who": name, **row} for name, row in rows.items()])
    _write_csv(out / "subjects.csv", subjects)
    _write_csv(
        out / "cells.csv",
        [
            {
                "file": image.path.name,
                "subject": image.subject,
                "class": "ALL" if image.is_all else "healthy",
                "decision": decision,
                **{f"p_all_{name}": float(p_all[place]) for name, p_all in scores.p_all.items()},
            }
            for place, (image, decision) in enumerate(zip(scores.images, scores.decisions, strict=True))
        ],
    )
    return content


def _markdown(
    rows: dict[str, dict[str, float]],
    aucs: dict[str, float],
    subjects: list[dict[str, str | int | float]],
) -> str:
    """The tables as a README or a model card shows them."""
    titles = {name: BACKBONES[name].title if name in BACKBONES else f"**{name}**" for name in rows}
    lines = [
        "| | " + " | ".join(column.replace("_", " ") for column in COLUMNS) + " | auc by subject |",
        "|---" * (len(COLUMNS) + 2) + "|",
        *(
            f"| {titles[name]} | "
            + " | ".join(f"{row[column]:.3f}" for column in COLUMNS)
            + (f" | {aucs[name]:.3f} |" if aucs else " | |")
            for name, row in rows.items()
        ),
        "",
        "| subject | class | cells | called right | mean p(ALL) |",
        "|---|---|---|---|---|",
        *(
            f"| {row['subject']} | {row['class']} | {row['cells']} "
            f"| {row['accuracy']:.2f} | {row['mean_p_all']:.2f} |"
            for row in subjects
        ),
    ]
    return "\n".join(lines) + "\n"


def _write_csv(path: Path, rows: Sequence[dict[str, str | int | float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
