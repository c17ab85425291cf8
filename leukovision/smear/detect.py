"""A photo of a smear comes in; its white cells, each cut out on black, go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from leukovision.cell import (
    BLACK,
    FRAME,
    Cell,
    CellError,
    box_of,
    foreground,
    framed,
    is_on_black,
    largest_part,
    read_picture,
)
from leukovision.errors import sentence
from leukovision.smear.contour import ANGLES, area, around, mask_of, outline, width
from leukovision.smear.nuclei import nuclei
from leukovision.smear.quality import TOUCHES, is_lobed, marks, scraps
from leukovision.smear.scale import PX_PER_UM, RED_CELL, TYPICAL, WHITE_CELL
from leukovision.smear.segment import Segmentation, segment, segment_at
from leukovision.smear.tissue import NUCLEUS

MOST = 100
"""Cells of a photo."""

NARROWEST = 0.8
"""A cell across, where it is widest, in red cells: writing on a photo is narrower, and so is what is left of
a cell at the border."""

FRAGMENT = 0.5
"""Of the area of the photo's whole cells, in the median: what the border leaves of a cell is left out if it
is less than this, as too little of it is seen to judge it."""


@dataclass(frozen=True, eq=False)
class Found:
    """One white cell of a photo.

    Attributes:
        box: left, top, right, bottom; px of the photo, right and bottom just outside.
        contour: (n, 2) float64, x and y in px of the photo; a closed polygon, the first point not repeated.
        cell: cut out on black and scaled as the training cells are.
        scale: px of the cell's frame for a px of the photo.
        marks: what is wrong with it, of `TOUCHES`, `BLURRED`, `BROKEN` and `LOBED`.
        px_per_um: of the cell's frame, where red cells of the photo gave the scale.
    """

    box: tuple[int, int, int, int]
    contour: np.ndarray
    cell: Cell
    scale: float
    marks: tuple[str, ...] = ()
    px_per_um: float | None = None


def find_cells(source: str | Path | bytes | np.ndarray | Image.Image, name: str | None = None) -> list[Found]:
    """Find the white cells of a photo of a smear, or the one of a photo of a cell.

    Args:
        source: as `read_cell` takes it.
        name: used in errors and, with a number, for the cells; a path's own text by default.

    Returns:
        The cells from top to bottom, marked where something is wrong with them; none if the photo shows
        none. What is a cell on black already comes back as `read_cell` reads it.

    Raises:
        CellError, FileNotFoundError: as `read_cell` does; also where more than `MOST` places look like cells.
    """
    rgb, name = read_picture(source, name)
    if is_on_black(rgb):
        return [_as_it_is(rgb, name)]
    segmentation = segment(rgb)
    if segmentation is None:
        return []
    tissue_map, zoom, red_cell_px, _ = segmentation
    labels = nuclei(tissue_map, red_cell_px * zoom)
    if labels.max() > MOST:
        raise CellError(too_many(name))
    numbers = range(1, labels.max() + 1)
    contours = [outline(tissue_map, labels, number, red_cell_px * zoom) for number in numbers]
    outlined = _without_fragments(_marked(rgb, segmentation, labels, contours, NARROWEST))
    outlined.sort(key=lambda pair: pair[0][:, 1].mean())
    scale = PX_PER_UM * RED_CELL / red_cell_px
    cells = [
        cut(rgb, contour, scale, sentence("cell_of", name=name, number=number))
        for number, (contour, _) in enumerate(outlined, 1)
    ]
    return [
        _judged(cell, wrong, segmentation, scale) for cell, (_, wrong) in zip(cells, outlined, strict=True)
    ]


def outlined_cells(rgb: np.ndarray, outlines: Sequence[np.ndarray], name: str) -> list[Found]:
    """Cut the cells of a photo out along outlines that come with it, at the scale that `find_cells` sees.

    Args:
        rgb: (h, w, 3) uint8, the photo.
        outlines: (n, 2) float64 each, x and y in px of the photo.
        name: used in errors and, with a number, for the cells.

    Returns:
        The cells in the order of their outlines, marked as those of `find_cells` are; without marks where
        the photo shows no red cells to measure by.

    Raises:
        CellError: there is nothing inside an outline.
    """
    outlines = [np.clip(outline, 0, rgb.shape[1::-1]) for outline in outlines]
    names = [sentence("cell_of", name=name, number=number) for number in range(1, len(outlines) + 1)]
    segmentation, scale = None, None
    if is_on_black(rgb):
        scale = 1.0
    elif segmentation := segment(rgb):
        scale = PX_PER_UM * RED_CELL / segmentation.red_cell_px
    cells = [cut(rgb, outline, scale, called) for outline, called in zip(outlines, names, strict=True)]
    if not segmentation:
        return cells
    contours = [outline * segmentation.zoom for outline in outlines]
    labels = np.zeros(segmentation.tissue_map.shape[:2], dtype=np.int32)
    for number, contour in enumerate(contours, 1):
        labels[mask_of(contour, labels.shape) & (segmentation.tissue_map[..., NUCLEUS] > 0.5)] = number
    marked = _marked(rgb, segmentation, labels, contours)
    scale = PX_PER_UM * RED_CELL / segmentation.red_cell_px
    return [_judged(cell, wrong, segmentation, scale) for cell, (_, wrong) in zip(cells, marked, strict=True)]


def _judged(found: Found, marks: tuple[str, ...], segmentation: Segmentation, scale: float) -> Found:
    """The cell with what is wrong with it, and with the scale of its frame, if it was measured."""
    px_per_um = PX_PER_UM * found.scale / scale if segmentation.measured else None
    return replace(found, marks=marks, px_per_um=px_per_um)


def _marked(
    rgb: np.ndarray,
    segmentation: Segmentation,
    labels: np.ndarray,
    contours: list[np.ndarray],
    narrowest: float = 0.0,
) -> list[tuple[np.ndarray, tuple[str, ...]]]:
    """The contour of each cell, px of the photo, and what is wrong with the cell.

    Args:
        rgb, segmentation: the photo, and what `segment` makes of it.
        labels: (h, w) int, the nucleus of each cell by its number.
        contours: of the cells, px of the segmentation.
        narrowest: what is less wide is left out, in red cells.
    """
    tissue_map, zoom, red_cell_px, _ = segmentation
    fine_px = red_cell_px * zoom
    amounts = scraps(tissue_map, labels, contours, fine_px)
    marked = []
    for contour, amount in zip(contours, amounts, strict=True):
        if width(contour, labels.shape) >= narrowest * fine_px:
            lobed, on_photo = is_lobed(tissue_map, contour, fine_px), contour / zoom
            marked.append((on_photo, marks(rgb, on_photo, amount, lobed, red_cell_px)))
    return marked


def _without_fragments(
    marked: list[tuple[np.ndarray, tuple[str, ...]]],
) -> list[tuple[np.ndarray, tuple[str, ...]]]:
    """All but the small pieces that the border leaves of cells, where whole cells tell how large one is."""
    whole = [area(contour) for contour, wrong in marked if TOUCHES not in wrong]
    least = FRAGMENT * float(np.median(whole)) if whole else 0.0
    return [(contour, wrong) for contour, wrong in marked if TOUCHES not in wrong or area(contour) >= least]


def too_many(name: str) -> str:
    """What is said of a photo with more than `MOST` cells."""
    return sentence("too_many_cells", name=name, most=MOST)


def cut(
    photo: np.ndarray,
    where: np.ndarray | tuple[int, int, int, int],
    scale: float | None = None,
    name: str = "picture",
) -> Found:
    """Cut one cell out of a photo.

    Args:
        photo: (h, w, 3) uint8, RGB.
        where: its outline, (n, 2) float, x and y in px; or what belongs to it, (h, w) bool; or a box around
            it, left, top, right and bottom in px, in which its outline is looked for.
        scale: px of the training frame for a px of the photo, as `Found.scale` of other cells of the photo
            has it. None gives the cell the usual diameter. A cell too large for the frame is shrunk.
        name: of the cell.

    Raises:
        ValueError: there is nothing inside.
    """
    contour = _contour(photo, where)
    contour = np.clip(contour, 0, photo.shape[1::-1])
    left, top = np.floor(contour.min(axis=0)).astype(int)
    right, bottom = np.ceil(contour.max(axis=0)).astype(int)
    covered = area(contour)
    if covered < 4:
        raise ValueError(sentence("no_outline", name=name))
    scale = scale or TYPICAL / float(np.sqrt(4 * covered / np.pi))
    scale = min(scale, (FRAME - 2) / max(right - left, bottom - top))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    box = (int(left), int(top), int(right), int(bottom))
    small = np.asarray(Image.fromarray(photo[top:bottom, left:right]).resize(size, Image.Resampling.LANCZOS))
    inside = largest_part(mask_of((contour - (left, top)) * scale, small.shape))
    pixels = np.zeros((FRAME, FRAME, 3), dtype=np.uint8)
    shape = np.zeros((FRAME, FRAME), dtype=bool)
    x, y = (FRAME - size[0]) // 2, (FRAME - size[1]) // 2
    shape[y : y + size[1], x : x + size[0]] = inside
    # A nucleus that is black in a dark photo is not a hole in the cell.
    pixels[shape] = np.maximum(small[inside], np.array([0, 0, BLACK + 1], dtype=np.uint8))
    return Found(box, contour, Cell(pixels, shape, True, name), scale)


def _contour(photo: np.ndarray, where: np.ndarray | tuple[int, int, int, int]) -> np.ndarray:
    """What `cut` takes -> (n, 2) float64: the outline."""
    if isinstance(where, tuple):
        return _in_box(photo, where)
    if where.dtype != bool:
        return np.asarray(where, dtype=np.float64)
    if not where.any():
        return np.zeros((1, 2))
    return around(largest_part(where))


def _in_box(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The outline of the white cell in a box; else the ellipse in the box."""
    height, width = photo.shape[:2]
    left, right = sorted(int(np.clip(x, 0, width)) for x in box[::2])
    top, bottom = sorted(int(np.clip(y, 0, height)) for y in box[1::2])
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    half = np.array([right - left, bottom - top]) / 2
    ellipse = half + half * np.stack([np.cos(angles), np.sin(angles)], axis=1) + (left, top)
    if half.min() < 4:
        return np.asarray(ellipse)
    # Some of what lies around is needed to know the bare slide.
    margin = int(half.max())
    x, y = max(0, left - margin), max(0, top - margin)
    red_cell_px = 2 * float(half.mean()) / WHITE_CELL
    segmentation = segment_at(photo[y : bottom + margin, x : right + margin], red_cell_px)
    if segmentation is None:
        return np.asarray(ellipse)
    tissue_map, zoom, *_ = segmentation
    inside = np.zeros(tissue_map.shape[:2], dtype=bool)
    rows, columns = (
        slice(round((low - start) * zoom), round((high - start) * zoom))
        for low, high, start in ((top, bottom, y), (left, right, x))
    )
    inside[rows, columns] = True
    labels = (inside & (tissue_map[..., NUCLEUS] > 0.5)).astype(int)
    if labels.sum() < 9:
        return np.asarray(ellipse)
    tissue_map = np.where(inside[..., None], tissue_map, np.array([1, 0, 0], np.float32))
    contour = outline(tissue_map, labels, 1, red_cell_px * zoom) / zoom + (x, y)
    return np.clip(contour, (left, top), (right, bottom))


def _as_it_is(rgb: np.ndarray, name: str) -> Found:
    """A cell on black."""
    cell = framed(rgb, name)
    mask = largest_part(foreground(rgb))
    contour = around(mask)
    rows, columns = box_of(mask)
    scale = float(np.sqrt(cell.outline.sum() / mask.sum()))
    return Found((columns.start, rows.start, columns.stop, rows.stop), contour, cell, scale)
