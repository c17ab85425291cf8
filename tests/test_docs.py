"""What is written about the program: links lead somewhere, the pages build, the tutorial runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    gone = [link for link in links if ":" not in link and not (page.parent / link).exists()]
    assert not gone, f"{page.name} links to {gone}, which are not there"


def test_the_examples_are_what_their_pages_say() -> None:
    """To renew them, in docs/examples: leukovision analyse smear.png --geojson smear.geojson
    --fhir smear.fhir.json --made 2026-01-01T12:00:00"""
    shapely, client = pytest.importorskip("shapely"), pytest.importorskip("fhirclient.models.bundle")
    home = ROOT / "docs" / "examples"
    features = json.loads((home / "smear.geojson").read_bytes())["features"]
    drawn = [shapely.geometry.shape(one["geometry"]) for one in features]
    assert len(drawn) == 2 and all(one.is_valid for one in drawn)
    with Image.open(home / "smear.png") as photo:
        assert shapely.box(0, 0, *photo.size).contains(shapely.union_all(drawn))
    bundle = client.Bundle(json.loads((home / "smear.fhir.json").read_bytes()), strict=True)
    assert [one.resource.resource_type for one in bundle.entry].count("Observation") == 3


def test_the_walks_of_the_architecture_pass_functions_that_there_are() -> None:
    walks = re.findall(r"^ {4,}([\w/]+)\.(?!js\b)(\w+)", (ROOT / "docs/architecture.md").read_text(), re.M)
    modules = {path: path.read_text() for path in (ROOT / "leukovision").rglob("*.py")}
    gone = []
    for where, name in walks:
        texts = [
            text
            for path, text in modules.items()
            if str(path).removesuffix(".py").removesuffix("/__init__").endswith(f"/{where}")
            or re.search(rf"^class {where}\b", text, re.M)
        ]
        gone += [] if any(re.search(rf"\b{name}\b", text) for text in texts) else [f"{where}.{name}"]
    assert len(walks) > 40 and not gone, f"docs/architecture.md passes {gone}, which are not there"


@pytest.mark.skipif(not find_spec("mkdocs"), reason="needs the extra docs")
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    reference = (tmp_path / "reference" / "index.html").read_text(encoding="utf-8")
    assert all(name in reference for name in ("load_ensemble", "read_cell", "MemberAnalysis", "find_cells"))


@pytest.mark.long
def test_the_tutorial_runs_from_a_cell_to_what_its_map_proves() -> None:
    notebook = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        assert not cell.get("outputs"), "keep outputs out of the notebook: they are of one machine"
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert -1 <= names["likeness"] <= 1 and names["check"].verdict in ("yes", "chance", "unclear")
