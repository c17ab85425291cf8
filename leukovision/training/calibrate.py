"""Logits of subjects held out of training come in; an ensemble's temperatures, bias and band go out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import optimize, special

from leukovision import store
from leukovision.training.dataset import chances

_PREFIX = "p_all_"


@dataclass(frozen=True)
class HeldOut:
    """Logits of cells of subjects that were left out of training.

    Attributes:
        is_all: (n,) int, 1 for ALL.
        subjects: (n,) str.
        logits: (n,) float64 by member, not calibrated.
    """

    is_all: np.ndarray
    subjects: np.ndarray
    logits: dict[str, np.ndarray]

    @property
    def weights(self) -> np.ndarray:
        """(n,) float64, sum 1: both classes alike, in one each subject by the square root of its cells."""
        return chances(self.is_all, self.subjects)


def read_held_out(cells: Path) -> HeldOut:
    """Read the `cells.csv` that `evaluate` wrote for an ensemble that is not calibrated.

    Raises:
        ValueError: a column is missing, or one class is.
    """
    with cells.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    members = [column for column in (rows[0] if rows else {}) if column.startswith(_PREFIX)]
    if not members or len({row["class"] for row in rows}) < 2:
        raise ValueError(f"{cells}: not the cells.csv of `leukovision evaluate` with cells of both classes.")
    return HeldOut(
        np.array([int(row["class"] == "ALL") for row in rows]),
        np.array([row["subject"] for row in rows]),
        {
            column.removeprefix(_PREFIX): special.logit(
                np.clip([float(row[column]) for row in rows], 1e-6, 1 - 1e-6)
            )
            for column in members
        },
    )


def calibrate(manifest: store.Manifest, held_out: HeldOut, accuracy: float) -> store.Manifest:
    """Temperatures, bias and abstention band of an ensemble.

    Args:
        manifest: of the ensemble; weights of the members stay.
        held_out: what the same recipe said of subjects it was not trained on.
        accuracy: what the decided cells shall reach (weighed by `HeldOut.weights`).

    Returns:
        The manifest with a temperature for each member and a bias that minimise the weighted log loss
        (temperature scaling: Guo et al. 2017, arXiv:1706.04599), and with the narrowest band that
        reaches the accuracy. What was reached is in `figures.calibration`.

    Raises:
        ValueError: a member has no logits in `held_out`.
    """
    if missing := [m.backbone for m in manifest.members if m.backbone not in held_out.logits]:
        raise ValueError(f"there are no held-out figures of {', '.join(missing)} to calibrate on.")
    is_all, weights = held_out.is_all, held_out.weights

    def loss(logits: np.ndarray) -> float:
        return float((weights * np.logaddexp(0, np.where(is_all, -logits, logits))).sum())

    members, pooled = [], np.zeros(len(is_all))
    before = np.zeros(len(is_all))
    for member in manifest.members:
        logits = held_out.logits[member.backbone]
        # Each member has its own offset while its temperature is sought; the ensemble's bias replaces it.
        best = optimize.minimize(
            lambda x, logits=logits: loss(logits / np.exp(x[0]) + x[1]), [0.0, 0.0], method="Nelder-Mead"
        )
        members.append(member.model_copy(update={"temperature": round(float(np.exp(best.x[0])), 4)}))
        before += member.weight * logits
        pooled += member.weight * logits / members[-1].temperature
    bias = round(float(optimize.minimize_scalar(lambda x: loss(pooled + x)).x), 4)
    p_all = special.expit(pooled + bias)
    band = _band(p_all, is_all, weights, accuracy)
    decided = (p_all <= band[0]) | (p_all >= band[1])
    right = (p_all >= 0.5) == is_all
    reached = {
        "wanted_accuracy": accuracy,
        "accuracy": round(float(np.average(right[decided], weights=weights[decided])), 4),
        "coverage": round(float(weights[decided].sum()), 4),
        "subjects": len(set(held_out.subjects)),
        "log_loss_before": round(loss(before), 4),
        "log_loss": round(loss(pooled + bias), 4),
    }
    return manifest.model_copy(
        update={
            "members": tuple(members),
            "bias": bias,
            "thresholds": store.Thresholds(decide=0.5, abstain=band),
            "figures": manifest.figures | {"calibration": reached},
        }
    )


def _band(p_all: np.ndarray, is_all: np.ndarray, weights: np.ndarray, accuracy: float) -> tuple[float, float]:
    """The narrowest band around 0.5, alike on both sides, outside which the accuracy is reached."""
    for half in np.arange(0, 0.5, 0.01):
        low, high = round(0.5 - half, 2), round(0.5 + half, 2)
        decided = (p_all <= low) | (p_all >= high)
        right = (p_all >= 0.5) == is_all
        if decided.any() and np.average(right[decided], weights=weights[decided]) >= accuracy:
            return low, high
    return 0.01, 0.99
