"""A `Cell` comes in; the numbers that a backbone reads, (size, size, 3) float32, go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from scipy import ndimage

from leukovision.cell import BLACK, FRAME, Cell, foreground

CROP = 300
"""Side of the centre crop of the frame, px, if nothing else is said: as the first C-NMC papers cut it."""

FILL = 0.82
"""Diameter of a disc of the cell's area, as a part of the frame's side, when the cell fills it."""


@dataclass(frozen=True)
class Input:
    """How a cell becomes numbers.

    Attributes:
        geometry: `fill` scales each cell to the same area, so that size says nothing;
            `crop` takes the middle of the frame, so that size stays.
        field: side of that middle, px. As large as `size`, every pixel is the camera's own.
        size: side of the square that the backbones read, px.
        colour: `standardised` brings each channel of the cell's own pixels to median 0 and one spread,
            so that stain and brightness say little; `plain` leaves the colours.
        chroma: side of the square over which chroma (Cb and Cr of YCbCr) is averaged within the cell, px of
            the picture; 1 leaves it. Fine chroma is the camera's and the file's more than the cell's, and is
            what saving as JPEG destroys first.
    """

    geometry: Literal["fill", "crop"] = "fill"
    size: int = 256
    colour: Literal["standardised", "plain"] = "standardised"
    field: int = CROP
    chroma: int = 1

    def picture(
        self,
        cell: Cell,
        side: int | None = None,
        margin: float = 1.0,
        moved: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """What the backbones see of a cell, as a picture.

        Args:
            cell: the cell.
            side: of the picture, px; `size` by default. Another one shows the same field, finer.
            margin: how much wider than the backbones' field to look (1.0: exactly that).
            moved: how far to the right and down of it to look, in widths of the field.

        Returns:
            (side, side, 3) uint8, RGB.
        """
        side = side or self.size
        left, top, width = self._field(cell, margin)
        left, top = left + moved[0] * width, top + moved[1] * width
        # Black all around, so that a field wider than the frame can be cut out of it.
        pad = max(0, int(np.ceil(max(-left, -top, left + width - FRAME, top + width - FRAME))))
        pixels = np.pad(cell.pixels, ((pad, pad), (pad, pad), (0, 0))) if pad else cell.pixels
        box = (left + pad, top + pad, left + pad + width, top + pad + width)
        return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC, box))

    def numbers(self, picture: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 picture -> (h, w, 3) float32: black is -1, a cell's pixels mostly -1 to 1."""
        if self.chroma > 1:
            picture = coarse_chroma(picture, self.chroma)
        if self.colour == "plain":
            # What compression leaves around the cell is black, too.
            return np.where(foreground(picture)[..., None], picture / np.float32(127.5) - 1, np.float32(-1))
        return standardise(picture)

    def _field(self, cell: Cell, margin: float) -> tuple[float, float, float]:
        """Left, top and width, px of the cell's frame, of what the backbones look at."""
        if self.geometry == "crop" or not cell.on_black:
            width = (self.field if self.geometry == "crop" else FRAME) * margin
            return (FRAME - width) / 2, (FRAME - width) / 2, width
        own = cell.outline[cell.box]
        area = np.count_nonzero(own)
        width = float(np.sqrt(4 * area / np.pi)) / FILL * margin
        top, left = (
            place.start + own.sum(axis=1 - axis) @ np.arange(own.shape[axis]) / area + 0.5 - width / 2
            for axis, place in enumerate(cell.box)
        )
        return left, top, width


def coarse_chroma(picture: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 3) uint8 RGB -> the same with its chroma averaged over squares of `side` px, the luminance as it
    was. Only the cell's own pixels are averaged: the black around it has no colour to give."""
    cell = foreground(picture)
    luminance, *chroma = np.moveaxis(np.asarray(Image.fromarray(picture).convert("YCbCr")), -1, 0)
    count = np.maximum(ndimage.uniform_filter(cell.astype(np.float32), side), 1e-3)
    even = [
        ndimage.uniform_filter(np.where(cell, part - np.float32(128), 0), side) / count for part in chroma
    ]
    channels = [luminance, *(np.clip(np.rint(part + 128), 0, 255).astype(np.uint8) for part in even)]
    result = np.asarray(Image.fromarray(np.stack(channels, axis=-1), "YCbCr").convert("RGB")).copy()
    result[~cell] = picture[~cell]
    return result


def inside(numbers: np.ndarray) -> np.ndarray:
    """(..., 3) float32 of `Input.numbers` -> (...) bool: what is not black."""
    brightest = np.maximum(np.maximum(numbers[..., 0], numbers[..., 1]), numbers[..., 2])
    return np.asarray(brightest > 2 * BLACK / 255 - 1)


def standardise(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w, 3) float32: each channel of the cell to median 0, spread 0.3; black to -1.

    The spread is the one of a normal distribution with the same middle 80 %, so that a bright rim or a
    scrap of a neighbour does not flatten the chromatin.
    """
    cell = foreground(picture)
    if not cell.any():
        return np.full(picture.shape, -1, dtype=np.float32)
    # Pillow counts levels, which is all that quantiles need, in less time than sorting takes.
    counts = Image.fromarray(picture).histogram(Image.fromarray(cell))
    middles, scales = np.empty((2, 3), dtype=np.float32)
    for channel in range(3):
        low, middles[channel], high = _quantiles(counts[256 * channel :][:256], (0.1, 0.5, 0.9))
        # A floor on the spread: an even patch must not be blown up into noise.
        scales[channel] = 0.3 / max((high - low) / 2.563, 3.0)
    # Whole rows at once: numpy takes three times as long over a last axis of three.
    height, width, _ = picture.shape
    rows = picture.reshape(height, -1) - np.tile(middles, width)
    rows *= np.tile(scales, width)
    np.clip(rows, -1, 1.5, out=rows)
    rows[np.repeat(~cell, 3, axis=1)] = -1
    return rows.reshape(picture.shape)


def _quantiles(counts: Sequence[int], parts: Sequence[float]) -> np.ndarray:
    """As `np.quantile` of whole numbers, by how often there are 0, 1, 2 and so on."""
    below = np.cumsum(counts)
    whole, rest = np.divmod(np.multiply(parts, below[-1] - 1), 1)
    low, high = np.searchsorted(below, whole, "right"), np.searchsorted(below, np.ceil(whole + rest), "right")
    return np.asarray(low + rest * (high - low))
