"""Figures come in; small drawings for the page go out, as SVG that follows its light or dark colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from leukovision.i18n import ENGLISH, Texts

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
    parts = []
    if band:
        low, high = (_y(value) for value in band)
        parts.append(
            f'<rect class="lv-band" x="{LEFT}" y="{high:.1f}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{low - high:.1f}"/>'
        )
    parts += _rules(texts)
    parts += [
        f'<text x="{_x(x):.1f}" y="{HEIGHT - 20}" text-anchor="middle">{escape(t)}</text>' for x, t in ticks
    ]
    for place, (_, x, y) in reversed(list(enumerate(series))):
        points = [(_x(a), _y(b)) for a, b in zip(x, y, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline class="lv-line lv-line-{place}" points="{path}"/>')
        if dots:
            parts += [f'<circle class="lv-dot" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in points]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(across)}</text>')
    legend = "".join(
        f'<span><i class="lv-key lv-key-{place}"></i>{escape(name)}</span>'
        for place, (name, _, _) in enumerate(series)
        if len(series) > 1
    )
    return Markup(
        f'<figure class="lv-chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"{up}. {words}")}">{"".join(parts)}</svg>'
        f"<figcaption>{escape(up)}{legend}</figcaption></figure>"
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
    parts = _rules(texts)
    for place, (name, is_positive, share, count) in enumerate(ordered):
        left = LEFT + 1 + place * wide + (0 if is_positive else 9)
        kind = "positive" if is_positive else "negative"
        said = escape(texts("chart.bar", name=name, right=100 * share, count=count))
        parts.append(
            f'<rect class="lv-bar-{kind}" x="{left:.1f}" y="{_y(share):.1f}" width="{wide * 0.8:.1f}" '
            f'height="{max(_y(0) - _y(share), 1):.1f}"><title>{said}</title></rect>'
        )
    sick = sum(row[1] for row in ordered)
    for text, centre in (
        (texts("chart.positive", count=sick), LEFT + sick * wide / 2),
        (texts("chart.negative", count=len(ordered) - sick), LEFT + 9 + (sick + len(ordered)) * wide / 2),
    ):
        parts.append(f'<text x="{centre:.1f}" y="{HEIGHT - 16}" text-anchor="middle">{text}</text>')
    failed = [name for name, _, share, _ in ordered if share < 0.5]
    words = texts("chart.failed", up=up, names=", ".join(failed) or texts("chart.nobody"))
    return Markup(
        f'<figure class="lv-chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(words)}">{"".join(parts)}</svg><figcaption>{escape(words)}</figcaption></figure>'
    )


def bars(rows: Sequence[tuple[str, float]], up: str, texts: Texts = ENGLISH) -> Markup:
    """A share of each subject, the highest first, against chance.

    Args:
        rows: name, and share from 0 to 1.
        up: what a bar says.
        texts: of a language.
    """
    ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
    wide = (WIDTH - LEFT - RIGHT) / max(len(ordered), 1)
    parts = _rules(texts)
    for place, (name, share) in enumerate(ordered):
        left, said = LEFT + 1 + place * wide, escape(f"{name}: {texts.figure(share, '.2f')}")
        below = f"translate({left + wide * 0.6:.1f} {_y(0) + 14:.1f}) rotate(-60)"
        parts.append(
            f'<rect class="lv-bar-negative" x="{left:.1f}" y="{_y(share):.1f}" width="{wide * 0.8:.1f}" '
            f'height="{max(_y(0) - _y(share), 1):.1f}"><title>{said}</title></rect>'
            f'<text text-anchor="end" transform="{below}">{escape(name)}</text>'
        )
    words = ", ".join(f"{name} {texts.figure(share, '.2f')}" for name, share in ordered)
    return Markup(
        f'<figure class="lv-chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"{up}: {words}")}">{"".join(parts)}</svg>'
        f"<figcaption>{escape(up)}</figcaption></figure>"
    )


def _rules(texts: Texts) -> list[str]:
    """Lines and figures at 0, a half and 1."""
    return [
        f'<path class="lv-rule" d="M{LEFT} {_y(value):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{_y(value) + 4:.1f}" text-anchor="end">{texts.figure(value, "g")}</text>'
        for value in (0, 0.5, 1)
    ]


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)
