"""A `Cell` and its pooled features come in; why it is unlike the training cells, or "", goes out.

Far from its training data a network is often sure and wrong (Hendrycks & Gimpel 2017, arXiv:1610.02136), so
its probability cannot tell. Five questions do, in turn: is it on black, is it one cell, was it compressed
hard, does it look like a training cell, and do the networks see in it what they saw in those?
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from leukovision import artifact
from leukovision.cell import Cell, box_of, depth_of, filled, foreground
from leukovision.errors import Code, sentence

LOOKS = (
    "area", "red", "green", "blue", "red_spread", "green_spread", "blue_spread", "sharpness", "coarseness",
)  # fmt: skip
"""Names of the numbers of `looks`, in order."""

TWO = 2 / 3
"""From this part of the largest disc's radius on, a second disc is a second cell: see `second`."""

BLOCKS = 1.6
"""From here on `blocks` says that a picture was compressed hard. The most of 1,000 training cells is 1.53; in
the median JPEG of quality 90 makes it 1.46, of 85 1.80, of 75 2.11."""

BLOCK = 8
"""Side of the blocks that JPEG and the like compress one by one, px."""

FALSE_ALARMS = 0.01
"""Share of held-out cells that may lie beyond the limit of `Domain.distance`."""

NOT_ON_BLACK = sentence("not_on_black")

# For each part of `LOOKS`, what is said of a cell that has too little of it, and too much.
_ODD: tuple[tuple[slice, Code, Code], ...] = (
    (slice(0, 1), "smaller", "larger"),
    (slice(1, 4), "colours", "colours"),
    (slice(4, 7), "less_contrast", "more_contrast"),
    (slice(7, 9), "less_sharp", "grainy"),
)


@dataclass(frozen=True, eq=False)
class Domain:
    """What the training cells of an ensemble are like, and how unlike them a cell may be.

    Attributes:
        looks_mean: (L,) float32, mean logarithm of each of `looks`.
        looks_axes: (L, L) float32, what makes these logarithms independent, each with spread 1.
        features_mean: (F,) float32, mean square root of each pooled feature.
        features_axes: (F, K) float32, orthonormal: the directions in which they vary most.
        features_scales: (K + 1,) float32, for each direction, and last for all others together, how far
            is far: the mean squared `distance` of training cells is 1.
        looks_limit: of `oddity`.
        distance_limit: of `distance`.
    """

    looks_mean: np.ndarray
    looks_axes: np.ndarray
    features_mean: np.ndarray
    features_axes: np.ndarray
    features_scales: np.ndarray
    looks_limit: float
    distance_limit: float

    def odd(self, cell: Cell) -> str:
        """Why a cell looks unlike the training cells, in a sentence; "" if it does not."""
        if not cell.on_black:
            return NOT_ON_BLACK
        if second(cell) >= TWO:
            return sentence("second")
        if blocks(cell) >= BLOCKS:
            return sentence("compressed")
        seen = looks(cell)
        return "" if self.oddity(seen) <= self.looks_limit else self._why_odd(seen)

    def far(self, distance: float) -> str:
        """The same of what the networks see in it, by its `distance`."""
        return "" if distance <= self.distance_limit else sentence("far")

    def oddity(self, seen: np.ndarray) -> float:
        """Mahalanobis distance of (L,) `looks` to those of training cells, in logarithms."""
        return float(np.linalg.norm(self._looks_away(seen)))

    def distance(self, features: np.ndarray) -> float:
        """How far (F,) pooled features are from those of training cells, which are at about 1.

        A Mahalanobis distance (Lee et al. 2018, arXiv:1807.03888) with one variance for all directions in
        which training cells hardly vary (Tipping & Bishop 1999, doi:10.1111/1467-9868.00196). These count
        as much as all others together: what is no cell shows there. Of square roots, because the spread of
        a feature grows with its mean.
        """
        away = np.sqrt(np.maximum(features, 0)) - self.features_mean
        along = away @ self.features_axes
        rest = np.sqrt(max(float(away @ away - along @ along), 0.0))
        return float(np.linalg.norm(np.append(along, rest) / self.features_scales))

    def _looks_away(self, seen: np.ndarray) -> np.ndarray:
        """(L,) looks -> (L,) float64: along each axis, in spreads of training cells."""
        return np.asarray((np.log(seen) - self.looks_mean) @ self.looks_axes)

    def _why_odd(self, seen: np.ndarray) -> str:
        """The part of the looks without which the cell would be least odd, in a sentence."""
        precision = self.looks_axes @ self.looks_axes.T
        away = np.log(seen) - self.looks_mean
        pull = precision @ away

        def gain(said: tuple[slice, Code, Code]) -> float:
            part = said[0]
            return float(pull[part] @ np.linalg.solve(precision[part, part], pull[part]))

        part, little, much = max(_ODD, key=gain)
        return sentence(much if away[part][0] > 0 else little)


