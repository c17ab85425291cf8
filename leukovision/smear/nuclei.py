"""What each place is comes in; the nuclei go out, with all lobes of one under one number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import skimage.morphology as morphology
from scipy import ndimage
from skimage import measure, segmentation

from leukovision.smear.tissue import NUCLEUS, OUTSIDE

LOBE = 0.33
"""Inner radius below which a dark piece is a lobe or a fragment rather than a nucleus, in red cells."""

WIDEST = 2.9
"""From end to end of the lobes of one nucleus, at most, in red cells."""

SMALLEST = 0.3
"""Area of the smallest nucleus, in red cells: a platelet has less."""

GAP = 0.8
"""Between two lobes of one nucleus, at most, in red cells."""

NARROW = 0.75
"""How wide a cell is between two lobes, at least, beside how wide it is around each."""

AS_WIDE = 0.93
"""The same where the lobes reach over more than `USUAL`."""

USUAL = 1.9
"""From end to end of the lobes of a nucleus, as a rule, in red cells."""

MOST = 200
"""Pieces of nuclei that are looked at, the largest; no smear shows so many, and other pictures may."""


class Pair(NamedTuple):
    """Two pieces of nuclei that touch or nearly touch.

    Attributes:
        first, second: their numbers.
        neck: half the width of where they touch, px; 0 where they do not.
        gap: between them, px.
    """

    first: int
    second: int
    neck: float
    gap: float


def nuclei(tissue_map: np.ndarray, red_cell_px: float) -> np.ndarray:
    """Nuclei, with all lobes of one under one number.

    Args:
        tissue_map: (h, w, 3) float32 of `tissue`.
        red_cell_px: diameter of a red cell, px.

    Returns:
        (h, w) int: 0, or the number of the nucleus.
    """
    pieces, depth = _pieces(tissue_map[..., NUCLEUS] > 0.5, red_cell_px)
    inside = ndimage.gaussian_filter(tissue_map[..., OUTSIDE], 0.03 * red_cell_px) < 0.5
    inside = morphology.remove_small_holes(inside | (pieces > 0), max_size=int(0.1 * red_cell_px**2))
    joined = _joined(pieces, depth, inside, red_cell_px)
    areas = np.bincount(joined.ravel())
    small = areas < SMALLEST * np.pi / 4 * red_cell_px**2
    joined[small[joined]] = 0
    return np.asarray(segmentation.relabel_sequential(joined)[0])


def _pieces(dark: np.ndarray, red_cell_px: float) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) bool -> (h, w) int, what is dark, parted at its necks; and how deep inside a place lies, px."""
    dark = morphology.opening(dark, morphology.disk(max(1, round(0.06 * red_cell_px))))
    dark = morphology.remove_small_holes(dark, max_size=int(0.1 * red_cell_px**2))
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(dark), 0.04 * red_cell_px)
    peaks = np.zeros(dark.shape, dtype=bool)
    patches = _largest(ndimage.label(dark)[0], MOST)
    for part in measure.regionprops(patches):
        own = np.pad(depth[part.slice] * part.image, 1)
        peaks[part.slice] |= morphology.h_maxima(own, 0.04 * red_cell_px)[1:-1, 1:-1] > 0
    pieces = segmentation.watershed(-depth, ndimage.label(peaks, np.ones((3, 3)))[0], mask=patches > 0)
    return _largest(pieces, MOST), depth


def _largest(labels: np.ndarray, most: int) -> np.ndarray:
    """(h, w) int -> the same, without all but so many of what is numbered."""
    areas = np.bincount(labels.ravel())[1:]
    if len(areas) <= most:
        return labels
    return np.where(np.isin(labels - 1, np.argsort(areas)[-most:]), labels, 0)


