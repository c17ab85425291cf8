"""An ensemble's folder comes in; what it said of subjects it had not seen goes out, ready for thresholds."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from leukovision.artifact import SCORES, file_in, read_manifest
from leukovision.question import OURS, Question

RULERS = ("area", "red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Scores:
    """Out-of-fold scores, a cell each.

    Attributes:
        subjects: (n,) str.
        is_all: (n,) bool.
        values: (n,) float64 by name: p_all of the ensemble, and `RULERS`: the cell's area, px of the 450
            px frame, and its mean colours, 0 to 255.
        question: what the ensemble decides.
    """

    subjects: np.ndarray
    is_all: np.ndarray
    values: dict[str, np.ndarray]
    question: Question = OURS


@dataclass(frozen=True)
class Confusion:
    """What a threshold does: counts of cells, and what follows from them."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @property
    def sensitivity(self) -> float:
        """Of the positive cells, what is called positive."""
        return self.true_positives / max(self.true_positives + self.false_negatives, 1)

    @property
    def specificity(self) -> float:
        """Of the negative cells, what is called negative."""
        return self.true_negatives / max(self.true_negatives + self.false_positives, 1)

    def predictive(self, prevalence: float) -> tuple[float, float]:
        """Positive and negative predictive value where this share of cells is positive; nan: none called."""
        hit, alarm = prevalence * self.sensitivity, (1 - prevalence) * (1 - self.specificity)
        rest, miss = (1 - prevalence) * self.specificity, prevalence * (1 - self.sensitivity)
        return (
            hit / (hit + alarm) if hit + alarm else float("nan"),
            rest / (rest + miss) if rest + miss else float("nan"),
        )


def read(folder: Path) -> Scores | None:
    """Read `scores.csv` of an ensemble's folder; None where there is none, or it is not one."""
    try:
        with file_in(folder, SCORES).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return Scores(
            np.array([row["subject"] for row in rows]),
            np.array([row["is_all"] == "1" for row in rows]),
            {name: np.array([float(row[name]) for row in rows]) for name in ("p_all", *RULERS)},
            read_manifest(folder).question,
        )
    except (OSError, KeyError, ValueError, UnicodeDecodeError):
        return None


def auc(scores: Scores, name: str) -> float:
    """Area under the ROC curve of one number, above 0.5 where more of it speaks for the positive class."""
    ranks = stats.rankdata(scores.values[name])
    sick = scores.is_all.sum()
    below = ranks[scores.is_all].sum() - sick * (sick + 1) / 2
    return float(below / (sick * (len(ranks) - sick)))


def called(scores: Scores, name: str, line: float) -> np.ndarray:
    """(n,) bool: which cells one number and a line call positive."""
    more = name == "p_all" or auc(scores, name) >= 0.5
    return scores.values[name] >= line if more else scores.values[name] <= line


def confusion(scores: Scores, says: np.ndarray) -> Confusion:
    """Hits, false_negatives, false_positives and true_negatives of (n,) bool."""
    sick = scores.is_all
    pairs = (sick & says, sick & ~says, ~sick & says, ~sick & ~says)
    return Confusion(*(int(found.sum()) for found in pairs))


def by_subject(scores: Scores, says: np.ndarray) -> list[tuple[str, bool, float, int]]:
    """Name, whether of the positive class, share of right cells, and number of cells, of each subject."""
    right = says == scores.is_all
    rows = []
    for name in np.unique(scores.subjects):
        here = scores.subjects == name
        rows.append((str(name), bool(scores.is_all[here][0]), float(right[here].mean()), int(here.sum())))
    return rows


def by_donor(scores: Scores) -> list[tuple[str, float]]:
    """Name of each negative subject, and the share of pairs, one of their cells and a positive one with areas
    that differ by at most a tenth, in which the latter has the higher p; nobody without such a pair.

    It is `evaluation.matched` by donor: each positive subject counts alike.
    """
    p_all, area = scores.values["p_all"], np.log(scores.values["area"])
    ill = np.unique(scores.subjects[scores.is_all])
    rows = []
    for donor in np.unique(scores.subjects[~scores.is_all]):
        own, shares = scores.subjects == donor, []
        for subject in ill:
            other = scores.subjects == subject
            like = np.abs(area[other][:, None] - area[own]) <= np.log(1.1)
            if like.any():
                more = np.sign(p_all[other][:, None] - p_all[own])[like]
                shares.append(float((more + 1).mean() / 2))
        if shares:
            rows.append((str(donor), float(np.mean(shares))))
    return rows
