"""The bytes of a TIFF file come in; a `Raster` goes out, or a sentence that says what is stored in it.

tifffile reads the tags. What they say of depth, planes and colours is put together here: tifffile's codecs
for LZW and for 4 or 12 bits are a further 80 MB, and Pillow gives other pixels than the tags promise for
planes of 16 bits, for 12 bits in 16, for floats and more.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import struct

import numpy as np
from PIL import Image, TiffImagePlugin
from tifffile import TiffFile, TiffPage

from leukovision.raster import MAX_MEGAPIXELS, Raster, check_size, several, unreadable

MOST_PAGES, MOST_PIECES, MOST_BYTES = 32, 50_000, 8 * MAX_MEGAPIXELS * 10**6
"""Reduced copies beside a picture; strips or tiles of one; its samples, unpacked: more mean nothing good."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LAB, _ICC_LAB = (*range(7), 8, 9)
_SPACES = {
    _WHITE_IS_ZERO: ("L", 1), _BLACK_IS_ZERO: ("L", 1), _RGB: ("RGB", 3), _PALETTE: ("RGB", 1),
    _MASK: ("L", 1), _CMYK: ("CMYK", 4), _YCBCR: ("YCbCr", 3), _LAB: ("LAB", 3), _ICC_LAB: ("LAB", 3),
}  # fmt: skip
"""Colour space and number of samples by PhotometricInterpretation."""
_BY_LIBTIFF = {2, 3, 4, 6, 7}
"""Compressions that say themselves what their samples mean: fax and JPEG."""
_BYTEWISE = {
    5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits", 32946: "tiff_deflate", 34925: "lzma",
    50000: "zstd",
}  # fmt: skip
"""Compressions of any bytes, by Pillow's names."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def read_tiff(content: bytes, name: str) -> Raster:
    """Read a TIFF or BigTIFF, of either byte order, that holds one picture.

    Raises:
        CellError: too small or too large, several pages, or stored in a way that we cannot read.
        Exception: the file is broken; of whatever kind.
    """
    # These kinds of file would all be looked through, however many pages they have.
    with TiffFile(io.BytesIO(content), is_lsm=False, is_scanimage=False, is_ndpi=False) as file:
        pages = _full_size(file, name)
        page = pages[0]
        check_size(page.imagewidth, page.imagelength, name)
        if page.imagedepth > 1 or (len(pages) > 1 and not _are_planes(pages)):
            raise several(name)
        if page.compression in _BY_LIBTIFF and len(pages) == 1:
            return _by_libtiff(content, page, name)
        planes = [_samples(content, one, name) for one in pages]
        return _raster(page, np.concatenate(planes, axis=2), name)


def _full_size(file: TiffFile, name: str) -> list[TiffPage]:
    """The pages that are no reduced copy and no mask; of a file that has none such, the first.

    At most four, so that a file of a million pages takes no longer than one of four.
    """
    found: list[TiffPage] = []
    for number in range(MOST_PAGES + 1):
        try:
            page = file.pages.get(number)
        except IndexError:
            break
        if number == MOST_PAGES or len(found) > 3:
            raise several(name)
        if isinstance(page, TiffPage) and not page.subfiletype & 0b101:
            found.append(page)
    if not found and 330 in file.pages.first.tags:
        raise unreadable(name, "TIFF, SubIFDs")  # a camera's raw file: this is its preview
    return found or [file.pages.first]


def _are_planes(pages: list[TiffPage]) -> bool:
    """Whether these are red, green and blue of one picture, as ImageJ and OME keep them."""
    said = pages[0].description
    meant = ("<OME" in said and re.search(r'\bSizeC="3"', said)) or (
        said.startswith("ImageJ=") and re.search(r"^channels=3\s*$", said, re.MULTILINE)
    )
    shapes = {(page.shape, str(page.dtype)) for page in pages}
    grey = all(page.samplesperpixel == 1 and page.photometric == _BLACK_IS_ZERO for page in pages)
    return bool(meant) and len(pages) == 3 and len(shapes) == 1 and grey


def _by_libtiff(content: bytes, page: TiffPage, name: str) -> Raster:
    """A page whose compression knows its colours, as libtiff gives it."""
    if page.bitspersample not in (1, 8):
        what = f"TIFF, Compression {int(page.compression)}, BitsPerSample {page.bitspersample}"
        raise unreadable(name, what)
    found = TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    # Not `load`: that obeys Image.MAX_IMAGE_PIXELS of whoever calls us.
    size = (page.imagewidth, page.imagelength)
    image = Image.frombytes(found.mode, size, content, "libtiff", found.tile[0].args)
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    samples = np.asarray(image)
    samples = samples if samples.ndim == 3 else samples[..., None]
    return Raster(samples, image.mode, profile=_profile(page), orientation=_orientation(page))


def _profile(page: TiffPage) -> bytes:
    return bytes(page.tags.valueof(34675) or b"")


def _orientation(page: TiffPage) -> int:
    return int(page.tags.valueof(274) or 1)


def _raster(page: TiffPage, samples: np.ndarray, name: str) -> Raster:
    """(h, w, n) of a page, as they are stored -> with their meaning."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    space, count = _SPACES.get(photometric, ("", 0))
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and samples.shape[2] in (3, 4):
        space, count = "RGB", 3  # as a program writes it that knows of channels only
    # One more than is said may be there: an alpha that nobody mentioned.
    if not count <= samples.shape[2] <= count + max(1, len(page.extrasamples)) <= count + 2 or not space:
        what = f"TIFF, PhotometricInterpretation {photometric}, SamplesPerPixel {samples.shape[2]}"
        raise unreadable(name, what)
    white = None if bits >= 10 or samples.dtype.kind != "u" else 2.0**bits - 1
    colours = samples[..., :count]
    # 2 is alpha; by 1 the colours are multiplied, which is what black behind them does; 0 is anything.
    alpha = samples[..., count] if samples.shape[2] > count and page.extrasamples[:1] == (2,) else None
    if photometric == _PALETTE:
        table = np.asarray(page.colormap).T
        colours, white = table[colours[..., 0]], 255.0 if table.max() <= 255 else 65535.0
    elif photometric in (_LAB, _ICC_LAB):
        colours = _lab(colours, photometric, name)
    elif photometric == _YCBCR and (bits != 8 or page.subsampling not in (None, (1, 1))):
        raise unreadable(name, f"TIFF, YCbCr, {bits} bits, YCbCrSubSampling {page.subsampling}")
    inverted = photometric == _WHITE_IS_ZERO
    return Raster(colours, space, alpha, _profile(page), _orientation(page), white, inverted)


