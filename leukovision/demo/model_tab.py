"""An ensemble's folder comes in; the tab that says who decides, how well and for whom badly goes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import gradio as gr
import numpy as np
from markdown_it import MarkdownIt
from markupsafe import Markup

from leukovision.artifact import Manifest, file_in, read_manifest
from leukovision.demo import charts, scores, visitor
from leukovision.demo.templates import macros
from leukovision.explain.sentences import at_least, signed, title_of
from leukovision.hub import CARD, Found
from leukovision.i18n import ENGLISH, Texts

_PIECES = macros("model_tab")

FIGURES = (
    "matched_auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "weighted_f1", "auc",
    "auc_by_subject", "brier", "log_loss", "ece",
)  # fmt: skip
"""Names of figures that `leukovision card` writes into a manifest, and that are shown."""

BINS = 10
WEAK = 0.7
"""Subjects with a smaller share of right cells are named."""

LONGEST = 200_000
"""Of a model card that is read, characters."""


def tab(found: Found | None) -> gr.HTML:
    """Put the tab into the Blocks that are open.

    Args:
        found: which ensemble decides, if it is known before it is loaded.

    Returns:
        What stands in it, for when another one decides.
    """
    return gr.HTML(
        visitor.start(lambda texts: model_html(found, texts)) if found else "",
        apply_default_css=False,
        js_on_load=None,
        elem_id="lv-model",
    )


def model_html(found: Found, texts: Texts = ENGLISH) -> Markup:
    """Which ensemble, its backbones, its figures by subject, and its card; only what its folder holds.

    Raises:
        StoreError: the folder is no ensemble's.
    """
    manifest = read_manifest(found.folder)
    texts = texts.about(manifest.question)
    known = scores.read(found.folder)
    return _PIECES.model(
        texts,
        manifest,
        texts.said(found.origin),
        story=_story(known, manifest, texts),
        weak=_weak(known, manifest, texts) if known else "",
        figures=_figures(manifest, texts),
        members=_members(manifest, texts),
        plots=_plots(known, manifest, texts) if known else "",
        card=_card(found.folder, texts),
    )


def _story(known: scores.Scores | None, manifest: Manifest, texts: Texts) -> Markup:
    """What it comes to, in a sentence and a picture; what is not known is not said."""
    unseen = manifest.figures.get("unseen")
    unseen = unseen if isinstance(unseen, Mapping) else {}
    ensemble, decided = unseen.get("ensemble"), unseen.get("decided")
    ensemble = ensemble if isinstance(ensemble, Mapping) else {}
    decided = decided if isinstance(decided, Mapping) else {}
    pairs, share, right = ensemble.get("matched_auc"), decided.get("coverage"), decided.get("accuracy")
    said = []
    if _figure(share, texts) and _figure(right, texts):
        least = at_least(right["low"])  # type: ignore[index]
        said.append(texts("model.story", share=100 * share["value"], least=least))  # type: ignore[index]
    if _figure(pairs, texts):
        said.append(texts("model.story_pairs", pairs=100 * pairs["value"]))  # type: ignore[index]
    chart = Markup()
    if known and 0 < known.is_all.sum() < len(known.is_all):
        chart = charts.bars(scores.by_donor(known), texts("model.donors"), texts)
    return _PIECES.story(" ".join(said), chart)


def _members(manifest: Manifest, texts: Texts) -> Markup:
    rows = [
        (member, _wrapping(title_of(member.backbone)), _wrapping(member.cut)) for member in manifest.members
    ]
    return _PIECES.members(texts, rows)


def _figures(manifest: Manifest, texts: Texts) -> Markup:
    """Figures of the ensemble, and of its backbones where the manifest has them."""
    unseen = manifest.figures.get("unseen")
    unseen = unseen if isinstance(unseen, Mapping) else {}
    # The ensemble first: on a phone the others are reached by scrolling.
    names = {"ensemble": texts("result.ensemble")}
    names |= {member.backbone: title_of(member.backbone) for member in manifest.members}
    names = {key: name for key, name in names.items() if isinstance(unseen.get(key), Mapping)}
    rows = [(key, [_figure(unseen[name].get(key), texts) for name in names]) for key in FIGURES]
    rows = [(key, cells) for key, cells in rows if any(cells)]
    if not rows:
        return _PIECES.no_figures(texts)
    notes = [texts("model.intervals")]
    if any(_figure(unseen[name].get("matched_auc"), texts) for name in names):
        notes.append(texts("model.matched"))
    decided = unseen.get("decided")
    if isinstance(decided, Mapping):
        share, right = decided.get("coverage"), decided.get("accuracy")
        low, high = manifest.thresholds.abstain
        if _figure(share, texts) and _figure(right, texts):
            share, least = 100 * share["value"], at_least(right["low"])  # type: ignore[index]
            notes.append(texts("model.decided", low=low, high=high, share=share, least=least))
    if set(names) == {"ensemble"}:
        notes.append(texts("model.no_single"))
    return _PIECES.figures(
        texts,
        [_wrapping(name) for name in names.values()],
        rows,
        notes,
        shift=_shift(manifest.figures.get("shift"), texts),
        saved_again=_saved_again(manifest.figures.get("saved_again"), texts),
    )


def _shift(shift: object, texts: Texts) -> Markup:
    """How well it does on the people least like those that it learnt from; "" where that is not known."""
    try:
        cells, of = int(shift["cells"]), shift["subjects"]  # type: ignore[index]
        people = sum(int(count) for count in of.values())
    except (KeyError, TypeError, ValueError, AttributeError):  # a manifest can say anything there
        return Markup()
    rows = [(key, _figure(shift.get(key), texts)) for key in ("matched_auc", "auc")]  # type: ignore[attr-defined]
    rows = [(key, figure) for key, figure in rows if figure]
    return _PIECES.shift(texts, cells, people, rows) if rows else Markup()


def _saved_again(measured: object, texts: Texts) -> Markup:
    """What it decides on cells that other programs saved again; "" where that is not known."""
    kinds = measured if isinstance(measured, Mapping) else {}
    shares = [figures for figures in kinds.values() if isinstance(figures, Mapping)]
    wanted = ("turned", "changed", "unnoticed", "domain", "shift")
    columns = [key for key in wanted if any(key in figures for figures in shares)]
    rows = [
        (texts.said(str(kind)), [_figure(figures.get(key), texts, key == "shift") for key in columns])
        for kind, figures in kinds.items()
        if isinstance(figures, Mapping)
    ]
    rows = [(kind, cells) for kind, cells in rows if any(cells)]
    heads = [texts(f"model.saved.{key}") for key in columns]
    return _PIECES.saved_again(texts, heads, rows) if rows else Markup()


def _figure(figure: object, texts: Texts, with_sign: bool = False) -> Markup:
    """A figure with its interval; "" for what is none."""
    if not isinstance(figure, Mapping):
        return Markup()
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    if not all(isinstance(number, (int, float)) for number in (value, low, high)):
        return Markup()
    value, low, high = float(value), float(low), float(high)  # type: ignore[arg-type]
    said = texts("model.interval", value=value, low=low, high=high)
    if with_sign:
        value, low, high = (signed(number, texts) for number in (value, low, high))  # type: ignore[assignment]
        said = texts("model.change", value=value, low=low, high=high)
    number, _, interval = said.partition(" ")
    return _PIECES.figure(number, interval)


def _plots(known: scores.Scores, manifest: Manifest, texts: Texts) -> Markup:
    """Calibration, ROC, and the cells called right of each subject."""
    p_all = known.values["p_all"]
    says = p_all >= manifest.thresholds.decide
    rows = scores.by_subject(known, says)
    ticks = [(value, texts.figure(value, "g")) for value in (0, 0.25, 0.5, 0.75, 1)]
    diagonal = (texts("model.held"), [0.0, 1.0], [0.0, 1.0])
    chance = (texts("model.chance"), [0.0, 1.0], [0.0, 1.0])
    calibration = charts.lines(
        [(texts("result.ensemble"), *reliability(p_all, known.is_all)), diagonal],
        texts("model.said"), texts("model.calibration"), ticks, texts=texts,
    )  # fmt: skip
    roc = charts.lines(
        [(texts("result.ensemble"), *operating(p_all, known.is_all)), chance],
        texts("model.alarms"), texts("model.roc", auc=scores.auc(known, "p_all")), ticks, texts=texts,
    )  # fmt: skip
    by_subject = charts.subjects(rows, texts("model.by_subject"), texts)
    unseen = texts("teach.unseen", cells=len(known.is_all), subjects=len(rows))
    return _PIECES.plots(texts, (calibration, roc, by_subject), unseen)


def _weak(known: scores.Scores, manifest: Manifest, texts: Texts) -> Markup:
    """Whom it fails."""
    rows = scores.by_subject(known, known.values["p_all"] >= manifest.thresholds.decide)
    weak = sorted((row for row in rows if row[2] < WEAK), key=lambda row: row[2])
    return _PIECES.weak(texts, 100 * WEAK, weak)


def reliability(p_all: np.ndarray, is_all: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean p and share of positive cells among those of like p, (n,) each, in tenths that are not empty."""
    bins = np.minimum((p_all * BINS).astype(int), BINS - 1)
    places = np.unique(bins)
    return [float(p_all[bins == k].mean()) for k in places], [float(is_all[bins == k].mean()) for k in places]


