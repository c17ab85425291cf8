"""The part *Draw a cell*: a cell is drawn trait by trait, and the decision follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision import synthetic
from leukovision.cell import read_cell
from leukovision.demo import visitor
from leukovision.demo.perturbation import Perturbation
from leukovision.demo.teach import lesson
from leukovision.ensemble import Ensemble
from leukovision.question import OURS


def part(get_ensemble: Callable[[], Ensemble], live: dict[str, Any]) -> lesson.Opening:
    """Put the part into the tab that is open; it gives what to do when the part is opened."""
    # What is said of each below the trace.
    shown = {
        name: {"stain": "dark"}.get(name, name)
        for name in (
            "diameter", "nucleus_to_cytoplasm", "chromatin", "nucleoli", "irregularity", "stain", "hue",
        )
    }  # fmt: skip
    defaults = asdict(synthetic.CellRecipe())

    def draw(
        seed: int, steps: lesson.Steps, *values: Any, what: str = "start"
    ) -> tuple[Markup, lesson.Steps]:
        recipe = synthetic.CellRecipe(**dict(zip(shown, values, strict=True)))
        cell = read_cell(synthetic.paint(recipe, seed), "drawn")
        _, page, steps = lesson.traced(
            get_ensemble, cell, Perturbation(), steps, f"teach.step.{what}", see=True
        )
        return page, steps

    def other(seed: int, _: lesson.Steps, *values: float) -> Any:
        return seed + 1, *draw(seed + 1, (), *values)

    with lesson.column("draw", OURS), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            controls = [
                gr.Slider(
                    *synthetic.RANGES[name], defaults[name], label=visitor.label(f"teach.trait.{name}"),
                    elem_id=f"lv-draw-{name}", step=1 if name in ("nucleoli", "diameter") else 0.01,
                )
                for name in shown
            ]  # fmt: skip
            more = gr.Button(visitor.label("teach.another"), size="sm")
        with gr.Column(scale=2, min_width=300):
            output = lesson.html("draw-out")
    seed, steps = gr.State(3), gr.State((), time_to_live=7200)
    inputs = [seed, steps, *controls]
    for name, control in zip(shown, controls, strict=True):
        what = shown[name]
        control.input(
            lambda *now, what=what: draw(*now, what=what), inputs=inputs, outputs=[output, steps], **live
        )
    more.click(other, inputs=inputs, outputs=[seed, output, steps], **live)
    return draw, inputs, [output, steps]
