"""The figures of `figures.compute` come in; the tables that show them, in Markdown, go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leukovision.backbones import BACKBONES

TITLES = {
    "mean_probability": "mean probability, uncalibrated",
    "majority_vote": "majority vote, uncalibrated",
    "weighted_mean": "weighted mean of calibrated probabilities",
    "as_loaded": "the ensemble with the calibration it came with",
    "ensemble": "**ensemble** (calibrated logits, pooled)",
} | {name: backbone.title for name, backbone in BACKBONES.items()}


def shown(found: Mapping[str, float] | None, digits: int = 2) -> str:
    """An interval as `0.930 (0.90-0.95)`, or `-0.019 (-0.02 to -0.01)`; a dash for what has no value."""
    if found is None:
        return "-"
    between = " to " if found["low"] < 0 else "-"
    return f"{found['value']:.3f} ({found['low']:.{digits}f}{between}{found['high']:.{digits}f})"


def tables(content: Mapping[str, Any]) -> str:
    """Every table of `figures.md`, each with a sentence that says what it is.

    Args:
        content: what `figures.compute` returns.
    """
    people, rejected, decided = content["subjects"], content["rejected"], content["decided"]
    positive, negative = people
    figures = [
        [TITLES.get(name, name), *map(shown, row.values())] for name, row in content["figures"].items()
    ]
    less = [[TITLES.get(name, name), shown(v, 3)] for name, v in content["log_loss_less_than"].items()]
    kinds = ("", f"_{positive}", f"_{negative}")
    band = [[what, *(shown(decided[what + kind]) for kind in kinds)] for what in ("coverage", "accuracy")]
    measured = ("alone", "together", "decided", "accuracy")
    slides = [[row["cells"], *(shown(row[key]) for key in measured)] for row in content["slide"]]
    shortcuts = [[name, *map(shown, row.values())] for name, row in content["shortcuts"].items()]
    sizes = [
        [f"{row['from']:g} to {row['to']:g}", row[positive], row[negative], shown(row["auc"])]
        for row in content["area_bands"]
    ]
    whole = content["by_mean_logit"]
    return f"""\
{content["cells"]:,} cells of {people[positive]} subjects {positive} and {people[negative]} {negative}; views
a cell: {content["views"]}. No subject was trained on by the networks that judge it, nor used for their
calibration. In brackets: 95 % intervals over subjects ({content["draws"]:,} draws with replacement, by
class); the ECE of a draw is larger than that of the whole by its nature.

{grid(["", *content["figures"]["ensemble"]], figures)}
Log loss of the ensemble less that of another, on the same draws; below 0 the ensemble is better:

{grid(["", "difference in log loss"], less)}
Decided, that is outside the band of "unsure" and in domain, for a wanted accuracy of
{decided["wanted_accuracy"]:.2f} over all cells:

{grid(["", "all cells", positive, negative], band)}
{_rejected(rejected, positive, negative)}

Several cells of one slide, subjects weighed alike: balanced accuracy of each cell alone, and of the cells
together; how many such batches are decided, and how many of these rightly:

{grid(["cells", *measured], slides)}
Whole subjects, decided by the mean logit of all their cells:

{grid(list(whole), [list(map(shown, whole.values()))])}
What a logistic regression on a few numbers of the cell reaches on the same subjects:

{grid(["numbers", "auc", "auc by subject"], shortcuts)}
AUC of the ensemble among cells of like size:

{grid(["area", f"{positive} cells", f"{negative} cells", "auc"], sizes)}
By subject, the weakest of each class first:

{by_subject(content)}"""


def _rejected(shares: Mapping[str, float] | None, positive: str, negative: str) -> str:
    if shares is None:
        return "Whether the cells were in domain was not looked at: some of these decisions are not given."
    return (
        f"Rejected by the domain check: {shares['all']:.1%} of cells ({shares[positive]:.1%} of {positive}, "
        f"{shares[negative]:.1%} of {negative})."
    )


def of_members(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of the figures those of the backbones, and last of the ensemble; not of other ways to combine them."""
    return {name: content["figures"][name] for name in (*BACKBONES, "ensemble") if name in content["figures"]}


def by_subject(content: Mapping[str, Any]) -> str:
    """The table of subjects, the weakest of each class first."""
    p = f"mean p({next(iter(content['subjects']))})"
    head = ["subject", "class", "cells", "called right", p, "mean logit", "called by it"]
    numbers = ("accuracy", "mean_p_all", "mean_logit")
    rows = [
        [row["subject"], row["class"], row["cells"], *(f"{row[key]:.2f}" for key in numbers), row["called"]]
        for row in content["by_subject"]
    ]
    return grid(head, rows)


def grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head."""
    lines = [[title.replace("_", " ") for title in head], ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
