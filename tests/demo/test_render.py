"""The words and colours that the page and the command line give to an analysis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leukovision.artifact import read_manifest
from leukovision.demo import render
from leukovision.ensemble import Analysis, MemberAnalysis, Source, sigmoid
from leukovision.explain.faithfulness import Check, Curve
from leukovision.hub import EMBEDDED

SIDE = 96
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
DISC = np.hypot(Y, X) < 40


def analysis(*logits: float, decision: str | None = None) -> Analysis:
    """One whose members have these logits and equal weights, on flat maps."""
    names = ("xception", "inception_resnet_v2", "inception_v3")[: len(logits)]
    flat = [np.full((SIDE, SIDE), logit, dtype=np.float32) for logit in logits]
    members = {
        name: MemberAnalysis(sigmoid(z), z, 0.0, cam, cam[::8, ::8], 1 / len(logits))
        for name, z, cam in zip(names, logits, flat, strict=True)
    }
    logit = sum(m.share for m in members.values())
    decision = decision or ("ALL" if logit >= 0 else "healthy")
    picture = np.where(DISC[..., None], (90, 40, 120), 0).astype(np.uint8)
    source = Source("test", "1", "here")
    cam = np.mean(flat, axis=0)
    return Analysis(decision, sigmoid(logit), logit, 0.0, cam, members, True, "", source, picture)


@pytest.mark.parametrize(
    ("given", "first", "then"),
    [
        (analysis(2.0, 3.0, 2.8), "ALL, 93 %", "all three networks agree"),
        (analysis(-3.0, -3.0, 0.2), "healthy, 87 %", "two of three networks agree (InceptionV3 says ALL)"),
        (
            analysis(5.0, -0.5, -0.6), "ALL, 79 %",
            "one of three networks agrees (InceptionResNetV2 and InceptionV3 say healthy)",
        ),
        (analysis(9.0, 9.0), "ALL, above 99 %", "both networks agree"),
        (analysis(1.0), "ALL, 73 %", "the only network"),
        (analysis(0.2, 0.2, decision="unsure"), "unsure", "probability of ALL 0.55"),
    ],
)  # fmt: skip
def test_headline_says_decision_and_agreement(given, first, then):
    assert render.headline(given) == (first, then)


def test_shown_parts_add_up_to_the_shown_logit():
    rng = np.random.default_rng(0)
    for _ in range(200):
        given = analysis(*rng.normal(0, 3, 3))
        parts = [value for _, value in render.addition(given)]
        assert sum(parts) == pytest.approx(round(given.logit, 2), abs=1e-9)
        exact = [m.share for m in given.members.values()]
        assert np.abs(np.subtract(parts, exact)).max() <= 0.01


@pytest.mark.parametrize(
    ("y", "x", "where"),
    [
        (0, 0, "in the centre of the cell"),
        (-18, -18, "in the upper left of the cell"),
        (20, 0, "in the lower part of the cell"),
        (0, 36, "at the right rim of the cell"),
        (-45, 45, "outside the cell"),
    ],
)
def test_map_is_described_by_where_its_evidence_lies(y, x, where):
    spot = 50 * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / 50).astype(np.float32)
    assert render.describe_map(spot, DISC) == f"Nearly all for ALL, half of it {where}."
    assert render.describe_map(-spot, DISC) == f"Nearly all for healthy, half of it {where}."
    both = spot - 0.5 * np.roll(spot, 9, axis=1)
    assert render.describe_map(both, DISC).startswith("More for ALL than for healthy, half of that ")
    assert render.describe_map(0 * spot, DISC) == "Next to nothing for either."


def test_ring_and_even_map_are_told_apart():
    ring = ((np.hypot(Y, X) > 34) & DISC).astype(np.float32)
    assert "around the rim of the cell" in render.describe_map(ring, DISC)
    assert "spread over the cell" in render.describe_map(DISC.astype(np.float32), DISC)


def test_one_scale_serves_all_maps_and_is_a_round_number():
    flat = np.ones((SIDE, SIDE), dtype=np.float32)
    assert render.scale_of({"one": 0.3 * flat, "other": -3.7 * flat}) == 4
    assert render.scale_of({"none": 0 * flat}) > 0


def test_colours_point_the_right_way_and_are_clear_at_nothing():
    red, none, blue = render.colours(np.array([[2.0, 0.0, -2.0]], dtype=np.float32), 2.0)[0].astype(int)
    assert red[0] > red[2] and blue[2] > blue[0]
    assert (red[3], none[3], blue[3]) == (255, 0, 255)


def test_overlays_show_each_backbone_and_the_combined_map():
    pictures = render.overlays(analysis(2.0, 1.0, -1.0))
    assert list(pictures) == ["xception", "inception_resnet_v2", "inception_v3", "combined"]
    assert {picture.size for picture in pictures.values()} == {(SIDE, SIDE)}


def test_a_method_that_finds_nothing_says_so_and_a_poor_map_is_called_poor():
    nothing = np.zeros((SIDE, SIDE), dtype=np.float32)
    maps = render.Drawn("gradcam", "ALL", {"combined": nothing}, {"combined": nothing})
    given = analysis(1.0)
    page = render.result_html(given, given.picture, maps)
    assert "No positive evidence: this method finds nothing here that speaks for ALL." in page
    shares = np.array([0, 0.1, 1])
    fallen, risen, chance = (Curve(shares, np.array([0.9, p, 0.0])) for p in (0.2, 0.95, 0.8))
    for verdict, words in (("yes", "Yes, on"), ("chance", "No better than"), ("unclear", "cannot tell")):
        page = render.check_html(maps, Check(fallen, risen, chance, verdict))
        assert words in page and "from 0.90 to 0.20; blurring what speaks most against it, to 0.95" in page


def test_how_far_to_believe_it_is_said_where_the_figures_are_known_and_hold():
    given = analysis(2.0, 3.0, 2.8)
    figures = {"unseen": {"decided": {
        "coverage_ALL": {"value": 0.5}, "accuracy_ALL": {"value": 0.9},
        "coverage_healthy": {"value": 0.8}, "accuracy_healthy": {"value": 0.75},
    }}}  # fmt: skip
    said = render.record("ALL", figures)
    assert "it said ALL of 45 of 100 cells with ALL, and of 20 of 100 healthy cells." in said
    assert "of 60 of 100 healthy cells, and of 5 of 100" in render.record("healthy", figures)
    assert "unsure of 50 of 100 cells with ALL, and of 20 of 100" in render.record("unsure", figures)
    for unknown in ({}, {"unseen": {"decided": {"coverage_ALL": "x"}}}, {"unseen": 3}):
        assert render.record("ALL", unknown) == ""
    manifest = read_manifest(EMBEDDED).model_copy(update={"figures": figures})
    assert said in render.result_html(given, given.picture, None, manifest)
    odd = replace(given, in_domain=False, reason="It is odd.")
    for page in (
        render.result_html(given, given.picture, None, manifest, measured=False),
        render.result_html(odd, given.picture, None, manifest),
    ):
        assert said not in page
    assert "not decided" in page and "93 %" not in page
    folded = page[page.index("<details") : page.index("</details>")]
    assert page.count("lv-sum") == 1 and "lv-sum" in folded


def test_names_and_sentences_cannot_break_the_page():
    assert "<script>" not in render.alert_html("<script>.png: the file is empty.")
