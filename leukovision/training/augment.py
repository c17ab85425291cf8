"""A cell comes in; what the backbones read of it goes out, changed at random as another slide, microscope or
file would change it, so that none of this can be learnt in place of the disease."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from leukovision import resaving
from leukovision.cell import Cell, foreground
from leukovision.preprocessing import Input


@dataclass(frozen=True)
class Changes:
    """How much a cell is changed; turned by any angle and mirrored it always is.

    Attributes:
        zoom: the field is wider or narrower by up to this (natural logarithm).
        shift: and moved by up to this part of its width.
        resaved: share of the cells that are changed as in `resaving.at_random`.
        stain: strength of changes of stain and light, in optical density; 0 is none. At 0.5 units on frozen
            layers tell new donors apart much worse (docs/results.md).
    """

    zoom: float = 0.08
    shift: float = 0.08
    resaved: float = 0.3
    stain: float = 0.0


def augmented(cell: Cell, input: Input, changes: Changes, rng: np.random.Generator) -> np.ndarray:
    """(size, size, 3) float32: what `input` makes of a changed cell."""
    if rng.random() < changes.resaved:
        cell = replace(cell, pixels=resaving.at_random(cell.pixels, rng))
    field = float(np.exp(rng.uniform(-changes.zoom, changes.zoom)))
    moved = tuple(rng.uniform(-changes.shift, changes.shift, 2))
    image = Image.fromarray(input.picture(cell, margin=field, moved=moved))
    image = image.rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = np.asarray(image)
    return input.numbers(stained(picture, changes.stain, rng) if changes.stain else picture)


def stained(picture: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A cell as another stain and another lamp might show it.

    Dyes add up in optical density (Beer and Lambert), so that is where each channel gets a factor and an
    offset, and a little of the others (after Tellez et al. 2019, doi:10.1016/j.media.2019.101544).

    Args:
        picture: (h, w, 3) uint8, on black, which stays.
        strength: 1 is as much as slides of one laboratory differ; 0 is nothing.

    Returns:
        (h, w, 3) uint8.
    """
    mix = np.eye(3) + rng.normal(0, 0.05 * strength, (3, 3))
    factor = np.exp(rng.normal(0, 0.10 * strength, 3) + rng.normal(0, 0.12 * strength))
    offset = rng.normal(0, 0.05 * strength, 3) + rng.normal(0, 0.06 * strength)
    density = -np.log((picture.astype(np.float32) + 1) / 256)
    density = density @ (mix.T * factor).astype(np.float32) + offset.astype(np.float32)
    result = np.asarray(np.clip(256 * np.exp(-density) - 1, 0, 255).astype(np.uint8))
    black = ~foreground(picture)
    result[black] = picture[black]
    return result
