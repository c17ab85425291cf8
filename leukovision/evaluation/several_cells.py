"""Calibrated logits of cells by subject come in; what several cells of one slide tell together goes
out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from leukovision.evaluation.bootstrap import Interval, People, interval
from leukovision.evaluation.calibrate import CrossFitted, estimate
from leukovision.evaluation.predictions import Cells
from leukovision.slide import logit

SIZES = (1, 5, 20, 50)
BATCHES = 40
"""Batches drawn of each subject."""


def several(
    cells: Cells, crossed: CrossFitted, accuracy: float, draws: int = 1000, seed: int = 1
) -> list[dict[str, Any]]:
    """What cells of one slide say together, by how many there are, each slide judged by what was estimated
    from subjects of other folds.

    Args:
        cells: n of them.
        crossed: their cross-fitted logits.
        accuracy: as in `estimate`.
        draws: of subjects, for the intervals.
        seed: of the draws.

    Returns:
        For each of `SIZES`, subjects weighed alike within a class and classes alike: `alone` and `together`,
        the balanced accuracy of each cell by itself and of the batch; `decided`, the share of batches that
        are not unsure, and `accuracy` of these. A subject with fewer cells gives all it has.
    """
    random, names = np.random.default_rng(seed), np.unique(cells.subjects)
    specs = {
        fold: estimate(
            cells.is_all[crossed.folds != fold],
            cells.subjects[crossed.folds != fold],
            fitted.logit(cells.take(crossed.folds != fold)),
            accuracy,
        )
        for fold, fitted in crossed.parameters.items()
    }
    is_all = np.array([cells.is_all[cells.subjects == name][0] for name in names])
    people = People.of(is_all, names, draws, seed)
    rows = []
    for size in SIZES:
        alone, together, decided, right = (np.zeros(len(names)) for _ in range(4))
        for number, (name, value) in enumerate(zip(names, is_all, strict=True)):
            places = np.flatnonzero(cells.subjects == name)
            drawn = np.stack([random.permutation(places)[:size] for _ in range(BATCHES)])
            logits = crossed.logit[drawn]
            spec = specs[str(crossed.folds[places[0]])]
            p_all = special.expit(logit(logits.mean(1), logits.shape[1], spec))
            sure = (p_all <= spec.abstain[0]) | (p_all >= spec.abstain[1])
            alone[number] = ((logits >= 0) == value).mean()
            together[number] = ((p_all >= 0.5) == value).mean()
            decided[number], right[number] = sure.mean(), (sure & ((p_all >= 0.5) == value)).mean()
        rows.append(
            {
                "cells": size,
                "alone": interval(_balanced(alone, people)),
                "together": interval(_balanced(together, people)),
                "decided": interval(_balanced(decided, people)),
                "accuracy": _of_decided(right, decided, people),
            }
        )
    return rows


def _balanced(shares: np.ndarray, people: People) -> np.ndarray:
    """(s,) shares by subject -> (1 + draws,) means of the two classes' means."""
    sides = [people.counts * side for side in (people.with_all, ~people.with_all)]
    return np.asarray(sum(side @ shares / side.sum(1) for side in sides) / 2)


def _of_decided(right: np.ndarray, decided: np.ndarray, people: People) -> Interval | None:
    if not decided.any():
        return None
    with np.errstate(invalid="ignore"):  # a draw in which nobody is decided has no value
        return interval(_balanced(right, people) / _balanced(decided, people))
