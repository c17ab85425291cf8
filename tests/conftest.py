"""What tests share: real cells, a drawn photo, the embedded ensemble, files that must be refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bad_files import make_bad_files
from PIL import Image

from leukovision import Ensemble, load_ensemble, read_cell, synthetic
from leukovision.cli import loading
from leukovision.hub import EMBEDDED

LONG = (
    "test_hub.py", "test_space.py", "test_page.py", "test_access.py", "test_training.py", "test_batch_tab.py",
    "test_api.py", "test_ray_jobs.py", "test_languages.py", "test_teach.py", "test_methods.py",
    "test_ensemble.py", "test_other_question.py", "test_shutdown.py", "test_wheel.py", "test_run.py",
)  # fmt: skip
"""Files that take longest, by name: first of all, and not in `make check`."""

NETWORKS = {"ensemble", "alone", "lymphocytes", "address"}
"""Fixtures that load networks, or start a page."""

CNMC = Path(__file__).parents[2] / "shared" / "data" / "cnmc"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: at the end no worker waits for one that another has just begun."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    for item in items:
        if item.path.name in LONG or NETWORKS & set(getattr(item, "fixturenames", ())):
            item.add_marker("long")


@pytest.fixture(scope="session")
def cnmc() -> Path:
    """The folder of real cells; what needs it is skipped where it is not."""
    if not (CNMC / "training_data").is_dir():
        pytest.skip(f"no real cells: {CNMC} is not there")
    return CNMC


@pytest.fixture(scope="session")
def real_cells(cnmc: Path) -> list[Path]:
    """24 real cells, ALL and healthy, of many subjects."""
    kinds = [sorted((cnmc / "training_data").glob(f"fold_*/{kind}/*.jpg")) for kind in ("all", "hem")]
    return [path for files in kinds for path in files[:: len(files) // 12][:12]]


@pytest.fixture(scope="session")
def ensemble() -> Ensemble:
    """The one that comes with the code."""
    return load_ensemble()


@pytest.fixture
def loaded(ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of this process that name no ensemble take the embedded one as it is loaded already."""
    load = loading.load
    monkeypatch.setattr(loading, "load", lambda source: load(source) if source else ensemble)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ensemble of one, Xception, which is loaded in a tenth of the time of all three."""
    folder = tmp_path_factory.mktemp("alone")
    content = json.loads((EMBEDDED / "ensemble.json").read_text())
    (member,) = (one for one in content["members"] if one["backbone"] == "xception")
    (folder / "ensemble.json").write_text(
        json.dumps(content | {"members": [member | {"weight": 1}], "domain": None})
    )
    shutil.copy(EMBEDDED / member["file"], folder)
    return folder


@pytest.fixture(scope="session")
def lymphocytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ensemble of another question: the embedded one's networks, under other names."""
    folder = tmp_path_factory.mktemp("question") / "lymphocytes"
    shutil.copytree(EMBEDDED, folder, ignore=shutil.ignore_patterns("traits.json", "README.md"))
    manifest = json.loads((folder / "ensemble.json").read_text())
    words = {
        "en": {"question": "Is this white blood cell a lymphocyte?", "negative": "another kind"},
        "de": {"question": "Ist das ein Lymphozyt?", "positive": "Lymphozyt", "negative": "andere Art"},
    }
    changes = {"name": "kinds", "classes": ["other", "lymphocyte"], "words": words, "figures": {}}
    # Nothing is unsure or out of domain: a drawn cell is decided, one way or the other.
    changes |= {"domain": None, "thresholds": {"decide": 0.5, "abstain": [0.5, 0.5]}}
    manifest |= changes | {"data": "me, https://example.org/cells", "limits": "", "training": {}}
    (folder / "ensemble.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Files that must be refused, and a part of the sentence."""
    return make_bad_files(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn smear: a bright slide, rows of red cells, two white cells."""
    random = np.random.default_rng(4)
    field = np.full((600, 900, 3), (225, 220, 218), np.float32)
    y, x = np.indices(field.shape[:2])
    for row in range(5):
        for column in range(8):
            place = np.array([60 + 120 * row, 60 + 112 * column]) + random.integers(-12, 13, 2)
            if min(np.hypot(*(place - white)) for white in ((300, 220), (300, 680))) < 150:
                continue
            away = np.hypot(y - place[0], x - place[1]) / 42
            field[away < 1] = np.array([205, 150, 150]) + 14 * (away[away < 1, None] < 0.4)
    for number, (top, left) in enumerate(((300, 220), (300, 680))):
        cell = read_cell(synthetic.paint(synthetic.blast_like(number), seed=number))
        small = Image.fromarray(cell.pixels).resize((270, 270))
        inside = np.asarray(Image.fromarray(cell.outline).resize((270, 270)))
        here = field[top - 135 : top + 135, left - 135 : left + 135]
        # Light on a bright slide: the drawn cells are as dark as the training data.
        here[inside] = np.minimum(1.9 * np.asarray(small)[inside].astype(np.float32) + 20, 235)
    path = tmp_path_factory.mktemp("smears") / "smear.png"
    Image.fromarray(field.round().astype(np.uint8)).save(path)
    return path
