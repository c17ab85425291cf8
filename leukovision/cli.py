"""The command line: `leukovision demo | analyse | cut | audit | train | evaluate | figures | calibrate |
trust | card | publish | space`.

Exit status: 0 done; 1 done, but some file could not be read, or a split leaks; 2 nothing done, and a
sentence why.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from leukovision import host
from leukovision.backbones import BACKBONES

if TYPE_CHECKING:
    from leukovision.batch import File, Row
    from leukovision.slide import SlideDecision
    from leukovision.store import SlideSpec

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Is a white blood cell an ALL blast? For research and teaching; not a medical device.",
)
console = Console(stderr=True)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("leukovision"))
        raise typer.Exit


@app.callback()
def main(
    shown: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end."),
    ] = False,
) -> None:
    """Is a white blood cell an ALL blast? For research and teaching; not a medical device."""


# What is wrong with a TIFF is said in a sentence of its own.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

CUT = ("photo", "number", "box", "marks", "file")
"""Columns of the table that `cut` writes; a box is left, top, right and bottom, px of the photo."""

EnsembleOption = Annotated[
    str | None,
    typer.Option(
        "--ensemble",
        help="An ensemble's folder, or user/repo[@revision] on the Hugging Face Hub; by default "
        "LEUKOVISION_ENSEMBLE, or the embedded one.",
    ),
]

SPLIT = "folds, subject, image, image@SEED, or a CSV with columns group and subject: what the parts are."
PARTS = "Parts of the split, folds or subjects, with commas: fold_1,H16,groups.csv:1"


@app.command()
def demo(
    ensemble: EnsembleOption = None,
    examples: Annotated[Path | None, typer.Option(help="Folder of example pictures.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Make a public link.")] = False,
    port: Annotated[int | None, typer.Option(help="Port; the next free one from 7860 by default.")] = None,
    auth: Annotated[
        str | None, typer.Option(help="user:password that the page asks for; LEUKOVISION_AUTH by default.")
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the endpoints as tools of an MCP server too.")
    ] = False,
) -> None:
    """Open the page."""
    from leukovision.demo.build import serve

    with _said():
        serve(ensemble=ensemble, examples=examples, share=share, port=port, auth=auth, mcp=mcp)


@app.command()
def analyse(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures of one cell on black each, photos of smears, or folders, zip files or Parquet "
            "tables of them."
        ),
    ],
    ensemble: EnsembleOption = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the table here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the same as JSON here.")] = None,
    parquet_file: Annotated[Path | None, typer.Option("--parquet", help="Or as Parquet here.")] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write a report here: .pdf, .json, or for one picture also .png."),
    ] = None,
    maps: Annotated[Path | None, typer.Option(help="Folder for the four maps of each cell.")] = None,
    slide: Annotated[
        bool, typer.Option("--slide", help="Say of each folder or zip file, too: the cells of one person.")
    ] = False,
    views: Annotated[int | None, typer.Option(help="1, or 8 to average 8 ways to turn a cell.")] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Judge with Ray, on the cluster at this address, or `local` for this machine's processors; "
            "--parquet is then a folder of parts, and a run that was stopped goes on.",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="So many of --ray; by default all.")] = None,
) -> None:
    """Decide on cells: a row each, also for each cell of a photo, and for a file that cannot be read."""
    from leukovision import batch, run
    from leukovision.report import check_name

    named = {"csv": csv_file, "json": json_file, "parquet": parquet_file}
    tables = {kind: path for kind, path in named.items() if path}
    left: Counter[str] = Counter()
    with _said():
        if views not in (None, 1, 8):
            raise ValueError(f"--views can be 1 or 8, not {views}.")
        if workers and not ray:
            raise ValueError("--workers are those of --ray; give --ray local, or the address of a cluster.")
        if ray and (not parquet_file or report_file or maps):
            raise ValueError("--ray wants --parquet FOLDER, and makes neither --report nor --maps.")
        folders = {"--parquet": tables.pop("parquet")} if ray else {"--maps": maps} if maps else {}
        outputs = run.Outputs(tables, report_file, maps)
        files = batch.find(paths, lambda why: left.update([why]))
        if report_file:
            check_name(report_file, len(files))
        run.check(outputs.files, folders, paths)
        if ray and parquet_file:
            rows, source, spec = _judge_with_ray(files, ensemble, parquet_file, ray, workers, views, tables)
        else:
            loaded = _load(ensemble)
            source, spec = str(loaded.source), loaded.manifest.slide
            with _stopping(len(files), source), _progress("files") as advance:
                rows = run.run(loaded, files, outputs, views, advance, _note)
    _summary(rows, len(files), source, left, shown=not (outputs.files or ray))
    if slide:
        _show_slides(batch.slides(rows, spec))
    if any(row.error for row in rows):
        raise typer.Exit(1)


@app.command()
def cut(
    photos: Annotated[list[Path], typer.Argument(help="Photos of smears, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the cells and cells.csv.")],
) -> None:
    """Cut the white cells out of photos: a PNG each on black, ready for `analyse`, and a table of them."""
    from leukovision import run, sources, store
    from leukovision.batch import csv_of, find
    from leukovision.cell import CellError
    from leukovision.smear import find_cells

    left: Counter[str] = Counter()
    with _said():
        files = find(photos, lambda why: left.update([why]), (sources.MAPS, sources.CELLS))
        run.check({"cells.csv of --out": out / "cells.csv"}, {"--out": out}, photos)

    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    # What an earlier run cut out is replaced; what others put there stays.
    taken = {path.name for path in out.iterdir()} - sources.written(out, sources.CELLS)
    with _said(), _progress("photos") as advance:
        try:
            for done, photo in enumerate(files, 1):
                found = []
                try:
                    found = find_cells(photo.read(), photo.name)
                except CellError as error:
                    refused.append(str(error))
                except OSError as error:
                    refused.append(f"{photo.name}: cannot be read ({error.strerror or error}).")
                for number, one in enumerate(found, 1):
                    name = f"{sources.stem(photo.name)}_{number}.png"
                    file = _free(out / name, taken)
                    taken.add(file)
                    run.write_picture(out / file, Image.fromarray(one.cell.pixels), sources.CELLS)
                    box, marks = " ".join(map(str, one.box)), ", ".join(one.marks)
                    rows.append(dict(zip(CUT, (photo.name, number, box, marks, file), strict=True)))
                advance(done, len(files))
        finally:  # also of those that there are when it is stopped
            store.write_whole(out / "cells.csv", csv_of(CUT, rows))
    for sentence in refused:
        console.print(_plain(sentence), highlight=False, soft_wrap=True)
    marked = sum(bool(row["marks"]) for row in rows)
    console.print(f"{len(files)} photos: {len(rows)} cells, {marked} of them marked.", highlight=False)
    _show_left(left)
    if refused:
        raise typer.Exit(1)


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout: fold_*/all|hem/*.bmp.")],
    split: Annotated[str | None, typer.Option(help=SPLIT + " By default none is checked.")] = None,
    hold_out: Annotated[str, typer.Option(help=PARTS + " By default each part is a side.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the whole lists here.")] = None,
) -> None:
    """Say what is wrong with training data; exit status 1 if the split leaks."""
    from leukovision import store
    from leukovision.training import audit

    with _said(), _progress("files") as advance:
        found = audit.audit(data, split, hold_out, advance)
        if json_file:
            text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
            store.write_whole(json_file, (text + "\n").encode())
    _show_audit(found)
    if found.split and found.split.leak:
        raise typer.Exit(1)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout: fold_*/all|hem/*.bmp.")],
    out: Annotated[Path, typer.Option(help="Folder for the ensemble.")],
    preset: Annotated[
        str,
        typer.Option(help="compact (heads on frozen layers), whole or full (layers trained, on a GPU)."),
    ] = "compact",
    backbone: Annotated[list[str] | None, typer.Option(help="Only these; all three by default.")] = None,
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    hold_out: Annotated[str, typer.Option(help=PARTS)] = "",
    allow_leak: Annotated[
        bool,
        typer.Option("--allow-leak", help="Take the split as it is, with subjects and images on both sides."),
    ] = False,
    samples: Annotated[int | None, typer.Option(min=1, help="Cells that are drawn in all.")] = None,
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
        str, typer.Option(help="imagenet (download), none, or a folder of *.weights.h5 files.")
    ] = "imagenet",
    name: Annotated[str | None, typer.Option(help="The ensemble's name; by default the folder's.")] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what frozen layers see, for other runs on the same data."),
    ] = None,
) -> None:
    """Train an ensemble; a run that was killed goes on when the same command is given again."""
    from leukovision import store
    from leukovision.training import dataset
    from leukovision.training.fit import fit
    from leukovision.training.recipe import Recipe

    _import_keras()
    with _said(), _progress("steps") as advance:
        images, held_out = dataset.split(dataset.read_images(data), hold_out, split, allow_leak)
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
        weights = None if backbone_weights == "none" else backbone_weights

        def show(what: str, done: int, of: int, remark: str) -> None:
            advance(done, of, f"{what} {remark}")

        out.mkdir(parents=True, exist_ok=True)
        with store.alone(out):
            manifest = fit(
                images,
                out,
                recipe,
                backbone or list(BACKBONES),
                weights=weights,
                held_out=_of_split(hold_out, split) + " --allow-leak" * allow_leak,
                held_out_subjects=[] if allow_leak else sorted({image.subject for image in held_out}),
                kept=features,
                name=name,
                progress=show,
            )
    console.print(f"{manifest.name}: {len(manifest.members)} members in {out}", highlight=False)


@app.command()
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

    _import_keras()
    with _said(), _progress("steps") as advance:
        images, _ = dataset.split(dataset.read_images(data), "")
        path = distil(images, backbone_weights, out, steps, progress=advance)
    console.print(f"{path}: give a folder with all three files to train", highlight=False)


@app.command()
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
    from leukovision.evaluation import figures as measured
    from leukovision.evaluation import predictions, score
    from leukovision.training import dataset

    rows: list[dict[str, Any]] = []
    with _said():
        images = dataset.read_images(data)
        mask = dataset.chosen(images, only, split) if only else [True] * len(images)
        images = score.once([image for image, wanted in zip(images, mask, strict=True) if wanted])
        tests = score.held_out(ensembles, images, everything=bool(only))
        if sample:
            kept = set(score.sample([image for _, test in tests for image in test], sample))
            tests = [(folder, [image for image in test if image in kept]) for folder, test in tests]
        for folder, test in tests:
            name, loaded = score.name_of(folder), _load(folder)
            with _progress("cells") as advance:
                show = partial(advance, of=len(test), remark=name)
                rows += score.score(loaded, name, test, views, show)
            predictions.write(out / "cells.csv", rows)
        content = measured.write(predictions.read(out / "cells.csv"), out)
    _show_figures(content)


@app.command()
def resave(
    ensemble: Annotated[Path, typer.Argument(help="A calibrated ensemble's folder.")],
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for saved_again.csv and .json.")],
    split: Annotated[str, typer.Option(help=SPLIT)] = "folds",
    only: Annotated[str, typer.Option(help=PARTS)] = "",
    sample: Annotated[int, typer.Option(min=1, help="So many cells, evenly by subject.")] = 500,
) -> None:
    """Measure how many decisions change when another program saves the cells again."""
    from leukovision import store
    from leukovision.evaluation import predictions, saved_again, score
    from leukovision.evaluation.tables import shown
    from leukovision.training import dataset

    with _said():
        images = dataset.read_images(data)
        mask = dataset.chosen(images, only, split) if only else [True] * len(images)
        images = score.once([image for image, wanted in zip(images, mask, strict=True) if wanted])
        images = score.sample(images, sample)
        loaded = _load(ensemble)
        with _progress("cells") as advance:
            rows = saved_again.measure(loaded, images, partial(advance, of=len(images)))
        predictions.write(out / "saved_again.csv", rows)
        content = saved_again.summary(rows)
        store.write_whole(out / "saved_again.json", (json.dumps(content, indent=2) + "\n").encode())
    columns = ("turned", "changed", "domain", "shift")
    table = Table(f"{len(images)} cells", *columns)
    for kind, found in content.items():
        table.add_row(kind, *(shown(found[name]) for name in columns))
    Console().print(table)


@app.command()
def figures(
    table: Annotated[Path, typer.Argument(metavar="CELLS", help="cells.csv of `evaluate`.")],
    out: Annotated[Path, typer.Option(help="Folder for figures.* and plots.")],
    accuracy: Annotated[float, typer.Option(min=0.5, max=1, help="What decided cells shall reach.")] = 0.9,
) -> None:
    """Make the figures and plots from scored cells, without the networks."""
    from leukovision.evaluation import figures as measured
    from leukovision.evaluation import predictions

    with _said():
        content = measured.write(predictions.read(table), out, accuracy)
    _show_figures(content)


@app.command()
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
    split: Annotated[Path | None, typer.Option(help="With scores.csv: the CSV that parts subjects.")] = None,
    out: Annotated[Path | None, typer.Option(help="With scores.csv: folder for figures.* and plots.")] = None,
) -> None:
    """Set temperatures, weights, bias and the band of "unsure" from held-out subjects; keep their scores."""
    from leukovision import store
    from leukovision.evaluation import calibrate as calibration
    from leukovision.evaluation import figures, predictions
    from leukovision.training.dataset import read_groups

    with _said():
        manifest, whole = store.read_manifest(ensemble), table.name == store.SCORES
        groups = read_groups(split) if split else None
        held_out = predictions.of_scores(table, groups) if whole else predictions.read(table)
        calibrated = (calibration.again if whole else calibration.calibrate)(manifest, held_out, accuracy)
        if whole and out:
            _show_figures(figures.write(held_out, out, accuracy))
        store.write_manifest(ensemble, calibrated)
        predictions.write(ensemble / store.SCORES, calibration.scores(held_out, accuracy))
    low, high = calibrated.thresholds.abstain
    console.print(f"unsure between {low} and {high}", highlight=False)


@app.command()
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
    from leukovision.evaluation import saliency_benchmark, score
    from leukovision.saliency import METHODS
    from leukovision.training import dataset

    rows: list[dict[str, Any]] = []
    with _said():
        chosen = methods.split(",") if methods else list(METHODS)
        if odd := [name for name in chosen if name not in METHODS]:
            raise ValueError(f"no method is called {odd[0]!r}; there are {', '.join(METHODS)}.")
        images = dataset.read_images(data)
        mask = dataset.chosen(images, only, split) if only else [True] * len(images)
        images = score.once([image for image, wanted in zip(images, mask, strict=True) if wanted])
        tests = score.held_out(ensembles, images, everything=bool(only))
        kept = set(score.sample([image for _, test in tests for image in test], cells))
        for folder, test in tests:
            own, loaded = [image for image in test if image in kept], _load(folder)
            with _progress("cells") as advance:
                show = partial(advance, of=len(own), remark=score.name_of(folder))
                rows += saliency_benchmark.measure(loaded, own, chosen, thorough, show)
            content = saliency_benchmark.write(rows, out)
    Console().print(saliency_benchmark.as_markdown(content), soft_wrap=True, highlight=False, markup=False)


@app.command()
def card(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder.")],
    figures: Annotated[Path, typer.Argument(help="figures.json of `evaluate` or `figures`.")],
    shift: Annotated[
        Path | None, typer.Option(help="figures.json on the subjects least like those trained on.")
    ] = None,
    saved_again: Annotated[Path | None, typer.Option(help="saved_again.json of `resave`.")] = None,
) -> None:
    """Write an ensemble's README.md, its model card, and put the figures into its manifest."""
    from leukovision.publishing import card

    def read(path: Path, of: str) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{path}: not JSON; wanted is what `{of}` writes.") from None

    with _said():
        content = read(figures, "evaluate")
        far = read(shift, "evaluate") if shift else None
        again = read(saved_again, "resave") if saved_again else None
        card.write(ensemble, content, far, again)
    console.print(f"{ensemble / 'README.md'}", highlight=False)


