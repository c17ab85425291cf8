"""Raw logits of subjects held out of training come in; temperatures, weights, bias and the band go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special
from sklearn.model_selection import StratifiedGroupKFold

from leukovision import domain, store
from leukovision.training.cells import Cells

ACCURACY = 0.95
"""What decided cells shall reach."""

PULL = 1.0
"""How strongly the members' weights are drawn to each other, slopes to 1, and an offset to what it would be
without any donor. All cells of a slide move together, so a few tens of donors say little of these numbers,
and one with odd slides says much that holds for nobody else."""

_LEAST = 1e-3
"""Of a slope: a temperature is positive, and no more than a thousand."""


@dataclass(frozen=True)
class Parameters:
    """What turns raw logits into probabilities.

    Attributes:
        temperatures, weights: by member; the weights sum to 1.
        bias: the ensemble's logit is `bias + sum(weight * logit / temperature)`.
        alone: slope and offset of each member by itself, by which its own figures are measured. Members
            agree less than fully, so their mean logit is too timid; `temperatures` make up for that.
        band: strictly between the two p(ALL) is unsure.
    """

    temperatures: dict[str, float]
    weights: dict[str, float]
    bias: float
    alone: dict[str, tuple[float, float]]
    band: tuple[float, float]

    def logit(self, cells: Cells) -> np.ndarray:
        """(n,) float64: the ensemble's."""
        terms = [
            weight / self.temperatures[name] * cells.logits[name] for name, weight in self.weights.items()
        ]
        return np.asarray(self.bias + np.sum(terms, axis=0))

    def members(self, cells: Cells) -> dict[str, np.ndarray]:
        """(n,) float64 by member: its probability of ALL, calibrated by itself."""
        return {
            name: special.expit(slope * cells.logits[name] + offset)
            for name, (slope, offset) in self.alone.items()
        }


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """Calibrated figures of cells, each by parameters that were fitted without its own subject.

    Attributes:
        folds: (n,) str.
        parameters: by fold: fitted on all cells of the other folds.
        logit: (n,) float64: the ensemble's.
        members: (n,) float64 by member: p(ALL).
        weighted_mean: (n,) float64: the mean of `members` by the ensemble's weights.
        decided: (n,) bool: outside the band, and in domain.
    """

    folds: np.ndarray
    parameters: dict[str, Parameters]
    logit: np.ndarray
    members: dict[str, np.ndarray]
    weighted_mean: np.ndarray
    decided: np.ndarray


def weigh(is_all: np.ndarray, subjects: np.ndarray, power: float = 0.5, even: bool = False) -> np.ndarray:
    """How much each cell counts in a fit.

    Args:
        is_all: (n,) int.
        subjects: (n,) str.
        power: a subject counts by its number of cells to this power: 0 all alike, 1 by cells.
        even: both classes alike; by default each counts by its cells, so that probabilities hold at the
            share of ALL cells that the data have.

    Returns:
        (n,) float64, sum 1.
    """
    _, place, count = np.unique(subjects, return_inverse=True, return_counts=True)
    weights = count[place] ** (power - 1.0)
    for value in (0, 1):
        of = is_all == value
        weights[of] *= (0.5 if even else of.mean()) / weights[of].sum()
    return np.asarray(weights)


def fit(
    cells: Cells, accuracy: float = ACCURACY, power: float = 0.5, even: bool = False, pull: float = PULL
) -> Parameters:
    """Parameters that minimise the weighted log loss.

    First each member's slope and offset (temperature scaling, Guo et al. 2017, arXiv:1706.04599), then
    how much of each goes into the ensemble and its bias: a convex problem, its slopes at least 0.

    Args:
        cells: of subjects that the networks were not trained on.
        accuracy: what the decided cells shall reach, see `band`.
        power, even: see `weigh`.
        pull: see `PULL`.

    Raises:
        ValueError: the cells are all of one class.
    """
    if len(set(cells.is_all)) < 2:
        raise ValueError("calibration needs cells of both classes; hold out subjects of both.")
    weights = weigh(cells.is_all, cells.subjects, power, even)
    # Training draws the classes evenly, so the logits are for as many ALL as healthy cells. The offset that
    # would turn them to the shares that there are also counts on slides of a new kind: half of it is held to.
    share = weights[cells.is_all == 1].sum()
    held = 0.5 * float(special.logit(share))
    alone = {}
    for name, logits in cells.logits.items():
        (slope,), offset = _logistic(logits[:, None], cells.is_all, weights, pull, held)
        alone[name] = float(slope), float(offset)
    calibrated = np.stack([slope * cells.logits[name] + offset for name, (slope, offset) in alone.items()], 1)
    shares, bias = _logistic(calibrated, cells.is_all, weights, pull, 0.0)
    bias += float(sum(share * offset for share, (_, offset) in zip(shares, alone.values(), strict=True)))
    # Shares that do not sum to 1 scale all temperatures alike: the ensemble is the same, to the last digit.
    parameters = Parameters(
        {name: float(1 / (slope * shares.sum())) for name, (slope, _) in alone.items()},
        {name: float(share / shares.sum()) for name, share in zip(alone, shares, strict=True)},
        float(bias),
        alone,
        (0.5, 0.5),
    )
    p_all = special.expit(parameters.logit(cells))
    return Parameters(
        parameters.temperatures,
        parameters.weights,
        parameters.bias,
        alone,
        band(p_all, cells.is_all, accuracy),
    )


