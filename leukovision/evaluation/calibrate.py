"""Raw logits of subjects held out of training come in; temperatures, weights, bias and the band go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special
from sklearn.model_selection import StratifiedGroupKFold

from leukovision import artifact, ood
from leukovision.evaluation.predictions import Cells
from leukovision.training.sampling import chances

ACCURACY = 0.9
"""What decided cells shall reach, those called positive and those called negative each."""

PENALTY = 0.1
"""How strongly the members' weights are drawn to each other, slopes to 1, and an offset to 0. All cells of a
slide move together, so a few tens of donors say little of these numbers, and one with odd slides says much
that holds for nobody else."""

_FLAT = 1e-4
"""Of a variance."""

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
        band: strictly between the two probabilities is unsure.
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
        """(n,) float64 by member: its probability of the positive class, calibrated by itself."""
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
        members: (n,) float64 by member: a probability.
        weighted_mean: (n,) float64: the mean of `members` by the ensemble's weights.
        decided: (n,) bool: outside the band, and in domain.
    """

    folds: np.ndarray
    parameters: dict[str, Parameters]
    logit: np.ndarray
    members: dict[str, np.ndarray]
    weighted_mean: np.ndarray
    decided: np.ndarray


def weigh(cells: Cells) -> np.ndarray:
    """(n,) float64, sum 1: how much each cell counts, as it is drawn in training: classes alike among cells
    of one size, subjects by the square root of their cells. So p is for where size tells nothing, and the
    few donors whose cells are as large as those of the other class are heard beside those with many small."""
    return chances(cells.is_all, cells.subjects, cells.looks.get("area"))


def fit(
    cells: Cells,
    accuracy: float = ACCURACY,
    given: Mapping[str, float] | None = None,
    penalty: float = PENALTY,
) -> Parameters:
    """Parameters that minimise the weighted log loss.

    First each member's slope and offset (temperature scaling, Guo et al. 2017, arXiv:1706.04599), then
    how much of each goes into the ensemble and its bias: a convex problem, its slopes at least 0.

    Args:
        cells: of subjects that the networks were not trained on.
        accuracy: what the decided cells shall reach, see `band`.
        given: weights by member, where they are chosen otherwise; then only the slope of all and the bias
            are fitted.
        penalty: see `PENALTY`.

    Raises:
        ValueError: the cells are all of one class, or `given` is not one weight above 0 for each member.
    """
    if len(set(cells.is_all)) < 2:
        raise ValueError("calibration needs cells of both classes; hold out subjects of both.")
    weights = weigh(cells)
    alone = {}
    for name, logits in cells.logits.items():
        (slope,), offset = _logistic(logits[:, None], cells.is_all, weights, penalty)
        alone[name] = float(slope), float(offset)
    calibrated = np.stack([slope * cells.logits[name] + offset for name, (slope, offset) in alone.items()], 1)
    if given:
        chosen = _chosen(given, list(alone))
        (slope,), bias = _logistic((calibrated @ chosen)[:, None], cells.is_all, weights, penalty)
        shares = slope * chosen
    else:
        shares, bias = _logistic(calibrated, cells.is_all, weights, penalty)
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
        band(p_all, cells.is_all, weights, accuracy),
    )


def _chosen(given: Mapping[str, float], names: list[str]) -> np.ndarray:
    """(members,) float64, sum 1: weights that were chosen."""
    if sorted(given) != sorted(names) or min(given.values()) <= 0:
        raise ValueError(f"weights are one number above 0 for each of {', '.join(names)}.")
    return np.array([given[name] for name in names]) / sum(given.values())


