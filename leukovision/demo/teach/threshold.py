"""The part on thresholds: where the line is drawn, and whom that costs what."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
import numpy as np
from markupsafe import Markup

from leukovision.demo import charts, render, scores, visitor
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import Question

_PIECES = macros("lesson")


def part(get_scores: Callable[[], scores.Scores | None], question: Question) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""

    def drawn(line: float, prevalence: float) -> Markup:
        return line_html(get_scores(), line, prevalence, visitor.texts())

    with lesson.column("line", question), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            line = gr.Slider(
                0,
                1,
                0.5,
                step=0.01,
                elem_id="lv-threshold",
                label=visitor.start(lambda texts: texts("teach.threshold"), question),
            )
            sick = gr.Slider(
                0.1,
                90,
                50,
                step=0.1,
                label=visitor.start(lambda texts: texts("teach.prevalence"), question),
                elem_id="lv-prevalence",
            )
        with gr.Column(scale=2, min_width=300):
            output = lesson.html("line-out")
    for control in (line, sick):
        control.input(
            drawn, inputs=[line, sick], outputs=output,
            show_progress="hidden", api_visibility="private", trigger_mode="always_last",
        )  # fmt: skip
    return lambda *values: [drawn(*values)], [line, sick], [output]


def line_html(found: scores.Scores | None, line: float, prevalence: float, texts: Texts = ENGLISH) -> Markup:
    """What a threshold does.

    Args:
        found: out-of-fold scores.
        line: probability from which a cell is called positive.
        prevalence: percent of cells that are positive where this would be used.
        texts: of a language.
    """
    if found is None:
        return render.alert_html(texts("teach.no_scores"), "", texts)
    texts = texts.about(found.question)
    says = scores.called(found, "p_all", line)
    counts = scores.confusion(found, says)
    positive, negative = counts.predictive(prevalence / 100)
    figures = (
        (texts("teach.sensitivity"), counts.sensitivity),
        (texts("teach.specificity"), counts.specificity),
        (texts("teach.positive", prevalence=prevalence), positive),
        (texts("teach.negative", prevalence=prevalence), negative),
    )
    said = [
        (name, texts("teach.none_called") if np.isnan(value) else texts("teach.value", percent=100 * value))
        for name, value in figures
    ]
    chart = charts.subjects(scores.by_subject(found, says), texts("teach.line_up"), texts)
    return _PIECES.line(texts, said, counts, chart, lesson.unseen(found, texts))