def _lab(colours: np.ndarray, photometric: int, name: str) -> np.ndarray:
    """(h, w, 3) of 8 or 16 bits -> uint8, a* and b* signed."""
    if colours.dtype.itemsize > 2 or colours.dtype.kind == "f":
        raise unreadable(name, f"TIFF, L*a*b* as {colours.dtype}")
    if colours.dtype.itemsize == 2:
        colours = colours.view(np.uint16) >> 8
    colours = colours.astype(np.uint8)
    return colours ^ np.array((0, 128, 128), np.uint8) if photometric == _ICC_LAB else colours


def _samples(content: bytes, page: TiffPage, name: str) -> np.ndarray:
    """The numbers of a page, as its tags describe them: (h, w, n) in the machine's byte order."""
    kind, bits = _kind(page, name)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    inner = page.samplesperpixel // planes
    out = np.empty((page.imagelength, page.imagewidth, page.samplesperpixel), kind.newbyteorder("="))
    high, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    places = range(planes), range(0, out.shape[0], high), range(0, out.shape[1], wide)
    pieces = math.prod(map(len, places))
    if pieces > MOST_PIECES or out.nbytes > MOST_BYTES:
        raise unreadable(name, f"TIFF, {pieces} strips or tiles, {out.nbytes / 1e6:.0f} MB")
    if len(page.dataoffsets) < pieces:
        raise ValueError("strips are missing")
    for number, (plane, top, left) in enumerate(itertools.product(*places)):
        rows = high if page.is_tiled else min(high, out.shape[0] - top)
        size = -(-wide * inner * bits // 8) * rows
        piece = _numbers(_bytes_of(content, page, number, rows, size, name), page, kind, bits, rows, inner)
        piece = piece[: out.shape[0] - top, : out.shape[1] - left]
        there = out[top : top + high, left : left + wide, plane * inner : (plane + 1) * inner]
        there[...] = piece
    return out


def _kind(page: TiffPage, name: str) -> tuple[np.dtype, int]:
    """The type of a page's samples, in the file's byte order, and the bits that each takes."""
    bits, form = page.bitspersample, int(page.sampleformat)
    letter = {1: "u", 2: "i", 3: "f", 4: "u"}.get(form)
    sizes = (16, 32, 64) if form == 3 else (8, 16, 32) if form == 2 else (*range(1, 17), 32)
    if not isinstance(bits, int) or letter is None or bits not in sizes:
        raise unreadable(name, f"TIFF, BitsPerSample {bits}, SampleFormat {form}")
    size = bits // 8 if bits in (8, 16, 32, 64) else 1 if bits < 8 else 2
    return np.dtype(f"{page.parent.byteorder}{letter}{size}"), bits


def _bytes_of(content: bytes, page: TiffPage, number: int, rows: int, size: int, name: str) -> bytes:
    """One strip or tile, no longer compressed: so many rows, so many bytes in all."""
    start = page.dataoffsets[number]
    if page.compression == 1:
        raw = content[start : start + size]
    else:
        counts = page.databytecounts
        raw = content[start : start + counts[number]] if number < len(counts) else content[start:]
    raw = raw.translate(_REVERSED) if page.fillorder == 2 else raw
    if page.compression in _BYTEWISE:
        raw = _inflated(raw, page.compression, rows, size)
    elif page.compression != 1:
        raise unreadable(name, f"TIFF, Compression {int(page.compression)}")
    if start == 0 or len(raw) < size:
        raise ValueError("a strip is cut short")
    return raw


def _inflated(raw: bytes, compression: int, rows: int, size: int) -> bytes:
    """Decompress by libtiff: as a small file that holds these bytes as a grey picture, and can give no more
    than it says."""
    fields = {
        256: size // rows, 257: rows, 258: 8, 259: compression, 262: 1, 273: 8 + 2 + 9 * 12 + 4, 277: 1,
        278: rows, 279: len(raw),
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4)
    how = ("L", _BYTEWISE[compression], False, 8)
    return Image.frombytes("L", (size // rows, rows), head + raw, "libtiff", how).tobytes()


def _numbers(raw: bytes, page: TiffPage, kind: np.dtype, bits: int, rows: int, inner: int) -> np.ndarray:
    """The bytes of a strip or tile -> (rows, columns, samples), differences added up."""
    if bits not in (8, 16, 32, 64):
        count = (page.tilewidth if page.is_tiled else page.imagewidth) * inner
        worth = (1 << np.arange(bits)[::-1]).astype(kind.newbyteorder("="))
        packed = np.frombuffer(raw, np.uint8).reshape(rows, -1)
        # A row at a time: every bit of it takes a byte.
        each = [np.unpackbits(row)[: count * bits].reshape(count, bits) @ worth for row in packed]
        return np.stack(each).reshape(rows, -1, inner)
    if page.predictor == 3:
        # Of a row, first the highest byte of each number, then the next of each, as differences.
        parts = np.cumsum(np.frombuffer(raw, np.uint8).reshape(rows, -1, inner), axis=1, dtype=np.uint8)
        parts = parts.reshape(rows, kind.itemsize, -1).transpose(0, 2, 1)
        return np.ascontiguousarray(parts).view(kind.newbyteorder(">")).reshape(rows, -1, inner)
    numbers = np.frombuffer(raw, kind).reshape(rows, -1, inner)
    if page.predictor == 2:
        return np.cumsum(numbers, axis=1, dtype=kind.newbyteorder("="))
    return numbers
