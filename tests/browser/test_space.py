"""What is in the repository, and nothing else, makes a Space and a container that work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import ROOT, serving

UV = Path(sys.executable).with_name("uv")
NOBODY = "65534"
CLEAN = {"PYTHONPATH": "", "VIRTUAL_ENV": "", "LEUKOVISION_ENSEMBLE": ""}

pytestmark = pytest.mark.skipif(not UV.is_file(), reason="uv is not installed: make test installs it")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that a user without rights can reach, which those of pytest are not."""
    made = Path(tempfile.mkdtemp(prefix="leukovision-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    """The files of the repository, as a push or an image has them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a checkout: which files belong to the repository is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    return folder / "source"


def home(folder: Path, name: str) -> Path:
    """A folder that anybody may write to."""
    made = folder / f"home of {name}"
    made.mkdir()
    made.chmod(0o777)
    return made


def uv(*words: str | Path) -> None:
    done = subprocess.run([UV, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def python(folder: Path) -> Path:
    """That of an environment of its own, of Python 3.12 where it is here. One environment after the other,
    so that what both have is compiled once."""
    for version in ("3.12", sys.executable):
        command = [UV, "venv", "--no-python-downloads", "--python", version, folder / "environment"]
        if not subprocess.run(command, capture_output=True).returncode:
            break
    return folder / "environment" / "bin" / "python"


def test_a_push_to_a_space_starts_and_decides(folder, source, python, browser):
    front = (source / "README.md").read_text().split("---\n")[1]
    settings = dict(re.findall(r"^(\w+): \"?([^\"\n]+)\"?$", front, re.M))
    assert settings["sdk"] == "gradio" and settings["app_file"] == "app.py"
    assert settings["python_version"] == "3.12"
    # A Space installs its own Gradio beside what requirements.txt wants.
    own = f"gradio[mcp,oauth]=={settings['sdk_version']}"
    uv("pip", "install", "--python", python, "-r", source / "requirements.txt", own)
    with serving(home(folder, "space"), python, "app.py", cwd=source, SYSTEM="spaces", **CLEAN) as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.wait_for_selector(".lv-zone")
        page.click("[data-index='0']")
        page.wait_for_selector(".lv-decision")
        assert page.locator(".lv-sum tfoot td").count() == 3
        page.close()


def test_the_container_s_steps_end_in_a_page_that_a_user_without_rights_serves(folder, source, python):
    steps = (source / "Dockerfile").read_text()
    for words in ("requirements.lock", "--require-hashes", "USER page", "HEALTHCHECK", "/healthz"):
        assert words in steps
    image = folder / "image"
    image.mkdir()
    for line in re.findall(r"^COPY (.+) \S+$", steps, re.M):
        for name in line.split():
            assert f"!{name}" in (source / ".dockerignore").read_text().splitlines()
            copy = shutil.copytree if (source / name).is_dir() else shutil.copyfile
            copy(source / name, image / name)
    # What the lock file does not name goes again.
    uv("pip", "sync", "--python", python, "--require-hashes", source / "requirements.lock")
    subprocess.run(["chmod", "-R", "a+rX,a-w", image], check=True)
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    reached = [*as_nobody, python, "-c", "import numpy"]
    if os.geteuid() or not shutil.which("setpriv") or subprocess.run(reached).returncode:
        pytest.skip("no user without rights can be taken on here, or they cannot reach this Python")
    own = home(folder, "nobody")
    command = [*as_nobody, python, "app.py"]
    with serving(own, *command, cwd=image, HOME=str(own), PYTHONDONTWRITEBYTECODE="1", **CLEAN) as address:
        with urllib.request.urlopen(f"{address}/healthz") as answer:
            assert answer.read() == b"ok"
        with urllib.request.urlopen(f"{address}/gradio_api/info") as answer:
            assert b"/analyse" in answer.read()
