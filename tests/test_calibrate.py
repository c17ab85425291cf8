"""Held-out logits -> temperatures, bias, band."""

import numpy as np
import pytest
from scipy import special

from leukovision import store
from leukovision.training.calibrate import HeldOut, calibrate


def simulated(seed: int, subjects: int = 40, cells: int = 60) -> HeldOut:
    """Subjects whose true logits a network overstates threefold and moves by 1.5, and slides apart."""
    rng = np.random.default_rng(seed)
    is_all = np.repeat(rng.permutation(np.arange(subjects) % 2), cells)
    slide = np.repeat(rng.normal(0, 0.5, subjects), cells)
    true = np.where(is_all, 1.0, -1.0) * 1.2 + slide + rng.normal(0, 1.2, len(is_all))
    names = np.repeat([f"s{n}" for n in range(subjects)], cells)
    return HeldOut(is_all, names, {"inception_v3": 3 * true + 1.5 + rng.normal(0, 0.2, len(true))})


def manifest() -> store.Manifest:
    member = store.MemberSpec(
        backbone="inception_v3", cut="mixed4", file="inception_v3.safetensors", sha256="0" * 64, weight=1
    )
    return store.Manifest(name="test", version="1", members=(member,))


def p_of(calibrated: store.Manifest, held_out: HeldOut) -> np.ndarray:
    (member,) = calibrated.members
    return special.expit(held_out.logits["inception_v3"] / member.temperature + calibrated.bias)


def log_loss(p_all: np.ndarray, is_all: np.ndarray) -> float:
    return float(-np.log(np.where(is_all, p_all, 1 - p_all)).mean())


def test_calibration_improves_log_loss_on_subjects_it_did_not_see() -> None:
    calibrated, unseen = calibrate(manifest(), simulated(1), 0.9), simulated(2)
    before = log_loss(p_of(manifest(), unseen), unseen.is_all)
    assert log_loss(p_of(calibrated, unseen), unseen.is_all) < 0.8 * before


def test_outside_the_band_unseen_subjects_are_decided_as_well_as_promised() -> None:
    calibrated, unseen = calibrate(manifest(), simulated(3), 0.93), simulated(4)
    p_all, (low, high) = p_of(calibrated, unseen), calibrated.thresholds.abstain
    decided = (p_all <= low) | (p_all >= high)
    assert 0.5 < decided.mean() < 1
    assert ((p_all >= 0.5) == unseen.is_all)[decided].mean() > 0.9
    assert calibrated.figures["calibration"]["accuracy"] >= 0.93


def test_a_member_without_held_out_figures_is_named() -> None:
    held_out = simulated(1)
    with pytest.raises(ValueError, match="inception_v3"):
        calibrate(manifest(), HeldOut(held_out.is_all, held_out.subjects, {}), 0.9)
