"""Nothing stays in memory that a visitor sent or was shown, and nobody listens to another's answers."""

from __future__ import annotations

import gc
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.middleware import Middleware

from leukovision.demo import build, visitor
from leukovision.demo.fair_queue import FairQueue
from leukovision.demo.request_limits import RequestLimits

MARK = "a name that is told to nobody"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, object]]:
    """A page whose ensemble is not there yet; its address, and Gradio's page."""
    made = build.build(after=threading.Event())
    queue = FairQueue(made._queue)
    outside = [Middleware(RequestLimits, queue=queue, per_minute=(10**6, 10**6))]
    within = build._lifespan(made, outside, queue, tmp_path_factory.mktemp("uploads"))
    _, url, _ = made.launch(
        prevent_thread_lock=True,
        quiet=True,
        i18n=visitor.I18N,
        ssr_mode=False,
        app_kwargs={"lifespan": within},
    )
    yield f"{url}gradio_api/", made
    made.close()


def ask(url: str, **more: str) -> str:
    """Have a table made; the event's name."""
    rows = [{"file": f"{MARK} {number}.png", "error": "x"} for number in range(20)]
    answer = httpx.post(f"{url}call/batch_file", json={"data": ["csv", rows, []], **more}, timeout=60)
    return str(answer.json()["event_id"])


def test_what_a_visitor_sent_is_not_kept_with_their_session(page):
    url, made = page
    for more in ({}, {"session_hash": "mine"}):
        event = ask(url, **more)
        told = httpx.get(f"{url}call/batch_file/{event}", timeout=60).text
        assert "event: complete" in told
        assert (more.get("session_hash") or event) in made.state_holder.session_data
    del told
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, dict) and MARK in str(one.get("file"))]
    assert kept == []
    for session in made.state_holder.session_data.values():
        assert not session.config_values


def test_nobody_gets_another_s_answer_who_does_not_know_its_name(page):
    url, _ = page
    page_name, event = secrets.token_hex(6), ask(url, session_hash="mine too")
    guesses = [secrets.token_hex(16) for _ in range(20)] + [
        "",
        "*",
        "mine to",
        event[:-1],
        event[1:],
        event.upper(),
    ]

    def listen(guess: str) -> str:
        ways = (f"call/batch_file/{guess}", f"queue/data?session_hash={guess}", f"call/v2/batch_file/{guess}")
        said = ""
        for way in ways:
            answer = httpx.get(f"{url}{way}", timeout=30)
            assert answer.status_code == 404
            said += answer.text
        return said

    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(listen, [page_name, *guesses]))
    assert all(MARK not in one and "complete" not in one for one in heard)
    # Nor do others make it stop.
    for body in ({"event_id": event[:-1], "session_hash": page_name, "fn_index": 0}, {"event_id": event}):
        httpx.post(f"{url}cancel", json=body)
        httpx.post(f"{url}reset", json=body)
    assert "event: complete" in httpx.get(f"{url}call/batch_file/{event}", timeout=60).text
