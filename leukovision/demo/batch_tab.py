"""The tab for many cells: files or zip files come in; a table, a montage and files to keep go out.

The browser leads. It sends a few files at a time, shows what comes back, and is the only place that holds
results: with the page they are gone. Each handful is an event of its own in the queue that single cells wait
in, so that nobody waits for more than two handfuls of somebody else's batch; and a batch that was stopped
goes on where the browser left off.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from markupsafe import Markup
from pydantic import Field, TypeAdapter

from leukovision import batch, report
from leukovision.artifact import StoreError
from leukovision.cell import SUFFIXES, CellError
from leukovision.demo import analyse, decode_worker, fair_queue, uploads, visitor
from leukovision.demo.static import script
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.explain.sentences import together
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import OURS, UNSURE, Question
from leukovision.report import fhir

_PIECES = macros("batch_tab")

HANDFUL = 8
"""Files that are sent and judged together. A page has two handfuls under way: nobody waits for more of it."""

MINE = "lv-batch-"
"""How the browser names the files that it sends: they are deleted as soon as they were read."""

MAX_THUMBNAIL = 16_000
"""Longest thumbnail that a page may send back, base64: they are 1 to 2 kB."""

PRINTED = 5000
"""Most rows of a report as PDF: setting them takes 380 MB. Tables have no such bound."""

KINDS = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "fhir": "application/fhir+json",
}
"""What a batch can be kept as, by the ending of its file."""


def tab(get_ensemble: Callable[[], Ensemble], question: Question = OURS) -> None:
    """Put the tab into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        question: what is decided.
    """

    def batch_open(path: str, name: str) -> dict[str, Any]:
        """Names of the pictures in an uploaded zip file, or a sentence."""
        found = uploads.uploaded(path)
        if found is None:
            return {"lost": True}
        texts, left = visitor.texts(), Counter[str]()
        try:
            files = batch.unzip(found, analyse.base_name(name), lambda why: left.update([why]))
            return {"names": [file.name for file in files], "left": left_out(name, left, texts)}
        except (CellError, OSError) as error:
            return {"error": str(error), "said": texts.said(error)}

    def batch_cells(items: list[dict[str, Any]]) -> dict[str, Any]:
        """Judge a handful of uploaded files, and delete them: the rows of each."""
        texts = visitor.texts()
        try:
            ensemble = get_ensemble()
            files = list(_files(items[:HANDFUL]))
            decide = ensemble.manifest.thresholds.decide
            told: list[list[dict[str, Any]]] = [[]]
            for one in batch.predictions(ensemble, files, read=_read):
                told[-1].append(_told(one, decide, texts))
                told += [[]] if one.last else []
            return {"rows": told[:-1]}
        except _LostError:
            return {"lost": True}
        except StoreError as error:
            return {"error": texts("analyse.no_ensemble", why=texts.said(error))}
        except Exception as error:
            visitor.log("a part of a batch could not be judged", error)
            return {"error": texts("batch.inside")}
        finally:
            _forget(items)

    def batch_slides(rows: list[dict[str, Any]]) -> list[str]:
        """What the cells of each folder or zip file of the rows that a page holds say together."""
        try:
            ensemble = get_ensemble()
            found = batch.several(_ROWS.validate_python(rows), ensemble.manifest.slide, ensemble.question)
        except ValueError as error:
            visitor.log("cells could not be taken together", error)
            return []
        texts = visitor.texts().about(ensemble.question)
        return [together(one, name if len(found) > 1 else "", texts) for name, one in found.items()]

    def batch_file(kind: str, rows: list[dict[str, Any]], thumbnails: list[str]) -> dict[str, Any]:
        """The rows that a page holds, as a file to keep."""
        texts = visitor.texts()
        try:
            told = _ROWS.validate_python(rows)
            batch.check(told, question)
            if kind in batch.TABLES:
                content = batch.TABLES[kind](told)
            elif len(told) > PRINTED:
                return {"error": texts("batch.printed", count=len(told), most=PRINTED)}
            else:
                small = [base64.b64decode(one[:MAX_THUMBNAIL]) for one in thumbnails[: len(told)]]
                whole = report.of_batch(get_ensemble(), told, small, texts=texts)
                if kind == "fhir":
                    content = fhir.bundle(whole, get_ensemble(), told, texts=texts)
                else:
                    content = whole.made(kind)
        except (ValueError, OSError) as error:
            visitor.log("a batch could not be kept", error)
            return {"error": texts("batch.inside")}
        return {"type": KINDS.get(kind, ""), "content": base64.b64encode(content).decode()}

    gr.HTML(
        visitor.start(batch_html, question),
        js_on_load=script("batch", "batch_view"),
        apply_default_css=False,
        elem_id="lv-batch",
    )
    hidden: dict[str, Any] = {"api_visibility": "undocumented"}
    gr.api(batch_cells, api_name="batch_cells", **hidden, **fair_queue.BULK)  # type: ignore[attr-defined]
    gr.api(batch_open, api_name="batch_open", concurrency_limit=2, **hidden)  # type: ignore[attr-defined]
    gr.api(batch_slides, api_name="batch_slides", concurrency_limit=2, **hidden)  # type: ignore[attr-defined]
    gr.api(batch_file, api_name="batch_file", concurrency_limit=1, **hidden)  # type: ignore[attr-defined]


def left_out(name: str, left: Mapping[str, int], texts: Texts = ENGLISH) -> str:
    """What was left out of a zip file, counted by why, in a sentence; "" if nothing was."""
    if not left:
        return ""
    why = ", ".join(f"{count} {texts.said(kind)}" for kind, count in sorted(left.items()))
    return texts("batch.left", name=analyse.base_name(name), why=why)


def batch_html(texts: Texts = ENGLISH) -> Markup:
    """The tab before there are files; the browser fills it."""
    sides = {name: texts.question.side(name) for name in (*texts.question.names, UNSURE)}
    words = {
        key.removeprefix("batch."): texts.unfilled(key)
        for key in texts.entries
        if key.startswith(("batch.", "page.decimal"))
        and (key != "batch.downloads.fhir" or fhir.is_installed())
    } | {f"kind.{name}": texts.kind(name) for name in sides}
    return _PIECES.tab(
        texts,
        words=json.dumps(words, ensure_ascii=False),
        sides=json.dumps(sides),
        limit=batch.MAX_BYTES,
        handful=HANDFUL,
        mine=MINE,
        suffixes=",".join(SUFFIXES),
    )


@dataclass(frozen=True, kw_only=True)
class _Sent(batch.File):
    """A file that was sent as it is; `path` is where it lies."""

    path: Path


def _read(file: batch.File) -> list[batch.FileCell]:
    with decode_worker.picture(file.path if isinstance(file, _Sent) else file.read(), file.name) as rgb:
        return batch.cells_in(rgb, file.name)


class _LostError(Exception):
    """What was sent is not there any more, or never was."""


_ROWS = TypeAdapter(Annotated[list[batch.Row], Field(max_length=2 * batch.MAX_PICTURES)])


def _files(items: Sequence[dict[str, Any]]) -> Iterator[batch.File]:
    """What the browser sent: `path` of an upload, its `name`, and `place` for one of those in a zip file.

    Raises:
        _LostError: it is not there.
    """
    unzip = cache(batch.unzip)
    for item in items:
        path = uploads.uploaded(item.get("path"))
        if path is None:
            raise _LostError
        name = analyse.base_name(item.get("name"))
        if "place" not in item:
            yield _Sent(name, path.read_bytes, path=path)
            continue
        # A zip file is needed until its last picture was read: it counts as new as long as it is.
        path.touch()
        try:
            inside = unzip(path, name)
            yield inside[int(item["place"])]
        except (CellError, IndexError, ValueError) as error:
            yield batch.File(name, partial(batch.refuse, str(error)))


def _forget(items: Sequence[dict[str, Any]]) -> None:
    """Delete what was sent for this one handful."""
    for item in items:
        path = uploads.uploaded(item.get("path"))
        if path and path.name.startswith(MINE) and "place" not in item:
            with contextlib.suppress(OSError):
                path.unlink()
                path.parent.rmdir()


def _told(one: batch.Prediction, decide: float, texts: Texts) -> dict[str, Any]:
    """A row for the browser, with what to say of it in the visitor's language."""
    own, count = one.row.agreement(decide)
    thumbnail = base64.b64encode(batch.thumbnail(one.cell)).decode() if one.cell else ""
    lit = bool(one.cell and one.cell.on_black)
    marks = "; ".join(texts.said(mark) for mark in (one.row.marks or "").split(", ") if mark)
    said = f"{texts.said(one.row.error or one.row.reason or '')} {marks and f'({marks})'}".strip()
    return {
        "row": one.row.model_dump(), "said": said, "agree": [own, count], "thumbnail": thumbnail, "lit": lit
    }  # fmt: skip