@app.command()
def publish(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder.")],
    repo: Annotated[str, typer.Argument(metavar="USER/REPO", help="Repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Hide a new repository from others.")] = False,
    examples: Annotated[Path | None, typer.Option(help="Pictures to publish with it.")] = None,
    credit: Annotated[str, typer.Option("--credits", help="Whose pictures, under which license.")] = "",
    trust: Annotated[
        Path | None, typer.Option(help="trust.md of `trust`, for the card; by default the folder's.")
    ] = None,
    tag: Annotated[str, typer.Option("--revision-tag", help="Name of this version, as v1.2.")] = "",
    dry_run: Annotated[Path | None, typer.Option(help="Write everything into this folder instead.")] = None,
) -> None:
    """Put an ensemble, with its model card, onto the Hugging Face Hub."""
    from leukovision.publishing import publish

    with _said():
        _import_keras()
        if dry_run:
            for name in publish.stage(ensemble, repo, dry_run, examples, credit, trust):
                console.print(str(dry_run / name), highlight=False, soft_wrap=True)
            return
        pinned = publish.publish_folder(ensemble, repo, private, tag, examples, credit, trust)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    console.print(f"{endpoint}/{repo}", highlight=False, soft_wrap=True)
    console.print(f"--ensemble {pinned}", highlight=False, soft_wrap=True)


