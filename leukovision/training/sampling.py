"""Labels, subjects and areas of cells come in; how likely each is to be drawn goes out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image as Picture

from leukovision.cell import foreground
from leukovision.training.dataset import Image

BANDS = 8
"""Of area, with as many cells each."""


def chances(
    is_all: np.ndarray, subjects: Sequence[str] | np.ndarray, area: np.ndarray | None = None
) -> np.ndarray:
    """How likely each cell is to be drawn: both classes alike, also among cells of one size, so that size
    says nothing; and within a class each subject by the square root of its number of cells, so that a donor
    with 400 cells does not stand for all donors.

    Args:
        is_all: (n,) int.
        subjects: (n,) str.
        area: (n,) float, px; None where size may be learnt.

    Returns:
        (n,) float64, sum 1. A band of areas counts by the square root of the cells of its rarer class, and
        one without any not at all.
    """
    subjects, chance = np.asarray(subjects), np.zeros(len(is_all))
    edges = [] if area is None else np.quantile(area, np.linspace(0, 1, BANDS + 1)[1:-1])
    band = np.zeros(len(is_all), int) if area is None else np.searchsorted(edges, area)
    for place in np.unique(band):
        kinds = [(band == place) & (is_all == value) for value in (0, 1)]
        rarer = min(kind.sum() for kind in kinds)
        for kind in kinds:
            if kind.any():
                _, where, count = np.unique(subjects[kind], return_inverse=True, return_counts=True)
                share = 1 / np.sqrt(count[where])
                chance[kind] = share / share.sum() * np.sqrt(rarer)
    return np.asarray(chance / chance.sum())


def areas(images: Sequence[Image]) -> np.ndarray:
    """(n,) float64: of each image what is not black, px, on files that hold one cell on black."""

    def one(image: Image) -> float:
        with Picture.open(image.path) as picture:
            return float(foreground(np.asarray(picture.convert("RGB"))).sum())

    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(one, images)))
