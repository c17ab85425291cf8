"""The tab for lessons: six parts in which a class finds out what the maps and figures are worth."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from leukovision import painter
from leukovision.cell import Cell, CellError, read_cell
from leukovision.demo import charts, render, scores
from leukovision.demo.changes import Changes, changed, window
from leukovision.ensemble import Ensemble
from leukovision.faithfulness import alike, cell_of
from leukovision.saliency import DEFAULT, METHODS, explain
from leukovision.store import StoreError
from leukovision.twin import twin

SIDE = 320
"""Side of the pictures under the maps, px."""

STEPS = 40
"""Changes that a trace remembers."""

QUICK = (DEFAULT, "gradcam", "layercam", "gradient")
"""Methods that a lesson does not have to wait for."""

PARTS = {
    "guess": (
        "Guess first",
        "Say ALL or healthy before the networks do, ten cells in a row.",
        "See who is right more often, and on which cells everybody fails.",
        "Ask: what did you look at, and is it what the maps mark?",
    ),
    "break": (
        "Break it",
        "Turn, brighten, blur or paint over the cell until the decision changes.",
        "See that some changes that no doctor would mind move p(ALL), and that others only end in “unsure”.",
        "Ask: which of these changes happen by themselves in a laboratory?",
    ),
    "twin": (
        "A twin that knows nothing",
        "Compare the maps of the trained networks with those of a twin whose layers were shuffled.",
        "See that LayerCAM hardly changes when the head is shuffled, while the map that adds up does.",
        "Ask: what does a map explain that looks the same for networks that know nothing?",
    ),
    "draw": (
        "Draw a cell",
        "Draw a textbook blast: large, scant cytoplasm, fine chromatin, nucleoli, an irregular outline.",
        "See which of these traits the ensemble minds, and which it passes over.",
        "Ask: has it learnt the textbook, or something else that told the cells of this hospital apart?",
    ),
    "shortcut": (
        "The shortcut",
        "Let a ruler decide: call every cell above a size ALL, then scale one cell up and down.",
        "See how far size alone gets, for which donors it fails, and that the ensemble hardly minds it.",
        "Ask: why would a network choose the ruler, if it were allowed to?",
    ),
    "line": (
        "Where to put the line",
        "Move the threshold, then make the disease as rare as it is among those who are screened.",
        "See sensitivity bought with specificity, and the predictive value fall with the prevalence.",
        "Ask: which mistake is worse here, and who bears it?",
    ),
}
"""Title of each part, and three sentences for the teacher: what to try, what to see, what to ask."""

TEXT: dict[str, str] = {
    "parts": "Parts of the lesson",
    "all": "ALL",
    "healthy": "Healthy",
    "next": "Next cell",
    "another": "Another cell",
    "restart": "Start again",
    "undo": "Undo all changes",
    "you": "You",
    "your_guess": "What is this cell?",
    "said": "You said {guess}. ",
    "truth": "The truth: {truth}.",
    "as_drawn": "It was drawn to look like {truth}; a drawn cell has no diagnosis.",
    "unknown": "Nobody knows the truth of this cell; it does not count.",
    "score": "{right} of {of}",
    "unsure": "{count} unsure",
    "who": "Who",
    "right": "Right so far",
    "brush": "Paint on the cell to cover it",
    "start": "as it was",
    "trained": "The trained networks",
    "shuffled": "The twin, {depth} shuffled",
    "alike": "Rank correlation of the two maps on the cell: {value:.2f} (1: the same; 0: nothing in common).",
    "twin_p": "p(ALL) by the networks {own:.2f}, by the twin {other:.2f}.",
    "no_scores": (
        "The ensemble in use came without the scores of cells that it had not seen (scores.csv): "
        "leukovision calibrate writes them."
    ),
    "ruler_says": (
        "By {ruler} alone: AUC {auc:.2f}; with the line here {right:.0f} % of ALL cells and {rest:.0f} % of "
        "healthy cells are called right. The ensemble: AUC {ensemble:.2f}."
    ),
    "ruler_up": "Cells called right by {ruler} alone, by subject",
    "line_up": "Cells called right at this line, by subject",
    "unseen": "{cells} cells of {subjects} people whom the networks had not seen.",
}

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
    queued: dict[str, Any] = {
        "show_progress": "hidden",
        "concurrency_limit": 1,
        "concurrency_id": "ensemble",
        "api_visibility": "private",
    }
    live = queued | {"trigger_mode": "always_last"}

    @cache
    def get_scores() -> scores.Scores | None:
        try:
            return scores.read(get_ensemble().found.folder)
        except StoreError:
            return None

    with gr.Column(elem_id="lv-teach"):
        nav = gr.HTML(nav_html(), js_on_load=_NAV, apply_default_css=False, elem_id="lv-parts")
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

        def opened(
            event: gr.EventData, *values: Any, key: str = key, act: Any = act, many: int = len(outputs)
        ) -> Any:
            return act(*values) if event.part == key else [gr.skip()] * many

        nav.select(opened, inputs=inputs, outputs=outputs, **queued)


def _part(key: str) -> gr.Column:
    """The column of a part, with its sentences for the teacher."""
    column = gr.Column(elem_id=f"lv-part-{key}", elem_classes="lv-part")
    with column:
        title, *sentences = PARTS[key]
        items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
        gr.HTML(
            f'<section class="lv-teacher"><h2>{title}</h2><ol>{items}</ol></section>',
            apply_default_css=False,
            js_on_load=None,
        )
    return column


def _html(kind: str, value: str = "", js: str | None = None) -> gr.HTML:
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
        return game, asked_html(cell_of_game(game)[0]), score_html(game)

    def guess(game: Game, said: str) -> tuple[Game, str, str]:
        if game.guess:
            return game, gr.skip(), gr.skip()
        ensemble = get_ensemble()
        cell, truth = cell_of_game(game)
        analysis = ensemble.analyse([cell])[0]
        decide = ensemble.manifest.thresholds.decide
        calls = {name: "ALL" if m.p_all >= decide else "healthy" for name, m in analysis.members.items()}
        calls = {"you": said, **calls, "ensemble": analysis.decision}
        right = {who: game.right.get(who, 0) + (bool(truth) and call == truth) for who, call in calls.items()}
        of = game.of + bool(truth)
        unsure = game.unsure + (bool(truth) and analysis.decision == "unsure")
        game = Game(game.seed, game.place, said, right, of, unsure)
        known = TEXT["as_drawn" if are_drawn else "truth"].format(truth=_class(truth, are_drawn))
        words = TEXT["said"].format(guess=said) + (known if truth else TEXT["unknown"])
        told = f'<p class="lv-told" role="status">{words}</p>'
        return (
            game,
            told + render.brief_html(analysis, _picture(ensemble, cell), "", decide),
            score_html(game),
        )

    def onward(game: Game) -> tuple[Game, str, str]:
        game = Game(game.seed, game.place + 1, "", game.right, game.of, game.unsure)
        return game, asked_html(cell_of_game(game)[0]), score_html(game)

    start = Game(1)
    with _part("guess"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=2, min_width=280):
            output = _html("guess-out", asked_html(cell_of_game(start)[0]))
        with gr.Column(scale=1, min_width=240):
            with gr.Row():
                buttons = {
                    said: gr.Button(TEXT[key], elem_id=f"lv-say-{key}", variant="primary", min_width=90)
                    for key, said in (("all", "ALL"), ("healthy", "healthy"))
                }
            forward = gr.Button(TEXT["next"], elem_id="lv-next")
            board = _html("score", score_html(start))
            again = gr.Button(TEXT["restart"], size="sm")
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
        return _traced(get_ensemble, cells[place], changes, steps, what)

    def covering(event: gr.EventData, place: int, steps: Steps, points: Points, *values: float) -> Any:
        # Only numbers are taken from the browser, and not without end.
        new = [(float(x), float(y)) for x, y in list(event.points)[:200]]
        points = (*points, *new)[-600:]
        return *broken(place, steps, points, *values, what="cover"), points

    def fresh(place: int, _: Steps, __: Points, *___: float) -> Any:
        found = _traced(get_ensemble, cells[place], Changes(), (), TEXT["start"])
        return *found, (), *defaults

    def other(place: int, *rest: Any) -> Any:
        place = (place + 1) % len(cells)
        return place, *fresh(place, *rest)

    names = ("turn", "brighten", "blur", "stain", "noise", "corner")
    defaults = (0, 1, 0, 0, 0, False)
    with _part("break"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            canvas = _html("canvas", canvas_html(cells[0]), _BRUSH)
            controls: list[Any] = [
                gr.Slider(-180, 180, 0, step=1, label="Turn, degrees", elem_id="lv-turn"),
                gr.Slider(0.4, 1.8, 1, step=0.02, label="Brightness", elem_id="lv-brighten"),
                gr.Slider(0, 8, 0, step=0.25, label="Blur, px", elem_id="lv-blur"),
                gr.Slider(-1, 1, 0, step=0.05, label="Stain: bluer to redder", elem_id="lv-stain"),
                gr.Slider(0, 40, 0, step=1, label="Noise, of 255 levels", elem_id="lv-noise"),
                gr.Checkbox(label="A coloured corner", elem_id="lv-corner"),
            ]
            with gr.Row():
                undo = gr.Button(TEXT["undo"], size="sm", elem_id="lv-undo")
                more = gr.Button(TEXT["another"], size="sm")
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

    def compare(place: int, depth: str, method: str) -> list[str]:
        try:
            ensemble, other = get_ensemble(), of_depth(depth)
        except StoreError as error:
            return [render.alert_html(str(error))]
        picture = ensemble.input.picture(cells[place])
        numbers = ensemble.input.numbers(picture)
        p_own, p_other = (1 / (1 + np.exp(-one.logits(numbers[None])[0])) for one in (ensemble, other))
        target = "ALL" if p_own >= 0.5 else "healthy"
        sign = 1 if target == "ALL" else -1
        own, its = (sign * explain(one, numbers, method, target).combined for one in (ensemble, other))
        fine = _picture(ensemble, cells[place])
        shuffled = TEXT["shuffled"].format(depth=depth)
        alike_words = TEXT["alike"].format(value=alike(own, its, cell_of(numbers)))
        return [
            f'<article class="lv-brief" data-of="{method} {depth}"><div class="lv-two">'
            f"{render.map_html(own, fine, TEXT['trained'])}{render.map_html(its, fine, shuffled)}</div>"
            f'<p role="status">{alike_words} {TEXT["twin_p"].format(own=p_own, other=p_other)}</p></article>'
        ]

    def other_cell(place: int, depth: str, method: str) -> Any:
        place = (place + 1) % len(cells)
        return place, *compare(place, depth, method)

    with _part("twin"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            depth = gr.Radio(
                [("the head", "head"), ("half of the layers", "half"), ("all layers", "all")], value="head",
                label="What is shuffled", elem_id="lv-depth",
            )  # fmt: skip
            method = gr.Radio(
                [(METHODS[key].title, key) for key in QUICK], value=DEFAULT, label="Map", elem_id="lv-map-by"
            )
            more = gr.Button(TEXT["another"], size="sm")
        with gr.Column(scale=2, min_width=300):
            output = _html("twin-out")
    place = gr.State(0)
    inputs = [place, depth, method]
    for control in (depth, method):
        control.input(compare, inputs=inputs, outputs=[output], **queued)
    more.click(other_cell, inputs=inputs, outputs=[place, output], **queued)
    return compare, inputs, [output]


def _draw(get_ensemble: Callable[[], Ensemble], live: dict[str, Any]) -> Opening:
    shown = {
        "diameter": "Diameter of the cell, px",
        "nucleus_to_cytoplasm": "Nucleus, share of the cell",
        "chromatin": "Chromatin: fine to clumped",
        "nucleoli": "Nucleoli",
        "irregularity": "Outline: round to irregular",
        "stain": "Stain: pale to dark",
        "hue": "Stain: bluer to redder",
    }
    defaults = asdict(painter.CellRecipe())

    def draw(seed: int, steps: Steps, *values: Any, what: str = "") -> tuple[str, Steps]:
        recipe = painter.CellRecipe(**dict(zip(shown, values, strict=True)))
        cell = read_cell(painter.paint(recipe, seed), "drawn")
        _, page, steps = _traced(get_ensemble, cell, Changes(), steps, what or TEXT["start"], see=True)
        return page, steps

    def other(seed: int, _: Steps, *values: float) -> Any:
        return seed + 1, *draw(seed + 1, (), *values)

    with _part("draw"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            controls = [
                gr.Slider(
                    *painter.RANGES[name], defaults[name], label=title, elem_id=f"lv-draw-{name}",
                    step=1 if name in ("nucleoli", "diameter") else 0.01,
                )
                for name, title in shown.items()
            ]  # fmt: skip
            more = gr.Button(TEXT["another"], size="sm")
        with gr.Column(scale=2, min_width=300):
            output = _html("draw-out")
    seed, steps = gr.State(3), gr.State((), time_to_live=7200)
    inputs = [seed, steps, *controls]
    for name, control in zip(shown, controls, strict=True):
        title = shown[name].split(":")[0].split(",")[0].lower()
        control.input(
            lambda *now, title=title: draw(*now, what=title), inputs=inputs, outputs=[output, steps], **live
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
        return ruler_html(get_scores(), ruler, cut)

    def scaled(place: int, steps: Steps, size: float, what: str = "") -> tuple[str, Steps]:
        what = what or f"{size:.0f} %"
        _, page, steps = _traced(get_ensemble, cells[place], Changes(size=size / 100), steps, what, see=True)
        return page, steps

    def other(place: int, _: Steps, __: float) -> Any:
        place = (place + 1) % len(cells)
        return place, 100, *scaled(place, (), 100)

    with _part("shortcut"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=280):
            ruler = gr.Radio(
                [("size", "area"), *((f"mean {name}", name) for name in scores.RULERS[1:])], value="area",
                label="Ruler", elem_id="lv-ruler",
            )  # fmt: skip
            cut = gr.Slider(0, 100, 50, step=1, label="Line: share of cells below it, %", elem_id="lv-cut")
            ruled = _html("ruler-out")
        with gr.Column(scale=1, min_width=280):
            size = gr.Slider(70, 130, 100, step=1, label="Size of this cell, %", elem_id="lv-size")
            more = gr.Button(TEXT["another"], size="sm")
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
        return line_html(get_scores(), line, prevalence)

    with _part("line"), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=1, min_width=260):
            line = gr.Slider(0, 1, 0.5, step=0.01, label="Call it ALL from p(ALL) =", elem_id="lv-threshold")
            sick = gr.Slider(
                0.1,
                90,
                50,
                step=0.1,
                label="Prevalence: cells with ALL among all, %",
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

    With `see` the cell itself stands before the maps, as large as it is.
    """
    try:
        ensemble = get_ensemble()
        now = changed(cell, changes)
        analysis = ensemble.analyse([now])[0]
    except (CellError, StoreError) as error:
        return canvas_html(cell), render.alert_html(str(error)), steps
    steps = (*steps, (what, analysis.p_all))[-STEPS:]
    thresholds = ensemble.manifest.thresholds
    below = charts.trace(steps, thresholds.abstain)
    page = render.brief_html(analysis, _picture(ensemble, now), below, thresholds.decide)
    before = f'<div class="lv-asked lv-small">{_seen(now, "the cell")}</div>' if see else ""
    return canvas_html(now), before + page, steps


