"""The tab that judges one cell: a picture comes in, decision, maps and words go out."""

from __future__ import annotations

import logging
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from leukovision import painter
from leukovision.cell import SUFFIXES, Cell, CellError, read_cell
from leukovision.demo import render
from leukovision.ensemble import Analysis, Ensemble
from leukovision.faithfulness import Curve, curves, random_map
from leukovision.saliency import METHODS
from leukovision.store import StoreError

MAX_BYTES = 100 * 1024**2
"""Largest file that may be sent: 50 megapixels of 16 bit do not fit, everything else does."""

SIDE = 400
"""Side of the pictures under the maps, px."""

N_EXAMPLES = 6

KEPT = 600
"""Uploaded pictures, and what a page shows, are deleted when they are this old, s."""

TEXT = {
    "input": "Your cell",
    "prompt": "Drop a picture of one cell here",
    "kinds": "PNG, JPEG, BMP, TIFF or WebP; one white blood cell, cut out on black",
    "choose": "Choose a file",
    "paste": "Paste",
    "photograph": "Photograph",
    "clear": "Clear",
    "shoot": "Take the picture",
    "close": "Cancel",
    "camera": "Photograph a cell",
    "seen": "The cell as it was read: {name}",
    "brighter": "shown brighter",
    "busy": "Looking at the cell …",
    "drawing": "Drawing the maps …",
    "loading": "Loading the networks first …",
    "large": "{name}: the file is larger than 100 MB; cut out the one cell and send that.",
    "failed": "{name}: the file did not reach the server; try again.",
    "nopaste": "There is no picture in the clipboard.",
    "howpaste": "This browser lets no button read the clipboard: press Ctrl+V (on a Mac, Cmd+V) instead.",
    "nocamera": "No camera can be used here; choose a file instead.",
    "examples": "Or try one of these",
    "drawn": "These example cells are drawn by a program, not photographs.",
    "lost": "{name}: the file did not arrive whole; send it again.",
    "inside": "{name}: something went wrong in the program, not in your picture; it was not judged.",
    "no_ensemble": "No decision can be made, because the ensemble cannot be loaded. {why}",
    "empty_title": "What you will see",
}
EMPTY = (
    (
        "The answer in words",
        "ALL, healthy or unsure, with its probability, and whether the backbones agree.",
    ),
    (
        "Four maps",
        "One for each of three neural networks and one for their sum, on one scale: "
        '<b class="lv-all">red</b> speaks for ALL, <b class="lv-healthy">blue</b> for healthy.',
    ),
    (
        "A sum that you can check",
        "The maps are not an illustration: what they hold, added up, is the decision.",
    ),
)

REMOVED = (0.1, 0.25, 0.5, 0.75)
"""Shares of the cell that the page's deletion curve takes away: with two random maps one batch of 14."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What stands on one visitor's page."""

    analysis: Analysis
    picture: np.ndarray
    maps: render.Drawn


Result = tuple[str, str, str, Shown | None]
"""HTML of the input panel, of the result, of the check of its map (made later), and what is shown."""


