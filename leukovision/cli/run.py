"""Files come in; their rows, on disk as they are found, and of them tables, maps and a report go out."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from leukovision import artifact, batch, report
from leukovision.batch import journal, sources
from leukovision.ensemble import Analysis, Ensemble
from leukovision.explain.overlay import overlays
from leukovision.report import fhir

KEPT = ".part"
"""Ending of the file beside the first table that holds the rows until the table is written."""


@dataclass(frozen=True)
class Outputs:
    """Where to write.

    Attributes:
        tables: by kind, a key of `rows.TABLES`.
        report: a report; its ending says of which kind.
        maps: a folder for the maps of each cell.
        geojson: the cells of a photo, of one file alone.
        fhir: a FHIR Bundle on the cells of one person.
        subject: reference to that person, for it.
        made: when, for report and Bundle; now by default.
    """

    tables: dict[str, Path] = field(default_factory=dict)
    report: Path | None = None
    maps: Path | None = None
    geojson: Path | None = None
    fhir: Path | None = None
    subject: str | None = None
    made: datetime | None = None

    @property
    def files(self) -> dict[str, Path]:
        """By the option that names it."""
        named = {f"--{kind}": path for kind, path in self.tables.items()}
        others = {"--report": self.report, "--geojson": self.geojson, "--fhir": self.fhir}
        return named | {option: path for option, path in others.items() if path}

    @property
    def kept(self) -> Path | None:
        """Where the rows are kept until all is written; None where nothing is."""
        first = next((path for path in self.files.values() if path.is_file() or not path.exists()), None)
        if first:
            return first.with_name(first.name[:200] + KEPT)
        return self.maps / f"rows{KEPT}" if self.maps else None


class StoppedError(Exception):
    """The run was stopped by a signal after so many files; their `rows` are there, and `kept` holds them if
    it is not None."""

    def __init__(self, done: int, rows: list[batch.Row], kept: Path | None) -> None:
        super().__init__()
        self.done, self.rows, self.kept = done, rows, kept


def check(files: dict[str, Path], folders: dict[str, Path], inputs: Sequence[Path]) -> None:
    """Find out before the work what could not be written after it.

    Args:
        files: by the option that names it, as are
        folders: which are made if they are not there.
        inputs: what will be read.

    Raises:
        OSError: something cannot be written there; with a sentence.
        ValueError: two are one, or one is read too.
    """
    taken = {path.resolve(): str(path) for path in inputs}
    for option, path in files.items():
        if path.is_dir():
            raise IsADirectoryError(f"{option} {path}: is a folder; name a file in it.")
        if path.resolve() in taken:
            raise ValueError(f"{option} {path}: is {taken[path.resolve()]} too; name another file.")
        taken[path.resolve()] = option
        _try(option, path.parent, path)
    for option, path in folders.items():
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(f"{option} {path}: is a file; name a folder.")
        _try(option, path)


def _try(option: str, folder: Path, path: Path | None = None) -> None:
    shown = path or folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path and path.exists():
            # Where a spreadsheet has it open on Windows, this fails as replacing it would.
            with path.open("ab"):
                pass
            if not path.is_file():
                return
        aside = folder / f".{os.getpid()}.part"
        aside.touch()
        aside.unlink()
    except OSError as error:
        raise OSError(
            f"{option} {shown}: cannot be written ({error.strerror}); name another place."
        ) from None


def run(
    ensemble: Ensemble,
    files: Sequence[batch.File],
    outputs: Outputs,
    views: int | None = None,
    progress: Callable[[int, int], object] = lambda *_: None,
    telling: Callable[[str], object] = lambda _: None,
    read: Callable[[batch.File], list[batch.FileCell]] = batch.read,
) -> list[batch.Row]:
    """Judge files, and write what is wanted of them.

    The rows of each file are on disk as soon as they are found. What is written of all of them is there
    whole or not at all; what was there before stays until then. Who gives the same files, ensemble and
    outputs again after a kill or a full disk goes on from the rows that are there.

    Args:
        ensemble: which decides.
        files: from `batch.find`.
        outputs: as `check` has found them to be possible.
        views: as in `Ensemble.analyse`.
        progress: called with how many files are done, of how many.
        telling: told, in sentences, what of an earlier run there is.
        read: how the cells of a file are read.

    Raises:
        StoppedError: by Ctrl-C, or whatever raises KeyboardInterrupt.
        OSError: something cannot be written, with a sentence; rows that were found stay.
    """
    if not outputs.kept:
        return _judged(ensemble, files, outputs, views, progress, None, read)
    what = journal.job(ensemble.manifest, files, views)
    what |= {"maps": str(outputs.maps), "report": bool(outputs.report or outputs.fhir)}
    with journal.opened(outputs.kept, what) as kept:
        if kept.other:
            telling(f"{kept.path}: is of other files, or by another ensemble; begun anew.")
        if kept.found:
            telling(f"{kept.path}: has {len(kept.found)} of {len(files)} files; going on from there.")
        rows = _judged(ensemble, files, outputs, views, progress, kept, read)
        kept.forget()
    return rows


def _judged(
    ensemble: Ensemble,
    files: Sequence[batch.File],
    outputs: Outputs,
    views: int | None,
    progress: Callable[[int, int], object],
    kept: journal.Journal | None,
    read: Callable[[batch.File], list[batch.FileCell]],
) -> list[batch.Row]:
    rows: list[batch.Row] = []
    features: list[dict[str, Any]] = []
    thumbnails: list[bytes] = []
    last: batch.Prediction | None = None
    done = 0
    # A report on one cell, and GeoJSON, show more of it than a row has.
    alone = bool(outputs.report or outputs.geojson or outputs.fhir) and len(files) == 1
    if kept and not alone:
        try:
            cells = [cell for entry in kept.found for cell in entry["cells"]]
            rows = [batch.Row.model_validate(cell["row"]) for cell in cells]
            thumbnails = [base64.b64decode(cell["thumbnail"]) for cell in cells]
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{kept.path}: is damaged; delete it to begin anew.") from None
        done = len(kept.found)
    held: list[dict[str, object]] = []
    try:
        progress(done, len(files))
        for last in batch.predictions(ensemble, files[done:], views, read):
            if last.analysis and outputs.maps:
                _write_maps(last.analysis, last.row.file, outputs.maps, len(rows) + 1)
            small = batch.thumbnail(last.cell) if last.cell and (outputs.report or outputs.fhir) else b""
            rows.append(last.row)
            if outputs.geojson and last.contour is not None:
                marks, source = last.row.marks, ensemble.source
                features.append(batch.feature(last.contour, len(rows), marks, last.row, source))
            thumbnails.append(small)
            held.append({"row": last.row.model_dump(), "thumbnail": base64.b64encode(small).decode()})
            if last.last:
                if kept:
                    kept.add({"cells": held})
                done, held = done + 1, []
                progress(done, len(files))
        for kind, path in outputs.tables.items():
            artifact.write_whole(path, batch.TABLES[kind](rows))
        if outputs.geojson:
            artifact.write_whole(outputs.geojson, batch.collection(features))
        if outputs.report or outputs.fhir:
            _write_reports(outputs, ensemble, rows, thumbnails, last if alone and len(rows) == 1 else None)
    except KeyboardInterrupt:
        raise StoppedError(done, rows[: len(rows) - len(held)], kept.path if kept else None) from None
    return rows


def _write_maps(analysis: Analysis, name: str, folder: Path, number: int) -> None:
    """The combined map and each member's as PNG: the number keeps files of one name apart."""
    for kind, image in overlays(analysis).items():
        write_picture(folder / f"{number:05d}_{sources.stem(name)}_{kind}.png", image, sources.MAPS)


def write_picture(path: Path, image: Image.Image, kind: str) -> None:
    """Write a PNG, and that it is ours.

    Raises:
        OSError: it cannot be written; with a sentence.
    """
    content = io.BytesIO()
    image.save(content, "PNG")
    sources.note(path, kind)
    artifact.write_whole(path, content.getvalue())


def _write_reports(
    outputs: Outputs,
    ensemble: Ensemble,
    rows: Sequence[batch.Row],
    thumbnails: Sequence[bytes],
    last: batch.Prediction | None,
) -> None:
    path = outputs.report
    if path and not (last and last.analysis):
        report.check_name(path, len(rows))
    made = report.of_judged(ensemble, rows, thumbnails, last, outputs.made)
    if outputs.fhir:
        artifact.write_whole(outputs.fhir, fhir.bundle(made, ensemble, rows, outputs.subject))
    if path:
        kind = path.suffix.lower().removeprefix(".")
        if kind == "png":
            sources.note(path, sources.MAPS)
        artifact.write_whole(path, made.made(kind))
