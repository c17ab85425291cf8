"""Traits of a cell come in; their piece of the page goes out: a bar each, with ranges of training cells."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from leukovision.demo.templates import macros
from leukovision.explain import trait_ranges, trait_words
from leukovision.explain.trait_ranges import Range, Ranges
from leukovision.explain.traits import COMPARED, Traits
from leukovision.i18n import ENGLISH, Texts

_PIECES = macros("traits_panel")


def traits_html(traits: Traits, decision: str, ranges: Ranges | None, texts: Texts = ENGLISH) -> Markup:
    """The traits of one cell.

    Args:
        traits: of it.
        decision: a class, or "unsure".
        ranges: of the ensemble's training cells; None for values alone.
        texts: of a language, about the ensemble's question.
    """
    told = trait_ranges.told(traits, ranges)
    rows = []
    for name in COMPARED:
        one, found = told[name], ranges.traits.get(name) if ranges else None
        is_known = one.value is not None
        rows.append(
            {
                "name": name,
                "value": trait_words.value_line(name, told, texts),
                "why": "" if is_known else texts.said(traits.missing[name]),
                "bar": _bar(getattr(traits, name), found) if found and is_known else None,
                "spans": _spans(name, found, traits.unit(name)[1], one.unit, texts) if found else "",
                "nearer": one.nearer,
            }
        )
    sentences = trait_words.agreement(decision, told, ranges, texts), trait_words.beware(ranges, texts)
    kinds = {kind for one in ranges.traits.values() for kind in one.percentiles} if ranges else ()
    return _PIECES.traits(texts, [one for one in sentences if one], rows, sorted(kinds))


def _bar(value: float, found: Range) -> dict[str, Any]:
    """Where a value lies on the ranges of both classes, in percent of the bar."""
    ends = [place for own in found.percentiles.values() for place in (own[0], own[-1])]
    low, high = min(*ends, value), max(*ends, value)
    low, wide = low - 0.03 * (high - low), 1.06 * (high - low) or 1.0

    def at(place: float) -> float:
        return 100 * (place - low) / wide

    bands = [
        (kind, (at(own[0]), at(own[-1])), (at(own[1]), at(own[3])))
        for kind, own in sorted(found.percentiles.items())
    ]
    return {"mark": at(value), "bands": bands}


def _spans(name: str, found: Range, factor: float, unit: str, texts: Texts) -> str:
    """The ranges in words, for who cannot see the bar."""
    said = []
    for kind, own in sorted(found.percentiles.items()):
        low, middle, high = (
            trait_words.figure(name, factor * own[place], unit, texts) for place in (0, 2, 4)
        )
        decision = texts.kind(kind)
        said.append(texts("traits.range", decision=decision, low=low, middle=middle, high=high))
    return " ".join(said)
