"""The rules that keep the way of a picture one-way, and the two lists of requirements one."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]

LISTS = {
    "analyse.py": ["tab"],
    "api.py": ["endpoints"],
    "batch_tab.py": ["tab"],
    "build.py": ["build"],
    "synthetic.py": ["paint"],
    "card.py": ["card"],
}
"""Functions that are a list: of what a page, the endpoints, a card or a drawn cell are made of."""


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    lint = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert lint.returncode == 0, f"imports run one way, as .importlinter says:\n{lint.stdout}"


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


def modules() -> list[Path]:
    return sorted((ROOT / "leukovision").rglob("*.py"))


def test_no_file_is_longer_than_400_lines() -> None:
    long = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules()}
    long = {str(path): count for path, count in long.items() if count > 400}
    assert not long, f"a file holds one idea, in at most 400 lines; longer are {long}"


def test_no_function_is_longer_than_60_lines() -> None:
    long = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name not in LISTS.get(path.name, ()):
                lines = (node.end_lineno or 0) - node.body[0].lineno + 1
                long += [f"{path.name} {node.name} ({lines})"] if lines > 60 else []
    assert not long, f"a function does one thing, in at most 60 lines; longer are {', '.join(long)}"


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in modules() if path.stem != "__init__")
    twice = [name for name, count in names.items() if count > 1]
    assert not twice, f"a module is found by its name; of two modules are {twice}"


def test_html_of_the_page_comes_from_templates() -> None:
    """What Gradio is handed as it stands holds no values, and so is no f-string."""
    inline = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "leukovision" / "demo").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        and any(isinstance(part, ast.Constant) and re.search("</?[a-z]", part.value) for part in node.values)
    ]
    assert not inline, f"values get into HTML in demo/templates/, which escape them; not so in {inline}"


def test_each_module_says_in_its_first_line_what_it_is_for() -> None:
    silent = [str(path.relative_to(ROOT)) for path in modules() if not path.read_text().startswith('"""')]
    assert not silent, f"a module's first line says what comes in and what goes out; silent are {silent}"


def test_a_wheel_has_every_package() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in modules()}
    assert found <= listed, f"pyproject.toml lists the packages of a wheel; it lacks {found - listed}"


def test_what_a_docstring_names_of_another_module_is_there() -> None:
    named = {path.stem: path.read_text() for path in modules()}
    gone = [
        f"{path.name}: {module}.{name}"
        for path in modules()
        for module, name in re.findall(r"`(\w+)\.([A-Z]\w+)`", path.read_text())
        if not re.search(rf"^(class |){name}\b", named.get(module, ""), re.M) and module != "gr"
    ]
    assert not gone, f"docstrings name what was renamed: {gone}"