def drawn_cell(seed: int, place: int) -> tuple[Cell, str]:
    """A drawn cell of this visitor's row, and what it was drawn to look like."""
    own = random.Random(f"{seed} {place}")
    truth = own.choice(("ALL", "healthy"))
    number = own.randrange(1_000_000)
    recipe = (painter.blast_like if truth == "ALL" else painter.lymphocyte_like)(number)
    return read_cell(painter.paint(recipe, number), "drawn"), truth


def truth_of(name: str) -> str:
    """The class that a file's name tells, as in C-NMC ("UID_1_1_1_all.bmp", "hem/x.png"); else ""."""
    found = re.findall(r"(?:^|[_\-/\\ ])(all|hem|healthy)(?=[_\-/\\ .]|$)", name.lower())
    return "" if not found else "ALL" if found[-1] == "all" else "healthy"


def nav_html() -> str:
    """Buttons, one for each part."""
    buttons = "".join(
        f'<button type="button" class="lv-button" data-part="{key}" aria-pressed="{str(not place).lower()}">'
        f"{part[0]}</button>"
        for place, (key, part) in enumerate(PARTS.items())
    )
    return f'<nav class="lv-nav" aria-label="{TEXT["parts"]}">{buttons}</nav>'


def asked_html(cell: Cell) -> str:
    """A cell of which nothing is said yet."""
    return f'<div class="lv-asked"><h3>{TEXT["your_guess"]}</h3>{_seen(cell, TEXT["your_guess"])}</div>'