def _logistic(
    values: np.ndarray, is_all: np.ndarray, weights: np.ndarray, pull: float, held: float
) -> tuple[np.ndarray, float]:
    """Positive slopes of (n, k) values and an offset that minimise the log loss, with slopes drawn together
    and their sum to 1, the offset to `held`."""
    sign = np.where(is_all, 1.0, -1.0)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (values @ x[:-1] + x[-1])
        apart, more, away = x[:-1] - x[:-1].mean(), x[:-1].sum() - 1, x[-1] - held
        slope = -weights * sign * special.expit(-margin)
        gradient = np.append(values.T @ slope + 2 * pull * (apart + more), slope.sum() + 2 * pull * away)
        penalty = pull * (apart @ apart + more**2 + away**2)
        return float(weights @ np.logaddexp(0, -margin) + penalty), gradient

    count = values.shape[1]
    start = np.append(np.full(count, 1 / count), 0.0)
    bounds = [(_LEAST, None)] * count + [(None, None)]
    found = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def band(p_all: np.ndarray, is_all: np.ndarray, accuracy: float) -> tuple[float, float]:
    """The band around 0.5 outside which the accuracy is reached, with as many cells decided as can be.

    Args:
        p_all: (n,) float, calibrated.
        is_all: (n,) int.
        accuracy: of the decided cells, each counted alike.

    Returns:
        p(ALL) up to which a cell is healthy and from which it is ALL, in hundredths; the two sides may
        differ. (0, 1) where no band reaches it.
    """
    lows, highs = np.arange(51) / 100, np.arange(50, 101) / 100
    below, above = p_all[:, None] <= lows, p_all[:, None] >= highs
    # At 0.5 itself a cell is ALL, so the lowest side must leave it to the other.
    below[:, -1] &= p_all < 0.5
    decided = below.sum(0)[:, None] + above.sum(0)
    right = (below & (is_all == 0)[:, None]).sum(0)[:, None] + (above & (is_all == 1)[:, None]).sum(0)
    reached = (right >= accuracy * decided) & (decided > 0)
    if not reached.any():
        return 0.0, 1.0
    low, high = np.unravel_index(np.argmax(np.where(reached, decided, 0)), decided.shape)
    return float(lows[low]), float(highs[high])


def folds(cells: Cells) -> np.ndarray:
    """What cross-fitting leaves out at once: the parts; of one part, up to four sets of its subjects.

    Returns:
        (n,) str.

    Raises:
        ValueError: one part with fewer than two subjects of a class.
    """
    if len(set(cells.parts)) > 1:
        return cells.parts
    people = [len(set(cells.subjects[cells.is_all == value])) for value in (0, 1)]
    if min(people) < 2:
        raise ValueError(
            f"{people[1]} subjects with ALL and {people[0]} healthy are too few: calibration is judged on "
            "subjects that it was not set on, which takes at least two of each class."
        )
    result = np.full(len(cells.is_all), "", dtype=object)
    splits = StratifiedGroupKFold(min(4, *people)).split(cells.subjects, cells.is_all, cells.subjects)
    for fold, (_, places) in enumerate(splits):
        result[places] = str(fold)
    return result.astype(str)


