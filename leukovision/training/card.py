"""The figures of an ensemble come in; the tables and the model card that show them, in Markdown, go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leukovision import store
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
        content: what `evaluate.measure` returns.
    """
    people, rejected, decided = content["subjects"], content["rejected"], content["decided"]
    figures = [
        [TITLES.get(name, name), *map(shown, row.values())] for name, row in content["figures"].items()
    ]
    less = [[TITLES.get(name, name), shown(v, 3)] for name, v in content["log_loss_less_than"].items()]
    kinds = ("", "_ALL", "_healthy")
    band = [[what, *(shown(decided[what + kind]) for kind in kinds)] for what in ("coverage", "accuracy")]
    measured = ("alone", "together", "log_loss", "log_loss_corrected", "auc", "auc_corrected")
    slides = [[row["cells"], *(shown(row[key]) for key in measured)] for row in content["slide"]]
    shortcuts = [[name, *map(shown, row.values())] for name, row in content["shortcuts"].items()]
    sizes = [
        [f"{row['from']:g} to {row['to']:g}", row["ALL"], row["healthy"], shown(row["auc"])]
        for row in content["area_bands"]
    ]
    whole = content["by_mean_logit"]
    return f"""\
{content["cells"]:,} cells of {people["ALL"]} subjects with ALL and {people["healthy"]} healthy donors; views
a cell: {content["views"]}. No subject was trained on by the networks that judge it, nor used for their
calibration. In brackets: 95 % intervals over subjects ({content["draws"]:,} draws with replacement, by
class); the ECE of a draw is larger than that of the whole by its nature.

{_grid(["", *content["figures"]["ensemble"]], figures)}
Log loss of the ensemble less that of another, on the same draws; below 0 the ensemble is better:

{_grid(["", "difference in log loss"], less)}
Decided, that is outside the band of "unsure" and in domain, for a wanted accuracy of
{decided["wanted_accuracy"]:.2f} over all cells:

{_grid(["", "all cells", "ALL", "healthy"], band)}
Rejected by the domain check: {rejected["all"]:.1%} of cells ({rejected["ALL"]:.1%} of ALL,
{rejected["healthy"]:.1%} of healthy).

Several cells of one slide, subjects weighed alike: balanced accuracy of each cell alone, and of the cells
together by their mean logit; log loss and AUC of single cells, as they are and corrected by the slide's
offset as estimated from these cells, which are all of one class here, as the correction does not know:

{_grid(["cells", "alone", "together", "log loss", "corrected", "auc", "corrected"], slides)}
Whole subjects, decided by the mean logit of all their cells:

{_grid(list(whole), [list(map(shown, whole.values()))])}
What a logistic regression on a few numbers of the cell reaches on the same subjects:

{_grid(["numbers", "auc", "auc by subject"], shortcuts)}
AUC of the ensemble among cells of like size:

{_grid(["area", "ALL cells", "healthy cells", "auc"], sizes)}
By subject, the weakest of each class first:

{_by_subject(content)}"""


def digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of the figures: those of each backbone and of the ensemble, with intervals."""
    kept = ("cells", "subjects", "views", "decided", "rejected", "by_mean_logit")
    return _figures(content) | {name: content[name] for name in kept}


def _figures(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of the figures those of the backbones, and last of the ensemble; not of other ways to combine them."""
    return {name: content["figures"][name] for name in (*BACKBONES, "ensemble") if name in content["figures"]}


