"""What the Model tab says of an ensemble's folder, and what it does not."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from scipy import integrate

from leukovision.artifact import SCORES, read_manifest
from leukovision.backbones import BACKBONES
from leukovision.demo import build, model_tab, scores
from leukovision.hub import EMBEDDED, Found
from leukovision.i18n import LANGUAGES
from leukovision.resaving import KINDS


@pytest.fixture
def folder(tmp_path):
    """The embedded ensemble's words, without its networks."""
    for name in ("ensemble.json", "README.md", SCORES):
        shutil.copy(EMBEDDED / name, tmp_path)
    return tmp_path


def plain(page: str) -> str:
    """A page without what explains its words."""
    return re.sub('<span class="lv-tip">.*?</span>|</?span>|</?button.*?>', "", page)


def test_figures_intervals_and_weak_subjects_of_the_folder_are_shown(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    unseen = content["figures"]["unseen"]
    for place, name in enumerate(BACKBONES):
        unseen[name] = unseen["ensemble"] | {"auc": {"value": 0.9 + place / 100, "low": 0.85, "high": 0.95}}
    (folder / "ensemble.json").write_text(json.dumps(content))
    page = plain(model_tab.model_html(Found(folder, "me/cells@1234")))
    for name in (*BACKBONES, "ensemble"):
        auc = unseen[name]["auc"]
        assert f"{auc['value']:.3f} ({auc['low']:.2f}–{auc['high']:.2f})" in page
    assert "me/cells@1234" in page and page.count("<svg") == 4
    weak = page.split("Subjects with fewer than 70 %")[1].split("</section>")[0]
    assert "H40" in weak and "H14" not in weak
    assert "no figures of single networks" not in page


def test_what_new_people_and_other_programs_make_of_it_is_shown_where_it_is_known(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    figures = content["figures"]
    figures["unseen"]["ensemble"].pop("matched_auc", None)
    figures.pop("saved_again", None)
    figures.pop("shift", None)
    (folder / "README.md").unlink()
    (folder / "ensemble.json").write_text(json.dumps(content | {"limits": ""}))
    page = model_tab.model_html(Found(folder, "here"))
    assert "new clinic" not in page and "saved again" not in page
    interval = {"value": 0.912, "low": 0.85, "high": 0.95}
    figures["unseen"]["ensemble"] = {"matched_auc": interval} | figures["unseen"]["ensemble"]
    figures["unseen"]["decided"] = {
        "coverage": interval,
        "accuracy": {"value": 0.93, "low": 0.869, "high": 1},
    }
    figures["shift"] = {"auc": interval, "cells": 1234, "subjects": {"ALL": 5, "healthy": 9}}
    changed = dict.fromkeys(("turned", "changed", "domain"), interval)
    changed["shift"] = {"value": -0.25, "low": -0.5, "high": 0.1}
    figures["saved_again"] = {"half size and back": changed, "<b>": changed, "odd": {"turned": None}, "x": 3}
    (folder / "ensemble.json").write_text(json.dumps(content))
    page = plain(model_tab.model_html(Found(folder, "here")))
    table = page.split("How good it is")[1]
    assert table.index("AUC among cells of one size</th><td>0.912 (0.85–0.95)") < table.index("Accuracy</th>")
    assert "a ruler alone gets nowhere" in page
    assert "at least 86 are right" in page and "0.93" not in page.split("“unsure” where")[1].split("</p>")[0]
    assert "1234 cells of 14 people" in page and "AUC</th><td>0.912 (0.85–0.95)" in page
    assert "<td>−0.25 (−0.50 to +0.10)</td>" in page
    assert "&lt;b&gt;</th>" in page and "<b>" not in page and "odd</th>" not in page
    german = plain(model_tab.model_html(Found(folder, "here"), LANGUAGES["de"]))
    assert "halbe Größe und zurück</th>" in german and "<td>−0,25 (−0,50 bis +0,10)</td>" in german
    for kind in KINDS:
        assert kind.startswith(("JPEG", "WebP")) or LANGUAGES["de"].said(kind) != kind


def test_a_folder_with_figures_of_the_ensemble_alone_says_so(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    for name in BACKBONES:
        content["figures"]["unseen"].pop(name, None)
    (folder / "ensemble.json").write_text(json.dumps(content))
    assert "The folder holds no figures of single networks." in model_tab.model_html(Found(folder, "here"))


def test_a_folder_without_figures_scores_and_card_says_so(folder):
    content = json.loads((folder / "ensemble.json").read_text())
    content["figures"] = {"unseen": {"ensemble": {"auc": "<b>1</b>", "brier": {"value": None}}}}
    (folder / "ensemble.json").write_text(json.dumps(content))
    (folder / SCORES).unlink()
    (folder / "README.md").unlink()
    page = model_tab.model_html(Found(folder, "here"))
    assert "holds no figures" in page and "scores.csv" in page
    assert "<svg" not in page and "<details" not in page and "<b>1" not in page


def test_a_card_from_elsewhere_brings_no_html_script_or_picture(folder):
    (folder / "README.md").write_text(
        "---\nlicense: mit\n---\n# Mine\n<script>alert(1)</script><img src=x onerror=alert(1)>\n\n"
        "![seen](https://example.org/pixel.png) [x](javascript:alert(1)) [ok](https://example.org)\n\n"
        "| a | b |\n| - | - |\n| 1 | 2 |\n"
    )
    page = model_tab.model_html(Found(folder, "<i>here</i>")).split("</article>")[0]
    card = page.split("<details")[1]
    assert "<h1>Mine</h1>" in card and "<td>1</td>" in card and 'href="https://example.org"' in card
    assert not any(bad in page for bad in ("<script", "<img", 'javascript:alert(1)"', "license: mit", "<i>"))


def test_markup_in_a_manifest_is_shown_as_it_is_written(folder):
    hostile = "<img src=x onerror=alert(1)>\"'&lt;script>"

    def marked(value):
        if isinstance(value, dict):
            return {key: marked(one) for key, one in value.items()}
        return [marked(one) for one in value] if isinstance(value, list) else hostile

    content = json.loads((folder / "ensemble.json").read_text())
    for key in ("name", "version", "intended_use", "limits"):
        content[key] = hostile
    for key in ("training", "figures"):
        content[key] = marked(content.get(key, {}))
    (folder / "ensemble.json").write_text(json.dumps(content))
    manifest = read_manifest(folder)
    for texts in LANGUAGES.values():
        foot = build.footer_html(f"{manifest.name} {manifest.version}", True, hostile, texts)
        shown = f"{model_tab.model_html(Found(folder, hostile), texts)}{foot}"
        assert "<img" not in shown and "<script" not in shown and shown.count("&lt;img") >= 5


def test_curves_are_those_of_the_scores():
    found = scores.read(EMBEDDED)
    alarms, hits = model_tab.operating(found.values["p_all"], found.is_all)
    assert (hits[0], hits[-1]) == (pytest.approx(0, abs=0.05), 1.0) and np.all(np.diff(hits) >= 0)
    assert integrate.trapezoid(hits, alarms) == pytest.approx(scores.auc(found, "p_all"), abs=0.01)
    said, were = model_tab.reliability(
        np.array([0.05, 0.06, 0.95, 1.0]), np.array([False, False, True, True])
    )
    assert said == pytest.approx([0.055, 0.975]) and were == [0, 1]
