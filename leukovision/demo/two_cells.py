"""What stands on a visitor's page comes in; it is kept beside the next cell, and both go out with maps by one
method, on one scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision.demo import render, visitor
from leukovision.demo.static import script
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.explain.methods import DEFAULT, METHODS
from leukovision.i18n import ENGLISH, Texts

_PIECES = macros("two_cells")


def panel(
    get_ensemble: Callable[[], Ensemble], shown: gr.State, kept_for: int, queued: dict[str, Any]
) -> Callable[..., None]:
    """Put the buttons, and below them two cells, into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        shown: holds an `analyse.Shown`, or None.
        kept_for: how long a cell is kept, s.
        queued: how the events of the tab are queued.

    Returns:
        What shows the two anew after an event.
    """
    kept = gr.State(time_to_live=kept_for)

    def both(first: Any, now: Any) -> Markup:
        return beside_html(get_ensemble(), first, now, visitor.texts())

    def pressed(event: gr.EventData, now: Any) -> tuple[Any, Markup]:
        first = now if event.act == "beside" else None
        return first, both(first, now)

    place = gr.HTML(
        visitor.start(buttons_html),
        js_on_load=script("two_cells"),
        apply_default_css=False,
        elem_id="lv-beside",
    )
    place.select(pressed, inputs=shown, outputs=[kept, place], **queued)
    return lambda event: event.then(both, inputs=[kept, shown], outputs=place, **queued)


def buttons_html(texts: Texts = ENGLISH) -> Markup:
    """What keeps the cell that is shown beside the next."""
    return _PIECES.buttons(texts)


def beside_html(ensemble: Ensemble, first: Any, now: Any, texts: Texts = ENGLISH) -> Markup:
    """Two cells with their decisions and maps.

    Args:
        ensemble: which judged both.
        first: the `analyse.Shown` that is kept; None for nothing but a button.
        now: the one that is shown.
        texts: of a language.
    """
    if first is None:
        return buttons_html(texts)
    if now is None or now is first:
        return _PIECES.kept(texts, texts.said(first.name))
    method = now.maps.method if now.maps else DEFAULT
    pair = [
        (
            one,
            one.maps
            if one.maps and one.maps.method == method
            else render.drawn(ensemble, one.analysis, method),
        )
        for one in (first, now)
    ]
    decide = ensemble.manifest.thresholds.decide
    scale = max(render.scale_of(maps.smooth) for _, maps in pair)
    cells = [
        (
            texts.said(one.name),
            render.compared_html(one.analysis, one.picture, maps, scale, decide, texts),
        )
        for one, maps in pair
    ]
    return _PIECES.two(texts, cells, texts.said(METHODS[method].title))
