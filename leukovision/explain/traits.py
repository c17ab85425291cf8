"""A `Cell` comes in; its traits in a haematologist's words go out, measured on its pixels alone.

No network has a say in them, and they have none in a decision. Definitions and sources: `docs/traits.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage import filters, measure

from leukovision.cell import Cell, filled
from leukovision.errors import sentence

NAMES = (
    "area", "diameter", "nucleus_to_cell", "roundness", "indentation", "coarseness", "nucleoli",
    "basophilia",
)  # fmt: skip
"""The traits, in the order in which they are told."""

COMPARED = tuple(name for name in NAMES if name != "diameter")
"""Those that say something of their own."""

PALER = 0.6
"""Density of the paler side of a cell beside the darker, at most, where that side is cytoplasm. It is 0.12 to
0.56 in photos with cytoplasm drawn by hand, and 0.65 and more in the cells of C-NMC, which hold little."""

NUCLEAR = 0.75
"""Density, beside the median of the cell, from which a place is nucleus where there is little cytoplasm."""

LOBE = 0.03
"""Of the cell, the smallest part of a nucleus."""

DARKEST = 0.1
"""Of the cell, at least, that is darker where it is a nucleus and no speck of dirt."""

RIM = 6
"""Of the nucleus, px, where it fades: its chromatin is measured inside of it."""

LEAST = 1500
"""Of a nucleus, with and without its rim, px of the frame."""

CYTOPLASM = 0.03
"""Of the cell, the least cytoplasm of which the colour is measured."""

PALE_SPOT = 0.1
"""How much paler than what surrounds it a nucleolus is, beside the nucleus's density."""

SPOT = (150, 2500)
"""Area of a nucleolus, px of the frame: 0.7 to 3 um across."""

_DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
"""Optical density of each value of a channel, against white: a cell on black shows no bare slide."""


@dataclass(frozen=True)
class Traits:
    """What is measured on a cell; None where it cannot be, and `missing` says why.

    Attributes:
        area: of the cell, square px of its frame.
        diameter: of the disc of that area, px.
        nucleus_to_cell: area of the nucleus in that of the cell.
        roundness: of the nucleus, 4 pi area / perimeter squared: 1 is a disc.
        indentation: the part of the convex hull around the nucleus that is not nucleus: 0 has no notch.
        coarseness: how much the density varies in clumps of 1.2 to 2.4 um, beside grains of 0.3 to 0.6 um.
        nucleoli: pale round spots in the nucleus.
        basophilia: how dense the cytoplasm is in red light, which azure takes, beside its nucleus.
        px_per_um: of the cell's frame, where red cells beside it gave a scale; else None.
        missing: a sentence by name, for each that is None.
    """

    area: float | None = None
    diameter: float | None = None
    nucleus_to_cell: float | None = None
    roundness: float | None = None
    indentation: float | None = None
    coarseness: float | None = None
    nucleoli: int | None = None
    basophilia: float | None = None
    px_per_um: float | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def unit(self, name: str) -> tuple[str, float]:
        """The unit in which a trait is told, "" for a mere number, and how many of it one of the value is."""
        if name not in ("area", "diameter"):
            return "", 1.0
        power = 2 if name == "area" else 1
        length, factor = ("px", 1.0) if self.px_per_um is None else ("µm", 1 / self.px_per_um**power)
        return length + ("²" if power == 2 else ""), factor


