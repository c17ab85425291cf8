"""A picture -> maps by every method: class-sensitive, repeatable, and the networks stay as they are."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.utils import find_layer
from tf_keras_vis.utils.model_modifiers import Conv

from leukovision import Ensemble, load_ensemble, read_cell
from leukovision.backbones import BACKBONES
from leukovision.explain import methods
from leukovision.explain.methods import DEFAULT, METHODS, Maps, _two_outputs, explain

DRAWN_AT_RANDOM = "smoothgrad"

REACH_INSIDE = (DEFAULT, "gradcam", "scorecam")
"""One of each way to reach into a network: drawn in every backbone, all other methods in one of them."""


@pytest.fixture(scope="module", autouse=True)
def _few() -> Iterator[None]:
    """What is claimed of the maps does not hang on how many samples, steps or masks they are made of."""
    few = replace(METHODS[DRAWN_AT_RANDOM], draw=partial(methods._gradient, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "STEPS", 2)
        patch.setattr(methods, "MASKS", 4)
        patch.setitem(METHODS, DRAWN_AT_RANDOM, few)
        yield


@pytest.fixture(scope="module")
def numbers(ensemble: Ensemble, real_cells: list[Path]) -> np.ndarray:
    return ensemble.input.numbers(ensemble.input.picture(read_cell(real_cells[0])))


@pytest.fixture(scope="module")
def asked(ensemble: Ensemble, alone: Path) -> dict[str, Ensemble]:
    """Which ensemble is explained, by method."""
    one = load_ensemble(alone)
    return {method: ensemble if method in REACH_INSIDE else one for method in METHODS}


@pytest.fixture(scope="module")
def drawn(asked: dict[str, Ensemble], numbers: np.ndarray) -> dict[tuple[str, str], Maps]:
    """Every method for both classes, and a check that no weight has changed meanwhile."""
    networks = [network for one in set(asked.values()) for network in one.networks.values()]
    before = [network.get_weights() for network in networks]
    logit = asked[DEFAULT].logits(numbers[None])[0]
    maps = {
        (method, target): explain(asked[method], numbers, method, target, seed=3)
        for method in METHODS
        for target in ("ALL", "healthy")
    }
    for weights, network in zip(before, networks, strict=True):
        for old, new in zip(weights, network.get_weights(), strict=True):
            assert np.array_equal(old, new), f"{network.name} was changed"
    assert asked[DEFAULT].logits(numbers[None])[0] == logit
    return maps


@pytest.mark.parametrize("method", METHODS)
def test_each_method_tells_the_classes_apart(asked, drawn, method: str) -> None:
    assert set(asked[REACH_INSIDE[0]].networks) == set(BACKBONES)
    for name in asked[method].networks:
        one, other = (drawn[method, target].members[name] for target in ("ALL", "healthy"))
        assert one.dtype == np.float32 and one.ndim == 2
        assert one.any() or other.any()
        scale = max(np.abs(one).max(), np.abs(other).max())
        assert np.abs(one - other).max() > 0.1 * scale
        if METHODS[method].signed:
            assert np.abs(one + other).max() < 1e-3 * scale
        else:
            assert one.min() >= 0 and other.min() >= 0


@pytest.mark.parametrize("method", [DEFAULT, "layercam", DRAWN_AT_RANDOM])
def test_the_same_seed_gives_the_same_map(asked, numbers: np.ndarray, drawn, method: str) -> None:
    np.random.random(5)
    again = explain(asked[method], numbers, method, "ALL", seed=3)
    assert np.array_equal(again.combined, drawn[method, "ALL"].combined)
    for name, map_ in again.members.items():
        assert np.array_equal(map_, drawn[method, "ALL"].members[name])


def test_another_seed_gives_other_noise(asked, numbers: np.ndarray, drawn) -> None:
    state = np.random.get_state()[1].copy()
    other = explain(asked[DRAWN_AT_RANDOM], numbers, DRAWN_AT_RANDOM, "ALL", seed=4)
    assert not np.array_equal(other.combined, drawn[DRAWN_AT_RANDOM, "ALL"].combined)
    assert np.array_equal(state, np.random.get_state()[1])


def test_the_default_is_the_map_of_the_analysis(ensemble: Ensemble, real_cells: list[Path], drawn) -> None:
    (analysis,) = ensemble.analyse([read_cell(real_cells[0])])
    assert np.abs(drawn[DEFAULT, "ALL"].combined - analysis.cam).max() < 1e-4


# What tf-keras-vis does if it is not told otherwise: should one of these fail, a line of ours can go.


@pytest.mark.parametrize("name", ["xception", "inception_v3"])
def test_trap_its_search_for_a_layer_ends_elsewhere(ensemble: Ensemble, name: str) -> None:
    network = ensemble.networks[name]
    found = find_layer(network, lambda layer: isinstance(layer, Conv))
    assert found.name != BACKBONES[name].compact


def test_trap_score_cam_needs_two_outputs(ensemble: Ensemble, numbers: np.ndarray) -> None:
    assert keras.ops.softmax(np.array([[5.0]])).numpy() == keras.ops.softmax(np.array([[-5.0]])).numpy() == 1
    network = ensemble.networks["inception_v3"]
    both = np.asarray(_two_outputs(network)(numbers[None] + 1))[0]
    logit = float(network.predict_on_batch(numbers[None])[0, 0])
    assert both == pytest.approx([-logit / 2, logit / 2], abs=1e-2)


def test_trap_a_saturated_sigmoid_has_no_map(ensemble: Ensemble, numbers: np.ndarray) -> None:
    network = ensemble.networks["inception_v3"]
    sure = keras.Model(network.input, keras.ops.sigmoid(100 + 0 * network.output + network.output))
    found = Gradcam(sure)(
        lambda p: p[:, 0], numbers[None], penultimate_layer=BACKBONES["inception_v3"].compact,
        seek_penultimate_conv_layer=False, normalize_cam=False, expand_cam=False,
    )  # fmt: skip
    assert not np.asarray(found).any()


def test_trap_absolute_values_make_the_classes_look_alike(ensemble: Ensemble, numbers: np.ndarray) -> None:
    network = ensemble.networks["inception_v3"]
    one, other = (Saliency(network)(lambda z, s=s: s * z[:, 0], numbers[None]) for s in (1, -1))
    assert np.allclose(one, other, atol=1e-4)


def test_unknown_methods_and_classes_are_refused(ensemble: Ensemble, numbers: np.ndarray) -> None:
    with pytest.raises(ValueError, match="adds_up, gradcam"):
        explain(ensemble, numbers, "guess")
    with pytest.raises(ValueError, match="ALL or healthy"):
        explain(ensemble, numbers, target="sick")
