"""Calibrated logits of cells by subject come in; what several cells of one slide tell together goes out.

Slides move the logits of all their cells up or down together. Two uses of that are measured: deciding on the
mean logit of some cells, and estimating the slide's offset from the batch and taking it out of each cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from leukovision.training.calibrate import CrossFitted
from leukovision.training.cells import Cells
from leukovision.training.figures import People, figures, interval

SIZES = (1, 5, 20, 50)
BATCHES = 40
"""Batches drawn of each subject."""

_OFFSETS = np.linspace(-3, 3, 41)
"""Offsets tried, in standard deviations of them."""


@dataclass(frozen=True)
class Slides:
    """Logits of one slide's cells: normal about its class's mean plus the slide's own offset.

    Attributes:
        means, spreads: of healthy and of ALL cells, within a slide.
        offset: standard deviation of the slides' offsets.
        prevalence: share of ALL cells.
    """

    means: tuple[float, float]
    spreads: tuple[float, float]
    offset: float
    prevalence: float

    def correct(self, logits: np.ndarray) -> np.ndarray:
        """p(ALL) of each of a slide's cells, averaged over what the offset may be, given all of them.

        Args:
            logits: (..., n) float64: n cells of one slide, each healthy or ALL by itself.

        Returns:
            (..., n) float64: an empirical Bayes estimate.
        """
        moved = logits[..., None] - self.offset * _OFFSETS
        healthy, blast = (
            np.log(share) + stats.norm.logpdf(moved, mean, spread)
            for share, mean, spread in zip(
                (1 - self.prevalence, self.prevalence), self.means, self.spreads, strict=True
            )
        )
        likely = np.logaddexp(healthy, blast).sum(-2) + stats.norm.logpdf(_OFFSETS)
        return np.asarray(
            (special.softmax(likely, -1)[..., None, :] * special.expit(blast - healthy)).sum(-1)
        )


def estimate(is_all: np.ndarray, subjects: np.ndarray, logits: np.ndarray) -> Slides:
    """Means and spreads by class, subjects alike, and the spread of the subjects' means about them."""
    _, first, place, count = np.unique(subjects, return_index=True, return_inverse=True, return_counts=True)
    mean = np.bincount(place, logits) / count
    variance = np.bincount(place, (logits - mean[place]) ** 2) / np.maximum(count - 1, 1)
    means, spreads, between = [], [], []
    for value in (0, 1):
        own = (is_all[first] == value) & (count > 1)
        own = own if own.sum() > 1 else is_all[first] == value
        within = max(float(variance[own].mean()), 1e-4)
        means.append(float(mean[own].mean()))
        spreads.append(within**0.5)
        # A subject's mean strays by chance, too; only what is beyond that is its slide's.
        between.append(float(np.var(mean[own]) - (within / count[own]).mean()))
    return Slides(
        (means[0], means[1]),
        (spreads[0], spreads[1]),
        max(float(np.mean(between)), 1e-4) ** 0.5,
        float(is_all.mean()),
    )


def several(cells: Cells, crossed: CrossFitted, draws: int = 1000, seed: int = 1) -> list[dict[str, Any]]:
    """Both uses of a slide's other cells, by how many there are, each on subjects not estimated from.

    Args:
        cells: n of them.
        crossed: their cross-fitted logits.
        draws: of subjects, for the intervals.
        seed: of the draws.

    Returns:
        For each of `SIZES`, subjects weighed alike: `alone` and `together`, the balanced accuracy of
        each cell decided by itself and of the batch by its mean logit; `log_loss` and `auc` of single
        cells, and both `_corrected` by the slide's offset. A subject with fewer cells gives all it has.
    """
    random, names = np.random.default_rng(seed), np.unique(cells.subjects)
    models = {
        fold: estimate(
            cells.is_all[crossed.folds != fold],
            cells.subjects[crossed.folds != fold],
            fitted.logit(cells.take(crossed.folds != fold)),
        )
        for fold, fitted in crossed.parameters.items()
    }
    is_all = np.array([cells.is_all[cells.subjects == name][0] for name in names])
    people = People.of(is_all, names, draws, seed)
    rows = []
    for size in SIZES:
        alone, together, batches, corrected = [], [], [], []
        for name, value in zip(names, is_all, strict=True):
            places = np.flatnonzero(cells.subjects == name)
            drawn = np.stack([random.permutation(places)[:size] for _ in range(BATCHES)])
            logits = crossed.logit[drawn]
            alone.append(((logits >= 0) == value).mean())
            together.append(((logits.mean(1) >= 0) == value).mean())
            batches.append(logits.ravel())
            corrected.append(models[str(crossed.folds[places[0]])].correct(logits).ravel())
        # Each subject repeated to the same length, so that all weigh alike in loss and AUC.
        length = BATCHES * size
        flat_people = People(names, np.repeat(np.arange(len(names)), length), people.with_all, people.counts)
        flat = np.repeat(is_all, length)
        loss = figures(
            flat, special.expit(np.concatenate([np.resize(b, length) for b in batches])), flat_people
        )
        after = figures(flat, np.concatenate([np.resize(b, length) for b in corrected]), flat_people)
        rows.append(
            {
                "cells": size,
                "alone": interval(_balanced(np.array(alone), people)),
                "together": interval(_balanced(np.array(together), people)),
                "log_loss": interval(loss["log_loss"]),
                "log_loss_corrected": interval(after["log_loss"]),
                "log_loss_change": interval(after["log_loss"] - loss["log_loss"]),
                "auc": interval(loss["auc"]),
                "auc_corrected": interval(after["auc"]),
                "auc_change": interval(after["auc"] - loss["auc"]),
            }
        )
    return rows


def _balanced(right: np.ndarray, people: People) -> np.ndarray:
    """(s,) shares called right by subject -> (1 + draws,) means of the two classes' means."""
    sides = [people.counts * side for side in (people.with_all, ~people.with_all)]
    return np.asarray(sum(side @ right / side.sum(1) for side in sides) / 2)
