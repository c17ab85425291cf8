"""A picture comes in; a `Cell` (upright 8-bit sRGB in the 450 px frame) goes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage

from leukovision.decode import SUFFIXES, Source, read_picture
from leukovision.raster import CellError

FRAME = 450
"""Side of the C-NMC frame, px."""

BLACK = 12
"""A pixel whose three channels are all at most this is background: JPEG leaves a little noise there."""

SLIDE = 0.3
"""Of the view of a smear, the least that is bare slide, all of one brightness."""

PIECES = 2
"""Pieces in it, beyond which it is a smear: a round cell has a nucleus, seldom with lobes apart."""

SMALLEST_VIEW = 200
"""Of such views, px."""

LARGE = 4 * FRAME
"""Longer side from which a picture is made smaller before its cell is looked for, px."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture, ready for an ensemble.

    Attributes:
        pixels: (450, 450, 3) uint8, RGB, upright.
        outline: (450, 450) bool, what belongs to the cell: the largest connected part that is not
            black, or everything if the picture is not on black.
        on_black: whether the picture is a cell cut out on black, as in the training data.
        name: what to call it in results: a file's path, or what the caller gave.
    """

    pixels: np.ndarray
    outline: np.ndarray
    on_black: bool
    name: str = "picture"

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """The rows and the columns that the outline reaches over."""
        return box_of(self.outline)

    @cached_property
    def depth(self) -> np.ndarray:
        """(h, w) float64, of every second row and column of the box: how far that pixel is from the nearest
        one beside the cell, px. Of all of them it would take four times as long, and say no more."""
        half = self.outline[self.box][::2, ::2]
        return 2 * depth_of(half if half.any() else np.ones_like(half))


def read_cell(source: Source, name: str | None = None) -> Cell:
    """Read one cell.

    Args:
        source: a path, a file opened for bytes, the bytes of a file, an array ((h, w), (h, w, 3) or
            (h, w, 4); uint8, uint16, or float from 0 to 1) or a PIL image.
        name: used in results and errors; a path's or file's own by default.

    Returns:
        The cell. 450 px pictures keep their frame; a cell on black of another size is moved, without
        scaling unless it is too large, to the middle of one; anything else is fitted into one.

    Raises:
        CellError: not an image, truncated, empty, stored in a way that we have no decoder for, smaller than
            32 px, more than 50 megapixels, all one colour, or animated. The text names the file and says what
            would be right.
        FileNotFoundError: there is no such file.
    """
    return framed(*read_picture(source, name))


def foreground(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> (...) bool: what is not black."""
    # A loop over channels, not over pixels: so it takes a tenth of the time of `rgb.max(axis=-1)`.
    return np.asarray(np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2]) > BLACK)


def is_on_black(rgb: np.ndarray) -> bool:
    """Whether (h, w, 3) uint8 is something cut out on black, and not a smear seen through an eyepiece."""
    not_black = foreground(rgb)
    edge = np.concatenate([not_black[0], not_black[-1], not_black[:, 0], not_black[:, -1]])
    alone = bool(not_black.any() and edge.mean() <= 0.2 and not_black.mean() <= 0.95)
    return alone and not _shows_a_slide(rgb, not_black)


