"""Figures come in; small drawings for the page go out, as SVG that follows its light or dark colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from leukovision.demo.templates import macros
from leukovision.i18n import ENGLISH, Texts

_PIECES = macros("charts")

WIDTH, HEIGHT = 420, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 36


def lines(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    across: str,
    up: str,
    ticks: Sequence[tuple[float, str]] = (),
    band: tuple[float, float] | None = None,
    dots: bool = False,
    texts: Texts = ENGLISH,
) -> Markup:
    """Lines over one another, values from 0 to 1.

    Args:
        series: name, x from 0 to 1, y from 0 to 1 of each; the first is drawn strongest.
        across, up: what the axes say.
        ticks: x and words below it.
        band: two heights between which the ensemble is unsure.
        dots: mark each value.
        texts: of a language.
    """
    words = "; ".join(
        texts(
            "chart.values", name=name,
            values=texts("chart.next").join(texts.figure(value, ".2f") for value in y),
        )
        for name, _, y in series
    )  # fmt: skip
    drawn = []
    for name, x, y in series:
        points = [(_x(a), _y(b)) for a, b in zip(x, y, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        drawn.append({"name": name, "path": path, "dots": points if dots else []})
    return _PIECES.lines(
        _frame(texts),
        drawn,
        across,
        up,
        words=f"{up}. {words}",
        ticks=[(_x(x), said) for x, said in ticks],
        band=sorted(_y(value) for value in band) if band else (),
    )


def trace(steps: Sequence[tuple[str, float]], band: tuple[float, float], texts: Texts = ENGLISH) -> Markup:
    """The probability over the changes so far: words and p of each; `texts` are about what is decided."""
    last = max(len(steps) - 1, 1)
    x = [place / last for place in range(len(steps))]
    return lines(
        [(texts("glossary.probability.word"), x, [p for _, p in steps])],
        texts("chart.last", what=steps[-1][0]) if steps else "",
        texts("chart.trace"),
        band=band,
        dots=True,
        texts=texts,
    )


def subjects(rows: Sequence[tuple[str, bool, float, int]], up: str, texts: Texts = ENGLISH) -> Markup:
    """Share of each subject's cells that is right, as bars.

    Args:
        rows: name, whether they are of the positive class, share from 0 to 1, number of cells.
        up: what a bar says.
        texts: of a language, about the ensemble's question.
    """
    ordered = sorted(rows, key=lambda row: (not row[1], -row[2], row[0]))
    wide = (WIDTH - LEFT - RIGHT - 10) / max(len(ordered), 1)
    bars = []
    for place, (name, is_positive, share, count) in enumerate(ordered):
        left = LEFT + 1 + place * wide + (0 if is_positive else 9)
        said = texts("chart.bar", name=name, right=100 * share, count=count)
        bars.append(_bar("positive" if is_positive else "negative", left, wide, share, said))
    sick = sum(row[1] for row in ordered)
    classes = [
        (LEFT + sick * wide / 2, texts("chart.positive", count=sick)),
        (LEFT + 9 + (sick + len(ordered)) * wide / 2, texts("chart.negative", count=len(ordered) - sick)),
    ]
    failed = [name for name, _, share, _ in ordered if share < 0.5]
    words = texts("chart.failed", up=up, names=", ".join(failed) or texts("chart.nobody"))
    return _PIECES.subjects(_frame(texts), bars, classes, words)


def bars(rows: Sequence[tuple[str, float]], up: str, texts: Texts = ENGLISH) -> Markup:
    """A share of each subject, the highest first, against chance.

    Args:
        rows: name, and share from 0 to 1.
        up: what a bar says.
        texts: of a language.
    """
    ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
    wide = (WIDTH - LEFT - RIGHT) / max(len(ordered), 1)
    drawn = []
    for place, (name, share) in enumerate(ordered):
        said = f"{name}: {texts.figure(share, '.2f')}"
        drawn.append(_bar("negative", LEFT + 1 + place * wide, wide, share, said) | {"name": name})
    words = ", ".join(f"{name} {texts.figure(share, '.2f')}" for name, share in ordered)
    return _PIECES.bars(_frame(texts), drawn, up, f"{up}: {words}")


def _frame(texts: Texts) -> dict[str, Any]:
    """Where a chart's edges are; rules and their figures at 0, a half and 1."""
    rules = [(_y(value), texts.figure(value, "g")) for value in (0, 0.5, 1)]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    return {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": right, "bottom": bottom, "rules": rules,
    }  # fmt: skip


def _bar(side: str, left: float, wide: float, share: float, said: str) -> dict[str, Any]:
    """A bar in the first four fifths of its place; it says what it shows on hover."""
    top, width = _y(share), wide * 0.8
    height = max(_y(0) - top, 1)
    return {"side": side, "left": left, "top": top, "width": width, "height": height, "said": said}


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)
