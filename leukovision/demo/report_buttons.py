"""What stands on a visitor's page comes in; buttons that keep it go out: a report, or FHIR."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision import batch, report
from leukovision.artifact import StoreError
from leukovision.demo import visitor
from leukovision.demo.static import script
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.i18n import ENGLISH, Texts
from leukovision.report import fhir

_PIECES = macros("report_buttons")

KINDS = {
    "pdf": "application/pdf",
    "png": "image/png",
    "json": "application/json",
    "fhir": "application/fhir+json",
}
"""What a result can be kept as; of FHIR the file ends in .fhir.json."""


def offered() -> list[str]:
    """Those of `KINDS` that can be made here: FHIR needs an extra."""
    return [kind for kind in KINDS if kind != "fhir" or fhir.is_installed()]


def buttons(get_ensemble: Callable[[], Ensemble], shown: gr.State, queued: dict[str, Any]) -> None:
    """Put the buttons into the Blocks that are open.

    The report is handed to the browser in the answer itself: no file of it is left on the server.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        shown: holds an `analyse.Shown`, or None.
        queued: how the events of the tab are queued.
    """

    def keep(event: gr.EventData, now: Any) -> str:
        texts, kind = visitor.texts(), event.kind
        if now is None or kind not in offered():
            return json.dumps({"said": texts("report.gone"), "number": event.number})
        try:
            made = _made(get_ensemble(), now, kind, texts)
        except (OSError, RuntimeError, StoreError) as error:
            visitor.log("a report could not be made", error)
            return json.dumps({"said": texts("batch.inside"), "number": event.number})
        return json.dumps({
            "name": f"{PurePath(report.base_name(now.name)).stem}.{kind}{'.json' * (kind == 'fhir')}",
            "type": KINDS[kind],
            "content": base64.b64encode(made).decode(),
            "number": event.number,
        })  # fmt: skip

    pressed = gr.HTML(
        visitor.start(buttons_html),
        js_on_load=script("report_buttons"),
        apply_default_css=False,
        elem_id="lv-keep",
    )
    made = gr.HTML(
        html_template="<i></i>",
        js_on_load=script("save_report"),
        apply_default_css=False,
        elem_id="lv-made",
        visible="hidden",
    )
    pressed.select(keep, inputs=shown, outputs=made, **queued)


def _made(ensemble: Ensemble, now: Any, kind: str, texts: Texts) -> bytes:
    """What is shown, as a file."""
    whole = report.of_cell(ensemble, now.analysis, now.picture, now.name, texts=texts, measured=now.traits)
    if kind != "fhir":
        return whole.made(kind)
    row = batch.row(now.name, now.analysis, now.traits)
    if now.photo:
        outline = now.photo.outlines[now.photo.chosen]
        row = row.model_copy(update=batch.on_photo(outline.box, outline.marks))
    return fhir.bundle(whole, ensemble, [row], texts=texts)


def buttons_html(texts: Texts = ENGLISH) -> Markup:
    """The buttons; the style sheet shows them where there is a result."""
    return _PIECES.buttons(texts, offered())
