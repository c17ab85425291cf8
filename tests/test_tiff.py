"""TIFF files of every kind: what is read is what the tags promise, or a sentence says what they are."""

from __future__ import annotations

import io
import re
import resource
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from stored import CELL, CLEAR, CUT, DEEP, FLAT, GREY, Stored, refused, saved, stored, tiff, wrong

PLANES = np.moveaxis(DEEP, 2, 0)
RGB = {"photometric": "rgb"}
ALPHA = {"photometric": "rgb", "extrasamples": ["unassalpha"]}


def layouts() -> Iterator[Stored]:
    yield "16 bits", tiff(DEEP, **RGB), CELL, 0
    for compression in (None, "zlib"):
        how = {**RGB, "planarconfig": "separate", "compression": compression}
        yield f"planes of 16 bits, {compression}", tiff(PLANES, **how), CELL, 0
        yield f"planes of 8 bits, {compression}", tiff(np.moveaxis(CELL, 2, 0), **how), CELL, 0
        yield f"planes in tiles, {compression}", tiff(PLANES, tile=(64, 64), **how), CELL, 0
        yield f"tiles, {compression}", tiff(DEEP, **RGB, tile=(64, 48), compression=compression), CELL, 0
    yield "big-endian", tiff(DEEP, **RGB, byteorder=">"), CELL, 0
    yield "BigTIFF, big-endian", tiff(DEEP, **RGB, byteorder=">", bigtiff=True), CELL, 0
    strips = {"compression": "zlib", "predictor": 2, "rowsperstrip": 7}
    yield "strips, differences", tiff(DEEP, **RGB, **strips), CELL, 0
    for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate", "lzma", "zstd"):
        yield name, saved(CELL, "TIFF", compression=name), CELL, 0
    yield "LZW, 12 bits in 16", saved(FLAT >> 4, "TIFF", compression="tiff_lzw"), GREY, 1
    floats = Image.fromarray(GREY / np.float32(255))
    yield "LZW, float", saved(floats, "TIFF", compression="tiff_lzw"), GREY, 0
    bilevel = Image.fromarray(GREY).convert("1")
    for name in (None, "group3", "group4", "packbits"):
        right = np.asarray(bilevel.convert("L"))
        yield f"one bit, {name}", saved(bilevel, "TIFF", compression=name), right, 0
    for turn in range(1, 9):
        tags = [(274, 3, 1, turn, True)]
        yield f"orientation {turn}", tiff(stored(CELL, turn), **RGB, extratags=tags), CELL, 0


def by_hand(samples: np.ndarray, data: bytes, bits: int, **tags: int) -> bytes:
    """A TIFF with one strip, as neither library writes it."""
    count = samples.shape[2] if samples.ndim == 3 else 1
    fields = {256: samples.shape[1], 257: samples.shape[0], 258: bits, 259: 1, 262: 2 if count == 3 else 1}
    fields |= {273: 0, 277: count, 278: samples.shape[0]}
    fields |= {int(tag[1:]): value for tag, value in tags.items()}
    where = 8 + 2 + 12 * len(fields) + 4
    each = where
    if count == 3:  # a value for each sample stands elsewhere
        each += 6
    entries = b""
    for tag, value in sorted(fields.items()):
        if tag == 258 and count == 3:
            entries += struct.pack("<HHII", tag, 3, 3, where)
        else:
            entries += struct.pack("<HHII", tag, 4, 1, each if tag == 273 else value)
    more = struct.pack("<HHH", bits, bits, bits) if count == 3 else b""
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + more + data


