"""An ensemble's folder: whole, or refused in a sentence that says which file and what is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from leukovision import Ensemble, StoreError, load_ensemble, store

MEMBER = "inception_v3"


@pytest.fixture
def folder(ensemble: Ensemble, tmp_path: Path) -> Path:
    """A copy of the ensemble that a test may spoil."""
    return Path(shutil.copytree(ensemble.found.folder, tmp_path / "ensemble"))


def change(folder: Path, alter: Callable[[dict], object]) -> None:
    """Alter the manifest."""
    path = folder / store.MANIFEST
    content = json.loads(path.read_text())
    alter(content)
    path.write_text(json.dumps(content))


def place(content: dict) -> dict:
    return next(member for member in content["members"] if member["backbone"] == MEMBER)


def change_tensors(folder: Path, alter: Callable[[dict], object]) -> None:
    """Alter the tensors of a member and make the hash right again."""
    path = folder / f"{MEMBER}.safetensors"
    tensors = load_file(path)
    alter(tensors)
    save_file(tensors, path)
    change(folder, lambda content: place(content).update(sha256=store.sha256_of(path)))


def refusal(folder: Path) -> str:
    with pytest.raises(StoreError) as error:
        load_ensemble(folder)
    return str(error.value)


def test_a_changed_byte_is_refused(folder: Path) -> None:
    path = folder / f"{MEMBER}.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert path.name in refusal(folder) and "sha256" in refusal(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / f"{MEMBER}.safetensors").unlink()
    assert f"{MEMBER}.safetensors" in refusal(folder)


def test_a_folder_that_is_no_ensemble_is_refused(tmp_path: Path) -> None:
    assert "no ensemble.json" in refusal(tmp_path)


def test_a_manifest_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / store.MANIFEST).write_text("{")
    assert "not JSON" in refusal(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    change(folder, lambda content: content.update(format=99))
    assert "newer" in refusal(folder)


def test_a_file_outside_the_folder_is_refused(folder: Path) -> None:
    change(folder, lambda content: place(content).update(file="../x.safetensors"))
    assert "file" in refusal(folder)


def test_weights_that_do_not_sum_to_one_are_refused(folder: Path) -> None:
    change(folder, lambda content: place(content).update(weight=0.9))
    assert "sum to 1" in refusal(folder)


def test_an_unknown_field_is_refused(folder: Path) -> None:
    change(folder, lambda content: content.update(surprise=1))
    assert "surprise" in refusal(folder)


def test_an_unknown_cut_is_refused(folder: Path) -> None:
    change(folder, lambda content: place(content).update(cut="mixed99"))
    assert "mixed99" in refusal(folder)


def test_a_tensor_of_another_shape_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.update({"logit.bias": np.zeros(2, np.float16)}))
    assert "logit.bias" in refusal(folder) and "(2,)" in refusal(folder)


def test_a_missing_tensor_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.pop("logit.bias"))
    assert "missing" in refusal(folder)


def test_a_value_that_is_not_finite_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors["logit.bias"].fill(np.nan))
    assert "not finite" in refusal(folder)


def test_a_tensor_of_another_type_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.update({"logit.bias": np.zeros(1, np.int8)}))
    assert "int8" in refusal(folder)


def test_a_pickle_in_place_of_tensors_is_refused(folder: Path) -> None:
    path = folder / f"{MEMBER}.safetensors"
    path.write_bytes(b"\x80\x04\x95 not tensors")
    change(folder, lambda content: place(content).update(sha256=store.sha256_of(path)))
    assert "not a safetensors file" in refusal(folder)


def test_the_embedded_ensemble_is_small_enough_to_come_with_the_code(ensemble: Ensemble) -> None:
    assert sum(path.stat().st_size for path in ensemble.found.folder.iterdir()) <= 45e6
