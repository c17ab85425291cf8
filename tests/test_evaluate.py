"""Scored cells -> figures: by cell, and by subject where one donor must not carry the result."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated import MEMBERS, simulated
from sklearn import metrics

from leukovision import artifact
from leukovision.evaluation import calibrate, saved_again, score, several_cells, tables
from leukovision.evaluation import figures as measured
from leukovision.evaluation.bootstrap import COLUMNS, People, figures, interval
from leukovision.evaluation.matched_auc import matched_auc
from leukovision.publishing import card
from leukovision.training.dataset import Image


def donors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A healthy donor with 400 easy cells, one whose cells all look like blasts, and two with ALL."""
    rng = np.random.default_rng(0)
    of = {"H1": (0, 400, 0.05), "H2": (0, 10, 0.9), "1": (1, 100, 0.8), "2": (1, 100, 0.7)}
    is_all = np.concatenate([np.full(count, kind) for kind, count, _ in of.values()])
    p_all = np.concatenate([rng.normal(mean, 0.02, count) for _, count, mean in of.values()])
    return is_all, np.clip(p_all, 0, 1), np.repeat(list(of), [count for _, count, _ in of.values()])


def of_all(is_all: np.ndarray, p_all: np.ndarray, subjects: np.ndarray) -> dict[str, float]:
    found = figures(is_all, p_all, People.of(is_all, subjects, draws=0))
    return {column: float(values[0]) for column, values in found.items()}


def test_one_easy_donor_carries_the_auc_over_cells_but_not_the_one_by_subject() -> None:
    found = of_all(*donors())
    assert found["auc"] > 0.95
    assert found["auc_by_subject"] == pytest.approx(0.5, abs=0.02)


def test_figures_are_those_of_scikit_learn_for_every_draw() -> None:
    cells = simulated(1)
    p_all = np.round(1 / (1 + np.exp(-cells.logits["xception"] / 3)), 2).clip(0.01, 0.99)
    people = People.of(cells.is_all, cells.subjects, draws=3)
    found = figures(cells.is_all, p_all, people)
    assert tuple(found) == COLUMNS
    for draw, counts in enumerate(people.counts):
        weights, called = counts[people.place], p_all >= 0.5
        wanted = {
            "accuracy": metrics.accuracy_score(cells.is_all, called, sample_weight=weights),
            "balanced_accuracy": metrics.balanced_accuracy_score(cells.is_all, called, sample_weight=weights),
            "sensitivity": metrics.recall_score(cells.is_all, called, sample_weight=weights),
            "specificity": metrics.recall_score(cells.is_all, called, pos_label=0, sample_weight=weights),
            "weighted_f1": metrics.f1_score(cells.is_all, called, average="weighted", sample_weight=weights),
            "auc": metrics.roc_auc_score(cells.is_all, p_all, sample_weight=weights),
            "brier": metrics.brier_score_loss(cells.is_all, p_all, sample_weight=weights),
            "log_loss": metrics.log_loss(cells.is_all, p_all, sample_weight=weights),
        }
        assert {column: found[column][draw] for column in wanted} == pytest.approx(wanted)


def test_calibration_error_is_the_gap_in_bins_weighed_by_cells() -> None:
    is_all = np.repeat([1, 0, 1, 0], [60, 40, 10, 90])
    p_all = np.repeat([0.7, 0.3], [100, 100])
    subjects = np.repeat(["1", "H1", "2", "H2"], [60, 40, 10, 90])
    assert of_all(is_all, p_all, subjects)["ece"] == pytest.approx((0.1 + 0.2) / 2)


def test_sensitivity_is_of_all_and_specificity_of_healthy() -> None:
    is_all, subjects = np.array([1, 1, 1, 1, 0, 0]), np.array(["1", "1", "1", "1", "H1", "H1"])
    found = of_all(is_all, np.array([0.9, 0.9, 0.9, 0.1, 0.1, 0.9]), subjects)
    assert (found["sensitivity"], found["specificity"]) == (0.75, 0.5)
    assert found["balanced_accuracy"] == 0.625


def test_intervals_cover_the_truth_of_all_subjects() -> None:
    def auc_of(cells: object, draws: int) -> np.ndarray:
        people = People.of(cells.is_all, cells.subjects, draws)
        return figures(cells.is_all, cells.logits["xception"] / 1000 + 0.5, people)["auc"]

    truth = float(auc_of(simulated(99, 600, 600, 30), 0)[0])
    found = [interval(auc_of(simulated(seed, 20, 14, 30), 200)) for seed in range(40)]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) >= 0.85
    # By cells the interval would be half as wide, and wrong.
    assert np.mean([one["high"] - one["low"] for one in found]) > 0.04


