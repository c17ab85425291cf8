"""`leukovision evaluate`, `figures`, `calibrate`, `resave`, `traits` and `trust`: how good an ensemble is."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from leukovision.backbones import BACKBONES
from leukovision.cli import loading
from leukovision.cli.options import PARTS, SPLIT, QuestionOption, WeightsOption
from leukovision.cli.terminal import console, errors_as_sentences, progress

if TYPE_CHECKING:
    from leukovision.question import Question
    from leukovision.training.dataset import Image


def _chosen(data: Path, only: str, split: str, question: Question) -> list[Image]:
    """The images in a folder that are of `only` (all if it is empty), each once."""
    from leukovision.evaluation import score
    from leukovision.training import dataset

    images = dataset.read_images(data, question)
    mask = dataset.chosen(images, only, split) if only else [True] * len(images)
    return score.once([image for image, wanted in zip(images, mask, strict=True) if wanted])


def evaluate(
    ensembles: Annotated[
        list[Path],
        typer.Argument(help="An ensemble's folder; of several, each is tested on what it held out."),
    ],
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for cells.csv, figures.* and plots.")],
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    only: Annotated[str, typer.Option(help=PARTS)] = "",
    views: Annotated[int | None, typer.Option(help="1, or 8 to average 8 ways to turn a cell.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many cells, evenly by subject.")] = None,
) -> None:
    """Score labelled cells, and measure each member and the ensemble on them."""
    from leukovision import artifact
    from leukovision.evaluation import figures as measured
    from leukovision.evaluation import predictions, score

    rows: list[dict[str, Any]] = []
    with errors_as_sentences():
        question = artifact.read_manifest(ensembles[0]).question
        images = _chosen(data, only, split, question)
        tests = score.held_out(ensembles, images, everything=bool(only))
        if sample:
            kept = set(score.sample([image for _, test in tests for image in test], sample))
            tests = [(folder, [image for image in test if image in kept]) for folder, test in tests]
        for folder, test in tests:
            name, loaded = score.name_of(folder), loading.load(folder)
            with progress("cells") as advance:
                show = partial(advance, of=len(test), remark=name)
                rows += score.score(loaded, name, test, views, show)
            predictions.write(out / "cells.csv", rows)
        content = measured.write(predictions.read(out / "cells.csv", question), out)
    _show_figures(content)


def resave(
    ensemble: Annotated[Path, typer.Argument(help="A calibrated ensemble's folder.")],
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for saved_again.csv and .json.")],
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    only: Annotated[str, typer.Option(help=PARTS)] = "",
    sample: Annotated[int, typer.Option(min=1, help="So many cells, evenly by subject.")] = 500,
) -> None:
    """Measure how many decisions change when another program saves the cells again."""
    from leukovision import artifact
    from leukovision.evaluation import predictions, saved_again, score
    from leukovision.evaluation.tables import shown

    with errors_as_sentences():
        question = artifact.read_manifest(ensemble).question
        images = score.sample(_chosen(data, only, split, question), sample)
        loaded = loading.load(ensemble)
        with progress("cells") as advance:
            rows = saved_again.decision_rows(loaded, images, partial(advance, of=len(images)))
        predictions.write(out / "saved_again.csv", rows)
        content = saved_again.summary(rows, question=question)
        artifact.write_whole(out / "saved_again.json", (json.dumps(content, indent=2) + "\n").encode())
    table = Table(f"{len(images)} cells", *saved_again.MEASURED)
    for kind, found in content.items():
        table.add_row(kind, *(shown(found[name]) for name in saved_again.MEASURED))
    Console().print(table)


def figures(
    table: Annotated[Path, typer.Argument(metavar="CELLS", help="cells.csv of `evaluate`.")],
    out: Annotated[Path, typer.Option(help="Folder for figures.* and plots.")],
    accuracy: Annotated[float, typer.Option(min=0.5, max=1, help="What decided cells shall reach.")] = 0.9,
    weights: WeightsOption = None,
    question: QuestionOption = None,
) -> None:
    """Make the figures and plots from scored cells, without the networks."""
    from leukovision import artifact
    from leukovision.evaluation import figures as measured
    from leukovision.evaluation import predictions

    with errors_as_sentences():
        cells = predictions.read(table, artifact.read_question(question))
        content = measured.write(cells, out, accuracy, weights)
    _show_figures(content)


def calibrate(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder; its manifest is rewritten.")],
    table: Annotated[
        Path,
        typer.Argument(
            metavar="CELLS",
            help="cells.csv of `evaluate`, for the same recipe on subjects held out of it; or the ensemble's "
            "own scores.csv, to calibrate it anew as a whole.",
        ),
    ],
    accuracy: Annotated[
        float, typer.Option(min=0.5, max=1, help="What decided cells shall reach; the others are unsure.")
    ] = 0.9,
    weights: WeightsOption = None,
    split: Annotated[Path | None, typer.Option(help="With scores.csv: the CSV that parts subjects.")] = None,
    out: Annotated[Path | None, typer.Option(help="With scores.csv: folder for figures.* and plots.")] = None,
) -> None:
    """Set temperatures, weights, bias and the band of "unsure" from held-out subjects; keep their scores."""
    from leukovision import artifact
    from leukovision.evaluation import calibrate as calibration
    from leukovision.evaluation import figures, predictions
    from leukovision.training.dataset import read_groups

    with errors_as_sentences():
        manifest, whole = artifact.read_manifest(ensemble), table.name == artifact.SCORES
        groups = read_groups(split) if split else None
        asked = manifest.question
        held_out = predictions.of_scores(table, groups, asked) if whole else predictions.read(table, asked)
        if whole:
            if weights:
                raise ValueError(
                    f"--weights goes with the cells.csv of `evaluate`, not with {artifact.SCORES}."
                )
            calibrated = calibration.recalibrate(manifest, held_out, accuracy)
        else:
            calibrated = calibration.calibrate(manifest, held_out, accuracy, weights)
        if whole and out:
            _show_figures(figures.write(held_out, out, accuracy))
        artifact.write_manifest(ensemble, calibrated)
        predictions.write(ensemble / artifact.SCORES, calibration.scores(held_out, accuracy, weights))
    low, high = calibrated.thresholds.abstain
    console.print(f"unsure between {low} and {high}", highlight=False)


def trust(
    ensembles: Annotated[
        list[Path],
        typer.Argument(help="An ensemble's folder; of several, each is tested on what it held out."),
    ],
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for trust.csv, .json, .md and .png.")],
    methods: Annotated[str, typer.Option(help="Keys of methods, with commas; all by default.")] = "",
    cells: Annotated[int, typer.Option(min=1, help="So many cells, evenly by subject.")] = 200,
    thorough: Annotated[
        int, typer.Option(min=0, help="On so many of them, of each ensemble, stability and twins too.")
    ] = 5,
    only: Annotated[str, typer.Option(help=PARTS)] = "",
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
) -> None:
    """Measure how far each method's maps can be trusted, on cells that the networks had not seen."""
    from leukovision import artifact
    from leukovision.evaluation import saliency_benchmark, score
    from leukovision.explain.methods import METHODS

    rows: list[dict[str, Any]] = []
    with errors_as_sentences():
        chosen = methods.split(",") if methods else list(METHODS)
        if odd := [name for name in chosen if name not in METHODS]:
            raise ValueError(f"no method is called {odd[0]!r}; there are {', '.join(METHODS)}.")
        images = _chosen(data, only, split, artifact.read_manifest(ensembles[0]).question)
        tests = score.held_out(ensembles, images, everything=bool(only))
        kept = set(score.sample([image for _, test in tests for image in test], cells))
        for folder, test in tests:
            own, loaded = [image for image in test if image in kept], loading.load(folder)
            with progress("cells") as advance:
                show = partial(advance, of=len(own), remark=score.name_of(folder))
                rows += saliency_benchmark.benchmark_rows(loaded, own, chosen, thorough, show)
            content = saliency_benchmark.write(rows, out)
    Console().print(saliency_benchmark.as_markdown(content), soft_wrap=True, highlight=False, markup=False)


