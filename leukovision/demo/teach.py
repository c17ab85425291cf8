"""The tab for lessons: six parts in which a class finds out what the maps and figures are worth."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from leukovision import synthetic
from leukovision.artifact import StoreError
from leukovision.cell import Cell, CellError, read_cell
from leukovision.demo import charts, guard, render, scores, visitor
from leukovision.demo.changes import Changes, changed, window
from leukovision.ensemble import Ensemble
from leukovision.explain.faithfulness import alike, cell_of
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.explain.overlay import is_dark
from leukovision.explain.randomization import DEPTHS, twin
from leukovision.i18n import ENGLISH, Texts

SIDE = 320
"""Side of the pictures under the maps, px."""

STEPS = 40
"""Changes that a trace remembers."""

QUICK = (DEFAULT, "gradcam", "layercam", "gradient")
"""Methods that a lesson does not have to wait for."""

PARTS = ("guess", "break", "twin", "draw", "shortcut", "line")
"""Each has a title, and three sentences for the teacher: what to try, what to see, what to ask."""

Steps = tuple[tuple[str, float], ...]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Game:
    """Who was right so far in *Guess first*.

    Attributes:
        seed: of this visitor's order of cells.
        place: which cell in it.
        guess: what the student said of it; "" before.
        right, of, unsure: counts by who: "you", the backbones, "ensemble".
    """

    seed: int
    place: int = 0
    guess: str = ""
    right: dict[str, int] = field(default_factory=dict)
    of: int = 0
    unsure: int = 0


def tab(get_ensemble: Callable[[], Ensemble], cells: list[Cell], are_drawn: bool) -> None:
    """Put the tab into the Blocks that are open.

    Args:
        get_ensemble: gives the ensemble, or waits until it is loaded.
        cells: to play with.
        are_drawn: whether a program drew them.
    """
    queued: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"} | guard.IN_TURN
    live = queued | {"trigger_mode": "always_last"}

    @cache
    def get_scores() -> scores.Scores | None:
        try:
            return scores.read(get_ensemble().found.folder)
        except StoreError:
            return None

    with gr.Column(elem_id="lv-teach"):
        nav = gr.HTML(visitor.start(nav_html), js_on_load=_NAV, apply_default_css=False, elem_id="lv-parts")
        _guess(get_ensemble, cells, are_drawn, queued)
        first = {
            "break": _break(get_ensemble, cells, live),
            "twin": _twin(get_ensemble, cells, queued),
            "draw": _draw(get_ensemble, live),
            "shortcut": _shortcut(get_ensemble, cells, get_scores, live),
            "line": _line(get_scores),
        }
    # A part looks at its first cell when it is opened, not before.
    for key, (act, inputs, outputs) in first.items():

        def opened(event: gr.EventData, *values: Any, key: str = key, act: Any = act) -> Any:
            return act(*values) if event.part == key else gr.skip()

        nav.select(opened, inputs=inputs, outputs=outputs, **queued)


def _part(key: str) -> gr.Column:
    """The column of a part, with its sentences for the teacher."""

    def said(texts: Texts) -> str:
        title, *sentences = (escape(texts(f"teach.{key}.{one}")) for one in ("title", "try", "see", "ask"))
        items = "".join(f"<li>{one}</li>" for one in sentences)
        return f'<section class="lv-teacher"><h2>{title}</h2><ol>{items}</ol></section>'

    column = gr.Column(elem_id=f"lv-part-{key}", elem_classes="lv-part")
    with column:
        gr.HTML(visitor.start(said), apply_default_css=False, js_on_load=None)
    return column


def _html(kind: str, make: Callable[[Texts], str] | None = None, js: str | None = None) -> gr.HTML:
    value = visitor.start(make) if make else ""
    return gr.HTML(value, apply_default_css=False, js_on_load=js, elem_id=f"lv-{kind}")


def _guess(
    get_ensemble: Callable[[], Ensemble], cells: list[Cell], are_drawn: bool, queued: dict[str, Any]
) -> None:
    def cell_of_game(game: Game) -> tuple[Cell, str]:
        if are_drawn:
            return drawn_cell(game.seed, game.place)
        order = random.Random(game.seed).sample(range(len(cells)), len(cells))
        cell = cells[order[game.place % len(cells)]]
        return cell, truth_of(cell.name)

    def begin() -> tuple[Game, str, str]:
        game = Game(random.randrange(1_000_000))
        texts = visitor.texts()
        return game, asked_html(cell_of_game(game)[0], texts), score_html(game, texts)

    def guess(game: Game, said: str) -> tuple[Game, str, str]:
        if game.guess:
            return game, gr.skip(), gr.skip()
        texts, ensemble = visitor.texts(), get_ensemble()
        cell, truth = cell_of_game(game)
        analysis = ensemble.analyse([cell])[0]
        decide = ensemble.manifest.thresholds.decide
        calls = {name: "ALL" if m.p_all >= decide else "healthy" for name, m in analysis.members.items()}
        calls = {"you": said, **calls, "ensemble": analysis.decision}
        right = {who: game.right.get(who, 0) + (bool(truth) and call == truth) for who, call in calls.items()}
        of = game.of + bool(truth)
        unsure = game.unsure + (bool(truth) and analysis.decision == "unsure")
        game = Game(game.seed, game.place, said, right, of, unsure)
        words = texts("teach.said", guess=texts(f"words.{said}"))
        told = f'<p class="lv-told" role="status">{words} {truth_line(truth, are_drawn, texts)}</p>'
        return (
            game,
            told + render.brief_html(analysis, _picture(ensemble, cell), "", decide, texts),
            score_html(game, texts),
        )

    def onward(game: Game) -> tuple[Game, str, str]:
        game, texts = Game(game.seed, game.place + 1, "", game.right, game.of, game.unsure), visitor.texts()
        return game, asked_html(cell_of_game(game)[0], texts), score_html(game, texts)

    start = Game(1)
    with _part("guess"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=2, min_width=280):
            output = _html("guess-out", partial(asked_html, cell_of_game(start)[0]))
        with gr.Column(scale=1, min_width=240):
            with gr.Row():
                buttons = {
                    said: gr.Button(
                        visitor.label(f"teach.{key}"),
                        elem_id=f"lv-say-{key}",
                        variant="primary",
                        min_width=90,
                    )
                    for key, said in (("all", "ALL"), ("healthy", "healthy"))
                }
            forward = gr.Button(visitor.label("teach.next"), elem_id="lv-next")
            board = _html("score", partial(score_html, start))
            again = gr.Button(visitor.label("teach.restart"), size="sm")
    game = gr.State(start, time_to_live=7200)
    shown = [game, output, board]
    for said, button in buttons.items():
        button.click(lambda now, said=said: guess(now, said), inputs=game, outputs=shown, **queued)
    plain: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    forward.click(onward, inputs=game, outputs=shown, **plain)
    again.click(begin, outputs=shown, **plain)


Opening = tuple[Callable[..., Any], list[Any], list[Any]]
"""What a part does when it is opened, its inputs and outputs."""


def _break(get_ensemble: Callable[[], Ensemble], cells: list[Cell], live: dict[str, Any]) -> Opening:
    def broken(
        place: int, steps: Steps, points: Points, *values: float, what: str = ""
    ) -> tuple[str, str, Steps]:
        turn, brightness, blur, stain, noise, corner = values
        changes = Changes(
            turn=turn, brightness=brightness, blur=blur, stain=stain, noise=noise, corner=bool(corner),
            covered=points,
        )  # fmt: skip
        return _traced(get_ensemble, cells[place], changes, steps, f"teach.step.{what}")

    def covering(event: gr.EventData, place: int, steps: Steps, points: Points, *values: float) -> Any:
        # Only numbers are taken from the browser, and not without end.
        new = [(float(x), float(y)) for x, y in list(event.points)[:200]]
        points = (*points, *new)[-600:]
        return *broken(place, steps, points, *values, what="cover"), points

    def fresh(place: int, _: Steps, __: Points, *___: float) -> Any:
        found = _traced(get_ensemble, cells[place], Changes(), (), "teach.step.start")
        return *found, (), *defaults

    def other(place: int, *rest: Any) -> Any:
        place = (place + 1) % len(cells)
        return place, *fresh(place, *rest)

    names = ("turn", "brighten", "blur", "stain", "noise", "corner")
    defaults = (0, 1, 0, 0, 0, False)
    with _part("break"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            canvas = _html("canvas", partial(canvas_html, cells[0]), _BRUSH)
            controls: list[Any] = [
                gr.Slider(-180, 180, 0, step=1, label=visitor.label("teach.turn"), elem_id="lv-turn"),
                gr.Slider(
                    0.4, 1.8, 1, step=0.02, label=visitor.label("teach.brightness"), elem_id="lv-brighten"
                ),
                gr.Slider(0, 8, 0, step=0.25, label=visitor.label("teach.blur"), elem_id="lv-blur"),
                gr.Slider(-1, 1, 0, step=0.05, label=visitor.label("teach.stain"), elem_id="lv-stain"),
                gr.Slider(0, 40, 0, step=1, label=visitor.label("teach.noise"), elem_id="lv-noise"),
                gr.Checkbox(label=visitor.label("teach.corner"), elem_id="lv-corner"),
            ]
            with gr.Row():
                undo = gr.Button(visitor.label("teach.undo"), size="sm", elem_id="lv-undo")
                more = gr.Button(visitor.label("teach.another"), size="sm")
        with gr.Column(scale=2, min_width=300):
            output = _html("break-out")
    place, steps, points = gr.State(0), gr.State((), time_to_live=7200), gr.State((), time_to_live=7200)
    inputs = [place, steps, points, *controls]
    outputs = [canvas, output, steps]
    for name, control in zip(names, controls, strict=True):
        control.input(lambda *now, name=name: broken(*now, what=name), inputs=inputs, outputs=outputs, **live)
    canvas.select(covering, inputs=inputs, outputs=[*outputs, points], **live)
    undo.click(fresh, inputs=inputs, outputs=[*outputs, points, *controls], **live)
    more.click(other, inputs=inputs, outputs=[place, *outputs, points, *controls], **live)
    return fresh, inputs, [*outputs, points, *controls]


def _twin(get_ensemble: Callable[[], Ensemble], cells: list[Cell], queued: dict[str, Any]) -> Opening:
    @cache
    def of_depth(depth: str) -> Ensemble:
        return twin(get_ensemble(), depth)

    def compare(place: int, depth: str, method: str) -> str:
        texts = visitor.texts()
        try:
            ensemble, other = get_ensemble(), of_depth(depth)
        except StoreError as error:
            return render.alert_html(str(error), texts=texts)
        picture = ensemble.input.picture(cells[place])
        numbers = ensemble.input.numbers(picture)
        p_own, p_other = (1 / (1 + np.exp(-one.logits(numbers[None])[0])) for one in (ensemble, other))
        target = "ALL" if p_own >= 0.5 else "healthy"
        sign = 1 if target == "ALL" else -1
        own, its = (sign * explain(one, numbers, method, target).combined for one in (ensemble, other))
        fine = _picture(ensemble, cells[place])
        shuffled = render.map_html(its, fine, texts(f"teach.shuffled.{depth}"), texts)
        alike_words = texts("teach.alike", value=alike(own, its, cell_of(numbers)))
        return (
            f'<article class="lv-brief" data-of="{method} {depth}"><div class="lv-two">'
            f"{render.map_html(own, fine, texts('teach.trained'), texts)}{shuffled}</div>"
            f'<p role="status">{alike_words} {texts("teach.twin_p", own=p_own, other=p_other)}</p></article>'
        )

    def other_cell(place: int, depth: str, method: str) -> Any:
        place = (place + 1) % len(cells)
        return place, compare(place, depth, method)

    with _part("twin"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            depth = gr.Radio(
                [(visitor.label(f"teach.depth.{key}"), key) for key in DEPTHS], value="head",
                label=visitor.label("teach.shuffle"), elem_id="lv-depth",
            )  # fmt: skip
            method = gr.Radio(
                [(visitor.said(METHODS[key].title), key) for key in QUICK],
                value=DEFAULT,
                label=visitor.label("teach.map"),
                elem_id="lv-map-by",
            )
            more = gr.Button(visitor.label("teach.another"), size="sm")
        with gr.Column(scale=2, min_width=300):
            output = _html("twin-out")
    place = gr.State(0)
    inputs = [place, depth, method]
    for control in (depth, method):
        control.input(compare, inputs=inputs, outputs=[output], **queued)
    more.click(other_cell, inputs=inputs, outputs=[place, output], **queued)
    return compare, inputs, [output]


def _draw(get_ensemble: Callable[[], Ensemble], live: dict[str, Any]) -> Opening:
    # What is said of each below the trace.
    shown = {
        name: {"stain": "dark"}.get(name, name)
        for name in (
            "diameter", "nucleus_to_cytoplasm", "chromatin", "nucleoli", "irregularity", "stain", "hue",
        )
    }  # fmt: skip
    defaults = asdict(synthetic.CellRecipe())

    def draw(seed: int, steps: Steps, *values: Any, what: str = "start") -> tuple[str, Steps]:
        recipe = synthetic.CellRecipe(**dict(zip(shown, values, strict=True)))
        cell = read_cell(synthetic.paint(recipe, seed), "drawn")
        _, page, steps = _traced(get_ensemble, cell, Changes(), steps, f"teach.step.{what}", see=True)
        return page, steps

    def other(seed: int, _: Steps, *values: float) -> Any:
        return seed + 1, *draw(seed + 1, (), *values)

    with _part("draw"), gr.Row(elem_classes="lv-lesson"):
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
            output = _html("draw-out")
    seed, steps = gr.State(3), gr.State((), time_to_live=7200)
    inputs = [seed, steps, *controls]
    for name, control in zip(shown, controls, strict=True):
        what = shown[name]
        control.input(
            lambda *now, what=what: draw(*now, what=what), inputs=inputs, outputs=[output, steps], **live
        )
    more.click(other, inputs=inputs, outputs=[seed, output, steps], **live)
    return draw, inputs, [output, steps]


def _shortcut(
    get_ensemble: Callable[[], Ensemble],
    cells: list[Cell],
    get_scores: Callable[[], scores.Scores | None],
    live: dict[str, Any],
) -> Opening:
    def rule(ruler: str, cut: float) -> str:
        return ruler_html(get_scores(), ruler, cut, visitor.texts())

    def scaled(place: int, steps: Steps, size: float) -> tuple[str, Steps]:
        changes = Changes(size=size / 100)
        _, page, steps = _traced(get_ensemble, cells[place], changes, steps, "teach.step.size", see=True)
        return page, steps

    def other(place: int, _: Steps, __: float) -> Any:
        place = (place + 1) % len(cells)
        return place, 100, *scaled(place, (), 100)

    with _part("shortcut"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=280):
            ruler = gr.Radio(
                [(visitor.label(f"teach.ruler_{name}"), name) for name in scores.RULERS], value="area",
                label=visitor.label("teach.ruler"), elem_id="lv-ruler",
            )  # fmt: skip
            cut = gr.Slider(0, 100, 50, step=1, label=visitor.label("teach.cut"), elem_id="lv-cut")
            ruled = _html("ruler-out")
        with gr.Column(scale=1, min_width=280):
            size = gr.Slider(70, 130, 100, step=1, label=visitor.label("teach.size"), elem_id="lv-size")
            more = gr.Button(visitor.label("teach.another"), size="sm")
            output = _html("size-out")
    place, steps = gr.State(0), gr.State((), time_to_live=7200)
    light: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "always_last",
    }
    for control in (ruler, cut):
        control.input(rule, inputs=[ruler, cut], outputs=ruled, **light)
    inputs = [place, steps, size]
    size.input(scaled, inputs=inputs, outputs=[output, steps], **live)
    more.click(other, inputs=inputs, outputs=[place, size, output, steps], **live)

    def opened(ruler: str, cut: float, *values: Any) -> Any:
        return rule(ruler, cut), *scaled(*values)

    return opened, [ruler, cut, *inputs], [ruled, output, steps]


def _line(get_scores: Callable[[], scores.Scores | None]) -> Opening:
    def drawn(line: float, prevalence: float) -> str:
        return line_html(get_scores(), line, prevalence, visitor.texts())

    with _part("line"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            line = gr.Slider(
                0, 1, 0.5, step=0.01, label=visitor.label("teach.threshold"), elem_id="lv-threshold"
            )
            sick = gr.Slider(
                0.1,
                90,
                50,
                step=0.1,
                label=visitor.label("teach.prevalence"),
                elem_id="lv-prevalence",
            )
        with gr.Column(scale=2, min_width=300):
            output = _html("line-out")
    for control in (line, sick):
        control.input(
            drawn, inputs=[line, sick], outputs=output,
            show_progress="hidden", api_visibility="private", trigger_mode="always_last",
        )  # fmt: skip
    return lambda *values: [drawn(*values)], [line, sick], [output]


def _traced(
    get_ensemble: Callable[[], Ensemble],
    cell: Cell,
    changes: Changes,
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
        now = changed(cell, changes)
        analysis = ensemble.analyse([now])[0]
    except (CellError, StoreError) as error:
        return canvas_html(cell, texts), render.alert_html(str(error), texts=texts), steps
    steps = (*steps, (texts(what, size=100 * changes.size), analysis.p_all))[-STEPS:]
    thresholds = ensemble.manifest.thresholds
    below = charts.trace(steps, thresholds.abstain, texts)
    page = render.brief_html(analysis, _picture(ensemble, now), below, thresholds.decide, texts)
    before = f'<div class="lv-asked lv-small">{_seen(now, texts("teach.the_cell"))}</div>' if see else ""
    return canvas_html(now, texts), before + page, steps


def drawn_cell(seed: int, place: int) -> tuple[Cell, str]:
    """A drawn cell of this visitor's row, and what it was drawn to look like."""
    own = random.Random(f"{seed} {place}")
    truth = own.choice(("ALL", "healthy"))
    number = own.randrange(1_000_000)
    recipe = (synthetic.blast_like if truth == "ALL" else synthetic.lymphocyte_like)(number)
    return read_cell(synthetic.paint(recipe, number), "drawn"), truth


