"""Many files: a row each, whatever they are; zip files are read in memory and can do no harm."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from leukovision import Ensemble, batch, read_cell, synthetic
from leukovision.backbones import BACKBONES
from leukovision.batch import zip_files
from leukovision.cell import CellError, read_picture
from leukovision.demo import photo as page
from leukovision.explain.traits import NAMES


def png(seed: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(content, "PNG")
    return content.getvalue()


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    return {f"cell {seed}.png": png(seed) for seed in range(3)}


def test_the_table_has_a_column_for_each_backbone_in_order():
    own = tuple(column for column in batch.COLUMNS if column.startswith("p_all_"))
    assert own == tuple(f"p_all_{name}" for name in BACKBONES)
    assert batch.COLUMNS[:3] == ("file", "decision", "p_all")
    assert batch.COLUMNS[8:11] == ("error", "box", "marks")
    assert batch.COLUMNS[11:] == (*NAMES, "px_per_um"), "what was added later stands at the end"


def test_a_table_of_before_there_were_traits_is_read():
    old = {"file": "a.png", "decision": "ALL", "p_all": 0.9, "in_domain": True, "reason": "", "error": None}
    assert batch.Row.model_validate(old).area is None


def test_pictures_of_a_zip_are_judged_as_those_of_a_folder(ensemble: Ensemble, drawn, tmp_path):
    (tmp_path / "in").mkdir()
    for name, content in drawn.items():
        (tmp_path / "in" / name).write_bytes(content)
    others = {"notes.txt": b"a", "__MACOSX/._cell 0.png": b"b", "deep/.hidden.png": b"c"}
    path = zipped(tmp_path / "in.zip", **drawn, **others)
    before = set(tmp_path.rglob("*"))
    inside = [one.row for one in batch.predictions(ensemble, batch.find([path]))]
    loose = [one.row for one in batch.predictions(ensemble, batch.find([tmp_path / "in"]))]
    assert [row.file for row in inside] == [f"{path}/{name}" for name in drawn]
    assert [row.model_copy(update={"file": ""}) for row in inside] == [
        row.model_copy(update={"file": ""}) for row in loose
    ]
    assert set(tmp_path.rglob("*")) == before


def made_to_lie(path: Path) -> Path:
    """A zip whose directory now says that its entry has 1,000 bytes."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def lying(path: Path) -> Path:
    """A zip whose directory says that an entry is smaller than it is."""
    return made_to_lie(zipped(path, **{"a.png": png(0)}))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_bytes(b"nothing"), "not a zip file"),
        (lambda path: path.write_bytes(zipped(path, **{"a.png": png(0)}).read_bytes()[:-30]), "cut short"),
        (lambda path: zipped(path, **{"notes.txt": b"a"}), "no pictures"),
        (lambda path: zipped(path, **{"a.png": png(0), "b/inner.ZIP": b"PK"}), "a zip file in it"),
        (lambda path: zipped(path, **{"bomb.png": bytes(101 * 1024**2)}), "larger than 100 MB"),
        (lambda path: zipped(path, **{f"{n}.png": b"" for n in range(10_001)}), "10001 pictures"),
    ],
)
def test_a_zip_that_cannot_be_taken_is_refused_by_name(
    make: Callable[[Path], object], sentence: str, tmp_path: Path, ensemble: Ensemble
) -> None:
    path = tmp_path / "cells.zip"
    make(path)
    with pytest.raises(CellError, match=sentence) as refused:
        batch.unzip(path, "cells.zip")
    assert str(refused.value).startswith("cells.zip: ")
    (one,) = batch.predictions(ensemble, batch.find([path]))
    assert sentence in (one.row.error or "") and one.row.decision is None


