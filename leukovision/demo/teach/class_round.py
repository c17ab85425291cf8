"""The part *A class together*: a teacher opens a round, phones come in by its code, and all see each tap."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from leukovision.artifact import StoreError
from leukovision.cell import Cell
from leukovision.demo import fair_queue, render, rounds, visitor
from leukovision.demo.examples import truth_line
from leukovision.demo.static import script
from leukovision.demo.teach import lesson
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble
from leukovision.explain.faithfulness import REMOVED, curves
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.i18n import ENGLISH, Texts, choose
from leukovision.question import Question

_PIECES, _SHARED = macros("class_round"), macros("lesson")

ROUNDS = rounds.Rounds()
"""Of this process."""

EVERY, BEAT = 0.15, 15
"""How often a stream looks for what is new, and says that it is still there, s."""

RATED = (DEFAULT, "gradcam", "layercam", "gradient")
"""Methods whose maps a class rates: none takes long."""

LETTERS = "ABCD"
"""What maps are called before their names are shown."""


def part(
    get_ensemble: Callable[[], Ensemble], cells: list[Cell], are_drawn: bool, question: Question
) -> None:
    """Put the part into the tab that is open."""

    def act(event: gr.EventData, request: gr.Request) -> str:
        secret, answer = str(event.secret), {"number": event.number}
        address, texts = request.client.host if request.client else "", visitor.texts()
        try:
            if event.act == "open":
                secret = ROUNDS.open(address, question).opener
            elif event.act == "join" and event.code:
                now, code = ROUNDS.at(secret), str(event.code).strip().upper()
                if not now or code != now.code:
                    secret = ROUNDS.join(code, address)
        except rounds.RoundError as refused:
            return json.dumps(answer | {"said": texts(str(refused))})
        if event.act == "end":
            ROUNDS.end(secret)
        elif event.act == "guess":
            ROUNDS.guess(secret, str(event.value))
        elif event.act == "vote":
            ROUNDS.vote(secret, int(event.value))
        elif event.act == "go":
            ROUNDS.go(secret, str(event.value), int(event.place))
        now = ROUNDS.at(secret)
        if not now:
            return json.dumps(answer | {"gone": texts("teach.class.gone")})
        steers = now.opener == secret
        door = door_html(now.code, str(event.address), texts) if steers else ""
        if steers and now.cell is None:
            cell, truth = lesson.dealt(cells, are_drawn, now.seed, now.place, question)
            ROUNDS.show(now, now.place, rounds.Cell(lesson.seen(cell, ""), truth))
        return json.dumps(answer | {"secret": secret, "steers": steers, "door": door})

    def work(reply: str) -> None:
        now = ROUNDS.at(str(json.loads(reply or "{}").get("secret")))
        if now and now.cell:
            cell, _ = lesson.dealt(cells, are_drawn, now.seed, now.place, question)
            ask(get_ensemble, now, now.cell, cell)

    quick: dict[str, Any] = {
        "show_progress": "hidden", "api_visibility": "private", "concurrency_id": "class",
        "concurrency_limit": 8, "trigger_mode": "multiple",
    }  # fmt: skip
    with lesson.column("class", question):
        panel = gr.HTML(
            visitor.start(panel_html), js_on_load=script("class"), apply_default_css=False, elem_id="lv-class"
        )
        reply = gr.HTML(
            html_template="<i></i>", js_on_load=script("class_reply"), apply_default_css=False,
            elem_id="lv-class-reply", visible="hidden",
        )  # fmt: skip
    panel.select(act, outputs=reply, **quick)
    panel.submit(act, outputs=reply, **quick).then(
        work, inputs=reply, show_progress="hidden", api_visibility="private", **fair_queue.SERIAL
    )


def ask(get_ensemble: Callable[[], Ensemble], now: rounds.Round, asked: rounds.Cell, cell: Cell) -> None:
    """Have the ensemble do what a round waits for, if anything: decide on its cell, or draw its maps."""
    if asked.decision and (now.stage != "maps" or asked.maps):
        return
    try:
        ensemble = get_ensemble()
    except StoreError:
        ROUNDS.answer(now, asked, "none", 0.0)
        return
    if not asked.decision:
        analysis = ensemble.analyse([cell])[0]
        ROUNDS.answer(now, asked, analysis.decision, analysis.p_all)
    elif asked.decision != "none":
        found = rated(ensemble, cell)
        random.Random(f"{now.seed} {now.place}").shuffle(found)
        ROUNDS.offer(now, asked, tuple(found))


def rated(ensemble: Ensemble, cell: Cell) -> list[rounds.Map]:
    """The maps of a cell's decision by `RATED`, with how faithful each is."""
    analysis = ensemble.analyse([cell])[0]
    numbers, picture = ensemble.input.numbers(analysis.picture), lesson.picture(ensemble, cell)
    target = ensemble.question.called(analysis.logit >= 0)
    sign = ensemble.question.sign(target)
    found = {method: explain(ensemble, numbers, method, target).combined for method in RATED}
    falls = curves(ensemble, numbers, [*found.values()], target, "blurred", REMOVED, ())
    maps = []
    for (method, combined), (fall, _) in zip(found.items(), falls, strict=True):
        maps.append(rounds.Map(method, render.overlaid_html(sign * combined, picture), fall.area))
    return maps


