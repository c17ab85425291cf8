"""A photo of a smear comes in; the panel that shows its cells, to be chosen and corrected, goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw

from leukovision.cell import Cell
from leukovision.demo import decode_worker
from leukovision.demo.templates import macros
from leukovision.ensemble import Analysis, Ensemble
from leukovision.errors import sentence
from leukovision.explain.overlay import data_uri, thumbnail
from leukovision.i18n import ENGLISH, Texts
from leukovision.smear import Found, cut, find_cells

_PIECES = macros("photo")

SIDE = 1200
"""Longest side of the photo as the page shows it, px."""

BRUSH = 0.08
"""Radius of the brush, as a part of the cell's larger side."""

ACTS = ("pick", "box", "more", "less", "new", "drop")
"""What can be done to the cells of a photo: look at one; look for its outline in a box; paint more to it, or
less; cut a new one out of a box; drop it."""

_POINTS = 400


@dataclass(frozen=True, eq=False)
class Outline:
    """A cell of a photo, as much of it as is kept: it is cut out again when it is looked at.

    Attributes:
        contour: (n, 2) float64, x and y in px of the photo.
        scale: px of the cell's frame for a px of the photo.
        marks: what is wrong with it.
        decision, p_all, in_domain: what the ensemble said.
        small: its cut-out, as a data URI.
        box: left, top, right, bottom; px of the photo.
        px_per_um: of the cell's frame, where red cells of the photo gave the scale.
    """

    contour: np.ndarray
    scale: float
    marks: tuple[str, ...]
    decision: str
    p_all: float
    in_domain: bool
    small: str
    box: tuple[int, int, int, int]
    px_per_um: float | None = None


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo on one visitor's page.

    Attributes:
        source: where the upload lies until it is deleted.
        name: what its sender calls it.
        size: width and height, px.
        shown: the photo, small, as a data URI.
        outlines: of its cells, in the order of their numbers.
        chosen: which of them is looked at, from 0.
    """

    source: decode_worker.Source
    name: str
    size: tuple[int, int]
    shown: str
    outlines: tuple[Outline, ...]
    chosen: int = 0


Looked = tuple[Photo, Cell, Analysis]
"""A photo, the cell of it that is looked at, and what the ensemble says of that."""


def analyse_photo(
    ensemble: Ensemble, rgb: np.ndarray, source: decode_worker.Source, name: str, number: int | None = None
) -> Looked | None:
    """Find the cells of a photo and judge all of them; None where there is none.

    Args:
        ensemble: which judges.
        rgb: (h, w, 3) uint8, the photo.
        source, name: as `Photo` keeps them.
        number: of the cell to start with, from 0; by default the one that is most worth a look.
    """
    cells = find_cells(rgb, name)
    if not cells:
        return None
    analyses = ensemble.analyse([cell.cell for cell in cells])
    outlines = tuple(_outline(cell, said) for cell, said in zip(cells, analyses, strict=True))
    # First the one that is like the training cells and whole, and of these the most suspect.
    order = [(said.in_domain, not cell.marks, said.p_all) for cell, said in zip(cells, analyses, strict=True)]
    chosen = max(range(len(cells)), key=order.__getitem__)
    if number is not None and 0 <= number < len(cells):
        chosen = number
    small = Image.fromarray(rgb)
    size = small.size
    small.thumbnail((SIDE, SIDE))
    shown = data_uri(np.asarray(small))
    return Photo(source, name, size, shown, outlines, chosen), cells[chosen].cell, analyses[chosen]


def act(ensemble: Ensemble, photo: Photo, what: str, index: int, points: Sequence[Any]) -> Looked | None:
    """Do what a visitor asked for, and judge the cell anew; None where the last cell was dropped.

    Args:
        ensemble: which judges.
        photo: as it stands on the page.
        what: one of `ACTS`.
        index: which cell, from 0.
        points: (x, y) from 0 to 1 of the photo's sides: two corners of a box, or where a brush went.

    Raises:
        ValueError: there is no such act or cell, or nothing is inside of what was drawn.
        FileNotFoundError: the upload was deleted.
    """
    if what not in ACTS or not 0 <= index < len(photo.outlines):
        raise ValueError(sentence("no_act", name=photo.name))
    drawn = np.clip(np.array([[float(x), float(y)] for x, y in points[:_POINTS]]).reshape(-1, 2), 0, 1)
    outlines = list(photo.outlines)
    if what == "drop":
        del outlines[index]
        if not outlines:
            return None
        index = min(index, len(outlines) - 1)
    number = len(outlines) + 1 if what == "new" else index + 1
    with decode_worker.picture(photo.source, photo.name) as rgb:
        name = sentence("cell_of", name=photo.name, number=number)
        found = _found(rgb, name, outlines[index], what, drawn * rgb.shape[1::-1])
    (analysis,) = ensemble.analyse([found.cell])
    if what == "new":
        index = len(outlines)
        outlines.append(_outline(found, analysis))
    elif what not in ("pick", "drop"):
        outlines[index] = _outline(found, analysis)
    return replace(photo, outlines=tuple(outlines), chosen=index), found.cell, analysis


def _found(rgb: np.ndarray, name: str, of: Outline, what: str, drawn: np.ndarray) -> Found:
    """The cell that is there after an act."""
    if what in ("box", "new"):
        if len(drawn) != 2:
            raise ValueError(sentence("no_box", name=name))
        (left, top), (right, bottom) = drawn.min(axis=0).round(), drawn.max(axis=0).round()
        new = cut(rgb, (int(left), int(top), int(right), int(bottom)), of.scale, name)
        return replace(new, px_per_um=_px_per_um(new, of))
    where: np.ndarray = of.contour
    if what in ("more", "less"):
        mask = Image.new("1", rgb.shape[1::-1])
        pen = ImageDraw.Draw(mask)
        pen.polygon([tuple(point) for point in of.contour], fill=1)
        radius = max(1.0, BRUSH * float(np.ptp(of.contour, axis=0).max()))
        for x, y in drawn:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(what == "more"))
        where = np.asarray(mask)
    again = cut(rgb, where, of.scale, name)
    return replace(again, marks=of.marks, px_per_um=_px_per_um(again, of))


def _px_per_um(found: Found, of: Outline) -> float | None:
    """The scale of a cell's frame, from that of another cell of the photo."""
    return of.px_per_um and of.px_per_um * found.scale / of.scale


