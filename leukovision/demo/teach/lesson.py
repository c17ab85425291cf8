"""What the parts of the lesson share: a column for each, a changed cell with the trace of its answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from leukovision import synthetic
from leukovision.artifact import StoreError
from leukovision.cell import Cell, CellError, read_cell
from leukovision.demo import charts, render, scores, visitor
from leukovision.demo.examples import truth_of
from leukovision.demo.perturbation import Perturbation, perturbed, window
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.explain.overlay import is_dark
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import OURS, Question

_PIECES = macros("lesson")

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

    def said(texts: Texts) -> Markup:
        return _PIECES.teacher(texts, key, MINUTES[key])

    column = gr.Column(elem_id=f"lv-part-{key}", elem_classes="lv-part")
    with column:
        gr.HTML(visitor.start(said, question), apply_default_css=False, js_on_load=None)
    return column


def html(kind: str, make: Callable[[Texts], str] | None = None, js: str | None = None) -> gr.HTML:
    """A piece of the page, made in every language; one that a part fills says that it is being computed."""
    value = visitor.start(make or computing_html)
    return gr.HTML(value, apply_default_css=False, js_on_load=js, elem_id=f"lv-{kind}")


def computing_html(texts: Texts = ENGLISH) -> Markup:
    """What stands in the place of an answer that is on its way."""
    return _PIECES.computing(texts)


def traced(
    get_ensemble: Callable[[], Ensemble],
    cell: Cell,
    changes: Perturbation,
    steps: Steps,
    what: str,
    see: bool = False,
) -> tuple[Markup, Markup, Steps]:
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
    if see:
        page = _PIECES.changed(seen(now, texts("teach.the_cell")), page)
    return canvas_html(now, texts), page, steps


def canvas_html(cell: Cell, texts: Texts = ENGLISH) -> Markup:
    """The cell to paint on."""
    return _PIECES.canvas(texts, seen(cell, texts("teach.brush")))


def unseen(found: scores.Scores, texts: Texts) -> Markup:
    """On whom figures were measured."""
    return _PIECES.unseen(texts, cells=len(found.is_all), subjects=len(np.unique(found.subjects)))


def seen(cell: Cell, alt: str) -> Markup:
    """A cell as it is, brighter where it is dark."""
    return _PIECES.seen(render.data_uri(window(cell)), alt, is_dark(cell))


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
