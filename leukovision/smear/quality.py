"""A photo and the outline of a cell come in; what is wrong with the cell goes out."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from leukovision.cell import filled
from leukovision.errors import sentence
from leukovision.smear.contour import mask_of
from leukovision.smear.scale import RED_CELL
from leukovision.smear.stain import resized
from leukovision.smear.tissue import NUCLEUS, OUTSIDE

SHARP = 80
"""Diameter of a red cell in the picture in which edges are measured, px."""

BLUR = 1.5
"""Width of the edge of a nucleus from which a cell is out of focus, um. It is 0.6 to 1.3 in the fields of
BCCD, and 1.8 to 3.3 in the same fields blurred by an eighth of a red cell (sigma)."""

SCRAPS = 0.2
"""Part of a cell that may hold no stain, or that may lie outside it, before the cell is broken."""

TOUCHES = sentence("mark_touches")
BLURRED = sentence("mark_blurred")
BROKEN = sentence("mark_broken")
LOBED = sentence("mark_lobed")

LOBED_PART = 0.42
"""Of a cell, at most, that its nucleus is where it has lobes."""

LOBED_SHAPE = 0.89
"""How much of the convex hull around it such a nucleus fills, at most."""

LOBED_DISC = 0.5
"""How much of such a nucleus the widest disc in it is, at most."""


def scraps(
    tissue_map: np.ndarray, labels: np.ndarray, contours: list[np.ndarray], red_cell_px: float
) -> list[tuple[float, float]]:
    """For each cell, as parts of it: what in it is not of a white cell, and what goes on outside every cell.

    Args:
        tissue_map: (h, w, 3) float32 of `tissue`.
        labels: (h, w) int of `nuclei`.
        contours: of the cells, in the order of their numbers, px.
        red_cell_px: diameter of a red cell, px.
    """
    joined = ndimage.label((tissue_map[..., OUTSIDE] < 0.5) | (labels > 0))[0]
    cells = np.zeros(labels.shape, dtype=np.int32)
    for number, contour in enumerate(contours, 1):
        cells[mask_of(contour, labels.shape)] = number
    # The soft rim of a cell is not a scrap of it.
    every = ndimage.binary_dilation(cells > 0, iterations=max(1, round(0.06 * red_cell_px)))
    beside = np.bincount(joined[~every], minlength=joined.max() + 1)
    amounts = []
    for place, window in enumerate(ndimage.find_objects(cells, max_label=len(contours)), 1):
        if window is None:
            amounts.append((1.0, 0.0))
            continue
        mask = cells[window] == place
        part = np.bincount(joined[window][mask & (labels[window] == place)], minlength=1).argmax()
        empty = (mask & ~filled(joined[window] == part)).sum()
        amounts.append((float(empty / mask.sum()), float(beside[part] / mask.sum()) if part else 0.0))
    return amounts


def is_lobed(tissue_map: np.ndarray, contour: np.ndarray, red_cell_px: float) -> bool:
    """Whether the nucleus of a cell has lobes, and much cytoplasm around it.

    Args:
        tissue_map: (h, w, 3) float32 of `tissue`.
        contour: of the cell, px.
        red_cell_px: diameter of a red cell, px.
    """
    left, top = np.floor(contour.min(axis=0)).astype(int)
    window = tissue_map[top : int(np.ceil(contour[:, 1].max())), left : int(np.ceil(contour[:, 0].max()))]
    cell = mask_of(contour - (left, top), window.shape[:2])
    nucleus = cell & (window[..., NUCLEUS] > 0.5)
    nucleus = ndimage.binary_opening(nucleus, iterations=max(1, round(0.05 * red_cell_px)))
    if not nucleus.any():
        return False
    disc = np.pi * ndimage.distance_transform_edt(np.pad(nucleus, 1)).max() ** 2
    return bool(
        nucleus.sum() < LOBED_PART * cell.sum()
        and nucleus.sum() < LOBED_SHAPE * convex_hull_image(nucleus).sum()
        and disc < LOBED_DISC * nucleus.sum()
    )


def marks(
    rgb: np.ndarray, contour: np.ndarray, amounts: tuple[float, float], lobed: bool, red_cell_px: float
) -> tuple[str, ...]:
    """What is wrong with a cell.

    Args:
        rgb: the photo.
        contour: of the cell, px of the photo.
        amounts: of `scraps`.
        lobed: whether its nucleus is (`is_lobed`).
        red_cell_px: diameter of a red cell, px of the photo.
    """
    height, width = rgb.shape[:2]
    low, high = contour.min(axis=0), contour.max(axis=0)
    edge = 0.05 * red_cell_px
    wrong = {
        TOUCHES: low.min() < edge or high[0] > width - edge or high[1] > height - edge,
        BLURRED: edge_width(rgb, contour, red_cell_px) > BLUR,
        BROKEN: max(amounts) > SCRAPS,
        LOBED: lobed,
    }
    return tuple(mark for mark, so in wrong.items() if so)


def edge_width(rgb: np.ndarray, contour: np.ndarray, red_cell_px: float) -> float:
    """How far the light takes to fall from slide to nucleus where it falls fastest, um.

    Args:
        rgb: the photo.
        contour: of the cell, px of the photo.
        red_cell_px: diameter of a red cell, px of the photo.
    """
    margin = 0.3 * red_cell_px
    left, top = np.maximum(np.floor(contour.min(axis=0) - margin).astype(int), 0)
    right, bottom = np.ceil(contour.max(axis=0) + margin).astype(int)
    zoom = min(SHARP / red_cell_px, 2.0)
    light = np.log(resized(rgb[top:bottom, left:right], zoom)[..., 1].astype(np.float32) + 1)
    steep = ndimage.gaussian_gradient_magnitude(light, 1.0)
    cell = mask_of((contour - (left, top)) * zoom, light.shape)
    around = ndimage.binary_dilation(cell, iterations=4)
    if not around.any():  # less than a pixel
        return 0.0
    low, high = np.percentile(light[around], (5, 95))
    return float((high - low) / max(np.percentile(steep[around], 97), 1e-6) / (red_cell_px * zoom) * RED_CELL)
