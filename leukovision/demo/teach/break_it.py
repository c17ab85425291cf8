"""The part *Break it*: a cell is turned, stained, saved again, covered, and the decision follows, change by
change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision.artifact import StoreError
from leukovision.cell import Cell, CellError
from leukovision.demo import render, visitor
from leukovision.demo.perturbation import AS_IT_IS, Perturbation, perturbed
from leukovision.demo.smallest_change import Slider, smallest
from leukovision.demo.static import script
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.ensemble import Analysis, Ensemble
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import Question

_PIECES = macros("lesson")

SLIDERS: dict[str, Slider] = {
    "turn": (-180, 180, 0, 1),
    "brightness": (0.4, 1.8, 1, 0.02),
    "blur": (0, 8, 0, 0.25),
    "stain": (-1, 1, 0, 0.05),
    "noise": (0, 40, 0, 1),
    "quality": (5, AS_IT_IS, AS_IT_IS, 1),
}
"""By the attribute of `Perturbation`."""

NAMES = (*SLIDERS, "corner")
"""What the controls change, in their order."""


def part(
    get_ensemble: Callable[[], Ensemble], cells: list[Cell], live: dict[str, Any], question: Question
) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""

    def broken(
        place: int, steps: lesson.Steps, points: lesson.Points, *values: Any, what: str = ""
    ) -> tuple[Markup, Markup, lesson.Steps]:
        changes = Perturbation(**dict(zip(NAMES, values, strict=True)), covered=points)
        return lesson.traced(get_ensemble, cells[place], changes, steps, f"teach.step.{what}")

    def covering(
        event: gr.EventData, place: int, steps: lesson.Steps, points: lesson.Points, *values: Any
    ) -> Any:
        # Only numbers are taken from the browser, and not without end.
        new = [(float(x), float(y)) for x, y in list(event.points)[:200]]
        points = (*points, *new)[-600:]
        return *broken(place, steps, points, *values, what="cover"), points

    def turning(name: str, place: int, steps: lesson.Steps, points: lesson.Points, *values: Any) -> Any:
        changes = Perturbation(**dict(zip(NAMES, values, strict=True)), covered=points)
        try:
            told, changes = turned_html(get_ensemble(), cells[place], changes, name, visitor.texts())
        except (CellError, StoreError):
            told = Markup("")  # why is said below
        canvas, page, steps = lesson.traced(get_ensemble, cells[place], changes, steps, f"teach.step.{name}")
        return canvas, told + page, steps, *(getattr(changes, one) for one in NAMES)

    def fresh(place: int, _: lesson.Steps, __: lesson.Points, *___: Any) -> Any:
        found = lesson.traced(get_ensemble, cells[place], Perturbation(), (), "teach.step.start")
        return *found, (), *(getattr(Perturbation(), one) for one in NAMES)

    def other(place: int, *rest: Any) -> Any:
        place = (place + 1) % len(cells)
        return place, *fresh(place, *rest)

    with lesson.column("break", question), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            canvas = lesson.html("canvas", partial(lesson.canvas_html, cells[0]), script("brush"))
            controls = _controls()
            with gr.Row():
                undo = gr.Button(visitor.label("teach.undo"), size="sm", elem_id="lv-undo")
                more = gr.Button(visitor.label("teach.another"), size="sm")
            which = gr.Radio(
                [(visitor.label(f"teach.{name}"), name) for name in SLIDERS], value="quality",
                label=visitor.label("teach.smallest"), elem_id="lv-which",
            )  # fmt: skip
            find = gr.Button(visitor.label("teach.find"), size="sm", elem_id="lv-find")
        with gr.Column(scale=2, min_width=300):
            output = lesson.html("break-out")
    place, steps, points = gr.State(0), gr.State((), time_to_live=7200), gr.State((), time_to_live=7200)
    inputs = [place, steps, points, *controls]
    outputs = [canvas, output, steps]
    for name, control in zip(NAMES, controls, strict=True):
        control.input(lambda *now, name=name: broken(*now, what=name), inputs=inputs, outputs=outputs, **live)
    canvas.select(covering, inputs=inputs, outputs=[*outputs, points], **live)
    find.click(turning, inputs=[which, *inputs], outputs=[*outputs, *controls], **live)
    undo.click(fresh, inputs=inputs, outputs=[*outputs, points, *controls], **live)
    more.click(other, inputs=inputs, outputs=[place, *outputs, points, *controls], **live)
    return fresh, inputs, [*outputs, points, *controls]


def _controls() -> list[Any]:
    """In the order of `NAMES`."""
    sliders: list[Any] = [
        gr.Slider(least, most, none, step=step, label=visitor.label(f"teach.{name}"), elem_id=f"lv-{name}")
        for name, (least, most, none, step) in SLIDERS.items()
    ]
    return [*sliders, gr.Checkbox(label=visitor.label("teach.corner"), elem_id="lv-corner")]


def turned_html(
    ensemble: Ensemble, cell: Cell, changes: Perturbation, name: str, texts: Texts = ENGLISH
) -> tuple[Markup, Perturbation]:
    """The smallest change by one of `SLIDERS` that turns the decision, with all others as they stand: in a
    sentence, and the changes with it.

    Raises:
        CellError: nothing of the cell is left.
    """

    def at(value: float) -> Perturbation:
        of: dict[str, Any] = {name: value}
        return replace(changes, **of)

    def look(values: Sequence[float]) -> list[Analysis]:
        return ensemble.analyse([perturbed(cell, at(value)) for value in values])

    texts = texts.about(ensemble.question)
    found, decide = smallest(look, SLIDERS[name]), ensemble.manifest.thresholds.decide
    words = {
        "name": texts(f"teach.{name}"), "looks": found.looks,
        "before": render.headline(found.before, decide, texts)[0],
    }  # fmt: skip
    if found.after:
        after = render.headline(found.after, decide, texts)[0]
        said = texts("teach.turned", value=found.value, after=after, **words)
    else:
        said = texts("teach.not_turned", **words)
    return _PIECES.told(said), at(found.value)
