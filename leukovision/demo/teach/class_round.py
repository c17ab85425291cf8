"""The part *A class together*: a teacher opens a round, phones come in by its code, and all see each tap."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from html import escape
from typing import Any

import gradio as gr
import segno
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from leukovision.artifact import StoreError
from leukovision.cell import Cell
from leukovision.demo import fair_queue, render, rounds, visitor
from leukovision.demo.examples import truth_line
from leukovision.demo.static import script
from leukovision.demo.teach import lesson
from leukovision.ensemble import Ensemble
from leukovision.explain.faithfulness import REMOVED, curves
from leukovision.explain.methods import DEFAULT, METHODS, explain
from leukovision.i18n import ENGLISH, Texts, choose
from leukovision.question import Question

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
            html_template="<i></i>", js_on_load=_REPLY, apply_default_css=False, elem_id="lv-class-reply",
            visible="hidden",
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
            sent: dict[str, str] = {}
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


def pieces(now: rounds.Round, secret: str, are_drawn: bool, texts: Texts = ENGLISH) -> dict[str, str]:
    """HTML of what the opener or a member of a round sees of it, by the place where it stands."""
    steers, cell, texts = secret == now.opener, now.cell, texts.about(now.question)
    number = texts("teach.class.cell", number=now.place + 1)
    head = (
        f'<p>{texts("teach.class.code")} <strong class="lv-code">{now.code}</strong></p>'
        f"<p>{texts('teach.class.here', count=now.here)}</p><p>{number}</p>"
    )
    if not cell:
        return {"head": head}
    return {
        "head": head,
        "cell": cell.picture,
        "taps": "" if steers else _taps(now, cell, cell.guesses.get(secret, ""), texts),
        "tally": _tally(now, cell, secret, are_drawn, texts),
        "maps": _maps(now, cell, secret, texts),
        "score": _score(now, texts),
        "steer": _steer(now, cell, texts) if steers else "",
    }


def _taps(now: rounds.Round, cell: rounds.Cell, said: str, texts: Texts) -> str:
    """What a member says of the cell."""
    if now.stage != "guess" and not said:
        return f"<p>{texts('teach.class.missed')}</p>"
    if said:
        return f"<p>{texts('teach.said', guess=texts.kind(said))}</p>"
    return "".join(
        f'<button type="button" class="lv-button lv-main" data-act="guess" data-value="{one}">'
        f"{lesson.capital(texts.kind(one))}</button>"
        for one in now.question.names
    )


def _tally(now: rounds.Round, cell: rounds.Cell, secret: str, are_drawn: bool, texts: Texts) -> str:
    """What the class says, what the ensemble says, and what is true, as far as this one may know."""
    bars = "".join(
        _bar(texts.kind(one), now.count(one), len(cell.guesses), f"lv-{now.question.side(one)}", one)
        for one in now.question.names
    )
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
    return (
        f'<h3>{texts("teach.class.says")}</h3><div class="lv-bars">{bars}</div><p class="lv-soft">{count}</p>'
        f'<p><strong>{texts("result.ensemble")}</strong> {says}</p><p class="lv-truth">{truth}</p>'
    )


def _maps(now: rounds.Round, cell: rounds.Cell, secret: str, texts: Texts) -> str:
    """The maps to rate; their names and how faithful they are when the opener shows them."""
    if now.stage not in ("maps", "names"):
        return ""
    if not cell.maps:
        return f'<p class="lv-computing" role="status">{texts("teach.computing")}</p>'
    named = now.stage == "names"
    asks = texts("teach.class.named" if named else "teach.class.convinces")
    best = min(one.left for one in cell.maps)
    figures = ""
    for place, one in enumerate(cell.maps):
        votes = list(cell.votes.values()).count(place)
        name = (
            texts.said(METHODS[one.method].title)
            if named
            else texts("teach.class.map", letter=LETTERS[place])
        )
        if named:
            kind = " lv-best" if one.left == best else ""
            below = f'<p class="lv-fall{kind}">{texts("teach.class.left", percent=100 * one.left)}</p>'
        elif secret == now.opener:
            below = ""
        else:
            chosen = cell.votes.get(secret)
            state = "" if chosen is None else f' aria-pressed="{str(chosen == place).lower()}" disabled'
            below = (
                f'<button type="button" class="lv-button" data-act="vote" data-value="{place}"{state} '
                f'aria-label="{texts("teach.class.this", letter=LETTERS[place])}">'
                f"{texts('teach.class.vote')}</button>"
            )
        bar = _bar(texts("teach.class.votes"), votes, len(cell.votes), "", str(place))
        figures += (
            f'<figure class="lv-map">{one.picture}<figcaption><strong>{escape(name)}</strong></figcaption>'
            f"{bar}{below}</figure>"
        )
    why = f'<p class="lv-note">{texts("teach.class.faithful")}</p>' if named else ""
    return f'<h3>{asks}</h3><div class="lv-grid">{figures}</div>{render.legend_html(texts)}{why}'


def _bar(name: str, count: int, of: int, kind: str, key: str) -> str:
    wide = 100 * count / max(of, 1)
    return (
        f'<p class="lv-bar"><span>{name}</span><span class="lv-rail {kind}"><i style="width:{wide:.0f}%"></i>'
        f'</span><strong data-count="{key}">{count}</strong></p>'
    )


def _score(now: rounds.Round, texts: Texts) -> str:
    """Who was right how often so far."""
    rows = ""
    for key, name in (
        ("class", "teach.class.most"),
        ("ensemble", "result.ensemble"),
        ("taps", "teach.class.taps"),
    ):
        said = texts("teach.score", right=now.right[key], of=now.of[key])
        rows += f'<tr><th scope="row">{texts(name)}</th><td data-score="{key}">{said}</td></tr>'
    return (
        f'<table class="lv-table"><thead><tr><th scope="col">{texts("teach.who")}</th>'
        f'<th scope="col">{texts("teach.right")}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _steer(now: rounds.Round, cell: rounds.Cell, texts: Texts) -> str:
    """Buttons with which the opener goes on."""
    ready = cell.decision and (now.stage != "maps" or cell.maps)
    state = "" if ready else " disabled"
    # Without an ensemble there are no maps.
    steps = [one for one in rounds.ONWARD[now.stage] if one != "maps" or cell.decision != "none"]
    return "".join(
        f'<button type="button" class="lv-button{"" if number else " lv-main"}" data-act="go" '
        f'data-value="{stage}" data-place="{now.place}"{state}>{texts(f"teach.class.go.{stage}")}</button>'
        for number, stage in enumerate(steps)
    )


def door_html(code: str, address: str, texts: Texts = ENGLISH) -> str:
    """The QR code and the link by which phones come in.

    Args:
        code: of the round.
        address: of the page, as the opener's browser has it.
        texts: of a language.
    """
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./~-]*)?", address) or len(address) > 200:
        return ""
    link = f"{address}?round={code}"
    picture = segno.make(link, micro=False).svg_data_uri(scale=4, border=3, light="#fff", dark="#000")
    own = re.match(r"https?://(127\.|localhost|\[::1\])", address)
    note = f'<p class="lv-soft">{texts("teach.class.own")}</p>' if own else ""
    return (
        f'<img src="{escape(picture)}" alt="{texts("teach.class.qr")}">'
        f'<p class="lv-soft">{texts("teach.class.scan")}</p><p class="lv-link">{escape(link)}</p>{note}'
    )


def panel_html(texts: Texts = ENGLISH) -> str:
    """Where a round is opened or entered, and the places of what is shown of it."""
    say = {
        key: texts(f"teach.class.{key}") for key in ("title", "open", "enter", "join", "end", "leave", "lost")
    }
    places = "".join(f'<div data-piece="{key}"></div>' for key in ("taps", "tally", "steer", "score"))
    return (
        f'<div class="lv-brief lv-class" data-lost="{say["lost"]}"><div class="lv-enter">'
        f'<button type="button" class="lv-button lv-main" data-act="open">{say["open"]}</button>'
        f'<form><label>{say["enter"]} <input name="code" maxlength="8" autocomplete="off" '
        'autocapitalize="characters" spellcheck="false"></label>'
        f'<button class="lv-button">{say["join"]}</button></form></div>'
        '<p class="lv-alert-line" role="status"></p>'
        f'<section class="lv-room" aria-label="{say["title"]}">'
        '<div data-piece="head"></div><div class="lv-field-of-class"><div data-piece="cell"></div>'
        f'<div class="lv-answers">{places}</div><div data-piece="door"></div></div>'
        '<div data-piece="maps"></div>'
        f'<button type="button" class="lv-button lv-leave" data-act="leave" data-end="{say["end"]}" '
        f'data-leave="{say["leave"]}"></button></section></div>'
    )


_REPLY = """
watch('value', () => {
  if (props.value) document.dispatchEvent(new CustomEvent('lv-round', { detail: JSON.parse(props.value) }));
});
"""
