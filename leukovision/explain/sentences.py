"""An `Analysis` comes in; the words for it go out, the same on the page and in reports.

English where no other texts are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from leukovision.backbones import BACKBONES
from leukovision.cell import depth_of
from leukovision.ensemble import Analysis
from leukovision.explain.faithfulness import Check, Curve
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import UNSURE
from leukovision.slide import SlideDecision


def headline(analysis: Analysis, decide: float = 0.5, texts: Texts = ENGLISH) -> tuple[str, str]:
    """The decision in words.

    Args:
        analysis: of one cell.
        decide: probability from which a backbone is said to say the positive class.
        texts: of a language.

    Returns:
        What is said first (the class and "93 %") and what follows it ("all three backbones agree").
    """
    question, texts = analysis.question, texts.about(analysis.question)
    if not analysis.in_domain:
        return texts("words.undecided"), texts("words.unlike")
    said = texts.kind(analysis.decision)
    if analysis.decision == UNSURE:
        return said, texts("words.chance", p=analysis.p_all)
    is_positive = analysis.decision == question.positive
    sure = percent(analysis.p_all if is_positive else 1 - analysis.p_all, texts)
    first = texts("words.decided", decision=said, percent=sure)
    says = {title_of(name): m.p_all >= decide for name, m in analysis.members.items()}
    others = [title for title, positive in says.items() if positive != is_positive]
    count, agree = len(says), len(says) - len(others)
    if count == 1:
        return first, texts("words.one")
    if not others:
        return first, texts("words.both") if count == 2 else texts("words.all", count=_number(count, texts))
    other = texts(
        "words.other" if len(others) == 1 else "words.others",
        names=texts("words.and").join(others),
        decision=texts.kind(question.called(not is_positive)),
    )
    agreeing = {"count": _number(count, texts), "others": other}
    if agree == 1:
        return first, texts("words.one_of", **agreeing)
    return first, texts("words.some_of", agree=_number(agree, texts), **agreeing)


def together(found: SlideDecision, name: str = "", texts: Texts = ENGLISH) -> str:
    """What the cells of one person say together.

    Args:
        found: of them.
        name: what to call them where there are several folders or zip files; "." for files in none.
        texts: of a language, about the ensemble's question.
    """
    decision, why = texts.kind(found.decision), texts.said(found.reason)
    said = f"{decision}."
    if np.isfinite(found.p_all):
        said = texts(
            "words.carried", decision=decision, p=found.p_all, low=found.low, high=found.high,
            own=found.carried_by, count=found.cells,
        )  # fmt: skip
    said = f"{said} {why}".strip()
    if not name:
        return texts("words.together", said=said)
    return texts("words.together_of", said=said, name=texts("words.single_files") if name == "." else name)


def percent(p: float, texts: Texts = ENGLISH) -> str:
    """0 to 1 -> "93 %"; never 100 %, which no network can know."""
    return texts("words.almost") if p >= 0.995 else texts("words.percent", percent=100 * p)


def at_least(low: float) -> int:
    """The lower end of a share's interval, 0 to 1 -> at least so many of 100: never more than it says."""
    return int(100 * low + 1e-6)


def title_of(name: str) -> str:
    """A backbone's key -> how people write it."""
    return BACKBONES[name].title if name in BACKBONES else name


def addition(analysis: Analysis) -> list[tuple[str, float]]:
    """The ensemble's logit as a sum: (backbone, logits to two digits).

    The figures are rounded so that they add up as they are shown; each is within 0.01 of the truth.
    """
    parts = {title_of(name): m.share for name, m in analysis.members.items()}
    exact = 100 * np.array(list(parts.values()))
    rounded = np.floor(exact)
    short = round(round(100 * analysis.logit) - rounded.sum())
    rounded[np.argsort(rounded - exact, kind="stable")[:short]] += 1
    return [(name, float(cents / 100)) for name, cents in zip(parts, rounded, strict=True)]


def sum_line(analysis: Analysis, texts: Texts = ENGLISH) -> str:
    """The same as a line: "Xception +1.20 + InceptionV3 ... = +2.32 → p(...) = 0.91"."""
    texts = texts.about(analysis.question)
    terms = " + ".join(f"{name} {signed(share, texts)}" for name, share in addition(analysis))
    p_all = texts.figure(analysis.p_all, ".2f")
    return f"{terms} = {signed(analysis.logit, texts)} → {texts('glossary.probability.word')} = {p_all}"


def describe_map(cam: np.ndarray, outline: np.ndarray, texts: Texts = ENGLISH) -> str:
    """A map in one sentence: for what it speaks, and where.

    Args:
        cam: (h, w) float32, logits: towards the positive class above 0, else below.
        outline: (h, w) bool, what belongs to the cell; all True where nothing tells it apart.
        texts: of a language, about the ensemble's question.

    Returns:
        "Half of it" is held by the fewest pixels that can hold half.
    """
    parts = {
        name: np.maximum(texts.question.sign(name) * cam, 0).astype(np.float64)
        for name in texts.question.names
    }
    more, less = sorted(parts, key=lambda side: -parts[side].mean())
    # Below half a hundredth of a logit "where" would be the place of rounding errors.
    if parts[more].mean() < 0.005:
        return texts("words.says_nothing")
    kind = "nearly_all" if parts[less].mean() < 0.25 * parts[more].mean() else "more"
    return texts(
        f"words.{kind}",
        more=texts.kind(more),
        less=texts.kind(less),
        where=place(parts[more], outline, texts),
    )


