"""A picture of a cell comes in; the same cell as another slide, stain and microscope might show it goes out.

What a network may learn must survive this: size, place, direction, colour, brightness and sharpness do not,
because they differ by slide and so by subject; chromatin texture, nucleoli and outline do.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from leukovision.cell import foreground
from leukovision.pixels import Input

MARGIN = 1.34
"""How much wider than the backbones' field the pictures are that `augment` takes."""


def augment(picture: np.ndarray, input: Input, rng: np.random.Generator) -> np.ndarray:
    """One random version of a cell.

    Args:
        picture: (side, side, 3) uint8, side = MARGIN x the input's size, the cell in the middle.
        input: how pixels become numbers.
        rng: source of all randomness.

    Returns:
        (size, size, 3) float32, as `Input.numbers` gives them.
    """
    image = _sharpness(_move(Image.fromarray(picture), input.size, rng), rng)
    numbers = input.numbers(_stain(np.asarray(image), rng))
    return _camera(numbers, rng)


def _move(image: Image.Image, size: int, rng: np.random.Generator) -> Image.Image:
    """Any rotation, mirrored or not, zoom, a little stretch and shift, in one resampling."""
    turn = rng.uniform(0, 2 * np.pi)
    zoom = np.exp(rng.uniform(-0.25, 0.18))
    stretch = np.exp(rng.uniform(-0.08, 0.08, 2))
    shift = rng.uniform(-0.06, 0.06, 2) * size
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ mirror @ np.diag(1 / (zoom * stretch))
    middle, centre = size / 2, image.size[0] / 2
    offset = centre - matrix @ (np.array([middle, middle]) + shift)
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    return image.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)


def _sharpness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Out of focus, scanned coarsely, or sharpened: focus belongs to the slide."""
    kind = rng.choice(["none", "blur", "coarse", "sharpen"], p=[0.35, 0.3, 0.2, 0.15])
    if kind == "blur":
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.4)))
    if kind == "coarse":
        side = int(image.size[0] * rng.uniform(0.5, 0.9))
        return image.resize((side, side), Image.Resampling.BILINEAR).resize(
            image.size, Image.Resampling.BICUBIC
        )
    if kind == "sharpen":
        return image.filter(ImageFilter.UnsharpMask(1.5, int(rng.uniform(40, 120)), 0))
    return image


def _stain(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another strength and mixture of stains (in optical density) and uneven light; black stays black."""
    cell = foreground(picture)
    if not cell.any():
        return picture
    density = -np.log((picture[cell].astype(np.float32) + 1) / 256)
    mixing = np.eye(3) * rng.uniform(0.8, 1.25, 3) + rng.normal(0, 0.06, (3, 3))
    density = density @ (mixing * rng.uniform(0.8, 1.2)).astype(np.float32)
    side = picture.shape[0]
    rows, columns = np.nonzero(cell)
    slope = rng.normal(0, 0.12, 2)
    light = (slope[0] * (rows / side - 0.5) + slope[1] * (columns / side - 0.5)).astype(np.float32)
    values = 256 * np.exp(light[:, None] - density) - 1
    result = picture.copy()
    result[cell] = np.clip(values, 13, 255)  # above BLACK: what was cell stays cell
    return result


def _camera(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrast, tint, noise, and sometimes a part of the cell hidden so that no one spot decides."""
    cell = numbers.max(axis=-1) > -1
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.08, 3))
    offset = rng.normal(0, 0.06, 3) + rng.normal(0, 0.08)
    noise = rng.standard_normal(numbers.shape, dtype=np.float32) * np.float32(rng.uniform(0, 0.05))
    numbers = numbers * gain.astype(np.float32) + offset.astype(np.float32) + noise
    if rng.random() < 0.3:
        size = numbers.shape[0]
        height, width = rng.integers(size // 8, size // 3, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        numbers[top : top + height, left : left + width] = 0
    numbers[~cell] = -1
    return np.asarray(np.clip(numbers, -1, 1.5))