def route(are_drawn: bool) -> Route:
    """Where a round is shown as it goes on: who has the secret of its opener or of a member sees it.

    Args:
        are_drawn: whether a program drew the cells.
    """

    async def watch(request: Request) -> Response:
        secret = request.path_params["secret"]
        texts = choose(request.headers.get("accept-language", ""))
        stream = ROUNDS.watch(secret)
        if not stream:
            return Response(status_code=404)

        async def told() -> AsyncIterator[str]:
            sent: dict[str, Markup] = {}
            seen, quiet = -1, 0.0
            yield "retry: 1000\n\n"
            try:
                while (now := ROUNDS.at(secret)) and now.streams.get(secret) == stream:
                    if now.version != seen:
                        seen, quiet = now.version, 0.0
                        found = pieces(now, secret, are_drawn, texts)
                        new = {key: html for key, html in found.items() if sent.get(key) != html}
                        sent = found
                        yield f"data: {json.dumps(new)}\n\n"
                    elif quiet >= BEAT:
                        quiet = 0.0
                        yield ": \n\n"
                    await asyncio.sleep(EVERY)
                    quiet += EVERY
                words = texts("teach.class.elsewhere" if now else "teach.class.gone")
                yield f"event: gone\ndata: {json.dumps(words)}\n\n"
            finally:
                ROUNDS.leave(secret, stream)

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)

    return Route("/round/{secret}", watch)


def pieces(now: rounds.Round, secret: str, are_drawn: bool, texts: Texts = ENGLISH) -> dict[str, Markup]:
    """What the opener or a member of a round sees of it, by the place where it stands."""
    steers, cell, texts = secret == now.opener, now.cell, texts.about(now.question)
    head = _PIECES.head(texts, now.code, now.here, now.place + 1)
    if not cell:
        return {"head": head}
    return {
        "head": head,
        "cell": cell.picture,
        "taps": Markup("") if steers else _taps(now, cell.guesses.get(secret, ""), texts),
        "tally": _tally(now, cell, secret, are_drawn, texts),
        "maps": _maps(now, cell, secret, texts),
        "score": _score(now, texts),
        "steer": _steer(now, cell, texts) if steers else Markup(""),
    }


def _taps(now: rounds.Round, said: str, texts: Texts) -> Markup:
    """What a member says of the cell."""
    choices = [(one, lesson.capital(texts.kind(one))) for one in now.question.names]
    return _PIECES.taps(texts, said, now.stage == "guess", choices)


