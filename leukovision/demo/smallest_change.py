"""A slider and what the ensemble says at its values come in; the smallest change that turns the decision goes
out, found on real passes: a few values far apart, then halving between the last that did not and the first
that did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leukovision.ensemble import Analysis

Slider = tuple[float, float, float, float]
"""The least, the most, what changes nothing, and the step."""

APART = 8
"""Values on each side of what changes nothing that are looked at first; what turns and turns back in between
is not seen."""


@dataclass(frozen=True, eq=False)
class Turned:
    """What was found.

    Attributes:
        before: of the cell with the slider where it changes nothing.
        after: of the cell at `value`; None where nothing that was looked at turns the decision.
        value: of the slider.
        looks: how many values were looked at.
    """

    before: Analysis
    after: Analysis | None
    value: float
    looks: int


def smallest(look: Callable[[Sequence[float]], Sequence[Analysis]], slider: Slider) -> Turned:
    """The value nearest to what changes nothing at which the decision is another, or none is taken.

    Args:
        look: what the ensemble says at each of some values.
        slider: whose values.
    """
    least, most, none, step = slider
    (before,) = look([none])
    looks = 1
    best: tuple[int, float, Analysis | None] = (0, none, None)
    for end in (least, most):
        count = round(abs(end - none) / step)
        if not count:
            continue
        values = [round(none + (1 if end > none else -1) * step * place, 4) for place in range(count + 1)]
        places = sorted({int(place) for place in np.ceil(np.linspace(0, count, APART + 1))[1:]})
        found = list(zip(places, look([values[place] for place in places]), strict=True))
        looks += len(found)
        high, after = next(((p, a) for p, a in found if _said(a) != _said(before)), (0, None))
        low = max((place for place in places if place < high), default=0)
        while high - low > 1:
            middle = (low + high) // 2
            (seen,) = look([values[middle]])
            looks += 1
            if _said(seen) == _said(before):
                low = middle
            else:
                high, after = middle, seen
        if after and (not best[0] or high < best[0]):
            best = (high, values[high], after)
    return Turned(before, best[2], best[1], looks)


def _said(analysis: Analysis) -> tuple[str, bool]:
    return analysis.decision, analysis.in_domain


__all__ = ["APART", "Slider", "Turned", "smallest"]