@app.command()
def space(
    out: Annotated[Path, typer.Argument(help="Folder to write it into, empty or not there.")],
    ensemble: Annotated[str, typer.Argument(metavar="USER/REPO[@REVISION]", help="Which ensemble decides.")],
) -> None:
    """Write a Hugging Face Space that pulls an ensemble from the Hub, ready to be pushed."""
    from leukovision.publishing import publish

    with _said():
        _import_keras()
        repo, _, revision = ensemble.partition("@")
        for name in publish.space(out, repo, revision or None):
            console.print(str(out / name), highlight=False, soft_wrap=True)


def _judge_with_ray(
    files: list[File],
    ensemble: str | None,
    out: Path,
    address: str,
    workers: int | None,
    views: int | None,
    tables: dict[str, Path],
) -> tuple[list[Row], str, SlideSpec | None]:
    """The rows, who decided, and how slides vary."""
    from leukovision import batch, many, store
    from leukovision.ensemble import Source

    found = _find(ensemble)
    with _progress("cells") as advance:
        many.judge(found, files, out, address, workers, views, advance)
    rows = list(many.rows(files, out))
    for kind, path in tables.items():
        store.write_whole(path, batch.TABLES[kind](rows))
    manifest = store.read_manifest(found.folder)
    return rows, str(Source(manifest.name, manifest.version, found.origin)), manifest.slide