def record(decision: str, figures: Mapping[str, Any], texts: Texts = ENGLISH) -> str:
    """How far to believe a decision: how often it was said of cells of people who were not seen in training.

    Args:
        decision: the name of a class, or "unsure".
        figures: of an ensemble's manifest, which can say anything.
        texts: of a language, about the ensemble's question.

    Returns:
        A sentence on cells of each class, of 100 each; "" where the figures do not say.
    """
    positive, negative = texts.question.names
    try:
        decided = figures["unseen"]["decided"]
        shares = {
            side: (float(decided[f"coverage_{side}"]["value"]), float(decided[f"accuracy_{side}"]["value"]))
            for side in (positive, negative)
        }
    except (KeyError, TypeError, ValueError):
        return ""
    if not all(0 <= share <= 1 for pair in shares.values() for share in pair):
        return ""
    said = {
        side: 1 - decided if decision == UNSURE else decided * (right if side == decision else 1 - right)
        for side, (decided, right) in shares.items()
    }
    key = f"words.record.{texts.question.side(decision)}"
    return texts(key, ill=100 * said[positive], well=100 * said[negative])


def signed(value: float, texts: Texts = ENGLISH) -> str:
    """A figure with its sign and two digits: "+1.20", "−0.31", "0.00"."""
    spec = "+.2f" if round(value, 2) else ".2f"
    return texts.figure(value if round(value, 2) else 0.0, spec)


def _number(count: int, texts: Texts) -> str:
    return texts.entries.get(f"words.number.{count}", str(count))


def place(part: np.ndarray, outline: np.ndarray, texts: Texts = ENGLISH) -> str:
    """(h, w) float64 at least 0, (h, w) bool cell -> where the strongest half of the first lies."""
    falling = np.sort(part, axis=None)[::-1]
    held = np.cumsum(falling)
    # Pixels as strong as the last one come along, or an even map would be halved where memory halves it.
    weights = np.where(part >= falling[np.searchsorted(held, held[-1] / 2)], part, 0)
    if weights[~outline].sum() > 0.5 * weights.sum():
        return texts("words.outside")
    whole = "picture" if outline.all() else "cell"
    weights = weights * outline
    rows, columns = np.nonzero(outline)
    radius = np.sqrt(len(rows) / np.pi)
    y, x = np.indices(part.shape)
    down, right = (y - rows.mean()) / radius, (x - columns.mean()) / radius
    # Depth below the cell's edge: 0 at the rim, 1 in the middle, whatever the cell's shape.
    depth = depth_of(outline)
    depth = depth / depth.max()
    total = weights.sum()
    down, right, depth = ((weights * v).sum() / total for v in (down, right, depth))
    words = []
    if np.hypot(down, right) >= 0.25:
        # A direction counts when it is more than a third of the other: eight of them in all.
        words += ["upper" if down < 0 else "lower"] if abs(down) > 0.41 * abs(right) else []
        words += ["left" if right < 0 else "right"] if abs(right) > 0.41 * abs(down) else []
    if not words:
        return texts(f"words.{whole}.{'rim' if depth < 0.25 else 'centre' if depth > 0.5 else 'spread'}")
    where = texts(f"words.where.{'_'.join(words)}")
    kind = "rim_at" if depth < 0.25 else "side" if len(words) == 1 else "corner"
    return texts(f"words.{whole}.{kind}", where=where)


def check_line(target: str, check: Check, texts: Texts = ENGLISH) -> str:
    """Whether a map can be trusted on one cell, and what was seen, in a few sentences.

    Args:
        target: the class of which the curves give the probability.
        check: of the map.
        texts: of a language, about the ensemble's question.
    """
    sign = texts.question.sign(target)
    place = int(np.flatnonzero(check.by_map.shares > 0)[0])
    found = {
        name: p_all_of(sign, curve)[place]
        for name, curve in (("own", check.by_map), ("other", check.opposed), ("random", check.by_chance))
    }
    line = texts(
        "words.checked",
        share=percent(check.by_map.shares[place], texts),
        target=texts.kind(target),
        whole=p_all_of(sign, check.by_map)[0],
        **found,
    )
    return f"{texts(f'words.verdict.{check.verdict}')} {line} {texts('words.asks')}"


def p_all_of(sign: int, curve: Curve) -> np.ndarray:
    """(k,) float64: the positive class's probability along a curve of that, 1, or of the other's, -1."""
    return curve.p if sign > 0 else 1 - curve.p
