"""What programs ask: named endpoints that take a picture and give JSON, by the way that the page goes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gradio as gr

from leukovision import batch, report
from leukovision.artifact import StoreError
from leukovision.cell import CellError
from leukovision.demo import batch_tab, decode_worker, fair_queue
from leukovision.demo.uploads import uploaded
from leukovision.ensemble import Analysis, Ensemble
from leukovision.explain import trait_ranges
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.explain.traits import traits
from leukovision.i18n import ENGLISH
from leukovision.inference import BATCH
from leukovision.question import OURS, Question
from leukovision.report import fhir

NO_PATH = "Send the picture itself, with gradio_client.handle_file."
NO_CELL = "Each cell is a picture, or has p_all, in_domain and decision, as /analyse says them."
MANY = "These are {count} pictures; send at most {most} at once, and of more what /analyse says of each."
SOME = "These are {count} pictures; send 1 to {most}."
MANY_CELLS = "There are more than {most} cells on these pictures, which a report cannot hold; send fewer."
NO_TIME = "made {made}: is no time; wanted is one in UTC, as 2026-01-01T12:00:00."

MOST = 100
"""Most pictures of one person that are judged in one request: what others wait for meanwhile."""

if TYPE_CHECKING:
    Method = str
else:
    Method = Literal[tuple(METHODS)]


def endpoints(get_ensemble: Callable[[], Ensemble], question: Question = OURS) -> None:
    """Put `/analyse`, `/slide`, `/fhir`, `/explain` and `/ensemble` into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        question: what is decided.
    """

    at_once = threading.BoundedSemaphore(BATCH)

    def analyse(picture: gr.FileData) -> dict[str, Any]:
        """Judge one picture of a white blood cell, cut out on black.

        Args:
            picture: a file of any kind that `read_cell` reads, up to 100 MB.

        Returns:
            decision (a class, or "unsure"), p_all (0 to 1, of the positive class), logit, members (by
            backbone: p_all, logit, and share, which sum to the logit), in_domain, reason (a sentence where it
            is unsure), ensemble, traits (by name: value, None where it cannot be measured; unit; why not;
            nearer, the class to whose training cells it is nearer, or "").
        """
        try:
            cell = decode_worker.cell(*_picture(picture), hasty=True)
            with at_once:
                ensemble = get_ensemble()
                said = as_json(ensemble.analyse([cell])[0])
                ranges = trait_ranges.of_ensemble(ensemble.found.folder)
                told = trait_ranges.told(traits(cell), ranges)
                return said | {"traits": {name: one.model_dump() for name, one in told.items()}}
        except (CellError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    def slide(cells: list[dict[str, Any]]) -> dict[str, Any]:
        """Decide on several cells of one person together.

        Args:
            cells: of each its picture, as for /analyse (100 at most; a photo stands for all its cells), or
                what /analyse said of it: p_all, in_domain and decision.

        Returns:
            decision (a class, or "unsure"), p_all (0 to 1, that these are cells of a person of the positive
            class; null where nothing can be said), low and high (between them it lies for 95 % of draws of
            as many cells), cells, carried_by (how many of them are in domain), counts (of the cells by
            their own decisions), reason (a sentence where it is unsure), ensemble.
        """
        try:
            ensemble = get_ensemble()
            if not isinstance(cells, list):
                raise ValueError(NO_CELL)
            if (count := sum(map(_is_picture, cells))) > MOST:
                raise ValueError(MANY.format(count=count, most=MOST))
            sent = [_picture(one) for one in cells if _is_picture(one)]
            rows = [_row(one, ensemble.question) for one in cells if not _is_picture(one)]
            for start in range(0, len(sent), BATCH):
                seen = [found.cell for one in sent[start : start + BATCH] for found in _cells(*one)]
                for first in range(0, len(seen), BATCH):
                    with at_once:
                        analyses = ensemble.analyse(seen[first : first + BATCH])
                    rows += [batch.row("", found) for found in analyses]
            found = batch.together(rows, ensemble.manifest.slide, ensemble.question)
        except (ValueError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None
        # JSON has no nan.
        return {key: None if value != value else value for key, value in asdict(found).items()} | {
            "ensemble": str(ensemble.source)
        }

    def as_fhir(
        pictures: list[dict[str, Any]], subject: str | None = None, made: str | None = None
    ) -> dict[str, Any]:
        """Say of the cells of one person what hospitals' systems read, as FHIR R4.

        Args:
            pictures: as for /analyse, or one of them (100 at most; a photo stands for all its cells).
            subject: reference to the person, as Patient/ID; left out where there is none.
            made: when, UTC, as 2026-01-01T12:00:00; now by default.

        Returns:
            The Bundle that `leukovision analyse --fhir` writes: a DiagnosticReport with the PDF in it,
            Observations, Device and Provenance.
        """
        subject = str(subject) if subject else None
        try:
            fhir.check(subject)
            when = _time(made)
            pictures = pictures if isinstance(pictures, list) else [pictures]
            if not 0 < len(pictures) <= MOST:
                raise ValueError(SOME.format(count=len(pictures), most=MOST))
            files = [batch.File(name, path.read_bytes) for path, name in map(_picture, pictures)]
            return _bundle(get_ensemble(), files, subject, when)
        except (ValueError, RuntimeError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    def explain_picture(
        picture: gr.FileData, method: Method = DEFAULT, target: str = question.positive
    ) -> dict[str, Any]:
        """Draw where on one picture of a cell the evidence lies.

        Args:
            picture: a file of any kind that `read_cell` reads, up to 100 MB.
            method: which map; adds_up is the decision itself, spread over the cell.
            target: a class: what speaks for it is above 0.

        Returns:
            method, title, paper, target, maps (by backbone: rows of numbers, as fine as the method has
            them), weights (by backbone: how much each counts in the combined map), ensemble.
        """
        try:
            ensemble = get_ensemble()
            numbers = ensemble.input.numbers(ensemble.input.picture(decode_worker.cell(*_picture(picture))))
            maps = explain(ensemble, numbers, method, target)
        except (ValueError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None
        return {
            "method": method,
            "title": METHODS[method].title,
            "paper": METHODS[method].paper,
            "target": target,
            "maps": {name: found.round(4).tolist() for name, found in maps.members.items()},
            "weights": {member.backbone: member.weight for member in ensemble.manifest.members},
            "ensemble": str(ensemble.source),
        }

    def ensemble() -> dict[str, Any]:
        """Which ensemble decides here.

        Returns:
            name, version, origin, note, question, classes (the one whose probability is p_all, and the
            other), members (backbone, cut, weight), thresholds, figures (by subject, with intervals),
            intended_use, limits.
        """
        try:
            loaded = get_ensemble()
        except StoreError as error:
            raise gr.Error(str(error), print_exception=False) from None
        manifest = loaded.manifest.model_dump(mode="json")
        members = [{key: one[key] for key in ("backbone", "cut", "weight")} for one in manifest["members"]]
        kept = ("name", "version", "thresholds", "figures", "intended_use", "limits")
        return {key: manifest[key] for key in kept} | {
            "origin": loaded.found.origin, "note": loaded.found.note, "members": members,
            "question": ENGLISH.about(loaded.question).words["question"], "classes": loaded.question.names,
        }  # fmt: skip

    explain_picture.__annotations__["target"] = Literal[question.names]
    gr.api(analyse, api_name="analyse", **fair_queue.SHARED_PASS)  # type: ignore[attr-defined]
    gr.api(slide, api_name="slide", **fair_queue.BULK)  # type: ignore[attr-defined]
    gr.api(as_fhir, api_name="fhir", **fair_queue.BULK)  # type: ignore[attr-defined]
    gr.api(explain_picture, api_name="explain", **fair_queue.SERIAL)  # type: ignore[attr-defined]
    gr.api(ensemble, api_name="ensemble")  # type: ignore[attr-defined]


def as_json(analysis: Analysis) -> dict[str, Any]:
    """An analysis without its pictures."""
    return {
        "decision": analysis.decision,
        "p_all": analysis.p_all,
        "logit": analysis.logit,
        "members": {
            name: {"p_all": member.p_all, "logit": member.logit, "share": member.share}
            for name, member in analysis.members.items()
        },
        "in_domain": analysis.in_domain,
        "reason": analysis.reason,
        "ensemble": str(analysis.ensemble),
    }


def _cells(source: decode_worker.Source, name: str) -> list[batch.FileCell]:
    """The cell that a picture shows, or those of a photo."""
    with decode_worker.picture(source, name) as rgb:
        return batch.cells_in(rgb, name)


def _bundle(
    ensemble: Ensemble, files: list[batch.File], subject: str | None, when: datetime | None
) -> dict[str, Any]:
    """What `leukovision analyse --fhir` writes of these files.

    Raises:
        ValueError: they have more cells than a report holds.
    """
    rows: list[batch.Row] = []
    thumbnails: list[bytes] = []
    last: batch.Prediction | None = None
    for last in batch.predictions(ensemble, files, read=lambda file: _cells(file.read, file.name)):
        rows.append(last.row)
        thumbnails.append(batch.thumbnail(last.cell) if last.cell else b"")
        if len(rows) > batch_tab.PRINTED:
            raise ValueError(MANY_CELLS.format(most=batch_tab.PRINTED))
    whole = report.of_judged(ensemble, rows, thumbnails, last if len(rows) == 1 else None, when)
    made: dict[str, Any] = json.loads(fhir.bundle(whole, ensemble, rows, subject))
    return made


def _time(given: str | None) -> datetime | None:
    try:
        return datetime.strptime(given, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) if given else None
    except (TypeError, ValueError):
        raise ValueError(NO_TIME.format(made=given)) from None


def _is_picture(given: Any) -> bool:
    return isinstance(given, dict) and "path" in given


def _row(given: dict[str, Any], question: Question) -> batch.Row:
    """What was said of a cell.

    Raises:
        ValueError: something of it is missing, or no such thing.
    """
    try:
        said = {key: given[key] for key in ("p_all", "in_domain", "decision") if given[key] is not None}
        row = batch.Row(file="", **said)
        batch.check([row], question)
    except (KeyError, TypeError, ValueError):
        raise ValueError(NO_CELL) from None
    if len(said) < 3:
        raise ValueError(NO_CELL)
    return row


def _picture(given: Any) -> tuple[Path, str]:
    """What was uploaded, and its name."""
    path = uploaded(given.get("path") if isinstance(given, dict) else getattr(given, "path", None))
    if path is None:
        raise gr.Error(NO_PATH, print_exception=False)
    return path, path.name
