"""Raw logits of held-out subjects -> temperatures, weights, bias, band."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special
from simulated import MEMBERS, rows, simulated

from leukovision import artifact
from leukovision.evaluation import predictions as table
from leukovision.evaluation.calibrate import band, calibrate, cross_fit, estimate, fit, weigh


def manifest() -> artifact.Manifest:
    members = tuple(
        artifact.MemberSpec(
            backbone=name, cut="cut", file=f"{name}.safetensors", sha256="0" * 64, weight=1 / 3
        )
        for name in MEMBERS
    )
    return artifact.Manifest(name="test", version="1", members=members)


def logit_by(calibrated: artifact.Manifest, cells: table.Cells) -> np.ndarray:
    """As `Ensemble` has it."""
    return calibrated.bias + sum(
        spec.weight * cells.logits[spec.backbone] / spec.temperature for spec in calibrated.members
    )


def log_loss(logit: np.ndarray, is_all: np.ndarray) -> float:
    return float(np.logaddexp(0, np.where(is_all, -logit, logit)).mean())


def test_calibration_improves_log_loss_on_subjects_it_did_not_see() -> None:
    calibrated, unseen = calibrate(manifest(), simulated(1)), simulated(2)
    before = log_loss(logit_by(manifest(), unseen), unseen.is_all)
    assert log_loss(logit_by(calibrated, unseen), unseen.is_all) < 0.9 * before


def test_the_manifest_says_what_the_parameters_say() -> None:
    cells = simulated(1)
    parameters, calibrated = fit(cells), calibrate(manifest(), cells)
    assert logit_by(calibrated, cells) == pytest.approx(parameters.logit(cells), abs=0.02)
    assert sum(member.weight for member in calibrated.members) == pytest.approx(1)
    assert calibrated.thresholds.abstain == parameters.band
    assert artifact.Manifest.model_validate(calibrated.model_dump()) == calibrated


def test_the_better_member_weighs_more_and_the_pull_evens_them() -> None:
    free, pulled = (fit(simulated(3), penalty=penalty).weights for penalty in (0, 100))
    assert free["xception"] > free["inception_v3"]
    assert list(pulled.values()) == pytest.approx([1 / 3] * 3, abs=0.01)


def test_parameters_are_where_no_small_change_helps() -> None:
    cells = simulated(4)
    found, weights = fit(cells, penalty=0), weigh(cells)

    def loss(parameters: object) -> float:
        logit = parameters.logit(cells)
        return float(weights @ np.logaddexp(0, np.where(cells.is_all, -logit, logit)))

    moved = [replace(found, bias=found.bias + step) for step in (-0.02, 0.02)]
    for factor in (0.98, 1.02):
        moved += [
            replace(found, temperatures=found.temperatures | {name: factor * found.temperatures[name]})
            for name in MEMBERS
        ]
    assert all(loss(other) > loss(found) for other in moved)


def test_decided_cells_are_as_accurate_as_wanted_on_subjects_not_seen() -> None:
    reached = []
    for seed in range(8):
        cells = simulated(seed, 40, 28)
        crossed, weights = cross_fit(cells, 0.95), weigh(cells)
        assert 0.05 < crossed.decided.mean() < 1
        right = (crossed.logit >= 0) == cells.is_all
        reached.append(weights[crossed.decided] @ right[crossed.decided] / weights[crossed.decided].sum())
    assert np.mean(reached) == pytest.approx(0.95, abs=0.015) and min(reached) > 0.91


def test_both_answers_are_as_often_right_as_wanted_and_one_that_never_is_is_not_given() -> None:
    p_all = np.repeat([0.05, 0.25, 0.45, 0.55, 0.75, 0.95], 100)
    is_all = np.concatenate([np.arange(100) < 100 * p for p in (0, 0.02, 0.4, 0.55, 0.7, 1)]).astype(int)
    alike = np.full(600, 1 / 600)
    assert band(p_all, is_all, alike, 0.97) == (0.44, 0.76)
    assert band(p_all, is_all, alike, 0.5) == (0.49, 0.5)
    assert band(p_all, is_all, np.where(is_all, 100.0, 1.0), 0.97) == (0.24, 0.5)
    assert band(1 - p_all, is_all, alike, 0.9) == (0.0, 1.0)


def test_no_cell_is_judged_by_what_was_set_on_its_own_subject() -> None:
    for cells in (simulated(5), simulated(5, parts=1)):
        odd = cells.subjects == cells.subjects[0]
        absurd = replace(
            cells, logits={name: np.where(odd, -50, logits) for name, logits in cells.logits.items()}
        )
        before, after = cross_fit(cells), cross_fit(absurd)
        fold = str(before.folds[odd][0])
        assert before.parameters[fold] == after.parameters[fold]
        assert all(before.parameters[f] != after.parameters[f] for f in before.parameters if f != fold)


def test_what_was_wanted_is_in_the_manifest() -> None:
    found = calibrate(manifest(), simulated(6), 0.93).figures["calibration"]
    assert found["wanted_accuracy"] == 0.93 and found["subjects"] == 34


def test_slides_vary_as_those_that_were_simulated_do() -> None:
    cells = simulated(7, 200, 200, apart=1.2, slide=0.8)
    true = estimate(cells.is_all, cells.subjects, (cells.logits["xception"] - 1.5) / 3, 0.9)
    assert true.means == pytest.approx((-1.2, 1.2), abs=0.15)
    assert true.offset == pytest.approx(0.8, abs=0.1) and true.spread == pytest.approx(1.2, abs=0.1)


def test_the_domain_s_limit_leaves_one_held_out_cell_in_a_hundred_beyond() -> None:
    spec = artifact.DomainSpec(file="domain.safetensors", sha256="0" * 64, looks=5, distance=9)
    cells = simulated(1)
    with_domain = manifest().model_copy(update={"domain": spec})
    found = calibrate(with_domain, cells).domain
    assert (cells.distances > found.distance).mean() == pytest.approx(0.01, abs=2e-3)
    assert found.looks == 5
    unknown = replace(cells, distances=np.full(len(cells.is_all), np.nan))
    assert calibrate(with_domain, unknown).domain == spec
    assert calibrate(manifest(), cells).domain is None


def test_a_member_without_held_out_logits_is_named() -> None:
    cells = simulated(1)
    with pytest.raises(ValueError, match="inception_v3"):
        calibrate(manifest(), replace(cells, logits={"xception": cells.logits["xception"]}))


def test_one_class_alone_is_refused() -> None:
    cells = simulated(1)
    with pytest.raises(ValueError, match="both classes"):
        fit(cells.take(cells.is_all == 1))


def test_cells_come_back_from_their_table_as_they_were(tmp_path) -> None:
    cells, path = simulated(1), tmp_path / "cells.csv"
    table.write(path, rows(cells))
    again = table.read(path)
    assert again.logits["xception"] == pytest.approx(cells.logits["xception"])
    assert (again.in_domain == cells.in_domain).all() and (again.subjects == cells.subjects).all()
    assert set(again.looks) == set(cells.looks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: {"class": "ALL"}, "one class"),
        (lambda row: {"part": row["file"]}, "two parts|in two"),
        (lambda row: {"logit_xception": "high"}, "logit_xception"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_name(tmp_path, change, words) -> None:
    path = tmp_path / "cells.csv"
    table.write(path, [row | change(row) for row in rows(simulated(1))])
    with pytest.raises(ValueError, match=rf"cells\.csv.*({words})"):
        table.read(path)


def test_a_table_of_another_kind_is_refused(tmp_path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("file,subject\na.bmp,1\n")
    with pytest.raises(ValueError, match="that `evaluate` writes"):
        table.read(path)


def test_a_calibrated_member_is_no_worse_than_raw() -> None:
    cells = simulated(9)
    for name, p_all in cross_fit(cells).members.items():
        assert log_loss(special.logit(p_all), cells.is_all) < log_loss(cells.logits[name], cells.is_all)


def test_weights_that_were_chosen_stay_and_the_rest_is_fitted():
    cells = simulated(3)
    names = list(cells.logits)
    free, shares = fit(cells), dict.fromkeys(names, 1.0) | {names[-1]: 3.0}
    chosen = fit(cells, given=shares)
    assert chosen.weights == pytest.approx(
        {name: share / sum(shares.values()) for name, share in shares.items()}
    )
    assert chosen.alone == free.alone
    for wrong in ({names[0]: 1.0}, dict.fromkeys(names, 0.0)):
        with pytest.raises(ValueError, match="one number above 0 for each of"):
            fit(cells, given=wrong)