def tab(get_ensemble: Callable[[], Ensemble], cells: list[Cell], are_drawn: bool) -> Callable[[str], None]:
    """Put the tab into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        cells: examples to click.
        are_drawn: whether a program drew them.

    Returns:
        What deletes the files of a session, by its hash.
    """
    files: defaultdict[str, set[Path]] = defaultdict(set)
    empty = input_html(None, cells, are_drawn)
    nothing = empty_html()

    def result(source: Path | Cell, name: str) -> Result:
        page, cell, shown = judged(get_ensemble, source, name)
        return (input_html(cell, cells, are_drawn) if cell else empty), page, "", shown

    def sent(event: gr.EventData, request: gr.Request) -> Result:
        name = base_name(event.name)
        path = uploaded(event.path)
        if path:
            files[str(request.session_hash)].add(path)
        return (
            result(path, name)
            if path
            else (empty, render.alert_html(TEXT["lost"].format(name=name)), "", None)
        )

    def chosen(event: gr.EventData) -> Result:
        cell = cells[int(event.index) % len(cells)]
        return result(cell, cell.name)

    def drawn_by(event: gr.EventData, shown: Shown | None) -> tuple[Any, str, Shown | None]:
        if shown is None or event.method not in METHODS:
            return gr.skip(), "", shown
        ensemble = get_ensemble()
        now = replace(shown, maps=render.drawn(ensemble, shown.analysis, event.method))
        decide = ensemble.manifest.thresholds.decide
        return render.result_html(now.analysis, now.picture, now.maps, decide), "", now

    def checked(shown: Shown | None) -> str:
        return render.check_html(shown.maps, *_deletion(get_ensemble(), shown)) if shown else ""

    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=1, min_width=280, elem_classes="lv-left"):
            picture = gr.HTML(
                empty,
                js_on_load=Path(__file__).with_name("input.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                elem_id="lv-input",
            )
        with gr.Column(scale=3, min_width=320, elem_classes="lv-right"):
            output = gr.HTML(
                nothing,
                js_on_load=Path(__file__).with_name("output.js").read_text(encoding="utf-8"),
                apply_default_css=False,
                elem_id="lv-output",
            )
            check = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="lv-check")
    shown = gr.State(time_to_live=KEPT)

    # One at a time and in order: the last picture sent is the one whose result stays.
    everything = [picture, output, check, shown]
    queued: dict[str, Any] = {
        "show_progress": "hidden",
        "trigger_mode": "multiple",
        "concurrency_limit": 1,
        "concurrency_id": "ensemble",
        "api_visibility": "private",
    }
    working: list[Any] = [
        picture.upload(sent, outputs=everything, **queued),
        picture.select(chosen, outputs=everything, **queued),
        output.select(drawn_by, inputs=shown, outputs=[output, check, shown], **queued),
    ]
    working += [
        event.then(None, js=_DONE).then(checked, inputs=shown, outputs=check, **queued) for event in working
    ]
    picture.clear(
        lambda: (empty, nothing, "", None), outputs=everything, cancels=working, queue=False,
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip

    def forget(session: str) -> None:
        # The same picture from two visitors is one file: it stays until both are gone, or it is too old.
        own = files.pop(session, set())
        for path in own.difference(*files.values()):
            path.unlink(missing_ok=True)

    return forget


def judged(
    get_ensemble: Callable[[], Ensemble], source: Path | Cell, name: str
) -> tuple[str, Cell | None, Shown | None]:
    """One picture -> HTML of the result or of the reason why there is none, the cell if it was read, and
    what is shown of it."""
    try:
        cell = source if isinstance(source, Cell) else read_cell(source, name)
        ensemble = get_ensemble()
        analysis = ensemble.analyse([cell])[0]
        picture = ensemble.input.picture(cell, SIDE)
        shown = Shown(analysis, picture, render.drawn(ensemble, analysis))
        page = render.result_html(analysis, picture, shown.maps, ensemble.manifest.thresholds.decide)
        return page, cell, shown
    except CellError as error:
        return render.alert_html(str(error)), None, None
    except StoreError as error:
        return render.alert_html(TEXT["no_ensemble"].format(why=error)), None, None
    except FileNotFoundError:
        return render.alert_html(TEXT["lost"].format(name=name)), None, None
    except Exception as error:
        # Whatever happens, the decision on the picture before must not stay beside this one. What the error
        # says may name the file, which is nobody's business but the sender's.
        where = "".join(traceback.format_tb(error.__traceback__))
        logging.getLogger(__name__).error("a picture gave a %s at\n%s", type(error).__name__, where)
        return render.alert_html(TEXT["inside"].format(name=name)), None, None


def _deletion(ensemble: Ensemble, shown: Shown) -> tuple[Curve, Curve]:
    """How p of the leaning class falls when the cell is taken away by the combined map, and by chance."""
    numbers = ensemble.input.numbers(shown.analysis.picture)
    sign = 1 if shown.maps.target == "ALL" else -1
    floors = [random_map(ensemble.input.size, seed) for seed in (0, 1)]
    maps = [sign * shown.maps.smooth[render.COMBINED], *floors]
    own, *others = (
        deletion for deletion, _ in curves(ensemble, numbers, maps, shown.maps.target, "black", REMOVED, ())
    )
    return own, Curve(own.shares, np.mean([one.p for one in others], axis=0))


def example_cells(folder: Path | None) -> list[Cell]:
    """Cells to click: drawn ones, or the first twelve pictures of a folder that can be read.

    Raises:
        FileNotFoundError: the folder is not there, or there is no picture in it.
    """
    if folder is None:
        return [read_cell(pixels, title) for title, pixels in painter.examples(N_EXAMPLES)]
    cells: list[Cell] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and len(cells) < 2 * N_EXAMPLES:
            try:
                cells.append(read_cell(path, path.name))
            except CellError as error:
                logging.getLogger(__name__).warning("example left out: %s", error)
    if not cells:
        raise FileNotFoundError(f"{folder}: no picture of a cell in this folder ({', '.join(SUFFIXES)}).")
    return cells


def base_name(name: object) -> str:
    """What a browser says a file is called -> its last part, at most 120 characters."""
    return PurePosixPath(str(name).replace("\\", "/")).name[-120:] or "picture"


def uploaded(path: object) -> Path | None:
    """The path, if it is a file that somebody uploaded; None for every other file of this machine."""
    root = Path(gr.utils.get_upload_folder() or tempfile.gettempdir()).resolve()
    found = Path(str(path)).resolve()
    return found if found.is_relative_to(root) and found.is_file() else None


def input_html(cell: Cell | None, examples: list[Cell], drawn: bool) -> str:
    """The panel that takes a picture, and shows the cell that was read from it."""
    words = " ".join(
        f'data-{key}="{escape(TEXT[key])}"'
        for key in ("busy", "drawing", "loading", "large", "failed", "nopaste", "howpaste", "nocamera")
    )
    if cell:
        name = base_name(cell.name)
        brighter = f"<i>, {TEXT['brighter']}</i>" if cell.on_black else ""
        seen = (
            f'<figure class="lv-seen">{_img(cell, 320, TEXT["seen"].format(name=name))}'
            f"<figcaption>{escape(name)}{brighter}</figcaption></figure>"
        )
    else:
        seen = (
            f'<div class="lv-prompt" data-act="choose">{_DROP}<strong>{TEXT["prompt"]}</strong>'
            f"<span>{TEXT['kinds']}</span></div>"
        )
    thumbnails = "".join(
        f'<button type="button" data-act="example" data-index="{index}" '
        f'title="{escape(base_name(one.name))}">'
        f"{_img(one, 96, base_name(one.name))}</button>"
        for index, one in enumerate(examples)
    )
    note = f"<p>{TEXT['drawn']}</p>" if drawn else ""
    return (
        f'<section class="lv-input" aria-label="{TEXT["input"]}">'
        f'<div class="lv-zone" data-limit="{MAX_BYTES}" {words}>{seen}</div>'
        '<p class="lv-state" role="status"></p>'
        '<div class="lv-buttons">'
        '<label class="lv-button lv-main"><input class="lv-file lv-open" type="file" '
        f'accept="image/*,{",".join(SUFFIXES)}">{TEXT["choose"]}</label>'
        f"{_button('paste')}{_button('photograph')}{_button('clear')}</div>"
        '<input class="lv-file lv-phone" type="file" accept="image/*" capture="environment" '
        f'tabindex="-1" aria-hidden="true" aria-label="{TEXT["photograph"]}">'
        f'<dialog class="lv-camera" aria-label="{TEXT["camera"]}"><video autoplay playsinline muted></video>'
        f'<div class="lv-buttons">{_button("shoot", "lv-main")}{_button("close")}</div></dialog>'
        f'<div class="lv-examples"><h2>{TEXT["examples"]}</h2><div>{thumbnails}</div>'
        f"{note}</div></section>"
    )


def empty_html() -> str:
    """What stands in the place of a result before there is one."""
    items = "".join(f"<li><strong>{title}</strong><span>{words}</span></li>" for title, words in EMPTY)
    return f'<section class="lv-empty"><h2>{TEXT["empty_title"]}</h2><ol>{items}</ol></section>'


def _button(act: str, kind: str = "") -> str:
    return f'<button type="button" class="lv-button {kind}" data-act="{act}">{TEXT[act]}</button>'


def _img(cell: Cell, side: int, alt: str) -> str:
    """The cell in its colours; on black it is too dark for screens and projectors, so it is lit up."""
    kind = "lv-brighter" if cell.on_black else ""
    return f'<img class="{kind}" src="{render.data_uri(_thumbnail(cell, side))}" alt="{escape(alt)}">'


def _thumbnail(cell: Cell, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the cell in its colours with a little black around it."""
    rows, columns = np.nonzero(cell.outline)
    reach = max(np.ptp(rows), np.ptp(columns)) / 2 * 1.12 + 1
    y, x = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    box = tuple(round(edge) for edge in (x - reach, y - reach, x + reach, y + reach))
    return np.asarray(Image.fromarray(cell.pixels).crop(box).resize((side, side), Image.Resampling.LANCZOS))


_DONE = """() => {
  document.documentElement.dataset.lv = '';
  document.querySelector('.lv-state').textContent = '';
  const output = document.getElementById('lv-output');
  if (output.getBoundingClientRect().top > innerHeight / 2) output.scrollIntoView({ behavior: 'smooth' });
}"""

_DROP = (
    '<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="17"/>'
    '<path d="M24 14c6 0 9 4 9 9s-4 10-9 10-9-3-9-9 4-10 9-10z"/></svg>'
)
