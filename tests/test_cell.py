"""Bytes -> Cell: what can be read is read alike, what cannot is refused by name."""

import io
from pathlib import Path

import numpy as np
import pytest
from bad_files import CELL, make_bad_files
from PIL import Image

from leukovision import CellError, read_cell


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_formats_without_loss_give_the_same_pixels(kind: str) -> None:
    how = {"lossless": True} if kind == "WEBP" else {}
    assert (read_cell(encoded(Image.fromarray(CELL), kind, **how)).pixels == CELL).all()


def test_jpeg_gives_nearly_the_same_pixels_and_the_same_outline() -> None:
    cell = read_cell(encoded(Image.fromarray(CELL), "JPEG", quality=95, subsampling=0))
    assert np.abs(cell.pixels.astype(int) - CELL).mean() < 1
    assert (cell.outline != read_cell(CELL).outline).mean() < 0.01


def test_path_bytes_array_and_pil_image_are_the_same_cell(tmp_path: Path) -> None:
    path = tmp_path / "cell.png"
    Image.fromarray(CELL).save(path)
    cells = [read_cell(source) for source in (path, str(path), path.read_bytes(), CELL, Image.open(path))]
    assert all((cell.pixels == CELL).all() for cell in cells)
    assert cells[0].name == str(path)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    cell = read_cell(encoded(Image.fromarray(CELL).convert(mode), kind))
    assert cell.pixels.shape == (450, 450, 3) and cell.pixels.dtype == np.uint8


def test_sixteen_bit_keeps_its_brightness() -> None:
    grey = np.asarray(Image.fromarray(CELL).convert("L"))
    for source in (
        grey.astype(np.uint16) * 257,
        encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"),
    ):
        assert np.abs(read_cell(source).pixels[..., 0].astype(int) - grey).max() <= 1


def test_float_array_from_zero_to_one_is_read() -> None:
    assert (read_cell(CELL / 255.0).pixels == CELL).all()


def test_what_is_transparent_becomes_black() -> None:
    alpha = np.full((450, 450, 1), 255, dtype=np.uint8)
    alpha[:100] = 0
    white = np.full((450, 450, 3), 255, dtype=np.uint8)
    cell = read_cell(encoded(Image.fromarray(np.concatenate([white, alpha], axis=2)), "PNG"))
    assert (cell.pixels[:100] == 0).all() and (cell.pixels[100:] == 255).all()


def test_exif_turns_the_picture_upright_and_is_gone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: a viewer turns it a quarter clockwise
    exif[0x010E] = "patient name"
    turned = read_cell(encoded(Image.fromarray(np.rot90(CELL).copy()), "PNG", exif=exif))
    assert (turned.pixels == CELL).all()
    assert "patient" not in repr(turned)


def test_a_cell_of_another_frame_is_moved_to_the_middle_at_its_own_scale() -> None:
    rows, columns = np.nonzero(read_cell(CELL).outline)
    crop = CELL[rows.min() - 9 : rows.max() + 10, columns.min() - 9 : columns.max() + 10]
    cell = read_cell(crop)
    assert cell.on_black and cell.outline.sum() == read_cell(CELL).outline.sum()
    moved_rows, moved_columns = np.nonzero(cell.outline)
    assert abs(moved_rows.min() + moved_rows.max() - 449) <= 1
    assert abs(moved_columns.min() + moved_columns.max() - 449) <= 1


def test_outline_is_the_cell_and_not_a_speck_beside_it() -> None:
    speckled = CELL.copy()
    speckled[5:8, 5:8] = 200
    assert (read_cell(speckled).outline == read_cell(CELL).outline).all()


def test_a_photograph_is_read_but_is_not_on_black() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 200, 3), dtype=np.uint8)
    cell = read_cell(noise)
    assert not cell.on_black and cell.outline.all() and cell.pixels.shape == (450, 450, 3)


def test_every_bad_file_is_refused_in_a_sentence_that_names_it(bad_files: dict[Path, str]) -> None:
    for path, reason in bad_files.items():
        with pytest.raises(CellError) as refusal:
            read_cell(path)
        assert path.name in str(refusal.value) and reason in str(refusal.value)
        assert str(refusal.value).endswith(".")


def test_bad_bytes_are_named_as_the_caller_says(tmp_path: Path) -> None:
    bad = next(iter(make_bad_files(tmp_path)))
    with pytest.raises(CellError, match=r"^slide 7: "):
        read_cell(bad.read_bytes(), name="slide 7")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((450, 450, 2), np.uint8),
        np.zeros((9, 450, 3), np.uint8),
        np.full((99, 99), np.nan),
        np.eye(99) * 2,
        np.eye(99, dtype=np.int64),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array: np.ndarray) -> None:
    with pytest.raises(CellError):
        read_cell(array)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_cell(tmp_path / "nothing.png")


def test_a_large_picture_gives_the_same_cell() -> None:
    cell = Image.fromarray(CELL)
    small, large = (read_cell(cell.resize((side, side), Image.Resampling.BICUBIC)) for side in (1800, 5400))
    assert large.on_black
    assert np.abs(small.pixels.astype(float) - large.pixels).mean() < 1
    assert (small.outline == large.outline).mean() > 0.995


def test_a_small_cell_in_a_large_black_picture_keeps_its_scale() -> None:
    cell = Image.fromarray(CELL)
    found = []
    for size in ((1000, 900), (6000, 5000)):
        black = Image.new("RGB", size)
        black.paste(cell, (300, 200))
        found.append(read_cell(black))
    assert (found[0].pixels == found[1].pixels).all()
