"""What frozen layers saw is kept, outlives a kill, and is never trained on once it is damaged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukovision import synthetic
from leukovision.backbones import build
from leukovision.preprocessing import Input
from leukovision.training import array_file, dataset, features

INPUT = Input(geometry="fill", size=96, colour="standardised")

KILLED = """
import os, signal, sys
from pathlib import Path
import keras
from leukovision.training import features
sys.path.insert(0, str(Path(sys.argv[3])))
from test_features import INPUT, network
from leukovision.training import dataset
features.BATCH, features._SAVED_EVERY = 2, 2
kill = lambda done: done > 4 and os.kill(os.getpid(), signal.SIGKILL)
features.pooled(network(), dataset.read_images(Path(sys.argv[1])), INPUT, Path(sys.argv[2]), kill)
"""


def network():
    import keras

    keras.utils.set_random_seed(1)
    return build("inception_v3", "mixed0", 96)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight painted cells of two subjects."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(8):
        kind, subject = ("all", "1") if number < 4 else ("hem", "H1")
        path = folder / "fold_0" / kind / f"UID_{subject}_{number}_1_{kind}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(synthetic.paint(synthetic.blast_like(number), seed=number)).save(path)
    return folder


@pytest.mark.long
def test_a_run_killed_with_features_half_saved_goes_on_and_damaged_ones_are_refused(data, tmp_path):
    here = str(Path(__file__).parent)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(data), str(tmp_path / "kept"), here])
    assert killed.returncode == -9
    images, seen, same = dataset.read_images(data), [], network()
    (path,) = (tmp_path / "kept").glob("*.npz")
    assert len(array_file.read(path)["sha256"]) == 4
    found = features.pooled(same, images, INPUT, tmp_path / "kept", seen.append)
    assert seen == [8] and len(array_file.read(path)["sha256"]) == 8
    assert np.abs(found - features.pooled(same, images, INPUT, tmp_path / "anew")).max() < 1e-5
    whole = path.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=rf"{path.name}: is damaged.*; delete it"):
            features.pooled(same, images, INPUT, tmp_path / "kept")
    for content in (b"", whole[:-1], whole[:100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            array_file.read(path)
    # Other numbers in a file that numpy could read.
    np.savez(path, sha256=np.array([one.sha256 for one in images]), features=np.zeros_like(found))
    with pytest.raises(ValueError, match="is damaged"):
        features.pooled(same, images, INPUT, tmp_path / "kept")
