"""Pictures of one cell, stored in many ways; and what comes of reading them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import bad_files
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from leukovision import CellError
from leukovision.decode import read_picture
from leukovision.i18n import ENGLISH, LANGUAGES

CELL = np.ascontiguousarray(bad_files.CELL[160:280, 170:270])
"""Small, so that many files take little time; not square, so that what is turned is seen to be turned."""
DEEP = CELL.astype(np.uint16) * 257
GREY = CELL.max(axis=2)
FLAT = GREY.astype(np.uint16) * 257
CUT = CELL.copy()
CUT[:50] = 0
CLEAR = np.full(GREY.shape, 255, np.uint8)
CLEAR[:50] = 0
"""An alpha that cuts the upper rows out, and what is left then."""

Stored = tuple[str, bytes, np.ndarray, int]
"""What it is, the file, the pixels that are in it, and by how much they may be off."""


def pixels(source: object) -> np.ndarray:
    return read_picture(source, "a file")[0]


def refused(source: object) -> str:
    with pytest.raises(CellError) as error:
        read_picture(source, "a file")
    sentence = str(error.value)
    assert sentence.startswith("a file: ") and sentence.endswith(".")
    assert ENGLISH.said(sentence) == sentence != LANGUAGES["de"].said(sentence)
    return sentence


def saved(image: Image.Image | np.ndarray, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **how)
    return file.getvalue()


def tiff(array: np.ndarray, **how: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **how)
    return file.getvalue()


def off(found: np.ndarray, right: np.ndarray) -> int:
    right = right if right.ndim == 3 else np.repeat(right[..., None], 3, axis=2)
    assert found.shape == right.shape and found.dtype == np.uint8
    return int(np.abs(found.astype(int) - right).max())


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, colour: int, more: bytes = b"") -> bytes:
    """A PNG of 16 bits, which Pillow does not write, each row by another filter."""
    rows = samples.astype(">u2").reshape(len(samples), -1).view(np.uint8)
    step = 2 * (samples.shape[2] if samples.ndim == 3 else 1)
    filtered = bytearray()
    for number, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, np.uint8), row[:-step]])
        above = rows[number - 1] if number else np.zeros_like(row)
        filtered += bytes([number % 3]) + [row, row - left, row - above][number % 3].tobytes()

    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)
    packed = zlib.compress(bytes(filtered))
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", packed[:999]) + chunk(b"IDAT", packed[999:])
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def wrong(files: Iterable[Stored]) -> list[tuple[str, object]]:
    """Those that are read as something else than what is in them."""
    found: list[tuple[str, object]] = []
    for what, content, right, most in files:
        try:
            difference = off(pixels(content), right)
        except (CellError, AssertionError) as error:
            found.append((what, f"{error!r:.150}"))
        else:
            if difference > most:
                found.append((what, difference))
    return found


def stored(upright: np.ndarray, turn: int) -> np.ndarray:
    """How a picture is stored with this orientation, by the words of the standard: which sides of the
    picture the first row and the first column are."""
    row, column = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[turn]  # fmt: skip
    stored = upright if row in ("top", "bottom") else np.swapaxes(upright, 0, 1)
    stored = stored[::-1] if row in ("bottom", "right") else stored
    return np.ascontiguousarray(stored[:, ::-1] if column in ("bottom", "right") else stored)


def noted(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def exchanged_profile() -> bytes:
    """An ICC profile in which red is what green is in sRGB, and green what red is."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", content, 128)[0]
    for entry in range(count):
        at = 132 + 12 * entry
        if content[at : at + 4] in (b"rXYZ", b"gXYZ"):
            content[at : at + 1] = {b"r": b"g", b"g": b"r"}[bytes(content[at : at + 1])]
        if content[at : at + 4] == b"desc":
            start, size = struct.unpack_from(">II", content, at + 4)
            content[start : start + size] = content[start : start + size].replace(b"s\0R", b"x\0R")
    return bytes(content)
