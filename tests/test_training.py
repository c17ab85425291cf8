"""Images -> an ensemble's folder: learns, says who was held out, and sees each image only once."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from leukovision import artifact, load_ensemble, read_cell, synthetic
from leukovision.backbones import Standard, build, set_standard
from leukovision.cli import app
from leukovision.hub import EMBEDDED
from leukovision.preprocessing import Input, coarse_chroma
from leukovision.training import dataset, fine_tuning_loop
from leukovision.training.recipe import Recipe
from leukovision.training.train import train_ensemble

INPUT = Input(geometry="fill", size=256, colour="standardised")


@pytest.fixture(scope="module", autouse=True)
def _few() -> Iterator[None]:
    """What is claimed does not hang on how many batches statistics are taken from, or when a run is saved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fine_tuning_loop, "STATISTICS", 2)
        patch.setattr(fine_tuning_loop, "_SAVED_EVERY", 4)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """66 painted cells of six subjects."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(66):
        kind, subject = ("all", f"{number % 3 + 1}") if number < 33 else ("hem", f"H{number % 3 + 1}")
        recipe = synthetic.blast_like(number) if kind == "all" else synthetic.lymphocyte_like(number)
        path = folder / "fold_0" / kind / f"UID_{subject}_{number}_1_{kind}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(synthetic.paint(recipe, seed=number)).save(path)
    return folder


def trains(data: Path, out: Path, *more: str, weights: str = "none") -> str:
    """What `leukovision train` says of a small network, in this process; "" if it trained one."""
    small = ["--backbone", "inception_v3", "--backbone-weights", weights, "--size", "96"]
    done = CliRunner().invoke(app, ["train", str(data), "--out", str(out), *small, *more])
    assert done.exit_code in (0, 2), done.output
    return " ".join(done.output.split()) if done.exit_code else ""


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of one, trained without subjects 1 and H1."""
    out = tmp_path_factory.mktemp("trained") / "one"
    features = str(out.parent / "kept")
    assert trains(data, out, "--hold-out", "1,H1", "--name", "one", "--features", features) == ""
    return out


def test_an_ensemble_says_who_was_held_out_of_its_training(trained: Path) -> None:
    training = artifact.read_manifest(trained).training
    assert training["held_out_subjects"] == ["1", "H1"]
    assert training["subjects"] == {"ALL": 2, "healthy": 2}


