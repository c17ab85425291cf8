"""A picture comes in; the same picture as another program would have saved it goes out.

What happens to a file between the microscope and here: compressed, made smaller and larger again, blurred,
sharpened, few colours. Training makes the networks stand it, and evaluation measures whether they do.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

CHROMA_HALVED = 2
"""Pillow's number for 4:2:0, its default: colour is kept at half the resolution."""


def compressed(pixels: np.ndarray, format: str, quality: int, subsampling: int = CHROMA_HALVED) -> np.ndarray:
    """Saved as JPEG or WebP, and read again.

    Args:
        pixels: (h, w, 3) uint8.
        format: "JPEG" or "WEBP".
        quality: 1 to 100.
        subsampling: of JPEG: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0.

    Returns:
        (h, w, 3) uint8.
    """
    file = io.BytesIO()
    options = {"subsampling": subsampling} if format == "JPEG" else {"method": 0}
    Image.fromarray(pixels).save(file, format, quality=quality, **options)
    return np.asarray(Image.open(file).convert("RGB"))


def resampled(pixels: np.ndarray, scale: float) -> np.ndarray:
    """(h, w, 3) uint8 -> the same size, after having been scaled (0.5: to half its sides) and back."""
    image = Image.fromarray(pixels)
    small = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


def blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w, 3) uint8, blurred by a Gaussian of `sigma` px."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def sharpened(pixels: np.ndarray, percent: int) -> np.ndarray:
    """(h, w, 3) uint8, its detail of 2 px raised by so many percent."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.UnsharpMask(2, percent, 0)))


def few_colours(pixels: np.ndarray, count: int = 256) -> np.ndarray:
    """(h, w, 3) uint8 with at most so many colours, as a GIF or a palette PNG has."""
    return np.asarray(Image.fromarray(pixels).quantize(count).convert("RGB"))


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG 95": partial(compressed, format="JPEG", quality=95),
    "JPEG 75": partial(compressed, format="JPEG", quality=75),
    "WebP 80": partial(compressed, format="WEBP", quality=80),
    "half size and back": partial(resampled, scale=0.5),
    "blur of 1 px": partial(blurred, sigma=1.0),
    "256 colours": few_colours,
}
"""What is measured, by name: each takes (h, w, 3) uint8 and returns the like."""


def at_random(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One such change, drawn: half of the time JPEG, most of it with halved chroma."""
    quality = int(rng.integers(50, 98))
    match int(rng.integers(6)):
        case 0 | 1 | 2:
            return compressed(pixels, "JPEG", quality, int(rng.choice((0, 2, 2))))
        case 3:
            return compressed(pixels, "WEBP", quality)
        case 4:
            return resampled(pixels, rng.uniform(0.4, 0.9))
        case _:
            blur = rng.uniform(-1.0, 1.5)
            return blurred(pixels, blur) if blur > 0 else sharpened(pixels, round(-120 * blur))