def card(manifest: store.Manifest, content: Mapping[str, Any]) -> str:
    """The model card, `README.md` of an ensemble's folder.

    Args:
        manifest: of the ensemble.
        content: figures of the same recipe on subjects that it was not trained on.
    """
    members = [
        [TITLES.get(m.backbone, m.backbone), f"`{m.cut}`", f"{m.weight:.2f}", f"{m.temperature:.2f}"]
        for m in manifest.members
    ]
    images, trained = (manifest.training.get(kind, {}) for kind in ("images", "subjects"))
    people, decided = content["subjects"], content["decided"]
    input, (low, high) = manifest.input, manifest.thresholds.abstain
    field = "the cell scaled to one area" if input.geometry == "fill" else "the middle of the picture"
    colour = (
        "each colour channel standardised on the cell" if input.colour == "standardised" else "plain colour"
    )
    judged = _figures(content)
    figures = [
        [key.replace("_", " "), *(shown(row[key]) for row in judged.values())] for key in judged["ensemble"]
    ]
    return f"""\
# {manifest.name} {manifest.version}

{len(manifest.members)} convolutional networks that decide whether a single white blood cell, cut out on
black, is an acute lymphoblastic leukaemia (ALL) blast or healthy, with maps that add up to the decision. For
research and teaching. **Not a medical device.**

{_grid(["network", "cut at", "weight", "temperature"], members)}
## Intended use

{manifest.intended_use} Showing how such networks decide, and where they fail; comparing methods.

**Out of scope**: any decision about a person; cells that were not cut out on black; other stains, other
microscopes, other cells.

## Data

- Trained on {images.get("ALL", "?")} ALL and {images.get("healthy", "?")} healthy cells of
  {trained.get("ALL", "?")} subjects with ALL and {trained.get("healthy", "?")} healthy donors of C-NMC 2019
  (doi:10.7937/tcia.2019.dc64i46r). `ensemble.json` has everything that was set.
- Input: {field}, {input.size} px, {colour}.
- Judged on {content["cells"]:,} cells of {people["ALL"]} subjects with ALL and {people["healthy"]} healthy
  donors, by networks of the same recipe that had seen none of the subjects they judge.
- p(ALL) is meant for where {content["prevalence"]:.0%} of the cells are ALL, as in these data.

## Figures

ALL from p = 0.5 on. In brackets: 95 % intervals over subjects.

{_grid(["figure", *(TITLES.get(name, name) for name in judged)], figures)}
"unsure" where p(ALL) lies between {low:.2f} and {high:.2f}. With a band set likewise on other subjects,
{shown(decided["coverage"])} of cells are decided, and {shown(decided["accuracy"])} of these are right; of the
decided healthy cells {shown(decided["accuracy_healthy"])}.

## From subject to subject

{_spread(content)}

{_by_subject(content)}
## Limits

{manifest.limits or "Few healthy donors; one hospital, one way of staining."}

A slide can move all its cells' probabilities together: cells of one slide are no independent witnesses. A map
that adds up says what moved these networks, not that they are right.

## Use

```python
from leukovision import load_ensemble, read_cell

ensemble = load_ensemble("this/folder")
(analysis,) = ensemble.analyse([read_cell("cell.bmp")])
analysis.decision, analysis.p_all
```
"""


def write(folder: Path, content: Mapping[str, Any]) -> store.Manifest:
    """Write an ensemble's `README.md`, and a digest of the figures into its manifest.

    Raises:
        ValueError: the figures are not those of `evaluate.measure`.
        store.StoreError: the folder is not an ensemble's.
    """
    manifest = store.read_manifest(folder)
    try:
        manifest = manifest.model_copy(update={"figures": manifest.figures | {"unseen": digest(content)}})
        text = card(manifest, content)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"the figures lack {error}; wanted is the figures.json that `leukovision figures` writes."
        ) from None
    store.write_whole(folder / "README.md", text.encode())
    store.write_manifest(folder, manifest)
    return manifest


def _spread(content: Mapping[str, Any]) -> str:
    sentences = []
    for kind in ("ALL", "healthy"):
        rows = [row for row in content["by_subject"] if row["class"] == kind]
        wrong = sum(row["accuracy"] < 0.5 for row in rows)
        sentences.append(
            f"- {kind}: {wrong} of {len(rows)} subjects have more than half of their cells called wrong; the "
            f"weakest is {rows[0]['subject']}, with {rows[0]['accuracy']:.0%} right."
        )
    return "\n".join(sentences)


def _by_subject(content: Mapping[str, Any]) -> str:
    head = ["subject", "class", "cells", "called right", "mean p(ALL)", "mean logit", "called by it"]
    numbers = ("accuracy", "mean_p_all", "mean_logit")
    rows = [
        [row["subject"], row["class"], row["cells"], *(f"{row[key]:.2f}" for key in numbers), row["called"]]
        for row in content["by_subject"]
    ]
    return _grid(head, rows)


def _grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[title.replace("_", " ") for title in head], ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
