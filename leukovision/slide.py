"""Analyses of one person's cells come in; one decision for all of them goes out.

Doctors decide on many cells. The logits of one slide's cells move up and down together, so a hundred cells
are no hundred witnesses: they are taken as normal about their class's mean plus an offset that the slide
shares. The offset's spread is what more cells of the same slide cannot help against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from leukovision.artifact import SlideSpec
from leukovision.errors import sentence
from leukovision.question import OURS, UNSURE, Question


@dataclass(frozen=True)
class SlideDecision:
    """What an ensemble says of the cells of one person.

    Attributes:
        decision: the name of a class, or "unsure".
        p_all: probability that these are cells of a person of the positive class, 0 to 1; nan without cells.
        low, high: between these it lies for 95 % of draws of as many cells of the same slide.
        cells: how many there are.
        carried_by: how many of them it rests on: those in domain.
        counts: how many of the cells, each by itself, are of each class, and "unsure".
        reason: a sentence, where the decision is "unsure"; else "".
    """

    decision: str
    p_all: float
    low: float
    high: float
    cells: int
    carried_by: int
    counts: dict[str, int]
    reason: str


def logit(mean: np.ndarray | float, cells: np.ndarray | int, spec: SlideSpec) -> np.ndarray:
    """(...) float64: the logit that a slide is positive, by the mean logit of so many of its cells."""
    negative, positive = spec.means
    variance = spec.offset**2 + spec.spread**2 / np.asarray(cells)
    return np.asarray((positive - negative) * (np.asarray(mean) - (negative + positive) / 2) / variance)


def decide(
    logits: Sequence[float],
    in_domain: Sequence[bool],
    decisions: Sequence[str],
    spec: SlideSpec | None,
    question: Question = OURS,
) -> SlideDecision:
    """One decision for the cells of one person.

    Args:
        logits, in_domain, decisions: (n,) what an ensemble said of each; cells out of domain are counted,
            and say nothing.
        spec: how slides vary, from the ensemble's manifest, as is
        question: what is decided.
    """
    own = np.asarray(logits, dtype=np.float64)[np.asarray(in_domain, dtype=bool)]
    counts = dict.fromkeys((*question.names, UNSURE), 0) | Counter(decisions)
    if spec is None or not len(own):
        nothing = float("nan")
        reason: str = sentence("none_known" if spec else "one_by_one")
        return SlideDecision(UNSURE, nothing, nothing, nothing, len(decisions), len(own), counts, reason)
    stray = 1.96 * spec.spread / np.sqrt(len(own))
    low, p_all, high = special.expit(
        logit(own.mean() + np.array([-stray, 0, stray]), len(own), spec)
    ).tolist()
    below, above = spec.abstain
    if below < p_all < above:
        decision, reason = (
            UNSURE,
            sentence("together_between", positive=question.positive, low=below, high=above),
        )
    else:
        decision, reason = question.called(p_all >= above), ""
    return SlideDecision(decision, p_all, low, high, len(decisions), len(own), counts, reason)
