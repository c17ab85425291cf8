"""The part on shortcuts: how far one number, as the size of a cell, gets, and for whom it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from leukovision.cell import Cell
from leukovision.demo import charts, render, scores, visitor
from leukovision.demo.perturbation import Perturbation
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import Question

_PIECES = macros("lesson")


def part(
    get_ensemble: Callable[[], Ensemble],
    cells: list[Cell],
    get_scores: Callable[[], scores.Scores | None],
    live: dict[str, Any],
    question: Question,
) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""

    def rule(ruler: str, cut: float) -> Markup:
        return ruler_html(get_scores(), ruler, cut, visitor.texts())

    def scaled(place: int, steps: lesson.Steps, size: float) -> tuple[Markup, lesson.Steps]:
        changes = Perturbation(size=size / 100)
        _, page, steps = lesson.traced(
            get_ensemble, cells[place], changes, steps, "teach.step.size", see=True
        )
        return page, steps

    def other(place: int, _: lesson.Steps, __: float) -> Any:
        place = (place + 1) % len(cells)
        return place, 100, *scaled(place, (), 100)

    with lesson.column("shortcut", question), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=280):
            ruler = gr.Radio(
                [(visitor.label(f"teach.ruler_{name}"), name) for name in scores.RULERS], value="area",
                label=visitor.label("teach.ruler"), elem_id="lv-ruler",
            )  # fmt: skip
            cut = gr.Slider(0, 100, 50, step=1, label=visitor.label("teach.cut"), elem_id="lv-cut")
            ruled = lesson.html("ruler-out")
        with gr.Column(scale=1, min_width=280):
            size = gr.Slider(70, 130, 100, step=1, label=visitor.label("teach.size"), elem_id="lv-size")
            more = gr.Button(visitor.label("teach.another"), size="sm")
            output = lesson.html("size-out")
    place, steps = gr.State(0), gr.State((), time_to_live=7200)
    light: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
    }
    for control in (ruler, cut):
        control.input(rule, inputs=[ruler, cut], outputs=ruled, **light)
    inputs = [place, steps, size]
    size.input(scaled, inputs=inputs, outputs=[output, steps], **live)
    more.click(other, inputs=inputs, outputs=[place, size, output, steps], **live)

    def opened(ruler: str, cut: float, *values: Any) -> Any:
        return rule(ruler, cut), *scaled(*values)

    return opened, [ruler, cut, *inputs], [ruled, output, steps]


def ruler_html(found: scores.Scores | None, ruler: str, cut: float, texts: Texts = ENGLISH) -> Markup:
    """How far one number gets, and for whom it fails.

    Args:
        found: out-of-fold scores.
        ruler: one of `scores.RULERS`.
        cut: percent of the cells that lie below the line.
        texts: of a language.
    """
    if found is None:
        return render.alert_html(texts("teach.no_scores"), "", texts)
    texts = texts.about(found.question)
    says = scores.called(found, ruler, float(np.percentile(found.values[ruler], cut)))
    line, own = scores.confusion(found, says), scores.auc(found, ruler)
    name = texts(f"teach.ruler_{ruler}")
    words = texts(
        "teach.ruler_says", ruler=name, auc=max(own, 1 - own), right=100 * line.sensitivity,
        rest=100 * line.specificity, ensemble=scores.auc(found, "p_all"),
    )  # fmt: skip
    up = texts("teach.ruler_up", ruler=name)
    chart = charts.subjects(scores.by_subject(found, says), up, texts)
    return _PIECES.ruled(words, chart, lesson.unseen(found, texts))
