"""Cells of a photo go out to QuPath and come back: read by shapely, and decided as before."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

from leukovision import cli, synthetic
from leukovision.batch import rows
from leukovision.smear import find_cells, read_outlines

shapely = pytest.importorskip("shapely")


pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture(scope="module")
def size(photo: Path) -> tuple[int, int]:
    with Image.open(photo) as image:
        return image.size


def analyse(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["analyse", *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_outlines_out_and_in_again_give_the_same_rows_and_the_same_file(photo: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out.geojson", tmp_path / "again.geojson"
    run = analyse(photo, "--geojson", out, "--csv", tmp_path / "out.csv")
    assert run.exit_code == 0, run.output
    run = analyse(photo, "--outlines", out, "--geojson", again, "--csv", tmp_path / "again.csv")
    assert run.exit_code == 0, run.output
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()
    assert again.read_bytes() == out.read_bytes()
    found = rows_of(tmp_path / "out.csv")
    features = json.loads(out.read_bytes())["features"]
    assert len(found) == len(features) == 2
    for row, one, cell in zip(found, features, find_cells(photo), strict=True):
        drawn = shapely.geometry.shape(one["geometry"])
        assert drawn.is_valid and drawn.geom_type == "Polygon"
        left, top, right, bottom = map(int, row["box"].split())
        assert shapely.box(left, top, right, bottom).contains(drawn)
        told = one["properties"]
        assert told["objectType"] == "detection" and told["classification"]["name"] == row["decision"]
        assert len(told["classification"]["color"]) == 3
        assert told["measurements"]["p(ALL)"] == float(row["p_all"])
        assert told["measurements"]["area, px²"] == pytest.approx(drawn.area, abs=0.1)
        assert told["metadata"]["reason"] == row["reason"]
        assert np.array_equal(np.array(one["geometry"]["coordinates"][0])[:-1], cell.contour)


def test_cut_writes_the_outlines_a_file_a_photo_that_analyse_reads(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "smear.geojson").write_text("of somebody else")
    for _ in range(2):
        run = CliRunner().invoke(cli.app, ["cut", str(photo), "--out", str(tmp_path), "--geojson"])
        assert run.exit_code == 0, run.output
    assert (tmp_path / "smear.geojson").read_text() == "of somebody else"
    written = sorted(path.name for path in tmp_path.glob("*.geojson"))
    assert written == ["smear (2).geojson", "smear.geojson"]
    whole, given = tmp_path / "whole.csv", tmp_path / "given.csv"
    analyse(photo, "--csv", whole)
    analyse(photo, "--csv", given, "--outlines", tmp_path / "smear (2).geojson")
    assert given.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("kind", ["L.png", "I;16.png", "I.tif"])
def test_a_mask_of_labels_gives_its_cells_in_the_order_of_their_numbers(
    kind: str, photo: Path, size: tuple[int, int], tmp_path: Path
) -> None:
    mode, _, ending = kind.rpartition(".")
    numbers = (200, 7) if mode == "L" else (40_000, 300)
    labels = Image.new("I", size)
    found = find_cells(photo)
    for number, one in zip(numbers, found, strict=True):
        ImageDraw.Draw(labels).polygon([tuple(point) for point in one.contour], fill=number)
    path = tmp_path / f"mask.{ending}"
    as_type = {"L": np.uint8, "I;16": np.uint16, "I": np.int32}[mode]
    Image.fromarray(np.asarray(labels).astype(as_type)).save(path)
    run = analyse(photo, "--outlines", path, "--csv", tmp_path / "out.csv")
    assert run.exit_code == 0, run.output
    boxes = [[int(px) for px in row["box"].split()] for row in rows_of(tmp_path / "out.csv")]
    assert np.abs(np.array(boxes) - [one.box for one in reversed(found)]).max() <= 1


def test_of_what_else_was_drawn_in_a_file_only_cells_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    square = [[10, 10], [90, 10], [90, 90], [10, 90], [10, 10]]
    hole = [[30, 30], [40, 30], [40, 40], [30, 40], [30, 30]]
    eight = [[200, 200], [300, 300], [300, 200], [210, 290], [200, 200]]
    small = [[x + 400, y] for x, y in hole]
    frame = [[0, 0], [width, 0], [width, height], [0, height], [0, 0]]

    def feature(kind: str, shape: str, *lines: object) -> dict[str, object]:
        geometry = {"type": shape, "coordinates": list(lines)}
        return {"type": "Feature", "properties": {"objectType": kind}, "geometry": geometry}

    features = [
        feature("annotation", "Polygon", frame),
        feature("cell", "Polygon", square, hole),
        feature("detection", "Polygon", eight),
        feature("detection", "MultiPolygon", [small], [square]),
    ]
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    first, crossed, parts = read_outlines(path, (height, width))
    assert np.array_equal(first, square[:-1]) and np.array_equal(parts, square[:-1])
    assert shapely.Polygon(crossed).is_valid and shapely.Polygon(crossed).area > 2000
    path.write_text(json.dumps(features[0]))
    assert np.array_equal(read_outlines(path, (height, width))[0], frame[:-1])


def test_a_mask_of_one_number_has_a_cell_in_each_part(tmp_path: Path) -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:20, 5:20] = mask[30:50, 40:70] = mask[55, 5:9] = True
    Image.fromarray(mask).save(tmp_path / "mask.png")
    first, second = read_outlines(tmp_path / "mask.png", (60, 80, 3))
    assert np.abs(np.stack([first.min(0), first.max(0)]) - [[5, 5], [20, 20]]).max() <= 0.5
    assert np.abs(np.stack([second.min(0), second.max(0)]) - [[40, 30], [70, 50]]).max() <= 0.5


FAULTS = {
    "a.txt": (b"", "outlines are GeoJSON or a mask of labels"),
    "a.geojson": (b"{", "not JSON"),
    "b.geojson": (b"[1]", "not GeoJSON"),
    "c.geojson": (b'{"type": "FeatureCollection", "features": []}', "no outlines in it"),
    "d.geojson": (b'[{"geometry": {"type": "Point", "coordinates": [1, 2]}}]', "outline 1 is a Point"),
    "e.geojson": (
        b'[{"geometry": {"type": "Polygon", "coordinates": [[[5000, 0], [5090, 0], [5090, 90]]]}}]',
        "outline 1 has nothing of the photo in it, which is 900 x 600 px",
    ),
    "f.geojson": (b'[{"geometry": {"type": "Polygon", "coordinates": [["x"]]}}]', "outline 1 is no geometry"),
    "g.geojson": (b'[{"geometry": null}]', "outline 1 is no geometry"),
    "h.geojson": (
        b'[{"geometry": {"type": "Polygon", "coordinates": [[[NaN, 0], [90, 0], [90, 90]]]}}]',
        "outline 1",
    ),
    "none.geojson": (None, "none.geojson: No such file"),
    "a.png": (b"\x89PNG", "not a PNG or TIFF"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_with_outlines_is_said_by_name_and_nothing_is_done(
    name: str, photo: Path, tmp_path: Path
) -> None:
    content, words = FAULTS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    run = analyse(photo, "--outlines", tmp_path / name, "--csv", tmp_path / "out.csv")
    said = run.stderr.replace("\n", " ")
    assert run.exit_code == 2 and words in said and name in said, run.output
    assert not (tmp_path / "out.csv").exists()


def test_a_mask_of_another_size_or_of_colours_is_refused(photo: Path, tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "small.png")
    run = analyse(photo, "--outlines", tmp_path / "small.png")
    assert run.exit_code == 2 and "is 30 x 20 px" in run.stderr and "900 x 600 px" in run.stderr
    run = analyse(photo, "--outlines", photo)
    assert run.exit_code == 2 and "holds colours or fractions" in run.stderr


def test_what_cannot_be_of_one_photo_is_said_before_the_work(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.geojson"
    run = analyse(photo, photo, "--geojson", out)
    assert run.exit_code == 2 and "of one photo, not of 2" in run.stderr
    cell = tmp_path / "cell.png"
    Image.fromarray(synthetic.paint(synthetic.blast_like(1), seed=1)).save(cell)
    run = analyse(cell, "--geojson", out)
    assert run.exit_code == 2 and "is a cell on black" in run.stderr
    run = analyse(photo, "--outlines", out, "--geojson", out)
    assert run.exit_code == 2 and "name another file" in run.stderr.replace("\n", " ")
    run = analyse(photo, "--geojson", out, "--ray", "local", "--parquet", tmp_path / "rows")
    assert run.exit_code == 2 and "--geojson" in run.stderr
    assert not out.exists()


def test_without_shapely_a_sentence_says_how_to_get_it(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    path = tmp_path / "drawn.geojson"
    path.write_text("[]")
    run = analyse(photo, "--outlines", path)
    assert run.exit_code == 2 and "pip install 'leukovision[geojson]'" in run.stderr.replace("\n", " ")


def test_a_cell_that_could_not_be_judged_is_a_feature_without_a_class() -> None:
    from leukovision.batch import feature
    from leukovision.ensemble import Source

    square = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]])
    one = feature(
        square, 3, None, rows.Row(file="a, cell 3", error="why", box="0 0 9 9"), Source("e", "1", "here")
    )
    assert "classification" not in one["properties"]
    assert one["properties"]["metadata"] == {"error": "why", "ensemble": "e 1"}
    assert one["properties"]["measurements"] == {"area, px²": 81.0}
