"""An `Analysis` comes in; its piece of the page goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from leukovision.artifact import Manifest
from leukovision.cell import foreground, largest_part
from leukovision.demo import charts
from leukovision.demo.glossary import term
from leukovision.ensemble import Analysis, Ensemble, enlarge
from leukovision.explain.faithfulness import Check
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.explain.overlay import (
    COMBINED,
    OPACITY,
    backdrop,
    cams,
    colours,
    data_uri,
    overlays,
    scale_of,
)
from leukovision.explain.sentences import (
    addition,
    check_line,
    describe_map,
    headline,
    p_all_of,
    percent,
    place,
    record,
    signed,
    title_of,
)
from leukovision.i18n import ENGLISH, Texts

VIEWS = ("all", "combined", "own")
"""Which maps can be shown."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Maps as they are shown: by backbone, and last by `COMBINED`.

    Attributes:
        method: key of `methods.METHODS`.
        target: the class that the method was asked about.
        smooth: (size, size) float32 each, what it adds: towards the positive class above 0, else below.
        coarse: (h, w) float32 each, the same as coarse as they are.
    """

    method: str
    target: str
    smooth: Mapping[str, np.ndarray]
    coarse: Mapping[str, np.ndarray]


def drawn(ensemble: Ensemble, analysis: Analysis, method: str = DEFAULT) -> Drawn:
    """The maps of one cell by a method; those that add up come with the analysis.

    Raises:
        ValueError: there is no such method.
    """
    target, side = ensemble.question.called(analysis.logit >= 0), ensemble.input.size
    # What each adds, as in `cams`.
    if method == DEFAULT:
        coarse = {name: member.weight * member.coarse for name, member in analysis.members.items()}
        smooth = cams(analysis)
    else:
        found = explain(ensemble, ensemble.input.numbers(analysis.picture), method, target)
        sign = ensemble.question.sign(target)
        coarse = {name: sign * analysis.members[name].weight * own for name, own in found.members.items()}
        smooth = {name: enlarge(part, side) for name, part in coarse.items()}
        smooth[COMBINED] = sign * found.combined
    blocks = sum(np.asarray(Image.fromarray(part).resize((side, side), 0)) for part in coarse.values())
    return Drawn(method, target, smooth, coarse | {COMBINED: np.asarray(blocks, dtype=np.float32)})


def result_html(
    analysis: Analysis,
    picture: np.ndarray,
    maps: Drawn | None,
    manifest: Manifest | None = None,
    texts: Texts = ENGLISH,
    measured: bool = True,
    traits: str = "",
    truth: str = "",
) -> str:
    """Everything that the page says of one cell.

    Args:
        analysis: of it.
        picture: (side, side, 3) uint8, the field that the backbones saw, as fine as it shall be drawn.
        maps: of it; None for a button that asks for them.
        manifest: of the ensemble, for its thresholds and figures.
        texts: of a language.
        measured: whether the figures were measured on cells like this one.
        traits: HTML of the cell's traits.
        truth: what the cell is, said after the decision.
    """
    texts = texts.about(analysis.question)
    decide = manifest.thresholds.decide if manifest else 0.5
    figures = manifest.figures if manifest and measured else {}
    source = escape(texts.said(str(analysis.ensemble)))
    decision = _decision(analysis, decide, texts, figures, truth)
    return (
        '<article class="lv-result">'
        f'<div class="lv-top">{decision}{_parts(analysis, texts)}</div>'
        f"{_maps(analysis, picture, maps, texts) if maps else _folded(texts)}{traits}"
        f'<p class="lv-source">{texts("result.decided")} <strong>{source}</strong>. '
        f"{texts('page.disclaimer')}</p>"
        "</article>"
    )


def alert_html(sentence: str | BaseException, title: str | None = None, texts: Texts = ENGLISH) -> str:
    """A sentence that says why there is no decision, announced by screen readers."""
    title = texts("result.not_analysed") if title is None else title
    return (
        f'<div class="lv-alert" role="alert"><strong>{title}</strong>'
        f"<p>{escape(texts.said(sentence))}</p></div>"
    )


def _decision(
    analysis: Analysis, decide: float, texts: Texts, figures: Mapping[str, Any] | None = None, truth: str = ""
) -> str:
    first, then = headline(analysis, decide, texts)
    reason = escape(texts.said(analysis.reason))
    odd = ""
    if not analysis.in_domain:
        odd = f'<p class="lv-odd"><strong>{texts("result.odd")}</strong> {reason}</p>'
    why = f'<p class="lv-why">{reason}</p>' if analysis.in_domain and reason else ""
    if analysis.in_domain and (told := record(analysis.decision, figures or {}, texts)):
        link = f'<a href="?tab=model" data-tab="model">{texts("result.record")}</a>'
        why += f'<p class="lv-why lv-record">{told} {link}</p>'
    if truth:
        why += f'<p class="lv-truth">{escape(truth)}</p>'
    return (
        f'<div class="lv-decision lv-{analysis.question.side(analysis.decision)}" role="status">{odd}'
        f'<h2><strong>{escape(first)}</strong><span class="lv-colon">: </span>'
        f'<span class="lv-then">{escape(then)}</span></h2>{why}</div>'
    )


def _parts(analysis: Analysis, texts: Texts) -> str:
    """What each network adds, as bars of which each begins where the one before ends; folded away where
    nothing is decided, or the bars would say what the words do not."""
    parts = dict(addition(analysis))
    ends = np.cumsum([0.0, *parts.values()])
    low, high = ends.min(), ends.max()
    low, wide = low - 0.04 * (high - low), 1.08 * max(high - low, 0.01)

    def row(title: str, p_all: float, value: float, begin: float) -> str:
        left, right = (100 * (place - low) / wide for place in sorted((begin, begin + value)))
        bar = (
            f'<i class="lv-zero" style="left:{-100 * low / wide:.1f}%"></i>'
            f'<i class="lv-{"positive" if value >= 0 else "negative"}" '
            f'style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'
        )
        return (
            f'<tr><th scope="row">{escape(title)}</th><td>{texts.figure(p_all, ".2f")}</td>'
            f'<td aria-hidden="true"><span class="lv-part-bar">{bar}</span></td>'
            f"<td>{signed(value, texts)}</td></tr>"
        )

    rows = "".join(
        row(title_of(name), member.p_all, parts[title_of(name)], begin)
        for (name, member), begin in zip(analysis.members.items(), ends, strict=False)
    )
    adds = f"{texts('result.adds')} ({term(texts, 'evidence')})"
    table = (
        f'<table class="lv-table lv-sum"><caption>{texts("result.members")}</caption><thead><tr>'
        f'<th scope="col">{term(texts, "network")}</th><th scope="col">{term(texts, "probability")}</th>'
        f'<th scope="col" colspan="2">{adds}</th></tr></thead>'
        f"<tbody>{rows}</tbody>"
        f"<tfoot>{row(texts('result.together'), analysis.p_all, analysis.logit, 0.0)}</tfoot></table>"
    )
    if analysis.in_domain:
        return table
    return f'<details class="lv-fold"><summary>{texts("result.all_the_same")}</summary>{table}</details>'


def brief_html(
    analysis: Analysis,
    picture: np.ndarray,
    below: str = "",
    decide: float = 0.5,
    texts: Texts = ENGLISH,
    figures: Mapping[str, Any] | None = None,
) -> str:
    """Decision, combined map and those of the backbones without their words, for lessons.

    Args:
        analysis: of a cell.
        picture: (side, side, 3) uint8, what to lay the maps over.
        below: HTML to follow.
        decide: probability from which a backbone is said to say the positive class.
        texts: of a language.
        figures: of the ensemble's manifest, where they were measured on cells like this one.
    """
    maps, texts = cams(analysis), texts.about(analysis.question)
    return (
        f'<article class="lv-brief">{_decision(analysis, decide, texts, figures)}'
        f'<div class="lv-grid">{_pictures(maps, maps, picture, scale_of(maps), texts)}</div>'
        f"{legend_html(texts)}{below}</article>"
    )


def compared_html(
    analysis: Analysis, picture: np.ndarray, maps: Drawn, scale: float, decide: float, texts: Texts = ENGLISH
) -> str:
    """Decision and maps of a cell on a scale that another cell has too.

    Args:
        analysis, maps: of it.
        picture: (side, side, 3) uint8, what to lay the maps over.
        scale: of the colours.
        decide: probability from which a backbone is said to say the positive class.
        texts: of a language.
    """
    texts = texts.about(analysis.question)
    return (
        f'<article class="lv-brief">{_decision(analysis, decide, texts)}'
        f'<div class="lv-grid">{_pictures(maps.smooth, maps.smooth, picture, scale, texts)}</div></article>'
    )


def map_html(cam: np.ndarray, picture: np.ndarray, title: str, texts: Texts = ENGLISH) -> str:
    """One map (size, size) float32 on its own scale over (side, side, 3) uint8, with a title."""
    maps = {COMBINED: cam}
    return _pictures(maps, maps, picture, scale_of(maps), texts, titles={COMBINED: title})


def legend_html(texts: Texts = ENGLISH) -> str:
    """What the colours of maps say."""
    bar = data_uri(colours(np.linspace(-1, 1, 256, dtype=np.float32)[None].repeat(8, 0), 1.0))
    return (
        f'<div class="lv-scale"><span class="lv-end lv-negative">{texts("words.to_negative")}</span>'
        f'<div class="lv-ramp"><img class="lv-over" src="{bar}" alt=""></div>'
        f'<span class="lv-end lv-positive">{texts("words.to_positive")}</span></div>'
    )


def check_html(maps: Drawn, check: Check, texts: Texts = ENGLISH) -> str:
    """Whether the combined map can be trusted on this cell.

    Args:
        maps: which were checked.
        check: of the combined map, for the target.
        texts: of a language, about the ensemble's question.
    """
    sign = texts.question.sign(maps.target)
    ticks = [(float(x), f"{100 * x:.0f} %") for x in check.by_map.shares]
    shown = (
        (texts("result.by_map", target=texts.kind(maps.target)), check.by_map),
        (texts("result.by_opposed"), check.opposed),
        (texts("result.by_random"), check.by_chance),
    )
    chart = charts.lines(
        [(name, curve.shares.tolist(), p_all_of(sign, curve).tolist()) for name, curve in shown],
        texts("result.check_axis"), texts("result.check_up"), ticks, texts=texts,
    )  # fmt: skip
    title, verdict = texts("result.check"), texts(f"words.verdict.{check.verdict}")
    seen = check_line(maps.target, check, texts).removeprefix(verdict)
    return (
        f'<section class="lv-check" aria-label="{title}"><div><h3>{title}</h3>'
        f"<p><strong>{verdict}</strong> {seen}</p></div>{chart}</section>"
    )


def _pictures(
    smooth: Mapping[str, np.ndarray],
    coarse: Mapping[str, np.ndarray],
    picture: np.ndarray,
    scale: float,
    texts: Texts,
    words: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> str:
    """A figure for each map, laid over the cell; the browser shows it smooth or as coarse as it is."""
    below = data_uri(backdrop(picture))
    figures = []
    for name, cam in smooth.items():
        title = (titles or {}).get(name) or (texts("result.combined") if name == COMBINED else title_of(name))
        said = (words or {}).get(name, "")
        alt = texts("result.map", title=title, words=said)
        over = f'<img class="lv-over" src="{data_uri(colours(cam, scale))}" alt="{alt}">'
        if coarse is not smooth:
            source = data_uri(colours(coarse[name], scale), exact=True)
            over += f'<img class="lv-over lv-coarse" src="{source}" alt="">'
        text = f"<p>{said}</p>" if said else ""
        figures.append(
            f'<figure class="lv-map lv-map-{name}">{overlaid(below, over)}'
            f"<figcaption><strong>{title}</strong>{text}</figcaption></figure>"
        )
    return "".join(figures)


def overlaid(below: str, over: str) -> str:
    """A picture, as a data URI, with the images of maps over it."""
    return f'<div class="lv-picture"><img src="{below}" alt="">{over}</div>'


def _maps(analysis: Analysis, picture: np.ndarray, maps: Drawn, texts: Texts) -> str:
    scale = scale_of(maps.smooth)
    whole = np.ones(analysis.cam.shape, dtype=bool)
    outline = largest_part(foreground(analysis.picture)) if analysis.in_domain else whole
    method = METHODS[maps.method]
    if maps.method == DEFAULT:
        words = {name: describe_map(cam, outline, texts) for name, cam in maps.smooth.items()}
        note = texts(
            "result.colours", colour=term(texts, "colour", scale=scale), combined=term(texts, "combined")
        )
    else:
        words = {name: _where(cam, outline, maps.target, texts) for name, cam in maps.smooth.items()}
        title = texts.said(method.title)
        note = texts("result.other_scale", title=title, paper=method.paper)
        if not method.signed:
            note += f" {texts('result.one_sided', target=texts.kind(maps.target))}"
    options = {
        key: f'<option value="{key}"{" selected" * (key == maps.method)}>{texts.said(one.title)}</option>'
        for key, one in METHODS.items()
    }
    methods = (
        f'<optgroup label="{texts("result.exact")}">{options.pop(DEFAULT)}</optgroup>'
        f'<optgroup label="{texts("result.estimates")}">{"".join(options.values())}</optgroup>'
    )
    views = "".join(f'<option value="{key}">{texts(f"result.view.{key}")}</option>' for key in VIEWS)
    title = texts("result.maps")
    return (
        f'<section class="lv-maps" aria-label="{title}"><header><h3>{title}</h3>'
        f'<div class="lv-controls"><label>{texts("result.method")} '
        f'<select class="lv-method">{methods}</select></label>'
        f'<label>{texts("result.show")} <select class="lv-view">{views}</select></label>'
        f'<label><input type="checkbox" class="lv-raw"> {texts("result.unsmoothed")}</label>'
        f'<label class="lv-slider">{texts("result.overlay")} <input class="lv-opacity" type="range" min="0" '
        f'max="100" value="{OPACITY}" aria-valuetext="{OPACITY} %"></label></div></header>'
        f'<div class="lv-grid">{_pictures(maps.smooth, maps.coarse, picture, scale, texts, words)}</div>'
        f'{legend_html(texts)}<p class="lv-note">{note}</p></section>'
    )


def _folded(texts: Texts) -> str:
    title = texts("result.maps")
    return (
        f'<section class="lv-maps" aria-label="{title}"><button type="button" class="lv-button lv-unfold" '
        f'value="{DEFAULT}">{texts("result.unfold")}</button></section>'
    )


def _where(cam: np.ndarray, outline: np.ndarray, target: str, texts: Texts) -> str:
    """Where a map of a method that does not add up speaks for the target."""
    part = np.maximum(texts.question.sign(target) * cam, 0).astype(np.float64)
    said = texts.kind(target)
    if not part.any():
        return texts("words.nothing", target=said)
    return texts("words.speaks", target=said, where=place(part, outline, texts))


__all__: list[str] = [
    "COMBINED", "Drawn", "addition", "alert_html", "backdrop", "brief_html", "check_html", "colours",
    "compared_html", "data_uri", "describe_map", "drawn", "headline", "legend_html", "map_html", "overlaid",
    "overlays", "percent", "record", "result_html", "scale_of", "signed", "title_of",
]  # fmt: skip