def _logistic(
    values: np.ndarray, is_all: np.ndarray, weights: np.ndarray, penalty: float
) -> tuple[np.ndarray, float]:
    """Positive slopes of (n, k) values and an offset that minimise the log loss, with slopes drawn together
    and their sum to 1, the offset to 0."""
    sign = np.where(is_all, 1.0, -1.0)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (values @ x[:-1] + x[-1])
        apart, more, away = x[:-1] - x[:-1].mean(), x[:-1].sum() - 1, x[-1]
        slope = -weights * sign * special.expit(-margin)
        of_slopes = values.T @ slope + 2 * penalty * (apart + more)
        gradient = np.append(of_slopes, slope.sum() + 2 * penalty * away)
        cost = penalty * (apart @ apart + more**2 + away**2)
        return float(weights @ np.logaddexp(0, -margin) + cost), gradient

    count = values.shape[1]
    start = np.append(np.full(count, 1 / count), 0.0)
    bounds = [(_LEAST, None)] * count + [(None, None)]
    found = optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def band(p_all: np.ndarray, is_all: np.ndarray, weights: np.ndarray, accuracy: float) -> tuple[float, float]:
    """The band around 0.5 outside which both answers are as often right as wanted.

    Args:
        p_all: (n,) float, calibrated.
        is_all: (n,) int.
        weights: (n,) float, how much each cell counts.
        accuracy: of the cells that are called positive, and of those called negative.

    Returns:
        p up to which a cell is negative and from which it is positive, in hundredths; 0 or 1 for an answer
        that is nowhere right often enough.
    """
    sides = []
    for answer, ends in ((0, np.arange(0, 50) / 100), (1, np.arange(100, 49, -1) / 100)):
        called = p_all[:, None] <= ends if answer == 0 else p_all[:, None] >= ends
        right = weights[is_all == answer] @ called[is_all == answer]
        reached = (right > 0) & (right >= accuracy * (weights @ called))
        sides.append(float(ends[reached][-1]) if reached.any() else float(answer))
    return sides[0], sides[1]


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
            f"{people[1]} subjects {cells.question.positive} and {people[0]} {cells.question.negative} are "
            "too few: calibration is judged on "
            "subjects that it was not set on, which takes at least two of each class."
        )
    result = np.full(len(cells.is_all), "", dtype=object)
    splits = StratifiedGroupKFold(min(4, *people)).split(cells.subjects, cells.is_all, cells.subjects)
    for fold, (_, places) in enumerate(splits):
        result[places] = str(fold)
    return result.astype(str)


def cross_fit(
    cells: Cells,
    accuracy: float = ACCURACY,
    given: Mapping[str, float] | None = None,
    penalty: float = PENALTY,
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
        fitted = parameters[fold] = fit(cells.take(~here), accuracy, given, penalty)
        own = cells.take(here)
        logit[here] = fitted.logit(own)
        for name, p_all in fitted.members(own).items():
            members[name][here] = p_all
            mean[here] += fitted.weights[name] * p_all
        p_all = special.expit(logit[here])
        outside[here] = (p_all <= fitted.band[0]) | (p_all >= fitted.band[1])
    return CrossFitted(where, parameters, logit, members, mean, outside & cells.in_domain)


def estimate(
    is_all: np.ndarray, subjects: np.ndarray, logits: np.ndarray, accuracy: float
) -> artifact.SlideSpec:
    """Means by class, subjects alike, the spread within slides, and that of slides about their class's mean.

    Args:
        is_all, subjects, logits: (n,) int, str and float64, of cells of subjects that were not trained on.
        accuracy: what p or its complement has to reach for a slide to be decided.
    """
    _, first, place, count = np.unique(subjects, return_index=True, return_inverse=True, return_counts=True)
    mean = np.bincount(place, logits) / count
    variance = np.bincount(place, (logits - mean[place]) ** 2) / np.maximum(count - 1, 1)
    means, within, between = [], [], []
    for value in (0, 1):
        own = is_all[first] == value
        several = own & (count > 1) if (own & (count > 1)).sum() > 1 else own
        inside = max(float(variance[several].mean()), _FLAT)
        means.append(float(mean[several].mean()))
        within.append(inside)
        # A subject's mean strays by chance, too; only what is beyond that is its slide's.
        between.append(float(np.var(mean[several]) - (inside / count[several]).mean()))
    return artifact.SlideSpec(
        means=(round(means[0], 4), round(max(means[1], means[0]), 4)),
        spread=round(float(np.mean(within)) ** 0.5, 4),
        offset=round(max(float(np.mean(between)), _FLAT) ** 0.5, 4),
        abstain=(round(1 - accuracy, 4), accuracy),
    )


def calibrate(
    manifest: artifact.Manifest,
    cells: Cells,
    accuracy: float = ACCURACY,
    given: Mapping[str, float] | None = None,
) -> artifact.Manifest:
    """Temperatures, weights, bias and abstention band of an ensemble, fitted on all cells.

    Args:
        manifest: of the ensemble.
        cells: what the same recipe said of subjects it was not trained on.
        accuracy: what the decided cells shall reach.
        given: weights that were chosen otherwise, see `fit`.

    Returns:
        The manifest with them, and with how slides vary. `figures.calibration` says what was wanted; what is
        reached on subjects that they were not set on, `evaluation.figures` measures. Where it has a domain
        and the cells have distances, the distance from which a cell is rejected is set too.

    Raises:
        ValueError: a member has no logits in `cells`, some have no distance, or as `cross_fit`.
    """
    if missing := [m.backbone for m in manifest.members if m.backbone not in cells.logits]:
        raise ValueError(f"there are no held-out logits of {', '.join(missing)} to calibrate on.")
    names = [member.backbone for member in manifest.members]
    cells = Cells(**{**vars(cells), "logits": {name: cells.logits[name] for name in names}})
    fitted = fit(cells, accuracy, given)
    limited = manifest.domain
    if limited and np.isfinite(cells.distances).any():
        limited = limited.model_copy(update={"distance": ood.threshold(cells.distances)})
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
            "slide": estimate(cells.is_all, cells.subjects, fitted.logit(cells), accuracy),
            "thresholds": artifact.Thresholds(decide=0.5, abstain=fitted.band),
            "figures": manifest.figures | {"calibration": _wanted(cells, accuracy, given)},
        }
    )


