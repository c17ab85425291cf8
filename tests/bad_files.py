"""A folder comes in; one file of each kind that must be refused goes into it, with the words that say why."""

from pathlib import Path

import numpy as np
from PIL import Image

from leukovision import synthetic

CELL = synthetic.paint(synthetic.blast_like(1), seed=1)


def _save(path: Path, image: Image.Image, **how: object) -> Path:
    image.save(path, **how)
    return path


def _cut(path: Path, part: float = 0.6) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    return path


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def make_bad_files(folder: Path) -> dict[Path, str]:
    """Path of each file -> a part of the sentence that it must be refused with."""
    cell = Image.fromarray(CELL)
    stack = [Image.fromarray(np.roll(CELL, shift, axis=0)) for shift in (0, 9)]
    animated = {"save_all": True, "append_images": stack[1:]}
    # One bit a pixel: 60 megapixels in a few kilobytes, as a decompression bomb would be.
    huge = Image.new("1", (10_000, 6_000))
    huge.putpixel((5, 5), 1)
    return {
        _written(folder / "letter <b>.png", b"not a picture at all"): "not an image",
        _written(folder / "vector.svg.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"): "not an image",
        _cut(_save(folder / "cut.png", cell)): "truncated",
        _cut(_save(folder / "cut.jpg", cell)): "truncated",
        _cut(_save(folder / "cut.bmp", cell)): "truncated",
        _cut(_save(folder / "cut.tif", cell)): "truncated",
        _cut(_save(folder / "cut.webp", cell)): "truncated",
        _written(folder / "empty.jpg", b""): "empty",
        _save(folder / "small.png", cell.resize((31, 200))): "too small",
        _save(folder / "huge.png", huge): "50 megapixels",
        _save(folder / "black.png", Image.new("RGB", (450, 450))): "all one colour",
        _save(folder / "grey.jpg", Image.new("L", (450, 450), 90)): "all one colour",
        _save(folder / "animated.gif", stack[0], **animated): "animated",
        _save(folder / "animated.png", stack[0], **animated): "animated",
        _save(folder / "animated.webp", stack[0], **animated): "animated",
        _save(folder / "pages.tif", stack[0], **animated): "several pages",
    }
