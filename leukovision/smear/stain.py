"""A photo comes in; what its stains took from the light goes out, in optical density.

Light through a stained smear is lost exponentially to the stain (Beer and Lambert), so everything here is
measured in optical density against the bare slide of the same photo: white balance drops out and gamma
becomes a factor.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import filters

from leukovision.cell import BLACK

RED_STAIN = np.array([0.2, 0.65, 0.73])
"""Density of red cells by channel where a photo shows too few of them to measure it."""

DENSER = 1.5
"""How much more violet a nucleus is, at least, than red cells are dense in green."""

PALEST = 0.3
"""How violet a nucleus is, at least, where there are no red cells."""

FEW = 5
"""White cells, at most, of a photo that shows no red ones."""

BARE = 0.08
"""Density, in every channel, below which a place is bare slide: pale cytoplasm has 0.1 and more."""

FITTED = 5000
"""Places, at most, through which the light is fitted."""


def resized(rgb: np.ndarray, zoom: float) -> np.ndarray:
    """(h, w, 3) uint8 -> the photo larger or smaller."""
    size = (max(1, round(rgb.shape[1] * zoom)), max(1, round(rgb.shape[0] * zoom)))
    kind = Image.Resampling.BOX if zoom < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(rgb).resize(size, kind))


def lit_part(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w) bool: all but what is black, as around an eyepiece's disc, bars and text."""
    black = rgb.max(axis=-1) <= 2 * BLACK
    if not black.any():
        return np.ones(black.shape, dtype=bool)
    parts, _ = ndimage.label(black)
    wide = np.bincount(parts.ravel()) > 0.005 * black.size
    wide[0] = False
    # Towards a wide black part, as an eyepiece has it, the light fades.
    fades = ndimage.binary_dilation(wide[parts], iterations=max(1, round(0.01 * max(black.shape))))
    return np.asarray(~(ndimage.binary_dilation(black) | fades))


def density(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 photo -> (h, w, 3) float32: optical density, 0 where the slide is bare or no light is.

    The light may fall off towards the edges: it is taken for a paraboloid through the bare slide.
    """
    logs, green, lit = -np.log(rgb.astype(np.float32) + 1), rgb[..., 1], lit_part(rgb)
    if not lit.any():
        return np.zeros_like(logs)
    counts = ndimage.gaussian_filter1d(
        np.bincount(green[lit], minlength=256).astype(float), 3, mode="constant"
    )
    around = np.pad(counts, 1)
    peaks = np.flatnonzero((around[:-2] <= counts) & (counts > around[2:]) & (counts > 0.1 * counts.max()))
    brightest = int(peaks.max()) if len(peaks) else int(counts.argmax())
    found = logs - np.median(logs[lit & (np.abs(green.astype(int) - brightest) <= 6)], axis=0)
    y, x = np.mgrid[-1 : 1 : rgb.shape[0] * 1j, -1 : 1 : rgb.shape[1] * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).reshape(-1, 6)
    places = np.flatnonzero(lit.ravel())[:: max(1, int(lit.sum()) // (4 * FITTED))]
    some, sample = terms[places], found.reshape(-1, 3)[places]
    light = np.zeros((6, 3), np.float32)
    for _ in range(6):
        bare = np.abs(sample - some @ light).max(axis=-1) < BARE
        # Where hardly any bare slide is seen, a curved surface would be guesswork.
        if bare.mean() < 0.1 or min(np.ptp(some[bare, 1]), np.ptp(some[bare, 2])) < 1:
            break
        before, light = light, np.linalg.lstsq(some[bare], sample[bare], rcond=None)[0]
        if np.abs(light - before).max() < 0.01:
            break
    found -= (terms @ light).reshape(found.shape)
    found[~lit] = 0
    return np.asarray(found, dtype=np.float32)


def purple(od: np.ndarray) -> np.ndarray:
    """(..., 3) density -> (...): how much of it is the violet of nuclei, for the usual red of red cells."""
    return np.asarray(od[..., 0] + od[..., 1] - od[..., 2])


def stained(green: np.ndarray, nuclear: np.ndarray) -> np.ndarray:
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


def level(stain: np.ndarray, side: int) -> float:
    """The highest level that some square of this side, px, lies wholly above."""
    return float(ndimage.minimum_filter(stain, side).max())


def stains(od: np.ndarray, red_cell_px: float) -> tuple[np.ndarray, np.ndarray] | None:
    """What nuclei and red cells of a photo are stained with.

    Args:
        od: (h, w, 3) density.
        red_cell_px: diameter of a red cell, px.

    Returns:
        Density by channel of nuclei, (3,), and of red cells, (3,); None where nothing is of the colour of
        nuclei, or nothing of it much denser than red cells are.
    """
    blur, green = 0.06 * red_cell_px, od[..., 1]
    violet = purple(ndimage.gaussian_filter(od, (blur, blur, 0)))
    highest, base = level(violet, max(3, round(red_cell_px / 4))), float(np.median(violet))
    nuclear = violet > base + 0.6 * (highest - base)
    red = stained(green, violet > base + 0.5 * (highest - base)) & (violet < base + 0.4 * (highest - base))
    seen = red.mean() > 0.02
    red_stain = np.median(od[red], axis=0) if seen else RED_STAIN
    # Where all that is stained is alike, few pieces are white cells and many are red ones.
    few = not seen and ndimage.label(ndimage.binary_opening(nuclear, iterations=3))[1] <= FEW
    if not nuclear.any() or highest - base < (PALEST if few else DENSER * red_stain[1]):
        return None
    return np.median(od[nuclear], axis=0), red_stain


def two_kinds(od: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Tell nuclei from red cells where neither has its usual colour.

    Args:
        od: (h, w, 3) density.

    Returns:
        Density by channel of nuclei and of red cells, and the diameter of these, px, if all that is stained
        are pieces of two colours, of which those of one are many and small, and of the other few and
        large; otherwise None.
    """
    smooth = ndimage.gaussian_filter(od, (1, 1, 0))
    total = np.clip(smooth.mean(axis=-1), 0, 3)
    if np.ptp(total) < PALEST / 3:
        return None
    dark = ndimage.binary_erosion(total > filters.threshold_otsu(total), iterations=2)
    labels, count = ndimage.label(dark)
    areas = np.bincount(labels.ravel())[1:]
    chosen = np.flatnonzero(areas > 0.2 * np.median(areas)) + 1 if count else np.zeros(0, int)
    if len(chosen) < 2 * FEW:
        return None
    colours = np.stack([ndimage.mean(smooth[..., c], labels, chosen) for c in range(3)], axis=1)
    hues = colours / np.linalg.norm(colours, axis=1, keepdims=True)
    centred = hues - hues.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    one = along > filters.threshold_otsu(along) if np.ptp(along) > 0 else along > 1
    if not one.any():
        return None
    white, red = sorted((one, ~one), key=lambda kind: -float(np.median(areas[chosen[kind] - 1])))
    apart = abs(float(along[white].mean() - along[red].mean()))
    within = float(np.hypot(along[white].std(), along[red].std()))
    wide = [float(np.median(areas[chosen[kind] - 1])) for kind in (white, red)]
    if apart < max(0.15, 4 * within) or not 1.5 * wide[1] < wide[0] < 9 * wide[1]:
        return None
    # Red cells are many, and cover more: grains and specks do not.
    if red.sum() < 2 * white.sum() or areas[chosen[red] - 1].sum() < areas[chosen[white] - 1].sum():
        return None
    width = float(np.sqrt(4 / np.pi * wide[1])) + 4  # what was eroded
    return np.median(colours[white], axis=0), np.median(colours[red], axis=0), width
