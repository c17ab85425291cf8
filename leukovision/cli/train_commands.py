"""`leukovision audit`, `train` and `distil`: from a folder of labelled cells to an ensemble."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from leukovision import hub
from leukovision.backbones import BACKBONES
from leukovision.cli import loading
from leukovision.cli.options import PARTS, SPLIT, QuestionOption
from leukovision.cli.terminal import console, errors_as_sentences, plain, progress
from leukovision.question import Question


def audit(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout: fold_*/CLASS/*.bmp.")],
    split: Annotated[str | None, typer.Option(help=SPLIT + " By default none is checked.")] = None,
    hold_out: Annotated[str, typer.Option(help=PARTS + " By default each part is a side.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the whole lists here.")] = None,
    question: QuestionOption = None,
) -> None:
    """Say what is wrong with training data; exit status 1 if the split leaks."""
    from leukovision import artifact
    from leukovision.training import audit

    with errors_as_sentences(), progress("files") as advance:
        asked = artifact.read_question(question)
        found = audit.audit(data, split, hold_out, advance, asked)
        if json_file:
            text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
            artifact.write_whole(json_file, (text + "\n").encode())
    _show_audit(found, asked)
    if found.split and found.split.leak:
        raise typer.Exit(1)


def train(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout: fold_*/CLASS/*.bmp.")],
    out: Annotated[Path, typer.Option(help="Folder for the ensemble.")],
    preset: Annotated[
        str,
        typer.Option(
            help="compact (units on frozen layers), mixed (InceptionV3 trained), whole or full (all trained)."
        ),
    ] = "compact",
    backbone: Annotated[list[str] | None, typer.Option(help="Only these; all three by default.")] = None,
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    hold_out: Annotated[str, typer.Option(help=PARTS)] = "",
    allow_leak: Annotated[
        bool,
        typer.Option("--allow-leak", help="Take the split as it is, with subjects and images on both sides."),
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Of so many cells of the data, evenly by subject; all by default."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Cells that are drawn in all, where layers are trained.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=75, help="Side of the input, px.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate at its highest.")] = None,
    geometry: Annotated[str | None, typer.Option(help="fill (each cell to one area) or crop.")] = None,
    colour: Annotated[str | None, typer.Option(help="plain or standardised (on the cell).")] = None,
    field: Annotated[
        int | None, typer.Option(min=75, max=450, help="With crop: side of the middle that is cut out, px.")
    ] = None,
    chroma: Annotated[
        int | None, typer.Option(min=1, max=64, help="Side of the squares that chroma is averaged over, px.")
    ] = None,
    resaved: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the cells that are saved again.")
    ] = None,
    stain: Annotated[float | None, typer.Option(min=0, help="Strength of changes of stain.")] = None,
    even_sizes: Annotated[
        bool | None, typer.Option("--even-sizes", help="Classes alike among cells of one size.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness.")] = 1,
    backbone_weights: Annotated[
        str,
        typer.Option(
            help="imagenet (download), none, a folder of *.weights.h5 files, or an ensemble to go on from: "
            "its folder, or embedded."
        ),
    ] = "imagenet",
    name: Annotated[str | None, typer.Option(help="The ensemble's name; by default the folder's.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what frozen layers see, for other runs on the same data."),
    ] = None,
    question: QuestionOption = None,
) -> None:
    """Train an ensemble; a run that was killed goes on when the same command is given again."""
    from leukovision import artifact
    from leukovision.evaluation import score
    from leukovision.training import dataset
    from leukovision.training.recipe import Recipe
    from leukovision.training.train import train_ensemble

    loading.import_keras()
    with errors_as_sentences(), progress("steps") as advance:
        asked = artifact.read_question(question)
        images = dataset.read_images(data, asked)
        images = score.sample(images, sample) if sample else images
        images, held_out = dataset.split(images, hold_out, split, allow_leak)
        recipe = Recipe.of(
            preset,
            input={
                "size": size,
                "geometry": geometry,
                "colour": colour,
                "field": field,
                "chroma": chroma,
            },
            changes={"resaved": resaved, "stain": stain},
            even_sizes=even_sizes,
            seed=seed,
            samples=samples,
            rate=rate,
        )
        starts = {"none": None, "embedded": str(hub.EMBEDDED)}
        weights = starts.get(backbone_weights, backbone_weights)

        def show(what: str, done: int, of: int, remark: str) -> None:
            advance(done, of, f"{what} {remark}")

        out.mkdir(parents=True, exist_ok=True)
        with artifact.alone(out):
            manifest = train_ensemble(
                images,
                out,
                recipe,
                backbone or list(BACKBONES),
                weights=weights,
                held_out=_of_split(hold_out, split) + " --allow-leak" * allow_leak,
                held_out_subjects=[] if allow_leak else sorted({image.subject for image in held_out}),
                cache=features,
                name=name,
                progress=show,
                question=asked,
            )
    console.print(f"{manifest.name}: {len(manifest.members)} members in {out}", highlight=False)


def distil(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout; labels are not looked at.")],
    backbone_weights: Annotated[
        Path, typer.Option(help="Folder with *.weights.h5 of InceptionV3 and Xception.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for those of InceptionResNetV2.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of 32 pieces of cells.")] = 700,
) -> None:
    """Make weights for InceptionResNetV2 to start from, where those from ImageNet cannot be had."""
    from leukovision.training import dataset
    from leukovision.training.distil import distil

    loading.import_keras()
    with errors_as_sentences(), progress("steps") as advance:
        images, _ = dataset.split(dataset.read_images(data), "")
        path = distil(images, backbone_weights, out, steps, progress=advance)
    console.print(f"{path}: give a folder with all three files to train", highlight=False)


def _of_split(names: str, split: str) -> str:
    """What was chosen, as results record it."""
    return f"{split}:{names}" if names and split != "folds" else names


def _show_audit(found: Any, question: Question) -> None:
    """Counts with the first few of each kind, the cells on each side, and whether the split leaks."""
    from leukovision.training.dataset import few

    def crossing(kind: str) -> tuple[int, list[str]]:
        """Duplicates that differ in a kind, and how often which of it meet."""
        several = [getattr(same, kind) for same in found.duplicates if len(getattr(same, kind)) > 1]
        pairs = Counter(" = ".join(names) for names in several).most_common()
        return len(several), [f"{pair} ({count})" for pair, count in pairs]

    def people(kind: str) -> tuple[int, list[str]]:
        sizes = sorted(
            ((cells[kind], who) for who, cells in found.subjects.items() if cells[kind]), reverse=True
        )
        return len(sizes), [f"{who} ({size})" for size, who in sizes]

    faults = {
        "cannot be read": found.unreadable,
        "no subject in the name": found.nameless,
        "name contradicts class folder": found.contradicting,
        "subject in several spellings": [", ".join(ways) for ways in found.spellings.values()],
        "subject with cells of both classes": found.mixed,
        "image under several names": [
            few([Path(file).name for file in same.files], 2, " = ") for same in found.duplicates
        ],
    }
    rows = {kind: (len(names), list(names)) for kind, names in faults.items()}
    rows |= {f"- of several {kind}": crossing(kind) for kind in ("subjects", "folds", "classes")}
    rows["size in px (files)"] = (len(found.sizes), [f"{size} ({n})" for size, n in found.sizes.items()])
    rows |= {f"{kind} subjects (cells)": people(kind) for kind in question.names}

    out = Console()
    table = Table("", "how many", "which", title=f"{found.files} files")
    for kind, (count, names) in rows.items():
        table.add_row(kind, str(count), plain(few(names, 3)))
    out.print(table)
    if not found.split:
        return
    sides = Table("side", *next(iter(found.split.sides.values()), ()))
    for side, counts in found.split.sides.items():
        sides.add_row(plain(side) or "(no part)", *map(str, counts.values()))
    out.print(sides)
    if found.split.leak:
        console.print(f"[red]{plain(found.split.leak)}[/red]", highlight=False, soft_wrap=True)
        return
    out.print("The split does not leak: no subject is on more than one side.", highlight=False)
    if found.split.twins:
        out.print(
            f"Images on more than one side under several names: {len(found.split.twins)}. "
            "They are left out of training.",
            highlight=False,
            soft_wrap=True,
        )