def test_subjects_are_listed_with_the_weakest_of_each_class_first() -> None:
    is_all, p_all, subjects = donors()
    cells = replace(simulated(1), is_all=is_all, subjects=subjects, parts=np.full(len(is_all), "one"))
    rows = measured.by_subject(cells, np.log(p_all.clip(1e-3, 0.999) / (1 - p_all.clip(1e-3, 0.999))))
    healthy = [
        (row["subject"], row["accuracy"], row["cells"], row["called"])
        for row in rows
        if row["class"] == "healthy"
    ]
    assert healthy == [("H2", 0.0, 10, "ALL"), ("H1", 1.0, 400, "healthy")]


def test_one_class_alone_is_refused() -> None:
    cells = simulated(1)
    with pytest.raises(ValueError, match="one class"):
        measured.compute(cells.take(cells.is_all == 0))


def test_too_few_subjects_are_refused() -> None:
    cells = simulated(1, parts=1)
    few = (cells.is_all == 1) | (cells.subjects == cells.subjects[cells.is_all == 0][0])
    with pytest.raises(ValueError, match="two of each class"):
        measured.compute(cells.take(few))


def test_the_baselines_find_a_planted_shortcut_and_equal_sizes_show_it_is_none_of_the_ensemble_s() -> None:
    content = measured.compute(simulated(2, shortcut=2.0), draws=20)
    shortcuts = content["shortcuts"]
    assert shortcuts["area"]["auc"]["value"] > 0.9 > 0.6 > shortcuts["sharpness"]["auc"]["value"]
    assert all(row["auc"]["value"] > 0.8 for row in content["area_bands"])


def test_members_and_four_ways_to_combine_them_are_compared_on_the_same_draws() -> None:
    content = measured.compute(simulated(3), draws=100)
    assert list(content["figures"]) == [
        *MEMBERS, "mean_probability", "majority_vote", "weighted_mean", "ensemble",
    ]  # fmt: skip
    less = content["log_loss_less_than"]
    assert set(less) == {*MEMBERS, "majority_vote"}
    assert less["majority_vote"]["high"] < 0 and less["inception_v3"]["high"] < 0
    both = [content["figures"][name]["log_loss"]["value"] for name in ("ensemble", "inception_v3")]
    assert less["inception_v3"]["value"] == pytest.approx(both[0] - both[1], abs=2e-4)
    # Paired: the difference is surer than either.
    width = less["inception_v3"]["high"] - less["inception_v3"]["low"]
    whole = content["figures"]["ensemble"]["log_loss"]
    assert width < whole["high"] - whole["low"]


def test_several_cells_of_one_slide_decide_better_than_one() -> None:
    cells = simulated(4, 40, 40, apart=0.8)
    first, *_, last = several_cells.several(cells, calibrate.cross_fit(cells), 0.9, draws=20)
    assert last["decided"]["value"] > first["decided"]["value"]
    assert last["together"]["value"] > last["alone"]["value"] + 0.05


def test_a_ruler_has_hardly_any_matched_auc() -> None:
    cells = simulated(6, shortcut=2.0)
    people = People.of(cells.is_all, cells.subjects, draws=20)
    area = cells.looks["area"]
    assert figures(cells.is_all, area / area.max(), people)["auc"][0] > 0.9
    assert matched_auc(area, area, people)[0] < 0.7
    assert matched_auc(cells.logits["xception"], area, people)[0] > 0.8


def test_a_matched_pair_counts_once_for_its_two_subjects() -> None:
    is_all, subjects = np.array([1, 1, 0, 0, 0]), np.array(["1", "1", "H1", "H1", "H2"])
    area, scores = np.array([100.0, 200, 105, 300, 195]), np.array([3.0, 1, 2, 9, 2])
    people = People.of(is_all, subjects, draws=0)
    # 1 with H1: only 100 and 105 px are alike, in order; 1 with H2: only 200 and 195, in the wrong one.
    assert matched_auc(scores, area, people)[0] == 0.5


def test_everything_is_written_and_the_card_shows_it(tmp_path: Path) -> None:
    content = measured.write(simulated(5), tmp_path / "out", draws=50)
    plots = [f"{name}.{kind}" for name in ("roc", "reliability", "confusion", "risk_coverage")
             for kind in ("png", "csv")]  # fmt: skip
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "figures.json", "figures.csv", "figures.md", "subjects.csv", "subjects.png", *plots,
    }  # fmt: skip
    member = artifact.MemberSpec(
        backbone="xception", cut="cut", file="x.safetensors", sha256="0" * 64, weight=1
    )
    artifact.write_manifest(tmp_path, artifact.Manifest(name="test", version="1", members=(member,)))
    manifest = card.write(tmp_path, content)
    text, ensemble = (tmp_path / "README.md").read_text(), content["figures"]["ensemble"]
    assert "Not a medical device" in text and tables.shown(ensemble["auc"]) in text
    assert artifact.read_manifest(tmp_path) == manifest
    assert manifest.figures["unseen"]["ensemble"] == ensemble
    least = int(100 * content["decided"]["accuracy"]["low"] + 1e-6)
    assert f"Of 100 decided cells at least {least} are" in text and "saved again" not in text
    with pytest.raises(ValueError, match="figures"):
        card.write(tmp_path, {"cells": 3})
    with pytest.raises(ValueError, match="resave"):
        card.write(tmp_path, content, saved_again={"JPEG 95": {}})


