"""A calibrated probability comes in; a class, or "unsure" with the reason, goes out."""

from __future__ import annotations

from leukovision.artifact import Thresholds
from leukovision.errors import sentence
from leukovision.question import UNSURE, Question


def decide(p: float, thresholds: Thresholds, question: Question) -> tuple[str, str]:
    """The decision on one cell that is in domain.

    Args:
        p: of the positive class, 0 to 1.
        thresholds: with the abstain interval, between whose bounds nothing is decided.
        question: what the classes are called.

    Returns:
        A class or "unsure", and where it is that, why: a sentence.
    """
    low, high = thresholds.abstain
    if low < p < high:
        return UNSURE, sentence("between", positive=question.positive, low=low, high=high)
    return question.called(p >= thresholds.decide), ""
