"""Probabilities of cells of subjects come in; figures, for these subjects and for draws of them, go out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COLUMNS = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "weighted_f1", "auc", "auc_by_subject",
    "brier", "log_loss", "ece",
)  # fmt: skip
DRAWS = 1000
BINS = 15
"""Of the calibration error, of equal width."""

_FEW = 5
"""With fewer cells a subject is too uncertain for the AUC by subject."""

Interval = dict[str, float]


@dataclass(frozen=True, eq=False)
class People:
    """The subjects of cells, and draws of them with replacement.

    Attributes:
        names: (s,) str.
        place: (n,) int, of each cell's subject in them.
        with_all: (s,) bool.
        counts: (1 + draws, s) float64: how often each is drawn, as many of each class as there are; in
            the first row each once.
    """

    names: np.ndarray
    place: np.ndarray
    with_all: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(is_all: np.ndarray, subjects: np.ndarray, draws: int = DRAWS, seed: int = 1) -> People:
        """Draw subjects.

        Raises:
            ValueError: all cells are of one class.
        """
        names, first, place = np.unique(subjects, return_index=True, return_inverse=True)
        with_all = is_all[first] == 1
        if with_all.all() or not with_all.any():
            raise ValueError("the cells are all of one class; choose some of both to evaluate on.")
        random, counts = np.random.default_rng(seed), np.ones((draws + 1, len(names)))
        for places in (np.flatnonzero(with_all), np.flatnonzero(~with_all)):
            alike = np.full(len(places), 1 / len(places))
            counts[1:, places] = random.multinomial(len(places), alike, size=draws)
        return People(names, place, with_all, counts)


def figures(
    is_all: np.ndarray, p_all: np.ndarray, people: People, decide: float = 0.5
) -> dict[str, np.ndarray]:
    """The figures of one classifier, for each draw of subjects.

    All of them are sums over subjects, or over pairs of them, so that a draw costs a product of matrices.

    Args:
        is_all: (n,) int, 1 for the positive class.
        p_all: (n,) float.
        people: the subjects of the cells.
        decide: from which p on a cell is called positive; "unsure" is not used here.

    Returns:
        (1 + draws,) float64 for each of `COLUMNS`. Sensitivity is the share of positive cells called so,
        specificity that of negative cells called so; the log loss takes p between 0.01 and 0.99
        for a vote and as it is otherwise; ECE is the expected calibration error of p in 15 bins.
        `auc_by_subject` counts every pair of subjects of both classes alike: one donor with
        hundreds of easy cells can carry the AUC over cells, but not this one. Subjects with fewer than
        five cells are left out of it, unless a class has no others.
    """

    def total(values: np.ndarray) -> np.ndarray:
        return np.asarray(people.counts @ np.bincount(people.place, values, len(people.names)))

    called, ill = p_all >= decide, is_all == 1
    hits, misses, false, rejected = (
        total(called & ill), total(~called & ill), total(called & ~ill), total(~called & ~ill),
    )  # fmt: skip
    cells = hits + misses + false + rejected
    f1 = ((hits + misses) * 2 * hits / (2 * hits + false + misses)
          + (false + rejected) * 2 * rejected / (2 * rejected + false + misses)) / cells  # fmt: skip
    sensitivity, specificity = hits / (hits + misses), rejected / (false + rejected)
    bins = np.minimum((p_all * BINS).astype(int), BINS - 1)
    gaps = [np.abs(total((bins == place) * (p_all - is_all))) for place in range(BINS)]
    auc, auc_by_subject = aucs(p_all, people)
    sure = np.clip(p_all, 1e-12, 1 - 1e-12)
    return {
        "accuracy": (hits + rejected) / cells,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "weighted_f1": f1,
        "auc": auc,
        "auc_by_subject": auc_by_subject,
        "brier": total((p_all - is_all) ** 2) / cells,
        "log_loss": total(-np.log(np.where(ill, sure, 1 - sure))) / cells,
        "ece": np.sum(gaps, axis=0) / cells,
    }


def aucs(scores: np.ndarray, people: People) -> tuple[np.ndarray, np.ndarray]:
    """(1 + draws,) float64 twice: the AUC over cells, and over pairs of subjects."""
    sizes = np.bincount(people.place, minlength=len(people.names))
    ill, well = np.flatnonzero(people.with_all), np.flatnonzero(~people.with_all)
    of_ill = people.with_all[people.place]
    # won[i, j]: pairs of a cell of i and one of j that are in the right order, ties as half of one.
    won = np.empty((len(ill), len(well)))
    for column, subject in enumerate(well):
        other = np.sort(scores[people.place == subject])
        below = (
            np.searchsorted(other, scores[of_ill]) + np.searchsorted(other, scores[of_ill], side="right")
        ) / 2
        won[:, column] = np.bincount(people.place[of_ill], below, len(people.names))[ill]

    def mean(shares: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # a draw without any large subject has no value
            return np.asarray(((rows @ shares) * columns).sum(1) / (rows.sum(1) * columns.sum(1)))

    share = won / np.outer(sizes[ill], sizes[well])
    drawn_ill, drawn_well = people.counts[:, ill], people.counts[:, well]
    large = [(sizes[of] >= _FEW) | (sizes[of] < _FEW).all() for of in (ill, well)]
    return (
        mean(share, drawn_ill * sizes[ill], drawn_well * sizes[well]),
        mean(share, drawn_ill * large[0], drawn_well * large[1]),
    )


def interval(values: np.ndarray) -> Interval:
    """(1 + draws,) float64 -> the value, and between which two 95 % of the draws lie."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5]) if len(values) > 1 else (np.nan, np.nan)
    return {"value": round(float(values[0]), 4), "low": round(float(low), 4), "high": round(float(high), 4)}
