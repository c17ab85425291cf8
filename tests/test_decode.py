"""Files of every way to store a picture: what is read is what the file means, or a sentence says why not."""

from __future__ import annotations

import io
import re
import resource
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bad_files
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngImageFile

from leukovision import CellError, cell, read_cell
from leukovision.decode import read_picture
from leukovision.language import ENGLISH, LANGUAGES

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


def _chunk(kind: bytes, body: bytes) -> bytes:
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
    body = _chunk(b"IHDR", head) + more + _chunk(b"IDAT", packed[:999]) + _chunk(b"IDAT", packed[999:])
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


@pytest.mark.skipif(not CASES.is_dir(), reason="the small files that went wrong are not here")
def test_files_that_went_wrong_give_the_cell_that_is_in_them() -> None:
    base = pixels(CASES / "base_cell.png")
    for name in (
        "rgb16_planar.tif", "rgb16_12bit.png", "bmp32_v4_alpha0.bmp", "float32_rgb.tif",
        "with_thumbnail_page.tif",
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
        yield (
            f"tiles, {compression}",
            tiff(DEEP, photometric="rgb", tile=(64, 48), compression=compression),
            CELL,
            0,
        )
    yield "planes in tiles", tiff(planes, photometric="rgb", planarconfig="separate", tile=(64, 64)), CELL, 0
    yield "big-endian", tiff(DEEP, photometric="rgb", byteorder=">"), CELL, 0
    yield "BigTIFF, big-endian", tiff(DEEP, photometric="rgb", byteorder=">", bigtiff=True), CELL, 0
    yield (
        "strips, differences",
        tiff(DEEP, photometric="rgb", compression="zlib", predictor=2, rowsperstrip=7),
        CELL,
        0,
    )
    for depth in (10, 12, 14):
        yield f"{depth} bits in 16", tiff(DEEP >> (16 - depth), photometric="rgb"), CELL, 1
        yield (
            f"{depth} bits in int16",
            tiff((DEEP >> (16 - depth)).astype(np.int16), photometric="rgb"),
            CELL,
            1,
        )
    for kind in (np.float16, np.float32, np.float64):
        yield f"{np.dtype(kind)} to 1", tiff((CELL / 255).astype(kind), photometric="rgb"), CELL, 0
    dark = CELL // 2
    for times in (1, 16, 64, 256, 257):
        yield f"a dark cell times {times}", tiff(dark.astype(np.uint16) * times, photometric="rgb"), dark, 1
    two = np.where(CELL > 50, 255, 0).astype(np.uint8)
    yield "two shades in 16 bits", tiff(two.astype(np.uint16), photometric="rgb"), two, 0
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
    yield (
        "white is zero, 12 bits",
        tiff(4095 - (GREY.astype(np.uint16) << 4), photometric="miniswhite"),
        GREY,
        1,
    )
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
    yield (
        "alpha, 16 bits",
        tiff(with_alpha.astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"]),
        cut,
        0,
    )
    yield (
        "premultiplied",
        tiff(np.dstack([cut, clear]), photometric="rgb", extrasamples=["assocalpha"]),
        cut,
        0,
    )
    yield (
        "a fourth that is no alpha",
        tiff(with_alpha, photometric="rgb", extrasamples=["unspecified"]),
        CELL,
        0,
    )
    none = np.dstack([CELL, np.zeros_like(GREY)])
    yield "an alpha of zeros", tiff(none, photometric="rgb", extrasamples=["unassalpha"]), CELL, 0
    yield (
        "an alpha of ones",
        tiff(none + np.array((0, 0, 0, 1), np.uint8), photometric="rgb", extrasamples=["unassalpha"]),
        CELL,
        0,
    )
    yield "three samples of grey", tiff(CELL, photometric="minisblack", planarconfig="contig"), CELL, 0
    for turn in range(1, 9):
        how = {"photometric": "rgb", "extratags": [(274, 3, 1, turn, True)]}
        yield f"orientation {turn}", tiff(_stored(CELL, turn), **how), CELL, 0
    yield (
        "planes of ImageJ",
        tiff(planes, imagej=True, metadata={"axes": "CYX", "mode": "composite"}),
        CELL,
        0,
    )
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
    yield (
        "LZW, float",
        saved(Image.fromarray(GREY / np.float32(255)), "TIFF", compression="tiff_lzw"),
        GREY,
        0,
    )
    bilevel = np.asarray(Image.fromarray(GREY).convert("1"))
    for compression in (None, "group3", "group4", "packbits"):
        yield (
            f"one bit, {compression}",
            saved(Image.fromarray(bilevel), "TIFF", compression=compression),
            bilevel * 255,
            0,
        )
    yield (
        "P",
        saved(Image.fromarray(CELL).quantize(64), "TIFF"),
        np.asarray(Image.fromarray(CELL).quantize(64).convert("RGB")),
        0,
    )
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
    key = _chunk(b"tRNS", DEEP[60, 50].astype(">u2").tobytes())
    keyed = np.where((CELL[60, 50] == CELL).all(axis=2, keepdims=True), 0, CELL).astype(np.uint8)
    yield "PNG, one colour clear, 16 bits", png(DEEP, 2, key), keyed, 0
    for kind, how in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        none = np.dstack([CELL, np.zeros_like(GREY)])
        yield f"{kind}, alpha of zeros", saved(none, kind, **how), CELL, 0
    yield "BMP, 16 bits a pixel", saved(CELL, "BMP"), CELL, 0
    for mode in ("P", "1", "L", "LA", "PA"):
        image = Image.fromarray(CELL).convert(mode)
        right = np.asarray(image.convert("RGB"))
        yield f"PNG, {mode}", saved(image if mode != "PA" else image.convert("RGBA"), "PNG"), right, 0
    yield (
        "GIF",
        saved(Image.fromarray(CELL).quantize(200), "GIF"),
        np.asarray(Image.fromarray(CELL).quantize(200).convert("RGB")),
        0,
    )
    for kind in ("JPEG", "AVIF", "WEBP"):
        yield kind, saved(CELL, kind, quality=95), CELL, 24
    yield "JPEG, CMYK", saved(Image.fromarray(CELL).convert("CMYK"), "JPEG", quality=98), CELL, 24
    yield (
        "MPO",
        saved(CELL, "MPO", save_all=True, append_images=[Image.fromarray(CELL[::-1])], quality=98),
        CELL,
        24,
    )
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


def test_a_profile_is_followed_in_every_format_that_carries_one() -> None:
    profile = exchanged_profile()
    turned = Image.fromarray(np.ascontiguousarray(CELL[..., [1, 0, 2]]))
    lossless = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    for kind in ("PNG", "TIFF", "WEBP", "JPEG", "AVIF"):
        content = saved(turned, kind, icc_profile=profile, **lossless.get(kind, {}))
        assert off(pixels(content), CELL) <= (8 if kind in ("JPEG", "AVIF") else 1), kind
    deep = np.asarray(turned).astype(np.uint16) << 4
    assert off(pixels(tiff(deep, photometric="rgb", iccprofile=profile)), CELL) <= 2
    box = struct.pack(">I4sBBB", 15 - 4 + len(profile), b"colr", 2, 0, 0) + profile
    jp2 = saved(turned, "JPEG2000")
    at = jp2.index(b"colr") - 4
    grown = bytearray(jp2[:at] + box + jp2[at + 15 :])
    head = grown.index(b"jp2h") - 4
    grown[head : head + 4] = struct.pack(">I", struct.unpack_from(">I", grown, head)[0] + len(box) - 15)
    assert off(pixels(bytes(grown)), CELL) <= 1
    bmp = saved(turned, "BMP")
    body = bmp[54:]
    five = struct.pack("<IiiHHIIiiII", 124, CELL.shape[1], CELL.shape[0], 1, 24, 0, len(body), 0, 0, 0, 0)
    five += (
        struct.pack("<4I4s", 0, 0, 0, 0, b"DEBM")
        + bytes(48)
        + struct.pack("<4I", 4, 124 + len(body), len(profile), 0)
    )
    five = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 138) + five + body + profile
    assert off(pixels(five), CELL) <= 1


def test_a_profile_that_cannot_be_meant_is_passed_over() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"rubbish", srgb[:200], srgb[:16] + b"CMYK" + srgb[20:]):
        assert off(pixels(saved(CELL, "PNG", icc_profile=profile)), CELL) == 0
    assert off(pixels(saved(CELL[..., 1], "PNG", icc_profile=srgb)), CELL[..., 1]) == 0


