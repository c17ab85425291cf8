"""Pixels -> maps and features, in one graph that several threads share."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from leukovision import Ensemble, read_cell, synthetic
from leukovision.inference import BATCH, Forward


@pytest.fixture(scope="module")
def numbers(ensemble: Ensemble) -> np.ndarray:
    cells = [
        read_cell(synthetic.paint(synthetic.blast_like(seed), seed=seed)) for seed in range(2 * BATCH + 1)
    ]
    return np.stack([ensemble.input.numbers(ensemble.input.picture(cell)) for cell in cells])


@pytest.fixture(scope="module")
def forward(ensemble: Ensemble) -> Forward:
    return Forward(list(ensemble.networks.values()), [spec.cut for spec in ensemble.manifest.members])


def test_a_picture_does_not_depend_on_who_else_waits(forward: Forward, numbers: np.ndarray) -> None:
    maps, features = forward(numbers)
    with ThreadPoolExecutor(len(numbers)) as visitors:
        alone = list(visitors.map(lambda place: forward(numbers[place : place + 1]), range(len(numbers))))
    for place, (own, seen) in enumerate(alone):
        for mine, theirs in zip(own, maps, strict=True):
            assert np.abs(mine[0] - theirs[place]).max() < 1e-3
            assert mine.mean(dtype=np.float64) == pytest.approx(
                theirs[place].mean(dtype=np.float64), abs=1e-5
            )
        assert np.abs(seen[0] - features[place]).max() < 1e-5


def test_what_is_in_a_batch_changes_no_bit_of_the_others(forward: Forward, numbers: np.ndarray) -> None:
    (first, *_), _ = forward(numbers[:BATCH])
    (other, *_), _ = forward(np.concatenate([numbers[:1], numbers[BATCH + 1 : 2 * BATCH]]))
    assert (first[0] == other[0]).all()


def test_a_picture_of_another_size_is_refused_and_the_next_one_passes(
    forward: Forward, numbers: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="64"):
        forward(np.zeros((1, 64, 64, 3), np.float32))
    assert np.isfinite(forward(numbers[:1])[1]).all()


def test_the_graph_says_what_the_networks_say(
    ensemble: Ensemble, forward: Forward, numbers: np.ndarray
) -> None:
    maps, features = forward(numbers[:3])
    start = 0
    for m, network in zip(maps, ensemble.networks.values(), strict=True):
        bias = float(np.asarray(network.get_layer("logit").bias)[0])
        logits = np.asarray(network(numbers[:3], training=False))[:, 0]
        assert np.abs(m.mean((1, 2)) + bias - logits).max() < 1e-4
        start += network.get_layer("standard").output.shape[-1]
    assert features.shape == (3, start)