def _outline(found: Found, analysis: Analysis) -> Outline:
    small = data_uri(thumbnail(found.cell, 72))
    return Outline(
        found.contour, found.scale, found.marks, analysis.decision, analysis.p_all, analysis.in_domain, small,
        found.box, found.px_per_um,
    )  # fmt: skip


def photo_html(photo: Photo, texts: Texts = ENGLISH, fault: str | BaseException = "") -> Markup:
    """The photo with its cells outlined and numbered, a strip of cut-outs, and the tools to correct them.

    Args:
        photo: of one visitor.
        texts: of a language, about the ensemble's question.
        fault: why what was asked for last could not be done.
    """
    size = max(photo.size)
    cells = []
    for index, outline in enumerate(photo.outlines):
        kind = texts.question.side(outline.decision) + (" lv-chosen" if index == photo.chosen else "")
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline.contour)
        x, y = outline.contour[:, 0].mean(), outline.contour[:, 1].min() - size / 120
        y = y if y > size / 30 else outline.contour[:, 1].max() + size / 30
        cells.append({"outline": outline, "kind": kind, "path": path, "x": x, "y": y})
    odd = sum(not outline.in_domain for outline in photo.outlines)
    return _PIECES.panel(texts, photo, cells, size, odd, texts.said(fault))


__all__ = ["ACTS", "Outline", "Photo", "act", "analyse_photo", "photo_html"]
