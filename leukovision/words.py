"""An `Analysis` comes in; the words for it go out, the same on the page and in reports."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from leukovision.backbones import BACKBONES
from leukovision.ensemble import Analysis
from leukovision.faithfulness import Curve

TEXT: dict[str, Any] = {
    "combined": "Combined",
    "unsure": "unsure",
    "odd": "This picture is not like the training data.",
    "no_trust": "The figures below are given for completeness; do not rely on them.",
    "one": "the only backbone",
    "adds": "adds to the logit",
    "ensemble": "Ensemble",
    "members_caption": "What each backbone says",
    "backbone": "Backbone",
    "maps": "Where the evidence lies",
    "scale": (
        "One colour scale for all four maps, in logits: full colour is {scale} or more. "
        "The combined map is the weighted sum of the others."
    ),
    "to_all": "towards ALL",
    "to_healthy": "towards healthy",
    "overlay": "Overlay",
    "adds_up": "The parts add up to the decision",
    "decided": "Decided by",
    "disclaimer": "For research and teaching. Not a medical device.",
    "not_analysed": "Not analysed.",
    "method": "Method",
    "show": "Show",
    "views": {"all": "all four", "combined": "combined", "own": "backbones' own"},
    "unsmoothed": "As coarse as it is",
    "other_scale": (
        "One colour scale for all four maps: full colour is {scale} or more. These maps do not add up to "
        "the decision. {title}: {paper}."
    ),
    "one_sided": "This method shows only what speaks for {target}.",
    "nothing": "No positive evidence: this method finds nothing here that speaks for {target}.",
    "check": "Can this map be trusted?",
    "checked": (
        "Removing the {share} of the cell that the combined map marks changes p(ALL) from {whole:.2f} to "
        "{own:.2f}; removing a random {share}, to {random:.2f}."
    ),
    "check_axis": "share of the cell removed, the most marked first",
    "check_up": "p(ALL) while the cell is taken away",
    "by_map": "by this map",
    "by_random": "by random spots, mean of two",
    "worse": "On this cell the map does no better than chance.",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def headline(analysis: Analysis, decide: float = 0.5) -> tuple[str, str]:
    """The decision in words.

    Args:
        analysis: of one cell.
        decide: p(ALL) from which a backbone is said to say ALL.

    Returns:
        What is said first ("ALL, 93 %") and what follows it ("all three backbones agree").
    """
    if analysis.decision == "unsure":
        return TEXT["unsure"], f"p(ALL) = {analysis.p_all:.2f}"
    is_all = analysis.decision == "ALL"
    first = f"{analysis.decision}, {percent(analysis.p_all if is_all else 1 - analysis.p_all)}"
    says = {title_of(name): m.p_all >= decide for name, m in analysis.members.items()}
    others = [title for title, said in says.items() if said != is_all]
    count, agree = len(says), len(says) - len(others)
    if count == 1:
        return first, TEXT["one"]
    if not others:
        return first, f"{'both' if count == 2 else f'all {_number(count)}'} backbones agree"
    verb = "says" if len(others) == 1 else "say"
    other = "healthy" if is_all else "ALL"
    agreeing = f"{_number(agree)} of {_number(count)} backbones {'agrees' if agree == 1 else 'agree'}"
    return first, f"{agreeing} ({' and '.join(others)} {verb} {other})"


def percent(p: float) -> str:
    """0 to 1 -> "93 %"; never 100 %, which no network can know."""
    return "above 99 %" if p >= 0.995 else f"{100 * p:.0f} %"


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


def sum_line(analysis: Analysis) -> str:
    """The same as a line: "Xception +1.20 + InceptionV3 ... = +2.32 → p(ALL) = 0.91"."""
    terms = " + ".join(f"{name} {signed(share)}" for name, share in addition(analysis))
    return f"{terms} = {signed(analysis.logit)} → p(ALL) = {analysis.p_all:.2f}"


def describe_map(cam: np.ndarray, outline: np.ndarray, constant: float) -> str:
    """A map in words: how much evidence, in which direction, where.

    Args:
        cam: (h, w) float32, logits: towards ALL above 0, towards healthy below.
        outline: (h, w) bool, what belongs to the cell; all True where nothing tells it apart.
        constant: the part of the logit that no place holds.

    Returns:
        Three sentences. The two totals and the constant add up to the logit. "Half of it" is held by
        the fewest pixels that can hold half.
    """
    sentences = []
    for sign, direction in ((1, TEXT["to_all"]), (-1, TEXT["to_healthy"])):
        part = np.maximum(sign * cam, 0).astype(np.float64)
        amount = f"{direction}: {signed(sign * part.mean())}"
        # Below half a hundredth of a logit "where" would be the place of rounding errors.
        where = f", half of it {place(part, outline)}" if part.mean() >= 0.005 else ""
        sentences.append(f"{amount}{where}.")
    logit = constant + float(cam.mean(dtype=np.float64))
    with_constant = "" if signed(constant) == "0.00" else f"With the constant {signed(constant)}: "
    sentences.append(f"{with_constant}logit {signed(logit)}.")
    return " ".join(one[0].upper() + one[1:] for one in sentences)


def signed(value: float) -> str:
    """A figure with its sign and two digits: "+1.20", "−0.31", "0.00"."""
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text[1:] == "0.00" else text


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def place(part: np.ndarray, outline: np.ndarray) -> str:
    """(h, w) float64 at least 0, (h, w) bool cell -> where the strongest half of the first lies."""
    falling = np.sort(part, axis=None)[::-1]
    held = np.cumsum(falling)
    # Pixels as strong as the last one come along, or an even map would be halved where memory halves it.
    weights = np.where(part >= falling[np.searchsorted(held, held[-1] / 2)], part, 0)
    if weights[~outline].sum() > 0.5 * weights.sum():
        return "outside the cell"
    whole = "picture" if outline.all() else "cell"
    weights = weights * outline
    rows, columns = np.nonzero(outline)
    radius = np.sqrt(len(rows) / np.pi)
    y, x = np.indices(part.shape)
    down, right = (y - rows.mean()) / radius, (x - columns.mean()) / radius
    # Depth below the cell's edge: 0 at the rim, 1 in the middle, whatever the cell's shape.
    depth = ndimage.distance_transform_edt(np.pad(outline, 1))[1:-1, 1:-1]
    depth = depth / depth.max()
    total = weights.sum()
    down, right, depth = ((weights * v).sum() / total for v in (down, right, depth))
    words = []
    if np.hypot(down, right) >= 0.25:
        # A direction counts when it is more than a third of the other: eight of them in all.
        words += ["upper" if down < 0 else "lower"] if abs(down) > 0.41 * abs(right) else []
        words += ["left" if right < 0 else "right"] if abs(right) > 0.41 * abs(down) else []
    where = " ".join(words)
    if depth < 0.25:
        return f"at the {where} rim of the {whole}" if where else f"around the rim of the {whole}"
    if where:
        return f"in the {where} {'part ' if len(words) == 1 else ''}of the {whole}"
    return f"in the centre of the {whole}" if depth > 0.5 else f"spread over the {whole}"


def check_line(target: str, own: Curve, random: Curve) -> str:
    """How far a map can be trusted on one cell, in one or two sentences.

    Args:
        target: "ALL" or "healthy", of which the curves give the probability.
        own, random: deletion curves of the map and of random ones.
    """
    place = int(np.flatnonzero(own.shares > 0)[0])
    line = str(TEXT["checked"]).format(
        share=percent(own.shares[place]),
        whole=p_all_of(target, own)[0],
        own=p_all_of(target, own)[place],
        random=p_all_of(target, random)[place],
    )
    return f"{line} {TEXT['worse']}" if own.area >= random.area else line


def p_all_of(target: str, curve: Curve) -> np.ndarray:
    """(k,) float64: p(ALL) along a curve of the target's probability."""
    return curve.p if target == "ALL" else 1 - curve.p
