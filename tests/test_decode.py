"""Files of every way to store a picture: what is read is what the file means, or a sentence says what it is."""

from __future__ import annotations

import io
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import bad_files
from PIL import Image, ImageCms, ImageFile

from leukovision import CellError, cell, read_cell
from leukovision.decode import read_picture

CASES = Path(__file__).parents[2] / "shared" / "cases"
CELL = np.ascontiguousarray(bad_files.CELL[160:280, 170:270])
"""Small, so that many files take little time; not square, so that what is turned is seen to be turned."""
DEEP = CELL.astype(np.uint16) * 257
GREY = CELL.max(axis=2)


def pixels(source: object) -> np.ndarray:
    return read_picture(source, "a file")[0]


def refused(source: object) -> str:
    with pytest.raises(CellError) as error:
        read_picture(source, "a file")
    return str(error.value)


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


def png(samples: np.ndarray, colour: int, more: bytes = b"") -> bytes:
    """A PNG of 16 bits, which Pillow does not write, each row by another filter."""
    rows = samples.astype(">u2").reshape(len(samples), -1).view(np.uint8)
    step = 2 * (samples.shape[2] if samples.ndim == 3 else 1)
    filtered = bytearray()
    for number, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, np.uint8), row[:-step]])
        above = rows[number - 1] if number else np.zeros_like(row)
        filtered += bytes([number % 3]) + [row, row - left, row - above][number % 3].tobytes()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)
    packed = zlib.compress(bytes(filtered))
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", packed[:999]) + chunk(b"IDAT", packed[999:])
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.skipif(not CASES.is_dir(), reason="the small files that went wrong are not here")
def test_files_that_went_wrong_give_the_cell_that_is_in_them() -> None:
    base = pixels(CASES / "base_cell.png")
    for name in (
        "rgb16_planar.tif", "rgb16_12bit.png", "bmp32_v4_alpha0.bmp", "float32_rgb.tif", "with_thumbnail_page.tif",
    ):  # fmt: skip
        assert off(pixels(CASES / name), base) <= 1, name
    assert off(pixels(CASES / "miniswhite16.tif"), base[..., 1]) == 0
    assert off(pixels(CASES / "icc_p3.png"), base) <= 3
    for path in sorted((CASES / "mixed_folder").iterdir()):
        if path.suffix.lower() == ".jfif":
            assert path.suffix.lower() in cell.SUFFIXES and pixels(path).shape == (450, 450, 3)


