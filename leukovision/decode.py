"""A path, file, bytes, array or image comes in; (h, w, 3) uint8, sRGB, upright, on black, goes out.

Nothing that the program which calls us has set for all of Pillow or numpy changes what is read, and we set
nothing ourselves.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from leukovision.errors import sentence
from leukovision.raster import (
    CellError,
    Raster,
    check_size,
    several,
    too_large,
    unreadable,
    upright_srgb,
)

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".tif", ".tiff", ".btf", ".webp",
    ".gif", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpx", ".jpf", ".dcm",
)  # fmt: skip
"""What the names of pictures end with; what is in a file is told by its bytes alone."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Image.Image

_load = FunctionType(ImageFile.ImageFile.load.__code__, {**vars(ImageFile), "LOAD_TRUNCATED_IMAGES": False})
"""Pillow's own `load`, raising for half a file even if the program around us has told Pillow not to."""


def read_picture(source: Source, name: str | None = None) -> tuple[np.ndarray, str]:
    """Read a picture of anything.

    Args:
        source: a path, a file opened for bytes (read from its start), the bytes of a file, an array as
            `read_cell` takes it, or a PIL image.
        name: used in errors; a path's or file's own by default.

    Returns:
        (h, w, 3) uint8, RGB, upright, in its own size; and what to call it.

    Raises:
        CellError: no picture, broken, or one that cannot be a cell; its text is a sentence that says which.
        FileNotFoundError: there is no such file.
    """
    if isinstance(source, (str, os.PathLike)):
        name = name or str(source)
        source = Path(source).read_bytes()
    elif hasattr(source, "read"):
        own = getattr(source, "name", None)
        name = name or (own if isinstance(own, str) else None)
        source = _whole(source, name or "picture")
    name = name or "picture"
    try:
        if isinstance(source, np.ndarray):
            raster = _of_array(source, name)
        elif isinstance(source, Image.Image):
            check_size(*source.size, name)
            raster = _of_image(source, name)
        else:
            raster = _of_bytes(bytes(source), name)
        rgb = upright_srgb(raster, name)
    except CellError:
        raise
    except (MemoryError, Image.DecompressionBombError):
        raise too_large(name) from None
    except Exception:  # decoders raise whatever their formats make them stumble over
        raise CellError(sentence("broken", name=name)) from None
    if (rgb == rgb[0, 0]).all():
        raise CellError(sentence("one_colour", name=name))
    return rgb, name


def _whole(file: Any, name: str) -> bytes:
    """All of a file that somebody opened, wherever they have read to."""
    if hasattr(file, "seekable") and file.seekable():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise CellError(sentence("as_text", name=name))
    return content


def _of_bytes(content: bytes, name: str) -> Raster:
    """A whole file."""
    if not content:
        raise CellError(sentence("empty", name=name))
    for start, read in _BY_START.items():
        if content.startswith(start):
            return read(content, name)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _by_pillow(WebPImagePlugin.WebPImageFile, content, name)
    brands = content[8 : 8 + min(content[3], 96)] if content[4:8] == b"ftyp" else b""
    if b"avi" in brands:
        return _by_pillow(AvifImagePlugin.AvifImageFile, content, name)
    if any(brand in brands for brand in (b"hei", b"hev", b"mif1", b"msf1")):
        return _heic(content, name)
    if content[128:132] == b"DICM":
        from leukovision.dicom import read_dicom

        return read_dicom(content, name, _of_bytes)
    raise CellError(sentence("no_image", name=name))


def _by_pillow(kind: Callable[[BinaryIO], ImageFile.ImageFile], content: bytes, name: str) -> Raster:
    """A file of a format in which Pillow gives what the header promises.

    Its class is called, and not `Image.open`: that obeys Image.MAX_IMAGE_PIXELS, and whatever formats the
    program around us has taught it.
    """
    image = kind(io.BytesIO(content))
    check_size(*image.size, name)
    # Whether there is a second: the number of all takes time that grows with its square.
    if getattr(image, "is_animated", False):
        raise several(name)
    return _of_image(image, name)


def _of_image(image: Image.Image, name: str) -> Raster:
    """An image of any mode of Pillow's."""
    if isinstance(image, ImageFile.ImageFile) and type(image).load is ImageFile.ImageFile.load:
        _load(image)
    image.load()
    profile, orientation = image.info.get("icc_profile") or b"", _orientation(image)
    if image.mode.startswith(("I", "F")):
        return Raster(np.asarray(image)[..., None], "L", None, profile, orientation)
    if image.mode in ("P", "PA", "RGBX", "HSV") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    samples = np.asarray(image)
    samples = samples if samples.ndim == 3 else samples[..., None]
    if image.mode in ("LA", "RGBA", "La", "RGBa"):
        # The small a: the colours are multiplied by it, which is what black behind them does.
        alpha = samples[..., -1] if image.mode.endswith("A") else None
        return Raster(samples[..., :-1], image.mode[:-1], alpha, profile, orientation)
    return Raster(samples, image.mode, None, profile, orientation)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # an odd block of notes makes no picture unreadable
        return 1


class _JpegFile(JpegImagePlugin.JpegImageFile):
    """Pillow's, without what it does for programs that want half files, and without its look at the notes for
    dots to an inch, which warns of odd ones."""

    def load_read(self, read_bytes: int) -> bytes:
        assert self.fp is not None
        return self.fp.read(read_bytes)

    def _read_dpi_from_exif(self) -> None:
        pass


