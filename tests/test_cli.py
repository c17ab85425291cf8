"""The command line: a row each, a sentence for what is wrong, an exit status that says so."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leukovision import Ensemble, cli, read_cell
from leukovision.cli import loading

COLUMNS = ["file", "decision", "p_all", "p_all_xception", "p_all_inception_resnet_v2", "p_all_inception_v3",
           "in_domain", "reason", "error", "box", "marks", "area", "diameter", "nucleus_to_cell", "roundness",
           "indentation", "coarseness", "nucleoli", "basophilia", "px_per_um"]  # fmt: skip
RUN = CliRunner()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return list(reader)


@pytest.mark.long
def test_analyse_writes_a_row_a_cell_and_the_same_as_json(real_cells: list[Path], tmp_path: Path) -> None:
    for path in real_cells:
        (tmp_path / "in" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "in" / path.parent.name)
    table, same = tmp_path / "out.csv", tmp_path / "out.json"
    run = RUN.invoke(cli.app, ["analyse", str(tmp_path / "in"), "--csv", str(table), "--json", str(same)])
    assert run.exit_code == 0, run.output
    rows = rows_of(table)
    assert len(rows) == len(real_cells) == len(json.loads(same.read_text()))
    assert {row["decision"] for row in rows} <= {"ALL", "healthy", "unsure"}
    assert all(0 <= float(row[column]) <= 1 for row in rows for column in COLUMNS[2:6])
    assert all(row["in_domain"] == "True" and not row["error"] for row in rows)
    assert all(float(row["area"]) > 10_000 and 0 < float(row["roundness"]) <= 1 for row in rows)


@pytest.mark.usefixtures("loaded")
def test_every_bad_file_has_its_row_and_the_rest_is_done(
    bad_files: dict[Path, str], real_cells: list[Path], tmp_path: Path
) -> None:
    table = tmp_path / "out.csv"
    paths = [str(path) for path in (*bad_files, real_cells[0], Path(__file__))]
    run = RUN.invoke(cli.app, ["analyse", *paths, "--csv", str(table)])
    assert run.exit_code == 1
    rows = rows_of(table)
    assert [row["file"] for row in rows] == paths
    for row, (path, reason) in zip(rows, bad_files.items(), strict=False):
        assert path.name in row["error"] and reason in row["error"]
        assert not any(row[column] for column in COLUMNS[1:] if column != "error")
    assert rows[-2]["decision"] and not rows[-2]["error"]
    assert "not an image" in rows[-1]["error"]


@pytest.mark.usefixtures("loaded")
def test_analyse_writes_four_maps_a_cell(real_cells: list[Path], tmp_path: Path) -> None:
    run = RUN.invoke(cli.app, ["analyse", str(real_cells[0]), "--maps", str(tmp_path)])
    assert run.exit_code == 0, run.output
    assert len(list(tmp_path.glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyse", "nowhere.png"], "nowhere.png"),
        (["analyse", ".", "--ensemble", "nowhere"], "nowhere"),
        (["analyse", __file__, "--views", "3"], "--views"),
        (["analyse", __file__, "--workers", "2"], "--ray"),
        (["analyse", __file__, "--ray", "local"], "--parquet FOLDER"),
        (["train", "nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_and_ends_with_two(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.png").touch()
    run = RUN.invoke(cli.app, arguments)
    assert run.exit_code == 2 and words in run.stderr


def test_evaluate_scores_cells_and_figures_are_made_again_from_them_alone(
    cnmc: Path, ensemble: Ensemble, real_cells: list[Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for path in real_cells:
        (data / path.parent.parent.name / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, data / path.parent.parent.name / path.parent.name)
    out, own = tmp_path / "figures", tmp_path / "own"
    run = RUN.invoke(cli.app, ["evaluate", str(ensemble.found.folder), str(data), "--out", str(out)])
    assert run.exit_code == 0, run.output
    content = json.loads((out / "figures.json").read_text())
    assert {*ensemble.networks, "majority_vote", "as_loaded", "ensemble"} <= set(content["figures"])
    with (out / "cells.csv").open() as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(real_cells)
    right = sum((float(row["p_all"]) >= 0.5) == (row["class"] == "ALL") for row in cells)
    assert right / len(cells) == pytest.approx(content["figures"]["as_loaded"]["accuracy"]["value"], abs=1e-4)
    (raw,) = [row for row in cells if row["file"] == real_cells[0].name]
    (analysis,) = ensemble.analyse([read_cell(real_cells[0])])
    pooled = ensemble.manifest.bias + sum(
        spec.weight * float(raw[f"logit_{spec.backbone}"]) / spec.temperature
        for spec in ensemble.manifest.members
    )
    assert pooled == pytest.approx(analysis.logit, abs=1e-3)

    run = RUN.invoke(cli.app, ["figures", str(out / "cells.csv"), "--out", str(tmp_path / "again")])
    assert run.exit_code == 0, run.output
    assert json.loads((tmp_path / "again" / "figures.json").read_text()) == content
    own.mkdir()
    shutil.copy(ensemble.found.folder / "ensemble.json", own)
    for command, made in (("calibrate", out / "cells.csv"), ("card", out / "figures.json")):
        run = RUN.invoke(cli.app, [command, str(own), str(made)])
        assert run.exit_code == 0, run.output
    figures = json.loads((own / "ensemble.json").read_text())["figures"]
    assert figures["calibration"]["cells"] == figures["unseen"]["cells"] == len(real_cells)
    assert "Not a medical device" in (own / "README.md").read_text()


def test_a_sample_of_what_several_ensembles_held_out_is_scored_by_each(
    cnmc: Path, ensemble: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only manifests differ here, and loading takes long.
    monkeypatch.setattr(loading, "load", lambda _: ensemble)
    data = tmp_path / "data"
    subjects: dict[str, list[str]] = {"a": [], "b": []}
    for kind in ("all", "hem"):
        (data / "fold_0" / kind).mkdir(parents=True)
        found = {
            p.stem.split("_")[1]: p for p in sorted((cnmc / "training_data/fold_0" / kind).glob("*.jpg"))
        }
        for place, (subject, path) in enumerate(list(found.items())[:4]):
            shutil.copy(path, data / "fold_0" / kind)
            subjects["ab"[place % 2]].append(subject)
    for name, held_out in subjects.items():
        (tmp_path / name).mkdir()
        manifest = json.loads((ensemble.found.folder / "ensemble.json").read_text())
        manifest["training"]["held_out_subjects"] = held_out
        (tmp_path / name / "ensemble.json").write_text(json.dumps(manifest))
    folders = [str(tmp_path / name) for name in subjects]
    run = RUN.invoke(
        cli.app, ["evaluate", *folders, str(data), "--out", str(tmp_path / "out"), "--sample", "8"]
    )
    assert run.exit_code == 0, run.output
    with (tmp_path / "out" / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["subject"]: row["part"] for row in rows} == {
        s: n for n, found in subjects.items() for s in found
    }
