"""How often one may ask the page."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from leukovision.demo.guard import LIMITS, Guard, limits


@pytest.fixture
def client() -> TestClient:
    """A page whose event 1 needs no networks: 3 requests a minute of a page, 5 of an address."""

    async def echo(request):
        return PlainTextResponse(await request.body())

    guard = Middleware(Guard, is_light=lambda event: event == 1, per_minute=(3, 5))
    routes = [Route("/{path:path}", echo, methods=["GET", "POST"])]
    return TestClient(Starlette(routes=routes, middleware=[guard]))


def ask(client: TestClient, session: str, event: int = 0) -> int:
    body = {"session_hash": session, "fn_index": event}
    answer = client.post("/gradio_api/queue/join", json=body)
    if answer.status_code == 200:
        assert answer.json() == body  # what was read to count it still arrives
    else:
        assert "wait" in answer.json()["detail"] and int(answer.headers["Retry-After"]) <= 60
    return answer.status_code


def test_a_page_and_an_address_have_their_limits(client):
    assert [ask(client, "one") for _ in range(4)] == [200, 200, 200, 429]
    assert ask(client, "two") == 200
    assert ask(client, "three") == 429
    assert client.post("/gradio_api/upload").status_code == 429
    assert client.post("/gradio_api/call/analyse", json={"data": []}).status_code == 429


def test_who_must_wait_is_told_so_in_their_language(client):
    told = [
        client.post("/gradio_api/upload", headers={"Accept-Language": wanted})
        for wanted in ("en", "de-DE") * 4
    ]
    english, german = (answer.json()["detail"] for answer in told[-2:])
    assert english.startswith("That is more than 5 requests in a minute; wait ")
    assert german.startswith("Das sind mehr als 5 Anfragen in einer Minute; warten Sie ")


def test_what_needs_no_networks_and_what_is_only_looked_at_is_not_counted(client):
    assert {ask(client, "one", event=1) for _ in range(20)} == {200}
    assert {client.get("/gradio_api/queue/data").status_code for _ in range(20)} == {200}
    assert ask(client, "one") == 200


def test_the_limits_can_be_moved_but_not_taken_away(monkeypatch):
    monkeypatch.setenv("LEUKOVISION_PER_MINUTE", "7/70")
    assert limits() == (7, 70)
    for wrong in ("0/70", "7", "7/0", "no", "-1/-1", "1/2/3"):
        monkeypatch.setenv("LEUKOVISION_PER_MINUTE", wrong)
        with pytest.raises(ValueError, match=f"as {LIMITS}"):
            limits()
