"""What tests share: real cells, the embedded ensemble, files that must be refused."""

from pathlib import Path

import pytest
from bad_files import make_bad_files

from leukovision import Ensemble, load_ensemble

LONG = (
    "test_hub.py", "test_page.py", "test_training.py", "test_space.py", "test_methods.py", "test_api.py",
    "test_access.py", "test_many.py", "test_batch_tab.py", "test_languages.py", "test_teach.py",
    "test_run.py", "test_ending.py", "test_wheel.py",
)  # fmt: skip
"""Files that take longest, by name."""

CNMC = Path(__file__).parents[2] / "shared" / "data" / "cnmc"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: at the end no worker waits for one that another has just begun."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


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


@pytest.fixture(scope="session")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Files that must be refused, and a part of the sentence."""
    return make_bad_files(tmp_path_factory.mktemp("bad"))
