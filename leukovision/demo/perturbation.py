"""A cell and what shall be done to it come in; the changed cell goes out, read again as if it were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from leukovision.cell import Cell, read_cell
from leukovision.resaving import compressed

WINDOW = 320
"""Side of the middle of the frame that is shown and painted on, px of 450."""

BRUSH = 14
"""Radius of the brush, px of 450."""

CORNER = 64
"""Side of the coloured corner, px of 450."""

MAGENTA = (214, 40, 160)

AS_IT_IS = 101
"""In the place of a quality of JPEG: not saved as JPEG at all."""


@dataclass(frozen=True)
class Perturbation:
    """What is done to a picture, in this order; the defaults do nothing.

    Attributes:
        turn: degrees, anticlockwise.
        size: factor on the cell's lengths.
        brightness: factor.
        stain: -1 bluer, +1 redder.
        blur: spread, px of 450.
        noise: spread, of 255 levels.
        covered: places painted black, (x, y) from 0 to 1 of the window in the middle.
        corner: whether a magenta square stands in the window's upper left corner.
        quality: of the JPEG that all of it is saved as at last, 1 to 100, or `AS_IT_IS`.
    """

    turn: float = 0.0
    size: float = 1.0
    brightness: float = 1.0
    stain: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    covered: Sequence[tuple[float, float]] = ()
    corner: bool = False
    quality: int = AS_IT_IS


def perturbed(cell: Cell, changes: Perturbation) -> Cell:
    """Do it. What was black around the cell stays black.

    Raises:
        CellError: nothing of the cell is left.
    """
    side = len(cell.pixels)
    picture, mask = Image.fromarray(cell.pixels), Image.fromarray(cell.outline)
    if changes.turn:
        picture = picture.rotate(changes.turn, Image.Resampling.BICUBIC)
        mask = mask.rotate(changes.turn)
    if changes.size != 1:
        reach = side / 2 / changes.size
        box = (side / 2 - reach, side / 2 - reach, side / 2 + reach, side / 2 + reach)
        # A transform, unlike a crop, may look beyond the frame.
        data = (1 / changes.size, 0, box[0], 0, 1 / changes.size, box[1])
        picture = picture.transform((side, side), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        mask = mask.transform((side, side), Image.Transform.AFFINE, data)
    pixels, inside = np.asarray(picture, dtype=np.float32), np.asarray(mask)
    pixels = pixels * changes.brightness * (1 + 0.3 * changes.stain * np.array([1, 0, -1], np.float32))
    if changes.blur:
        weight = ndimage.gaussian_filter(inside.astype(np.float32), changes.blur)[..., None]
        pixels = ndimage.gaussian_filter(pixels * inside[..., None], (changes.blur, changes.blur, 0))
        pixels /= np.maximum(weight, 1e-3)  # black does not run into the cell
    if changes.noise:
        pixels = pixels + np.random.default_rng(0).normal(0, changes.noise, pixels.shape).astype(np.float32)
    whole = np.where(inside[..., None], np.clip(pixels, 0, 255), 0)
    first = (side - WINDOW) / 2
    y, x = np.indices(inside.shape)
    for across, down in changes.covered:
        whole[np.hypot(x - first - WINDOW * across, y - first - WINDOW * down) <= BRUSH] = 0
    if changes.corner:
        edge = round(first)
        whole[edge : edge + CORNER, edge : edge + CORNER] = MAGENTA
    saved = np.round(whole).astype(np.uint8)
    if changes.quality != AS_IT_IS:
        saved = compressed(saved, "JPEG", round(changes.quality))
    return read_cell(saved, cell.name)


def window(cell: Cell) -> np.ndarray:
    """(320, 320, 3) uint8: the middle of the frame, in which size and place can be seen."""
    first = (len(cell.pixels) - WINDOW) // 2
    return cell.pixels[first : first + WINDOW, first : first + WINDOW]
