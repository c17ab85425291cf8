"""A map and the picture that it explains come in; figures of how far it can be trusted go out.

A picture is changed where the map says, and the ensemble is asked again (Petsiuk et al. 2018, "RISE",
arXiv:1806.07421; Chattopadhay et al. 2018, doi:10.1109/WACV.2018.00097). Only the cell is changed: the
black around it is nothing to remove. Every map here speaks *for* the target class above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage, stats

from leukovision.cell import filled
from leukovision.ensemble import Ensemble, enlarge
from leukovision.preprocessing import inside

REMOVED = (0.05, 0.1, 0.2, 0.4, 0.7)
"""Shares of the cell that a deletion curve takes away, the most marked first."""

INSERTED = (0.25, 0.5, 0.75, 0.9)
"""Shares of the cell that an insertion curve has put back: finer where a decision comes back, at the end."""

CHECKED = (0.1, 0.3)
"""Shares of the cell that the quick check of one map takes away: with two random maps two batches of 14."""

LITTLE = 0.05
"""Where nothing that is taken away moves the probability by as much, a check cannot tell good from bad."""

BASELINES = ("black", "blurred")
"""What stands in a removed place: black, or the cell without its details."""

FEATHER = 5.0
"""Spread of the edge of what is removed, px: a sharp edge is itself what networks look for."""

SPOTS = 4.0
"""Spread of random spots that are fine, px of 256: finer ones would drown in the soft edges."""

BLUR = 10.0
"""Spread of the blurred cell, px of 256: no detail of chromatin is left."""


@dataclass(frozen=True, eq=False)
class Curve:
    """How a probability follows what is removed or put back.

    Attributes:
        shares: (k,) float64 from 0 to 1, of the cell.
        p: (k,) float64: probability of the target class.
        area: under the curve, 0 to 1.
    """

    shares: np.ndarray
    p: np.ndarray

    @property
    def area(self) -> float:
        """Under the curve: low is good for deletion, high for insertion."""
        return float(np.trapezoid(self.p, self.shares))


@dataclass(frozen=True, eq=False)
class Check:
    """What the quick check of one map found.

    Attributes:
        by_map: deletion curve into the blurred cell, what speaks most for the target first.
        opposed: the same, what speaks most against it first, which must not make p fall as much.
        by_chance: the same by random maps as coarse as this one, their mean.
        verdict: "yes" where these two curves lie further apart than those of each random map and of its
            opposite, with blur and with black in place of what is removed; "chance" where with neither;
            "unclear" where the two disagree, or nothing that is removed moves the decision.
    """

    by_map: Curve
    opposed: Curve
    by_chance: Curve
    verdict: str


def cell_of(numbers: np.ndarray) -> np.ndarray:
    """(size, size, 3) float32 -> (size, size) bool: the cell, without the black around it."""
    return filled(inside(numbers))


def without(numbers: np.ndarray, baseline: str) -> np.ndarray:
    """The same picture with nothing left to see: (size, size, 3) float32.

    Raises:
        ValueError: there is no such baseline.
    """
    if baseline == "black":
        return np.full_like(numbers, -1)
    if baseline != "blurred":
        raise ValueError(f"a baseline can be {' or '.join(BASELINES)}, not {baseline!r}.")
    cell = cell_of(numbers)
    # Black does not run into the cell: each place is the mean of the cell around it.
    spread = ndimage.gaussian_filter(np.where(cell[..., None], numbers, 0), (BLUR, BLUR, 0))
    weight = ndimage.gaussian_filter(cell.astype(np.float32), BLUR)[..., None]
    return np.where(cell[..., None], spread / np.maximum(weight, 1e-3), -1).astype(np.float32)


def marked(saliency: np.ndarray, cell: np.ndarray, share: float) -> np.ndarray:
    """(h, w) float32 map, (h, w) bool cell -> (h, w) bool: this share of the cell, the most marked."""
    places = np.flatnonzero(cell)
    order = np.argsort(-saliency.ravel()[places], kind="stable")
    taken = np.zeros(saliency.size, dtype=bool)
    taken[places[order[: round(share * len(places))]]] = True
    return taken.reshape(saliency.shape)


def probabilities(ensemble: Ensemble, numbers: np.ndarray, target: str) -> np.ndarray:
    """(n, size, size, 3) float32 -> (n,) float64: probability of the target class."""
    return np.asarray(0.5 * (1 + np.tanh(ensemble.question.sign(target) * ensemble.logits(numbers) / 2)))


def curves(
    ensemble: Ensemble,
    numbers: np.ndarray,
    saliencies: Sequence[np.ndarray],
    target: str,
    baseline: str,
    removed: Sequence[float] = REMOVED,
    inserted: Sequence[float] = INSERTED,
) -> list[tuple[Curve, Curve]]:
    """Deletion and insertion curve of each map of one picture, in one pass for all of them.

    Args:
        ensemble: which is asked.
        numbers: (size, size, 3) float32.
        saliencies: maps, (size, size) float32 each.
        target: the name of a class.
        baseline: one of `BASELINES`.
        removed: shares of the cell that are taken away, rising; 0 and 1 are added.
        inserted: likewise those that are put back.
    """
    cell, nothing = cell_of(numbers), without(numbers, baseline)
    pictures = [numbers, nothing]
    for saliency in saliencies:
        for share in removed:
            pictures.append(mixed(numbers, nothing, marked(saliency, cell, share)))
        for share in inserted:
            pictures.append(mixed(nothing, numbers, marked(saliency, cell, share)))
    p = probabilities(ensemble, np.stack(pictures), target)
    whole, empty, rest = p[0], p[1], p[2:].reshape(len(saliencies), len(removed) + len(inserted))
    gone, back = np.array([0, *removed, 1]), np.array([0, *inserted, 1])
    return [
        (
            Curve(gone, np.array([whole, *row[: len(removed)], empty])),
            Curve(back, np.array([empty, *row[len(removed) :], whole])),
        )
        for row in rest
    ]


def against_chance(ensemble: Ensemble, numbers: np.ndarray, saliency: np.ndarray, target: str) -> Check:
    """The quick check of one map: is what it marks what moves the ensemble?

    Args:
        ensemble: which is asked.
        numbers: (size, size, 3) float32, the picture.
        saliency: (size, size) float32, above 0 what speaks for the target, below 0 what speaks against it.
        target: the name of a class.
    """
    spread = coarseness(saliency, cell_of(numbers))
    maps = [saliency, *(random_map(len(saliency), seed, spread) for seed in (0, 1))]
    both = [signed for saliency in maps for signed in (saliency, -saliency)]
    answers = []
    for baseline in BASELINES:
        deletions = [
            deletion for deletion, _ in curves(ensemble, numbers, both, target, baseline, CHECKED, ())
        ]
        gaps = [minus.area - plus.area for plus, minus in zip(deletions[::2], deletions[1::2], strict=True)]
        moved = np.ptp([deletion.p[:-1] for deletion in deletions])
        better = gaps[0] > max(map(abs, gaps[1:]))
        answers.append("unclear" if moved < LITTLE else "yes" if better else "chance")
    own, opposed, *others = deletions
    verdict = answers[0] if len(set(answers)) == 1 else "unclear"
    return Check(own, opposed, Curve(own.shares, np.mean([other.p for other in others], axis=0)), verdict)


def mixed(numbers: np.ndarray, other: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The first picture with the second in some places, (h, w) bool, with a soft edge."""
    soft = ndimage.gaussian_filter(where.astype(np.float32), FEATHER)[..., None]
    return np.asarray((1 - soft) * numbers + soft * other, dtype=np.float32)