def traits(cell: Cell, px_per_um: float | None = None) -> Traits:
    """Measure a cell.

    Args:
        cell: cut out on black; of any other picture nothing is measured.
        px_per_um: of its frame, if known.
    """
    if not cell.on_black:
        return Traits(missing=dict.fromkeys(NAMES, sentence("trait_not_on_black")))
    area = float(cell.outline.sum())
    found: dict[str, float | None] = {"area": area, "diameter": float(np.sqrt(4 * area / np.pi))}
    # At half the size: what is finer than 0.1 um is noise of the camera and of the file.
    own = halved(cell.outline[cell.box].astype(np.float32)) > 0.5
    red, green = density_of(cell)
    nucleus = nucleus_of(red + green, own)
    if 4 * nucleus.sum() < LEAST:
        missing = dict.fromkeys(NAMES[2:], sentence("trait_no_nucleus"))
        return Traits(**found, px_per_um=px_per_um, missing=missing)  # type: ignore[arg-type]
    found["nucleus_to_cell"] = float(nucleus.sum() / own.sum())
    found["roundness"], found["indentation"] = _shape(nucleus)
    missing = {}
    chromatin = _chromatin(red + green, nucleus)
    if chromatin is None:
        missing |= dict.fromkeys(("coarseness", "nucleoli"), sentence("trait_small_nucleus"))
    else:
        found["coarseness"], found["nucleoli"] = chromatin
    inner = ndimage.binary_erosion(own, iterations=2)
    cytoplasm = inner & ~ndimage.binary_dilation(nucleus, iterations=2)
    if cytoplasm.sum() < CYTOPLASM * own.sum():
        missing["basophilia"] = sentence("trait_no_cytoplasm")
    else:
        found["basophilia"] = float(np.median(red[cytoplasm]) / max(np.median(red[nucleus]), 1e-3))
    return Traits(**found, px_per_um=px_per_um, missing=missing)  # type: ignore[arg-type]


def density_of(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 twice: optical density of the cell's box in red and in green light, at half its size."""
    red, green = (halved(_DENSITY[cell.pixels[..., channel][cell.box]]) for channel in (0, 1))
    return red, green


def halved(values: np.ndarray) -> np.ndarray:
    """(h, w) float32 -> (h // 2, w // 2) float32: the mean of each four."""
    rows, columns = (2 * (side // 2) for side in values.shape)
    values = values[:rows, :columns]
    four = values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
    return np.asarray(four / 4)


def nucleus_of(density: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The nucleus of a cell, with all its lobes.

    Args:
        density: (h, w) float32, optical density in red and green light, at half the frame's size.
        own: (h, w) bool, the cell.

    Returns:
        (h, w) bool; all of the cell where nothing in it is clearly paler.
    """
    smooth = _within(density, own, 1)
    values = smooth[own]
    if not values.size:
        return own
    level = float(filters.threshold_otsu(values)) if np.ptp(values) > 0 else 0.0
    darker = values > level
    if darker.mean() < DARKEST or values[~darker].mean() > PALER * values[darker].mean():
        level = NUCLEAR * float(np.median(values))
    dark = ndimage.binary_opening(np.pad(own & (smooth > level), 2), iterations=2)[2:-2, 2:-2]
    labels, _ = ndimage.label(dark)
    large = np.bincount(labels.ravel()) > LOBE * own.sum()
    large[0] = False
    return np.asarray(filled(large[labels]) & own)


def _within(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w) float32, averaged over what is in the mask, and nothing beside it."""
    weights = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="constant", truncate=3)
    sums = ndimage.gaussian_filter(values * mask, sigma, mode="constant", truncate=3)
    return np.asarray(sums / np.maximum(weights, 1e-3))


def _shape(nucleus: np.ndarray) -> tuple[float, float]:
    """(h, w) bool -> roundness and indentation."""
    area = float(nucleus.sum())
    perimeter = float(measure.perimeter_crofton(np.pad(nucleus, 1), 4))
    y, x = np.nonzero(nucleus & ~ndimage.binary_erosion(nucleus))
    corners = np.concatenate([np.stack([y + dy, x + dx], 1) for dy in (0, 1) for dx in (0, 1)])
    hull = ConvexHull(corners).volume  # of two dimensions: its area
    return min(1.0, 4 * np.pi * area / perimeter**2), max(0.0, 1 - area / float(hull))


def _chromatin(density: np.ndarray, nucleus: np.ndarray) -> tuple[float, int] | None:
    """Coarseness and the count of nucleoli; None where too little nucleus is left inside of its rim."""
    deep = ndimage.binary_erosion(nucleus, iterations=RIM // 2)
    if 4 * deep.sum() < LEAST:
        return None
    averaged = [_within(density, nucleus, sigma) for sigma in (1, 2, 4, 8)]
    grains, clumps = (float((finer - coarser)[deep].std()) for finer, coarser in (averaged[:2], averaged[2:]))
    pale = averaged[1] - averaged[3] < -PALE_SPOT * float(density[deep].mean())
    spots = measure.regionprops(ndimage.label(deep & pale)[0])
    count = [SPOT[0] <= 4 * spot.area <= SPOT[1] and spot.solidity > 0.8 for spot in spots].count(True)
    return clumps / max(grains, 1e-6), count
