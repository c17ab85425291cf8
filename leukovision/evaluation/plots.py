"""Probabilities of unseen subjects come in; plots as PNG go out, each beside the CSV it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics

from leukovision.backbones import BACKBONES
from leukovision.evaluation import predictions as table
from leukovision.evaluation.bootstrap import BINS
from leukovision.evaluation.predictions import Cells
from leukovision.question import Question

# Okabe and Ito's colours, told apart by the colour-blind; line styles tell them apart in print.
_STYLES = (("#0072B2", "--"), ("#D55E00", "-."), ("#009E73", ":"), ("#000000", "-"))


def draw(cells: Cells, p_all: Mapping[str, np.ndarray], content: Mapping[str, Any], out: Path) -> None:
    """Write `roc`, `reliability`, `confusion`, `risk_coverage` (.png and .csv) and `subjects.png`.

    Args:
        cells: n of them.
        p_all: (n,) float64 by member and, last, of the ensemble.
        content: from `figures.compute`; `subjects.csv` holds what `subjects.png` shows.
        out: folder, which is there.
    """
    people = content["subjects"]
    positive, negative = people
    unseen = f"{people[positive]} subjects {positive} and {people[negative]} {negative}, none trained on"
    _roc(cells, p_all, out, unseen)
    _reliability(cells, p_all, out, unseen)
    _confusion(cells, p_all, out, unseen)
    _risk_coverage(cells, p_all, content["decided"], out, unseen)
    _subjects(content["by_subject"], cells.question, out, unseen)


def _axes(title: str, unseen: str, size: tuple[float, float] = (6, 5)) -> tuple[Figure, Axes]:
    """An empty plot; `Figure` by itself needs no display and keeps no state between threads."""
    figure = Figure(size, dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(f"{title}\n{unseen}", fontsize=10)
    axes.grid(alpha=0.25)
    return figure, axes


def _title(name: str) -> str:
    return BACKBONES[name].title if name in BACKBONES else name


def _lines(
    axes: Axes,
    rows: list[dict[str, Any]],
    x: str,
    y: str,
    marker: str = "",
    note: Mapping[str, str] | None = None,
) -> None:
    """A line for each `who` of the rows."""
    for (colour, line), who in zip(_STYLES[-len({row["who"] for row in rows}) :],
                                   dict.fromkeys(row["who"] for row in rows), strict=True):  # fmt: skip
        own = [row for row in rows if row["who"] == who]
        axes.plot(
            [row[x] for row in own], [row[y] for row in own], line, color=colour, marker=marker,
            label=who + (note or {}).get(who, ""), linewidth=1.6, markersize=4,
        )  # fmt: skip
    axes.set_xlabel(x.replace("_", " "))
    axes.set_ylabel(y.replace("_", " "))
    axes.legend(fontsize=8)


def _roc(cells: Cells, p_all: Mapping[str, np.ndarray], out: Path, unseen: str) -> None:
    rows: list[dict[str, Any]] = []
    areas = {}
    for name, values in p_all.items():
        false, true, _ = metrics.roc_curve(cells.is_all, values)
        areas[_title(name)] = f" (AUC {metrics.auc(false, true):.3f})"
        rows += [
            {
                "who": _title(name),
                "false_positive_rate": round(float(f), 5),
                "true_positive_rate": round(float(t), 5),
            }
            for f, t in zip(false, true, strict=True)
        ]
    figure, axes = _axes("ROC, by cell", unseen)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    _lines(axes, rows, "false_positive_rate", "true_positive_rate", note=areas)
    _save(figure, rows, out / "roc")


def _reliability(cells: Cells, p_all: Mapping[str, np.ndarray], out: Path, unseen: str) -> None:
    rows: list[dict[str, Any]] = []
    positive = cells.question.positive
    for name, values in p_all.items():
        bins = np.minimum((values * BINS).astype(int), BINS - 1)
        rows += [
            {
                "who": _title(name),
                f"mean_p({positive})": round(float(values[bins == place].mean()), 4),
                f"share_of_{positive}": round(float(cells.is_all[bins == place].mean()), 4),
                "cells": int((bins == place).sum()),
            }
            for place in np.unique(bins)
        ]
    figure, axes = _axes(f"Does p({positive}) hold? By cell", unseen)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    _lines(axes, rows, f"mean_p({positive})", f"share_of_{positive}", marker="o")
    _save(figure, rows, out / "reliability")


def _confusion(cells: Cells, p_all: Mapping[str, np.ndarray], out: Path, unseen: str) -> None:
    rows: list[dict[str, Any]] = []
    figure = Figure((2.6 * len(p_all), 3.6), dpi=150, layout="constrained")
    figure.suptitle(f"Cells by class, {cells.question.positive} from p = 0.5 on\n{unseen}", fontsize=10)
    kinds = [cells.question.negative, cells.question.positive]
    for place, (name, values) in enumerate(p_all.items(), start=1):
        counts = metrics.confusion_matrix(cells.is_all, values >= 0.5)
        shares = counts / counts.sum(1, keepdims=True)
        axes = figure.add_subplot(1, len(p_all), place)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_title(_title(name), fontsize=9)
        axes.set_xticks([0, 1], kinds, fontsize=8)
        axes.set_yticks([0, 1], kinds if place == 1 else ["", ""], fontsize=8, rotation=90, va="center")
        axes.set_xlabel("called", fontsize=8)
        axes.set_ylabel("is" if place == 1 else "", fontsize=8)
        for row in (0, 1):
            for column in (0, 1):
                axes.text(
                    column, row, f"{counts[row, column]:,}\n{shares[row, column]:.0%}", ha="center",
                    va="center", fontsize=9, color="white" if shares[row, column] > 0.6 else "black",
                )  # fmt: skip
                rows.append(
                    {
                        "who": _title(name),
                        "is": kinds[row],
                        "called": kinds[column],
                        "cells": counts[row, column],
                    }
                )
    _save(figure, rows, out / "confusion")


def _risk_coverage(
    cells: Cells, p_all: Mapping[str, np.ndarray], decided: Mapping[str, Any], out: Path, unseen: str
) -> None:
    rows: list[dict[str, Any]] = []
    for name, values in p_all.items():
        surest = np.argsort(-np.abs(values - 0.5), kind="stable")
        wrong = np.cumsum(((values >= 0.5) != cells.is_all)[surest])
        counts = np.unique(np.linspace(0.02 * len(values), len(values), 99).astype(int).clip(1))
        rows += [
            {
                "who": _title(name),
                "share_of_cells_decided": round(count / len(values), 4),
                "share_of_these_wrong": round(float(wrong[count - 1] / count), 4),
            }
            for count in counts
        ]
    figure, axes = _axes("How often wrong, if only the surest cells are decided", unseen)
    _lines(axes, rows, "share_of_cells_decided", "share_of_these_wrong")
    if decided["accuracy"]:
        axes.plot(
            decided["coverage"]["value"], 1 - decided["accuracy"]["value"], "o", color="#CC79A7",
            label='ensemble with its band of "unsure"',
        )  # fmt: skip
        axes.legend(fontsize=8)
    axes.set_ylim(bottom=0)
    _save(figure, rows, out / "risk_coverage")


def _subjects(rows: list[dict[str, Any]], question: Question, out: Path, unseen: str) -> None:
    figure, axes = _axes("Cells called right, by subject", unseen, (6, 1.5 + 0.16 * len(rows)))
    looks = ((question.negative, "#0072B2", "o"), (question.positive, "#D55E00", "s"))
    for kind, colour, marker in looks:
        places = [place for place, row in enumerate(rows) if row["class"] == kind]
        axes.plot(
            [rows[place]["accuracy"] for place in places],
            places,
            marker,
            color=colour,
            label=kind,
            markersize=5,
        )
    axes.axvline(0.5, color="0.7", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{row['subject']} ({row['cells']})" for row in rows], fontsize=6)
    axes.set_ylim(len(rows), -1)
    axes.set_xlabel("share of the subject's cells called right by the ensemble")
    axes.set_ylabel("subject (cells)")
    axes.legend(fontsize=8, loc="lower left")
    figure.savefig(out / "subjects.png")


def _save(figure: Figure, rows: list[dict[str, Any]], path: Path) -> None:
    figure.savefig(path.with_suffix(".png"))
    table.write(path.with_suffix(".csv"), rows)
