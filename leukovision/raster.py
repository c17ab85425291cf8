"""Samples as a file holds them come in; a picture of (h, w, 3) uint8, sRGB, upright, on black, goes out."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from leukovision.errors import sentence

MIN_SIDE = 32
MAX_MEGAPIXELS = 50

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the cameras there are."""

_MADE = {257: 16, 256: 16, 64: 14, 16: 12}
"""What 8 bits are multiplied by, and the bits that are made of them."""

_ROWS = 256
"""How many are worked on at once."""

_PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation -> quarter turns to the left, and whether it is mirrored left to right after them."""


class CellError(ValueError):
    """A picture that cannot be a cell; its text is a sentence for the person who sent it."""


@dataclass(frozen=True, eq=False)
class Raster:
    """What a file holds.

    Attributes:
        samples: (h, w, n), unsigned, signed or floating.
        space: what they mean, by Pillow's names: "L", "RGB", "CMYK", "YCbCr", "LAB" (a* and b* signed).
        alpha: (h, w), how opaque each pixel is, on any scale; None: all of them are, or the samples are
            multiplied by it already.
        profile: an ICC profile of these samples, or nothing.
        orientation: as EXIF has it, 1 to 8.
        white: the value of the brightest that can be; None if the values themselves must tell.
        inverted: whether 0 is white.
    """

    samples: np.ndarray
    space: str
    alpha: np.ndarray | None = None
    profile: bytes = b""
    orientation: int = 1
    white: float | None = None
    inverted: bool = False


def upright_srgb(raster: Raster, name: str) -> np.ndarray:
    """What a viewer that manages colours shows on black.

    Returns:
        (h, w, 3) uint8.

    Raises:
        CellError: values that are on no known scale.
    """
    eight = eight_bit(raster.samples, name, raster.white)
    eight = 255 - eight if raster.inverted else eight
    rgb = _srgb(eight, raster.space, raster.profile)
    if raster.alpha is not None:
        rgb = _on_black(rgb, raster.alpha)
    return upright(rgb, raster.orientation)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse by what a header says, before anything is decoded.

    Raises:
        CellError: less than `MIN_SIDE` px on a side, or more than `MAX_MEGAPIXELS`.
    """
    if width * height > MAX_MEGAPIXELS * 1e6:
        raise too_large(name)
    if min(width, height) < MIN_SIDE:
        raise CellError(sentence("too_small", name=name, width=width, height=height, least=MIN_SIDE))


def too_large(name: str) -> CellError:
    """What is said of more than `MAX_MEGAPIXELS`."""
    return CellError(sentence("too_large", name=name, most=MAX_MEGAPIXELS))


def unreadable(name: str, what: str) -> CellError:
    """What is said of a sound file that we have no decoder for; `what` in the words of its format."""
    return CellError(sentence("stored", name=name, what=what))


def several(name: str) -> CellError:
    """What is said of more than one picture in a file."""
    return CellError(sentence("animated", name=name))


def eight_bit(values: np.ndarray, name: str, white: float | None = None) -> np.ndarray:
    """Values on any scale -> uint8 of the same shape.

    Args:
        values: of any type that counts.
        name: used in the error.
        white: the value that becomes 255. None: 1 of floats up to 1, else what the depth in `DEPTHS` holds
            that was used, or what the type holds.

    Raises:
        CellError: negative, not finite, or beyond every such depth.
    """
    if values.dtype == bool:
        values, white = values.view(np.uint8), 1
    if values.dtype == np.uint8 and white in (None, 255):
        return values
    with np.errstate(all="ignore"):
        # fmax and fmin pass over what is no number.
        least, most = (float(find.reduce(values, axis=None)) for find in (np.fmin, np.fmax))
        if white is None:
            white = _white(values, most)
        nearly_black = white > 2**16 and most < white / 4
        if not np.isfinite([least, most]).all() or least < -0.05 * white or nearly_black:
            raise CellError(sentence("no_scale", name=name, least=least, most=most))
        # Some rows at a time: indices take eight bytes each, and floats four.
        out = np.empty(values.shape, np.uint8)
        table = (np.arange(min(white, 2**16) + 1) * (255 / white)).round().astype(np.uint8)
        for top in range(0, len(values), _ROWS):
            some = values[top : top + _ROWS]
            if values.dtype.kind in "ui" and least >= 0 and most <= white < 2**16:
                out[top : top + _ROWS] = table[some]
            else:
                some = np.nan_to_num(some.astype(np.float32), copy=False)
                out[top : top + _ROWS] = (np.clip(some, 0, white) * (255 / white)).round()
        return out


def _white(values: np.ndarray, most: float) -> float:
    """The value of white of numbers the largest of which is `most`.

    The least depth that holds them: what a camera of 12 bits gives stands in 16 as it is. But shades that are
    all multiples of 16 are 8 bits made 12, however dark, as multiples of 257 are 8 bits made 16.
    """
    if values.dtype.kind == "f" and most <= 2:  # sharpened pictures reach a little above 1
        return 1.0
    own = float(np.iinfo(values.dtype).max) if values.dtype.kind in "ui" else np.inf
    depth = next((bits for bits in DEPTHS if most < 2**bits), None)
    if depth is None or own <= 255:
        return own
    if depth == DEPTHS[0]:
        return 255.0
    present = np.zeros(2**16, bool)
    for top in range(0, len(values), _ROWS):
        whole = values[top : top + _ROWS].astype(np.uint16)
        if (whole != values[top : top + _ROWS]).any():
            return min(2.0**depth - 1, own)
        present[whole] = True
    shades = np.flatnonzero(present)
    step = int(np.gcd.reduce(shades))
    made = next((bits for times, bits in _MADE.items() if len(shades) > 16 and step % times == 0), depth)
    return min(2.0 ** max(depth, made) - 1, own)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(h, w, 3) as stored with this EXIF orientation -> as it is to be seen."""
    turns, mirrored = _TURNS.get(orientation, (0, False))
    pixels = np.rot90(pixels, turns)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)


def _on_black(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 over black, where (h, w) alpha of any scale lets it through.

    The most opaque pixel counts as opaque, and an alpha that is the same all over cuts nothing out: programs
    that know of no alpha leave zeros there, or ones.
    """
    least, most = float(alpha.min()), float(alpha.max())
    if not least < most:
        return rgb
    out = np.empty(rgb.shape, np.uint8)
    for top in range(0, len(rgb), _ROWS):
        opaque = np.clip(alpha[top : top + _ROWS, :, None].astype(np.float32), 0, None) / most
        out[top : top + _ROWS] = (rgb[top : top + _ROWS] * opaque).round()
    return out


def _srgb(samples: np.ndarray, space: str, profile: bytes) -> np.ndarray:
    """(h, w, n) uint8 in a colour space -> (h, w, 3) uint8 in sRGB."""
    height, width = samples.shape[:2]
    if space in ("L", "RGB") and not profile:
        return np.broadcast_to(samples, (height, width, 3)) if space == "L" else samples
    image = Image.frombytes(space, (width, height), samples.tobytes())
    if space == "YCbCr":
        image = image.convert("RGB")
    return np.asarray(_converted(image, profile) or _converted(image, b"") or image.convert("RGB"))


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The same colours in sRGB; None if the profile is broken, or one of another colour space."""
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() != _PROFILE_SPACES[image.mode]:
                return None
        elif image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            return None
        if "sRGB" in (source.profile.profile_description or ""):
            return image.convert("RGB")
        return ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
