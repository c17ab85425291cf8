"""An ensemble's folder: whole, or refused in a sentence that says which file and what is wrong."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from leukovision import Ensemble, StoreError, artifact, batch, load_ensemble, read_cell, synthetic
from leukovision.demo import model_tab, scores
from leukovision.hub import Found
from leukovision.i18n import ENGLISH
from leukovision.report import compose

MEMBER = "xception"


@pytest.fixture
def folder(ensemble: Ensemble, tmp_path: Path) -> Path:
    """A copy of the ensemble that a test may spoil."""
    return Path(shutil.copytree(ensemble.found.folder, tmp_path / "ensemble"))


@pytest.fixture
def small(alone: Path, tmp_path: Path) -> Path:
    """The same of an ensemble of one, for what is only seen once networks are built."""
    return Path(shutil.copytree(alone, tmp_path / "alone"))


def change(folder: Path, alter: Callable[[dict], object]) -> None:
    """Alter the manifest."""
    path = folder / artifact.MANIFEST
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
    change(folder, lambda content: place(content).update(sha256=artifact.sha256_of(path)))


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
    (folder / artifact.MANIFEST).write_text("{")
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (100_000 * "[" + 100_000 * "]", "not JSON"),
        ('{"figures": ' + 300 * '{"a": ' + "1" + 301 * "}", "not JSON|figures: .*nested more than 12 deep"),
        ('{"figures": {"unseen": NaN}}', "not JSON"),
        ('{"training": {"rate": [1e999]}}', "training: .*not finite"),
        ('{"bias": ' + 5000 * "9" + "}", "not JSON"),
        ('{"format": 0}', "format: "),
        ('{"name": "' + 300 * "n" + '"}', "name: "),
    ],
)
def test_a_manifest_that_nobody_wrote_in_earnest_is_a_sentence(folder: Path, text: str, words: str) -> None:
    own = json.loads((folder / artifact.MANIFEST).read_text())
    if text.startswith("{"):
        (key,) = re.findall(r'^{"(\w+)"', text)
        text = text[:-1] + "," + json.dumps({k: v for k, v in own.items() if k != key})[1:]
    (folder / artifact.MANIFEST).write_text(text)
    assert re.search(words, refusal(folder)) and len(refusal(folder)) < 500


@pytest.mark.parametrize(
    "unseen", [3, [], {"cells": "many"}, {"cells": 1, "subjects": {"ALL": []}, "ensemble": 3}, None]
)
def test_odd_figures_are_as_if_there_were_none(ensemble: Ensemble, unseen: object) -> None:
    manifest = ensemble.manifest.model_copy(update={"figures": {"unseen": unseen}})
    odd = Ensemble.__new__(Ensemble)
    odd.manifest = manifest
    assert compose._unseen(ensemble, ENGLISH) and compose._unseen(odd, ENGLISH) == ""


@pytest.mark.parametrize("name", ["ensemble.json", f"{MEMBER}.safetensors", "domain.safetensors"])
def test_a_link_out_of_the_folder_is_not_followed(folder: Path, name: str, tmp_path: Path) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name}: is a link out of the ensemble's folder" in refusal(folder)


def test_a_card_and_scores_that_are_links_are_not_shown(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret of this machine")
    for name in ("README.md", artifact.SCORES):
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "secret")
    assert "the secret" not in model_tab.model_html(Found(folder, "here")) and scores.read(folder) is None


def test_a_device_or_a_pipe_in_the_folder_is_not_waited_for(folder: Path) -> None:
    (folder / f"{MEMBER}.safetensors").unlink()
    os.mkfifo(folder / f"{MEMBER}.safetensors")
    assert "is no file" in refusal(folder)


def test_a_snapshot_in_the_cache_of_the_hub_is_links_to_its_own_files(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--me--it" / "blobs", tmp_path / "models--me--it" / "snapshots" / "1a"
    snapshot.mkdir(parents=True)
    shutil.move(folder, blobs)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert artifact.read_manifest(snapshot).name
    assert artifact.read_tensors(snapshot / f"{MEMBER}.safetensors")


def test_an_unknown_field_is_refused(folder: Path) -> None:
    change(folder, lambda content: content.update(surprise=1))
    assert "surprise" in refusal(folder)


def test_an_unknown_cut_is_refused(small: Path) -> None:
    change(small, lambda content: place(content).update(cut="mixed99"))
    assert "mixed99" in refusal(small)


def test_a_tensor_of_another_shape_is_refused(small: Path) -> None:
    change_tensors(small, lambda tensors: tensors.update({"logit.bias": np.zeros(2, np.float16)}))
    said = refusal(small)
    assert "logit.bias" in said and "(2,)" in said


def test_a_missing_tensor_is_refused(small: Path) -> None:
    change_tensors(small, lambda tensors: tensors.pop("logit.bias"))
    assert "missing" in refusal(small)


def test_a_head_that_weighs_channels_as_earlier_ones_did_is_refused_and_one_that_does_not_is_read(
    small: Path,
) -> None:
    gate = {
        "context.kernel": np.ones((728, 2), np.float16),
        "context.bias": np.zeros(2, np.float16),
        "gate.kernel": np.zeros((2, 728), np.float16),
        "gate.bias": np.ones(728, np.float16),
    }
    change_tensors(small, lambda tensors: tensors.update(gate))
    load_ensemble(small)
    change_tensors(small, lambda tensors: tensors["gate.kernel"].fill(0.1))
    assert f"{MEMBER}.safetensors: was trained to weigh its channels" in refusal(small)


def test_a_value_that_is_not_finite_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors["logit.bias"].fill(np.nan))
    assert "not finite" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("logit.bias", 3e38, "logit.bias.* larger than float16 has"),
        ("001.moving_variance", -1, "001.moving_variance.* a variance below 0"),
    ],
)
def test_a_value_that_no_network_can_mean_is_refused(folder: Path, name: str, value: float, words: str):
    def alter(tensors: dict) -> None:
        tensors[name] = np.full(tensors[name].shape, value, np.float32)

    change_tensors(folder, alter)
    assert re.search(words, refusal(folder))


@pytest.mark.parametrize(
    ("where", "alter"),
    [
        ("members.0.temperature", lambda content: place(content).update(temperature=1e-300)),
        ("members.0.temperature", lambda content: place(content).update(temperature=1e300)),
        ("bias", lambda content: content.update(bias=1e308)),
        ("bias", lambda content: content.update(bias=float("nan"))),
        ("domain.distance", lambda content: content["domain"].update(distance=1e308)),
        ("domain.looks", lambda content: content["domain"].update(looks=float("inf"))),
    ],
)
def test_a_number_in_the_manifest_that_nobody_can_mean_is_refused_by_name(folder: Path, where, alter):
    change(folder, alter)
    assert f"{where}: " in refusal(folder) or "not JSON" in refusal(folder)


def test_a_scale_of_the_domain_that_is_not_above_0_is_refused(folder: Path) -> None:
    path = folder / "domain.safetensors"
    tensors = load_file(path)
    tensors["features_scales"][0] = 0
    save_file(tensors, path)
    change(folder, lambda content: content["domain"].update(sha256=artifact.sha256_of(path)))
    assert "features_scales" in refusal(folder)


def test_nothing_is_decided_of_a_number_that_is_not_finite(small: Path, tmp_path: Path) -> None:
    # Each value is one that float16 has, and yet what the network makes of them is not a number.
    large = re.compile(r"(?!context|gate).*kernel")
    change_tensors(small, lambda tensors: [t.fill(6e4) for n, t in tensors.items() if large.fullmatch(n)])
    broken, cell = load_ensemble(small), read_cell(synthetic.paint(synthetic.blast_like(1), seed=1), "a.png")
    numbers = broken.input.numbers(broken.input.picture(cell))
    for ask in (
        lambda: broken.analyse([cell]),
        lambda: broken.maps(numbers),
        lambda: broken.logits(numbers[None]),
        lambda: broken.features([cell]),
    ):
        with pytest.raises(StoreError, match="not finite, so nothing is decided"):
            ask()
    Image.fromarray(cell.pixels).save(tmp_path / "a.png")
    two = [one.row for one in batch.predictions(broken, batch.find([tmp_path / "a.png"] * 2))]
    assert all(row.decision is None and "not finite" in (row.error or "") for row in two) and len(two) == 2


def test_a_distance_that_is_no_number_is_out_of_domain(ensemble: Ensemble) -> None:
    assert ensemble.domain and ensemble.domain.far(float("nan"))


def test_a_tensor_of_another_type_is_refused(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.update({"logit.bias": np.zeros(1, np.int8)}))
    assert "int8" in refusal(folder)


def test_a_pickle_in_place_of_tensors_is_refused(folder: Path) -> None:
    path = folder / f"{MEMBER}.safetensors"
    path.write_bytes(b"\x80\x04\x95 not tensors")
    change(folder, lambda content: place(content).update(sha256=artifact.sha256_of(path)))
    assert "not a safetensors file" in refusal(folder)


def test_the_embedded_ensemble_is_small_enough_to_come_with_the_code(ensemble: Ensemble) -> None:
    assert sum(path.stat().st_size for path in ensemble.found.folder.iterdir()) <= 45e6


def test_a_tensor_is_read_as_it_was_written_however_it_lay_in_memory(tmp_path: Path) -> None:
    tensor = np.arange(6, dtype=np.float32).reshape(2, 3)
    artifact.write_tensors(tmp_path / "t.safetensors", {"c": tensor, "transposed": tensor.T})
    read = artifact.read_tensors(tmp_path / "t.safetensors")
    assert (read["c"] == tensor).all() and (read["transposed"] == tensor.T).all()
