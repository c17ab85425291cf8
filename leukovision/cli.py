"""The command line: `leukovision demo | analyse | train | evaluate | calibrate`.

Exit status: 0 done; 1 done, but some file could not be read; 2 nothing done, and a sentence why.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from leukovision.backbones import BACKBONES
from leukovision.cell import SUFFIXES, Cell, CellError, read_cell

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Is a white blood cell an ALL blast? For research and teaching; not a medical device.",
)
console = Console(stderr=True)

COLUMNS = (
    "file", "decision", "p_all", *(f"p_all_{name}" for name in BACKBONES), "in_domain", "reason", "error",
)  # fmt: skip
"""Columns of the table that `analyse` writes; their order does not change."""

EnsembleOption = Annotated[
    Path | None,
    typer.Option(
        "--ensemble", help="An ensemble's folder; by default LEUKOVISION_ENSEMBLE, or the embedded one."
    ),
]


@app.command()
def demo(
    ensemble: EnsembleOption = None,
    examples: Annotated[Path | None, typer.Option(help="Folder of example pictures.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Make a public link.")] = False,
    port: Annotated[int | None, typer.Option(help="Port; the next free one from 7860 by default.")] = None,
) -> None:
    """Open the page."""
    from leukovision.demo.build import serve

    with _said():
        serve(ensemble=ensemble, examples=examples, share=share, port=port)


@app.command()
def analyse(
    paths: Annotated[list[Path], typer.Argument(help="Pictures of one cell each, or folders of them.")],
    ensemble: EnsembleOption = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the table here.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the same as JSON here.")] = None,
    maps: Annotated[Path | None, typer.Option(help="Folder for the four maps of each cell.")] = None,
    views: Annotated[int | None, typer.Option(help="1, or 8 to average 8 ways to turn a cell.")] = None,
) -> None:
    """Decide on cells: a row each, also for a file that cannot be read."""
    from leukovision.ensemble import BATCH

    with _said():
        files = list(_files(paths))
        loaded = _load(ensemble)
        if views not in (None, 1, 8):
            raise ValueError(f"--views can be 1 or 8, not {views}.")
        for path in (csv_file, json_file):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with _progress("cells") as advance:
        for read in _read_ahead(files, BATCH):
            cells = [cell for _, cell in read if isinstance(cell, Cell)]
            analyses = iter(loaded.analyse(cells, views))
            for path, cell in read:
                analysis = next(analyses) if isinstance(cell, Cell) else None
                rows.append(_row(path, analysis, cell))
                if analysis and maps:
                    _write_maps(analysis, path, maps, len(rows))
            advance(len(rows), len(files))
    _write_rows(rows, csv_file, json_file)
    _summary(rows, str(loaded.source), shown=not csv_file and not json_file)
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout: fold_*/all|hem/*.bmp.")],
    out: Annotated[Path, typer.Option(help="Folder for the ensemble.")],
    preset: Annotated[str, typer.Option(help="compact or full.")] = "compact",
    backbone: Annotated[list[str] | None, typer.Option(help="Only these; all three by default.")] = None,
    hold_out: Annotated[
        str, typer.Option(help="Folds, subjects or groups of a CSV: fold_1,H16,groups.csv:1")
    ] = "",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs, twice as many for a random start; by default the recipe's."),
    ] = None,
    cells: Annotated[int | None, typer.Option(min=1, help="Cells an epoch; by default the recipe's.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Cells a step; by default the recipe's.")] = None,
    size: Annotated[int | None, typer.Option(min=75, help="Side of the input, px.")] = None,
    rate: Annotated[float | None, typer.Option(help="Peak of the learning rate.")] = None,
    seed: Annotated[int, typer.Option(help="Of all randomness.")] = 1,
    backbone_weights: Annotated[
        str, typer.Option(help="imagenet (download), none, or a folder of *.weights.h5 files.")
    ] = "imagenet",
    name: Annotated[str | None, typer.Option(help="The ensemble's name; by default the folder's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an earlier run in OUT.")] = False,
) -> None:
    """Train an ensemble."""
    from leukovision.training import dataset
    from leukovision.training.fit import Recipe, fit

    _import_keras()
    with _said(), _progress("steps") as advance:
        images, _ = dataset.split(dataset.read_images(data), hold_out)
        recipe = Recipe.of(preset, seed=seed, epochs=epochs, cells=cells, batch=batch, rate=rate, size=size)
        manifest = fit(
            images,
            out,
            recipe,
            backbone or list(BACKBONES),
            weights=None if backbone_weights == "none" else backbone_weights,
            resume=resume,
            held_out=hold_out,
            name=name,
            progress=lambda what, done, of, remark: advance(done, of, f"{what} {remark}"),
        )
    console.print(f"{manifest.name}: {len(manifest.members)} members in {out}", highlight=False)


@app.command()
def evaluate(
    ensemble: Annotated[Path, typer.Argument(help="An ensemble's folder.")],
    data: Annotated[Path, typer.Argument(help="Folder in the C-NMC layout.")],
    out: Annotated[Path, typer.Option(help="Folder for figures.json, *.csv.")],
    only: Annotated[
        str, typer.Option(help="Folds, subjects or groups of a CSV: fold_1,H16,groups.csv:1")
    ] = "",
    views: Annotated[int | None, typer.Option(help="1, or 8 to average 8 ways to turn a cell.")] = None,
) -> None:
    """Measure each member and the ensemble on labelled cells."""
    from leukovision.training import dataset, evaluate

    with _said():
        loaded = _load(ensemble)
        images = dataset.read_images(data)
        if only:
            mask = dataset.chosen(images, only)
            images = [image for image, wanted in zip(images, mask, strict=True) if wanted]
        with _progress("cells") as advance:
            scores = evaluate.score(loaded, images, views, lambda done: advance(done, len(images)))
        about: dict[str, object] = {"ensemble": str(loaded.source), "only": Path(only).name, "views": views}
        content = evaluate.write(scores, loaded.manifest.thresholds.decide, out, about)
    _show_figures(content)


@app.command()
def calibrate(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder; its manifest is rewritten.")],
    cells: Annotated[
        Path, typer.Argument(help="cells.csv of `evaluate`, for the same recipe on subjects held out of it.")
    ],
    accuracy: Annotated[
        float, typer.Option(min=0.5, max=1, help="What decided cells shall reach; the others are unsure.")
    ] = 0.9,
) -> None:
    """Set temperatures, bias and the band of "unsure" from held-out subjects."""
    from leukovision import store
    from leukovision.training.calibrate import calibrate, read_held_out

    with _said():
        manifest = calibrate(store.read_manifest(ensemble), read_held_out(cells), accuracy)
        store.write_manifest(ensemble, manifest)
    low, high = manifest.thresholds.abstain
    reached = manifest.figures["calibration"]
    console.print(
        f"unsure between {low} and {high}: {reached['coverage']:.1%} decided, "
        f"{reached['accuracy']:.1%} of them right (each class and subject weighed evenly)",
        highlight=False,
    )


def _load(source: Path | None) -> Any:
    from leukovision.ensemble import load_ensemble

    _import_keras()
    with console.status("loading the ensemble"):
        return load_ensemble(source)


def _import_keras() -> None:
    """Import Keras with its back end, without the notes that TensorFlow writes to the terminal itself
    while it is imported, before any of its switches work."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def _said() -> Iterator[None]:
    """Errors that a person can act on become one sentence and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        console.print(f"[red]error:[/red] {_plain(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


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


def _files(paths: list[Path]) -> Iterator[Path]:
    """Files as they are given, folders as the pictures in them, at any depth.

    Raises:
        FileNotFoundError: there is no such file or folder, or nothing in it.
    """
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise FileNotFoundError(f"{path}: no pictures in this folder ({', '.join(SUFFIXES)}).")
            yield from found
        elif path.exists():
            yield path
        else:
            raise FileNotFoundError(f"{path}: there is no such file or folder.")


def _read_ahead(files: list[Path], size: int) -> Iterator[list[tuple[Path, Cell | CellError]]]:
    """Batches of files with the cell, or the reason why there is none, of each."""

    def read(path: Path) -> tuple[Path, Cell | CellError]:
        try:
            return path, read_cell(path)
        except CellError as error:
            return path, error
        except OSError as error:
            return path, CellError(f"{path}: cannot be read ({error.strerror}).")

    batches = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(2) as pool:
        # One batch is read while the networks work on the one before; more would only fill memory.
        ahead: Iterator[tuple[Path, Cell | CellError]] = iter(())
        for batch in [*batches, []]:
            ready, ahead = ahead, pool.map(read, batch)
            if found := list(ready):
                yield found


def _row(path: Path, analysis: Any, cell: Cell | CellError) -> dict[str, Any]:
    """A row of the table; probabilities to four digits."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row["file"] = str(path)
    if analysis is None:
        row["error"] = str(cell)
        return row
    row |= {
        "decision": analysis.decision,
        "p_all": round(analysis.p_all, 4),
        "in_domain": analysis.in_domain,
        "reason": analysis.reason,
    }
    row |= {f"p_all_{name}": round(member.p_all, 4) for name, member in analysis.members.items()}
    return row


