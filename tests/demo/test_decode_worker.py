"""A picture that is large or takes long takes neither the page's memory nor the turn of others."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukovision import read_cell, synthetic
from leukovision.cell import CellError, read_picture
from leukovision.demo import decode_worker
from leukovision.i18n import LANGUAGES


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A cell on black, 2,100 px a side, and a file of 60 kB."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    canvas = Image.new("RGB", (2100, 2100))
    canvas.paste(Image.fromarray(synthetic.paint(synthetic.blast_like(3), seed=3)), (900, 700))
    canvas.save(path)
    return path


def test_a_large_picture_is_what_it_would_be_and_a_process_of_its_own_reads_it(large, bad_files):
    for source in (large, large.read_bytes()):
        found, wanted = decode_worker.cell(source, "a.png"), read_cell(large, "a.png")
        assert (found.pixels == wanted.pixels).all() and (found.outline == wanted.outline).all()
        assert (found.on_black, found.name) == (wanted.on_black, "a.png")
    with decode_worker.picture(large, "a.png") as rgb:
        assert (rgb == read_picture(large)[0]).all()
    assert decode_worker._child[0].poll() is None
    grey = io.BytesIO()
    Image.new("L", (2100, 2100), 9).save(grey, "PNG")
    for hasty in (True, False):
        with pytest.raises(CellError, match=r"^g\.png: the picture is all one colour"):
            decode_worker.cell(grey.getvalue(), "g.png", hasty)
    for path, why in bad_files.items():
        with pytest.raises(CellError, match=why):
            decode_worker.cell(path, path.name)
    with pytest.raises(FileNotFoundError):
        decode_worker.cell(large.with_name("none.png"), "none.png")


@pytest.mark.long
def test_what_takes_too_long_is_given_up_and_the_next_is_read(large, monkeypatch):
    decode_worker.cell(large, "warm.png")
    noise = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (5000, 5000, 3), np.uint8)
    Image.fromarray(pixels).save(noise, "PNG", compress_level=1)
    with monkeypatch.context() as hurry:
        hurry.setattr(decode_worker, "DEADLINE", 0.05)
        with pytest.raises(CellError, match=r"^slow\.png: the picture took more than 0 s to read") as slow:
            decode_worker.cell(noise.getvalue(), "slow.png")
    assert decode_worker.cell(large, "next.png").on_black
    assert (
        LANGUAGES["de"].said(str(slow.value)).startswith("slow.png: Das Bild zu lesen dauerte länger als 0 s")
    )


def test_large_pictures_are_read_one_at_a_time_and_small_ones_do_not_wait(large, monkeypatch):
    small = io.BytesIO()
    Image.fromarray(synthetic.paint(synthetic.blast_like(3), seed=3)).save(small, "PNG")
    said = []

    def hasty() -> None:
        try:
            said.append(decode_worker.cell(large, "mine.png", hasty=True).name)
        except CellError as error:
            said.append(str(error))

    with decode_worker.picture(large, "first.png"):
        threads = [threading.Thread(target=hasty) for _ in range(4)]
        for one in threads:
            one.start()
        until = time.monotonic() + 30
        while len(said) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert decode_worker.cell(small.getvalue(), "small.png").on_black
        assert said[0] == said[1] and "other large pictures are being read" in said[0]
        monkeypatch.setattr(decode_worker, "PATIENCE", 0.01)
        with pytest.raises(CellError, match="other large pictures"):
            decode_worker.cell(large, "another.png")
    for one in threads:
        one.join()
    assert said[2:] == ["mine.png"] * 2
    assert LANGUAGES["de"].said(said[0]).startswith("mine.png: Im Moment werden andere große Bilder gelesen")
