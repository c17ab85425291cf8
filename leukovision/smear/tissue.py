"""Density comes in; what each place of a photo is goes out: outside of white cells, cytoplasm, or nucleus.

A network of one hidden layer decides it for each pixel by itself, from what the stains of the photo took
there and around it, and from how far the next nucleus is. It is trained on cells whose outlines were drawn
by hand (`benchmarks/train_tissue.py`); all that it learned are the numbers in `tissue.json`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

OUTSIDE, CYTOPLASM, NUCLEUS = 0, 1, 2
"""What a place can be."""

AROUND = (0.04, 0.12, 0.4)
"""Over which the density is averaged, standard deviations in red cells."""

ROWS = 128
"""That go through the network at a time."""

FAR = 1.5
"""Distance to the next nucleus beyond which it makes no difference, in red cells."""


BESIDE = 0.4
"""Distance to a nucleus within which its cytoplasm is looked for, in red cells."""


def features(od: np.ndarray, red_cell_px: float, nuclear: np.ndarray, red: np.ndarray) -> np.ndarray:
    """What the network sees.

    Args:
        od: (h, w, 3) density.
        red_cell_px: diameter of a red cell, px.
        nuclear, red: (3,) density of nuclei and of red cells, as `stains` gives them.

    Returns:
        (h, w, 22) float32.
    """
    strength = float(np.linalg.norm(nuclear))
    whole = np.clip(od / strength, -0.5, 3).astype(np.float32)
    smooth = [_averaged(whole, by * red_cell_px) for by in AROUND]
    # The same by stain (Ruifrok & Johnston 2001, Anal Quant Cytol Histol 23:291).
    own, other = nuclear / strength, red / max(float(np.linalg.norm(red)), 1e-6)
    across = np.cross(own, other)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    aside = np.cross(other, across)
    axes = np.stack([own, other, across, aside], axis=1).astype(np.float32)
    apart = [(one @ axes).astype(np.float32) for one in smooth[:2]]
    squares = ndimage.gaussian_filter(whole[..., 1] ** 2, AROUND[1] * red_cell_px)
    grain = np.sqrt(np.maximum(squares - smooth[1][..., 1] ** 2, 0))
    dark = ndimage.binary_opening(apart[1][..., 0] > 0.55, iterations=max(1, round(0.05 * red_cell_px)))
    away = ndimage.distance_transform_edt(~dark) / red_cell_px if dark.any() else np.full(dark.shape, FAR)
    away = np.minimum(away, FAR).astype(np.float32)
    owned = _owned(smooth[0], away)
    return np.concatenate(
        [
            *smooth,
            *apart,
            grain[..., None],
            away[..., None],
            np.exp(-4 * away)[..., None],
            *[_averaged(owned[..., None], by * red_cell_px) for by in AROUND[:2]],
        ],
        axis=-1,
    )


def _owned(colours: np.ndarray, away: np.ndarray) -> np.ndarray:
    """How much more often the colour of a place is seen beside nuclei than far from all of them: cytoplasm is
    beside nuclei only, slide and red cells are anywhere.

    Args:
        colours: (h, w, 3) density, in that of nuclei.
        away: (h, w) distance to the next nucleus, in red cells.

    Returns:
        (h, w) float32, a logarithm; 0 where hardly anything is beside nuclei or far from them.
    """
    beside, far = (away > 0.1) & (away < BESIDE), away > 2 * BESIDE
    if min(beside.mean(), far.mean()) < 0.02:
        return np.zeros_like(away)
    bins = np.clip((colours + 0.08) * 25, 0, 15).astype(np.intp) @ np.array([256, 16, 1])
    seen = []
    for places in (beside, far):
        counts = np.bincount(bins[places], minlength=4096).reshape(16, 16, 16) / places.sum()
        seen.append(ndimage.gaussian_filter(counts, 0.7) + 1e-4)
    return np.asarray(np.log(seen[0] / seen[1]).ravel()[bins], dtype=np.float32)


def _averaged(values: np.ndarray, by: float) -> np.ndarray:
    """(h, w, c) float32 -> the same, averaged by a Gaussian with this standard deviation, px; with a wide one
    at a quarter of the size, where it is as smooth."""
    if by < 8 or min(values.shape[:2]) < 16:
        return np.asarray(ndimage.gaussian_filter(values, (by, by, 0)))
    height, width = values.shape[:2]
    channels = [Image.fromarray(values[..., channel]) for channel in range(values.shape[2])]
    small = np.stack([np.asarray(one.reduce(4)) for one in channels], axis=-1)
    small = ndimage.gaussian_filter(small, (by / 4, by / 4, 0))
    # The last block may be a part of one.
    box = (0.0, 0.0, width / 4, height / 4)
    wide = [
        Image.fromarray(small[..., channel]).resize((width, height), Image.Resampling.BILINEAR, box)
        for channel in range(values.shape[2])
    ]
    return np.stack([np.asarray(one) for one in wide], axis=-1)


@cache
def _learned() -> list[np.ndarray]:
    """Weights and offsets of both layers, as features are."""
    text = (Path(__file__).parent / "tissue.json").read_text(encoding="utf-8")
    learned = {key: np.array(values, dtype=np.float32) for key, values in json.loads(text).items()}
    first = learned["first"] / learned["spread"][:, None]
    return [
        first,
        learned["first_offset"] - learned["middle"] @ first,
        learned["second"],
        learned["second_offset"],
    ]


def tissue(od: np.ndarray, red_cell_px: float, nuclear: np.ndarray, red: np.ndarray) -> np.ndarray:
    """What each place is.

    Args:
        od, red_cell_px, nuclear, red: as `features` takes them.

    Returns:
        (h, w, 3) float32: the probabilities of `OUTSIDE`, `CYTOPLASM` and `NUCLEUS`.
    """
    seen = features(od, red_cell_px, nuclear, red)
    first, first_offset, second, second_offset = _learned()
    chances = np.empty((*seen.shape[:2], 3), np.float32)
    # Row by row, for the sake of memory.
    for top in range(0, len(seen), ROWS):
        hidden = np.maximum(seen[top : top + ROWS] @ first + first_offset, 0)
        logits = hidden @ second + second_offset
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chances[top : top + ROWS] = odds / odds.sum(axis=-1, keepdims=True)
    return chances


def by_stain(od: np.ndarray, red_cell_px: float, nuclear: np.ndarray, red: np.ndarray) -> np.ndarray:
    """The same where the stains are not those that the network has learned: what holds more of the stain of
    nuclei than of that of red cells, and half of what nuclei hold, is nucleus.

    Args:
        od, red_cell_px, nuclear, red: as `features` takes them.

    Returns:
        As `tissue`, without cytoplasm.
    """
    amounts = ndimage.gaussian_filter(od, (0.04 * red_cell_px, 0.04 * red_cell_px, 0)) @ np.linalg.pinv(
        np.stack([nuclear, red])
    )
    more = np.minimum(2 * amounts[..., 0] - 1, amounts[..., 0] - amounts[..., 1])
    chance = np.clip(0.5 + more, 0, 1)
    return np.stack([1 - chance, np.zeros_like(chance), chance], axis=-1).astype(np.float32)
