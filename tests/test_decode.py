"""Files of every way to store a picture: what is read is what the file means, or a sentence says why not."""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngImageFile
from stored import (
    CELL,
    CLEAR,
    CUT,
    DEEP,
    FLAT,
    GREY,
    Stored,
    chunk,
    exchanged_profile,
    noted,
    off,
    pixels,
    png,
    refused,
    saved,
    stored,
    tiff,
    wrong,
)

from leukovision import cell, read_cell

CASES = Path(__file__).parents[2] / "shared" / "cases"


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


def others() -> Iterator[Stored]:
    for colour, samples in ((2, DEEP), (4, np.dstack([FLAT, FLAT * 0 + 65535]))):
        right = CELL if colour == 2 else GREY
        for bits in (16, 14, 12, 10):
            yield f"PNG, colour {colour}, {bits} bits", png(samples >> (16 - bits), colour), right, 1
    yield "PNG, grey, 12 bits", png(FLAT >> 4, 0), GREY, 1
    clear = CLEAR.astype(np.uint16) * 257
    yield "PNG, alpha, 16 bits", png(np.dstack([DEEP, clear]), 6), CUT, 0
    yield "PNG, alpha, 12 bits", png(np.dstack([DEEP, clear]) >> 4, 6), CUT, 1
    yield "PNG, alpha of zeros, 16 bits", png(np.dstack([DEEP, clear * 0]), 6), CELL, 0
    yield "PNG, grey and alpha, 16 bits", png(np.dstack([FLAT, clear]), 4), CUT.max(axis=2), 0
    key = chunk(b"tRNS", DEEP[60, 50].astype(">u2").tobytes())
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
    yield "JPEG 2000, 16 bits", saved(Image.fromarray(FLAT), "JPEG2000"), GREY, 0


def test_every_other_format_gives_what_is_in_it() -> None:
    assert not wrong(others())


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
            content = saved(stored(CELL, turn), kind, exif=noted(turn), **how)
            assert off(pixels(content), CELL) <= (0 if "quality" not in how else 30), (kind, turn)
        deep = png(stored(DEEP, turn), 2, chunk(b"eXIf", noted(turn).tobytes()[6:]))
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


def test_a_jpeg_that_has_no_decoder_is_named() -> None:
    twelve = bytearray(saved(CELL, "JPEG"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    assert "JPEG, SOF0, 12 bits" in refused(bytes(twelve))


def test_heic_of_a_phone_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    for turn in (1, 6):
        file = io.BytesIO()
        lying = Image.fromarray(stored(CELL, turn))
        pillow_heif.from_pillow(lying).save(file, quality=-1, chroma=444, exif=noted(turn).tobytes())
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
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert off(pixels(b"\x89PNG\r\n\x1a\n" + chunks), CELL) == 0


def test_every_ending_that_is_looked_for_is_one_that_is_read(tmp_path: Path) -> None:
    for ending in set(cell.SUFFIXES) - {".dcm", ".heic", ".heif", ".jpx", ".jpf", ".j2k", ".btf"}:
        path = tmp_path / f"cell{ending}"
        Image.fromarray(CELL).save(path, {".jfif": "JPEG", ".mpo": "JPEG", ".dib": "BMP"}.get(ending))
        assert read_cell(path).pixels.any(), ending