def _jpeg(content: bytes, name: str) -> Raster:
    """The first picture of a JPEG or MPO file: a phone keeps its preview as a second."""
    at = 2
    while content[at : at + 1] == b"\xff" and at + 5 < len(content):
        kind, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if kind == 0xFF:  # padding
            at += 1
            continue
        if kind == 0xF7 or (0xC0 <= kind < 0xD0 and kind not in (0xC4, 0xC8, 0xCC)):
            if kind not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) or content[at + 4] != 8:
                raise unreadable(name, f"JPEG, SOF{kind - 0xC0}, {content[at + 4]} bits")
            break
        at += 2 + length
    return _by_pillow(_JpegFile, content, name)


def _png(content: bytes, name: str) -> Raster:
    """Of 16 bits Pillow gives the upper 8 only; as the bytes of two pictures it gives them all."""
    depth, colour = content[24], content[25]
    if depth != 16 or colour not in (2, 4, 6):
        return _by_pillow(PngImagePlugin.PngImageFile, content, name)
    halves = []
    mode = {2: "RGB", 4: "RGBA", 6: "RGBA"}[colour]
    for rawmode in ("RGBA",) if colour == 4 else (f"{mode};16B", f"{mode};16L"):
        image = PngImagePlugin.PngImageFile(io.BytesIO(content))
        check_size(*image.size, name)
        if image.is_animated:
            raise several(name)
        image.tile = [tile._replace(args=rawmode) for tile in image.tile]
        _load(image)
        halves.append(np.asarray(image))
    # Of grey with alpha, a pixel is two bytes of one and two of the other.
    samples = halves[0].view(">u2") if colour == 4 else (halves[0].astype(np.uint16) << 8) | halves[1]
    colours, alpha = (samples, None) if colour == 2 else (samples[..., :-1], samples[..., -1])
    clear = image.info.get("transparency")
    if clear is not None and colour == 2:
        alpha = (samples != np.array(clear)).any(axis=2)
    profile = image.info.get("icc_profile") or b""
    return Raster(colours, "L" if colour == 4 else "RGB", alpha, profile, _orientation(image))


def _bmp(content: bytes, name: str) -> Raster:
    raster = _by_pillow(BmpImagePlugin.BmpImageFile, content, name)
    if content[14] == 124 and content[70:74] == b"DEBM":  # a header of version 5 with a profile
        start, length = (int.from_bytes(content[at : at + 4], "little") for at in (126, 130))
        return replace(raster, profile=content[14 + start : 14 + start + length])
    return raster


def _gif(content: bytes, name: str) -> Raster:
    return _by_pillow(GifImagePlugin.GifImageFile, content, name)


def _jpeg2000(content: bytes, name: str) -> Raster:
    box = content.find(b"jp2c")
    length = int.from_bytes(content[box - 4 : box], "big") if box >= 4 else 0
    if length == 1:  # what follows says it
        length = int.from_bytes(content[box + 4 : box + 12], "big")
    stream = content[: box - 4 + length] if length else content
    # Of half a stream the decoder makes a blurred or black picture, and says nothing.
    if not stream.rstrip(b"\0").endswith(b"\xff\xd9") or len(stream) < box - 4 + length:
        raise ValueError("the stream has no end")
    raster = _by_pillow(Jpeg2KImagePlugin.Jpeg2KImageFile, content, name)
    # Pillow passes over the profile: the box that says how colours are meant, by method 2.
    at = content.find(b"colr\x02", 0, max(box, 0))
    if at < 4:
        return raster
    return replace(raster, profile=content[at + 7 : at - 4 + int.from_bytes(content[at - 4 : at], "big")])


def _heic(content: bytes, name: str) -> Raster:
    """The main picture of a HEIC file; libheif turns it upright."""
    try:
        from pillow_heif import open_heif
    except ImportError:
        raise unreadable(name, "HEIC without pillow-heif") from None
    file = open_heif(io.BytesIO(content))
    check_size(file.size[0], file.size[1], name)
    image = file[file.primary_index].to_pillow()
    image.info.pop("exif", None)
    image.info.pop("xmp", None)
    return _of_image(image, name)


def _tiff(content: bytes, name: str) -> Raster:
    from leukovision.tiff import read_tiff

    return read_tiff(content, name)


_BY_START: dict[bytes, Callable[[bytes, str], Raster]] = {
    b"\x89PNG": _png,
    b"\xff\xd8\xff": _jpeg,
    b"BM": _bmp,
    b"GIF8": _gif,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"II+\0": _tiff,
    b"MM\0+": _tiff,
    b"\xff\x4f\xff\x51": _jpeg2000,
    b"\0\0\0\x0cjP  \r\n\x87\n": _jpeg2000,
}


def _of_array(array: np.ndarray, name: str) -> Raster:
    """An array as `read_cell` takes it."""
    wanted = "give (h, w), (h, w, 3) or (h, w, 4) of uint8, uint16, or float from 0 to 1"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise CellError(f"{name}: an array of shape {array.shape} is no picture; {wanted}.")
    floating = np.issubdtype(array.dtype, np.floating)
    if floating and (not np.isfinite(array).all() or array.min() < 0 or array.max() > 1):
        raise CellError(f"{name}: values outside 0 to 1, or not finite; {wanted}.")
    if not floating and array.dtype not in (np.uint8, np.uint16):
        raise CellError(f"{name}: an array of {array.dtype} is no picture; {wanted}.")
    check_size(array.shape[1], array.shape[0], name)
    samples = array.copy() if array.ndim == 3 else array[..., None].copy()  # whose it is may change it
    colours, alpha = (samples[..., :3], samples[..., 3]) if samples.shape[2] == 4 else (samples, None)
    return Raster(colours, "L" if samples.shape[2] == 1 else "RGB", alpha, white=1.0 if floating else None)
