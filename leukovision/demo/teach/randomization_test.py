"""The part *Trained or shuffled*: maps of the networks beside those of networks that have lost what they
learnt."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from leukovision.artifact import StoreError
from leukovision.cell import Cell
from leukovision.demo import render, visitor
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.explain.faithfulness import alike, cell_of
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.explain.randomization import DEPTHS, twin
from leukovision.question import Question

_PIECES = macros("lesson")

QUICK = (DEFAULT, "gradcam", "layercam", "gradient")
"""Methods that a lesson does not have to wait for."""


def part(
    get_ensemble: Callable[[], Ensemble], cells: list[Cell], queued: dict[str, Any], question: Question
) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""

    @cache
    def of_depth(depth: str) -> Ensemble:
        return twin(get_ensemble(), depth)

    def compare(place: int, depth: str, method: str) -> Markup:
        texts = visitor.texts()
        try:
            ensemble, other = get_ensemble(), of_depth(depth)
        except StoreError as error:
            return render.alert_html(error, texts=texts)
        texts = texts.about(ensemble.question)
        picture = ensemble.input.picture(cells[place])
        numbers = ensemble.input.numbers(picture)
        p_own, p_other = (1 / (1 + np.exp(-one.logits(numbers[None])[0])) for one in (ensemble, other))
        target = ensemble.question.called(p_own >= 0.5)
        sign = ensemble.question.sign(target)
        own, its = (sign * explain(one, numbers, method, target).combined for one in (ensemble, other))
        fine = lesson.picture(ensemble, cells[place])
        trained = render.map_html(own, fine, texts("teach.trained"), texts)
        shuffled = render.map_html(its, fine, texts(f"teach.shuffled.{depth}"), texts)
        alike_words = texts("teach.alike", value=alike(own, its, cell_of(numbers)))
        return _PIECES.twins(
            method,
            depth,
            maps=trained + shuffled,
            legend=render.legend_html(texts),
            sentences=f"{alike_words} {texts('teach.twin_p', own=p_own, other=p_other)}",
        )

    def other_cell(place: int, depth: str, method: str) -> Any:
        place = (place + 1) % len(cells)
        return place, compare(place, depth, method)

    with lesson.column("twin", question), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            depth = gr.Radio(
                [(visitor.label(f"teach.depth.{key}"), key) for key in DEPTHS], value="head",
                label=visitor.label("teach.shuffle"), elem_id="lv-depth",
            )  # fmt: skip
            method = gr.Radio(
                [(visitor.said(METHODS[key].title), key) for key in QUICK],
                value=DEFAULT,
                label=visitor.label("teach.map"),
                elem_id="lv-map-by",
            )
            more = gr.Button(visitor.label("teach.another"), size="sm")
        with gr.Column(scale=2, min_width=300):
            output = lesson.html("twin-out")
    place = gr.State(0)
    inputs = [place, depth, method]
    for control in (depth, method):
        control.input(compare, inputs=inputs, outputs=[output], **queued)
    more.click(other_cell, inputs=inputs, outputs=[place, output], **queued)
    return compare, inputs, [output]
