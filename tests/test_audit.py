"""A folder -> what is wrong with it; a split that leaks is said, and ends with 1."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from leukovision import cli, synthetic
from leukovision.training import dataset
from leukovision.training.audit import audit

RUN = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Cells with one fault of each kind, and a donor, H3, in both folds."""
    folder = tmp_path / "data"
    names = [
        "fold_0/all/UID_1_1_1_all",
        "fold_0/all/UID_20_1_1_all",
        "fold_0/all/UID_2_1_1_hem",
        "fold_0/hem/UID_H1_1_1_hem",
        "fold_0/hem/UID_h3_1_1_hem",
        "fold_1/hem/UID_H3_2_1_hem",
        "fold_1/all/cell7",
    ]
    for seed, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(path)
    shutil.copy(folder / "fold_0/all/UID_20_1_1_all.png", folder / "fold_1/all/UID_21_1_1_all.png")
    whole = (folder / "fold_0/all/UID_1_1_1_all.png").read_bytes()
    (folder / "fold_1/all/UID_22_1_1_all.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_every_planted_fault_is_found_and_nothing_else(data: Path) -> None:
    found = audit(data)
    assert found.files == 9
    assert list(found.unreadable) == ["fold_1/all/UID_22_1_1_all.png"]
    assert "truncated" in found.unreadable["fold_1/all/UID_22_1_1_all.png"]
    assert found.nameless == ["fold_1/all/cell7.png"]
    assert found.contradicting == ["fold_0/all/UID_2_1_1_hem.png"]
    assert found.spellings == {"H3": ["H3", "h3"]}
    assert found.mixed == []
    (twins,) = found.duplicates
    assert twins.files == ["fold_0/all/UID_20_1_1_all.png", "fold_1/all/UID_21_1_1_all.png"]
    assert (twins.subjects, twins.folds, twins.classes) == (["20", "21"], ["fold_0", "fold_1"], ["ALL"])
    assert found.sizes == {"450 x 450": 8}
    assert found.subjects["H3"] == {"ALL": 0, "healthy": 2} and len(found.subjects) == 6
    assert found.split is None


def test_a_subject_with_cells_of_both_classes_is_found(data: Path) -> None:
    (data / "fold_0/all/UID_2_1_1_hem.png").rename(data / "fold_0/all/UID_H1_2_1_hem.png")
    assert audit(data).mixed == ["H1"]


def test_a_leaking_split_is_said_and_ends_with_one(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "reports" / "audit.json"
    run = RUN.invoke(cli.app, ["audit", str(data), "--split", "folds", "--json", str(report)])
    assert run.exit_code == 1 and "leaks" in run.stderr and "H3" in run.stderr
    split = json.loads(report.read_text())["split"]
    assert split["subjects"] == {"H3": ["fold_0", "fold_1"]}
    assert split["twins"] == [["fold_0/all/UID_20_1_1_all.png", "fold_1/all/UID_21_1_1_all.png"]]
    assert split["sides"]["fold_0"] == {"ALL": 3, "healthy": 2, "ALL subjects": 3, "healthy subjects": 2}


def test_what_is_held_out_under_another_name_is_noted_but_is_no_leak(data: Path) -> None:
    run = RUN.invoke(cli.app, ["audit", str(data), "--hold-out", "21"])
    assert run.exit_code == 0 and "several names: 1." in run.stdout


def test_the_terminal_shows_the_first_few_and_the_json_all(data: Path, tmp_path: Path) -> None:
    cell = (data / "fold_0/all/UID_1_1_1_all.png").read_bytes()
    for number in range(12):
        (data / "fold_0" / "all" / f"nameless{number:02}.png").write_bytes(cell)
    report = tmp_path / "audit.json"
    run = RUN.invoke(cli.app, ["audit", str(data), "--json", str(report)], env={"COLUMNS": "300"})
    assert run.exit_code == 0
    assert "nameless00" in run.stdout and "nameless11" not in run.stdout and "and 10 more" in run.stdout
    content = json.loads(report.read_text())
    assert len(content["nameless"]) == 13
    assert sorted(len(same["files"]) for same in content["duplicates"]) == [2, 13]


@pytest.mark.parametrize("more", [[], ["--split", "nowhere.csv"], ["--hold-out", "fold_7"]])
def test_a_folder_or_split_that_is_none_ends_with_two(data: Path, more: list[str]) -> None:
    run = RUN.invoke(cli.app, ["audit", str(data if more else data / "fold_0" / "hem" / "x"), *more])
    assert run.exit_code == 2 and "error:" in run.stderr


def test_duplicates_of_the_real_cells_are_those_of_the_official_index(cnmc: Path) -> None:
    """Of 104 groups in all of C-NMC, 101 have two names or more among the cells here."""
    found = dataset.twins(dataset.read_images(cnmc / "training_data"))
    with (cnmc / "official_index.csv").open(newline="") as file:
        here = [row for row in csv.DictReader(file) if row["here"] == "1"]
    count = Counter(row["sha256"] for row in here)
    official = {}
    for row in here:
        if count[row["sha256"]] > 1:
            official.setdefault(row["sha256"], set()).add(Path(row["name"]).stem)
    assert len(found) == 101
    assert {frozenset(i.path.stem for i in group) for group in found} == set(
        map(frozenset, official.values())
    )
    pairs = Counter(" ".join(sorted({image.subject for image in group})) for group in found)
    assert pairs == {"20 21": 71, "51 78": 11, "51 75": 10, "H10": 5, "H2 H5": 2, "H2 H6": 1, "H10 H3": 1}