def _shows_a_slide(rgb: np.ndarray, not_black: np.ndarray) -> bool:
    """Whether what is not black, (h, w) bool, is a round or oblong view of bright slide with cells on it."""
    step = max(1, max(not_black.shape) // 600)
    green, not_black = rgb[::step, ::step, 1], not_black[::step, ::step]
    counts = np.bincount(green[not_black], minlength=256)
    slide = int(np.convolve(counts, np.ones(9), "same").argmax())
    if counts[max(0, slide - 12) : slide + 13].sum() < SLIDE * counts.sum() or not _is_a_view(not_black):
        return False
    inner = ndimage.binary_erosion(not_black, iterations=max(1, max(not_black.shape) // 60))
    areas = np.bincount(ndimage.label(inner & (green < slide - 20))[0].ravel())[1:]
    return bool((areas > 2e-4 * not_black.sum()).sum() > PIECES)


def _is_a_view(not_black: np.ndarray) -> bool:
    """(h, w) bool -> whether it is a disc, which the picture may cut off, or upright and oblong."""
    view = largest_part(not_black)
    rows, columns = box_of(view)
    if min(view[rows, columns].shape) < SMALLEST_VIEW:
        return False  # so small, many a cell is as round
    if view.sum() > 0.98 * view[rows, columns].size:
        return True
    y, x = np.nonzero(view & ~ndimage.binary_erosion(view, border_value=1))
    x, y = x - x.mean(), y - y.mean()
    (a, b, c), *_ = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), x * x + y * y, rcond=None)
    radius = float(np.sqrt(max(c + a * a / 4 + b * b / 4, 1e-6)))
    off = np.hypot(x - a / 2, y - b / 2) - radius
    return bool(np.sqrt(np.mean(off**2)) < 0.01 * radius + 0.5)


def framed(rgb: np.ndarray, name: str) -> Cell:
    """(h, w, 3) uint8 -> the cell in its frame."""
    rgb = _less(rgb)
    height, width = rgb.shape[:2]
    not_black, on_black = foreground(rgb), is_on_black(rgb)
    if (height, width) != (FRAME, FRAME):
        if on_black:
            rows, columns = box_of(largest_part(not_black))
            rgb = rgb[rows, columns]
            height, width = rgb.shape[:2]
        # A cell keeps its scale unless it is too large; a photograph is shrunk or enlarged to fit.
        scale = FRAME / max(height, width)
        scale = min(scale, 1.0) if on_black else scale
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = Image.fromarray(rgb)
        image = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
        canvas = Image.new("RGB", (FRAME, FRAME))
        canvas.paste(image, ((FRAME - size[0]) // 2, (FRAME - size[1]) // 2))
        rgb = np.asarray(canvas)
        not_black = foreground(rgb)
    on_black = on_black and bool(not_black.any())
    outline = largest_part(not_black) if on_black else np.ones((FRAME, FRAME), dtype=bool)
    return Cell(np.ascontiguousarray(rgb), outline, on_black, name)


def _less(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> the same, at most `LARGE` on its longer side, so that a large picture takes no time.

    First goes the black around a cell, so that a small one keeps its scale; what is left is too large for
    the frame, and made smaller by a whole factor.
    """
    if max(rgb.shape[:2]) <= LARGE:
        return rgb
    step = -(-max(rgb.shape[:2]) // LARGE)
    small = rgb[::step, ::step]
    if is_on_black(small):
        box = box_of(largest_part(foreground(small)))
        spare = [(side.stop - side.start) // 8 + 2 for side in box]
        rows, columns = (
            slice(max(0, side.start - more) * step, (side.stop + more) * step)
            for side, more in zip(box, spare, strict=True)
        )
        rgb = rgb[rows, columns]
    factor = -(-max(rgb.shape[:2]) // LARGE)
    return rgb if factor == 1 else np.asarray(Image.fromarray(rgb).reduce(factor))


def box_of(mask: np.ndarray) -> tuple[slice, slice]:
    """(h, w) bool, at least one True -> the rows and the columns that it reaches over."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def depth_of(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h, w) float64: how far each pixel is from the nearest one that is not in the mask, px.

    What lies beyond the array is not in it.
    """
    return np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1])


def largest_part(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h, w) bool: its largest connected part, holes filled."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    if count > 1:
        mask = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    box, part = box_of(mask), np.zeros_like(mask)
    part[box] = filled(mask[box])
    return part


def filled(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h, w) bool: with the holes, which are what is not connected to the outside.

    As `ndimage.binary_fill_holes`, in a fifth of the time.
    """
    parts, _ = ndimage.label(~np.pad(mask, 1))
    return np.asarray(parts != parts[0, 0])[1:-1, 1:-1]


__all__ = [
    "BLACK",
    "FRAME",
    "LARGE",
    "SUFFIXES",
    "Cell",
    "CellError",
    "box_of",
    "depth_of",
    "filled",
    "foreground",
    "framed",
    "is_on_black",
    "largest_part",
    "read_cell",
    "read_picture",
]
