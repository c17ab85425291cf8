"""The tab that judges one cell: a picture comes in, decision, maps and words go out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from leukovision import batch
from leukovision.artifact import StoreError
from leukovision.cell import SUFFIXES, Cell, CellError, framed, is_on_black
from leukovision.demo import (
    decode_worker,
    fair_queue,
    photo,
    render,
    report_buttons,
    two_cells,
    uploads,
    visitor,
)  # fmt: skip
from leukovision.demo.examples import Examples, verdict
from leukovision.demo.static import script
from leukovision.demo.templates import macros
from leukovision.demo.traits_panel import traits_html
from leukovision.ensemble import Analysis, Ensemble
from leukovision.explain import trait_ranges
from leukovision.explain.faithfulness import Check, against_chance
from leukovision.explain.methods import METHODS
from leukovision.explain.overlay import is_dark, thumbnail
from leukovision.explain.traits import Traits, traits
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import OURS, Question

_PIECES = macros("analyse")

SIDE = 400
"""Side of the pictures under the maps, px."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What stands on one visitor's page; `photo` where the cell was cut out of one.

    The maps of a photo's cell are None until they are asked for. `truth` is the class of an example, or
    what it was drawn as; "" where nobody knows.
    """

    analysis: Analysis
    picture: np.ndarray
    maps: render.Drawn | None
    name: str
    photo: photo.Photo | None = None
    traits: Traits = field(default_factory=Traits)
    truth: str = ""
    was_drawn: bool = False


Result = tuple[Markup, Markup | str, Markup, Markup | str, Shown | None]
"""HTML of the input panel, of the photo's cells, of the result, of what stands for the check of its map until
that is looked at, and what is shown."""


def tab(
    get_ensemble: Callable[[], Ensemble], examples: Examples, question: Question = OURS
) -> Callable[[str], None]:
    """Put the tab into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        examples: cells to try.
        question: what is decided.

    Returns:
        What deletes the files of a session, by its hash.
    """
    files: defaultdict[str, set[Path]] = defaultdict(set)

    def panel(cell: Cell | None, texts: Texts) -> Markup:
        return input_html(cell, examples, texts)

    def result(
        source: decode_worker.Source | Cell, name: str, number: int | None = None, truth: str = ""
    ) -> Result:
        texts = visitor.texts().about(question)
        page, cell, shown = analysed(get_ensemble, source, name, texts, number, truth, examples.are_drawn)
        cells_of = photo.photo_html(shown.photo, texts) if shown and shown.photo else ""
        return panel(cell, texts), cells_of, page, awaited_html(shown, texts), shown

    def sent(event: gr.EventData, request: gr.Request) -> Result:
        name = base_name(event.name)
        path = uploads.uploaded(event.path)
        if path:
            files[str(request.session_hash)].add(path)
            place, number = getattr(event, "place", None), getattr(event, "cell", None)
            source = path if place is None else partial(_in_zip, path, name, int(place))
            return result(source, name, number)
        texts = visitor.texts()
        alert = render.alert_html(texts("analyse.lost", name=name), texts=texts)
        return panel(None, texts), "", alert, "", None

    def chosen(event: gr.EventData) -> Result:
        index = int(event.index) % len(examples.cells)
        cell = examples.cells[index]
        return result(cell, cell.name, truth=examples.truths[index])

    def drawn_by(event: gr.EventData, shown: Shown | None) -> tuple[Any, Any, Shown | None]:
        if shown is None or event.method not in METHODS:
            return gr.skip(), gr.skip(), shown
        ensemble, texts = get_ensemble(), visitor.texts()
        now = replace(shown, maps=render.drawn(ensemble, shown.analysis, event.method))
        return page_of(ensemble, now, texts), awaited_html(now, texts), now

    def corrected(event: gr.EventData, shown: Shown | None) -> Any:
        texts = visitor.texts().about(question)
        if shown is None or shown.photo is None:
            return [gr.skip()] * 5
        try:
            ensemble = get_ensemble()
            looked = photo.act(ensemble, shown.photo, event.act, int(event.index), event.points)
        except FileNotFoundError:
            gone = texts("analyse.lost", name=shown.photo.name)
            return gr.skip(), photo.photo_html(shown.photo, texts, gone), gr.skip(), gr.skip(), gr.skip()
        except (TypeError, ValueError) as error:
            fault = photo.photo_html(shown.photo, texts, error)
            return gr.skip(), fault, gr.skip(), gr.skip(), gr.skip()
        if looked is None:
            return cleared()
        now, cell, analysis = looked
        again = _shown(ensemble, cell, analysis, now)
        page, check = page_of(ensemble, again, texts), awaited_html(again, texts)
        return panel(cell, texts), photo.photo_html(now, texts), page, check, again

    def checked(shown: Shown | None) -> Markup | str:
        texts = visitor.texts().about(question)
        if not shown:
            return render.alert_html(texts("report.gone"), texts("result.check"), texts)
        if not shown.maps:
            return ""
        try:
            found = _check(get_ensemble(), shown.analysis, shown.maps)
            return render.check_html(shown.maps, found, texts)
        except (RuntimeError, ValueError) as error:
            visitor.log("a map could not be checked", error)
            return render.alert_html(texts("batch.inside"), texts("result.check"), texts)

    def cleared() -> Result:
        texts = visitor.texts().about(question)
        return panel(None, texts), "", empty_html(texts), "", None

    queued: dict[str, Any] = {
        "show_progress": "hidden",
        "trigger_mode": "multiple",
        "api_visibility": "private",
    } | fair_queue.SERIAL
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=1, min_width=280, elem_classes="lv-left"):
            picture = gr.HTML(
                visitor.start(lambda texts: panel(None, texts)),
                js_on_load=script("input"),
                apply_default_css=False,
                elem_id="lv-input",
            )
        with gr.Column(scale=3, min_width=320, elem_classes="lv-right"):
            field = gr.HTML(
                js_on_load=script("photo"),
                apply_default_css=False,
                elem_id="lv-photo",
            )
            output = gr.HTML(
                visitor.start(empty_html, question),
                js_on_load=script("output"),
                apply_default_css=False,
                elem_id="lv-output",
            )
            check = gr.HTML(apply_default_css=False, js_on_load=script("check"), elem_id="lv-check")
            shown = gr.State(time_to_live=uploads.KEPT)
            report_buttons.buttons(get_ensemble, shown, queued)
            again = two_cells.panel(get_ensemble, shown, uploads.KEPT, queued)

    # One at a time and in order: the last picture sent is the one whose result stays.
    everything = [picture, field, output, check, shown]
    working: list[Any] = [
        picture.upload(sent, outputs=everything, **queued),
        picture.select(chosen, outputs=everything, **queued),
        field.select(corrected, inputs=shown, outputs=everything, **queued),
        output.select(drawn_by, inputs=shown, outputs=[output, check, shown], **queued),
    ]
    for event in working:
        again(event)
        event.then(None, js=script("done"))
    working.append(check.select(checked, inputs=shown, outputs=check, **queued))
    picture.clear(
        cleared, outputs=everything, cancels=working, queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip

    def forget(session: str) -> None:
        # The same picture from two visitors is one file: it stays until both are gone, or it is too old.
        own = files.pop(session, set())
        for path in own.difference(*files.values()):
            path.unlink(missing_ok=True)

    return forget


def analysed(
    get_ensemble: Callable[[], Ensemble],
    source: decode_worker.Source | Cell,
    name: str,
    texts: Texts = ENGLISH,
    number: int | None = None,
    truth: str = "",
    was_drawn: bool = False,
) -> tuple[Markup, Cell | None, Shown | None]:
    """One picture -> HTML of the result or of the reason why there is none, the cell if it was read, and
    what is shown of it. Of a photo, `number` says which cell is asked for, from 0: with its maps. `truth` and
    `was_drawn` as in `Shown`."""
    said: str | BaseException
    try:
        ensemble = get_ensemble()
        if isinstance(source, Cell):
            of, cell, (analysis,) = None, source, ensemble.analyse([source])
        else:
            of, cell, analysis = _read(ensemble, source, name, number)
        shown = _shown(ensemble, cell, analysis, of, number is not None)
        shown = replace(shown, truth=truth, was_drawn=was_drawn)
        return page_of(ensemble, shown, texts), cell, shown
    except CellError as error:
        said = error
    except StoreError as error:
        said = texts("analyse.no_ensemble", why=texts.said(error))
    except FileNotFoundError:
        said = texts("analyse.lost", name=name)
    except Exception as error:
        # Whatever happens, the decision on the picture before must not stay beside this one.
        visitor.log("a picture could not be judged", error)
        said = texts("analyse.inside", name=name)
    return render.alert_html(said, texts=texts), None, None


def _read(
    ensemble: Ensemble, source: decode_worker.Source, name: str, number: int | None
) -> tuple[photo.Photo | None, Cell, Analysis]:
    """A picture, judged: as a photo where there are cells on it, else as one cell."""
    with decode_worker.picture(source, name) as rgb:
        if not is_on_black(rgb) and (found := photo.analyse_photo(ensemble, rgb, source, name, number)):
            return found
        cell = framed(rgb, name)
    return None, cell, ensemble.analyse([cell])[0]


def _in_zip(path: Path, name: str, place: int) -> bytes:
    """The bytes of a picture in a zip file, read from it each time: no copy of them is kept."""
    path.touch()  # it counts as new as long as it is looked at
    return batch.unzip(path, name)[place].read()


def page_of(ensemble: Ensemble, shown: Shown, texts: Texts = ENGLISH) -> Markup:
    """HTML of the result."""
    ranges, decision = trait_ranges.of_ensemble(ensemble.found.folder), shown.analysis.decision
    texts = texts.about(ensemble.question)
    told = traits_html(shown.traits, decision, ranges, texts) if shown.traits.area else ""
    truth = verdict(shown.truth, shown.was_drawn, decision, texts)
    return render.result_html(
        shown.analysis, shown.picture, shown.maps, ensemble.manifest, texts, not shown.photo, told, truth
    )


def _shown(
    ensemble: Ensemble, cell: Cell, analysis: Analysis, of: photo.Photo | None, mapped: bool = False
) -> Shown:
    picture = ensemble.input.picture(cell, SIDE)
    maps = None if of and not mapped else render.drawn(ensemble, analysis)
    scale = of.outlines[of.chosen].px_per_um if of else None
    return Shown(analysis, picture, maps, base_name(cell.name), of, traits(cell, scale))


def awaited_html(shown: Shown | None, texts: Texts) -> Markup | str:
    """What stands for the check of the maps that are shown, if any."""
    return render.check_awaited_html(texts) if shown and shown.maps else ""


def _check(ensemble: Ensemble, analysis: Analysis, maps: render.Drawn) -> Check:
    """Whether the combined map marks what moves the probability of the leaning class."""
    numbers = ensemble.input.numbers(analysis.picture)
    sign = ensemble.question.sign(maps.target)
    return against_chance(ensemble, numbers, sign * maps.smooth[render.COMBINED], maps.target)


def base_name(name: object) -> str:
    """What a browser says a file is called -> its last part, at most 120 characters."""
    return PurePosixPath(str(name).replace("\\", "/")).name[-120:] or "picture"


SAID = ("busy", "drawing", "loading", "large", "failed", "many", "nopaste", "howpaste", "nocamera")
"""What the panel that takes a picture may have to say, by key."""


def input_html(cell: Cell | None, examples: Examples, texts: Texts = ENGLISH) -> Markup:
    """The panel that takes a picture, and shows the cell that was read from it."""
    return _PIECES.input(
        texts,
        said=SAID,
        limit=batch.MAX_BYTES,
        suffixes=",".join(SUFFIXES),
        name=texts.said(base_name(cell.name)) if cell else "",
        seen=_picture(cell, 320) if cell else None,
        examples=[_picture(one, 96) for one in examples.cells],
        are_drawn=examples.are_drawn,
        repo=examples.origin.partition("@")[0],
    )


def empty_html(texts: Texts = ENGLISH) -> Markup:
    """What stands in the place of a result before there is one."""
    return _PIECES.empty(texts)


def _picture(cell: Cell, side: int) -> dict[str, Any]:
    """A cell as the template shows it."""
    return {"source": render.data_uri(thumbnail(cell, side)), "is_dark": is_dark(cell)}