def looks(cell: Cell) -> np.ndarray:
    """What a cell's own pixels look like, in a few numbers.

    Returns:
        (L,) float64, above 0, by `LOOKS`: area in px; mean and standard deviation of each channel, 0 to
        255; sharpness, which is detail of 1 to 2 px over detail of 2 to 4 px; coarseness, which is detail
        of 4 to 8 px over detail of 2 to 4 px. Only the inside of the cell counts for the last two.
    """
    outline, pixels = cell.outline[cell.box], cell.pixels[cell.box]
    channels = [pixels[..., channel].astype(np.float32) for channel in range(3)]
    values = [channel[outline] for channel in channels]
    inside = cell.depth > min(8, cell.depth.max() / 2)
    # The black around the cell would be the sharpest thing in the picture.
    grey = np.where(outline, sum(channels) / np.float32(3), np.mean(values))
    by_1, by_2 = (_halved(grey, sigma) for sigma in (1, 2))
    # What is blurred by 2 px has hardly anything finer than 4 px left: every second pixel says it all.
    by_4 = ndimage.gaussian_filter(by_2, np.sqrt(4**2 - 2**2) / 2)
    by_8 = ndimage.gaussian_filter(by_4, np.sqrt(8**2 - 4**2) / 2)
    details = [(finer - coarser)[inside].std() for finer, coarser in pairwise([by_1, by_2, by_4, by_8])]
    fine, medium, coarse = np.maximum(details, 0.05)
    return np.array(
        [
            outline.sum(),
            *(max(channel.mean(), 0.5) for channel in values),
            *(max(channel.std(), 0.5) for channel in values),
            fine / medium,
            coarse / medium,
        ],
        dtype=np.float64,
    )


def second(cell: Cell) -> float:
    """How large a second disc fits into what is not black, beside the largest one in the cell.

    Returns:
        Its radius as a part of the largest one's: about 0 for one round cell, 1 for two of a size,
        whether they touch or not.
    """
    # Every second pixel is enough for discs.
    not_black, outline = foreground(cell.pixels[::2, ::2]), cell.outline[::2, ::2]
    depth_in_cell = depth = cell.depth
    if (not_black > outline).any():
        box = box_of(not_black)
        depth = 2 * depth_of(filled(not_black[box]))
        depth_in_cell = np.where(outline[box], depth, 0)
    row, column = np.unravel_index(depth_in_cell.argmax(), depth_in_cell.shape)
    rows, columns = np.ogrid[: depth.shape[0], : depth.shape[1]]
    # At least 1: a speck may lie between the pixels that were looked at.
    radius = max(depth_in_cell[row, column], 1.0)
    beside = 2 * np.sqrt((rows - row) ** 2 + (columns - column) ** 2) - radius
    return max(float(np.minimum(depth, beside).max() / radius), 0.0)


def blocks(cell: Cell) -> float:
    """How much of the light changes between the blocks that JPEG and the like compress one by one.

    Returns:
        The mean step between neighbouring pixels across the places, `BLOCK` px apart, at which it is
        largest, over the median of all places: by chance somewhat above 1 (after Wang, Sheikh & Bovik, No-
        reference perceptual quality assessment of JPEG compressed images, ICIP 2002). The rim does not count.
    """
    inside = ndimage.binary_erosion(cell.outline[cell.box], iterations=6)
    grey = cell.pixels[cell.box].astype(np.float32).mean(axis=-1)
    product = 1.0
    for steps, seen in ((np.diff(grey, axis=0), inside[1:]), (np.diff(grey.T, axis=0), inside.T[1:])):
        places = np.arange(len(seen)) % BLOCK
        sums = np.bincount(places, np.where(seen, np.abs(steps), 0).sum(axis=1), BLOCK)
        means = sums / np.maximum(np.bincount(places, seen.sum(axis=1), BLOCK), 1)
        product *= float(means.max() / max(np.median(means), 0.01))
    return float(np.sqrt(product))


def _halved(grey: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w) float32 -> every second row and column of it, blurred."""
    rows = ndimage.gaussian_filter1d(grey, sigma, axis=0)[::2]
    return np.asarray(ndimage.gaussian_filter1d(rows, sigma, axis=1))[:, ::2]


def threshold(distances: np.ndarray) -> float:
    """The limit of `Domain.distance` that `FALSE_ALARMS` of the cells are beyond.

    Args:
        distances: (n,) float, of cells of subjects that neither networks nor statistics have seen.

    Raises:
        ValueError: there is none, or one that is not finite.
    """
    if not len(distances) or not np.isfinite(distances).all():
        raise ValueError("the limit of the domain needs a distance for every held-out cell.")
    return round(float(np.quantile(distances, 1 - FALSE_ALARMS)), 4)


def read(folder: Path, spec: artifact.DomainSpec, width: int) -> Domain:
    """Read what `training.ood_statistics` wrote.

    Args:
        folder: the ensemble's.
        spec: the manifest's `domain`.
        width: how many features (F) the ensemble has.

    Raises:
        artifact.StoreError: the file is not there, was changed, or does not fit the ensemble.
    """
    path = folder / spec.file
    tensors = artifact.read_tensors(path, spec.sha256)
    count, axes = len(LOOKS), tensors["features_scales"].size - 1 if "features_scales" in tensors else 0
    wanted = {
        "looks_mean": (count,),
        "looks_axes": (count, count),
        "features_mean": (width,),
        "features_axes": (width, axes),
        "features_scales": (axes + 1,),
    }
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    for name in sorted(set(wanted) | set(shapes)):
        if shapes.get(name) != wanted.get(name):
            raise artifact.StoreError(
                f"{path}: tensor {name!r} has shape {shapes.get(name, 'none')}; the ensemble's domain wants "
                f"{wanted.get(name, 'no such tensor')}: get the ensemble again, or train it anew."
            )
    if not (tensors["features_scales"] > 0).all():
        raise artifact.StoreError(sentence("tensor_scale", path=path, tensor="'features_scales'"))
    return Domain(**tensors, looks_limit=spec.looks, distance_limit=spec.distance)
