"""Ensembles and cells that they have not seen come in; a table of methods by figures of trust goes out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from leukovision.cell import read_cell
from leukovision.ensemble import Ensemble
from leukovision.evaluation import predictions as table
from leukovision.evaluation.bootstrap import DRAWS, Interval, interval
from leukovision.explain import faithfulness
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.explain.randomization import DEPTHS, twin
from leukovision.training.dataset import Image

FLOORS = {"random": "Random, as coarse", "blob": "Centred blob", "spots": "Random, fine spots"}
"""Maps that know nothing of the network; a method has to beat them."""

CURVES = tuple(f"{kind}_{base}" for kind in ("deletion", "insertion") for base in faithfulness.BASELINES)

FIGURES = {
    "deletion": "deletion ↓",
    "insertion": "insertion ↑",
    "deletion_black": "deletion, black ↓",
    "deletion_blurred": "deletion, blurred ↓",
    "insertion_black": "insertion, black ↑",
    "insertion_blurred": "insertion, blurred ↑",
    "drop": "average drop ↓",
    "increase": "increase ↑",
    "on_cell": "on the cell",
    "stability": "stability ↑",
    "agreement": "agreement of backbones",
    **{f"random_{depth}": f"like its twin's, {depth} shuffled ↓" for depth in DEPTHS},
}
"""What is measured of a map, and how the table calls it: arrows say what is better."""


def title_of(method: str) -> str:
    """How people call a method or a floor."""
    return METHODS[method].title if method in METHODS else FLOORS[method]


def benchmark_rows(
    ensemble: Ensemble,
    images: Sequence[Image],
    methods: Sequence[str],
    thorough: int,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[dict[str, Any]]:
    """A row for each cell and method, floors too.

    Args:
        ensemble: which has not seen the cells.
        images: of them.
        methods: keys of `methods.METHODS`.
        thorough: on how many cells, the first ones, stability and twins are measured too.
        progress: called with how many cells are done.
    """
    twins = cache(partial(twin, ensemble))
    for place, image in enumerate(images):
        numbers = ensemble.input.numbers(ensemble.input.picture(read_cell(image.path)))
        cell = faithfulness.cell_of(numbers)
        target = ensemble.question.called(ensemble.logits(numbers[None])[0] >= 0)
        drawn = {name: explain(ensemble, numbers, name, target, seed=place) for name in methods}
        maps = {name: found.combined for name, found in drawn.items()}
        # The first is as coarse as a real map, and wrong only in where it points.
        spread = faithfulness.coarseness(maps[methods[0]], cell)
        maps |= {
            "random": faithfulness.random_map(len(cell), place, spread),
            "blob": faithfulness.blob(cell),
            "spots": faithfulness.random_map(len(cell), place),
        }
        rows: dict[str, dict[str, Any]] = {
            name: {"file": image.path.name, "subject": image.subject, "target": target, "method": name}
            for name in maps
        }
        for base in faithfulness.BASELINES:
            found = faithfulness.curves(ensemble, numbers, list(maps.values()), target, base)
            for row, both in zip(rows.values(), found, strict=True):
                for kind, curve in zip(("deletion", "insertion"), both, strict=True):
                    row[f"{kind}_{base}"] = curve.area
                    row[f"curve_{kind}_{base}"] = " ".join(f"{p:.4f}" for p in curve.p)
                if base == "blurred":
                    row["drop"], row["increase"] = faithfulness.drop_and_increase(both[1])
        for name, row in rows.items():
            for kind in ("deletion", "insertion"):
                row[kind] = float(np.mean([row[f"{kind}_{base}"] for base in faithfulness.BASELINES]))
            row["on_cell"] = faithfulness.share_on_cell(maps[name], cell)
            row |= dict.fromkeys(("stability", "agreement", *(f"random_{d}" for d in DEPTHS)), "")
            if name not in drawn:
                continue
            row["agreement"] = faithfulness.agreement(drawn[name].members, cell)
            if place < thorough:
                draw = partial(_combined, method=name, target=target, seed=place)
                row["stability"] = faithfulness.stability(partial(draw, ensemble), numbers)
                for depth in DEPTHS:
                    of_twin = draw(twins(depth), numbers)
                    row[f"random_{depth}"] = faithfulness.alike(maps[name], of_twin, cell)
        yield from rows.values()
        progress(place + 1)


def _combined(ensemble: Ensemble, numbers: np.ndarray, method: str, target: str, seed: int) -> np.ndarray:
    return explain(ensemble, numbers, method, target, seed=seed).combined


def write(rows: Sequence[dict[str, Any]], out: Path) -> dict[str, Any]:
    """Write `trust.csv`, `.json`, `.md` and `.png`; return what is in the JSON.

    Intervals hold for new subjects: 1,000 draws of subjects with replacement.
    """
    table.write(out / "trust.csv", rows)
    content = summarise(rows)
    (out / "trust.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (out / "trust.md").write_text(as_markdown(content), encoding="utf-8")
    _plot(rows, out / "trust.png")
    return content


def read(path: Path) -> list[dict[str, Any]]:
    """Read `trust.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over cells by method and figure, and how much better than the floors the default is."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    names = sorted({row["subject"] for row in rows})
    random = np.random.default_rng(1)
    counts = np.ones((DRAWS + 1, len(names)))
    counts[1:] = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)

    def mean(values: dict[str, float], subject: dict[str, str]) -> Interval | None:
        used = [file for file, value in values.items() if np.isfinite(value)]
        if not used:
            return None
        place = [names.index(subject[file]) for file in used]
        sums = np.bincount(place, [values[file] for file in used], len(names))
        with np.errstate(invalid="ignore"):
            return interval(counts @ sums / (counts @ np.bincount(place, minlength=len(names))))

    subject = {row["file"]: row["subject"] for row in rows}
    found: dict[str, dict[str, dict[str, float]]] = {
        method: {
            figure: {
                row["file"]: float(row[figure]) if row[figure] != "" else np.nan
                for row in rows
                if row["method"] == method
            }
            for figure in FIGURES
        }
        for method in methods
    }
    gains = {
        other: {
            figure: mean(
                {
                    file: (1 if figure.startswith("insertion") else -1) * (value - found[other][figure][file])
                    for file, value in found[DEFAULT][figure].items()
                    if file in found[other][figure]
                },
                subject,
            )
            for figure in ("deletion", "insertion", *CURVES)
        }
        for other in methods
        if DEFAULT in methods and other != DEFAULT
    }
    return {
        "cells": len(subject),
        "subjects": len(names),
        "methods": {m: {f: mean(v, subject) for f, v in figures.items()} for m, figures in found.items()},
        "better_by": gains,
    }


def as_markdown(content: dict[str, Any]) -> str:
    """The two tables."""
    methods = content["methods"]
    lines = [
        f"{content['cells']} cells of {content['subjects']} subjects that the networks had not seen.",
        "",
        "|  | " + " | ".join(FIGURES.values()) + " |",
        "| --- |" + " --- |" * len(FIGURES),
    ]
    for name, row in methods.items():
        shown = (f"{row[figure]['value']:.2f}" if row[figure] else "" for figure in FIGURES)
        lines.append(f"| {title_of(name)} | " + " | ".join(shown) + " |")
    kinds = ("deletion", "insertion", *CURVES)
    lines += [
        "",
        f"How much better {title_of(DEFAULT)} is, cell by cell (95 % interval over subjects):",
        "",
        "| than | " + " | ".join(kind.replace("_", ", ") for kind in kinds) + " |",
        "| --- |" + " --- |" * len(kinds),
    ]
    for name, row in content["better_by"].items():
        shown = (f"{row[k]['value']:+.3f} ({row[k]['low']:+.3f} to {row[k]['high']:+.3f})" for k in kinds)
        lines.append(f"| {title_of(name)} | " + " | ".join(shown) + " |")
    return "\n".join(lines).replace("-0.", "−0.") + "\n"


def _plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Mean curves by method."""
    figure = Figure((11, 8), dpi=110, layout="constrained")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for place, curve in enumerate(CURVES, start=1):
        axes = figure.add_subplot(2, 2, place)
        middle = faithfulness.REMOVED if curve.startswith("deletion") else faithfulness.INSERTED
        for method in methods:
            own = [row[f"curve_{curve}"].split() for row in rows if row["method"] == method]
            mean = np.array(own, dtype=float).mean(axis=0)
            line = {"random": ":", "blob": "--"}.get(method, "-")
            width = 2.6 if method == DEFAULT else 1.2
            colour = "black" if method in (DEFAULT, *FLOORS) else None
            axes.plot([0, *middle, 1], mean, line, label=title_of(method), linewidth=width, color=colour)
        kind, base = curve.split("_")
        axes.set_title(f"{kind}, {base} where nothing is left", fontsize=10)
        axes.set_xlabel("share of the cell " + ("removed" if kind == "deletion" else "put back"))
        axes.set_ylabel("p(decided class)")
        axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    figure.savefig(path)
