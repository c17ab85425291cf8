"""Labelled images come in; traits, their ranges and how well each alone tells the classes apart go out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leukovision import artifact
from leukovision.cell import read_cell
from leukovision.evaluation import predictions
from leukovision.evaluation.bootstrap import People, aucs, interval
from leukovision.evaluation.matched_auc import matched_auc
from leukovision.evaluation.tables import grid, shown
from leukovision.explain.trait_ranges import PERCENTILES, Ranges
from leukovision.explain.traits import NAMES, traits
from leukovision.question import OURS, Question
from leukovision.training.dataset import Image

FEWEST = 20
"""Cells of each class in which a trait must be measured, at least, to have a range."""


def trait_rows(
    images: Sequence[Image],
    progress: Callable[[int], object] = lambda _: None,
    question: Question = OURS,
) -> list[dict[str, Any]]:
    """The traits of labelled images.

    Returns:
        A row of `traits.csv` each: file, subject, class, and each trait, None where it cannot be measured.

    Raises:
        CellError: an image that cannot be read.
    """
    rows = []
    for count, image in enumerate(images, 1):
        found = traits(read_cell(image.path))
        own = {"file": image.path.name, "subject": image.subject, "class": question.called(image.is_all)}
        rows.append(own | {name: getattr(found, name) for name in NAMES})
        progress(count)
    return rows


def summary(rows: Sequence[dict[str, Any]], draws: int = 1000, question: Question = OURS) -> Ranges:
    """Ranges by class, and figures of each trait alone, of `trait_rows`.

    The figures are AUCs with intervals over subjects: over cells, over pairs of subjects, and among cells of
    one area.

    Raises:
        ValueError: all cells are of one class.
    """
    classes = (question.negative, question.positive)
    kinds, subjects = (np.array([row[key] for row in rows]) for key in ("class", "subject"))
    area = np.array([row["area"] or np.nan for row in rows], dtype=float)
    found = {}
    for name in NAMES:
        values = np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)
        there = ~np.isnan(values)
        of = {kind: values[there & (kinds == kind)] for kind in classes}
        if min(map(len, of.values())) < FEWEST:
            continue
        people = People.of((kinds[there] == question.positive).astype(int), subjects[there], draws)
        over_cells, by_subject = aucs(values[there], people)
        figures = {
            "auc": over_cells,
            "auc_by_subject": by_subject,
            "matched_auc": matched_auc(values[there], area[there], people),
        }
        found[name] = {
            "percentiles": {
                kind: np.percentile(own, PERCENTILES).round(4).tolist() for kind, own in of.items()
            },
            "cells": {kind: len(own) for kind, own in of.items()},
            "figures": {key: interval(own) for key, own in figures.items() if np.isfinite(own).all()},
        }
    return Ranges.model_validate(
        {
            "cells": {kind: int((kinds == kind).sum()) for kind in classes},
            "subjects": {kind: len(set(subjects[kinds == kind])) for kind in classes},
            "traits": found,
        }
    )


def write(rows: Sequence[dict[str, Any]], out: Path, question: Question = OURS) -> Ranges:
    """Write `traits.csv`, and `traits.json` for an ensemble's folder."""
    content = summary(rows, question=question)
    predictions.write(out / "traits.csv", rows)
    text = json.dumps(content.model_dump(mode="json"), indent=1, ensure_ascii=False)
    artifact.write_whole(out / artifact.TRAITS, (text + "\n").encode())
    return content


def as_markdown(content: Ranges) -> str:
    """The table of `docs/traits.md`."""
    head = [
        "trait",
        *(f"{kind}: median (5 to 95 %), cells" for kind in content.cells),
        "AUC",
        "by subject",
        "one size",
    ]
    lines = []
    for name, one in content.traits.items():
        ranges = [
            "{1} ({0} to {2}), {3}".format(*map(_short, (own[0], own[2], own[4])), one.cells[kind])
            for kind in content.cells
            for own in [one.percentiles[kind]]
        ]
        figures = [
            shown(own.model_dump()) if (own := one.figures.get(key)) else ""
            for key in ("auc", "auc_by_subject", "matched_auc")
        ]
        lines.append([name.replace("_", " "), *ranges, *figures])
    return grid(head, lines)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