def test_orientation_is_followed_in_every_format_that_carries_one() -> None:
    for turn in range(1, 9):
        for kind in ("PNG", "TIFF", "WEBP", "JPEG", "AVIF"):
            how = {"lossless": True} if kind == "WEBP" else {} if kind in ("PNG", "TIFF") else {"quality": 95}
            content = saved(_stored(CELL, turn), kind, exif=noted(turn), **how)
            assert off(pixels(content), CELL) <= (0 if "quality" not in how else 30), (kind, turn)
        deep = png(_stored(DEEP, turn), 2, _chunk(b"eXIf", noted(turn).tobytes()[6:]))
        assert off(pixels(deep), CELL) == 0


class Pipe(io.BytesIO):
    """A file that cannot be wound back, as one that comes over a network."""

    def seekable(self) -> bool:
        return False

    def seek(self, *where: int) -> int:
        raise io.UnsupportedOperation


def test_bytes_files_arrays_and_images_are_the_same_cell(tmp_path: Path) -> None:
    content = saved(CELL, "PNG")
    path = tmp_path / "cell.jfif"
    path.write_bytes(content)
    used = io.BytesIO(content)
    used.read()
    with path.open("rb") as file, path.open(encoding="latin-1") as text:
        sources = [
            path,
            str(path),
            content,
            bytearray(content),
            memoryview(content),
            used,
            Pipe(content),
            file,
        ]
        assert all(
            off(pixels(source), CELL) == 0
            for source in [*sources, CELL, Image.open(path), Image.fromarray(CELL)]
        )
        assert read_cell(file).name == str(path)
        assert "rb" in refused(text)
    assert not np.shares_memory(pixels(CELL), CELL)
    assert off(pixels(DEEP >> 4), CELL) <= 1
    assert off(pixels(np.dstack([CELL, np.zeros_like(GREY)])), CELL) == 0
    assert "empty" in refused(io.BytesIO())


