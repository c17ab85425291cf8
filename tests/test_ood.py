"""A picture and what the networks see in it -> is it like the training cells, and if not, why not?"""

import io
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import data

from leukovision import Ensemble, artifact, ood, read_cell
from leukovision.cell import CellError, foreground
from leukovision.ensemble import load_ensemble

SMEARS = Path(__file__).parents[2] / "shared" / "data" / "smears"


@pytest.fixture(scope="module")
def pixels(real_cells: list[Path]) -> list[np.ndarray]:
    return [read_cell(path).pixels for path in real_cells]


def rejected(ensemble: Ensemble, pictures: list[np.ndarray]) -> float:
    """Share of pictures that get a sentence and no decision: refused as a file, or out of domain."""
    cells = []
    for picture in pictures:
        try:
            cells.append(read_cell(picture))
        except CellError:
            continue
    analyses = ensemble.analyse(cells)
    assert all(a.decision == "unsure" and a.reason for a in analyses if not a.in_domain)
    return 1 - sum(a.in_domain for a in analyses) / len(pictures)


def on_black(picture: np.ndarray, side: int = 200) -> np.ndarray:
    """The middle of a picture, in a disc on black."""
    square = np.asarray(Image.fromarray(picture).resize((side, side)))
    frame = np.zeros((450, 450, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    disc = np.hypot(rows, columns) < side / 2 - 1
    start = (450 - side) // 2
    frame[start : start + side, start : start + side][disc] = np.maximum(square[disc], 13)
    return frame


def photographs() -> list[np.ndarray]:
    return [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]


def text() -> np.ndarray:
    picture = Image.new("RGB", (450, 450), "white")
    draw = ImageDraw.Draw(picture)
    for row in range(12):
        draw.text((8, row * 36), "white blood cell 0123", fill="black", font=ImageFont.load_default(30))
    return np.asarray(picture)


def drawing(colour: str) -> np.ndarray:
    """A flat disc with a flat nucleus and a thick line around both."""
    picture = Image.new("RGB", (450, 450))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((125, 125, 325, 325), fill=colour, outline="black", width=6)
    draw.ellipse((165, 165, 285, 285), fill="indigo", outline="black", width=6)
    return np.asarray(picture)


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two cells in one frame, a little smaller, that nearly touch."""
    halves = []
    for cell in (left, right):
        box = ndimage.find_objects(foreground(cell).astype(np.uint8))[0]
        halves.append(np.asarray(Image.fromarray(cell[box]).resize((210, 210))))
    frame = np.zeros((450, 450, 3), dtype=np.uint8)
    frame[120:330, 10:220], frame[120:330, 228:438] = halves
    return frame


def blurred(cell: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(cell.astype(float), (4, 4, 0)).round().astype(np.uint8))


def tinted(cell: np.ndarray, channel: int, factor: float) -> np.ndarray:
    result = cell.astype(float)
    result[..., channel] *= factor
    return np.clip(result, 0, 255).astype(np.uint8)


def recompressed(cell: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(cell).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (450, 450, 3), dtype=np.uint8)


MADE: dict[str, Callable[[], list[np.ndarray]]] = {
    "photographs": photographs,
    "photographs in a disc": lambda: [on_black(picture) for picture in photographs()],
    "text": lambda: [text(), on_black(text())],
    "drawings": lambda: [drawing(colour) for colour in ("orchid", "plum", "gold", "white")],
    "noise": lambda: [noise(), on_black(noise())],
}

OF_CELLS: dict[str, Callable[[list[np.ndarray]], list[np.ndarray]]] = {
    "negatives": lambda cells: [255 - cell for cell in cells[:8]],
    "negatives on black": lambda cells: [
        np.where(foreground(cell)[..., None], 255 - cell, 0).astype(np.uint8) for cell in cells[:8]
    ],
    "a strong colour cast": lambda cells: [
        tinted(cell, place % 3, factor) for place, cell in enumerate(cells[:6]) for factor in (0.5, 1.8)
    ],
    "blurred": lambda cells: [blurred(cell) for cell in cells[:8]],
    "two cells": lambda cells: [side_by_side(cells[n], cells[-n - 1]) for n in range(8)],
}


@pytest.mark.parametrize("kind", MADE)
def test_what_is_no_cell_is_rejected(ensemble: Ensemble, kind: str) -> None:
    assert rejected(ensemble, MADE[kind]()) >= 0.95


@pytest.mark.parametrize("kind", OF_CELLS)
def test_a_spoilt_cell_is_rejected(ensemble: Ensemble, pixels: list[np.ndarray], kind: str) -> None:
    assert rejected(ensemble, OF_CELLS[kind](pixels)) >= 0.95


@pytest.mark.parametrize("cut", [False, True])
def test_a_smear_field_is_rejected_also_in_a_disc(ensemble: Ensemble, cut: bool) -> None:
    if not SMEARS.is_dir():
        pytest.skip(f"no smears: {SMEARS} is not there")
    fields = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(SMEARS.rglob("*.jpg"))[::15]]
    assert rejected(ensemble, [on_black(field) for field in fields] if cut else fields) >= 0.95


@pytest.mark.parametrize(
    ("kind", "diameter"), [("RBC", 150), ("RBC", 200), ("Platelets", 80), ("Platelets", 170)]
)
def test_other_things_in_blood_are_rejected(ensemble: Ensemble, kind: str, diameter: int) -> None:
    if not SMEARS.is_dir():
        pytest.skip(f"no smears: {SMEARS} is not there")
    pictures = []
    for path in sorted((SMEARS / "annotations").glob("*.xml"))[::6]:
        for thing in ElementTree.parse(path).iter("object"):
            box = [int(thing.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax")]
            if thing.findtext("name") == kind and min(box[2] - box[0], box[3] - box[1]) > 15:
                field = Image.open(SMEARS / "images" / f"{path.stem}.jpg").convert("RGB")
                pictures.append(on_black(np.asarray(field.crop(tuple(box))), diameter))
                break
    assert len(pictures) >= 5
    assert rejected(ensemble, pictures) >= 0.95


def test_an_empty_frame_is_rejected(ensemble: Ensemble) -> None:
    rng = np.random.default_rng(0)
    empty = [rng.integers(0, most, (450, 450, 3), dtype=np.uint8) for most in (3, 10, 14, 20)]
    assert rejected(ensemble, [np.zeros((450, 450, 3), dtype=np.uint8), *empty]) == 1


@pytest.mark.parametrize("lit", [[(100, 100)], [(9, 10), (10, 9), (10, 10)], [(100, 100), (301, 301)]])
def test_specks_are_rejected_wherever_they_lie(ensemble: Ensemble, lit: list[tuple[int, int]]) -> None:
    picture = np.zeros((450, 450, 3), dtype=np.uint8)
    picture[tuple(zip(*lit, strict=True))] = (200, 100, 150)
    (found,) = ensemble.analyse([read_cell(picture)])
    assert not found.in_domain and "far smaller" in found.reason


def test_real_cells_stay_in_also_turned_mirrored_or_a_little_brighter(
    ensemble: Ensemble, pixels: list[np.ndarray]
) -> None:
    pixels = pixels[::2]
    inside = [cell for cell in pixels if not rejected(ensemble, [cell])]
    assert len(inside) >= len(pixels) - 1
    for changed in (
        [np.rot90(cell) for cell in inside],
        [cell[:, ::-1] for cell in inside],
        [np.clip(cell * 1.1, 0, 255).astype(np.uint8) for cell in inside],
        [recompressed(cell) for cell in inside],
    ):
        assert rejected(ensemble, [np.ascontiguousarray(cell) for cell in changed]) <= 1 / len(inside)


def test_a_picture_that_was_compressed_hard_is_noticed(ensemble: Ensemble, pixels: list[np.ndarray]) -> None:
    def saved(picture: np.ndarray, quality: int) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    for quality, share in ((95, 0.0), (75, 1.0)):
        analyses = ensemble.analyse([read_cell(saved(picture, quality)) for picture in pixels])
        told = [str(a.reason).startswith("This picture was compressed") for a in analyses]
        assert abs(np.mean(told) - share) < 0.05


def test_without_statistics_only_black_around_it_is_asked_for(alone: Path) -> None:
    bare = load_ensemble(alone)
    flat, photograph = bare.analyse([read_cell(drawing("plum")), read_cell(data.chelsea())])
    assert flat.in_domain and np.isnan(flat.distance)
    assert not photograph.in_domain and photograph.reason == ood.NOT_ON_BLACK


def test_statistics_that_do_not_fit_the_ensemble_are_refused(ensemble: Ensemble) -> None:
    assert ensemble.manifest.domain
    with pytest.raises(artifact.StoreError, match="features_axes"):
        ood.read(ensemble.found.folder, ensemble.manifest.domain, 7)
