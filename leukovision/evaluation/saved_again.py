"""An ensemble and labelled images come in; what it decides on them once another program has saved them again
goes out: a decision that a file's format turns says nothing of the cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from leukovision.cell import framed, read_cell
from leukovision.ensemble import Ensemble
from leukovision.evaluation.bootstrap import People, interval
from leukovision.question import OURS, Question
from leukovision.resaving import KINDS
from leukovision.training.dataset import Image

AS_IT_IS = "as it is"

MEASURED = ("turned", "changed", "unnoticed", "domain", "shift")
"""What `summary` has of each way to save a cell again, in the order in which it is shown."""

_CHUNK = 16


def decision_rows(
    ensemble: Ensemble, images: Sequence[Image], progress: Callable[[int], object] = lambda _: None
) -> list[dict[str, Any]]:
    """A row for each image and kind of saving, the first as it is.

    Returns:
        file, subject, class, kind, decision, p_all, logit, in_domain.

    Raises:
        CellError: an image that cannot be read.
    """
    rows = []
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        cells = [read_cell(image.path) for image in chunk]
        for kind, change in {AS_IT_IS: None, **KINDS}.items():
            changed = [framed(change(cell.pixels), cell.name) for cell in cells] if change else cells
            rows += [
                {
                    "file": image.path.name,
                    "subject": image.subject,
                    "class": ensemble.question.called(image.is_all),
                    "kind": kind,
                    "decision": analysis.decision,
                    "p_all": round(analysis.p_all, 6),
                    "logit": round(analysis.logit, 5),
                    "in_domain": analysis.in_domain,
                }
                for image, analysis in zip(chunk, ensemble.analyse(changed), strict=True)
            ]
        progress(start + len(chunk))
    return rows


def summary(
    rows: Iterable[Mapping[str, Any]], draws: int = 1000, seed: int = 1, question: Question = OURS
) -> dict[str, dict[str, Any]]:
    """Shares by kind, with intervals over subjects.

    Args:
        rows: of `decision_rows`, in its order.
        draws, seed: of subjects.
        question: what was decided.

    Returns:
        For each kind, shares of all cells: `turned`, from one class to the other; `changed`, in any way,
        "unsure" too; `unnoticed`, changed and yet called in domain; `domain`, in domain or out of it as
        it was not before; and `shift`, the mean change of the logit.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row)
    before = by_kind.pop(AS_IT_IS)
    is_all = np.array([int(row["class"] == question.positive) for row in before])
    people = People.of(is_all, np.array([row["subject"] for row in before]), draws, seed)

    def share(values: Sequence[float]) -> Any:
        sums = people.counts @ np.bincount(people.place, np.asarray(values, float), len(people.names))
        return interval(sums / (people.counts @ np.bincount(people.place, minlength=len(people.names))))

    result = {}
    for kind, after in by_kind.items():
        pairs = list(zip(before, after, strict=True))
        result[kind] = {
            "turned": share([{a["decision"], b["decision"]} == set(question.names) for a, b in pairs]),
            "changed": share([a["decision"] != b["decision"] for a, b in pairs]),
            "unnoticed": share(
                [a["decision"] != b["decision"] and str(b["in_domain"]) == "True" for a, b in pairs]
            ),
            "domain": share([str(a["in_domain"]) != str(b["in_domain"]) for a, b in pairs]),
            "shift": share([float(b["logit"]) - float(a["logit"]) for a, b in pairs]),
        }
    return result