def test_what_the_host_program_has_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {
        kind: saved(CELL, kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "AVIF")
    }
    whole["LZW"] = saved(CELL, "TIFF", compression="tiff_lzw")
    whole["JPEG in TIFF"] = saved(CELL, "TIFF", compression="jpeg")
    whole["16 bits"] = png(DEEP, 2)
    before = {kind: pixels(content) for kind, content in whole.items()}
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(Image, "OPEN", {})
    was = np.seterr(all="raise")
    try:
        for kind, content in whole.items():
            assert off(pixels(content), before[kind]) == 0, kind
            for part in (0.5, 0.9):
                assert "truncated" in refused(content[: int(len(content) * part)]), kind
        assert "truncated" in refused(PngImageFile(io.BytesIO(whole["PNG"][:-2000])))
        assert off(pixels(tiff(np.float32(CELL) / 255, photometric="rgb")), CELL) == 0
        assert np.geterr() == dict.fromkeys(np.geterr(), "raise")
    finally:
        np.seterr(**was)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True and Image.MAX_IMAGE_PIXELS == 100


def test_many_threads_leave_the_warnings_of_the_program_as_they_were() -> None:
    content, filters = saved(CELL, "JPEG"), list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pixels, [content] * 200))
    assert list(warnings.filters) == filters


