"""A photo comes in; the width of its red cells, by which everything else is measured, goes out."""

from __future__ import annotations

import numpy as np
import skimage.morphology as morphology
from scipy import ndimage
from skimage import feature, measure

from leukovision.cell import largest_part
from leukovision.smear.stain import level, purple, stained

RED_CELL = 7.5
"""Diameter of a red cell on a smear, um."""

PX_PER_UM = 19.0
"""Of the training frame. Small lymphocytes are 1.15 red cells wide on smears where both are measured, and
the cells of C-NMC's donors, most of which are small lymphocytes, are 172 px wide (median of 150)."""

TYPICAL = 200
"""Diameter of a training cell, px of the frame: what a cell gets where no red cell gives the scale."""

PALE = 0.12
"""Density in green below which what is stained are no red cells, but cytoplasm or dirt."""

WIDEST = 2.2
"""Of a nucleus, in red cells."""

NUCLEUS = 1.2
"""Diameter of a nucleus, where nothing else gives the scale, in red cells."""

WHITE_CELL = 1.8
"""Diameter of a white cell where nothing else gives the scale, in red cells."""


def red_cells(od: np.ndarray) -> tuple[float, float]:
    """What gives the scale of a photo.

    Args:
        od: (h, w, 3) density.

    Returns:
        The diameter of its red cells, px, nan where there are too few; and what fits the largest nucleus and
        all that is as dark beside it: rather too much than too little.
    """
    measured = red_cell_diameter(od)
    violet = ndimage.gaussian_filter(purple(od), 1)
    dark = violet > level(violet, max(3, min(violet.shape) // 30)) / 2
    widest = 2 * float(ndimage.distance_transform_edt(dark).max())
    # Four px are a dot; and what is so narrow beside a nucleus are parts of red cells.
    if measured < max(4.0, widest / WIDEST):
        measured = float("nan")
    lobes = dark & largest_part(ndimage.distance_transform_edt(~dark) < 0.3 * widest)
    hull = morphology.convex_hull_image(lobes).sum() if lobes.any() else 0
    return measured, max(4.0, float(np.sqrt(4 / np.pi * hull)) / NUCLEUS)


def red_cell_diameter(od: np.ndarray) -> float:
    """(h, w, 3) density -> diameter of its red cells, px; nan where there are too few.

    Red cells that lie alone give it. Where all overlap, as in rouleaux, the width of their heaps does.
    """
    od = ndimage.gaussian_filter(od, (1, 1, 0))
    violet, green = purple(od), od[..., 1]
    side = max(3, min(green.shape) // 50)
    nuclear = violet > level(violet, side) / 2
    cells = ndimage.binary_opening(stained(green, nuclear), iterations=2)
    white = ndimage.binary_dilation(nuclear, iterations=side)
    red = cells & ~white
    if not red.any() or np.median(green[red]) < PALE:
        return float("nan")
    thin = _width(cells, red, white)  # half a ring's, where cells have a pale centre
    if np.isnan(thin):
        return float("nan")
    full = cells.copy()
    for hole in measure.regionprops(ndimage.label(~cells)[0]):
        # Pale centres are round; what is left between red cells is not.
        if hole.area < 2 * thin**2 and hole.area > 0.85 * hole.area_convex:
            full[hole.slice][hole.image] = True
    alone = []
    for part in measure.regionprops(ndimage.label(cells)[0]):
        area, (top, left, bottom, right) = part.area_filled, part.bbox
        inside = top > 1 and left > 1 and bottom < green.shape[0] - 1 and right < green.shape[1] - 1
        if not inside or np.sqrt(4 / np.pi * area) < thin or nuclear[part.slice][part.image].mean() > 0.05:
            continue
        if area > 0.9 * part.area_convex and part.axis_minor_length > 0.65 * part.axis_major_length:
            alone.append(np.sqrt(4 * area / np.pi))
    if len(alone) > 2 or (len(alone) == 2 and max(alone) < 1.4 * min(alone)):
        return _middle(np.array(alone), np.array(alone) ** 2)
    return _width(full, red, white)


def _width(mask: np.ndarray, red: np.ndarray, white: np.ndarray) -> float:
    """How wide what is in the mask and not white is where it is widest, px; nan where there is too little."""
    depth = ndimage.distance_transform_edt(mask & ~white)
    peaks = feature.peak_local_max(depth, min_distance=4, threshold_abs=3, labels=red.astype(int))
    widths = 2 * depth[tuple(peaks.T)]
    return _middle(widths, widths**2)


def _middle(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median; nan of nothing."""
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