def recalibrate(manifest: artifact.Manifest, cells: Cells, accuracy: float = ACCURACY) -> artifact.Manifest:
    """Calibrate an ensemble whose members' own logits are not at hand: as a whole.

    Args:
        manifest: of the ensemble.
        cells: of `predictions.of_scores`: what it said of subjects that it was not trained on.
        accuracy: what the decided cells shall reach.

    Returns:
        The manifest with temperatures, bias, the band of "unsure" and how slides vary; weights stay.

    Raises:
        ValueError: as `cross_fit`.
    """
    fitted = fit(cells, accuracy)
    (temperature,) = fitted.temperatures.values()
    members = [
        member.model_copy(update={"temperature": round(member.temperature * temperature, 4)})
        for member in manifest.members
    ]
    return manifest.model_copy(
        update={
            "members": tuple(members),
            "bias": round(manifest.bias / temperature + fitted.bias, 4),
            "thresholds": artifact.Thresholds(decide=0.5, abstain=fitted.band),
            "slide": estimate(cells.is_all, cells.subjects, fitted.logit(cells), accuracy),
            "figures": manifest.figures | {"calibration": _wanted(cells, accuracy)},
        }
    )


def _wanted(cells: Cells, accuracy: float, given: Mapping[str, float] | None = None) -> dict[str, Any]:
    """What the manifest says of how it was calibrated."""
    return {
        "wanted_accuracy": accuracy,
        "weighing": "classes alike among cells of one size, subjects by the square root of their cells",
        "cells": len(cells.is_all),
        "subjects": len(set(cells.subjects)),
    } | ({"weights": "given"} if given else {})


def scores(
    cells: Cells, accuracy: float = ACCURACY, given: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Rows of `artifact.SCORES`: subject, class, cross-fitted p, area and mean colours of each cell.

    Raises:
        ValueError: as `cross_fit`.
    """
    p_all = special.expit(cross_fit(cells, accuracy, given).logit)
    looks = {name: cells.looks[name] for name in ("area", "red", "green", "blue") if name in cells.looks}
    return [
        {"subject": subject, "is_all": int(is_all), "p_all": f"{p:.4f}"}
        | {name: f"{values[place]:.5g}" for name, values in looks.items()}
        for place, (subject, is_all, p) in enumerate(zip(cells.subjects, cells.is_all, p_all, strict=True))
    ]