def _write_maps(analysis: Any, path: Path, folder: Path, number: int) -> None:
    """The combined map and each member's as PNG: the number keeps files of one name apart."""
    from leukovision.demo.render import overlays

    folder.mkdir(parents=True, exist_ok=True)
    for name, image in overlays(analysis).items():
        image.save(folder / f"{number:05d}_{path.stem}_{name}.png")


def _write_rows(rows: list[dict[str, Any]], csv_file: Path | None, json_file: Path | None) -> None:
    if csv_file:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    if json_file:
        json_file.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _summary(rows: list[dict[str, Any]], source: str, shown: bool) -> None:
    """Counts, every error, and the table itself when it is written nowhere else."""
    if shown:
        table = Table("file", "decision", "p(ALL)", *(b.title for b in BACKBONES.values()), "reason")
        for row in rows:
            cells = [row["p_all"], *(row[f"p_all_{name}"] for name in BACKBONES)]
            table.add_row(
                _plain(row["file"]),
                row["decision"] or "error",
                *("" if p is None else f"{p:.3f}" for p in cells),
                _plain(row["error"] or row["reason"]),
            )
        Console().print(table)
    for row in rows:
        if row["error"] and not shown:
            console.print(_plain(row["error"]), highlight=False, soft_wrap=True)
    kinds = [row["decision"] or "could not be read" for row in rows]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(sorted(kinds)))
    console.print(f"{len(rows)} files: {counts}. Decided by {_plain(source)}.", highlight=False)


def _show_figures(content: dict[str, Any]) -> None:
    from leukovision.training.evaluate import COLUMNS as FIGURES

    out = Console()
    table = Table(
        "", *(name.replace("_", " ") for name in FIGURES), "auc by subject", title=f"{content['cells']} cells"
    )
    for name, row in content["figures"].items():
        title = BACKBONES[name].title if name in BACKBONES else name
        auc = content["auc_by_subject"].get(name)
        table.add_row(
            title, *(f"{row[figure]:.3f}" for figure in FIGURES), "" if auc is None else f"{auc:.3f}"
        )
    out.print(table)
    subjects = Table("subject", "class", "cells", "accuracy", "mean p(ALL)")
    for row in content["subjects"]:
        subjects.add_row(
            row["subject"], row["class"], str(row["cells"]),
            f"{row['accuracy']:.2f}", f"{row['mean_p_all']:.2f}",
        )  # fmt: skip
    out.print(subjects)
    decided = content["decided"]
    if decided["accuracy"] is not None:
        out.print(f"decided: {decided['coverage']:.1%} of cells, {decided['accuracy']:.1%} of them right")
