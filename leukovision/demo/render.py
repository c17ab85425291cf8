"""An `Analysis` comes in; its piece of the page goes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from leukovision.artifact import Manifest
from leukovision.cell import foreground, largest_part
from leukovision.demo import charts
from leukovision.demo.templates import macros
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

_PIECES = macros("render")

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
    traits: Markup | str = "",
    truth: str = "",
) -> Markup:
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
    return _PIECES.result(
        texts,
        _decision(analysis, decide, texts, figures, truth),
        _parts(analysis, texts),
        _maps(analysis, picture, maps, texts) if maps else _PIECES.folded(texts, DEFAULT),
        traits,
        texts.said(str(analysis.ensemble)),
    )


def alert_html(sentence: str | BaseException, title: str | None = None, texts: Texts = ENGLISH) -> Markup:
    """A sentence that says why there is no decision, announced by screen readers."""
    title = texts("result.not_analysed") if title is None else title
    return _PIECES.alert(title, texts.said(sentence))


def _decision(
    analysis: Analysis, decide: float, texts: Texts, figures: Mapping[str, Any] | None = None, truth: str = ""
) -> Markup:
    first, then = headline(analysis, decide, texts)
    return _PIECES.decision(
        texts,
        side=analysis.question.side(analysis.decision),
        first=first,
        then=then,
        is_odd=not analysis.in_domain,
        reason=texts.said(analysis.reason),
        record=record(analysis.decision, figures or {}, texts) if analysis.in_domain else "",
        truth=truth,
    )


def _parts(analysis: Analysis, texts: Texts) -> Markup:
    """What each network adds, as bars of which each begins where the one before ends; folded away where
    nothing is decided, or the bars would say what the words do not."""
    parts = dict(addition(analysis))
    ends = np.cumsum([0.0, *parts.values()])
    low, high = ends.min(), ends.max()
    low, wide = low - 0.04 * (high - low), 1.08 * max(high - low, 0.01)

    def row(title: str, p_all: float, value: float, begin: float) -> dict[str, Any]:
        left, right = (100 * (place - low) / wide for place in sorted((begin, begin + value)))
        return {
            "title": title,
            "p_all": texts.figure(p_all, ".2f"),
            "value": signed(value, texts),
            "side": "positive" if value >= 0 else "negative",
            "left": left,
            "width": right - left,
        }

    rows = [
        row(title_of(name), member.p_all, parts[title_of(name)], begin)
        for (name, member), begin in zip(analysis.members.items(), ends, strict=False)
    ]
    total = row(texts("result.together"), analysis.p_all, analysis.logit, 0.0)
    return _PIECES.parts(texts, rows, total, -100 * low / wide, folded=not analysis.in_domain)


def brief_html(
    analysis: Analysis,
    picture: np.ndarray,
    below: Markup | str = "",
    decide: float = 0.5,
    texts: Texts = ENGLISH,
    figures: Mapping[str, Any] | None = None,
) -> Markup:
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
    decision = _decision(analysis, decide, texts, figures)
    shown = _pictures(maps, maps, picture, scale_of(maps), texts)
    return _PIECES.brief(decision, shown, legend_html(texts), below)


def compared_html(
    analysis: Analysis, picture: np.ndarray, maps: Drawn, scale: float, decide: float, texts: Texts = ENGLISH
) -> Markup:
    """Decision and maps of a cell on a scale that another cell has too.

    Args:
        analysis, maps: of it.
        picture: (side, side, 3) uint8, what to lay the maps over.
        scale: of the colours.
        decide: probability from which a backbone is said to say the positive class.
        texts: of a language.
    """
    texts = texts.about(analysis.question)
    shown = _pictures(maps.smooth, maps.smooth, picture, scale, texts)
    return _PIECES.brief(_decision(analysis, decide, texts), shown)


def map_html(cam: np.ndarray, picture: np.ndarray, title: str, texts: Texts = ENGLISH) -> Markup:
    """One map (size, size) float32 on its own scale over (side, side, 3) uint8, with a title."""
    maps = {COMBINED: cam}
    return _pictures(maps, maps, picture, scale_of(maps), texts, titles={COMBINED: title})


def legend_html(texts: Texts = ENGLISH) -> Markup:
    """What the colours of maps say."""
    ramp = colours(np.linspace(-1, 1, 256, dtype=np.float32)[None].repeat(8, 0), 1.0)
    return _PIECES.legend(texts, data_uri(ramp))


def check_html(maps: Drawn, check: Check, texts: Texts = ENGLISH) -> Markup:
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
    verdict = texts(f"words.verdict.{check.verdict}")
    seen = check_line(maps.target, check, texts).removeprefix(verdict)
    return _PIECES.check(texts("result.check"), verdict, seen, chart)


_awaited = count()


def check_awaited_html(texts: Texts = ENGLISH) -> Markup:
    """What stands in its place until it is looked at, which asks for it; that of each answer is another, or
    the browser would not hear of the second."""
    return _PIECES.check_awaited(texts, next(_awaited))


def _pictures(
    smooth: Mapping[str, np.ndarray],
    coarse: Mapping[str, np.ndarray],
    picture: np.ndarray,
    scale: float,
    texts: Texts,
    words: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Markup:
    """A figure for each map, laid over the cell; the browser shows it smooth or as coarse as it is."""
    figures = [
        {
            "name": name,
            "title": (titles or {}).get(name)
            or (texts("result.combined") if name == COMBINED else title_of(name)),
            "words": (words or {}).get(name, ""),
            "smooth": data_uri(colours(cam, scale)),
            "coarse": "" if coarse is smooth else data_uri(colours(coarse[name], scale), exact=True),
        }
        for name, cam in smooth.items()
    ]
    return _PIECES.pictures(texts, data_uri(backdrop(picture)), figures)


def overlaid_html(cam: np.ndarray, picture: np.ndarray) -> Markup:
    """One map (size, size) float32 on its own scale over (side, side, 3) uint8, without words."""
    over = _PIECES.over(data_uri(colours(cam, scale_of({COMBINED: cam}))))
    return _PIECES.overlaid(data_uri(backdrop(picture)), over)


def _maps(analysis: Analysis, picture: np.ndarray, maps: Drawn, texts: Texts) -> Markup:
    scale = scale_of(maps.smooth)
    whole = np.ones(analysis.cam.shape, dtype=bool)
    outline = largest_part(foreground(analysis.picture)) if analysis.in_domain else whole
    method = METHODS[maps.method]
    if maps.method == DEFAULT:
        words = {name: describe_map(cam, outline, texts) for name, cam in maps.smooth.items()}
        note: str = _PIECES.colours(texts, scale)
    else:
        words = {name: _where(cam, outline, maps.target, texts) for name, cam in maps.smooth.items()}
        title = texts.said(method.title)
        note = texts("result.other_scale", title=title, paper=method.paper)
        if not method.signed:
            note += f" {texts('result.one_sided', target=texts.kind(maps.target))}"
    named = {key: texts.said(one.title) for key, one in METHODS.items()}
    return _PIECES.maps(
        texts,
        exact=[(DEFAULT, named.pop(DEFAULT))],
        estimates=named.items(),
        chosen=maps.method,
        views=[(key, texts(f"result.view.{key}")) for key in VIEWS],
        opacity=OPACITY,
        pictures=_pictures(maps.smooth, maps.coarse, picture, scale, texts, words),
        legend=legend_html(texts),
        note=note,
    )


def _where(cam: np.ndarray, outline: np.ndarray, target: str, texts: Texts) -> str:
    """Where a map of a method that does not add up speaks for the target."""
    part = np.maximum(texts.question.sign(target) * cam, 0).astype(np.float64)
    said = texts.kind(target)
    if not part.any():
        return texts("words.nothing", target=said)
    return texts("words.speaks", target=said, where=place(part, outline, texts))


__all__: list[str] = [
    "COMBINED", "Drawn", "addition", "alert_html", "backdrop", "brief_html", "check_awaited_html",
    "check_html", "colours", "compared_html", "data_uri", "describe_map", "drawn", "headline", "legend_html",
    "map_html", "overlaid_html", "overlays", "percent", "record", "result_html", "scale_of", "signed",
    "title_of",
]  # fmt: skip
