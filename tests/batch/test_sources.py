"""Which files are input: one rule for folders, zip files and training data, whatever names and links."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from leukovision import batch
from leukovision.batch import sources
from leukovision.cell import CellError
from leukovision.training import dataset

CASES = Path(__file__).parents[3] / "shared" / "cases"
TREE = {
    "a.png": "", "B.JPG": "", "deep/er/c.tif": "", "notes.txt": ".txt", "no ending": "without an ending",
    "._a.png": "hidden", "deep/.hidden.png": "hidden", ".git/d.png": "hidden", "__MACOSX/a.png": "hidden",
    "inner.zip": ".zip", "e.dcm2": ".dcm2",
}  # fmt: skip
"""Files, and why they are left out."""


@pytest.fixture
def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip(f"no cases: {CASES} is not there")
    return CASES


def folder(at: Path) -> Path:
    for name in TREE:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(name.encode())
    return at


def test_folders_zip_files_and_training_data_leave_out_the_same(tmp_path: Path) -> None:
    home, left, inside = folder(tmp_path / "in" / "fold_0" / "all"), Counter(), Counter()
    found = batch.find([home], lambda why: left.update([why]))
    wanted = [name for name, why in sorted(TREE.items()) if not why]
    assert [file.name for file in found] == [f"{home}/{name}" for name in wanted]
    assert [file.read() for file in found] == [name.encode() for name in wanted]
    assert left == Counter(filter(None, TREE.values()))

    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name in TREE:
            if name != "inner.zip":  # for which a zip file is refused
                archive.writestr(f"./{name}", name)
    zipped = batch.find([tmp_path / "in.zip"], lambda why: inside.update([why]))
    assert sorted(file.read() for file in zipped) == sorted(name.encode() for name in wanted)
    assert inside == left - Counter([".zip"])

    # Only what lies right in a class folder is training data.
    assert [path.name for path in dataset.files(tmp_path / "in")] == ["B.JPG", "a.png"]


def test_what_a_mac_puts_beside_pictures_is_left_out(cases: Path) -> None:
    left: Counter[str] = Counter()
    (one,) = batch.find([cases / "mac_folder"], lambda why: left.update([why]))
    assert one.name.endswith("/a.png") and left == {"hidden": 1}


def test_each_file_of_a_mixed_folder_is_found_or_counted(cases: Path) -> None:
    left: Counter[str] = Counter()
    found = batch.find([cases / "mixed_folder"], lambda why: left.update([why]))
    assert len(found) + left.total() == 5
    assert {"1.PNG", "3.jfif", "5.TIF"} <= {Path(file.name).name for file in found}


def test_links_to_folders_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    home, other, left = tmp_path / "home", tmp_path / "other", Counter()
    for path in (home / "own" / "a.png", other / "b.png"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    (home / "linked").symlink_to(other)
    (home / "linked again").symlink_to(other)
    (home / "first").symlink_to(home / "own")
    (other / "round").symlink_to(home)
    (home / "up").symlink_to(tmp_path)
    (home / "gone.png").symlink_to(tmp_path / "nothing")
    (home / "one.png").symlink_to(other / "b.png")
    found = batch.find([home], lambda why: left.update([why]))
    names = [str(Path(file.name).relative_to(home)) for file in found]
    assert names == ["gone.png", "linked/b.png", "one.png", "own/a.png"]
    assert left == {sources.LOOP: 1}
    with pytest.raises(FileNotFoundError):
        found[0].read()


def test_what_is_no_file_is_a_sentence_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(sources.LARGEST + 1)
    for file, words in zip(batch.find([tmp_path]), ("larger than 1 GB", "a pipe"), strict=True):
        with pytest.raises(CellError, match=words):
            file.read()


def test_names_of_any_bytes_are_told_as_text(tmp_path: Path) -> None:
    for name in (b"\xff\xfe.png", b"two\nlines.png"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"")
    found = [file.name.rpartition("/")[2] for file in batch.find([tmp_path])]
    assert found == ["two\nlines.png", "\\xff\\xfe.png"]
    assert all(file.read() == b"" for file in batch.find([tmp_path]))
    assert sources.stem("ab/c:\x1b\n" + 300 * "ü" + ".png") == "c___" + 58 * "ü"


@pytest.mark.parametrize(
    ("raw", "flag", "name"),
    [
        ("клетка 1.png".encode("cp866"), 0, "клетка 1.png"),
        ("Zelle für Ü.png".encode("cp437"), 0, "Zelle für Ü.png"),
        ("ü.png".encode("cp437"), 0, "ü.png"),
        ("клетка-ü.png".encode(), 0, "клетка-ü.png"),
        ("細胞.png".encode(), 0x800, "細胞.png"),
        ("細胞.png".encode("cp932"), 0, "細胞.png".encode("cp932").decode("cp437")),
    ],
)
def test_names_in_a_zip_are_readable_or_at_least_stable(raw: bytes, flag: int, name: str, tmp_path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr((len(raw) - 4) * "x" + ".png", b"here")
    content = bytearray(path.read_bytes().replace((len(raw) - 4) * b"x" + b".png", raw))
    content[7], content[content.index(b"PK\x01\x02") + 9] = flag >> 8, flag >> 8
    path.write_bytes(content)
    (file,) = batch.unzip(path, "a.zip")
    assert file.name == f"a.zip/{name}" and file.read() == b"here"


def test_the_name_in_a_russian_zip_is_readable(cases: Path) -> None:
    assert [file.name for file in batch.unzip(cases / "cp866_name.zip", "a")] == ["a/клетка.png"]


def test_a_hostile_table_takes_little_memory_and_every_fault_in_it_is_a_sentence(tmp_path: Path) -> None:
    # Half a terabyte: one picture, and one name, that stand there once and are those of all rows.
    rows = pa.array(np.zeros(20_000, dtype=np.int32))
    pictures = pa.DictionaryArray.from_arrays(rows, pa.array([bytes(25_000_000)]))
    names = pa.DictionaryArray.from_arrays(rows, pa.array([1_000_000 * "n"]))
    path = tmp_path / "bomb.parquet"
    parquet.write_table(pa.table({"bytes": pictures}), path, compression="zstd")
    found = batch.find([path])
    assert len(found) == 20_000 and found[7].read() == bytes(25_000_000)
    parquet.write_table(pa.table({"bytes": rows, "file": names}), path, compression="zstd")
    (refused,) = batch.find([path])
    with pytest.raises(CellError, match="names are too long"):
        refused.read()
    parquet.write_table(pa.table({"bytes": pa.nulls(1_000_001, pa.binary())}), path)
    (refused,) = batch.find([path])
    with pytest.raises(CellError, match="1000001 rows; give at most 1000000"):
        refused.read()


def test_a_damaged_table_is_a_sentence_or_a_picture(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "a.parquet"
    images = [{"bytes": rng.bytes(300), "path": f"{place}.png"} for place in range(50)]
    parquet.write_table(pa.table({"image": images}), path, row_group_size=20)
    whole = path.read_bytes()
    for _ in range(150):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 3):
            content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        for file in batch.find([path])[::7]:
            try:
                assert isinstance(file.read(), bytes)
            except CellError as error:
                assert str(error).startswith(str(path)) and str(error).endswith(".")


def test_rows_of_a_table_can_be_asked_for_in_any_order(tmp_path: Path) -> None:
    content = [bytes([place]) * 9 for place in range(60)]
    parquet.write_table(pa.table({"bytes": content}), tmp_path / "a.parquet", row_group_size=7)
    files = batch.find([tmp_path / "a.parquet"])
    order = np.random.default_rng(1).permutation(60)
    assert [files[place].read() for place in order] == [content[place] for place in order]
