"""What stands on a visitor's page comes in; it is kept beside the next cell, and both go out with maps by one
method, on one scale."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from leukovision.demo import render, visitor
from leukovision.ensemble import Ensemble
from leukovision.explain.methods import DEFAULT, METHODS
from leukovision.i18n import ENGLISH, Texts


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

    def both(first: Any, now: Any) -> str:
        return beside_html(get_ensemble(), first, now, visitor.texts())

    def pressed(event: gr.EventData, now: Any) -> tuple[Any, str]:
        first = now if event.act == "beside" else None
        return first, both(first, now)

    place = gr.HTML(
        visitor.start(buttons_html), js_on_load=_PRESS, apply_default_css=False, elem_id="lv-beside"
    )
    place.select(pressed, inputs=shown, outputs=[kept, place], **queued)
    return lambda event: event.then(both, inputs=[kept, shown], outputs=place, **queued)


def buttons_html(texts: Texts = ENGLISH, keeps: bool = False) -> str:
    """What keeps the cell that is shown beside the next, or puts it away."""
    acts = ("beside", "away") if keeps else ("beside",)
    buttons = "".join(
        f'<button type="button" class="lv-button" data-act="{act}">{texts(f"beside.{act}")}</button>'
        for act in acts
    )
    return f'<div class="lv-beside-bar">{buttons}</div>'


def beside_html(ensemble: Ensemble, first: Any, now: Any, texts: Texts = ENGLISH) -> str:
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
        said = texts("beside.kept", name=texts.said(first.name))
        return f'{buttons_html(texts, True)}<p class="lv-note" role="status">{escape(said)}</p>'
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
    cells = "".join(
        f"<div><h4>{escape(texts.said(one.name))}</h4>"
        f"{render.compared_html(one.analysis, one.picture, maps, scale, decide, texts)}</div>"
        for one, maps in pair
    )
    title, by = texts("beside.title"), texts("beside.scale", method=texts.said(METHODS[method].title))
    return (
        f'{buttons_html(texts, True)}<section class="lv-beside" aria-label="{title}"><h3>{title}</h3>'
        f'<div class="lv-two">{cells}</div><p class="lv-note">{by}</p></section>'
    )


_PRESS = """
element.addEventListener('click', ({ target }) => {
  if (target.dataset.act) trigger('select', { act: target.dataset.act });
});
"""
