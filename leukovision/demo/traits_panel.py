"""Traits of a cell come in; their piece of the page goes out: a bar each, with ranges of training cells."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from leukovision.demo.glossary import term
from leukovision.explain import trait_ranges, trait_words
from leukovision.explain.trait_ranges import Range, Ranges
from leukovision.explain.traits import COMPARED, Traits
from leukovision.i18n import ENGLISH, Texts


def traits_html(traits: Traits, decision: str, ranges: Ranges | None, texts: Texts = ENGLISH) -> Markup:
    """The traits of one cell.

    Args:
        traits: of it.
        decision: a class, or "unsure".
        ranges: of the ensemble's training cells; None for values alone.
        texts: of a language, about the ensemble's question.
    """
    told, title = trait_ranges.told(traits, ranges), texts("traits.title")
    items = []
    for name in COMPARED:
        one, found = told[name], ranges.traits.get(name) if ranges else None
        value, (_, factor) = escape(trait_words.value_line(name, told, texts)), traits.unit(name)
        bar = side = ""
        if one.value is None:
            bar = f'<span class="lv-trait-why">{escape(texts.said(traits.missing[name]))}</span>'
        elif found:
            bar = _bar(getattr(traits, name), found, texts)
            bar += f'<span class="lv-unseen">{_spans(name, found, factor, one.unit, texts)}</span>'
            kind, word = "", texts("traits.nearer_none")
            if one.nearer:
                kind = f"lv-{texts.question.side(one.nearer)}"
                word = texts("traits.nearer_short", decision=texts.kind(one.nearer))
            side = f'<span class="lv-trait-side {kind}">{escape(word)}</span>'
        items.append(
            f'<li><span class="lv-trait-name">{term(texts, name)}</span>'
            f'<span class="lv-trait-value">{value}</span>{bar}{side}</li>'
        )
    said = " ".join(
        f"<p>{escape(words)}</p>"
        for words in (
            trait_words.agreement(decision, told, ranges, texts), trait_words.beware(ranges, texts)
        )
        if words
    )  # fmt: skip
    return Markup(
        f'<section class="lv-traits" aria-label="{escape(title)}"><h3>{title}</h3>{said}'
        f"<ul>{''.join(items)}</ul>{_legend(ranges, texts) if ranges else ''}"
        f'<p class="lv-note">{texts("traits.note")}</p></section>'
    )


def _bar(value: float, found: Range, texts: Texts) -> str:
    """Where a value lies on the ranges of both classes, one above the other, to the eye alone."""
    ends = [place for own in found.percentiles.values() for place in (own[0], own[-1])]
    low, high = min(*ends, value), max(*ends, value)
    low, wide = low - 0.03 * (high - low), 1.06 * (high - low) or 1.0

    def at(place: float) -> float:
        return 100 * (place - low) / wide

    bands = "".join(
        f'<i class="lv-{texts.question.side(kind)}{half}" '
        f'style="left:{at(begin):.1f}%;width:{at(end) - at(begin):.1f}%"></i>'
        for kind, own in sorted(found.percentiles.items())
        for half, begin, end in (("", own[0], own[-1]), (" lv-half", own[1], own[3]))
    )
    mark = f'<b style="left:{at(value):.1f}%"></b>'
    return f'<span class="lv-range" aria-hidden="true">{bands}{mark}</span>'


def _spans(name: str, found: Range, factor: float, unit: str, texts: Texts) -> str:
    """The ranges in words, for who cannot see the bar."""
    said = []
    for kind, own in sorted(found.percentiles.items()):
        low, middle, high = (
            trait_words.figure(name, factor * own[place], unit, texts) for place in (0, 2, 4)
        )
        decision = texts.kind(kind)
        said.append(texts("traits.range", decision=decision, low=low, middle=middle, high=high))
    return escape(" ".join(said))


def _legend(ranges: Ranges, texts: Texts) -> str:
    kinds = sorted({kind for one in ranges.traits.values() for kind in one.percentiles})
    keys = "".join(
        f'<span><i class="lv-{texts.question.side(kind)}"></i>'
        f"{escape(texts('traits.legend', decision=texts.kind(kind)))}</span>"
        for kind in kinds
    )
    return (
        f'<p class="lv-trait-legend" aria-hidden="true">{keys}<span><b></b>{texts("traits.this")}</span>'
        f"<span>{texts('traits.band')}</span></p>"
    )
