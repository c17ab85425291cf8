"""The part *Guess first*: a student, the backbones and the ensemble say what a cell is, and who was right
is counted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from leukovision.cell import Cell
from leukovision.demo import render, visitor
from leukovision.demo.examples import truth_line
from leukovision.demo.static import script
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.ensemble import Analysis, Ensemble
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import UNSURE, Question

_PIECES = macros("lesson")


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


def part(
    get_ensemble: Callable[[], Ensemble],
    cells: list[Cell],
    are_drawn: bool,
    queued: dict[str, Any],
    question: Question,
) -> None:
    """Put the part into the tab that is open."""

    def cell_of_game(game: Game) -> tuple[Cell, str]:
        return lesson.dealt(cells, are_drawn, game.seed, game.place, question)

    def begin() -> tuple[Game, Markup, Markup]:
        game = Game(random.randrange(1_000_000))
        texts = visitor.texts()
        return game, asked_html(cell_of_game(game)[0], texts), score_html(game, texts)

    def guess(game: Game, said: str) -> tuple[Game, Markup, Markup]:
        if game.guess:
            return game, gr.skip(), gr.skip()
        texts, ensemble = visitor.texts().about(question), get_ensemble()
        cell, truth = cell_of_game(game)
        analysis = ensemble.analyse([cell])[0]
        decide, figures = ensemble.manifest.thresholds.decide, ensemble.manifest.figures
        game = played(game, said, truth, analysis, decide)
        words = texts("teach.said", guess=texts.kind(said))
        told = _PIECES.told(f"{words} {truth_line(truth, are_drawn, texts)}")
        return (
            game,
            told + render.brief_html(analysis, lesson.picture(ensemble, cell), "", decide, texts, figures),
            score_html(game, texts),
        )

    def onward(game: Game) -> tuple[Game, Markup, Markup]:
        game, texts = Game(game.seed, game.place + 1, "", game.right, game.of, game.unsure), visitor.texts()
        return game, asked_html(cell_of_game(game)[0], texts), score_html(game, texts)

    start = Game(1)
    with lesson.column("guess", question), gr.Row(elem_classes="lv-lesson"):
        with gr.Column(scale=2, min_width=280):
            output = lesson.html("guess-out", partial(asked_html, cell_of_game(start)[0]))
        with gr.Column(scale=1, min_width=240):
            with gr.Row():
                buttons = {
                    said: gr.Button(
                        visitor.start(partial(kind_of, said), question),
                        elem_id=f"lv-say-{question.side(said)}",
                        variant="primary",
                        min_width=90,
                    )
                    for said in question.names
                }
            forward = gr.Button(visitor.label("teach.next"), elem_id="lv-next")
            board = lesson.html("score", partial(score_html, start))
            again = gr.Button(visitor.label("teach.restart"), size="sm")
    game = gr.State(start, time_to_live=7200)
    shown = [game, output, board]
    for said, button in buttons.items():
        button.click(
            lambda now, said=said: guess(now, said), inputs=game, outputs=shown, js=script("guess"), **queued
        )
    plain: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    forward.click(onward, inputs=game, outputs=shown, **plain)
    again.click(begin, outputs=shown, **plain)


def kind_of(name: str, texts: Texts) -> str:
    """What a class is called."""
    return lesson.capital(texts.kind(name))


def played(game: Game, guess: str, truth: str, analysis: Analysis, decide: float) -> Game:
    """The game after a guess: everybody is right or wrong where the truth is known.

    Args:
        game: before it.
        guess: of the student, a class.
        truth: likewise; "" where nobody knows.
        analysis: of the cell.
        decide: probability from which a backbone says the positive class.
    """
    called = analysis.question.called
    calls = {name: called(member.p_all >= decide) for name, member in analysis.members.items()}
    calls = {"you": guess, **calls, "ensemble": analysis.decision}
    known = bool(truth)
    return Game(
        game.seed,
        game.place,
        guess,
        {who: game.right.get(who, 0) + (known and call == truth) for who, call in calls.items()},
        game.of + known,
        game.unsure + (known and analysis.decision == UNSURE),
    )


def asked_html(cell: Cell, texts: Texts = ENGLISH) -> Markup:
    """A cell of which nothing is said yet."""
    return _PIECES.asked(texts, lesson.seen(cell, texts("teach.your_guess")))


def score_html(game: Game, texts: Texts = ENGLISH) -> Markup:
    """Who was right how often."""
    names = {"you": texts("teach.you")}
    names |= {who: render.title_of(who) for who in game.right if who not in ("you", "ensemble")}
    names["ensemble"] = texts("result.ensemble")
    rows = []
    for who, name in names.items():
        score = {"right": game.right.get(who, 0), "of": game.of}
        if who == "ensemble" and game.unsure:
            said = texts("teach.score_unsure", unsure=game.unsure, **score)
        else:
            said = texts("teach.score", **score)
        rows.append(("", name, said))
    return _PIECES.board(texts, rows)