def test_the_card_leads_with_what_a_ruler_new_people_and_other_programs_make_of_it(tmp_path: Path) -> None:
    cells = simulated(5)
    content, far = measured.compute(cells, draws=20), measured.compute(simulated(6), draws=20)
    # Too few subjects for a figure have nan, which a manifest cannot hold.
    content["figures"]["xception"]["matched_auc"] = dict.fromkeys(("value", "low", "high"), float("nan"))
    again = {"JPEG 75": {key: {"value": -0.25, "low": -0.5, "high": 0.125} for key in saved_again.MEASURED}}
    member = artifact.MemberSpec(
        backbone="xception", cut="cut", file="x.safetensors", sha256="0" * 64, weight=1
    )
    artifact.write_manifest(tmp_path, artifact.Manifest(name="test", version="1", members=(member,)))
    manifest = card.write(tmp_path, content, far, again)
    text, own = (tmp_path / "README.md").read_text(), content["figures"]["ensemble"]
    places = [
        text.index(words)
        for words in (
            f"one size: {tables.shown(own['matched_auc'])}",
            f"| auc | {tables.shown(far['figures']['ensemble']['auc'])} |",
            "| JPEG 75 | -0.250 (-0.50 to 0.12) |", "| balanced accuracy |",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    kept = artifact.read_manifest(tmp_path).figures
    assert kept == manifest.figures and kept["saved_again"] == again
    assert kept["shift"]["cells"] == far["cells"] and kept["unseen"]["xception"]["matched_auc"] is None
    assert not {"shift", "saved_again"} & card.write(tmp_path, content).figures.keys()


def images(tmp_path: Path, counts: dict[str, int]) -> list[Image]:
    return [
        Image(
            tmp_path / f"{subject}_{n}.bmp", int(subject[0] != "H"), subject, "fold_0", f"{subject}{n}"
        )
        for subject, count in counts.items()
        for n in range(count)
    ]  # fmt: skip


def test_a_sample_is_even_by_subject_and_the_same_each_time(tmp_path: Path) -> None:
    found = score.sample(images(tmp_path, {"1": 100, "H1": 20, "H2": 2}), 22)
    counts = {subject: sum(image.subject == subject for image in found) for subject in ("1", "H1", "H2")}
    assert counts == {"1": 10, "H1": 10, "H2": 2}
    assert found == score.sample(images(tmp_path, {"1": 100, "H1": 20, "H2": 2}), 22)


def test_an_image_under_two_names_is_scored_once(tmp_path: Path) -> None:
    first, second = images(tmp_path, {"1": 1, "2": 1})
    assert score.once([first, replace(second, sha256=first.sha256)]) == [first]


def folder(tmp_path: Path, name: str, held_out: list[str]) -> Path:
    member = artifact.MemberSpec(
        backbone="xception", cut="cut", file="x.safetensors", sha256="0" * 64, weight=1
    )
    training = {"held_out_subjects": held_out} if held_out else {}
    (tmp_path / name).mkdir()
    artifact.write_manifest(
        tmp_path / name, artifact.Manifest(name=name, version="1", members=(member,), training=training)
    )
    return tmp_path / name


def test_each_ensemble_is_tested_on_what_it_held_out(tmp_path: Path) -> None:
    some = images(tmp_path, {"1": 2, "2": 2, "H1": 2})
    a, b, none = (folder(tmp_path, *args) for args in (("a", ["1", "H1"]), ("b", ["2"]), ("none", [])))
    dealt = {path.name: {image.subject for image in test} for path, test in score.held_out([a, b], some)}
    assert dealt == {"a": {"1", "H1"}, "b": {"2"}}
    assert score.held_out([a], some) == [(a, [*some[:2], *some[4:]])]
    assert score.held_out([a], some, everything=True) == [(a, some)]
    assert score.held_out([none], some) == [(none, some)]
    with pytest.raises(ValueError, match="none: its manifest names no held-out subjects"):
        score.held_out([a, none], some)
    with pytest.raises(ValueError, match="both held out subject 1"):
        score.held_out([a, folder(tmp_path, "c", ["1"])], some)
    with pytest.raises(ValueError, match="one name"):
        score.held_out([a, a], some)
