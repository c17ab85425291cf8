"""Cells -> Analysis: the maps are the decision."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukovision import Analysis, Cell, Ensemble, read_cell, resaving, synthetic
from leukovision.backbones import STANDARD
from leukovision.cell import framed
from leukovision.ensemble import load_ensemble, sigmoid
from leukovision.preprocessing import inside


@pytest.fixture(scope="module")
def cells(real_cells: list[Path]) -> list[Cell]:
    return [read_cell(path) for path in real_cells]


@pytest.fixture(scope="module")
def analyses(ensemble: Ensemble, cells: list[Cell]) -> list[Analysis]:
    return ensemble.analyse(cells)


@pytest.mark.parametrize("views", [1, 8])
def test_maps_add_up_to_the_logit(ensemble: Ensemble, cells: list[Cell], views: int) -> None:
    for analysis in ensemble.analyse(cells[::views], views=views):
        for part in (analysis, *analysis.members.values()):
            assert part.constant + part.cam.mean(dtype=np.float64) == pytest.approx(part.logit, abs=1e-4)
            assert part.p_all == pytest.approx(1 / (1 + np.exp(-part.logit)), abs=1e-6)
        shares = sum(member.share for member in analysis.members.values())
        assert shares == pytest.approx(analysis.logit, abs=1e-6)


def test_combined_map_is_the_weighted_sum_of_the_members(
    ensemble: Ensemble, analyses: list[Analysis]
) -> None:
    for analysis in analyses:
        total = sum(s.weight * analysis.members[s.backbone].cam for s in ensemble.manifest.members)
        assert np.abs(total - analysis.cam).max() < 1e-5


def test_member_logit_is_what_the_whole_network_says(
    ensemble: Ensemble, cells: list[Cell], analyses: list[Analysis]
) -> None:
    numbers = np.stack([ensemble.input.numbers(ensemble.input.picture(cell)) for cell in cells])
    for spec in ensemble.manifest.members:
        logits = ensemble.networks[spec.backbone].predict_on_batch(numbers)[:, 0]
        logits = logits / spec.temperature + ensemble.manifest.bias
        ours = [analysis.members[spec.backbone].logit for analysis in analyses]
        assert np.abs(logits - ours).max() < 1e-4


def test_places_on_the_cell_differ_as_in_grad_cam_of_the_same_layer(
    ensemble: Ensemble, cells: list[Cell], analyses: list[Analysis]
) -> None:
    """Only a level, the same everywhere on the cell, is between our maps and those of tf-keras-vis."""
    from tf_keras_vis.gradcam import Gradcam

    for spec in ensemble.manifest.members:
        for cell, analysis in list(zip(cells, analyses, strict=True))[::7]:
            numbers = ensemble.input.numbers(ensemble.input.picture(cell))
            theirs = np.asarray(
                Gradcam(ensemble.networks[spec.backbone], clone=True)(
                    lambda logit: logit[:, 0], numbers[None], penultimate_layer=STANDARD,
                    activation_modifier=None, seek_penultimate_conv_layer=False, expand_cam=False,
                    normalize_cam=False,
                )
            )[0]  # fmt: skip
            # Their weights are the mean gradient, which is the kernel over the number of places.
            theirs = theirs * theirs.size / spec.temperature
            ours = analysis.members[spec.backbone].coarse
            found = Image.fromarray(inside(numbers).astype(np.float32))
            cover = np.asarray(found.resize(ours.shape[::-1], Image.Resampling.BOX))
            assert np.ptp((ours - theirs)[cover == 1]) < 1e-3 * np.abs(theirs).max()
            assert not ours[cover == 0].any()
            assert ours.mean() == pytest.approx(theirs.mean(), abs=1e-3)


def test_a_cell_alone_is_as_in_a_batch(
    ensemble: Ensemble, cells: list[Cell], analyses: list[Analysis]
) -> None:
    for place in (0, len(cells) // 2, len(cells) - 1):
        alone = ensemble.analyse([cells[place]])[0]
        assert alone.p_all == pytest.approx(analyses[place].p_all, abs=1e-3)
        assert np.abs(alone.cam - analyses[place].cam).max() < 1e-3
        assert alone.decision == analyses[place].decision


def test_a_cell_that_was_saved_again_is_never_decided_the_other_way(
    ensemble: Ensemble, cells: list[Cell], analyses: list[Analysis]
) -> None:
    spread = np.std([analysis.logit for analysis in analyses])
    for kind, change in resaving.KINDS.items():
        again = ensemble.analyse([framed(change(cell.pixels), cell.name) for cell in cells])
        pairs = list(zip(analyses, again, strict=True))
        assert not any({a.decision, b.decision} == {"ALL", "healthy"} for a, b in pairs), kind
        assert np.median([abs(b.logit - a.logit) for a, b in pairs]) < 0.6 * spread, kind


def test_eight_views_do_not_depend_on_how_the_cell_lies(ensemble: Ensemble, cells: list[Cell]) -> None:
    cell = cells[0]
    turned = Cell(np.rot90(cell.pixels), np.rot90(cell.outline), cell.on_black)
    straight, quarter = ensemble.analyse([cell, turned], views=8)
    assert quarter.p_all == pytest.approx(straight.p_all, abs=0.02)
    assert np.corrcoef(np.rot90(straight.cam).ravel(), quarter.cam.ravel())[0, 1] > 0.99


def test_what_is_no_cell_on_black_is_unsure_and_says_why(ensemble: Ensemble) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    analysis = ensemble.analyse([read_cell(noise)])[0]
    assert (analysis.decision, analysis.in_domain) == ("unsure", False)
    assert "on black" in analysis.reason


def test_decisions_follow_the_thresholds_of_the_manifest(
    ensemble: Ensemble, analyses: list[Analysis]
) -> None:
    low, high = ensemble.manifest.thresholds.abstain
    for analysis in analyses:
        if low < analysis.p_all < high:
            assert analysis.decision == "unsure" and analysis.reason
        else:
            called_all = analysis.p_all >= ensemble.manifest.thresholds.decide
            assert analysis.decision == ("ALL" if called_all else "healthy")


def test_no_cells_give_no_analyses(ensemble: Ensemble) -> None:
    assert ensemble.analyse([]) == []


def test_views_are_one_or_eight(ensemble: Ensemble) -> None:
    with pytest.raises(ValueError, match="1 or 8"):
        ensemble.analyse([], views=3)


def test_which_ensemble_decided_is_part_of_each_result(ensemble: Ensemble, analyses: list[Analysis]) -> None:
    assert all(str(analysis.ensemble) == str(ensemble.source) for analysis in analyses)


def test_an_ensemble_of_one_works_the_same(cells: list[Cell], analyses: list[Analysis], alone: Path) -> None:
    one = load_ensemble(alone).analyse(cells[:3])
    for mine, full in zip(one, analyses, strict=False):
        assert mine.p_all == pytest.approx(full.members["xception"].p_all, abs=1e-3)
        assert np.abs(mine.cam - full.members["xception"].cam).max() < 1e-3


def test_sigmoid_holds_at_both_ends() -> None:
    assert sigmoid(-800) == 0 and sigmoid(800) == 1 and sigmoid(0) == 0.5


def test_what_keras_is_set_to_by_others_changes_nothing(alone: Path, tmp_path: Path) -> None:
    settings = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    code = (
        "import sys\n"
        "from leukovision import load_ensemble, synthetic, read_cell\n"
        "cell = read_cell(synthetic.paint(synthetic.blast_like(1), seed=1))\n"
        "print(load_ensemble(sys.argv[1]).analyse([cell])[0].p_all)"
    )
    odd = {"KERAS_BACKEND": "torch", "KERAS_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code, str(alone)]
    run = subprocess.run(command, env=os.environ | odd, capture_output=True, text=True, check=True)
    cell = read_cell(synthetic.paint(synthetic.blast_like(1), seed=1))
    assert float(run.stdout) == pytest.approx(load_ensemble(alone).analyse([cell])[0].p_all, abs=1e-4)


def test_a_backend_that_is_there_already_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ImportError, match="runs on torch; import leukovision first"):
        load_ensemble()
