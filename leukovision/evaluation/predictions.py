"""The table that `evaluate` writes comes in; its columns as arrays go out, for figures and calibration."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leukovision.artifact import SCORES, write_whole
from leukovision.question import OURS, Question

LOGIT = "logit_"
"""Before a member's name: the column of its raw logit, before any calibration."""

_SCORED = ("area", "red", "green", "blue")
_FIXED = ("file", "subject", "class", "part", "views", "decision", "p_all", "in_domain", "distance")


@dataclass(frozen=True, eq=False)
class Cells:
    """What networks said of cells of subjects they were not trained on.

    Attributes:
        is_all: (n,) int, 1 for the positive class.
        subjects: (n,) str.
        parts: (n,) str: which ensemble scored the cell; subjects of one part were held out together.
        logits: (n,) float64 by member: raw, not calibrated.
        p_all: (n,) float64: the ensemble's, calibrated or not as it then was.
        in_domain: (n,) bool.
        distances: (n,) float64: from what the ensemble was trained on; nan where it cannot tell.
        looks: (n,) float64 by name: area, colour, sharpness of the cell.
        views: how many ways each cell was turned.
        question: what was decided.
    """

    is_all: np.ndarray
    subjects: np.ndarray
    parts: np.ndarray
    logits: dict[str, np.ndarray]
    p_all: np.ndarray
    in_domain: np.ndarray
    distances: np.ndarray
    looks: dict[str, np.ndarray] = field(default_factory=dict)
    views: int = 1
    question: Question = OURS

    def take(self, chosen: np.ndarray) -> Cells:
        """Only the cells of an (n,) bool mask."""
        return Cells(
            self.is_all[chosen],
            self.subjects[chosen],
            self.parts[chosen],
            {name: values[chosen] for name, values in self.logits.items()},
            self.p_all[chosen],
            self.in_domain[chosen],
            self.distances[chosen],
            {name: values[chosen] for name, values in self.looks.items()},
            self.views,
            self.question,
        )


def read(path: Path, question: Question = OURS) -> Cells:
    """Read `cells.csv`, of what was decided on that question.

    Raises:
        ValueError: a column is missing, a value is not a number, the cells are of one class or of another, or
            a subject is of two classes or in two parts.
        FileNotFoundError: there is no such file.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    members = [column for column in columns if column.startswith(LOGIT)]
    if not members or (missing := [column for column in _FIXED if column not in columns]):
        lacking = "a column logit_<member>" if not members else ", ".join(missing)
        raise ValueError(f"{path}: {lacking} missing; wanted is the cells.csv that `evaluate` writes.")

    def numbers(column: str) -> np.ndarray:
        try:
            return np.array([float(row[column]) for row in rows])
        except (TypeError, ValueError):
            raise ValueError(f"{path}: column {column} holds something that is not a number.") from None

    found = {row["class"] for row in rows}
    if odd := sorted(found - set(question.names)):
        raise ValueError(
            f"{path}: class {odd[0]!r} is neither of {' and '.join(question.names)}; give the question that "
            "was asked (--question)."
        )
    if len(found) < 2:
        raise ValueError(f"{path}: the cells are all of one class; choose some of both to evaluate on.")
    kinds: dict[str, tuple[str, str]] = {}
    for row in rows:
        kind = row["class"], row["part"]
        if kinds.setdefault(row["subject"], kind) != kind:
            raise ValueError(
                f"{path}: subject {row['subject']} has two classes or is in two parts; no part may be "
                "judged by what was set on its own subjects."
            )
    return Cells(
        np.array([int(row["class"] == question.positive) for row in rows]),
        np.array([row["subject"] for row in rows]),
        np.array([row["part"] for row in rows]),
        {column.removeprefix(LOGIT): numbers(column) for column in members},
        numbers("p_all"),
        np.array([row["in_domain"] == "True" for row in rows]),
        numbers("distance"),
        {column: numbers(column) for column in columns if column not in (*_FIXED, *members)},
        int(numbers("views")[0]),
        question,
    )


def of_scores(path: Path, groups: Mapping[str, str] | None = None, question: Question = OURS) -> Cells:
    """Read `artifact.SCORES` of an ensemble's folder, which has the ensemble's p and not its members'.

    Args:
        path: the file.
        groups: the part of each subject; by default all are in one.
        question: what was decided.

    Returns:
        Cells with one member, "ensemble". Whether they were in domain is not in the file: all count as such.

    Raises:
        ValueError: it is another table.
        FileNotFoundError: there is no such file.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        # Four digits are kept, so that 0 and 1 stand for what is nearer to them than half of the last.
        p_all = np.clip([float(row["p_all"]) for row in rows], 5e-5, 1 - 5e-5)
        looks = {name: np.array([float(row[name]) for row in rows]) for name in _SCORED}
        is_all = np.array([int(row["is_all"]) for row in rows])
        subjects = np.array([row["subject"] for row in rows])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: not the {SCORES} that `calibrate` writes.") from None
    parts = np.array([(groups or {}).get(subject, "") for subject in subjects])
    unknown = np.full(len(rows), np.nan)
    logits = {"ensemble": np.log(p_all / (1 - p_all))}
    return Cells(
        is_all,
        subjects,
        parts,
        logits,
        p_all,
        np.ones(len(rows), dtype=bool),
        unknown,
        looks,
        question=question,
    )


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table with the columns of its first row, whole or not at all; its folder is made too."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
