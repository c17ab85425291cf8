"""The figures of an ensemble come in; the model card that shows them, in Markdown, goes out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leukovision import artifact
from leukovision.evaluation.saved_again import MEASURED
from leukovision.evaluation.tables import TITLES, by_subject, grid, of_members, shown
from leukovision.explain.sentences import at_least
from leukovision.i18n import ENGLISH, Texts

FIRST = ("matched_auc", "auc")
"""What is told of the subjects least like those that were trained on."""


def digest(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of the figures: those of each backbone and of the ensemble, with intervals."""
    kept = ("cells", "subjects", "views", "decided", "rejected", "by_mean_logit")
    found: dict[str, Any] = known(of_members(content) | {name: content[name] for name in kept})
    return found


def shifted(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of the figures on the subjects least like those that were trained on."""
    own = content["figures"]["ensemble"]
    kept = {name: own[name] for name in FIRST if name in own}
    found: dict[str, Any] = known(kept | {name: content[name] for name in ("cells", "subjects")})
    return found


def known(value: Any) -> Any:
    """The same with None for every interval without numbers: too few subjects have none, and JSON no nan."""
    if isinstance(value, Mapping):
        numbers = [one for one in value.values() if isinstance(one, float)]
        whole = all(map(math.isfinite, numbers))
        return {key: known(one) for key, one in value.items()} if whole else None
    return value


def card(manifest: artifact.Manifest, content: Mapping[str, Any]) -> str:
    """The model card, `README.md` of an ensemble's folder.

    Args:
        manifest: of the ensemble; its `figures` may have `shift` and `saved_again`, as `write` puts there.
        content: figures of the same recipe on subjects that it was not trained on.
    """
    members = [
        [TITLES.get(m.backbone, m.backbone), f"`{m.cut}`", f"{m.weight:.2f}", f"{m.temperature:.2f}"]
        for m in manifest.members
    ]
    images, trained = (manifest.training.get(kind, {}) for kind in ("images", "subjects"))
    people, decided = content["subjects"], known(content["decided"])
    input, (low, high) = manifest.input, manifest.thresholds.abstain
    field = "the cell scaled to one area" if input.geometry == "fill" else f"the middle {input.field} px"
    chroma = f", chroma averaged over {input.chroma} px" if input.chroma > 1 else ""
    colour = (
        "each colour channel standardised on the cell" if input.colour == "standardised" else "plain colour"
    )
    judged = known(of_members(content))
    texts = ENGLISH.about(manifest.question)
    words, (positive, negative) = texts.words, texts.question.names
    p = texts("glossary.probability.word")
    least, least_negative = (_least(decided[key]) for key in ("accuracy", f"accuracy_{negative}"))
    figures = [
        [key.replace("_", " "), *(shown(row[key]) for row in judged.values())] for key in judged["ensemble"]
    ]
    return f"""\
# {manifest.name} {manifest.version}

{words["question"]} {len(manifest.members)} convolutional networks decide it on a single cell, cut out on
black, with maps that add up to the decision. For research and teaching. **Not a medical device.**

{grid(["network", "cut at", "weight", "temperature"], members)}
## Intended use

{manifest.intended_use} Showing how such networks decide, and where they fail; comparing methods.

**Out of scope**: any decision about a person; cells that were not cut out on black; other stains, other
microscopes, other cells.

## Data

- Trained on {images.get(positive, "?")} {words["positive_cells"]} and {images.get(negative, "?")}
  {words["negative_cells"]} of {trained.get(positive, "?")} and {trained.get(negative, "?")} subjects:
  {manifest.question.data or "it is not said which"}. `ensemble.json` has everything that was set.
- Input: {field}, at {input.size} px; {colour}{chroma}.
- Judged on {content["cells"]:,} cells of {people[positive]} subjects {words["positive"]} and
  {people[negative]} {words["negative"]}, by networks of the same recipe that had seen none of the subjects
  they judge.
- {p} is meant for where half of the cells of any one size are of each class.

## Figures

In brackets: 95 % intervals over subjects.

{_first(judged["ensemble"], manifest.figures, texts)}All cells together, {words["positive"]} from p = 0.5 on:

{grid(["figure", *(TITLES.get(name, name) for name in judged)], figures)}
"unsure" where {p} lies between {low:.2f} and {high:.2f}. With a band set likewise on other subjects,
{shown(decided["coverage"])} of cells are decided. Of 100 decided cells at least {least} are right, of 100
decided {words["negative_cells"]} at least {least_negative}: the lower ends of the intervals.

## From subject to subject

{_spread(content, (positive, negative))}

{by_subject(content)}
## Limits

{manifest.limits or "Few subjects; how it does on other hospitals, stains and microscopes is not known."}

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


def write(
    folder: Path,
    content: Mapping[str, Any],
    shift: Mapping[str, Any] | None = None,
    saved_again: Mapping[str, Any] | None = None,
) -> artifact.Manifest:
    """Write an ensemble's `README.md`, and a digest of the figures into its manifest.

    Args:
        folder: of the ensemble.
        content: figures of the same recipe on subjects that it was not trained on.
        shift: likewise on the subjects least like those that were trained on.
        saved_again: of `saved_again.summary`. What is not given is taken out of the manifest.

    Raises:
        ValueError: the figures are not those of `figures.compute`, or of `saved_again.summary`.
        artifact.StoreError: the folder is not an ensemble's.
    """
    manifest = artifact.read_manifest(folder)
    kept = {name: found for name, found in manifest.figures.items() if name not in ("shift", "saved_again")}
    with _wanted("the figures", "the figures.json that `leukovision figures` writes"):
        kept["unseen"] = digest(content)
    if shift:
        with _wanted("the figures of --shift", "the figures.json that `leukovision figures` writes"):
            kept["shift"] = shifted(shift)
    if saved_again:
        with _wanted("the figures of --saved-again", "the saved_again.json that `leukovision resave` writes"):
            rows = {kind: {key: own[key] for key in MEASURED} for kind, own in saved_again.items()}
            kept["saved_again"] = known(rows)
    manifest = manifest.model_copy(update={"figures": kept})
    with _wanted("the figures", "the figures.json that `leukovision figures` writes"):
        text = card(manifest, content)
    artifact.write_whole(folder / "README.md", text.encode())
    artifact.write_manifest(folder, manifest)
    return manifest


@contextmanager
def _wanted(what: str, wanted: str) -> Iterator[None]:
    """What has not the form of figures becomes a sentence that says which, and what would be right."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{what} lack {error}; wanted is {wanted}.") from None
    except (TypeError, AttributeError):
        raise ValueError(f"{what} are none; wanted is {wanted}.") from None


def _least(accuracy: Mapping[str, float] | None) -> str:
    return str(at_least(accuracy["low"])) if accuracy else "-"


def _first(ensemble: Mapping[str, Any], figures: Mapping[str, Any], texts: Texts) -> str:
    """What a ruler does not reach, what the farthest people and other programs' files make of it."""
    parts = []
    if matched := ensemble.get("matched_auc"):
        parts.append(
            f"**AUC among cells of one size: {shown(matched)}.** Of pairs of cells of both classes whose "
            f"areas differ by at\nmost a tenth, the share in which {texts.words['positive']} has the higher "
            f"{texts('glossary.probability.word')}, over pairs of subjects.\n"
        )
    if shift := figures.get("shift"):
        parts.append(
            f"**On people least like those that were trained on:** {shift['cells']:,} cells of "
            f"{sum(shift['subjects'].values())} subjects, by networks that were\ntrained on the others.\n\n"
            + grid(
                ["figure", "ensemble"],
                [[key.replace("_", " "), shown(shift[key])] for key in FIRST if key in shift],
            )
        )
    if saved := figures.get("saved_again"):
        titles = (
            texts("model.saved.turned"),
            "changed at all",
            "changed unnoticed",
            "domain check",
            "change of logit",
        )
        had = [key in next(iter(saved.values())) for key in MEASURED]
        head = ["saved again", *itertools.compress(titles, had)]
        rows = [[kind, *(shown(own[key]) for key in MEASURED if key in own)] for kind, own in saved.items()]
        parts.append(
            "**Cells that another program saved again:** the share of decisions that change.\n\n"
            + grid(head, rows)
        )
    return "".join(f"{part}\n" for part in parts)


def _spread(content: Mapping[str, Any], names: Sequence[str]) -> str:
    sentences = []
    for kind in names:
        rows = [row for row in content["by_subject"] if row["class"] == kind]
        wrong = sum(row["accuracy"] < 0.5 for row in rows)
        sentences.append(
            f"- {kind}: {wrong} of {len(rows)} subjects have more than half of their cells called wrong; the "
            f"weakest is {rows[0]['subject']}, with {rows[0]['accuracy']:.0%} right."
        )
    return "\n".join(sentences)
