"""What the parts of the lesson share: a column for each, a changed cell with the trace of its answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from leukovision import synthetic
from leukovision.artifact import StoreError
from leukovision.cell import Cell, CellError, read_cell
from leukovision.demo import charts, render, scores, visitor
from leukovision.demo.examples import truth_of
from leukovision.demo.perturbation import Perturbation, perturbed, window
from leukovision.ensemble import Ensemble
from leukovision.explain.overlay import is_dark
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import OURS, Question

SIDE = 320
"""Side of the pictures under the maps, px."""


MINUTES = {"guess": 8, "class": 8, "break": 8, "twin": 8, "draw": 6, "shortcut": 7, "line": 8}
"""Of a lesson of 45, by part; the first two are one or the other."""

STEPS = 40
"""Changes that a trace remembers."""


Steps = tuple[tuple[str, float], ...]


Points = tuple[tuple[float, float], ...]


Opening = tuple[Callable[..., Any], list[Any], list[Any]]
"""What a part does when it is opened, its inputs and outputs."""


def column(key: str, question: Question) -> gr.Column:
    """The column of a part, with its sentences for the teacher, on the question."""

    def said(texts: Texts) -> str:
        title, *sentences = (escape(texts(f"teach.{key}.{one}")) for one in ("title", "try", "see", "ask"))
        items = "".join(f"<li>{one}</li>" for one in sentences)
        more = texts("teach.for_teacher", minutes=MINUTES[key])
        return (
            f'<section class="lv-teacher"><h2>{title}</h2><ol>{items}</ol><details><summary>{more}</summary>'
            f"<p>{escape(texts(f'teach.{key}.keep'))}</p></details></section>"
        )

    column = gr.Column(elem_id=f"lv-part-{key}", elem_classes="lv-part")
    with column:
        gr.HTML(visitor.start(said, question), apply_default_css=False, js_on_load=None)
    return column


def html(kind: str, make: Callable[[Texts], str] | None = None, js: str | None = None) -> gr.HTML:
    """A piece of the page, made in every language; one that a part fills says that it is being computed."""
    value = visitor.start(make or computing_html)
    return gr.HTML(value, apply_default_css=False, js_on_load=js, elem_id=f"lv-{kind}")


def computing_html(texts: Texts = ENGLISH) -> str:
    """What stands in the place of an answer that is on its way."""
    return f'<div class="lv-skeleton"><p class="lv-computing">{texts("teach.computing")}</p></div>'


def traced(
    get_ensemble: Callable[[], Ensemble],
    cell: Cell,
    changes: Perturbation,
    steps: Steps,
    what: str,
    see: bool = False,
) -> tuple[str, str, Steps]:
    """Change a cell and ask: HTML of the cell to paint on, of the answer with its trace, and the trace.

    With `see` the cell itself stands before the maps, as large as it is. `what` is the text's key.
    """
    texts = visitor.texts()
    try:
        ensemble = get_ensemble()
        now = perturbed(cell, changes)
        analysis = ensemble.analyse([now])[0]
    except (CellError, StoreError) as error:
        return canvas_html(cell, texts), render.alert_html(error, texts=texts), steps
    steps = (*steps, (texts(what, size=100 * changes.size), analysis.p_all))[-STEPS:]
    thresholds = ensemble.manifest.thresholds
    below = charts.trace(steps, thresholds.abstain, texts.about(ensemble.question))
    page = render.brief_html(analysis, picture(ensemble, now), below, thresholds.decide, texts)
    before = f'<div class="lv-asked lv-small">{seen(now, texts("teach.the_cell"))}</div>' if see else ""
    return canvas_html(now, texts), before + page, steps


def canvas_html(cell: Cell, texts: Texts = ENGLISH) -> str:
    """The cell to paint on."""
    paint = texts("teach.brush")
    return f'<div class="lv-canvas">{seen(cell, paint)}<p>{paint}</p></div>'


def unseen(found: scores.Scores, texts: Texts) -> str:
    """On whom figures were measured."""
    words = texts("teach.unseen", cells=len(found.is_all), subjects=len(np.unique(found.subjects)))
    return f'<p class="lv-note">{words}</p>'


def seen(cell: Cell, alt: str) -> str:
    """A cell as it is, brighter where it is dark."""
    kind = ' class="lv-brighter"' if is_dark(cell) else ""
    return f'<img{kind} src="{render.data_uri(window(cell))}" alt="{escape(alt)}" draggable="false">'


def picture(ensemble: Ensemble, cell: Cell) -> np.ndarray:
    """The field that the backbones see, as fine as it is shown."""
    return ensemble.input.picture(cell, SIDE)


def dealt(
    cells: list[Cell], are_drawn: bool, seed: int, place: int, question: Question = OURS
) -> tuple[Cell, str]:
    """The cell of a place in the order of a seed, and what it is, "" where nobody knows."""
    if are_drawn:
        return drawn_cell(seed, place)
    order = random.Random(seed).sample(range(len(cells)), len(cells))
    cell = cells[order[place % len(cells)]]
    return cell, truth_of(cell.name, question)


def drawn_cell(seed: int, place: int) -> tuple[Cell, str]:
    """A drawn cell of this visitor's row, and what it was drawn to look like."""
    own = random.Random(f"{seed} {place}")
    truth = own.choice(OURS.names)
    number = own.randrange(1_000_000)
    recipe = (synthetic.blast_like if truth == OURS.positive else synthetic.lymphocyte_like)(number)
    return read_cell(synthetic.paint(recipe, number), "drawn"), truth


def capital(words: str) -> str:
    """Words as they begin a button."""
    return words[:1].upper() + words[1:]
