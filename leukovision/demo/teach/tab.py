"""The tab for lessons: up to seven parts in which a class finds out what the maps and figures are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision.artifact import StoreError
from leukovision.cell import Cell
from leukovision.demo import fair_queue, scores, visitor
from leukovision.demo.static import script
from leukovision.demo.teach import (
    break_it,
    class_round,
    draw_a_cell,
    guess_first,
    lesson,
    randomization_test,
    size_shortcut,
    threshold,
)  # fmt: skip
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import OURS, Question

_PIECES = macros("lesson")

PARTS = ("guess", "class", "break", "twin", "draw", "shortcut", "line")
"""Each has a title, and three sentences for the teacher: what to try, what to see, what to ask."""


def tab(
    get_ensemble: Callable[[], Ensemble], cells: list[Cell], are_drawn: bool, question: Question = OURS
) -> None:
    """Put the tab into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        cells: to play with.
        are_drawn: whether a program drew them.
        question: what is decided.
    """
    queued: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"} | fair_queue.SERIAL
    live, parts = queued | {"trigger_mode": "always_last"}, offered(cells, question)

    @cache
    def get_scores() -> scores.Scores | None:
        try:
            return scores.read(get_ensemble().found.folder)
        except StoreError:
            return None

    with gr.Column(elem_id="lv-teach"):
        nav = gr.HTML(
            visitor.start(partial(nav_html, parts=parts)),
            js_on_load=script("parts"),
            apply_default_css=False,
            elem_id="lv-parts",
        )
        make: dict[str, Callable[[], lesson.Opening | None]] = {
            "guess": lambda: guess_first.part(get_ensemble, cells, are_drawn, queued, question),
            "class": lambda: class_round.part(get_ensemble, cells, are_drawn, question),
            "break": lambda: break_it.part(get_ensemble, cells, live, question),
            "twin": lambda: randomization_test.part(get_ensemble, cells, queued, question),
            "draw": lambda: draw_a_cell.part(get_ensemble, live),
            "shortcut": lambda: size_shortcut.part(get_ensemble, cells, get_scores, live, question),
            "line": lambda: threshold.part(get_scores, question),
        }
        first = {key: opening for key in parts if (opening := make[key]())}
    # A part looks at its first cell when it is opened, not before.
    for key, (act, inputs, outputs) in first.items():

        def opened(event: gr.EventData, *values: Any, key: str = key, act: Any = act) -> Any:
            return act(*values) if event.part == key else gr.skip()

        nav.select(opened, inputs=inputs, outputs=outputs, **queued)


def offered(cells: list[Cell], question: Question) -> list[str]:
    """Those of `PARTS` that can be done: most play with cells, and what is drawn is a blast."""
    return [key for key in PARTS if key == "line" or (cells and (key != "draw" or question.is_ours))]


def nav_html(texts: Texts = ENGLISH, parts: Sequence[str] = PARTS) -> Markup:
    """Buttons, one for each part."""
    return _PIECES.nav(texts, parts)
