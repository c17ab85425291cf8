"""`leukovision analyse`: pictures of cells become a row each."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from leukovision.backbones import BACKBONES
from leukovision.cli import loading
from leukovision.cli.options import EnsembleOption
from leukovision.cli.terminal import console, errors_as_sentences, note, plain, progress, show_left

if TYPE_CHECKING:
    from leukovision.artifact import SlideSpec
    from leukovision.batch import File, FileCell, Row
    from leukovision.ensemble import Source
    from leukovision.slide import SlideDecision

WIDE = 120
"""Characters of a terminal from which on the table says what each network does."""


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
    geojson: Annotated[
        Path | None,
        typer.Option(
            help="Write the cells of a photo here, as QuPath opens them over it; of one photo alone."
        ),
    ] = None,
    outlines: Annotated[
        Path | None,
        typer.Option(
            help="Cells as they were outlined elsewhere: GeoJSON, or a mask of labels as PNG or TIFF; of one "
            "photo alone."
        ),
    ] = None,
    fhir_file: Annotated[
        Path | None,
        typer.Option("--fhir", help="Write a FHIR R4 Bundle here: what is said of the cells of one person."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Reference to that person, for --fhir: Patient/ID. None is made up.")
    ] = None,
    made: Annotated[
        datetime | None,
        typer.Option(
            help="Time on --report and --fhir, UTC; now by default. With it, same input, same bytes."
        ),
    ] = None,
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
    from leukovision import batch
    from leukovision.cli import run
    from leukovision.report import check_name, fhir

    named = {"csv": csv_file, "json": json_file, "parquet": parquet_file}
    tables = {kind: path for kind, path in named.items() if path}
    left: Counter[str] = Counter()
    with errors_as_sentences():
        if views not in (None, 1, 8):
            raise ValueError(f"--views can be 1 or 8, not {views}.")
        if workers and not ray:
            raise ValueError("--workers are those of --ray; give --ray local, or the address of a cluster.")
        others = {
            "--report": report_file, "--maps": maps, "--geojson": geojson, "--outlines": outlines,
            "--fhir": fhir_file,
        }  # fmt: skip
        if ray and (not parquet_file or any(others.values())):
            raise ValueError(f"--ray wants --parquet FOLDER, and none of {', '.join(others)}.")
        if fhir_file or subject:
            fhir.check(subject)
        folders = {"--parquet": tables.pop("parquet")} if ray else {"--maps": maps} if maps else {}
        when = made.replace(tzinfo=UTC) if made else None
        outputs = run.Outputs(tables, report_file, maps, geojson, fhir_file, subject, when)
        files = batch.find(paths, lambda why: left.update([why]))
        if report_file:
            check_name(report_file, len(files))
        run.check(outputs.files, folders, [*paths, *([outlines] if outlines else [])])
        read: Callable[[File], list[FileCell]] = batch.read
        if geojson or outlines:
            files, read = _of_one_photo(files, outlines, geojson)
        if ray and parquet_file:
            rows, source, spec = _judge_with_ray(files, ensemble, parquet_file, ray, workers, views, tables)
        else:
            loaded = loading.load(ensemble)
            source, spec = loaded.source, loaded.manifest.slide
            with _stopping(len(files), source), progress("files") as advance:
                rows = run.run(loaded, files, outputs, views, advance, note, read)
    _summary(rows, len(files), source, left, shown=not (outputs.files or ray))
    if slide:
        _show_slides(batch.slides(rows, spec, source.question), source)
    if any(row.error for row in rows):
        raise typer.Exit(1)


def _of_one_photo(
    files: list[File], outlines: Path | None, geojson: Path | None
) -> tuple[list[File], Callable[[File], list[FileCell]]]:
    """The one photo, and how it is read: it is read here, so that its faults are said before the work."""
    from leukovision import batch
    from leukovision.batch import sources

    if len(files) != 1:
        raise ValueError(
            f"--geojson and --outlines are of one photo, not of {len(files)}; give one at a time."
        )
    (file,) = files
    seen = batch.outlined(file, outlines) if outlines else batch.read(file)
    if geojson and seen[0].contour is None:
        raise ValueError(
            f"{file.name}: is a cell on black; --geojson tells of places on a photo, so give one."
        )
    if outlines:  # a run with others is another run
        file = replace(file, stamp=f"{file.stamp} {outlines} {sources.stamp(outlines)}")
    return [file], lambda _: seen


def _judge_with_ray(
    files: list[File],
    ensemble: str | None,
    out: Path,
    address: str,
    workers: int | None,
    views: int | None,
    tables: dict[str, Path],
) -> tuple[list[Row], Source, SlideSpec | None]:
    """The rows, who decided, and how slides vary."""
    from leukovision import artifact, batch
    from leukovision.batch import ray_jobs
    from leukovision.ensemble import Source

    found = loading.find(ensemble)
    with progress("files") as advance:
        ray_jobs.judge(found, files, out, address, workers, views, advance)
    rows = list(ray_jobs.rows(files, out))
    for kind, path in tables.items():
        artifact.write_whole(path, batch.TABLES[kind](rows))
    manifest = artifact.read_manifest(found.folder)
    source = Source(manifest.name, manifest.version, found.origin, manifest.question)
    return rows, source, manifest.slide


@contextmanager
def _stopping(files: int, source: Source) -> Iterator[None]:
    """Ctrl-C and SIGTERM end a run with a sentence; rows that are kept nowhere are shown."""
    from leukovision.cli.run import StoppedError

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
        note(f"stopped after {stopped.done} of {files} files.{on}")
        raise typer.Exit(status) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(rows: list[Row], files: int, source: Source, left: Counter[str], shown: bool) -> None:
    """Counts, every error, what was left out, and the table itself when it is written nowhere else."""
    from leukovision.batch import counts

    if shown:
        terminal = Console()
        # In a narrow terminal there is no room for what each network says: names and reasons come first.
        networks = BACKBONES if terminal.width >= WIDE else {}
        p = f"p({source.question.positive})"
        titles = ("decision", p, *(BACKBONES[name].title for name in networks))
        table = Table(Column("file", overflow="fold"), *(Column(title, no_wrap=True) for title in titles))
        for row in rows:
            cells = [row.p_all, *(getattr(row, f"p_all_{name}") for name in networks)]
            why = " ".join(filter(None, (row.error or row.reason, row.marks and f"({row.marks})")))
            table.add_row(
                plain(row.file) + (f"\n[dim]{plain(why)}[/dim]" if why else ""),
                row.decision or "error",
                *("" if p is None else f"{p:.3f}" for p in cells),
            )
        terminal.print(table)
    for row in rows:
        if row.error and not shown:
            console.print(plain(row.error), highlight=False, soft_wrap=True)
    found = ", ".join(f"{count} {kind}" for kind, count in counts(rows, source.question).items() if count)
    of = f"{files} files" if len(rows) == files else f"{len(rows)} rows of {files} files"
    console.print(f"{of}: {found}. Decided by {plain(str(source))}.", highlight=False)
    show_left(left)


def _show_slides(found: dict[str, SlideDecision], source: Source) -> None:
    p = f"p({source.question.positive})"
    table = Table("slide", "decision", p, "95 %", "cells", "of which in domain", "reason")
    for name, one in found.items():
        shown = (f"{one.p_all:.3f}", f"{one.low:.3f}-{one.high:.3f}") if one.p_all >= 0 else ("", "")
        table.add_row(
            plain(name), one.decision, *shown, str(one.cells), str(one.carried_by), plain(one.reason)
        )
    Console().print(table)
