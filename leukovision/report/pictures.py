"""A cell with its maps, or thumbnails of many, come in; the pictures of a report go out, as files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from leukovision.batch import THUMBNAIL
from leukovision.ensemble import Analysis
from leukovision.explain.overlay import BLUE, GREY, RED, colours, overlays
from leukovision.report.schema import CellReport

MOSAIC = (20, 12)
"""Thumbnails across and down in the montage of a batch, at most."""


def cell_pictures(content: CellReport, analysis: Analysis, picture: np.ndarray) -> dict[str, bytes]:
    """The cell, its maps and their colour scale, by file name."""
    ramp = np.linspace(-content.scale, content.scale, 512, dtype=np.float32)[None].repeat(16, 0)
    over = Image.fromarray(colours(ramp, content.scale))
    below = Image.new("RGBA", over.size, (150, 150, 150, 255))
    drawn = {"cell.jpg": Image.fromarray(picture).point(lambda value: min(255, round(1.5 * value)))}
    drawn |= {f"{key}.jpg": image for key, image in overlays(analysis, picture=picture).items()}
    return {name: _encoded(image) for name, image in drawn.items()} | {
        "ramp.png": _encoded(Image.alpha_composite(below, over).convert("RGB"), "PNG")
    }


def mosaic(cells: Sequence[tuple[str, bytes]]) -> bytes:
    """Decision's side and thumbnail of each cell -> all of them in rows, a bar for it under each."""
    bars = {"positive": RED, "negative": BLUE}
    step, across = THUMBNAIL + 4, min(MOSAIC[0], max(8, len(cells)))
    canvas = Image.new("RGB", (across * step, -(-len(cells) // across) * (step + 6)), "white")
    draw = ImageDraw.Draw(canvas)
    for place, (side, content) in enumerate(cells):
        x, y = place % across * step, place // across * (step + 6)
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            if image.size != (THUMBNAIL, THUMBNAIL):
                raise ValueError(f"a thumbnail is {THUMBNAIL} px wide and high, not {image.size}.")
            canvas.paste(image.convert("RGB").point(lambda value: min(255, round(1.5 * value))), (x, y))
        bar = (x, y + THUMBNAIL + 1, x + THUMBNAIL - 1, y + THUMBNAIL + 4)
        draw.rectangle(bar, fill=bars.get(side, GREY))
    return _encoded(canvas)


def _encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    """Without metadata: what a camera or a person wrote into the picture stays out of the report."""
    content = io.BytesIO()
    image.save(content, kind, quality=88)
    return content.getvalue()
