"""Maps and cells come in; pictures of them go out, in the colours that page and reports share."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from leukovision.cell import Cell, foreground
from leukovision.ensemble import Analysis

COMBINED = "combined"
"""Key and file name of the ensemble's map beside those of the backbones."""

RED = (224, 49, 62)
BLUE = (33, 124, 236)
GREY = (150, 150, 150)
OPACITY = 75
"""Opacity of the overlay when the page opens, percent."""


def scale_of(maps: Mapping[str, np.ndarray]) -> float:
    """What gets full colour in all maps: what 99.5 % of pixels stay below, rounded up."""
    strong = max(float(np.percentile(np.abs(cam), 99.5)) for cam in maps.values())
    power = 10.0 ** np.floor(np.log10(max(strong, 1e-3)))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(next((s * power for s in steps if s * power >= strong * 0.999), 10 * power))


def colours(cam: np.ndarray, scale: float) -> np.ndarray:
    """(h, w) float32 logits -> (h, w, 4) uint8 RGBA: red for the positive class, else blue, clear at 0."""
    strength = np.clip(np.abs(cam) / scale, 0, 1)
    rgb = np.where((cam > 0)[..., None], RED, BLUE)
    return np.dstack([rgb, np.round(255 * strength**0.8)]).astype(np.uint8)


def backdrop(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w, 3) uint8: grey, so that only the map has colour, and bright enough to see."""
    grey = picture @ np.array([0.30, 0.59, 0.11])
    cell = foreground(picture)
    if cell.any():
        low, high = np.percentile(grey[cell], (1, 99.5))
        grey = np.where(cell, 40 + 140 * np.clip((grey - low) / max(high - low, 8), 0, 1), grey)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def overlays(
    analysis: Analysis, opacity: float = OPACITY / 100, picture: np.ndarray | None = None
) -> dict[str, Image.Image]:
    """Each backbone's map and the combined one, laid over the cell, on one colour scale.

    Args:
        analysis: of one cell.
        opacity: of the map where it is strongest, 0 to 1.
        picture: (side, side, 3) uint8, the same field as `analysis.picture`, finer; that by default.

    Returns:
        RGB pictures of the picture's size, by backbone, and last by `COMBINED`.
    """
    scale = scale_of(cams(analysis))
    below = Image.fromarray(backdrop(analysis.picture if picture is None else picture)).convert("RGBA")
    pictures = {}
    for name, cam in cams(analysis).items():
        rgba = colours(cam, scale)
        rgba[..., 3] = (rgba[..., 3] * opacity).astype(np.uint8)
        over = Image.fromarray(rgba)
        over = over if over.size == below.size else over.resize(below.size, Image.Resampling.BICUBIC)
        pictures[name] = Image.alpha_composite(below, over).convert("RGB")
    return pictures


def data_uri(picture: np.ndarray, exact: bool = False) -> str:
    """(h, w, 3 or 4) uint8 -> a `data:` URI, so that no picture of a cell is left in a server's folder."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=90, lossless=exact)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def cams(analysis: Analysis) -> dict[str, np.ndarray]:
    """The maps that add up, (size, size) float32 each: what each backbone adds, and by `COMBINED` the sum.

    Not what each says alone: one whose strong parts cancel each other would else take the colour from
    one that weighs more.
    """
    parts = {name: member.weight * member.cam for name, member in analysis.members.items()}
    return parts | {COMBINED: analysis.cam}


def thumbnail(cell: Cell, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the cell in its colours with a little black around it."""
    rows, columns = cell.box
    reach = (max(rows.stop - rows.start, columns.stop - columns.start) - 1) / 2 * 1.12 + 1
    y, x = ((place.start + place.stop - 1) / 2 for place in (rows, columns))
    box = tuple(round(edge) for edge in (x - reach, y - reach, x + reach, y + reach))
    return np.asarray(Image.fromarray(cell.pixels).crop(box).resize((side, side), Image.Resampling.LANCZOS))


def is_dark(cell: Cell) -> bool:
    """Whether a cell on black is too dark for screens and projectors, as the training cells are."""
    return cell.on_black and float(cell.pixels[cell.outline].mean()) < 120