def drop_and_increase(insertion: Curve) -> tuple[float, float]:
    """Average drop and increase: what becomes of p when only the marked half of the cell stays sharp.

    Args:
        insertion: into the blurred cell.

    Returns:
        How much of p is lost, 0 to 1; and 1.0 if p rises, else 0.0.
    """
    whole, half = insertion.p[-1], np.interp(0.5, insertion.shares, insertion.p)
    return float(max(0.0, whole - half) / whole), float(half > whole)


def share_on_cell(saliency: np.ndarray, cell: np.ndarray) -> float:
    """Share of a map, signs aside, that lies on the cell rather than on the black; nan of an empty map."""
    amount = np.abs(saliency)
    return float(amount[cell].sum() / amount.sum()) if amount.any() else float("nan")


def alike(first: np.ndarray, second: np.ndarray, cell: np.ndarray | None = None) -> float:
    """Spearman's rank correlation of two maps, on the cell if that is given; 0 where one is flat."""
    a, b = (m[cell] if cell is not None else m.ravel() for m in (first, second))
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(stats.spearmanr(a, b).statistic)


def agreement(members: Mapping[str, np.ndarray], cell: np.ndarray) -> float:
    """Mean rank correlation of every two backbones' maps, on the cell."""
    large = [enlarge(m, len(cell)) if m.shape != cell.shape else m for m in members.values()]
    pairs = [alike(a, b, cell) for a, b in combinations(large, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def stability(draw: Callable[[np.ndarray], np.ndarray], numbers: np.ndarray, seed: int = 0) -> float:
    """Mean rank correlation, on the cell, of a map with the maps of the picture turned by 8 degrees, moved
    by 6 px and with a little noise, brought back.

    Args:
        draw: (size, size, 3) float32 -> (size, size) float32, the map.
        numbers: the picture.
        seed: of the noise.
    """
    cell, before = cell_of(numbers), draw(numbers)
    noise = np.random.default_rng(seed).normal(0, 0.03, numbers.shape).astype(np.float32)
    noisy = np.where(cell[..., None], numbers + noise, numbers)
    changed = [
        _turned(draw(_turned(numbers, 8, -1)), -8, 0),
        np.roll(draw(np.roll(numbers, 6, axis=1)), -6, axis=1),
        draw(noisy),
    ]
    return float(np.mean([alike(before, after, cell) for after in changed]))


def coarseness(saliency: np.ndarray, cell: np.ndarray) -> float:
    """How large the spots of a map are on the cell, px: the spread of the Gaussian that makes spots of
    that size of white noise; 0 where the map is flat.

    Smoothed with a spread s, white noise has a mean squared slope of its variance / s^2.
    """
    steep = float(np.mean(np.hypot(*np.gradient(saliency.astype(np.float64)))[cell] ** 2))
    return float(np.sqrt(saliency[cell].var(dtype=np.float64) / steep)) if steep else 0.0


def random_map(side: int, seed: int, spread: float = SPOTS) -> np.ndarray:
    """(side, side) float32: spots of chance; the floor that a map has to beat.

    Args:
        side: px.
        seed: of the chance.
        spread: of the spots, px, as `coarseness` gives it. A map has to be compared with chance that is as
            coarse as it is (Burt et al. 2020, doi:10.1016/j.neuroimage.2020.117038, do the same for maps
            of the brain): many small spots leave something of every part of the cell, whatever they mark.
    """
    noise = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    return np.asarray(ndimage.gaussian_filter(noise, spread, mode="wrap"))


def blob(cell: np.ndarray) -> np.ndarray:
    """(side, side) float32: brightest in the middle of the cell, whatever is there; the other floor."""
    places = np.indices(cell.shape)
    y, x = places - places[:, cell].mean(axis=1)[:, None, None]
    return np.asarray(np.exp(-(y**2 + x**2) / cell.sum()), dtype=np.float32)


def _turned(picture: np.ndarray, degrees: float, outside: float) -> np.ndarray:
    return np.asarray(
        ndimage.rotate(picture, degrees, axes=(0, 1), reshape=False, order=1, cval=outside), dtype=np.float32
    )