def test_what_is_together_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_files, "MAX_INFLATED", 1024**3)
    path = zipped(tmp_path / "cells.zip", **{"a.png": b"a"})
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02")
    entry = bytearray(content[place : content.rindex(b"PK\x05\x06")])
    entry[24:28] = (99 * 1024**2).to_bytes(4, "little")
    end = bytearray(content[content.rindex(b"PK\x05\x06") :])
    end[8:12] = 2 * (12).to_bytes(2, "little")
    end[12:16] = (12 * len(entry)).to_bytes(4, "little")
    path.write_bytes(content[:place] + 12 * bytes(entry) + bytes(end))
    with pytest.raises(CellError, match="1 GB unpacked; send at most 1 GB"):
        batch.unzip(path, "cells.zip")


def test_an_entry_inflates_to_no_more_than_the_directory_says_and_a_locked_one_is_a_row(tmp_path, ensemble):
    (one,) = batch.predictions(ensemble, batch.find([lying(tmp_path / "lying.zip")]))
    assert "lying.zip/a.png: cannot be unpacked" in (one.row.error or "")
    path = zipped(tmp_path / "locked.zip", **{"a.png": png(0)})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    (one,) = batch.predictions(ensemble, batch.find([path]))
    assert "needs a password" in (one.row.error or "")


def bomb(path: Path, kind: int, size: int) -> Path:
    """A zip whose directory says that an entry is small; it is not."""
    with zipfile.ZipFile(path, "w", kind) as archive, archive.open("a.png", "w") as entry:
        for _ in range(size // 1024**2):
            entry.write(bytes(1024**2))
    return made_to_lie(path)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (zipfile.ZIP_DEFLATED, "broken"),
        (zipfile.ZIP_BZIP2, "packed in a way"),
        (zipfile.ZIP_LZMA, "packed in a way"),
    ],
)
def test_a_zip_that_lies_about_its_sizes_takes_no_memory(kind: int, sentence: str, tmp_path: Path) -> None:
    (file,) = batch.unzip(bomb(tmp_path / "bomb.zip", kind, 200 * 1024**2), "bomb.zip")
    tracemalloc.start()
    try:
        with pytest.raises(CellError, match=f"bomb.zip/a.png: .*{sentence}"):
            file.read()
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()


def test_a_hundred_thousand_entries_are_a_sentence(tmp_path: Path, ensemble: Ensemble, monkeypatch) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(2000):
            archive.writestr(f"{place}.png", b"")
    content = path.read_bytes()
    directory, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    # Not written by zipfile, which would take seconds for it: the directory fifty times over.
    last = bytearray(content[end:])
    last[8:12] = b"\xff" * 4
    last[12:16] = (50 * (end - directory)).to_bytes(4, "little")
    path.write_bytes(content[:directory] + 50 * content[directory:end] + last)
    with pytest.raises(CellError, match="100000 pictures; send at most 10000"):
        batch.unzip(path, "many.zip")
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", 4 * 1024**2)
    (one,) = batch.predictions(ensemble, batch.find([path]))
    assert "too many files in it" in (one.row.error or "")


def test_a_zip_with_a_name_that_is_no_utf8_is_a_row(tmp_path: Path, ensemble: Ensemble) -> None:
    path = zipped(tmp_path / "cells.zip", **{"zelle-ü.png": png(0)})
    path.write_bytes(path.read_bytes().replace("ü".encode(), b"\xff\xfe"))
    (one,) = batch.predictions(ensemble, batch.find([path]))
    assert "a name in it cannot be read" in (one.row.error or "")


def test_a_batch_that_was_stopped_goes_on_and_reads_no_further_than_it_must(ensemble, drawn):
    content, opened = drawn["cell 0.png"], []

    def file(place: int) -> batch.File:
        def read() -> bytes:
            opened.append(place)
            return content if place != 1 else b"broken"

        return batch.File(f"{place}.png", read)

    files = [file(place) for place in range(4 * batch.GROUP)]
    going = batch.predictions(ensemble, files)
    first = [next(going).row for _ in range(3)]
    going.close()
    assert max(opened) < 2 * batch.GROUP
    assert [row.file for row in first] == ["0.png", "1.png", "2.png"]
    assert "not an image" in (first[1].error or "") and first[2].decision
    rest = [one.row.file for one in batch.predictions(ensemble, files[3:5])]
    assert rest == ["3.png", "4.png"]


