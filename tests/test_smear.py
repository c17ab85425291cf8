"""Photo -> white cells: found, cut out as they are, marked where something is wrong, none where none is."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage
from skimage import draw
from typer.testing import CliRunner

from leukovision import CellError, cli, read_cell, smear, synthetic
from leukovision.cell import FRAME, is_on_black
from leukovision.smear import Found, cut, find_cells

SHARED = Path(__file__).parents[2] / "shared"
SMEARS = SHARED / "data" / "smears"
MASKS = SHARED / "data" / "wbc_masks"
SLIDE = np.array([214, 216, 213])
RED = np.array([0.13, 0.42, 0.44])  # density of a red cell
LIGHT = np.array([1.9, 2.6, 2.0])  # the drawn cells are dark, as those of C-NMC are; slides are bright
SIDE = 90  # of a red cell, px


def drawn(cells: list[tuple[int, int]], seed: int = 1, red: int = 60) -> tuple[np.ndarray, list[np.ndarray]]:
    """A drawn field of 700 x 900 px with white cells in these places, and what belongs to each."""
    rng = np.random.default_rng(seed)
    density = np.zeros((700, 900, 3))
    y, x = np.mgrid[:700, :900]
    for _ in range(red):
        r = np.hypot(y - rng.integers(0, 700), x - rng.integers(0, 900)) / (SIDE / 2)
        density += (np.clip((1 - r) * 12, 0, 1) * (0.65 + 0.35 * np.clip(r * 2 - 0.4, 0, 1)))[..., None] * RED
    photo = SLIDE * np.exp(-np.minimum(density, 1.6 * RED))
    masks = []
    for number, (left, top) in enumerate(cells):
        cell = synthetic.paint(synthetic.blast_like(number), seed=number).astype(float) * LIGHT
        mask = np.zeros((700 + 2 * FRAME, 900 + 2 * FRAME), dtype=bool)
        there = (slice(top + FRAME, top + 2 * FRAME), slice(left + FRAME, left + 2 * FRAME))
        mask[there] = cell.max(axis=-1) > 0
        framed = np.zeros((*mask.shape, 3))
        framed[there] = cell
        inner = (slice(FRAME, -FRAME), slice(FRAME, -FRAME))
        photo = np.where(mask[inner][..., None], framed[inner], photo)
        masks.append(mask[inner])
    photo = ndimage.gaussian_filter(photo, (0.7, 0.7, 0)) + rng.normal(0, 2, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), masks


def inside(one: Found, shape: tuple[int, ...]) -> np.ndarray:
    return draw.polygon2mask(shape[:2], one.contour[:, ::-1] - 0.5)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def field() -> tuple[np.ndarray, list[np.ndarray], list[Found]]:
    photo, masks = drawn([(20, 10), (400, 230)])
    return photo, masks, find_cells(photo, "field.png")


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    if not SMEARS.is_dir():
        pytest.skip(f"no real smears: {SMEARS} is not there")
    return sorted((SMEARS / "images").glob("*.jpg"))


def test_drawn_cells_among_red_cells_are_found_with_their_outlines(
    field: tuple[np.ndarray, list[np.ndarray], list[Found]],
) -> None:
    photo, masks, found = field
    assert len(found) == 2
    for one, mask in zip(found, masks, strict=True):
        assert overlap(inside(one, photo.shape), mask) > 0.85
        assert one.marks == () and one.cell.name.startswith("field.png")
        left, top, right, bottom = one.box
        x, y = one.contour.T
        assert left <= x.min() < left + 1 and right - 1 < x.max() <= right
        assert top <= y.min() < top + 1 and bottom - 1 < y.max() <= bottom


def test_a_cut_out_lies_on_black_in_the_frame_at_the_scale_of_training_cells(
    field: tuple[np.ndarray, list[np.ndarray], list[Found]],
) -> None:
    photo, masks, found = field
    for one, mask in zip(found, masks, strict=True):
        cell = one.cell
        assert cell.on_black and cell.pixels.shape == (FRAME, FRAME, 3) and cell.pixels.dtype == np.uint8
        assert (cell.pixels[~cell.outline] == 0).all() and (cell.pixels[cell.outline].max(axis=1) > 12).all()
        # The same cell whether it is handed over or written and read.
        assert overlap(read_cell(cell.pixels).outline, cell.outline) > 0.999
        assert 0.75 < one.scale / (smear.PX_PER_UM * smear.RED_CELL / SIDE) < 1.33
        assert abs(cell.outline.sum() / (mask.sum() * one.scale**2) - 1) < 0.2
        # Its colours are the photo's.
        assert np.abs(cell.pixels[cell.outline].mean(axis=0) - photo[mask].mean(axis=0)).max() < 12


def test_red_cells_alone_give_nothing() -> None:
    assert find_cells(drawn([])[0]) == []


def blocks(*colours: tuple[int, int, int], side: int) -> np.ndarray:
    """A chequered 300 x 400 px picture."""
    y, x = np.mgrid[:300, :400] // side
    return np.array(colours, dtype=np.uint8)[(x + y) % len(colours)]


@pytest.mark.parametrize("side", [6, 100])
def test_a_picture_of_anything_gives_a_list(side: int) -> None:
    violet, slide, red = (90, 40, 140), (222, 222, 222), (220, 150, 150)
    noise = np.random.default_rng(side).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    pictures = [blocks(a, b, side=side) for a, b in ((violet, slide), (slide, red))]
    pictures += [
        blocks(violet, slide, red, side=side),
        np.kron(noise, np.ones((side // 20 + 1, side // 20 + 1, 1), np.uint8)),
    ]
    stripe = np.full((300, 300, 3), violet, np.uint8)
    stripe[:side] = 230
    spot = np.full((300, 300, 3), 255, np.uint8)
    spot[side, 0] = 250
    for picture in (*pictures, stripe, spot):
        try:
            assert len(find_cells(picture)) <= smear.MOST
        except CellError as refusal:
            assert f"more than {smear.MOST} places" in str(refusal)


CASES = {
    "eyepiece.jpg": [(500, 370, 621, 492), (698, 502, 823, 620)],
    "smear_text.png": [(285, 204, 357, 277)],
    "one_cell_close.png": [(100, 100, 300, 300)],
    "seven_pink_pale.png": [
        (x - 22, y - 22, x + 22, y + 22)
        for x, y in ((240, 90), (90, 100), (380, 150), (150, 260), (300, 300), (400, 390), (90, 400))
    ],
}
"""Boxes of the white cells of photos that went wrong, from top to bottom, px."""


@pytest.mark.parametrize("file", CASES)
def test_photos_that_went_wrong_give_their_cells_and_nothing_else(file: str) -> None:
    if not (SHARED / "cases" / file).is_file():
        pytest.skip(f"no such cases: {SHARED / 'cases'} is not there")
    found = find_cells(SHARED / "cases" / file)
    assert len(found) == len(CASES[file])
    for one, box in zip(found, CASES[file], strict=True):
        assert np.abs(np.subtract(one.box, box)).max() <= 0.06 * (box[2] - box[0])
        assert one.marks == ()


def test_a_disc_of_a_smear_is_no_cell_on_black_and_a_round_cell_with_lobes_is_one() -> None:
    photo, _ = drawn([(150, 50), (450, 200)])
    y, x = np.mgrid[:700, :900]
    disc = np.where(np.hypot(y - 350, x - 450)[..., None] < 340, photo, 0).astype(np.uint8)
    assert not is_on_black(disc) and not read_cell(disc).on_black
    assert len(find_cells(disc)) == 2
    cell = np.zeros((450, 450, 3), np.uint8)
    cell[np.hypot(y - 225, x - 225)[:450, :450] < 90] = (200, 180, 210)
    for top, left in ((190, 190), (260, 200), (220, 270)):
        cell[np.hypot(y - top, x - left)[:450, :450] < 25] = (90, 40, 130)
    assert is_on_black(cell)


def test_more_cells_than_can_be_looked_at_are_refused_in_a_sentence() -> None:
    y, x = np.mgrid[:600, :600]
    disc = np.hypot(y % 40 - 20, x % 40 - 20) < 14
    odd = (y // 40 + x // 40) % 2 == 1
    photo = np.where((disc & odd)[..., None], (90, 40, 140), (230, 228, 225)).astype(np.uint8)
    photo[disc & ~odd] = (205, 150, 150)
    with pytest.raises(CellError, match=f"field: more than {smear.MOST} places look like white cells"):
        find_cells(photo, "field")


@pytest.mark.parametrize(("part", "least"), [("part_1", 0.70), ("part_2", 0.80)])
def test_a_lobed_nucleus_is_one_cell_with_its_cytoplasm_and_told_from_a_lymphocyte(
    part: str, least: float
) -> None:
    if not MASKS.is_dir():
        pytest.skip(f"no masks: {MASKS} is not there")
    with (MASKS / part / "classes.csv").open(encoding="utf-8-sig", newline="") as table:
        kinds = {int(row[0]): int(row[1]) for row in list(csv.reader(table))[1:]}
    photos = [path for path in sorted((MASKS / part).glob("*.bmp")) if kinds[int(path.stem)] == 1]
    alike, lobed = [], 0
    for path in photos[1::6][:3]:
        whole = np.asarray(Image.open(path.with_suffix(".png")).convert("L")) > 64
        (one,) = find_cells(path)
        lobed += smear.LOBED in one.marks
        y, x = np.nonzero(whole)
        box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
        given = cut(np.asarray(Image.open(path).convert("RGB")), box)
        alike.append([overlap(inside(same, whole.shape), whole) for same in (one, given)])
    assert (np.median(alike, axis=0) > (least, least + 0.05)).all()
    assert lobed >= 2
    lymphocytes = [path for path in sorted((MASKS / part).glob("*.bmp")) if kinds[int(path.stem)] == 2]
    assert not any(smear.LOBED in one.marks for path in lymphocytes[1::6][:3] for one in find_cells(path))


def test_two_cells_that_touch_are_two() -> None:
    photo, masks = drawn([(100, 120), (291, 120)])
    assert (ndimage.binary_dilation(masks[0], iterations=12) & masks[1]).any()
    assert len(find_cells(photo)) == 2


def test_a_photo_of_one_cell_with_hardly_a_red_cell_gives_that_cell() -> None:
    photo, (mask,) = drawn([(200, 100)], red=0)
    (one,) = find_cells(photo[150:500, 250:600])
    assert overlap(inside(one, (350, 350)), mask[150:500, 250:600]) > 0.85


def test_a_small_piece_of_a_cell_at_the_border_is_left_out_beside_a_whole_one() -> None:
    photo, masks = drawn([(20, 10), (-250, 200)])
    assert 0.2 < masks[1].sum() / masks[0].sum() < 0.5
    (one,) = find_cells(photo)
    assert smear.TOUCHES not in one.marks and overlap(inside(one, photo.shape), masks[0]) > 0.9


def test_a_cell_at_the_border_and_one_out_of_focus_are_kept_but_marked() -> None:
    photo, _ = drawn([(-180, 150), (400, 150)])
    assert {one.marks for one in find_cells(photo)} == {(), (smear.TOUCHES,)}
    soft = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(8)))
    assert all(smear.BLURRED in one.marks for one in find_cells(soft))


def test_what_is_a_cell_on_black_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cell.png"
    Image.fromarray(synthetic.paint(synthetic.blast_like(1), seed=1)).save(path)
    (one,) = find_cells(path)
    cell = read_cell(path)
    assert (one.cell.pixels == cell.pixels).all() and (one.cell.outline == cell.outline).all()
    assert one.cell.name == str(path) and one.scale == 1
    assert overlap(inside(one, (FRAME, FRAME)), cell.outline) > 0.99


@pytest.mark.parametrize("change", ["small", "large", "dark", "warm", "jpeg"])
def test_size_light_and_white_balance_of_a_photo_do_not_matter(change: str, tmp_path: Path) -> None:
    photo, masks = drawn([(20, 10), (400, 230)])
    image, zoom = Image.fromarray(photo), {"small": 0.5, "large": 1.7}.get(change, 1.0)
    if change == "dark":
        image = image.point([round(255 * (v / 255) ** 1.7) for v in range(256)] * 3)
    if change == "warm":
        image = image.point([min(255, round(v * gain)) for gain in (1.1, 1, 0.75) for v in range(256)])
    if change == "jpeg":
        image.save(tmp_path / "poor.jpg", quality=40)
        image = Image.open(tmp_path / "poor.jpg")
    image = image.resize((round(900 * zoom), round(700 * zoom)))
    found = find_cells(image)
    assert len(found) == 2
    for one, mask in zip(found, masks, strict=True):
        wanted = np.asarray(Image.fromarray(mask).resize(image.size))
        assert overlap(inside(one, wanted.shape), wanted) > 0.8


def test_an_outline_can_be_given_as_a_mask_a_polygon_or_a_box(
    field: tuple[np.ndarray, list[np.ndarray], list[Found]],
) -> None:
    photo, masks, found = field
    same = cut(photo, found[0].contour, found[0].scale)
    assert (same.cell.pixels == found[0].cell.pixels).all() and same.box == found[0].box
    assert overlap(inside(cut(photo, masks[0], found[0].scale), photo.shape), masks[0]) > 0.98
    assert overlap(inside(cut(photo, found[0].box, found[0].scale), photo.shape), masks[0]) > 0.8


def test_without_a_scale_a_cell_gets_the_usual_size_and_a_large_one_fits_the_frame(
    field: tuple[np.ndarray, list[np.ndarray], list[Found]],
) -> None:
    photo, masks, _ = field
    usual = cut(photo, masks[0]).cell.outline.sum()
    assert abs(np.sqrt(4 * usual / np.pi) - smear.TYPICAL) < 4
    everything = cut(photo, np.ones(photo.shape[:2], dtype=bool), 5.0)
    rows, columns = np.nonzero(everything.cell.outline)
    assert max(np.ptp(rows), np.ptp(columns)) < FRAME


def test_an_empty_outline_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="nothing inside"):
        cut(np.full((99, 99, 3), 200, np.uint8), np.zeros((99, 99), dtype=bool))


def test_every_bad_file_is_refused_as_a_cell_would_be(bad_files: dict[Path, str]) -> None:
    for path, reason in bad_files.items():
        with pytest.raises(CellError) as refusal:
            find_cells(path)
        assert path.name in str(refusal.value) and reason in str(refusal.value)


def test_white_cells_of_real_smears_are_found_and_nothing_else(photos: list[Path]) -> None:
    # One white cell each, whole and alone, in three stains.
    for number in ("019", "107", "211", "260", "356", "384"):
        (path,) = [photo for photo in photos if photo.stem.endswith(number)]
        assert len(find_cells(path)) == 1, path


def test_cut_writes_the_cells_and_a_table_and_goes_on_after_a_bad_photo(
    field: tuple[np.ndarray, list[np.ndarray], list[Found]], bad_files: dict[Path, str], tmp_path: Path
) -> None:
    photo, out = tmp_path / "field.png", tmp_path / "out"
    Image.fromarray(field[0]).save(photo)
    bad = next(iter(bad_files))
    run = CliRunner().invoke(cli.app, ["cut", str(bad), str(photo), "--out", str(out)])
    assert run.exit_code == 1 and bad.name in run.stderr
    with (out / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [["photo", "number", "box", "marks", "file"]] * 2
    assert [row["file"] for row in rows] == ["field_1.png", "field_2.png"]
    for row, one in zip(rows, field[2], strict=True):
        assert row["box"] == " ".join(map(str, one.box)) and row["marks"] == ""
        assert (read_cell(out / row["file"]).pixels == one.cell.pixels).all()
