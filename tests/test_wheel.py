"""The package stands alone: a wheel holds the ensemble, and decides where the repository is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from leukovision import synthetic

ROOT = Path(__file__).parents[1]


def files(package: Path, inside: str = "") -> set[Path]:
    return {
        path.relative_to(package)
        for path in (package / inside).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_wheel_decides_by_the_ensemble_in_it(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels, site, source = tmp_path / "wheels", tmp_path / "site", tmp_path / "source"
    # Of a copy: what an earlier build left in build/ would get into the wheel.
    for folder in ("leukovision", "weights"):
        shutil.copytree(ROOT / folder, source / folder)
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source], check=True, capture_output=True
    )
    (wheel,) = wheels.iterdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True, capture_output=True)
    # Templates, styles, scripts, languages: what is no module is listed in pyproject.toml by its ending.
    assert files(ROOT / "leukovision") == files(site / "leukovision") - files(site / "leukovision", "weights")
    Image.fromarray(synthetic.paint(synthetic.blast_like(1), seed=1)).save(tmp_path / "cell.png")
    found = subprocess.run(
        [sys.executable, "-m", "leukovision", "analyse", "cell.png", "--json", "out.json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0 and "(embedded)" in found.stderr, found.stderr
    where = "import leukovision.hub as hub; print(hub.EMBEDDED)"
    asked = [sys.executable, "-c", where]
    said = subprocess.run(
        asked, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True
    )
    assert Path(said.stdout.strip()) == site / "leukovision" / "weights"