def test_the_three_tables_say_the_same(ensemble, drawn, tmp_path):
    files = [batch.File(name, lambda content=content: content) for name, content in drawn.items()]
    files.append(batch.File('bad, "name"\n.png', lambda: b"no"))
    rows = [one.row for one in batch.predictions(ensemble, files)]
    (tmp_path / "t.parquet").write_bytes(batch.as_parquet(rows))
    table = parquet.read_table(tmp_path / "t.parquet")
    assert tuple(table.column_names) == batch.COLUMNS
    assert [batch.Row(**row) for row in table.to_pylist()] == rows
    assert batch.as_csv(rows).decode().splitlines()[0] == ",".join(batch.COLUMNS)
    assert parquet.read_schema(io.BytesIO(batch.as_parquet(rows[-1:]))) == table.schema
    assert batch.counts(rows)[batch.UNREADABLE] == 1 and sum(batch.counts(rows).values()) == 4


def test_agreement_counts_backbones_on_the_side_of_the_ensemble():
    row = batch.Row(file="a", p_all=0.6, p_all_xception=0.9, p_all_inception_v3=0.4)
    assert row.agreement() == (1, 2)
    assert batch.Row(file="a", error="b").agreement() == (0, 0)


def test_a_photo_has_a_row_for_each_of_its_cells_that_says_what_the_page_says_of_it(
    ensemble: Ensemble, photo: Path, tmp_path: Path
) -> None:
    (shown, _, _) = page.analyse_photo(ensemble, read_picture(photo)[0], photo, photo.name)
    path = zipped(tmp_path / "in.zip", **{"smear.png": photo.read_bytes(), "cell.png": png(1)})
    for paths, name in (([photo], str(photo)), ([path], f"{path}/smear.png")):
        found = list(batch.predictions(ensemble, batch.find(paths)))
        assert [one.row.file for one in found[:2]] == [f"{name}, cell 1", f"{name}, cell 2"]
        assert [one.row.source for one in found[:2]] == [name] * 2
        assert [one.last for one in found] == [False, True, True][: len(found)]
        for one, outline in zip(found, shown.outlines, strict=False):
            assert one.row.p_all == pytest.approx(outline.p_all, abs=1e-3)
            assert (one.row.decision, one.row.in_domain) == (outline.decision, outline.in_domain)
            left, top, right, bottom = map(int, one.row.box.split())
            assert one.row.area and one.row.px_per_um == outline.px_per_um
            assert (outline.contour >= (left, top)).all() and (outline.contour <= (right, bottom)).all()
    assert found[2].row.file == f"{path}/cell.png" and found[2].row.box is None


def test_a_photo_without_a_white_cell_has_a_row_that_says_so(ensemble: Ensemble, tmp_path: Path) -> None:
    y, x = np.mgrid[:300, :400]
    red = np.hypot(y % 100 - 50, x % 100 - 50)[..., None] < 40
    Image.fromarray(np.where(red, (205, 150, 150), (225, 220, 218)).astype(np.uint8)).save(tmp_path / "a.png")
    (one,) = batch.predictions(ensemble, batch.find([tmp_path / "a.png"]))
    assert str(one.row.error).startswith(
        f"{tmp_path}/a.png: no white cell was found in this photo; send one "
    )


def test_a_thumbnail_is_small_and_shows_the_cell(drawn):
    content = batch.thumbnail(read_cell(drawn["cell 1.png"]))
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (batch.THUMBNAIL, batch.THUMBNAIL) and image.format == "WEBP"
    assert len(content) < 4000
