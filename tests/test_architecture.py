"""The rules that keep the way of a picture one-way, and the two lists of requirements one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    lint = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout


def test_neither_the_package_nor_the_command_line_loads_tensorflow_or_gradio() -> None:
    code = "import sys, leukovision.cli; print({'tensorflow', 'keras', 'gradio'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_requirements_are_the_project_s_dependencies_and_each_says_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1] not in "#"]
    assert lines and all(re.match(r"[\w-]+[>=]=[\d.]+ +# \S+", line) for line in lines)


def test_what_is_required_is_locked() -> None:
    required = re.findall(r"^([\w-]+)[>=]=", (ROOT / "requirements.txt").read_text(), re.M)
    locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    assert not {name.lower().replace("_", "-") for name in required} - set(locked), "make requirements.lock"


def test_the_space_s_front_matter_names_what_is_installed() -> None:
    front = (ROOT / "README.md").read_text().split("---")[1]
    floor = re.search(r"^gradio>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.M)[1]
    assert f"sdk_version: {floor}" in front and "app_file: app.py" in front
