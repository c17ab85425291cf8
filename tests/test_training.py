"""Images -> an ensemble's folder: learns, and goes on after a kill as if nothing had been."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukovision import painter, read_cell, store
from leukovision.pixels import Input
from leukovision.training.augment import MARGIN, augment

INPUT = Input()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 painted cells of six subjects."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(24):
        kind, subject = ("all", f"{number % 3 + 1}") if number < 12 else ("hem", f"H{number % 3 + 1}")
        recipe = painter.blast_like(number) if kind == "all" else painter.lymphocyte_like(number)
        path = folder / "fold_0" / kind / f"UID_{subject}_{number}_1_{kind}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(painter.paint(recipe, seed=number)).save(path)
    return folder


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "leukovision", "train", str(data), "--out", str(out), "--backbone",
            "inception_v3", "--backbone-weights", "none", "--size", "96", "--epochs", "2", "--cells", "24",
            "--batch", "8", *more]  # fmt: skip


def test_a_killed_run_goes_on_with_the_same_result(data: Path, tmp_path: Path) -> None:
    subprocess.run(command(data, tmp_path / "whole"), check=True, capture_output=True)
    killed = subprocess.Popen(command(data, tmp_path / "killed"), stderr=subprocess.DEVNULL)
    first = tmp_path / "killed" / "checkpoints" / "inception_v3" / "epoch.json"
    while not first.exists():
        assert killed.poll() is None, "ended before its first checkpoint"
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "inception_v3.safetensors").exists()
    subprocess.run(command(data, tmp_path / "killed", "--resume"), check=True, capture_output=True)
    whole, resumed = (
        store.read_tensors(tmp_path / run / "inception_v3.safetensors") for run in ("whole", "killed")
    )
    for name, tensor in whole.items():
        assert np.abs(tensor - resumed[name]).max() <= 1e-3, name


def test_a_run_is_not_overwritten_nor_mixed_with_another(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    again = subprocess.run(command(data, tmp_path), capture_output=True, text=True)
    assert again.returncode == 2 and "--resume" in again.stderr
    other = subprocess.run(command(data, tmp_path, "--resume"), capture_output=True, text=True)
    assert other.returncode == 2 and "another recipe" in other.stderr


def test_starting_weights_that_are_not_there_are_named(data: Path, tmp_path: Path) -> None:
    how = [part if part != "none" else str(tmp_path) for part in command(data, tmp_path / "out")]
    run = subprocess.run(how, capture_output=True, text=True)
    assert run.returncode == 2 and "inception_v3*.weights.h5" in run.stderr


def test_augmentation_is_the_same_for_a_seed_and_keeps_black_black() -> None:
    cell = read_cell(painter.paint(painter.blast_like(3), seed=3))
    picture = INPUT.picture(cell, round(INPUT.size * MARGIN), MARGIN)
    first, again, other = (augment(picture, INPUT, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert first.shape == (192, 192, 3) and first.dtype == np.float32
    assert (first[:8, :8] == -1).all()


def test_numbers_do_not_change_with_brightness_tint_or_size() -> None:
    recipe = painter.CellRecipe(diameter=220)
    plain = painter.paint(recipe, seed=5).astype(float)
    tinted = np.where(plain > 0, np.clip(plain * [1.3, 1.1, 0.9] + 8, 13, 255), 0).astype(np.uint8)
    ours, theirs = (INPUT.numbers(INPUT.picture(read_cell(p.astype(np.uint8)))) for p in (plain, tinted))
    inside = (ours > -1).all(axis=2)
    assert np.abs(ours - theirs)[inside].mean() < 0.05
    small = read_cell(painter.paint(painter.CellRecipe(diameter=150), seed=5))
    assert abs((INPUT.numbers(INPUT.picture(small)) > -1).mean() - (ours > -1).mean()) < 0.02