@contextmanager
def _stopping(files: int, source: str) -> Iterator[None]:
    """Ctrl-C and SIGTERM end a run with a sentence; rows that are kept nowhere are shown."""
    from leukovision.run import StoppedError

    status = 130

    def stop(*_: object) -> None:
        nonlocal status
        status = 143
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except StoppedError as stopped:
        if not stopped.kept:
            _summary(stopped.rows, stopped.done, source, Counter(), shown=True)
        on = f" {stopped.kept} has their rows; the same command goes on from there." if stopped.kept else ""
        _note(f"stopped after {stopped.done} of {files} files.{on}")
        raise typer.Exit(status) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _of_split(names: str, split: str) -> str:
    """What was chosen, as results record it."""
    return f"{split}:{names}" if names and split != "folds" else names


def _find(source: str | Path | None) -> Any:
    from leukovision.hub import find

    found = find(source)  # with the bars of the Hub's own client, before ours
    if found.note:
        _note(found.note)
    return found


def _note(sentence: str) -> None:
    console.print(f"[yellow]note:[/yellow] {_plain(sentence)}", highlight=False, soft_wrap=True)


def _load(source: str | Path | None) -> Any:
    from leukovision.ensemble import load_ensemble

    found = _find(source)
    _import_keras()
    with console.status("loading the ensemble"):
        return load_ensemble(found)