def truth_of(name: str) -> str:
    """The class that a file's name tells, as in C-NMC ("UID_1_1_1_all.bmp", "hem/x.png"); else ""."""
    found = re.findall(r"(?:^|[_\-/\\ ])(all|hem|healthy)(?=[_\-/\\ .]|$)", name.lower())
    return "" if not found else "ALL" if found[-1] == "all" else "healthy"


def truth_line(truth: str, are_drawn: bool, texts: Texts) -> str:
    """What a cell was, or what it was drawn to look like."""
    if not truth:
        return texts("teach.unknown")
    return texts(f"teach.drawn_{truth}") if are_drawn else texts("teach.truth", truth=texts(f"words.{truth}"))


def nav_html(texts: Texts = ENGLISH) -> str:
    """Buttons, one for each part."""
    buttons = "".join(
        f'<button type="button" class="lv-button" data-part="{key}" aria-pressed="{str(not place).lower()}">'
        f"{texts(f'teach.{key}.title')}</button>"
        for place, key in enumerate(PARTS)
    )
    return f'<nav class="lv-nav" aria-label="{texts("teach.parts")}">{buttons}</nav>'


def asked_html(cell: Cell, texts: Texts = ENGLISH) -> str:
    """A cell of which nothing is said yet."""
    asked = texts("teach.your_guess")
    return f'<div class="lv-asked"><h3>{asked}</h3>{_seen(cell, asked)}</div>'