def operating(p_all: np.ndarray, is_all: np.ndarray) -> tuple[list[float], list[float]]:
    """False alarms and hits, 0 to 1, of thresholds that let 0, 5, 10 ... 100 % of alarms pass."""
    alarms = np.linspace(0, 1, 21)
    lines = np.quantile(p_all[~is_all], 1 - alarms, method="higher")
    hits = (p_all[is_all][:, None] > lines).mean(axis=0)
    hits[-1] = 1.0
    return alarms.tolist(), hits.tolist()


def _card(folder: Path, texts: Texts) -> Markup:
    """The model card. Whoever published it wrote it: no HTML, script or picture of it reaches the page."""
    try:
        text = file_in(folder, CARD).read_text(encoding="utf-8")[:LONGEST]
    except (OSError, ValueError):
        return Markup()
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    plain = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    # What may have to be scrolled must be reached by keyboard.
    card = plain.render(text).replace("<table>", '<table tabindex="0">')
    # Markdown with HTML turned off escapes what its writer put in: what comes out is HTML of its own.
    return _PIECES.card(texts, Markup(card))


def _wrapping(name: str) -> Markup:
    """A name in one word that a narrow column may break between its parts."""
    return _PIECES.wrapping(re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", name))


__all__ = ["model_html", "operating", "reliability", "tab"]
