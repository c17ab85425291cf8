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


class Seen(NamedTuple):
    """What a photo shows.

    Attributes:
        parts: (h, w, 3) float32 of `tissue`.
        zoom: how much larger than the photo that is.
        size: diameter of a red cell, px of the photo.
        measured: whether red cells of the photo gave it, and not how large its white cells are.
    """

    parts: np.ndarray
    zoom: float
    size: float
    measured: bool = True


def look(rgb: np.ndarray) -> Seen | None:
    """(h, w, 3) uint8 photo of a smear -> what each place of it is; None where nothing is of the colour of
    nuclei."""
    for side in ROUGH:
        zoom = min(1.0, side / max(rgb.shape[:2]))
        od = density(resized(rgb, zoom))
        measured, guessed = red_cells(od)
        if measured > 16 or zoom == 1:
            break
    if np.isnan(measured) and (odd := two_kinds(od)):
        return look_at(rgb, odd[2] / zoom, odd[:2])
    measured, size = measured / zoom, guessed / zoom
    if size < 2 * measured:
        size = measured
    for _ in range(4):
        seen = look_at(rgb, size)
        width = float("nan") if seen is None else _cell_width(seen.parts) / seen.zoom
        if not width > TOO_WIDE * measured and not np.isnan(measured):
            return seen if size == measured else look_at(rgb, measured)
        # No white cell is so wide: what was measured were no red cells, if anything was.
        if np.isnan(width) or abs(np.log(width / WHITE_CELL / size)) < 0.15:
            break
        size = width / WHITE_CELL
    return seen and seen._replace(measured=False)


def look_at(rgb: np.ndarray, size: float, known: Stains | None = None) -> Seen | None:
    """What each place of a photo is, where the size of a red cell is known.

    Args:
        rgb: (h, w, 3) uint8, the photo.
        size: diameter of a red cell, px.
        known: its stains, where they are not the usual ones.

    Returns:
        As `look`.
    """
    zoom = min(FINE / size, 2.0, float(np.sqrt(LARGEST / rgb[..., 0].size)))
    fine = resized(rgb, zoom)
    zoom = fine.shape[1] / rgb.shape[1]
    od = density(fine)
    if known:
        return Seen(by_stain(od, size * zoom, *known), zoom, size)
    usual = stains(od, size * zoom)
    return None if usual is None else Seen(tissue(od, size * zoom, *usual), zoom, size)


def _cell_width(parts: np.ndarray) -> float:
    """(h, w, 3) of `tissue` -> diameter of the largest white cell that lies alone, px; nan if none does."""
    inside = ndimage.binary_opening(parts[..., OUTSIDE] < 0.5, iterations=3)
    widths = [
        float(np.sqrt(4 / np.pi * part.area_filled))
        for part in measure.regionprops(ndimage.label(inside)[0], intensity_image=parts[..., NUCLEUS])
        if part.intensity_mean > 0.15
        # Two cells that touch are neither.
        and part.area_filled > 0.88 * part.area_convex
        and part.axis_minor_length > 0.6 * part.axis_major_length
    ]
    return max(widths, default=float("nan"))