def canvas_html(cell: Cell, texts: Texts = ENGLISH) -> str:
    """The cell to paint on."""
    paint = texts("teach.brush")
    return f'<div class="lv-canvas">{_seen(cell, paint)}<p>{paint}</p></div>'


def score_html(game: Game, texts: Texts = ENGLISH) -> str:
    """Who was right how often."""
    names = {"you": texts("teach.you")}
    names |= {who: render.title_of(who) for who in game.right if who not in ("you", "ensemble")}
    names["ensemble"] = texts("result.ensemble")
    rows = ""
    for who, name in names.items():
        score = {"right": game.right.get(who, 0), "of": game.of}
        if who == "ensemble" and game.unsure:
            said = texts("teach.score_unsure", unsure=game.unsure, **score)
        else:
            said = texts("teach.score", **score)
        rows += f'<tr><th scope="row">{name}</th><td>{said}</td></tr>'
    return (
        f'<table class="lv-table"><thead><tr><th scope="col">{texts("teach.who")}</th>'
        f'<th scope="col">{texts("teach.right")}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def ruler_html(found: scores.Scores | None, ruler: str, cut: float, texts: Texts = ENGLISH) -> str:
    """How far one number gets, and for whom it fails.

    Args:
        found: out-of-fold scores.
        ruler: one of `scores.RULERS`.
        cut: percent of the cells that lie below the line.
        texts: of a language.
    """
    if found is None:
        return render.alert_html(texts("teach.no_scores"), "", texts)
    says = scores.called(found, ruler, float(np.percentile(found.values[ruler], cut)))
    line, own = scores.count(found, says), scores.auc(found, ruler)
    name = texts(f"teach.ruler_{ruler}")
    words = texts(
        "teach.ruler_says", ruler=name, auc=max(own, 1 - own), right=100 * line.sensitivity,
        rest=100 * line.specificity, ensemble=scores.auc(found, "p_all"),
    )  # fmt: skip
    up = texts("teach.ruler_up", ruler=name)
    chart = charts.subjects(scores.by_subject(found, says), up, texts)
    return f'<div class="lv-brief"><p role="status">{words}</p>{chart}{_unseen(found, texts)}</div>'


def line_html(found: scores.Scores | None, line: float, prevalence: float, texts: Texts = ENGLISH) -> str:
    """What a threshold does.

    Args:
        found: out-of-fold scores.
        line: p(ALL) from which a cell is called ALL.
        prevalence: percent of cells that are ALL where this would be used.
        texts: of a language.
    """
    if found is None:
        return render.alert_html(texts("teach.no_scores"), "", texts)
    says = scores.called(found, "p_all", line)
    counts = scores.count(found, says)
    positive, negative = counts.predictive(prevalence / 100)
    figures = (
        (texts("teach.sensitivity"), counts.sensitivity),
        (texts("teach.specificity"), counts.specificity),
        (texts("teach.positive", prevalence=prevalence), positive),
        (texts("teach.negative", prevalence=prevalence), negative),
    )
    tiles = ""
    for name, value in figures:
        said = texts("teach.none_called") if np.isnan(value) else texts("teach.value", percent=100 * value)
        tiles += f"<div><dt>{name}</dt><dd>{said}</dd></div>"
    chart = charts.subjects(scores.by_subject(found, says), texts("teach.line_up"), texts)
    return (
        f'<div class="lv-brief"><div role="status"><dl class="lv-tiles">{tiles}</dl></div>'
        '<table class="lv-table lv-matrix"><thead><tr><td></td>'
        f'<th scope="col">{texts("teach.called_ALL")}</th>'
        f'<th scope="col">{texts("teach.called_healthy")}</th></tr></thead><tbody>'
        f'<tr><th scope="row">{texts("teach.has_ALL")}</th>'
        f"<td>{counts.hits}</td><td>{counts.misses}</td></tr>"
        f'<tr><th scope="row">{texts("teach.is_healthy")}</th>'
        f"<td>{counts.alarms}</td><td>{counts.rests}</td></tr>"
        f"</tbody></table>{chart}{_unseen(found, texts)}</div>"
    )


def _unseen(found: scores.Scores, texts: Texts) -> str:
    words = texts("teach.unseen", cells=len(found.is_all), subjects=len(np.unique(found.subjects)))
    return f'<p class="lv-note">{words}</p>'


def _seen(cell: Cell, alt: str) -> str:
    kind = ' class="lv-brighter"' if is_dark(cell) else ""
    return f'<img{kind} src="{render.data_uri(window(cell))}" alt="{escape(alt)}" draggable="false">'


def _picture(ensemble: Ensemble, cell: Cell) -> np.ndarray:
    return ensemble.input.picture(cell, SIDE)


_NAV = """
const root = document.documentElement;
root.dataset.part ??= 'guess';
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-part]');
  if (!button) return;
  root.dataset.part = button.dataset.part;
  for (const one of element.querySelectorAll('[data-part]')) {
    one.setAttribute('aria-pressed', one === button);
  }
  trigger('select', { part: button.dataset.part });
});
"""

# Where the pointer goes while it is down, as parts of the picture's side; drawn at once, sent when it is up.
_BRUSH = """
let points = null;
const add = (event) => {
  const image = element.querySelector('.lv-canvas img');
  const box = image.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
  if (x < 0 || y < 0 || x > 1 || y > 1) return;
  points.push([x, y]);
  const dot = document.createElement('i');
  dot.className = 'lv-paint';
  dot.style.left = 100 * x + '%';
  dot.style.top = 100 * y * image.clientHeight / image.parentElement.clientHeight + '%';
  image.parentElement.append(dot);
};
element.addEventListener('pointerdown', (event) => {
  if (!event.target.matches('.lv-canvas img')) return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  points = [];
  add(event);
});
element.addEventListener('pointermove', (event) => points && add(event));
const end = () => {
  if (points && points.length) trigger('select', { points });
  points = null;
};
element.addEventListener('pointerup', end);
element.addEventListener('pointercancel', end);
"""
