"""A run that is stopped, killed or out of disk loses nothing; what it writes is there whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from leukovision import artifact, batch, cli, synthetic
from leukovision.cli import loading
from leukovision.evaluation.predictions import write

CASES = Path(__file__).parents[2] / "shared" / "cases"
OLD = b"an older, good table\n" * 400


pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("drawn")
    for seed in range(6):
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(home / f"{seed}.png")
    return home


@pytest.fixture
def cells(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "cells"))


def analyse(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["analyse", *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def counted(after: int = 100, then: Callable[[], object] = lambda: None) -> Iterator[list[str]]:
    """Names of what is judged; after so many something happens."""
    judged, whole = [], batch.predictions

    def watched(*arguments: object) -> Iterator[batch.Prediction]:
        for one in whole(*arguments):
            if len(judged) == after:
                then()
            judged.append(Path(one.row.file).name)
            yield one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "predictions", watched)
        yield judged


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """As a full disk does it: a file breaks off, in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_keeps_its_rows_and_goes_on_there(number, status, cells, tmp_path):
    table, whole, maps = tmp_path / "out.csv", tmp_path / "whole.csv", tmp_path / "maps"
    report = tmp_path / "out.json"
    analyse(cells, "--csv", whole)
    table.write_bytes(OLD)
    how = (cells, "--csv", table, "--maps", maps, "--report", report)
    with counted(3, lambda: os.kill(os.getpid(), number)):
        run = analyse(*how)
    assert run.exit_code == status and "stopped after 3 of 6 files" in run.stderr
    assert "out.csv.part has their rows" in run.stderr.replace("\n", " ")
    assert table.read_bytes() == OLD
    kept = (tmp_path / "out.csv.part").read_text().splitlines()
    names = [cell["row"]["file"] for line in kept[1:] for cell in json.loads(line)["cells"]]
    assert [Path(name).name for name in names] == ["0.png", "1.png", "2.png"]
    with counted() as judged:
        run = analyse(*how)
    assert run.exit_code == 0 and judged == ["3.png", "4.png", "5.png"], run.output
    assert "has 3 of 6 files; going on from there" in run.stderr
    assert table.read_bytes() == whole.read_bytes()
    assert len(list(maps.glob("*.png"))) == 24
    assert len(json.loads(report.read_text())["rows"]) == 6
    assert not [name for name in files_in(tmp_path) if ".part" in name or ".lock" in name]


