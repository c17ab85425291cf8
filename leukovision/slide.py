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


@dataclass(frozen=True)
class SlideDecision:
    """What an ensemble says of the cells of one person.

    Attributes:
        decision: "ALL", "healthy" or "unsure".
        p_all: probability that these are cells of a person with ALL, 0 to 1; nan without cells.
        low, high: between these it lies for 95 % of draws of as many cells of the same slide.
        cells: how many there are.
        carried_by: how many of them it rests on: those in domain.
        counts: how many of the cells, each by itself, are "ALL", "healthy" and "unsure".
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
    """(...) float64: the logit that a slide is one of ALL, by the mean logit of so many of its cells."""
    healthy, blast = spec.means
    variance = spec.offset**2 + spec.spread**2 / np.asarray(cells)
    return np.asarray((blast - healthy) * (np.asarray(mean) - (healthy + blast) / 2) / variance)


def decide(
    logits: Sequence[float], in_domain: Sequence[bool], decisions: Sequence[str], spec: SlideSpec | None
) -> SlideDecision:
    """One decision for the cells of one person.

    Args:
        logits, in_domain, decisions: (n,) what an ensemble said of each; cells out of domain are counted,
            and say nothing.
        spec: how slides vary, from the ensemble's manifest.
    """
    own = np.asarray(logits, dtype=np.float64)[np.asarray(in_domain, dtype=bool)]
    counts = dict.fromkeys(("ALL", "healthy", "unsure"), 0) | Counter(decisions)
    if spec is None or not len(own):
        nothing = float("nan")
        reason: str = sentence("none_known" if spec else "one_by_one")
        return SlideDecision("unsure", nothing, nothing, nothing, len(decisions), len(own), counts, reason)
    stray = 1.96 * spec.spread / np.sqrt(len(own))
    low, p_all, high = special.expit(
        logit(own.mean() + np.array([-stray, 0, stray]), len(own), spec)
    ).tolist()
    below, above = spec.abstain
    decision = "ALL" if p_all >= above else "healthy" if p_all <= below else "unsure"
    reason = sentence("together_between", low=below, high=above) if decision == "unsure" else ""
    return SlideDecision(decision, p_all, low, high, len(decisions), len(own), counts, reason)
