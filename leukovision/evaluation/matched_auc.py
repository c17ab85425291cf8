"""Scores of cells and their areas come in; how well cells of one size are told apart goes out.

Nine in ten cells of C-NMC's donors are smaller than most blasts, so a ruler alone reaches an AUC of 0.83,
and fails on new people, whose cells are as large. Among cells of one area a ruler knows nothing.
"""

from __future__ import annotations

import numpy as np

from leukovision.evaluation.bootstrap import People

WITHIN = 1.1
"""Areas of a pair differ by at most this factor."""


def matched_auc(scores: np.ndarray, area: np.ndarray, people: People) -> np.ndarray:
    """The share of pairs, a positive and a negative cell of like area, in which the first scores higher.

    Args:
        scores: (n,) float64, more speaks for the positive class.
        area: (n,) float64, px.
        people: the subjects of the cells, and draws of them.

    Returns:
        (1 + draws,) float64: the mean over pairs of a positive and a negative subject that have such
        cells, ties as half; in the first row of all subjects.
    """
    ill, well = np.flatnonzero(people.with_all), np.flatnonzero(~people.with_all)
    places = [np.flatnonzero(people.place == subject) for subject in range(len(people.names))]
    size = np.log(area)
    won, there = np.zeros((2, len(ill), len(well)))
    for row, subject in enumerate(ill):
        ours = places[subject][:, None]
        for column, other in enumerate(well):
            theirs = places[other][None]
            like = np.abs(size[ours] - size[theirs]) <= np.log(WITHIN)
            if like.any():
                higher = (scores[ours] > scores[theirs]) + 0.5 * (scores[ours] == scores[theirs])
                won[row, column], there[row, column] = higher[like].mean(), 1
    drawn_ill, drawn_well = people.counts[:, ill], people.counts[:, well]
    with np.errstate(invalid="ignore"):  # a draw without any such pair has no value
        return np.asarray(((drawn_ill @ won) * drawn_well).sum(1) / ((drawn_ill @ there) * drawn_well).sum(1))
