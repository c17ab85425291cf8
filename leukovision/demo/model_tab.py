"""An ensemble's folder comes in; the tab that says who decides, how well and for whom badly goes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import gradio as gr
import numpy as np
from markdown_it import MarkdownIt

from leukovision.artifact import Manifest, file_in, read_manifest
from leukovision.demo import charts, scores, visitor
from leukovision.demo.glossary import term
from leukovision.explain.sentences import at_least, signed, title_of
from leukovision.hub import CARD, Found
from leukovision.i18n import ENGLISH, Texts

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


def model_html(found: Found, texts: Texts = ENGLISH) -> str:
    """Which ensemble, its backbones, its figures by subject, and its card; only what its folder holds.

    Raises:
        StoreError: the folder is no ensemble's.
    """
    manifest = read_manifest(found.folder)
    texts = texts.about(manifest.question)
    known = scores.read(found.folder)
    plots = _plots(known, manifest, texts) if known else f"<p>{texts('teach.no_scores')}</p>"
    return (
        '<article class="lv-model">'
        f"<h2>{escape(manifest.name)} {escape(manifest.version)}</h2>"
        f"{_story(known, manifest, texts)}{_weak(known, manifest, texts) if known else ''}"
        f"{_limits(manifest, texts)}{_figures(manifest, texts)}{_members(manifest, texts)}{plots}"
        f"<p>{texts('model.origin', origin=escape(texts.said(found.origin)))}</p>"
        f"{_paragraph(manifest.intended_use, texts)}{_card(found.folder, texts)}</article>"
    )


def _story(known: scores.Scores | None, manifest: Manifest, texts: Texts) -> str:
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
    picture = ""
    if known and 0 < known.is_all.sum() < len(known.is_all):
        picture = charts.bars(scores.by_donor(known), texts("model.donors"), texts)
    words = f'<p class="lv-story">{" ".join(said)}</p>' if said else ""
    return f'{words}<div class="lv-charts">{picture}</div>' if picture else words


def _members(manifest: Manifest, texts: Texts) -> str:
    heads = "".join(
        f'<th scope="col">{texts(f"model.{key}")}</th>' for key in ("backbone", "kind", "cut", "weight")
    )
    rows = "".join(
        f'<tr><th scope="row">{_wrapping(title_of(member.backbone))}</th>'
        f"<td>{texts.entries.get(f'model.is.{member.backbone}', '')}</td>"
        f"<td><code>{_wrapping(member.cut)}</code></td><td>{texts.figure(member.weight, '.2f')}</td></tr>"
        for member in manifest.members
    )
    return _section(
        texts("model.members", count=len(manifest.members)),
        f"{_table(heads, rows)}<p>{texts('model.pooled', evidence=term(texts, 'evidence'))}</p>",
    )


def _figures(manifest: Manifest, texts: Texts) -> str:
    """Figures of the ensemble, and of its backbones where the manifest has them."""
    unseen = manifest.figures.get("unseen")
    unseen = unseen if isinstance(unseen, Mapping) else {}
    # The ensemble first: on a phone the others are reached by scrolling.
    names = {"ensemble": texts("result.ensemble")}
    names |= {member.backbone: title_of(member.backbone) for member in manifest.members}
    names = {key: name for key, name in names.items() if isinstance(unseen.get(key), Mapping)}
    rows = ""
    for key in FIGURES:
        cells = [_figure(unseen[name].get(key), texts) for name in names]
        if any(cells):
            rows += f'<tr><th scope="row">{term(texts, key, texts(f"model.figure.{key}"))}</th>'
            rows += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    if not rows:
        return _section(texts("model.figures"), f"<p>{texts('model.no_figures')}</p>")
    heads = "<td></td>" + "".join(f'<th scope="col">{_wrapping(name)}</th>' for name in names.values())
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
    said = "".join(f"<p>{note}</p>" for note in notes)
    return _section(
        texts("model.figures"),
        _table(heads, rows, "lv-figures") + said + _shift(manifest.figures.get("shift"), texts)
        + _saved_again(manifest.figures.get("saved_again"), texts),
    )  # fmt: skip


def _shift(shift: object, texts: Texts) -> str:
    """How well it does on the people least like those that it learnt from; "" where that is not known."""
    try:
        cells, of = int(shift["cells"]), shift["subjects"]  # type: ignore[index]
        people = sum(int(count) for count in of.values())
    except (KeyError, TypeError, ValueError, AttributeError):  # a manifest can say anything there
        return ""
    rows = "".join(
        f'<tr><th scope="row">{texts(f"model.figure.{key}")}</th><td>{cell}</td></tr>'
        for key in ("matched_auc", "auc")
        if (cell := _figure(shift.get(key), texts))  # type: ignore[attr-defined]
    )
    heads = f'<td></td><th scope="col">{texts("result.ensemble")}</th>'
    return f"<p>{texts('model.shift', cells=cells, people=people)}</p>{_table(heads, rows)}" if rows else ""


def _saved_again(measured: object, texts: Texts) -> str:
    """What it decides on cells that other programs saved again; "" where that is not known."""
    kinds = measured if isinstance(measured, Mapping) else {}
    shares = [figures for figures in kinds.values() if isinstance(figures, Mapping)]
    wanted = ("turned", "changed", "unnoticed", "domain", "shift")
    columns = [key for key in wanted if any(key in figures for figures in shares)]
    rows = ""
    for kind, figures in kinds.items():
        cells = [
            _figure(figures.get(key), texts, key == "shift")
            for key in columns
            if isinstance(figures, Mapping)
        ]
        if any(cells):
            rows += f'<tr><th scope="row">{escape(texts.said(str(kind)))}</th>'
            rows += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    heads = "<td></td>" + "".join(f'<th scope="col">{texts(f"model.saved.{key}")}</th>' for key in columns)
    said = texts("model.saved_again", evidence=term(texts, "evidence"))
    return f"<p>{said}</p>{_table(heads, rows, 'lv-figures')}" if rows else ""


def _figure(figure: object, texts: Texts, with_sign: bool = False) -> str:
    """A figure with its interval; "" for what is none."""
    if not isinstance(figure, Mapping):
        return ""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    if not all(isinstance(number, (int, float)) for number in (value, low, high)):
        return ""
    value, low, high = float(value), float(low), float(high)  # type: ignore[arg-type]
    said = texts("model.interval", value=value, low=low, high=high)
    if with_sign:
        value, low, high = (signed(number, texts) for number in (value, low, high))  # type: ignore[assignment]
        said = texts("model.change", value=value, low=low, high=high)
    # Where there is no room for both, the interval goes whole into the next line.
    number, _, interval = said.partition(" ")
    return f"{number} <span>{interval}</span>"


def _plots(known: scores.Scores, manifest: Manifest, texts: Texts) -> str:
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
    unseen = texts("teach.unseen", cells=len(known.is_all), subjects=len(rows))
    return _section(
        texts("model.plots"),
        f'<div class="lv-charts">{calibration}{roc}{charts.subjects(rows, texts("model.by_subject"), texts)}'
        f"</div><p>{unseen}</p>",
    )


def _weak(known: scores.Scores, manifest: Manifest, texts: Texts) -> str:
    """Whom it fails."""
    rows = scores.by_subject(known, known.values["p_all"] >= manifest.thresholds.decide)
    heads = "".join(
        f'<th scope="col">{texts(f"model.{key}")}</th>' for key in ("subject", "class", "cells", "right")
    )
    weak = sorted((row for row in rows if row[2] < WEAK), key=lambda row: row[2])
    listed = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{texts.kind(manifest.question.called(is_positive))}</td>'
        f"<td>{count}</td><td>{texts('words.percent', percent=100 * share)}</td></tr>"
        for name, is_positive, share, count in weak
    )
    table = _table(heads, listed) if listed else f"<p>{texts('chart.nobody')}</p>"
    return _section(texts("model.weak", share=100 * WEAK), table)


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


def _limits(manifest: Manifest, texts: Texts) -> str:
    if not manifest.limits:
        return ""
    return _section(texts("model.limits"), _paragraph(manifest.limits, texts))


def _paragraph(text: str, texts: Texts) -> str:
    said, language = texts.paragraph(text)
    return f'<p lang="{language}">{escape(said)}</p>'


def _card(folder: Path, texts: Texts) -> str:
    """The model card. Whoever published it wrote it: no HTML, script or picture of it reaches the page."""
    try:
        text = file_in(folder, CARD).read_text(encoding="utf-8")[:LONGEST]
    except (OSError, ValueError):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    plain = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    # What may have to be scrolled must be reached by keyboard.
    card = plain.render(text).replace("<table>", '<table tabindex="0">')
    return (
        f'<details class="lv-card"><summary>{texts("model.card")}</summary>'
        f'<div lang="en">{card}</div></details>'
    )


def _wrapping(name: str) -> str:
    """A name in one word, as HTML that a narrow column may break between its parts."""
    return re.sub(r"(?<=_)|(?<=[a-z])(?=[A-Z])", "<wbr>", escape(name))


def _section(title: str, content: str) -> str:
    return f"<section><h3>{title}</h3>{content}</section>"


def _table(heads: str, rows: str, kind: str = "") -> str:
    return (
        f'<div class="lv-wide {kind}" tabindex="0"><table class="lv-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


__all__ = ["model_html", "operating", "reliability", "tab"]
