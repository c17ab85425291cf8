"""What each place is and a nucleus come in; the outline of the whole cell goes out."""

from __future__ import annotations

import numpy as np
import skimage.morphology as morphology
from scipy import ndimage
from skimage import measure

from leukovision.cell import box_of
from leukovision.smear.tissue import OUTSIDE

ANGLES = 96
"""Points of a contour."""

RIM = 0.008
"""By which a contour is drawn in, in red cells: a little slide inside moves a probability much more
than a little of the cell left outside."""

REACH = 1.2
"""How far beyond its nucleus a cell is looked for, in red cells."""


def outline(tissue_map: np.ndarray, labels: np.ndarray, number: int, red_cell_px: float) -> np.ndarray:
    """The cell around a nucleus, as the closed path that best parts it from what lies outside.

    Around the middle of the nucleus a path has one radius for each angle, and its gain is how much more
    cell than outside it encloses; the best of all such paths is found by dynamic programming.

    Args:
        tissue_map: (h, w, 3) float32 of `tissue`.
        labels: (h, w) int of `nuclei`.
        number: which nucleus.
        red_cell_px: diameter of a red cell, px.

    Returns:
        (ANGLES, 2) float64: x and y of a closed polygon, px.
    """
    rows, columns = ndimage.find_objects(labels, max_label=number)[number - 1]
    reach = round(REACH * red_cell_px)
    top, left = max(0, rows.start - reach), max(0, columns.start - reach)
    window = (slice(top, rows.stop + reach), slice(left, columns.stop + reach))
    labels = labels[window]
    own = labels == number
    other = (labels > 0) & ~own
    gain = 1 - 2 * tissue_map[window][..., OUTSIDE]
    if other.any():
        nearer = ndimage.distance_transform_edt(~other) < ndimage.distance_transform_edt(~own)
        gain = np.where(nearer, -2.0, gain)
    gain = np.where(own, 2.0, gain)
    middle = np.array(ndimage.center_of_mass(morphology.convex_hull_image(own)))
    far = np.hypot(*(np.argwhere(own) - middle).T).max() + REACH * red_cell_px
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    ways = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    for last in (False, True):
        radii = np.maximum(_path(gain, middle, far) - RIM * red_cell_px * last, 0.5)
        polygon = np.clip(middle + radii[:, None] * ways, -0.5, np.array(own.shape) - 0.5)
        if not last:
            # The nucleus may lie at the side of its cell, whose middle sees all of its edge.
            inside = mask_of(polygon[:, ::-1] + 0.5, own.shape)
            middle = np.array(ndimage.center_of_mass(inside | own))
    return np.asarray(polygon[:, ::-1] + (left + 0.5, top + 0.5))


def _path(gain: np.ndarray, middle: np.ndarray, far: float) -> np.ndarray:
    """(h, w) gain, (2,) middle -> (ANGLES,) float64: radii of the path that encloses the most."""
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    steps = np.arange(0.5, max(far, 4), 1.0)
    rows = middle[0] + np.sin(angles)[:, None] * steps
    columns = middle[1] + np.cos(angles)[:, None] * steps
    rays = ndimage.map_coordinates(gain, [rows, columns], order=1, mode="constant", cval=-0.05)
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


def around(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool, one part -> (n, 2) float64: x and y of the polygon around it."""
    rows, columns = box_of(mask)
    lines = measure.find_contours(np.pad(mask[rows, columns], 1).astype(np.float32), 0.5)
    line = max(lines, key=len)[:-1]
    return np.asarray(line[:, ::-1] + (columns.start - 0.5, rows.start - 0.5))


def area(contour: np.ndarray) -> float:
    """(n, 2) x and y of a closed polygon -> what it encloses, px²."""
    x, y = contour.T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


def mask_of(contour: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(n, 2) x and y of a closed polygon, px -> (h, w) bool: the pixels whose middle is inside.

    As `skimage.draw.polygon2mask`, in a twentieth of the time.
    """
    x, y = np.asarray(contour, dtype=np.float64).T
    rows = np.arange(shape[0])[:, None] + 0.5
    crossed = (y <= rows) != (np.roll(y, -1) <= rows)
    row, edge = np.nonzero(crossed)
    after = (edge + 1) % len(x)
    at = x[edge] + (row + 0.5 - y[edge]) / (y[after] - y[edge]) * (x[after] - x[edge])
    flips = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(flips, (row, np.clip(np.ceil(at - 0.5), 0, shape[1]).astype(int)), 1)
    return np.asarray(np.cumsum(flips[:, :-1], axis=1) % 2 == 1)


def width(contour: np.ndarray, shape: tuple[int, ...]) -> float:
    """(n, 2) x and y of a closed polygon in a picture of this shape -> the widest disc in it, px."""
    (left, top), (right, bottom) = np.floor(contour.min(axis=0)), np.ceil(contour.max(axis=0))
    inside = mask_of(contour - (left, top), (int(bottom - top), int(right - left)))
    # What the picture cuts off goes on beyond it.
    beyond = ((int(top > 0), int(bottom < shape[0])), (int(left > 0), int(right < shape[1])))
    return 2 * float(ndimage.distance_transform_edt(np.pad(inside, beyond)).max(initial=0))
