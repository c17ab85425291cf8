"""What is told of a cell's traits comes in; the words for it go out, the same on the page and in reports."""

from __future__ import annotations

from collections.abc import Mapping

from leukovision.explain.trait_ranges import SMALLER, Ranges, Told
from leukovision.explain.traits import COMPARED
from leukovision.i18n import ENGLISH, Texts


def name_of(trait: str, texts: Texts = ENGLISH) -> str:
    """What a trait is called."""
    return texts(f"glossary.{trait}.word")


def figure(trait: str, value: float, unit: str, texts: Texts = ENGLISH) -> str:
    """A value with its unit: "37 400 px²", "0.93"."""
    if not unit:
        return texts.figure(value, {"nucleoli": "g", "indentation": ".3f"}.get(trait, ".2f"))
    # Parted by thin spaces, which no language takes for a decimal mark.
    shown = f"{value:,.0f}".replace(",", "\u202f") if value >= 100 else texts.figure(value, ".3g")
    return f"{shown} {unit}"


def value_line(trait: str, told: Mapping[str, Told], texts: Texts = ENGLISH) -> str:
    """The value of a trait in words; of the area the diameter too."""
    one = told[trait]
    if one.value is None:
        return texts("traits.not_measured")
    said = figure(trait, one.value, one.unit, texts)
    across = told["diameter"]
    if trait == "area" and across.value is not None:
        return texts("traits.size", area=said, diameter=figure("diameter", across.value, across.unit, texts))
    return said


def agreement(decision: str, told: Mapping[str, Told], ranges: Ranges | None, texts: Texts = ENGLISH) -> str:
    """In one sentence which traits are on the side of the decision, which are not, and which on no side.

    Args:
        decision: a class, or "unsure".
        told: of the traits.
        ranges: that it rests on.
        texts: of a language.
    """
    if ranges is None:
        return texts("traits.unknown")
    compared = [name for name in COMPARED if name in ranges.traits and told[name].value is not None]
    groups: dict[str, list[str]] = {}
    for name in compared:
        groups.setdefault(told[name].nearer, []).append(name_of(name, texts))
    classes = sorted({kind for one in ranges.traits.values() for kind in one.percentiles})
    parts = []
    if decision in classes:
        other = next(kind for kind in classes if kind != decision)
        for key, kind in (("for", decision), ("against", other)):
            names = _listed(groups.get(kind, []), texts) or texts("traits.none")
            parts.append(texts(f"traits.{key}", names=names))
    else:
        for kind in classes:
            if kind in groups:
                names = _listed(groups[kind], texts)
                parts.append(texts("traits.nearer", decision=texts(f"words.{kind}"), names=names))
    if "" in groups:
        parts.append(texts("traits.neither", names=_listed(groups[""], texts)))
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def beware(ranges: Ranges | None, texts: Texts = ENGLISH) -> str:
    """What is to be known of size, where the healthy training cells are smaller than the others; else ""."""
    area = ranges.traits.get("area") if ranges else None
    if area is None or {"ALL", "healthy"} - set(area.percentiles):
        return ""
    middle = {kind: own[2] for kind, own in area.percentiles.items()}
    return texts("traits.small") if middle["healthy"] < SMALLER * middle["ALL"] else ""


def _listed(names: list[str], texts: Texts) -> str:
    """Names as a sentence lists them."""
    return texts("words.and").join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
