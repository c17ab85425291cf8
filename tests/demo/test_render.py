"""The words and colours that the page and the command line give to an analysis."""

from __future__ import annotations

import numpy as np
import pytest

from leukovision.demo import render
from leukovision.ensemble import Analysis, MemberAnalysis, Source, sigmoid
from leukovision.explain.faithfulness import Curve

SIDE = 96
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
DISC = np.hypot(Y, X) < 40


def analysis(*logits: float, decision: str | None = None) -> Analysis:
    """One whose members have these logits and equal weights, on flat maps."""
    names = ("xception", "inception_resnet_v2", "inception_v3")[: len(logits)]
    flat = [np.full((SIDE, SIDE), logit, dtype=np.float32) for logit in logits]
    members = {
        name: MemberAnalysis(sigmoid(z), z, 0.0, cam, cam[::8, ::8], z / len(logits))
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
        (analysis(2.0, 3.0, 2.8), "ALL, 93 %", "all three backbones agree"),
        (analysis(-3.0, -3.0, 0.2), "healthy, 87 %", "two of three backbones agree (InceptionV3 says ALL)"),
        (
            analysis(5.0, -0.5, -0.6), "ALL, 79 %",
            "one of three backbones agrees (InceptionResNetV2 and InceptionV3 say healthy)",
        ),
        (analysis(9.0, 9.0), "ALL, above 99 %", "both backbones agree"),
        (analysis(1.0), "ALL, 73 %", "the only backbone"),
        (analysis(0.2, 0.2, decision="unsure"), "unsure", "p(ALL) = 0.55"),
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
    words = render.describe_map(spot, DISC, 0.25)
    assert f"half of it {where}. Towards healthy: 0.00. With the constant +0.25: logit" in words
    assert f"Towards healthy: {render.signed(-spot.mean())}, half of it {where}." in render.describe_map(
        -spot, DISC, 0.0
    )


def test_ring_and_even_map_are_told_apart():
    ring = ((np.hypot(Y, X) > 34) & DISC).astype(np.float32)
    assert "around the rim of the cell" in render.describe_map(ring, DISC, 0.0)
    assert "spread over the cell" in render.describe_map(DISC.astype(np.float32), DISC, 0.0)


def test_totals_and_constant_add_up_to_the_logit():
    cam = np.random.default_rng(1).normal(0.3, 2, (SIDE, SIDE)).astype(np.float32)
    words = render.describe_map(cam, DISC, -0.4).replace("−", "-")
    figures = [float(word.strip(",.:")) for word in words.split() if word[0] in "+-"]
    assert sum(figures[:3]) == pytest.approx(figures[3], abs=0.02)


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
    good, poor = Curve(shares, np.array([0.9, 0.2, 0.0])), Curve(shares, np.array([0.9, 0.8, 0.0]))
    assert "from 0.90 to 0.20; removing a random 10 %, to 0.80." in render.check_html(maps, good, poor)
    assert "no better than chance" not in render.check_html(maps, good, poor)
    assert "no better than chance" in render.check_html(maps, poor, good)


def test_names_and_sentences_cannot_break_the_page():
    assert "<script>" not in render.alert_html("<script>.png: the file is empty.")
