"""What tests share: real cells, the embedded ensemble, files that must be refused."""

from pathlib import Path

import pytest
from bad_files import make_bad_files

from leukovision import Ensemble, load_ensemble

CNMC = Path(__file__).parents[2] / "shared" / "data" / "cnmc"


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
