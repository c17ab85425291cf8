"""The part *Break it*: a cell is turned, stained, saved again, covered, and the decision follows, change by
change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from leukovision.cell import Cell
from leukovision.demo import visitor
from leukovision.demo.changes import AS_IT_IS, Changes
from leukovision.demo.static import script
from leukovision.demo.teach import lesson
from leukovision.ensemble import Ensemble

SLIDERS: dict[str, tuple[float, float, float, float]] = {
    "turn": (-180, 180, 0, 1),
    "brightness": (0.4, 1.8, 1, 0.02),
    "blur": (0, 8, 0, 0.25),
    "stain": (-1, 1, 0, 0.05),
    "noise": (0, 40, 0, 1),
    "quality": (5, AS_IT_IS, AS_IT_IS, 1),
}
"""By the attribute of `Changes`: the least, the most, what changes nothing, and the step."""


def part(get_ensemble: Callable[[], Ensemble], cells: list[Cell], live: dict[str, Any]) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""

    def broken(
        place: int, steps: lesson.Steps, points: lesson.Points, *values: Any, what: str = ""
    ) -> tuple[str, str, lesson.Steps]:
        changes = Changes(**dict(zip(names, values, strict=True)), covered=points)
        return lesson.traced(get_ensemble, cells[place], changes, steps, f"teach.step.{what}")

    def covering(
        event: gr.EventData, place: int, steps: lesson.Steps, points: lesson.Points, *values: Any
    ) -> Any:
        # Only numbers are taken from the browser, and not without end.
        new = [(float(x), float(y)) for x, y in list(event.points)[:200]]
        points = (*points, *new)[-600:]
        return *broken(place, steps, points, *values, what="cover"), points

    def fresh(place: int, _: lesson.Steps, __: lesson.Points, *___: Any) -> Any:
        found = lesson.traced(get_ensemble, cells[place], Changes(), (), "teach.step.start")
        return *found, (), *defaults

    def other(place: int, *rest: Any) -> Any:
        place = (place + 1) % len(cells)
        return place, *fresh(place, *rest)

    names = (*SLIDERS, "corner")
    defaults = (*(none for _, _, none, _ in SLIDERS.values()), False)
    with lesson.column("break"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            canvas = lesson.html("canvas", partial(lesson.canvas_html, cells[0]), script("brush"))
            controls: list[Any] = [
                gr.Slider(
                    least, most, none, step=step, label=visitor.label(f"teach.{name}"), elem_id=f"lv-{name}"
                )
                for name, (least, most, none, step) in SLIDERS.items()
            ]
            controls += [gr.Checkbox(label=visitor.label("teach.corner"), elem_id="lv-corner")]
            with gr.Row():
                undo = gr.Button(visitor.label("teach.undo"), size="sm", elem_id="lv-undo")
                more = gr.Button(visitor.label("teach.another"), size="sm")
        with gr.Column(scale=2, min_width=300):
            output = lesson.html("break-out")
    place, steps, points = gr.State(0), gr.State((), time_to_live=7200), gr.State((), time_to_live=7200)
    inputs = [place, steps, points, *controls]
    outputs = [canvas, output, steps]
    for name, control in zip(names, controls, strict=True):
        control.input(lambda *now, name=name: broken(*now, what=name), inputs=inputs, outputs=outputs, **live)
    canvas.select(covering, inputs=inputs, outputs=[*outputs, points], **live)
    undo.click(fresh, inputs=inputs, outputs=[*outputs, points, *controls], **live)
    more.click(other, inputs=inputs, outputs=[place, *outputs, points, *controls], **live)
    return fresh, inputs, [*outputs, points, *controls]