def test_what_cannot_be_read_is_said_in_the_words_of_its_format() -> None:
    stack = np.stack([CELL, CELL[::-1]])
    compressed = bytearray(tiff(CELL, photometric="rgb"))
    at = re.search(rb"\x03\x01\x03\x00\x01\x00\x00\x00", bytes(compressed)).end()
    compressed[at : at + 2] = struct.pack("<H", 34712)
    twelve = bytearray(saved(CELL, "JPEG"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    for content, words in (
        (tiff(stack, photometric="rgb"), "several pages"),
        (tiff(stack[..., 0], photometric="minisblack"), "several pages"),
        (tiff(np.moveaxis(CELL, 2, 0), photometric="minisblack"), "several pages"),
        (bytes(compressed), "TIFF, Compression 34712"),
        (
            tiff(CELL.astype(np.complex64)[..., 0], photometric="minisblack"),
            "TIFF, BitsPerSample 64, SampleFormat 6",
        ),
        (
            tiff(np.dstack([CELL, CELL])[..., :5], photometric="minisblack", planarconfig="contig"),
            "SamplesPerPixel 5",
        ),
        (tiff(GREY, photometric="cfa"), "PhotometricInterpretation 32803"),
        (tiff(CELL * np.float32(1e6), photometric="rgb"), "values lie between 1.9e+07 and "),
        (tiff(CELL.astype(np.int32) - 60, photometric="rgb"), "values lie between -41 and"),
        (tiff(np.where(CELL > 80, np.inf, CELL).astype(np.float32), photometric="rgb"), "and inf, which"),
        (bytes(twelve), "JPEG, SOF0, 12 bits"),
    ):
        assert words in refused(content)


def test_a_second_page_is_looked_for_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = 20_000
    first = tiff(CELL, photometric="rgb", metadata=None)
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 256, 4, 1, 1)
    start = len(first) + len(first) % 2
    chain = b"".join(directory + struct.pack("<I", start + 18 * (number + 1)) for number in range(pages))
    content = bytearray(first.ljust(start, b"\0") + chain + directory + bytes(4))
    head = struct.unpack_from("<I", content, 4)[0]
    after = head + 2 + 12 * struct.unpack_from("<H", content, head)[0]
    content[after : after + 4] = struct.pack("<I", start)
    looked_at = []
    own = tifffile.TiffPage.__init__
    monkeypatch.setattr(
        tifffile.TiffPage,
        "__init__",
        lambda self, *args, **how: looked_at.append(1) or own(self, *args, **how),
    )
    assert "several pages" in refused(bytes(content))
    assert 1 < len(looked_at) < 6


def test_a_strip_gives_no_more_than_its_tags_say() -> None:
    content = tiff(CELL, photometric="rgb", compression="zlib", metadata=None)
    press = zlib.compressobj(1)
    bomb = b"".join(press.compress(bytes(10**6)) for _ in range(100)) + press.flush()
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        tags = file.pages.first.tags
        offset, count = tags[273].valueoffset, tags[279].valueoffset
    content = bytearray(content + bomb)
    content[offset : offset + 4] = struct.pack("<I", len(content) - len(bomb))
    content[count : count + 4] = struct.pack("<I", len(bomb))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "all one colour" in refused(bytes(content))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_heic_of_a_phone_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    for turn in (1, 6):
        file = io.BytesIO()
        stored = Image.fromarray(_stored(CELL, turn))
        pillow_heif.from_pillow(stored).save(file, quality=-1, chroma=444, exif=noted(turn).tobytes())
        assert off(pixels(file.getvalue()), CELL) <= 4, turn
        assert "truncated" in refused(file.getvalue()[: len(file.getvalue()) // 2])
    file = io.BytesIO()
    turned = Image.fromarray(np.ascontiguousarray(CELL[..., [1, 0, 2]]))
    pillow_heif.from_pillow(turned).save(file, quality=-1, chroma=444, icc_profile=exchanged_profile())
    assert off(pixels(file.getvalue()), CELL) <= 6


def dicom(samples: np.ndarray, meaning: str, kind: str, frame: bytes = b"", **more: object) -> bytes:
    pydicom = pytest.importorskip("pydicom")
    from pydicom import uid

    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = kind, uid.generate_uid(), "GM"
    data.Rows, data.Columns = samples.shape[:2]
    data.SamplesPerPixel = samples.shape[2] if samples.ndim == 3 else 1
    data.PhotometricInterpretation, data.PixelRepresentation = meaning, 0
    data.BitsAllocated = data.BitsStored = samples.dtype.itemsize * 8
    if data.SamplesPerPixel > 1:
        data.PlanarConfiguration = 0
    for name, value in more.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit if frame else uid.ExplicitVRLittleEndian
    data.PixelData = pydicom.encaps.encapsulate([frame]) if frame else samples.tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def test_a_dicom_frame_of_visible_light_is_read() -> None:
    microscope, scanner = "1.2.840.10008.5.1.4.1.1.77.1.2", "1.2.840.10008.5.1.4.1.1.2"
    assert off(pixels(dicom(CELL, "RGB", microscope)), CELL) == 0
    full = np.asarray(Image.fromarray(CELL).convert("YCbCr"))
    assert off(pixels(dicom(full, "YBR_FULL", microscope)), CELL) <= 4
    jpeg = saved(CELL, "JPEG", quality=100, subsampling=0)
    assert off(pixels(dicom(CELL, "YBR_FULL_422", microscope, jpeg)), CELL) <= 8
    twelve = GREY.astype(np.uint16) << 4
    assert off(pixels(dicom(twelve, "MONOCHROME2", microscope, BitsStored=12)), GREY) <= 1
    assert off(pixels(dicom(4095 - twelve, "MONOCHROME1", microscope, BitsStored=12)), GREY) <= 1
    assert "not taken with visible light (GM)" in refused(dicom(GREY, "MONOCHROME2", scanner))
    assert "several pages" in refused(dicom(CELL, "RGB", microscope, NumberOfFrames=2))
    assert "truncated" in refused(dicom(CELL, "RGB", microscope)[:-5000])


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "HEIC without pillow-heif" in refused(b"\0\0\0\x18ftypheic" + bytes(99))
    assert "pip install leukovision[dicom]" in refused(bytes(128) + b"DICM" + bytes(99))


def test_a_png_of_16_bits_may_be_interlaced() -> None:
    rows = b""
    for top, left, down, right in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ):  # fmt: skip
        rows += b"".join(b"\0" + row.tobytes() for row in DEEP.astype(">u2")[top::down, left::right])
    head = struct.pack(">IIBBBBB", DEEP.shape[1], DEEP.shape[0], 16, 2, 0, 0, 1)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    assert off(pixels(b"\x89PNG\r\n\x1a\n" + chunks), CELL) == 0


def test_every_ending_that_is_looked_for_is_one_that_is_read(tmp_path: Path) -> None:
    for ending in set(cell.SUFFIXES) - {".dcm", ".heic", ".heif", ".jpx", ".jpf", ".j2k", ".btf"}:
        path = tmp_path / f"cell{ending}"
        Image.fromarray(CELL).save(path, {".jfif": "JPEG", ".mpo": "JPEG", ".dib": "BMP"}.get(ending))
        assert read_cell(path).pixels.any(), ending