def _import_keras() -> None:
    """Import Keras with its back end, without the notes that TensorFlow writes to the terminal itself
    while it is imported, before any of its switches work."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        host.settle()
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def _said() -> Iterator[None]:
    """Errors that a person can act on become one sentence and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        said = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename:
            said = f"{error.filename}: {error.strerror}."
        console.print(f"[red]error:[/red] {_plain(said)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _plain(text: str) -> str:
    """Text of others, for the terminal: no markup, and nothing that a terminal would obey."""
    seen = "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)
    return seen.replace("[", "\\[")


@contextmanager
def _progress(unit: str) -> Iterator[Any]:
    """A progress bar; what it yields is called with (done, of, remark)."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(unit, total=None, speed="")

        def advance(done: int, of: int, remark: str = unit) -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(
                task,
                completed=done,
                total=of,
                description=_plain(remark),
                speed=f"{speed:.1f} {unit}/s" if speed else "",
            )

        yield advance


def _free(path: Path, taken: set[str]) -> str:
    """The file's name, or another one where a photo of the same name, or of another folder, took it."""
    name, place = path.name, 2
    while name in taken:
        name, place = f"{path.stem} ({place}).png", place + 1
    return name


def _summary(rows: list[Row], files: int, source: str, left: Counter[str], shown: bool) -> None:
    """Counts, every error, what was left out, and the table itself when it is written nowhere else."""
    from leukovision.batch import counts

    if shown:
        table = Table("file", "decision", "p(ALL)", *(b.title for b in BACKBONES.values()), "reason")
        for row in rows:
            cells = [row.p_all, *(getattr(row, f"p_all_{name}") for name in BACKBONES)]
            table.add_row(
                _plain(row.file),
                row.decision or "error",
                *("" if p is None else f"{p:.3f}" for p in cells),
                _plain("; ".join(filter(None, (row.error or row.reason, row.marks)))),
            )
        Console().print(table)
    for row in rows:
        if row.error and not shown:
            console.print(_plain(row.error), highlight=False, soft_wrap=True)
    found = ", ".join(f"{count} {kind}" for kind, count in counts(rows).items() if count)
    of = f"{files} files" if len(rows) == files else f"{len(rows)} rows of {files} files"
    console.print(f"{of}: {found}. Decided by {_plain(source)}.", highlight=False)
    _show_left(left)


def _show_left(left: Counter[str]) -> None:
    """How many files in folders and zip files were left out, and why: each is counted."""
    if left:
        why = ", ".join(f"{count} {kind}" for kind, count in sorted(left.items()))
        console.print(f"{left.total()} left out: {_plain(why)}.", highlight=False, soft_wrap=True)


def _show_slides(found: dict[str, SlideDecision]) -> None:
    table = Table("slide", "decision", "p(ALL)", "95 %", "cells", "of which in domain", "reason")
    for name, one in found.items():
        shown = (f"{one.p_all:.3f}", f"{one.low:.3f}-{one.high:.3f}") if one.p_all >= 0 else ("", "")
        table.add_row(
            _plain(name), one.decision, *shown, str(one.cells), str(one.carried_by), _plain(one.reason)
        )
    Console().print(table)


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
    subjects = Table("subject", "class", "cells", "accuracy", "mean p(ALL)", "called by mean logit")
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


def _show_audit(found: Any) -> None:
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
    rows |= {f"{kind} subjects (cells)": people(kind) for kind in ("ALL", "healthy")}

    out = Console()
    table = Table("", "how many", "which", title=f"{found.files} files")
    for kind, (count, names) in rows.items():
        table.add_row(kind, str(count), _plain(few(names, 3)))
    out.print(table)
    if not found.split:
        return
    sides = Table("side", *next(iter(found.split.sides.values()), ()))
    for side, counts in found.split.sides.items():
        sides.add_row(_plain(side) or "(no part)", *map(str, counts.values()))
    out.print(sides)
    if found.split.leak:
        console.print(f"[red]{_plain(found.split.leak)}[/red]", highlight=False, soft_wrap=True)
        return
    out.print("The split does not leak: no subject is on more than one side.", highlight=False)
    if found.split.twins:
        out.print(
            f"Images on more than one side under several names: {len(found.split.twins)}. "
            "They are left out of training.",
            highlight=False,
            soft_wrap=True,
        )
