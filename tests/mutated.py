"""Image files with faults in them, as damage, carelessness or malice make them."""

from __future__ import annotations

import io
import zlib

from hypothesis import strategies as st
from PIL import Image

from leukovision import synthetic

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "ICO")
"""Also such as are not accepted: a file can say that it is anything."""


def _bytes(kind: str, side: int) -> bytes:
    content = io.BytesIO()
    image = Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=3, size=side))
    image.save(content, kind)
    return content.getvalue()


BASES = [_bytes(kind, side) for kind in FORMATS for side in (64, 200)]


def _bomb(width: int, height: int) -> bytes:
    """A PNG that says it is so large, of zeros, a few kilobytes long."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(min(width * 3 + 1, 10**6) * min(height, 64)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_size = st.sampled_from((0, 1, 31, 450, 7_000, 60_000, 2**31 - 1, 2**32 - 1))
_place = st.floats(0, 1, exclude_max=True)
_change = st.one_of(
    st.tuples(st.just("set"), _place, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), _place, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("delete"), _place, st.integers(1, 400)),
    st.tuples(st.just("double"), _place, st.integers(1, 400)),
    st.tuples(st.just("head"), st.integers(0, 63), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("cut"), _place, st.none()),
)


def _apply(base: bytes, changes: list[tuple]) -> bytes:
    content = bytearray(base)
    for kind, where, what in changes:
        at = where if kind == "head" else int(where * len(content))
        if kind in ("set", "head"):
            content[at : at + len(what)] = what
        elif kind == "insert":
            content[at:at] = what
        elif kind == "delete":
            del content[at : at + what]
        elif kind == "double":
            content[at:at] = content[at : at + what]
        else:
            del content[at:]
    return bytes(content)


_damaged = st.builds(_apply, st.sampled_from(BASES), st.lists(_change, min_size=1, max_size=6))

files = st.one_of(
    _damaged,
    _damaged,
    _damaged,
    st.builds(_bomb, _size, _size),
    # Polyglots: one format's head before another's body, or one after the other.
    st.builds(lambda a, b, n: a[:n] + b, st.sampled_from(BASES), st.sampled_from(BASES), st.integers(0, 600)),
    st.builds(lambda a, b: a + b"<script>alert(1)</script>" + b, _damaged, _damaged),
    st.binary(max_size=400),
)
"""Bytes of a file, mostly damaged ones of real formats."""
