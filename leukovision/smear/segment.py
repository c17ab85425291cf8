"""A photo comes in; what each place of it is goes out, seen at the size that its red cells give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage import measure

from leukovision.smear.scale import WHITE_CELL, red_cells
from leukovision.smear.stain import density, resized, stains, two_kinds
from leukovision.smear.tissue import NUCLEUS, OUTSIDE, by_stain, tissue

ROUGH = (480, 1500)
"""Longest side of the picture in which red cells are measured, px; the second where they are too small."""

FINE = 40
"""Diameter of a red cell in the picture in which cells are found, px: 0.2 um each."""

LARGEST = 1.5e6
"""Of that picture, px, however small its red cells are."""

TOO_WIDE = 2.9
"""Diameter of a white cell from which what was measured were no red cells, in these."""

Stains = tuple[np.ndarray, np.ndarray]
"""Density by channel of nuclei and of red cells, (3,) each."""


class Segmentation(NamedTuple):
    """What a photo shows.

    Attributes:
        tissue_map: (h, w, 3) float32 of `tissue`.
        zoom: how much larger than the photo that is.
        red_cell_px: diameter of a red cell, px of the photo.
        measured: whether red cells of the photo gave it, and not how large its white cells are.
    """

    tissue_map: np.ndarray
    zoom: float
    red_cell_px: float
    measured: bool = True


def segment(rgb: np.ndarray) -> Segmentation | None:
    """(h, w, 3) uint8 photo of a smear -> what each place of it is; None where nothing is of the colour of
    nuclei."""
    for side in ROUGH:
        zoom = min(1.0, side / max(rgb.shape[:2]))
        od = density(resized(rgb, zoom))
        measured, guessed = red_cells(od)
        if measured > 16 or zoom == 1:
            break
    if np.isnan(measured) and (odd := two_kinds(od)):
        return segment_at(rgb, odd[2] / zoom, odd[:2])
    measured, red_cell_px = measured / zoom, guessed / zoom
    if red_cell_px < 2 * measured:
        red_cell_px = measured
    for _ in range(4):
        segmentation = segment_at(rgb, red_cell_px)
        width = float("nan")
        if segmentation is not None:
            width = _cell_width(segmentation.tissue_map) / segmentation.zoom
        if not width > TOO_WIDE * measured and not np.isnan(measured):
            return segmentation if red_cell_px == measured else segment_at(rgb, measured)
        # No white cell is so wide: what was measured were no red cells, if anything was.
        if np.isnan(width) or abs(np.log(width / WHITE_CELL / red_cell_px)) < 0.15:
            break
        red_cell_px = width / WHITE_CELL
    return segmentation and segmentation._replace(measured=False)


def segment_at(rgb: np.ndarray, red_cell_px: float, known: Stains | None = None) -> Segmentation | None:
    """What each place of a photo is, where the size of a red cell is known.

    Args:
        rgb: (h, w, 3) uint8, the photo.
        red_cell_px: diameter of a red cell, px.
        known: its stains, where they are not the usual ones.

    Returns:
        As `segment`.
    """
    zoom = min(FINE / red_cell_px, 2.0, float(np.sqrt(LARGEST / rgb[..., 0].size)))
    fine = resized(rgb, zoom)
    zoom = fine.shape[1] / rgb.shape[1]
    od = density(fine)
    if known:
        return Segmentation(by_stain(od, red_cell_px * zoom, *known), zoom, red_cell_px)
    usual = stains(od, red_cell_px * zoom)
    return None if usual is None else Segmentation(tissue(od, red_cell_px * zoom, *usual), zoom, red_cell_px)


def _cell_width(tissue_map: np.ndarray) -> float:
    """(h, w, 3) of `tissue` -> diameter of the largest white cell that lies alone, px; nan if none does."""
    inside = ndimage.binary_opening(tissue_map[..., OUTSIDE] < 0.5, iterations=3)
    widths = [
        float(np.sqrt(4 / np.pi * part.area_filled))
        for part in measure.regionprops(ndimage.label(inside)[0], intensity_image=tissue_map[..., NUCLEUS])
        if part.intensity_mean > 0.15
        # Two cells that touch are neither.
        and part.area_filled > 0.88 * part.area_convex
        and part.axis_minor_length > 0.6 * part.axis_major_length
    ]
    return max(widths, default=float("nan"))