def packed(samples: np.ndarray, bits: int) -> bytes:
    """Each row of so many bits a sample, filled up to whole bytes."""
    rows = samples.reshape(len(samples), -1)
    spread = (rows[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(spread.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def handmade() -> Iterator[Stored]:
    yield "no byte counts", by_hand(CELL, CELL.tobytes(), 8), CELL, 0
    for bits in (2, 4, 6):
        few = np.indices(GREY.shape).sum(axis=0) % 2**bits
        right = (few * 255.0 / (2**bits - 1)).round()
        yield f"{bits} bits", by_hand(GREY, packed(few, bits), bits), right, 0
    for bits in (10, 12, 14):
        yield f"{bits} bits", by_hand(DEEP, packed(DEEP >> (16 - bits), bits), bits), CELL, 1
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    yield "bits from the right", by_hand(CELL, CELL.tobytes().translate(turned), 8, t266=2), CELL, 0
    floats = (CELL / 255).astype(">f4")
    apart = floats.view(np.uint8).reshape(len(CELL), -1, 4).transpose(0, 2, 1).reshape(len(CELL), -1, 3)
    differences = np.diff(apart, axis=1, prepend=np.zeros_like(apart[:, :1]))
    data = zlib.compress(differences.tobytes())
    yield "floats as differences", by_hand(CELL, data, 32, t259=8, t317=3, t339=3), CELL, 0


def depths() -> Iterator[Stored]:
    for bits in (10, 12, 14):
        few = DEEP >> (16 - bits)
        yield f"{bits} bits in 16", tiff(few, **RGB), CELL, 1
        yield f"{bits} bits in int16", tiff(few.astype(np.int16), **RGB), CELL, 1
    for kind in (np.float16, np.float32, np.float64):
        yield f"{np.dtype(kind)} to 1", tiff((CELL / 255).astype(kind), **RGB), CELL, 0
    dark = CELL // 2
    for times in (1, 16, 64, 256, 257):
        yield f"a dark cell times {times}", tiff(dark.astype(np.uint16) * times, **RGB), dark, 1
    two = np.where(CELL > 50, 255, 0).astype(np.uint8)
    yield "two shades in 16 bits", tiff(two.astype(np.uint16), **RGB), two, 0
    yield "floats to 255", tiff(CELL.astype(np.float32), **RGB, byteorder=">"), CELL, 0
    yield "floats to 65535", tiff(DEEP.astype(np.float32), **RGB), CELL, 0
    edged, there = (CELL / 255).astype(np.float32), CELL.copy()
    edged[:9, :9], there[:9, :9] = np.nan, 0
    edged[60:63, 50:53], there[60:63, 50:53] = (1.02, -0.01, 0.5), (255, 0, 128)
    yield "floats, sharpened, with holes", tiff(edged, **RGB), there, 0
    yield "int32 of 8 bits", tiff(CELL.astype(np.int32), **RGB), CELL, 0
    yield "uint32 of 32 bits", tiff(CELL.astype(np.uint32) * 0x01010101, **RGB), CELL, 0


def meanings() -> Iterator[Stored]:
    yield "white is zero, 8 bits", tiff(255 - GREY, photometric="miniswhite"), GREY, 0
    yield "white is zero, 12 bits", tiff(4095 - (FLAT >> 4), photometric="miniswhite"), GREY, 1
    for scale in (257, 1):
        table = np.arange(256, dtype=np.uint16) * scale
        palette = np.stack([table, table[::-1], table // 2])
        right = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
        yield f"a palette times {scale}", tiff(GREY, photometric="palette", colormap=palette), right, 1
    few = Image.fromarray(CELL).quantize(64)
    yield "few colours", saved(few, "TIFF"), np.asarray(few.convert("RGB")), 0
    with_alpha, none = np.dstack([CELL, CLEAR]), np.dstack([CELL, CLEAR * 0])
    yield "alpha", tiff(with_alpha, **ALPHA), CUT, 0
    yield "alpha, 16 bits", tiff(with_alpha.astype(np.uint16) * 257, **ALPHA), CUT, 0
    yield "premultiplied", tiff(np.dstack([CUT, CLEAR]), **RGB, extrasamples=["assocalpha"]), CUT, 0
    yield "a fourth that is no alpha", tiff(with_alpha, **RGB, extrasamples=["unspecified"]), CELL, 0
    yield "an alpha of zeros", tiff(none, **ALPHA), CELL, 0
    yield "an alpha of ones", tiff(none + np.array((0, 0, 0, 1), np.uint8), **ALPHA), CELL, 0
    yield "three samples of grey", tiff(CELL, photometric="minisblack", planarconfig="contig"), CELL, 0
    cmyk = Image.fromarray(CELL).convert("CMYK")
    yield "CMYK", saved(cmyk, "TIFF"), CELL, 1
    yield "CMYK, 16 bits", tiff(np.asarray(cmyk).astype(np.uint16) * 257, photometric="separated"), CELL, 1
    yield "YCbCr", tiff(np.asarray(Image.fromarray(CELL).convert("YCbCr")), photometric="ycbcr"), CELL, 3
    yield "YCbCr in JPEG", saved(CELL, "TIFF", compression="jpeg", quality=100), CELL, 12
    srgb, to = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(CELL), srgb, to, outputMode="LAB")
    yield "L*a*b*", saved(lab, "TIFF"), CELL, 6
    signed = np.asarray(lab)
    yield "ICC L*a*b*", tiff(signed ^ np.array((0, 128, 128), np.uint8), photometric="icclab"), CELL, 6
    yield "L*a*b*, 16 bits", tiff(signed.astype(np.uint16) << 8, photometric="cielab"), CELL, 6


def pages() -> Iterator[Stored]:
    imagej = {"axes": "CYX", "mode": "composite"}
    yield "planes of ImageJ", tiff(PLANES, imagej=True, metadata=imagej), CELL, 0
    yield "planes of OME", tiff(PLANES, ome=True, photometric="minisblack", metadata={"axes": "CYX"}), CELL, 0
    yield "RGB of OME", tiff(CELL, ome=True, **RGB), CELL, 0
    for several in ([CELL, CELL[::3, ::3], CELL[::9, ::9]], [CELL[::3, ::3], CELL]):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            for page in several:
                writer.write(page, **RGB, subfiletype=int(page.shape != CELL.shape))
        yield f"reduced copies, {len(several)}", file.getvalue(), CELL, 0
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(CELL, **RGB, subifds=1)
        writer.write(CELL[::2, ::2], **RGB, subfiletype=1)
    yield "a pyramid", file.getvalue(), CELL, 0


@pytest.mark.parametrize("files", [layouts, handmade, depths, meanings, pages])
def test_every_tiff_gives_what_its_tags_promise(files) -> None:
    assert not wrong(files())


def test_what_cannot_be_read_is_said_in_the_words_of_the_format() -> None:
    stack = np.stack([CELL, CELL[::-1]])
    compressed = bytearray(tiff(CELL, photometric="rgb"))
    at = re.search(rb"\x03\x01\x03\x00\x01\x00\x00\x00", bytes(compressed)).end()
    compressed[at : at + 2] = struct.pack("<H", 34712)
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
        (tiff(CELL.astype(np.int32) - 60, photometric="rgb"), "values lie between −41 and"),
        (tiff(np.where(CELL > 80, np.inf, CELL).astype(np.float32), photometric="rgb"), "and inf, which"),
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