def cross_fit(
    cells: Cells, accuracy: float = ACCURACY, power: float = 0.5, even: bool = False, pull: float = PULL
) -> CrossFitted:
    """Calibrate each cell by parameters fitted on the other `folds`; arguments as in `fit`.

    Raises:
        ValueError: as `folds` and `fit`.
    """
    where, count = folds(cells), len(cells.is_all)
    parameters: dict[str, Parameters] = {}
    logit, mean, outside = np.zeros(count), np.zeros(count), np.zeros(count, dtype=bool)
    members = {name: np.zeros(count) for name in cells.logits}
    for fold in map(str, np.unique(where)):
        here = where == fold
        fitted = parameters[fold] = fit(cells.take(~here), accuracy, power, even, pull)
        own = cells.take(here)
        logit[here] = fitted.logit(own)
        for name, p_all in fitted.members(own).items():
            members[name][here] = p_all
            mean[here] += fitted.weights[name] * p_all
        p_all = special.expit(logit[here])
        outside[here] = (p_all <= fitted.band[0]) | (p_all >= fitted.band[1])
    return CrossFitted(where, parameters, logit, members, mean, outside & cells.in_domain)


def calibrate(manifest: store.Manifest, cells: Cells, accuracy: float = ACCURACY) -> store.Manifest:
    """Temperatures, weights, bias and abstention band of an ensemble, fitted on all cells.

    Args:
        manifest: of the ensemble.
        cells: what the same recipe said of subjects it was not trained on.
        accuracy: what the decided cells shall reach.

    Returns:
        The manifest with them. `figures.calibration` says what was wanted, what is reached on the cells
        they were set on, and what on subjects they were not set on (cross-fitted). Where it has a
        domain and the cells have distances, the distance from which a cell is rejected is set too.

    Raises:
        ValueError: a member has no logits in `cells`, some have no distance, or as `cross_fit`.
    """
    if missing := [m.backbone for m in manifest.members if m.backbone not in cells.logits]:
        raise ValueError(f"there are no held-out logits of {', '.join(missing)} to calibrate on.")
    names = [member.backbone for member in manifest.members]
    cells = Cells(**{**vars(cells), "logits": {name: cells.logits[name] for name in names}})
    crossed, fitted = cross_fit(cells, accuracy), fit(cells, accuracy)
    p_all = special.expit(fitted.logit(cells))
    outside = ((p_all <= fitted.band[0]) | (p_all >= fitted.band[1])) & cells.in_domain
    reached = {
        "wanted_accuracy": accuracy,
        "accuracy": _right(p_all, cells.is_all, outside),
        "coverage": round(float(outside.mean()), 4),
        "accuracy_of_unseen_subjects": _right(special.expit(crossed.logit), cells.is_all, crossed.decided),
        "coverage_of_unseen_subjects": round(float(crossed.decided.mean()), 4),
        "prevalence": round(float(cells.is_all.mean()), 4),
        "weighing": "classes as they come, in one each subject by the square root of its cells",
        "cells": len(cells.is_all),
        "subjects": len(set(cells.subjects)),
    }
    limited = manifest.domain
    if limited and np.isfinite(cells.distances).any():
        limited = limited.model_copy(update={"distance": domain.threshold(cells.distances)})
    members = [
        member.model_copy(
            update={
                "temperature": round(fitted.temperatures[member.backbone], 4),
                "weight": fitted.weights[member.backbone],
            }
        )
        for member in manifest.members
    ]
    return manifest.model_copy(
        update={
            "members": tuple(members),
            "bias": round(fitted.bias, 4),
            "domain": limited,
            "thresholds": store.Thresholds(decide=0.5, abstain=fitted.band),
            "figures": manifest.figures | {"calibration": reached},
        }
    )


def scores(cells: Cells, accuracy: float = ACCURACY) -> list[dict[str, Any]]:
    """Rows of `store.SCORES`: subject, class, cross-fitted p(ALL), area and mean colours of each cell.

    Raises:
        ValueError: as `cross_fit`.
    """
    p_all = special.expit(cross_fit(cells, accuracy).logit)
    looks = {name: cells.looks[name] for name in ("area", "red", "green", "blue") if name in cells.looks}
    return [
        {"subject": subject, "is_all": int(is_all), "p_all": f"{p:.4f}"}
        | {name: f"{values[place]:.5g}" for name, values in looks.items()}
        for place, (subject, is_all, p) in enumerate(zip(cells.subjects, cells.is_all, p_all, strict=True))
    ]


def _right(p_all: np.ndarray, is_all: np.ndarray, decided: np.ndarray) -> float | None:
    """Share of the decided cells that are called right; None if there are none."""
    return round(float(((p_all >= 0.5) == is_all)[decided].mean()), 4) if decided.any() else None
