"""Files that somebody made to do harm; `benchmarks/abuse.py` runs the same ten thousand times."""

from __future__ import annotations

import io
import re
import struct

import mutated
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from leukovision.cell import Cell, CellError, read_cell


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(mutated.files)
@pytest.mark.long
def test_every_mutated_file_gives_a_cell_or_a_sentence(content: bytes) -> None:
    try:
        cell = read_cell(content, "a file")
    except CellError as error:
        assert str(error).startswith("a file: ") and str(error).endswith(".")
    else:
        assert isinstance(cell, Cell) and cell.pixels.shape == (450, 450, 3)


def bomb(kind: str) -> bytes:
    """A small file that says it is one of thousands of megapixels."""
    if kind == "PNG":
        return mutated._bomb(60_000, 60_000)
    content = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 9, 99)).save(
        content, kind, **({"lossless": True} if kind == "WEBP" else {})
    )
    file = bytearray(content.getvalue())
    if kind == "GIF":
        file[6:10] = struct.pack("<HH", 65_535, 65_535)
    elif kind == "BMP":
        file[18:26] = struct.pack("<ii", 60_000, 60_000)
    elif kind == "TIFF":
        for tag in (256, 257):
            pattern = re.escape(struct.pack("<H", tag)) + rb"[\x03\x04]\x00\x01\x00\x00\x00"
            at = re.search(pattern, bytes(file), re.S).start()
            file[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 60_000)
    else:
        at = file.index(b"VP8L") + 9
        file[at : at + 3] = b"\xff" * 3  # 14 bits each of width and height
    return bytes(file)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_bombs_are_refused_by_their_header(kind: str) -> None:
    with pytest.raises(CellError, match=r"more than 50 megapixels|broken"):
        read_cell(bomb(kind), "a bomb")


def test_a_page_that_begins_as_a_picture_is_read_as_the_picture_only(tmp_path) -> None:
    content = mutated.BASES[1] + b"<script>alert(1)</script>"
    (tmp_path / "cell.svg").write_bytes(content)
    assert (read_cell(tmp_path / "cell.svg").pixels == read_cell(mutated.BASES[1]).pixels).all()
    with pytest.raises(CellError, match="not an image"):
        read_cell(b"<svg xmlns='http://www.w3.org/2000/svg'/>" + mutated.BASES[1], "cell.png")
