"""The figures of an ensemble come in; the model card that shows them, in Markdown, goes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leukovision import store
from leukovision.evaluation.tables import TITLES, by_subject, grid, of_members, shown


def digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of the figures: those of each backbone and of the ensemble, with intervals."""
    kept = ("cells", "subjects", "views", "decided", "rejected", "by_mean_logit")
    return of_members(content) | {name: content[name] for name in kept}


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
    judged = of_members(content)
    figures = [
        [key.replace("_", " "), *(shown(row[key]) for row in judged.values())] for key in judged["ensemble"]
    ]
    return f"""\
# {manifest.name} {manifest.version}

{len(manifest.members)} convolutional networks that decide whether a single white blood cell, cut out on
black, is an acute lymphoblastic leukaemia (ALL) blast or healthy, with maps that add up to the decision. For
research and teaching. **Not a medical device.**

{grid(["network", "cut at", "weight", "temperature"], members)}
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

{grid(["figure", *(TITLES.get(name, name) for name in judged)], figures)}
"unsure" where p(ALL) lies between {low:.2f} and {high:.2f}. With a band set likewise on other subjects,
{shown(decided["coverage"])} of cells are decided, and {shown(decided["accuracy"])} of these are right; of the
decided healthy cells {shown(decided["accuracy_healthy"])}.

## From subject to subject

{_spread(content)}

{by_subject(content)}
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