def traits(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for traits.csv and traits.json.")],
    only: Annotated[str, typer.Option(help=PARTS)] = "",
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    sample: Annotated[int | None, typer.Option(min=1, help="So many cells, evenly by subject.")] = None,
    question: QuestionOption = None,
) -> None:
    """Measure what a haematologist looks at on labelled cells; traits.json goes into an ensemble's folder."""
    from leukovision import artifact
    from leukovision.evaluation import measured_traits, score

    with errors_as_sentences():
        asked = artifact.read_question(question)
        images = _chosen(data, only, split, asked)
        images = score.sample(images, sample) if sample else images
        with progress("cells") as advance:
            rows = measured_traits.trait_rows(images, partial(advance, of=len(images)), asked)
        content = measured_traits.write(rows, out, asked)
    Console().print(measured_traits.as_markdown(content), soft_wrap=True, highlight=False, markup=False)


def _show_figures(content: dict[str, Any]) -> None:
    from leukovision.evaluation.tables import shown

    out = Console()
    table = Table(title=f"{content['cells']} cells of {sum(content['subjects'].values())} subjects")
    table.add_column("95 % intervals over subjects")
    # The other ways to combine them are in figures.md; a terminal is narrow.
    rows = {name: row for name, row in content["figures"].items() if name in (*BACKBONES, "ensemble")}
    for name in rows:
        table.add_column(BACKBONES[name].title if name in BACKBONES else name)
    for figure in rows["ensemble"]:
        table.add_row(figure.replace("_", " "), *(shown(row[figure]) for row in rows.values()))
    out.print(table)
    p = f"mean p({next(iter(content['subjects']))})"
    subjects = Table("subject", "class", "cells", "accuracy", p, "called by mean logit")
    for row in content["by_subject"]:
        subjects.add_row(
            row["subject"], row["class"], str(row["cells"]), f"{row['accuracy']:.2f}",
            f"{row['mean_p_all']:.2f}", row["called"],
        )  # fmt: skip
    out.print(subjects)
    decided = content["decided"]
    out.print(
        f"decided: {shown(decided['coverage'])} of cells, {shown(decided['accuracy'])} of them right",
        highlight=False,
    )