def _tally(now: rounds.Round, cell: rounds.Cell, secret: str, are_drawn: bool, texts: Texts) -> Markup:
    """What the class says, what the ensemble says, and what is true, as far as this one may know."""
    bars = [
        _bar(texts.kind(one), now.count(one), len(cell.guesses), f"lv-{now.question.side(one)}", one)
        for one in now.question.names
    ]
    told = now.stage != "guess"
    may_know = told or secret in cell.guesses or (secret == now.opener and len(cell.guesses) >= now.here > 0)
    if cell.decision == "none":
        says = texts("page.none")
    elif not cell.decision:
        says = texts("teach.computing")
    elif not may_know:
        says = texts("teach.class.later")
    else:
        says = f"{texts.kind(cell.decision)}, {texts('words.chance', p=cell.p_all)}"
    truth = truth_line(cell.truth, are_drawn, texts) if told else texts("teach.class.hidden")
    count = texts("teach.class.guessed", count=len(cell.guesses), here=max(now.here, len(cell.guesses)))
    return _PIECES.tally(texts, bars, count, says, truth)


def _maps(now: rounds.Round, cell: rounds.Cell, secret: str, texts: Texts) -> Markup:
    """The maps to rate; their names and how faithful they are when the opener shows them."""
    if now.stage not in ("maps", "names"):
        return Markup("")
    if not cell.maps:
        return _PIECES.awaited(texts)
    are_named = now.stage == "names"
    best, votes = min(one.left for one in cell.maps), Counter(cell.votes.values())
    figures = [
        {
            "picture": one.picture,
            "title": texts.said(METHODS[one.method].title),
            "letter": LETTERS[place],
            "votes": _bar(texts("teach.class.votes"), votes[place], len(cell.votes), "", str(place)),
            "left": 100 * one.left,
            "is_best": one.left == best,
        }
        for place, one in enumerate(cell.maps)
    ]
    return _PIECES.maps(
        texts,
        figures,
        are_named=are_named,
        may_vote=secret != now.opener,
        chosen=cell.votes.get(secret),
        legend=render.legend_html(texts),
    )


def _bar(name: str, count: int, of: int, kind: str, key: str) -> dict[str, Any]:
    """How many of these say something, for a template."""
    width = f"{100 * count / max(of, 1):.0f}"
    return {"name": name, "count": count, "width": width, "kind": kind, "key": key}


def _score(now: rounds.Round, texts: Texts) -> Markup:
    """Who was right how often so far."""
    names = {"class": "teach.class.most", "ensemble": "result.ensemble", "taps": "teach.class.taps"}
    rows = [
        (key, texts(name), texts("teach.score", right=now.right[key], of=now.of[key]))
        for key, name in names.items()
    ]
    return _SHARED.board(texts, rows)


def _steer(now: rounds.Round, cell: rounds.Cell, texts: Texts) -> Markup:
    """Buttons with which the opener goes on."""
    # Without an ensemble there are no maps.
    stages = [one for one in rounds.ONWARD[now.stage] if one != "maps" or cell.decision != "none"]
    is_ready = bool(cell.decision and (now.stage != "maps" or cell.maps))
    return _PIECES.steer(texts, stages, now.place, is_ready)


def door_html(code: str, address: str, texts: Texts = ENGLISH) -> Markup:
    """The QR code and the link by which phones come in.

    Args:
        code: of the round.
        address: of the page, as the opener's browser has it.
        texts: of a language.
    """
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./~-]*)?", address) or len(address) > 200:
        return Markup("")
    link = f"{address}?round={code}"
    picture = segno.make(link, micro=False).svg_data_uri(scale=4, border=3, light="#fff", dark="#000")
    own = re.match(r"https?://(127\.|localhost|\[::1\])", address)
    return _PIECES.door(texts, picture, link, is_own=bool(own))


def panel_html(texts: Texts = ENGLISH) -> Markup:
    """Where a round is opened or entered, and the places of what is shown of it."""
    return _PIECES.panel(texts)