def _joined(pieces: np.ndarray, depth: np.ndarray, inside: np.ndarray, red_cell_px: float) -> np.ndarray:
    """(h, w) int of `_pieces` -> (h, w) int: with the pieces of one nucleus under one number.

    `inside` is (h, w) bool, what belongs to white cells.
    """
    parts = measure.regionprops(pieces, intensity_image=depth)
    radius = {part.label: float(part.intensity_max) for part in parts}
    box = {part.label: part.bbox for part in parts}
    members = {label: [label] for label in radius}
    owner = {label: label for label in radius}
    room = ndimage.distance_transform_edt(inside)
    widest = {part.label: _widest(room, part) for part in parts}
    for pair in sorted(_pairs(pieces, depth, inside, red_cell_px), key=lambda pair: pair.gap):
        a, b = owner[pair.first], owner[pair.second]
        if a == b:
            continue
        smaller = min(radius[a], radius[b])
        boxes = np.array([box[a], box[b]])
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        together = np.isin(pieces[window], members[a] + members[b])
        wide = max(together.shape) / red_cell_px
        least = NARROW if wide < USUAL else AS_WIDE
        if wide > WIDEST or _narrow(room, widest[a], widest[b], least):
            continue
        # Around two cells that touch, slide or red cells reach in between; around lobes, cytoplasm.
        hull = morphology.convex_hull_image(together)
        empty = (hull & ~together & ~inside[window]).sum() / hull.sum()
        whole = smaller > LOBE * red_cell_px
        if (pair.gap == 0 and pair.neck > 0.75 * smaller) or empty < (0.03 if whole else 0.08):
            for label in members[b]:
                owner[label] = a
            members[a] += members.pop(b)
            radius[a] = max(radius[a], radius[b])
            widest[a] = max(widest[a], widest[b], key=lambda place: room[place])
            box[a] = (*low, *high)
    table = np.zeros(pieces.max() + 1, dtype=int)
    for label, root in owner.items():
        table[label] = root
    return np.asarray(table[pieces])


def _widest(room: np.ndarray, part: Any) -> tuple[int, int]:
    """The place in a piece where most room is around it."""
    row, column = part.coords[room[tuple(part.coords.T)].argmax()]
    return int(row), int(column)


def _narrow(room: np.ndarray, one: tuple[int, int], other: tuple[int, int], least: float) -> bool:
    """Whether every way between two places is narrower than `least` of what they are: there two cells touch.

    `room` is (h, w), how far each place is from what is no white cell, px.
    """
    reach = round(max(room[one], room[other]))
    top, left = (max(0, min(a, b) - reach) for a, b in zip(one, other, strict=True))
    bottom, right = (max(a, b) + reach + 1 for a, b in zip(one, other, strict=True))
    ways, _ = ndimage.label(room[top:bottom, left:right] >= least * min(room[one], room[other]))
    return bool(ways[one[0] - top, one[1] - left] != ways[other[0] - top, other[1] - left])


def _pairs(pieces: np.ndarray, depth: np.ndarray, inside: np.ndarray, red_cell_px: float) -> list[Pair]:
    """Pieces that touch, and those between which there is cytoplasm."""
    # What is larger than a nucleus can be belongs to none.
    parts = [p for p in measure.regionprops(pieces) if max(p.image.shape) <= WIDEST * red_cell_px]
    few = {part.label for part in parts}
    necks: dict[tuple[int, int], float] = {}
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, pieces.shape[0] - down), slice(max(0, -right), pieces.shape[1] - max(0, right)))
        there = (slice(down, None), slice(max(0, right), pieces.shape[1] + min(0, right)))
        both = (pieces[here] != pieces[there]) & (pieces[here] > 0) & (pieces[there] > 0)
        sides = [side[both].tolist() for side in (pieces[here], pieces[there], depth[here])]
        for a, b, neck in zip(*sides, strict=True):
            if a in few and b in few:
                pair = (min(a, b), max(a, b))
                necks[pair] = max(necks.get(pair, 0.0), neck)
    found = [Pair(a, b, neck, 0.0) for (a, b), neck in necks.items()]
    edges = {
        part.label: part.coords[~ndimage.binary_erosion(part.image, np.ones((3, 3)))[part.image]]
        for part in parts
    }
    corners = np.array([part.bbox for part in parts]).reshape(-1, 4)
    apart = np.maximum(corners[:, None, :2], corners[None, :, :2]) - np.minimum(
        corners[:, None, 2:], corners[None, :, 2:]
    )
    for i, j in np.argwhere(np.triu(apart.max(axis=-1) <= GAP * red_cell_px, 1)):
        pair = (parts[i].label, parts[j].label)
        if pair in necks:
            continue
        near, far = edges[pair[0]], edges[pair[1]]
        distance = np.hypot(*(near[:, None] - far[None]).transpose(2, 0, 1))
        one, other = np.unravel_index(distance.argmin(), distance.shape)
        gap = float(distance[one, other])
        # Between the lobes of one nucleus there is cytoplasm, not slide or red cell.
        way = np.linspace(near[one], far[other], 9)[1:-1].round().astype(int)
        if gap < GAP * red_cell_px and inside[tuple(way.T)].mean() > 0.8:
            found.append(Pair(*pair, 0.0, gap))
    return found