def canvas_html(cell: Cell) -> str:
    """The cell to paint on."""
    return f'<div class="lv-canvas">{_seen(cell, TEXT["brush"])}<p>{TEXT["brush"]}</p></div>'


def score_html(game: Game) -> str:
    """Who was right how often."""
    names = {"you": TEXT["you"]}
    names |= {who: render.title_of(who) for who in game.right if who not in ("you", "ensemble")}
    names["ensemble"] = render.TEXT["ensemble"]
    rows = ""
    for who, name in names.items():
        said = TEXT["score"].format(right=game.right.get(who, 0), of=game.of)
        if who == "ensemble" and game.unsure:
            said += f" ({TEXT['unsure'].format(count=game.unsure)})"
        rows += f'<tr><th scope="row">{name}</th><td>{said}</td></tr>'
    return (
        f'<table class="lv-table"><thead><tr><th scope="col">{TEXT["who"]}</th>'
        f'<th scope="col">{TEXT["right"]}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def ruler_html(found: scores.Scores | None, ruler: str, cut: float) -> str:
    """How far one number gets, and for whom it fails.

    Args:
        found: out-of-fold scores.
        ruler: one of `scores.RULERS`.
        cut: percent of the cells that lie below the line.
    """
    if found is None:
        return render.alert_html(TEXT["no_scores"], "")
    says = scores.called(found, ruler, float(np.percentile(found.values[ruler], cut)))
    line, own = scores.count(found, says), scores.auc(found, ruler)
    name = "size" if ruler == "area" else f"mean {ruler}"
    words = TEXT["ruler_says"].format(
        ruler=name, auc=max(own, 1 - own), right=100 * line.sensitivity, rest=100 * line.specificity,
        ensemble=scores.auc(found, "p_all"),
    )  # fmt: skip
    chart = charts.subjects(scores.by_subject(found, says), TEXT["ruler_up"].format(ruler=name))
    return f'<div class="lv-brief"><p role="status">{words}</p>{chart}{_unseen(found)}</div>'


def line_html(found: scores.Scores | None, line: float, prevalence: float) -> str:
    """What a threshold does.

    Args:
        found: out-of-fold scores.
        line: p(ALL) from which a cell is called ALL.
        prevalence: percent of cells that are ALL where this would be used.
    """
    if found is None:
        return render.alert_html(TEXT["no_scores"], "")
    says = scores.called(found, "p_all", line)
    counts = scores.count(found, says)
    positive, negative = counts.predictive(prevalence / 100)
    figures = (
        ("Sensitivity", counts.sensitivity),
        ("Specificity", counts.specificity),
        (f"Positive predictive value at {prevalence:g} %", positive),
        (f"Negative predictive value at {prevalence:g} %", negative),
    )
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{'none called' if np.isnan(value) else f'{100 * value:.1f} %'}</dd></div>"
        for name, value in figures
    )
    return (
        f'<div class="lv-brief"><dl class="lv-tiles" role="status">{tiles}</dl>'
        '<table class="lv-table lv-matrix"><thead><tr><td></td><th scope="col">called ALL</th>'
        '<th scope="col">called healthy</th></tr></thead><tbody>'
        f'<tr><th scope="row">has ALL</th><td>{counts.hits}</td><td>{counts.misses}</td></tr>'
        f'<tr><th scope="row">is healthy</th><td>{counts.alarms}</td><td>{counts.rests}</td></tr>'
        f"</tbody></table>{charts.subjects(scores.by_subject(found, says), TEXT['line_up'])}"
        f"{_unseen(found)}</div>"
    )


def _unseen(found: scores.Scores) -> str:
    words = TEXT["unseen"].format(cells=len(found.is_all), subjects=len(np.unique(found.subjects)))
    return f'<p class="lv-note">{words}</p>'


def _seen(cell: Cell, alt: str) -> str:
    kind = ' class="lv-brighter"' if cell.on_black else ""
    return f'<img{kind} src="{render.data_uri(window(cell))}" alt="{escape(alt)}" draggable="false">'


def _picture(ensemble: Ensemble, cell: Cell) -> np.ndarray:
    return ensemble.input.picture(cell, SIDE)


def _class(truth: str, are_drawn: bool) -> str:
    if not are_drawn:
        return truth
    return "a blast" if truth == "ALL" else "a healthy lymphocyte"


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
  dot.style.top = 100 * y * box.height / image.parentElement.clientHeight + '%';
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