def test_a_run_that_was_killed_before_it_said_how_cells_look_goes_on(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one"
    shutil.copytree(trained, out)
    whole = artifact.read_manifest(out)
    artifact.write_manifest(out, whole.model_copy(update={"domain": None}))
    (out / whole.domain.file).unlink()
    assert trains(data, out, "--hold-out", "1,H1", "--name", "one") == ""
    assert artifact.read_manifest(out) == whole
    assert "holds an ensemble already" in trains(data, out, "--hold-out", "1,H1", "--name", "one")


def test_a_training_goes_on_from_an_ensemble_s_networks(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("--samples", "16", "--rate", "1e-9", "--sample", "20")
    assert trains(data, tmp_path / "on", "--preset", "mixed", *few, weights="embedded") == ""
    own = artifact.read_manifest(EMBEDDED)
    assert artifact.read_manifest(tmp_path / "on").training["start"] == f"{own.name} {own.version}"
    file = "inception_v3.safetensors"
    was, now = artifact.read_tensors(EMBEDDED / file), artifact.read_tensors(tmp_path / "on" / file)
    for name in (name for name in now if name.endswith(".kernel")):
        assert np.abs(now[name].astype(float) - was[name]).max() <= 2e-3 * np.abs(was[name]).max(), name
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").symlink_to(EMBEDDED)
    said = trains(data, tmp_path / "off", "--preset", "compact", *few, weights="elsewhere")
    assert "cut at mixed7" in said


def test_an_ensemble_learns_to_tell_its_training_cells_apart(data: Path, trained: Path) -> None:
    ensemble = load_ensemble(trained)
    analyses = {
        path: ensemble.analyse([read_cell(path)])[0].logit
        for kind in ("all", "hem")
        for path in sorted((data / "fold_0" / kind).glob("UID_*[23]_*_1_*.png"))
    }
    blasts, others = ([v for p, v in analyses.items() if p.parent.name == kind] for kind in ("all", "hem"))
    assert np.median(blasts) > np.median(others)


def test_what_the_backbones_saw_is_kept_and_gives_the_same_result(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    kept = sorted((trained.parent / "kept").glob("*.npz"))
    assert len(kept) == 2  # of the cells as they are, and of their changed copies
    before = [file.stat().st_mtime_ns for file in kept]
    more = ("--hold-out", "1,H1", "--features", str(trained.parent / "kept"))
    assert trains(data, tmp_path / "again", *more) == ""
    assert [file.stat().st_mtime_ns for file in kept] == before
    first, again = (
        artifact.read_tensors(f / "inception_v3.safetensors") for f in (trained, tmp_path / "again")
    )
    assert all(np.abs(tensor - again[name]).max() <= 1e-3 for name, tensor in first.items())


def test_whole_networks_learn_and_a_run_that_is_killed_goes_on_to_the_same_result(
    data: Path, tmp_path: Path
) -> None:
    images, once, again = dataset.read_images(data)[::11], tmp_path / "once", tmp_path / "again"
    recipe = Recipe.of("whole", input={"size": 75}, samples=10 * 8, batch=8, rate=1e-3)

    def leave(_: str, done: int, *__: object) -> None:
        """What is on the disk after six steps is all that a run which is killed there would leave."""
        if done == 6:
            shutil.copytree(once, again)

    train_ensemble(images, once, recipe, ["xception"], progress=leave)
    with pytest.raises(ValueError, match="another recipe"):
        train_ensemble(images, again, replace(recipe, seed=2), ["xception"])
    steps: list[int] = []
    train_ensemble(images, again, recipe, ["xception"], progress=lambda _, done, *__: steps.append(done))
    assert steps == [5, 6, 7, 8, 9, 10]
    assert not [*once.glob("*.checkpoint.npz"), *again.glob("*.checkpoint.npz")]
    one, two = (artifact.read_tensors(folder / "xception.safetensors") for folder in (once, again))
    assert all(np.abs(tensor - two[name]).max() <= 1e-3 for name, tensor in one.items())
    logs = [(folder / "logs" / "xception.csv").read_text().splitlines()[1:] for folder in (once, again)]
    assert [[line.split(",")[0] for line in lines] for lines in logs] == [[str(n) for n in range(1, 11)]] * 2
    losses = [float(line.split(",")[2]) for line in logs[0]]
    assert losses[0] == pytest.approx(np.log(2), abs=1e-3)  # it starts from nothing
    assert np.mean(losses[1:]) < 0.95 * losses[0]


def test_an_ensemble_is_not_overwritten(data: Path, trained: Path) -> None:
    assert "another --out" in trains(data, trained)


def test_two_trainings_do_not_write_one_folder(data: Path, tmp_path: Path) -> None:
    with artifact.alone(tmp_path):
        assert "another command is writing there" in trains(data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_starting_weights_that_are_not_there_are_named(data: Path, tmp_path: Path) -> None:
    assert "inception_v3*.weights.h5" in trains(data, tmp_path / "out", weights=str(tmp_path))


def test_every_channel_enters_the_head_with_mean_0_and_spread_1_or_not_at_all() -> None:
    network, rng = build("inception_v3", "mixed0", 96), np.random.default_rng(0)
    seen = rng.gamma(1.0, 0.3, (50, 256)).astype(np.float32)
    seen[:, 0] = 0.2
    whole = Standard.of(seen)
    set_standard(network, whole)
    standard = whole(seen)
    assert np.abs(standard.mean(axis=0)).max() < 1e-4 and np.abs(standard[:, 1:].std(axis=0) - 1).max() < 1e-4
    assert np.abs(standard[:, 0]).max() < 1e-3
    maps = np.repeat(seen[:, None, None], 2, axis=1)
    assert np.abs(np.asarray(network.get_layer("standard")(maps))[:, 0, 0] - standard).max() < 1e-4


def test_coarse_chroma_leaves_the_light_and_the_black_and_takes_fine_colour_away() -> None:
    rng = np.random.default_rng(0)
    picture = synthetic.paint(synthetic.blast_like(1), seed=1)
    inside = picture.max(axis=2) > 20
    noisy = picture.copy()
    noisy[inside] = np.clip(noisy[inside] + rng.normal(0, 20, (inside.sum(), 3)), 13, 255).astype(np.uint8)
    coarse = coarse_chroma(noisy, 6)
    assert (coarse[~inside] == noisy[~inside]).all()
    before, after = (np.asarray(Image.fromarray(p).convert("YCbCr")).astype(float) for p in (noisy, coarse))
    assert np.abs(before - after)[inside][:, 0].mean() < 1.5
    assert (after[inside][:, 1:].std(axis=0) < 0.5 * before[inside][:, 1:].std(axis=0)).all()


def test_numbers_do_not_change_with_brightness_tint_or_size() -> None:
    recipe = synthetic.CellRecipe(diameter=220)
    plain = synthetic.paint(recipe, seed=5).astype(float)
    tinted = np.where(plain > 0, np.clip(plain * [1.3, 1.1, 0.9] + 8, 13, 255), 0).astype(np.uint8)
    ours, theirs = (INPUT.numbers(INPUT.picture(read_cell(p.astype(np.uint8)))) for p in (plain, tinted))
    inside = (ours > -1).all(axis=2)
    assert np.abs(ours - theirs)[inside].mean() < 0.05
    small = read_cell(synthetic.paint(synthetic.CellRecipe(diameter=150), seed=5))
    assert abs((INPUT.numbers(INPUT.picture(small)) > -1).mean() - (ours > -1).mean()) < 0.02