def _truthful_tiffs() -> Iterator[tuple[str, bytes, np.ndarray, int]]:
    """What it is, the file, the pixels that are in it, and by how much they may be off."""
    yield "16 bits", tiff(DEEP, photometric="rgb"), CELL, 0
    planes = np.moveaxis(DEEP, 2, 0)
    for compression in (None, "zlib"):
        how = {"photometric": "rgb", "planarconfig": "separate", "compression": compression}
        yield f"planes of 16 bits, {compression}", tiff(planes, **how), CELL, 0
        yield f"planes of 8 bits, {compression}", tiff(np.moveaxis(CELL, 2, 0), **how), CELL, 0
        yield f"tiles, {compression}", tiff(DEEP, photometric="rgb", tile=(64, 48), compression=compression), CELL, 0
    yield "planes in tiles", tiff(planes, photometric="rgb", planarconfig="separate", tile=(64, 64)), CELL, 0
    yield "big-endian", tiff(DEEP, photometric="rgb", byteorder=">"), CELL, 0
    yield "BigTIFF, big-endian", tiff(DEEP, photometric="rgb", byteorder=">", bigtiff=True), CELL, 0
    yield "strips, differences", tiff(DEEP, photometric="rgb", compression="zlib", predictor=2, rowsperstrip=7), CELL, 0
    for depth in (10, 12, 14):
        yield f"{depth} bits in 16", tiff(DEEP >> (16 - depth), photometric="rgb"), CELL, 1
        yield f"{depth} bits in int16", tiff((DEEP >> (16 - depth)).astype(np.int16), photometric="rgb"), CELL, 1
    for kind in (np.float16, np.float32, np.float64):
        yield f"{np.dtype(kind)} to 1", tiff((CELL / 255).astype(kind), photometric="rgb"), CELL, 0
    yield "floats to 255", tiff(CELL.astype(np.float32), photometric="rgb", byteorder=">"), CELL, 0
    yield "floats to 65535", tiff(DEEP.astype(np.float32), photometric="rgb"), CELL, 0
    edged = (CELL / 255).astype(np.float32)
    edged[:9, :9] = np.nan
    edged[60:63, 50:53] = (1.02, -0.01, 0.5)
    there = CELL.copy()
    there[:9, :9] = 0
    there[60:63, 50:53] = (255, 0, 128)
    yield "floats, sharpened, with holes", tiff(edged, photometric="rgb"), there, 0
    yield "int32 of 8 bits", tiff(CELL.astype(np.int32), photometric="rgb"), CELL, 0
    yield "uint32 of 32 bits", tiff(CELL.astype(np.uint32) * 0x01010101, photometric="rgb"), CELL, 0
    yield "white is zero, 8 bits", tiff(255 - GREY, photometric="miniswhite"), GREY, 0
    yield "white is zero, 12 bits", tiff(4095 - (GREY.astype(np.uint16) << 4), photometric="miniswhite"), GREY, 1
    for scale in (257, 1):
        table = np.arange(256, dtype=np.uint16) * scale
        palette = np.stack([table, table[::-1], table // 2])
        right = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
        yield f"a palette times {scale}", tiff(GREY, photometric="palette", colormap=palette), right, 1
    clear = np.full(GREY.shape, 255, np.uint8)
    clear[:50] = 0
    cut = CELL.copy()
    cut[:50] = 0
    with_alpha = np.dstack([CELL, clear])
    yield "alpha", tiff(with_alpha, photometric="rgb", extrasamples=["unassalpha"]), cut, 0
    yield "alpha, 16 bits", tiff(with_alpha.astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"]), cut, 0
    yield "premultiplied", tiff(np.dstack([cut, clear]), photometric="rgb", extrasamples=["assocalpha"]), cut, 0
    yield "a fourth that is no alpha", tiff(with_alpha, photometric="rgb", extrasamples=["unspecified"]), CELL, 0
    none = np.dstack([CELL, np.zeros_like(GREY)])
    yield "an alpha of zeros", tiff(none, photometric="rgb", extrasamples=["unassalpha"]), CELL, 0
    yield "an alpha of ones", tiff(none + np.array((0, 0, 0, 1), np.uint8), photometric="rgb", extrasamples=["unassalpha"]), CELL, 0
    yield "three samples of grey", tiff(CELL, photometric="minisblack", planarconfig="contig"), CELL, 0
    for turn in range(1, 9):
        how = {"photometric": "rgb", "extratags": [(274, 3, 1, turn, True)]}
        yield f"orientation {turn}", tiff(_stored(CELL, turn), **how), CELL, 0
    yield "planes of ImageJ", tiff(planes, imagej=True, metadata={"axes": "CYX", "mode": "composite"}), CELL, 0
    yield "planes of OME", tiff(planes, ome=True, photometric="minisblack", metadata={"axes": "CYX"}), CELL, 0
    yield "RGB of OME", tiff(CELL, ome=True, photometric="rgb"), CELL, 0
    for pages in ([CELL, CELL[::3, ::3], CELL[::9, ::9]], [CELL[::3, ::3], CELL]):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            for page in pages:
                writer.write(page, photometric="rgb", subfiletype=int(page.shape != CELL.shape))
        yield f"reduced copies, {len(pages)}", file.getvalue(), CELL, 0
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(CELL, photometric="rgb", subifds=1)
        writer.write(CELL[::2, ::2], photometric="rgb", subfiletype=1)
    yield "a pyramid", file.getvalue(), CELL, 0
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate", "lzma", "zstd"):
        yield f"Pillow, {compression}", saved(CELL, "TIFF", compression=compression), CELL, 0
    yield "LZW, 12 bits in 16", saved(GREY.astype(np.uint16) << 4, "TIFF", compression="tiff_lzw"), GREY, 1
    yield "LZW, float", saved(Image.fromarray(GREY / np.float32(255)), "TIFF", compression="tiff_lzw"), GREY, 0
    bilevel = np.asarray(Image.fromarray(GREY).convert("1"))
    for compression in (None, "group3", "group4", "packbits"):
        yield f"one bit, {compression}", saved(Image.fromarray(bilevel), "TIFF", compression=compression), bilevel * 255, 0
    yield "P", saved(Image.fromarray(CELL).quantize(64), "TIFF"), np.asarray(Image.fromarray(CELL).quantize(64).convert("RGB")), 0
    cmyk = Image.fromarray(CELL).convert("CMYK")
    yield "CMYK", saved(cmyk, "TIFF"), CELL, 1
    yield "CMYK, 16 bits", tiff(np.asarray(cmyk).astype(np.uint16) * 257, photometric="separated"), CELL, 1
    ycbcr = np.asarray(Image.fromarray(CELL).convert("YCbCr"))
    yield "YCbCr", tiff(ycbcr, photometric="ycbcr"), CELL, 3
    yield "YCbCr in JPEG", saved(CELL, "TIFF", compression="jpeg", quality=100), CELL, 12
    lab = ImageCms.profileToProfile(
        Image.fromarray(CELL), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    yield "L*a*b*", saved(lab, "TIFF"), CELL, 6
    signed = np.asarray(lab)
    yield "ICC L*a*b*", tiff(signed ^ np.array((0, 128, 128), np.uint8), photometric="icclab"), CELL, 6
    yield "L*a*b*, 16 bits", tiff(signed.astype(np.uint16) << 8, photometric="cielab"), CELL, 6


def _stored(upright: np.ndarray, turn: int) -> np.ndarray:
    """How a picture is stored with this orientation, by the words of the standard: which sides of the
    picture the first row and the first column are."""
    row, column = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[turn]  # fmt: skip
    stored = upright if row in ("top", "bottom") else np.swapaxes(upright, 0, 1)
    stored = stored[::-1] if row in ("bottom", "right") else stored
    return np.ascontiguousarray(stored[:, ::-1] if column in ("bottom", "right") else stored)


def test_every_tiff_gives_what_its_tags_promise() -> None:
    wrong = []
    for what, content, right, most in _truthful_tiffs():
        try:
            difference = off(pixels(content), right)
        except (CellError, AssertionError) as error:
            difference = f"{error!r:.150}"
        if isinstance(difference, str) or difference > most:
            wrong.append((what, difference))
    assert not wrong


def _truthful_others() -> Iterator[tuple[str, bytes, np.ndarray, int]]:
    for colour, samples in ((2, DEEP), (4, np.dstack([DEEP.max(axis=2), DEEP.max(axis=2) * 0 + 65535]))):
        right = CELL if colour == 2 else GREY
        for bits in (16, 14, 12, 10):
            yield f"PNG, colour {colour}, {bits} bits", png(samples >> (16 - bits), colour), right, 1
    yield "PNG, grey, 12 bits", png(DEEP.max(axis=2) >> 4, 0), GREY, 1
    clear = np.full(GREY.shape, 65535, np.uint16)
    clear[:50] = 0
    cut = CELL.copy()
    cut[:50] = 0
    yield "PNG, alpha, 16 bits", png(np.dstack([DEEP, clear]), 6), cut, 0
    yield "PNG, alpha, 12 bits", png(np.dstack([DEEP, clear]) >> 4, 6), cut, 1
    yield "PNG, alpha of zeros, 16 bits", png(np.dstack([DEEP, clear * 0]), 6), CELL, 0
    yield "PNG, grey and alpha, 16 bits", png(np.dstack([DEEP.max(axis=2), clear]), 4), cut.max(axis=2), 0
    key = struct.pack(">I4s", 6, b"tRNS") + DEEP[60, 50].astype(">u2").tobytes()
    key += struct.pack(">I", zlib.crc32(key[4:]))
    keyed = np.where((CELL == CELL[60, 50]).all(axis=2, keepdims=True), 0, CELL).astype(np.uint8)
    yield "PNG, one colour clear, 16 bits", png(DEEP, 2, key), keyed, 0
    for kind, how in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        none = np.dstack([CELL, np.zeros_like(GREY)])
        yield f"{kind}, alpha of zeros", saved(none, kind, **how), CELL, 0
    yield "BMP, 16 bits a pixel", saved(CELL, "BMP"), CELL, 0
    for mode in ("P", "1", "L", "LA", "PA"):
        image = Image.fromarray(CELL).convert(mode)
        right = np.asarray(image.convert("RGB"))
        yield f"PNG, {mode}", saved(image if mode != "PA" else image.convert("RGBA"), "PNG"), right, 0
    yield "GIF", saved(Image.fromarray(CELL).quantize(200), "GIF"), np.asarray(Image.fromarray(CELL).quantize(200).convert("RGB")), 0
    for kind in ("JPEG", "AVIF", "WEBP"):
        yield kind, saved(CELL, kind, quality=95), CELL, 24
    yield "JPEG, CMYK", saved(Image.fromarray(CELL).convert("CMYK"), "JPEG", quality=98), CELL, 24
    yield "MPO", saved(CELL, "MPO", save_all=True, append_images=[Image.fromarray(CELL[::-1])], quality=98), CELL, 24
    for how in ({"no_jp2": True}, {}):
        yield f"JPEG 2000, {how}", saved(CELL, "JPEG2000", **how), CELL, 0
    yield "JPEG 2000, 16 bits", saved(Image.fromarray(DEEP.max(axis=2)), "JPEG2000"), GREY, 0


def test_every_other_format_gives_what_is_in_it() -> None:
    wrong = []
    for what, content, right, most in _truthful_others():
        try:
            difference = off(pixels(content), right)
        except (CellError, AssertionError) as error:
            difference = f"{error!r:.150}"
        if isinstance(difference, str) or difference > most:
            wrong.append((what, difference))
    assert not wrong
