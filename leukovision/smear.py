"""A photo of a smear comes in; its white cells, each cut out on black, go out.

Light through a stained smear is lost exponentially to the stain (Beer and Lambert), so everything here is
measured in optical density against the bare slide of the same photo: white balance drops out and gamma
becomes a factor. What is nucleus is told from red cells by stain separation (Ruifrok & Johnston 2001,
Anal Quant Cytol Histol 23:291) with the red of the photo's own red cells, and what is a cell by the closed
path around a nucleus that best parts its stain from what lies outside. Lengths are measured in red cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import skimage.morphology as morphology
from PIL import Image
from scipy import ndimage
from skimage import draw, feature, filters, measure, segmentation

from leukovision.cell import (
    BLACK,
    FRAME,
    Cell,
    box_of,
    filled,
    foreground,
    framed,
    is_on_black,
    largest_part,
    read_picture,
)

RED_CELL = 7.5
"""Diameter of a red cell on a smear, um."""

PX_PER_UM = 19.0
"""Of the training frame. Small lymphocytes are 1.15 red cells wide on smears where both are measured, and
the healthy cells of C-NMC, most of which are small lymphocytes, are 172 px wide (median of 150)."""

TYPICAL = 200
"""Diameter of a training cell, px of the frame: what a cell gets where no red cell gives the scale."""

ROUGH = (480, 1500)
"""Longest side of the picture in which red cells are measured, px; the second where they are too small."""

FINE = 40
"""Diameter of a red cell in the picture in which cells are found, px: 0.2 um each."""

LARGEST = 4e6
"""Of that picture, px, however small its red cells are."""

ANGLES = 96
"""Points of a contour."""

LOBE = 0.33
"""Inner radius below which a dark piece is a lobe or a fragment rather than a nucleus, in red cells."""

WIDEST = 2.6
"""From end to end of the lobes of one nucleus, at most, in red cells."""

SMALLEST = 0.3
"""Area of the smallest nucleus, in red cells: a platelet has less."""

BLUR = 1.5
"""Width of the edge of a nucleus from which a cell is out of focus, um. It is 0.6 to 1.3 in the fields of
BCCD, and 1.8 to 3.3 in the same fields blurred by an eighth of a red cell (sigma)."""

RIM = 0.008
"""By which a contour is drawn in, in red cells: a little slide inside moves p(ALL) much more than a little
of the cell left outside."""

SCRAPS = 0.2
"""Part of a cell that may hold no stain, or that may lie outside it, before the cell is broken."""

MOST = 200
"""Pieces of nuclei that are looked at, the largest; no smear shows so many, and other pictures may."""

NUCLEUS = 1.5
"""Diameter of a disc of a large nucleus's area, in red cells: the upper quartile of 30 fields of BCCD. Too
small a red cell does less harm than too large a one, with which a cell is looked for too coarsely."""

RED_STAIN = np.array([0.2, 0.65, 0.73])
"""Density of red cells by channel where a photo shows too few of them to measure it."""

DENSER = 1.5
"""How much more violet a nucleus is, at least, than red cells are dense in green."""

TOUCHES = "touches the border"
BLURRED = "out of focus"
BROKEN = "broken"


@dataclass(frozen=True, eq=False)
class Found:
    """One white cell of a photo.

    Attributes:
        box: left, top, right, bottom; px of the photo, right and bottom just outside.
        contour: (n, 2) float64, x and y in px of the photo; a closed polygon, the first point not repeated.
        cell: cut out on black and scaled as the training cells are.
        scale: px of the cell's frame for a px of the photo.
        marks: what is wrong with it, of "touches the border", "out of focus" and "broken".
    """

    box: tuple[int, int, int, int]
    contour: np.ndarray
    cell: Cell
    scale: float
    marks: tuple[str, ...] = ()


def density(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 photo -> (h, w, 3) float32: optical density, 0 where the slide is bare.

    The light may fall off towards the edges: it is taken for a paraboloid through the bare slide.
    """
    logs = -np.log(rgb.astype(np.float32) + 1)
    green = ndimage.gaussian_filter1d(np.bincount(rgb[..., 1].ravel(), minlength=256).astype(float), 3)
    peaks = [v for v in range(1, 255) if green[v - 1] <= green[v] > green[v + 1]]
    brightest = max([v for v in peaks if green[v] > 0.1 * green.max()] or [int(green.argmax())])
    bare = np.abs(rgb[..., 1].astype(int) - brightest) <= 6
    found = logs - np.median(logs[bare], axis=0)
    y, x = np.mgrid[-1 : 1 : rgb.shape[0] * 1j, -1 : 1 : rgb.shape[1] * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)
    for _ in range(2):
        bare = np.abs(found).max(axis=-1) < filters.threshold_otsu(np.clip(found[..., 1], 0, 2)) / 2
        # Where hardly any bare slide is seen, a curved surface would be guesswork.
        if bare.mean() < 0.1 or min(np.ptp(x[bare]), np.ptp(y[bare])) < 1.5:
            break
        places = np.flatnonzero(bare.ravel())[:: max(1, int(bare.sum()) // 20_000)]
        light = np.linalg.lstsq(
            terms.reshape(-1, 6)[places], found.reshape(-1, 3)[places].astype(np.float32), rcond=None
        )[0]
        found = found - terms @ light
    return np.asarray(found, dtype=np.float32)


def purple(od: np.ndarray) -> np.ndarray:
    """(..., 3) density -> (...): how much of it is the violet of nuclei, for the usual red of red cells."""
    return np.asarray(od[..., 0] + od[..., 1] - od[..., 2])


def red_cell_diameter(od: np.ndarray) -> float:
    """(h, w, 3) density -> diameter of its red cells, px; nan where there are too few.

    Red cells that lie alone give it. Where all overlap, as in rouleaux, the width of their heaps does.
    """
    od = ndimage.gaussian_filter(od, (1, 1, 0))
    violet, green = purple(od), od[..., 1]
    side = max(3, min(green.shape) // 50)
    nuclear = violet > _level(violet, side) / 2
    stained = ndimage.binary_opening(_stained(green, nuclear), iterations=2)
    white = ndimage.binary_dilation(nuclear, iterations=side)
    red = stained & ~white

    def width(mask: np.ndarray) -> float:
        depth = ndimage.distance_transform_edt(mask & ~white)
        peaks = feature.peak_local_max(depth, min_distance=4, threshold_abs=3, labels=red.astype(int))
        widths = 2 * depth[tuple(peaks.T)]
        return _middle(widths, widths**2)

    thin = width(stained)  # half a ring's, where cells have a pale centre
    if np.isnan(thin):
        return float("nan")
    full = stained.copy()
    for hole in measure.regionprops(ndimage.label(~stained)[0]):
        # Pale centres are round; what is left between red cells is not.
        if hole.area < 2 * thin**2 and hole.area > 0.85 * hole.area_convex:
            full[hole.slice][hole.image] = True
    heaps = width(full)
    alone = []
    for part in measure.regionprops(ndimage.label(stained)[0]):
        area, (top, left, bottom, right) = part.area_filled, part.bbox
        inside = top > 1 and left > 1 and bottom < green.shape[0] - 1 and right < green.shape[1] - 1
        if not inside or np.sqrt(4 / np.pi * area) < thin or nuclear[part.slice][part.image].mean() > 0.05:
            continue
        if area > 0.9 * part.area_convex and part.axis_minor_length > 0.65 * part.axis_major_length:
            alone.append(np.sqrt(4 * area / np.pi))
    if len(alone) > 2 or (len(alone) == 2 and max(alone) < 1.4 * min(alone)):
        return _middle(np.array(alone), np.array(alone) ** 2)
    return heaps


def _stained(green: np.ndarray, nuclear: np.ndarray) -> np.ndarray:
    """(h, w) density in green, (h, w) bool -> (h, w) bool: where there is a cell. Nuclei, of which there may
    be few or many, have no say in where slide and red cells part."""
    rest = green[~nuclear]
    if not rest.size:
        return np.ones(green.shape, dtype=bool)
    rest = np.clip(rest, 0, np.percentile(rest, 99))
    # Slide, the pale middles of red cells and red cells: a drawing may have fewer colours than that.
    if np.count_nonzero(np.histogram(rest, 256)[0]) < 3:
        return np.asarray(green > (rest.min() + rest.max()) / 2)
    return np.asarray(green > filters.threshold_multiotsu(rest, 3)[0])


def _level(stain: np.ndarray, side: int) -> float:
    """The highest level that some square of this side, px, lies wholly above."""
    return float(ndimage.minimum_filter(stain, side).max())


def _middle(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median; nan of nothing."""
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def nuclear_stain(od: np.ndarray, size: float) -> np.ndarray:
    """Separate the stain of nuclei from that of red cells.

    Args:
        od: (h, w, 3) density.
        size: diameter of a red cell, px.

    Returns:
        (h, w) float32, about 0 for slide and red cells, and 1 for the darkest nucleus; all 0 where nothing
        is of the colour of nuclei, or nothing of it denser than red cells are.
    """
    violet, green = purple(od), od[..., 1]
    side = max(3, round(size / 3))
    level, base = _level(violet, side), float(np.median(violet))
    nuclear = violet > base + 0.6 * (level - base)
    red = _stained(green, violet > base + 0.5 * (level - base)) & (violet < base + 0.3 * (level - base))
    red_stain = np.median(od[red], axis=0) if red.mean() > 0.02 else RED_STAIN
    if not nuclear.any() or level - base < DENSER * red_stain[1]:
        return np.zeros(green.shape, np.float32)
    blue_stain = np.median(od[nuclear], axis=0)
    across = blue_stain - red_stain * (blue_stain @ red_stain) / (red_stain @ red_stain)
    stain = od @ across.astype(np.float32)
    return np.asarray((stain - np.median(stain)) / max(_level(stain, side), 1e-6), dtype=np.float32)


def nuclei(stain: np.ndarray, size: float) -> np.ndarray:
    """Nuclei, with all lobes of one under one label.

    Args:
        stain: (h, w) float32 of `nuclear_stain`.
        size: diameter of a red cell, px.

    Returns:
        (h, w) int: 0, or the number of the nucleus.
    """
    noise = _noise(stain)
    dark = stain > max(0.4, 4 * noise)
    dark = morphology.opening(dark, morphology.disk(max(1, round(0.06 * size))))
    dark = morphology.remove_small_holes(dark, max_size=int(0.1 * size**2))
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(dark), 0.04 * size)
    peaks = np.zeros(dark.shape, dtype=bool)
    patches = _largest(ndimage.label(dark)[0], MOST)
    for part in measure.regionprops(patches):
        own = np.pad(depth[part.slice] * part.image, 1)
        peaks[part.slice] |= morphology.h_maxima(own, 0.04 * size)[1:-1, 1:-1] > 0
    pieces = segmentation.watershed(-depth, ndimage.label(peaks, np.ones((3, 3)))[0], mask=patches > 0)
    pieces = _largest(pieces, MOST)
    parts = measure.regionprops(pieces, intensity_image=depth)
    if not parts:
        return np.asarray(pieces)
    radius = {part.label: float(part.intensity_max) for part in parts}
    owner = {label: label for label in radius}

    def find(label: int) -> int:
        while owner[label] != label:
            label = owner[label]
        return label

    stained = ndimage.gaussian_filter(stain, 0.03 * size) > max(0.06, 1.5 * noise)
    for first, second, neck, gap in sorted(_neighbours(pieces, depth, stain, size), key=lambda n: n[3]):
        a, b = find(first), find(second)
        if a == b:
            continue
        smaller = min(radius[a], radius[b])
        rows, columns = (
            slice(min(box[i] for box in boxes), max(box[i + 2] for box in boxes))
            for boxes in [[part.bbox for part in parts if find(part.label) in (a, b)]]
            for i in (0, 1)
        )
        local = pieces[rows, columns]
        together = np.isin(local, [label for label in owner if find(label) in (a, b)])
        if max(together.shape) > WIDEST * size:
            continue
        # Around two cells that touch, slide or red cells reach in between; around lobes, cytoplasm.
        hull = morphology.convex_hull_image(together)
        empty = (hull & ~together & ~stained[rows, columns]).sum() / hull.sum()
        whole = smaller > LOBE * size
        if (gap == 0 and neck > 0.75 * smaller) or (not whole and empty < 0.08) or (whole and empty < 0.03):
            owner[b] = a
            radius[a] = max(radius[a], radius[b])
    table = np.arange(pieces.max() + 1)
    for label in owner:
        table[label] = find(label)
    return _worthy(segmentation.relabel_sequential(table[pieces])[0], stain, size)


def _largest(labels: np.ndarray, most: int) -> np.ndarray:
    """(h, w) int -> the same, without all but so many of what is numbered."""
    areas = np.bincount(labels.ravel())[1:]
    return (
        labels if len(areas) <= most else np.where(np.isin(labels - 1, np.argsort(areas)[-most:]), labels, 0)
    )


def _noise(stain: np.ndarray) -> float:
    """Spread of what is not nucleus."""
    return 1.4826 * float(np.median(np.abs(stain - np.median(stain))))


def _neighbours(
    pieces: np.ndarray, depth: np.ndarray, stain: np.ndarray, size: float
) -> list[tuple[int, int, float, float]]:
    """Pairs of pieces that touch or nearly touch: their labels, the half width of the neck, the gap, px."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    # What is larger than a nucleus can be belongs to none.
    parts = [p for p in measure.regionprops(pieces) if max(p.image.shape) <= WIDEST * size]
    few = {part.label for part in parts}
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = pieces[: pieces.shape[0] - down, max(0, -right) : pieces.shape[1] - max(0, right)]
        there = pieces[down:, max(0, right) : pieces.shape[1] + min(0, right)]
        both = (here != there) & (here > 0) & (there > 0)
        level = depth[: pieces.shape[0] - down, max(0, -right) : pieces.shape[1] - max(0, right)]
        for a, b, neck in zip(*(side[both].tolist() for side in (here, there, level)), strict=True):
            if a in few and b in few:
                pair = (min(a, b), max(a, b))
                found[pair] = (max(found.get(pair, (0.0, 0.0))[0], neck), 0.0)
    points = {
        part.label: part.coords[~ndimage.binary_erosion(part.image, np.ones((3, 3)))[part.image]]
        for part in parts
    }
    low = max(0.08, 1.5 * _noise(stain))
    corners = np.array([part.bbox for part in parts]).reshape(-1, 4)
    apart = np.maximum(corners[:, None, :2], corners[None, :, :2]) - np.minimum(
        corners[:, None, 2:], corners[None, :, 2:]
    )
    close = np.argwhere(np.triu(apart.max(axis=-1) <= 0.5 * size, 1))
    for a, b in ((parts[i].label, parts[j].label) for i, j in close):
        if (a, b) in found:
            continue
        near, far = points[a], points[b]
        if np.abs(near.mean(0) - far.mean(0)).max() > WIDEST * size:
            continue
        distance = np.hypot(*(near[:, None] - far[None]).transpose(2, 0, 1))
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        gap = float(distance[i, j])
        if gap > 0.5 * size:
            continue
        # Between the lobes of one nucleus there is cytoplasm, not slide or red cell.
        way = np.linspace(near[i], far[j], 9)[1:-1].round().astype(int)
        if gap < 0.08 * size or np.median(stain[tuple(way.T)]) > low:
            found[(a, b)] = (0.0, gap)
    return [(a, b, neck, gap) for (a, b), (neck, gap) in found.items()]


def _worthy(labels: np.ndarray, stain: np.ndarray, size: float) -> np.ndarray:
    """Those nuclei that are large and dark enough: a platelet is neither."""
    parts = measure.regionprops(labels, intensity_image=stain)
    levels = {part.label: float(np.percentile(part.image_intensity[part.image], 75)) for part in parts}
    red_cell = np.pi / 4 * size**2
    large = [levels[part.label] for part in parts if part.area > 0.4 * red_cell]
    usual = float(np.median(large)) if large else 0.0
    small = [p.label for p in parts if p.area < SMALLEST * red_cell or levels[p.label] < 0.5 * usual]
    labels[np.isin(labels, small)] = 0
    return np.asarray(segmentation.relabel_sequential(labels)[0])


def outline(stain: np.ndarray, labels: np.ndarray, number: int, size: float) -> np.ndarray:
    """The cell around a nucleus, as the closed path that best parts cytoplasm from what lies outside.

    Around the middle of the nucleus a path has one radius for each angle, and its worth is how much more
    nuclear stain than outside it encloses; the best of all such paths is found by dynamic programming.

    Args:
        stain: (h, w) float32 of `nuclear_stain`.
        labels: (h, w) int of `nuclei`.
        number: which nucleus.
        size: diameter of a red cell, px.

    Returns:
        (ANGLES, 2) float64: x and y of a closed polygon, px.
    """
    rows, columns = ndimage.find_objects(labels, max_label=number)[number - 1]
    reach = round(1.2 * size)
    top, left = max(0, rows.start - reach), max(0, columns.start - reach)
    window = (slice(top, rows.stop + reach), slice(left, columns.stop + reach))
    stain, labels, noise = stain[window], labels[window], _noise(stain)
    own = labels == number
    other = (labels > 0) & ~own
    to_own = ndimage.distance_transform_edt(~own)
    to_other = ndimage.distance_transform_edt(~other) if other.any() else np.full(own.shape, np.inf)
    smooth = ndimage.gaussian_filter(stain, 0.03 * size)
    near = (to_own > 0.1 * size) & (to_own < 0.6 * size) & (to_other > to_own)
    low = max(0.06, 1.2 * noise)
    split = filters.threshold_otsu(smooth[near]) if near.sum() > 30 else low
    split = float(np.clip(split, low, max(low, 0.25)))
    middle = np.array(ndimage.center_of_mass(morphology.convex_hull_image(own)))
    far = np.hypot(*(np.argwhere(own) - middle).T).max() + 0.9 * size
    for last in (False, True):
        worth = np.clip((smooth - split) / split, -1, 1)
        worth = np.where(own, 2.0, np.where(to_other < to_own, -2.0, worth))
        radii = _path(worth, middle, far)
        angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
        radii = np.maximum(radii - RIM * size * last, 0.5)
        polygon = middle + radii[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
        polygon = np.clip(polygon, -0.5, np.array(stain.shape) - 0.5)
        if last:
            break
        inside = draw.polygon2mask(stain.shape, polygon)
        depth = ndimage.distance_transform_edt(inside)
        rim = smooth[(depth > 0.08 * size) & (depth < 0.2 * size)]
        # A blurred edge lies where the stain is well below what it is just inside.
        split = max(split, 0.33 * float(np.median(rim))) if rim.size else split
        middle = np.array(ndimage.center_of_mass(inside | own))
    return np.asarray(polygon[:, ::-1] + (left + 0.5, top + 0.5))


def _path(worth: np.ndarray, middle: np.ndarray, far: float) -> np.ndarray:
    """(h, w) worth, (2,) middle -> (ANGLES,) float64: radii of the path that encloses the most."""
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    steps = np.arange(0.5, max(far, 4), 1.0)
    rows = middle[0] + np.sin(angles)[:, None] * steps
    columns = middle[1] + np.cos(angles)[:, None] * steps
    rays = ndimage.map_coordinates(worth, [rows, columns], order=1, mode="constant", cval=-0.05)
    gains = np.cumsum(rays, axis=1)
    gains = np.concatenate([gains, gains])  # twice around, so that the middle is closed
    reach = np.arange(-3, 4)
    total, came = gains[0], np.zeros(gains.shape, dtype=int)
    places = np.arange(len(steps))
    for angle in range(1, len(gains)):
        padded = np.pad(total, 3, constant_values=-np.inf)
        options = np.lib.stride_tricks.sliding_window_view(padded, len(reach)) - 0.5 * abs(reach)
        best = options.argmax(axis=1)
        came[angle] = places + reach[best]
        total = options[places, best] + gains[angle]
    place = int(total.argmax())
    radii = np.empty(len(gains))
    for angle in range(len(gains) - 1, -1, -1):
        radii[angle] = steps[place] + 0.5
        place = int(came[angle, place])
    half = ANGLES // 2
    radii = np.roll(radii[half : half + ANGLES], half)
    return np.asarray(ndimage.gaussian_filter1d(radii, 1.5, mode="wrap"))


def find_cells(source: str | Path | bytes | np.ndarray | Image.Image, name: str | None = None) -> list[Found]:
    """Find the white cells of a photo of a smear, or the one of a photo of a cell.

    Args:
        source: as `read_cell` takes it.
        name: used in errors and, with a number, for the cells; a path's own text by default.

    Returns:
        The cells from top to bottom, marked where something is wrong with them; none if the photo shows
        none. What is a cell on black already comes back as `read_cell` reads it.

    Raises:
        CellError, FileNotFoundError: as `read_cell` does.
    """
    rgb, name = read_picture(source, name)
    if is_on_black(rgb):
        return [_as_it_is(rgb, name)]
    size = _red_cells(rgb)
    labels, stain, zoom = _nuclei_of(rgb, size)
    contours = [outline(stain, labels, number, size * zoom) for number in range(1, labels.max() + 1)]
    amounts = _scraps(stain, labels, contours, size * zoom)
    found = [
        (contour / zoom, _marks(rgb, contour / zoom, amount, size))
        for contour, amount in zip(contours, amounts, strict=True)
    ]
    found.sort(key=lambda one: one[0][:, 1].mean())
    scale = PX_PER_UM * RED_CELL / size
    return [
        replace(cut(rgb, contour, scale, f"{name}, cell {number}"), marks=marks)
        for number, (contour, marks) in enumerate(found, 1)
    ]


def _scraps(
    stain: np.ndarray, labels: np.ndarray, contours: list[np.ndarray], size: float
) -> list[tuple[float, float]]:
    """For each cell, as parts of it: what in it holds no stain, and what goes on outside every cell."""
    smooth = ndimage.gaussian_filter(stain, 0.03 * size)
    stained = smooth > max(0.12, 1.5 * _noise(smooth))
    joined = ndimage.label(stained | (labels > 0))[0]
    cells = np.zeros(stain.shape, dtype=np.int32)
    for number, contour in enumerate(contours, 1):
        cells[draw.polygon(*(contour[:, ::-1] - 0.5).T, stain.shape)] = number
    # The soft rim of a cell is not a scrap of it.
    every = ndimage.binary_dilation(cells > 0, iterations=max(1, round(0.06 * size)))
    beside = np.bincount(joined[~every], minlength=joined.max() + 1)
    amounts = []
    for place, window in enumerate(ndimage.find_objects(cells, max_label=len(contours)), 1):
        if window is None:
            amounts.append((1.0, 0.0))
            continue
        mask = cells[window] == place
        part = np.bincount(joined[window][mask & (labels[window] == place)], minlength=1).argmax()
        empty = (mask & ~filled(joined[window] == part)).sum()
        amounts.append((float(empty / mask.sum()), float(beside[part] / mask.sum()) if part else 0.0))
    return amounts


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
    height, width = photo.shape[:2]
    contour = np.clip(contour, 0, (width, height))
    left, top = np.floor(contour.min(axis=0)).astype(int)
    right, bottom = np.ceil(contour.max(axis=0)).astype(int)
    area = _area(contour)
    if area < 4:
        raise ValueError(f"{name}: there is nothing inside this outline; draw it around a cell.")
    scale = scale or TYPICAL / float(np.sqrt(4 * area / np.pi))
    scale = min(scale, (FRAME - 2) / max(right - left, bottom - top))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    box = (int(left), int(top), int(right), int(bottom))
    small = np.asarray(Image.fromarray(photo[top:bottom, left:right]).resize(size, Image.Resampling.LANCZOS))
    inside = largest_part(draw.polygon2mask(small.shape[:2], (contour - (left, top))[:, ::-1] * scale - 0.5))
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
    return _around(largest_part(where))


def _around(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool, one part -> (n, 2) float64: x and y of the polygon around it."""
    rows, columns = box_of(mask)
    lines = measure.find_contours(np.pad(mask[rows, columns], 1).astype(np.float32), 0.5)
    line = max(lines, key=len)[:-1]
    return np.asarray(line[:, ::-1] + (columns.start - 0.5, rows.start - 0.5))


def _area(contour: np.ndarray) -> float:
    x, y = contour.T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def _in_box(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The outline of what is stained like a nucleus in a box, and around it; else the ellipse in the box."""
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
    around = photo[y : bottom + margin, x : right + margin]
    size = float(half.mean())  # a white cell is about two red cells wide
    zoom = min(FINE / size, 2.0)
    od = ndimage.gaussian_filter(density(_resized(around, zoom)), (1, 1, 0))
    stain = nuclear_stain(od, size * zoom)
    inside = np.zeros(stain.shape, dtype=bool)
    first, last = (
        (round((top - y) * zoom), round((left - x) * zoom)),
        (round((bottom - y) * zoom), round((right - x) * zoom)),
    )
    inside[first[0] : last[0], first[1] : last[1]] = True
    labels = (inside & (stain > 0.5 * float(np.percentile(stain[inside], 95)))).astype(int)
    if not stain.any() or labels.sum() < 9:
        return np.asarray(ellipse)
    contour = outline(np.where(inside, stain, -1), labels, 1, size * zoom) / zoom + (x, y)
    return np.clip(contour, (left, top), (right, bottom))


def _as_it_is(rgb: np.ndarray, name: str) -> Found:
    """A cell on black."""
    cell = framed(rgb, name)
    mask = largest_part(foreground(rgb))
    contour = _around(mask)
    rows, columns = box_of(mask)
    scale = float(np.sqrt(cell.outline.sum() / mask.sum()))
    return Found((columns.start, rows.start, columns.stop, rows.stop), contour, cell, scale)


def _red_cells(rgb: np.ndarray) -> float:
    """Diameter of the red cells of a photo, px; where there are too few, what fits its largest nucleus."""
    for side in ROUGH:
        zoom = min(1.0, side / max(rgb.shape[:2]))
        od = density(_resized(rgb, zoom))
        size = red_cell_diameter(od)
        if size > 16 or zoom == 1:
            break
    violet = ndimage.gaussian_filter(purple(od), 1)
    dark = violet > _level(violet, max(3, min(violet.shape) // 50)) / 2
    if np.isnan(size):
        size = np.sqrt(largest_part(dark).sum() * 4 / np.pi) / NUCLEUS
    # No nucleus is wider than two red cells: what was measured were parts of red cells. Four px are a dot.
    size = max(size, 4.0, 2 * ndimage.distance_transform_edt(dark).max() / 2.2)
    return float(size / zoom)


def _nuclei_of(rgb: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Nuclei, stain, and how much larger than the photo the picture is in which they are found."""
    zoom = min(FINE / size, 2.0, float(np.sqrt(LARGEST / rgb[..., 0].size)))
    fine = _resized(rgb, zoom)
    od = ndimage.gaussian_filter(density(fine), (1, 1, 0))
    stain = nuclear_stain(od, size * zoom)
    return nuclei(stain, size * zoom), stain, fine.shape[1] / rgb.shape[1]


def _marks(
    rgb: np.ndarray, contour: np.ndarray, stained: tuple[float, float], size: float
) -> tuple[str, ...]:
    """What is wrong with a cell.

    Args:
        rgb: the photo.
        contour: of the cell, px of the photo.
        stained: how much of the cell holds no stain, and how much stain, in the same unit,
            goes on outside it.
        size: diameter of a red cell, px of the photo.
    """
    height, width = rgb.shape[:2]
    low, high = contour.min(axis=0), contour.max(axis=0)
    edge = 0.05 * size
    touches = low.min() < edge or high[0] > width - edge or high[1] > height - edge
    marks = {
        TOUCHES: touches,
        BLURRED: edge_width(rgb, contour, size) > BLUR,
        BROKEN: max(stained) > SCRAPS,
    }
    return tuple(mark for mark, so in marks.items() if so)


def edge_width(rgb: np.ndarray, contour: np.ndarray, size: float) -> float:
    """How far the light takes to fall from slide to nucleus where it falls fastest, um.

    Args:
        rgb: the photo.
        contour: of the cell, px of the photo.
        size: diameter of a red cell, px of the photo.
    """
    margin = 0.3 * size
    left, top = np.maximum(np.floor(contour.min(axis=0) - margin).astype(int), 0)
    right, bottom = np.ceil(contour.max(axis=0) + margin).astype(int)
    zoom = min(2 * FINE / size, 2.0)
    light = np.log(_resized(rgb[top:bottom, left:right], zoom)[..., 1].astype(np.float32) + 1)
    steep = ndimage.gaussian_gradient_magnitude(light, 1.0)
    cell = draw.polygon2mask(light.shape, (contour - (left, top))[:, ::-1] * zoom - 0.5)
    around = ndimage.binary_dilation(cell, iterations=4)
    low, high = np.percentile(light[around], (5, 95))
    return float((high - low) / max(np.percentile(steep[around], 97), 1e-6) / (size * zoom) * RED_CELL)


def _resized(rgb: np.ndarray, zoom: float) -> np.ndarray:
    """The photo larger or smaller."""
    size = (max(1, round(rgb.shape[1] * zoom)), max(1, round(rgb.shape[0] * zoom)))
    kind = Image.Resampling.BOX if zoom < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(rgb).resize(size, kind))