def test_a_photo_that_was_being_judged_when_a_run_stopped_is_judged_anew(photo, cells, tmp_path):
    table = tmp_path / "out.csv"
    shutil.copy(photo, cells / "0.png")
    with counted(1, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        run = analyse(cells, "--csv", table)
    assert run.exit_code == 143 and "stopped after 0 of 6 files" in run.stderr
    with counted() as judged:
        run = analyse(cells, "--csv", table)
    assert "7 rows of 6 files" in run.stderr and judged[:3] == ["0.png, cell 1", "0.png, cell 2", "1.png"]
    assert [Path(row["file"]).name for row in rows_of(table)] == judged
    run = analyse(photo, "--report", tmp_path / "out.png")
    assert run.exit_code == 2 and "a report ends in .pdf or .json" in run.stderr.replace("\n", " ")


def test_without_a_place_to_keep_them_the_rows_that_there_are_are_shown(cells):
    with counted(2, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        run = analyse(cells)
    assert run.exit_code == 143 and "2 files" in run.stderr and "going on" not in run.stderr
    assert "decision" in run.stdout


def test_a_line_that_a_kill_broke_off_is_done_again_and_other_files_begin_anew(cells, tmp_path):
    table, part = tmp_path / "out.csv", tmp_path / "out.csv.part"

    def interrupt() -> None:
        raise KeyboardInterrupt

    with counted(3, interrupt):
        analyse(cells, "--csv", table)
    part.write_bytes(part.read_bytes()[:-20])
    kept = part.read_bytes()
    with counted() as judged:
        analyse(cells, "--csv", table)
    assert judged == ["2.png", "3.png", "4.png", "5.png"] and len(rows_of(table)) == 6
    part.write_bytes(kept)
    shutil.copy(cells / "0.png", cells / "1.png")
    with counted() as judged:
        run = analyse(cells, "--csv", table)
    assert len(judged) == 6 and "begun anew" in run.stderr


def test_a_full_disk_is_one_sentence_and_nothing_half_written_stays(cells, tmp_path):
    table, part = tmp_path / "out" / "out.csv", tmp_path / "out" / "out.csv.part"
    table.parent.mkdir()
    table.write_bytes(OLD)
    with no_file_above(1500):
        run = analyse(cells, "--csv", table)
    assert run.exit_code == 2 and "out.csv.part: the disk is full" in run.stderr.replace("\n", " ")
    assert table.read_bytes() == OLD and files_in(table.parent) == {"out.csv", "out.csv.part"}
    there = part.read_bytes().count(b"\n") - 1
    assert 0 < there < 6
    with counted() as judged:
        assert analyse(cells, "--csv", table).exit_code == 0
    assert len(judged) == 6 - there and len(rows_of(table)) == 6

    # Room for the rows, and none for a table with their columns' names on each line.
    same = tmp_path / "out" / "out.json"
    same.write_bytes(OLD)
    with counted(6), no_file_above(len(same.read_bytes())):
        run = analyse(cells, "--maps", tmp_path / "maps", "--json", same)
    assert run.exit_code == 2 and run.stderr.count("the disk is full") == 1
    assert same.read_bytes() == OLD
    assert not [name for name in files_in(tmp_path / "maps") if name.endswith(".part")]


@pytest.mark.parametrize("make", [
    lambda path: artifact.write_whole(path, bytes(9000)),
    lambda path: artifact.write_tensors(path, {"a": __import__("numpy").zeros(9000)}),
    lambda path: write(path, [{"column": "x" * 9000}]),
])  # fmt: skip
def test_whatever_is_written_is_there_whole_or_not_at_all(make, tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    with no_file_above(1000), pytest.raises(OSError, match="a: the disk is full; make room"):
        make(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == OLD and files_in(tmp_path) == {"a"}


def test_a_table_keeps_its_rights_and_a_link_to_it_stays_one(tmp_path):
    (tmp_path / "real").write_bytes(OLD)
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    artifact.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600
    out, into = os.pipe()
    artifact.write_whole(Path(f"/dev/fd/{into}"), b"new")
    assert os.read(out, 9) == b"new"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (("--csv", "folder"), "--csv folder: is a folder; name a file in it"),
        (("--csv", "0.png"), "--csv 0.png: is 0.png too"),
        (("--csv", "a", "--json", "folder/../a"), "is --csv too"),
        (("--csv", "file/a.csv"), "--csv file/a.csv: cannot be written"),
        (("--maps", "file"), "--maps file: is a file; name a folder"),
        (("--report", "/proc/a.pdf"), "--report /proc/a.pdf: cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_judged(how, words, cells, tmp_path, monkeypatch):
    shutil.copy(cells / "0.png", tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "load", lambda _: pytest.fail("it was too late"))
    run = analyse("0.png", *how)
    assert run.exit_code == 2 and words in run.stderr.replace("\n", " "), run.stderr


def test_two_runs_do_not_write_one_table(cells, tmp_path):
    (tmp_path / "out.csv.part").touch()
    with artifact.alone(tmp_path / "out.csv.part"):
        run = analyse(cells / "0.png", "--csv", tmp_path / "out.csv")
    assert run.exit_code == 2 and "another command is writing there" in run.stderr


@pytest.mark.parametrize("where", ["maps", "."])
def test_a_second_run_does_not_read_what_the_first_wrote(where, cells):
    how = (cells, "--maps", cells / where, "--csv", cells / "out.csv")
    for _ in range(2):
        assert analyse(*how).exit_code == 0
        assert len(rows_of(cells / "out.csv")) == 6
    run = analyse(cells)
    assert "6 files: " in run.stderr and "24 written by an earlier run" in run.stderr


def test_cut_out_cells_are_input_for_analyse_and_not_for_cut(tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(cases() / "base_smear.png", photos / ("x" * 245 + ".png"))
    for _ in range(2):
        run = CliRunner().invoke(cli.app, ["cut", str(photos), "--out", str(photos)])
        assert run.exit_code == 0 and "1 photos: " in run.stderr, run.stderr
    cut = rows_of(photos / "cells.csv")
    assert len(cut) == len(list(photos.glob("*.png"))) - 1
    assert len(batch.find([photos])) == len(cut) + 1


def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip(f"no cases: {CASES} is not there")
    return CASES


def test_names_of_any_bytes_and_length_have_rows_maps_and_no_say_over_the_terminal(cells, tmp_path):
    names = [b"\xff\xfe.png", b"x" * 240 + b".png", b"two\nlines.png", b"\x1b[2J[red].png"]
    home = tmp_path / "odd"
    home.mkdir()
    for name in names:
        shutil.copy(cells / "0.png", os.fsdecode(bytes(home) + b"/" + name))
    run = analyse(home, "--csv", tmp_path / "out.csv", "--maps", tmp_path / "maps")
    assert run.exit_code == 0, run.output
    rows = rows_of(tmp_path / "out.csv")
    assert len(rows) == 4 and all(row["decision"] for row in rows)
    assert any(row["file"].endswith("\\xff\\xfe.png") for row in rows)
    assert len(list((tmp_path / "maps").glob("*.png"))) == 16
    shown = analyse(home)
    assert shown.exit_code == 0 and "\x1b[2J" not in shown.stdout


def test_nothing_in_a_csv_is_a_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(cases() / "formula")
    names = sorted(path.name for path in Path().iterdir())
    run = analyse(*(f"./{name}" for name in names), "--csv", tmp_path / "out.csv")
    assert run.exit_code == 0
    rows = [batch.Row(file=name, error=f"{name}: the file is empty.") for name in names]
    rows += [batch.Row(file=name) for name in ("a;=1+1.png", "\t=1", "＝1", "a-b=c.png", "1;-2", "'=1")]
    text = batch.as_csv(rows).decode()
    found = list(csv.DictReader(text.splitlines()))
    assert [row["file"] for row in found[:3]] == [f"'{name}" for name in names]
    assert all(row["error"].startswith("'") for row in found[:3])
    assert [row["file"] for row in found[3:]] == ["a;'=1+1.png", "\t'=1", "'＝1", "a-b=c.png", "1;'-2", "'=1"]
    assert json.loads(batch.as_json(rows))[0]["file"] == names[0]


def test_a_mixed_folder_has_a_row_or_a_counted_reason_for_each_file(tmp_path):
    run = analyse(cases() / "mixed_folder", cases() / "mac_folder", "--csv", tmp_path / "out.csv")
    rows = rows_of(tmp_path / "out.csv")
    said = run.stderr.replace("\n", " ")
    counted = int(said.partition(" left out: ")[0].split()[-1])
    assert len(rows) + counted == 7 and "1 hidden" in said
    names = {Path(row["file"]).name for row in rows}
    assert {"1.PNG", "3.jfif", "5.TIF", "a.png"} <= names and (".dcm" in said or "4.dcm" in names)
