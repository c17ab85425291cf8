"""Who may ask the page for how much, how often, and how slowly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.queueing import Event, EventQueue
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from leukovision.demo import fair_queue, request_limits, uploads
from leukovision.demo.headers import Policy, origins
from leukovision.demo.request_limits import LIMITS, RequestLimits, limits

JOIN = "/gradio_api/queue/join"


@pytest.fixture
def queue() -> Any:
    """Gradio's, with one kind of events."""
    page = gr.Blocks()
    page.queue()
    page._queue.active_jobs = [None] * 4
    page._queue.event_queue_per_concurrency_id["one"] = EventQueue("one", 1)
    return page._queue


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Iterator[Any]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    yield tmp_path / "uploads"


@pytest.fixture
def app(queue, folder) -> RequestLimits:
    """A page of 3 requests a minute of a page, 5 of an address; every password but "right" is wrong."""

    async def join(request):
        body = await request.json()
        return JSONResponse({"event_id": put(queue, request.client.host, str(body.get("session_hash")))})

    async def login(request):
        return PlainTextResponse("", 200 if await request.body() == b"right" else 400)

    async def upload(request):
        folder.mkdir(exist_ok=True)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return PlainTextResponse(str(size))

    async def echo(request):
        return PlainTextResponse(await request.body())

    routes = [
        Route(JOIN, join, methods=["POST"]),
        Route("/gradio_api/call/batch_file", join, methods=["POST"]),
        Route("/gradio_api/upload", upload, methods=["POST"]),
        Route("/login", login, methods=["POST"]),
        Route("/{path:path}", echo, methods=["GET", "POST"]),
    ]
    middleware = [Middleware(RequestLimits, queue=fair_queue.FairQueue(queue), per_minute=(3, 5))]
    made = Starlette(routes=routes, middleware=middleware)
    made.middleware_stack = made.build_middleware_stack()
    return made.middleware_stack.app


def run(call: Coroutine[Any, Any, Any]) -> None:
    """To its end, in a loop of its own: the browser's tests leave one running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, call).result()


def put(queue: Any, address: str, page: str) -> str:
    """An event into Gradio's queue."""
    request = SimpleNamespace(client=SimpleNamespace(host=address))
    function = SimpleNamespace(concurrency_id="one", connection="sse")
    event = Event(page, function, request, None)
    queue.event_queue_per_concurrency_id["one"].queue.append(event)
    queue.pending_event_ids_session.setdefault(page, set()).add(event._id)
    return event._id


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, client=("10.0.0.1", 50_000))


def ask(client: TestClient, session: str) -> int:
    answer = client.post(JOIN, json={"session_hash": session, "fn_index": 0})
    if answer.status_code == 429:
        assert "wait" in answer.json()["detail"] and int(answer.headers["Retry-After"]) <= 60
    return answer.status_code


def test_a_page_and_an_address_have_their_limits_whatever_they_ask_for(client):
    assert [ask(client, "one") for _ in range(4)] == [200, 200, 200, 429]
    assert [ask(client, "two") for _ in range(2)] == [200, 429]
    assert client.post("/gradio_api/upload").status_code == 429
    assert client.post("/gradio_api/call/analyse", json={"data": []}).status_code == 429
    assert TestClient(client.app, client=("10.0.0.2", 1)).post(JOIN, json={}).status_code == 200


def test_who_must_wait_is_told_so_in_their_language(client):
    told = [
        client.post("/gradio_api/upload", headers={"Accept-Language": wanted})
        for wanted in ("en", "de-DE") * 4
    ]
    english, german = (answer.json()["detail"] for answer in told[-2:])
    assert english.startswith("That is more than 5 requests in a minute; wait ")
    assert german.startswith("Das sind mehr als 5 Anfragen in einer Minute; warten Sie ")


def test_what_is_only_looked_at_is_not_counted(client):
    assert {client.get("/gradio_api/info").status_code for _ in range(20)} == {200}
    assert ask(client, "one") == 200


def test_the_limits_can_be_moved_but_not_taken_away(monkeypatch):
    monkeypatch.setenv("LEUKOVISION_PER_MINUTE", "7/70")
    assert limits() == (7, 70)
    for wrong in ("0/70", "7", "7/0", "no", "-1/-1", "1/2/3"):
        monkeypatch.setenv("LEUKOVISION_PER_MINUTE", wrong)
        with pytest.raises(ValueError, match=f"as {LIMITS}"):
            limits()


def test_an_address_has_a_share_of_the_queue_and_others_have_theirs(app, queue):
    app.per_minute = (10**6, 10**6)
    one, other = (TestClient(app, client=(f"10.0.0.{number}", 1)) for number in (1, 2))
    said = [ask(one, f"page {number}") for number in range(fair_queue.SHARE + 3)]
    assert said == [200] * fair_queue.SHARE + [503] * 3
    assert ask(other, "mine") == 200
    waiting = queue.event_queue_per_concurrency_id["one"].queue
    # Whoever has one event is next but one, however many another address has.
    assert [event.session_hash for event in waiting].index("mine") == 1
    # What was done and fetched makes room.
    queue.pending_event_ids_session.pop("page 0")
    assert [ask(one, "again"), ask(one, "again")] == [200, 503]


def test_many_requests_at_once_get_no_more_than_the_share(app, queue):
    app.per_minute = (10**6, 10**6)
    asked = [unfinished(app, JOIN, [b"{}"]) for _ in range(fair_queue.SHARE + 20)]

    async def together():
        await asyncio.gather(*(call for call, _ in asked))

    run(together())
    statuses = [said[0]["status"] for _, said in asked]
    assert (statuses.count(200), statuses.count(503)) == (fair_queue.SHARE, 20)


def test_addresses_take_turns_and_so_do_their_pages_each_in_its_order():
    def event(address: str, page: str, number: int) -> Any:
        client = SimpleNamespace(client=SimpleNamespace(host=address))
        return SimpleNamespace(request=client, session_hash=page, number=number)

    came = [event("a", "hog", number) for number in range(4)]
    came += [event("a", "pupil", 4), event("b", "other", 5), event("b", "other", 6)]
    assert [one.number for one in fair_queue.round_robin(came)] == [0, 5, 4, 6, 1, 2, 3]


def test_what_nobody_fetches_is_forgotten_and_what_is_under_way_is_not(queue, monkeypatch):
    seen = fair_queue.FairQueue(queue)
    put(queue, "a", "working")
    for page in ("left", "working"):
        queue.pending_messages_per_session[page] = asyncio.Queue()
    queue.pending_event_ids_session["left"] = {"done"}
    now = fair_queue.time.monotonic()
    for later, kept in (
        (0, {"left", "working"}),
        (fair_queue.UNFETCHED - 1, {"left", "working"}),
        (61, {"working"}),
    ):
        monkeypatch.setattr(fair_queue.time, "monotonic", lambda later=later: now + later)
        seen.forget()
        assert set(queue.pending_messages_per_session) == set(queue.pending_event_ids_session) == kept


def test_of_long_requests_one_address_holds_two_and_everybody_four(app, queue):
    app.per_minute = (10**6, 10**6)
    said = [
        TestClient(app, client=(f"10.0.0.{address}", 1))
        .post("/gradio_api/call/batch_file", json={"session_hash": f"{address}{time}"})
        .status_code
        for address in range(3)
        for time in range(3)
    ]
    assert said == [200, 200, 503, 200, 200, 503, 503, 503, 503]


def unfinished(app: RequestLimits, path: str, sizes: list[Any], address: str = "10.0.0.1") -> Any:
    """A request that sends pieces of these sizes and then nothing, or ends with bytes; what comes back."""
    said: list[Any] = []
    left = list(sizes)

    async def receive():
        if left:
            await asyncio.sleep(0)
            part = left.pop(0)
            whole = isinstance(part, bytes)
            return {"type": "http.request", "body": bytes(part), "more_body": not whole}
        await asyncio.sleep(3600)

    async def send(message):
        said.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": path, "client": (address, 1), "headers": headers,
        "query_string": b"", "raw_path": path.encode(), "scheme": "http", "server": ("x", 1), "root_path": "",
        "http_version": "1.1",
    }  # fmt: skip
    return app(scope, receive, send), said


def test_unfinished_requests_take_no_more_memory_than_their_bound_and_no_more_time(app, monkeypatch):
    monkeypatch.setattr(request_limits, "GRACE", 0.5)
    monkeypatch.setattr(request_limits, "RATE", 10**12)
    app.per_minute = (10**6, 10**6)
    megabytes = request_limits.MAX_LONG // 2**20 - 1
    asked = [
        unfinished(app, "/gradio_api/call/batch_file", [2**20] * megabytes, f"10.0.0.{number // 4}")
        for number in range(40)
    ]
    most = 0

    async def watch():
        nonlocal most
        running = asyncio.gather(*(call for call, _ in asked))
        while not running.done():
            most = max(most, app._held.total())
            await asyncio.sleep(0.01)
        await running

    run(asyncio.wait_for(watch(), 20))
    statuses = [said[0]["status"] for _, said in asked]
    assert set(statuses) == {408, 503}
    assert 0 < most <= request_limits.HELD[1]
    assert app._held.total() == 0 and not app._open
    sentence = json.loads(asked[statuses.index(408)][1][1]["body"])["detail"]
    assert sentence == "The request came too slowly, and was given up; send it again."


def test_a_request_longer_than_its_kind_is_refused_before_it_is_read(app):
    app.per_minute = (10**6, 10**6)
    client = TestClient(app)
    for path, most in (
        (JOIN, request_limits.MAX_BODY),
        ("/gradio_api/call/batch_file", request_limits.MAX_LONG),
    ):
        answer = client.post(path, content=bytes(most + 1))
        assert answer.status_code == 413 and f"longer than {most // 2**20} MB" in answer.json()["detail"]
    # One that does not say how long it is, too.
    call, said = unfinished(app, JOIN, [request_limits.MAX_BODY, 1])
    run(call)
    assert said[0]["status"] == 413


def test_files_of_one_request_and_of_one_address_are_bounded(app, monkeypatch):
    app.per_minute = (10**6, 10**6)
    monkeypatch.setattr(request_limits, "MAX_UPLOAD", 3 * 2**20)
    client = TestClient(app, client=("10.0.0.1", 1))
    answer = client.post("/gradio_api/upload", content=iter([bytes(2**20)] * 4))
    assert answer.status_code == 413 and "more than 3 MB together" in answer.json()["detail"]
    # There is room for 20 MB: an address may have half of it.
    monkeypatch.setattr(uploads, "free", lambda: uploads.ROOM + 20 * 2**20)
    client = TestClient(app, client=("10.0.0.2", 1))
    said = [client.post("/gradio_api/upload", content=bytes(2**20)) for _ in range(12)]
    assert [one.status_code for one in said] == [200] * 10 + [503] * 2
    assert 0 < int(said[-1].headers["Retry-After"]) <= uploads.KEPT + 1
    monkeypatch.setattr(uploads, "free", lambda: uploads.ROOM)
    full = TestClient(app, client=("10.0.0.3", 1)).post("/gradio_api/upload", content=b"a file")
    assert full.status_code == 503 and full.json()["detail"].startswith("There is no room for files")


def test_wrong_passwords_are_answered_ever_later_and_then_not_at_all(app, monkeypatch):
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(request_limits.asyncio, "sleep", sleep)
    client = TestClient(app, client=("10.0.0.1", 1))
    said = [client.post("/login", content=b"wrong") for _ in range(request_limits.LOGINS + 2)]
    assert [one.status_code for one in said] == [400] * request_limits.LOGINS + [429] * 2
    assert waited == sorted(waited) and len(waited) == request_limits.LOGINS and sum(waited) > 10
    assert client.post("/login", content=b"right").status_code == 429
    assert 0 < int(said[-1].headers["Retry-After"]) <= request_limits.LOCKED + 1
    # Others come in, and who did has no wrong ones behind them.
    other = TestClient(app, client=("10.0.0.2", 1))
    for _ in range(3):
        assert other.post("/login", content=b"wrong").status_code == 400
        assert other.post("/login", content=b"right").status_code == 200
    assert not app._asked["login 10.0.0.2"]


@pytest.mark.parametrize("way", ["deep_link?session_hash=x", "proxy=http://127.0.0.1:1/", "dev/reload"])
def test_what_gradio_offers_and_the_page_does_not_need_is_not_there(client, way):
    assert client.get(f"/gradio_api/{way}").status_code == 404
    assert client.post("/gradio_api/component_server", json={}).status_code == 404


def test_an_address_has_so_many_requests_open_at_once(app):
    app._open["10.0.0.1"] = request_limits.OPEN
    assert TestClient(app, client=("10.0.0.1", 1)).get("/").status_code == 429
    assert TestClient(app, client=("10.0.0.2", 1)).get("/").status_code == 200


def test_other_origins_may_ask_only_where_they_were_named(monkeypatch):
    monkeypatch.setenv("LEUKOVISION_ORIGINS", "https://school.example http://lab.example:8080")
    named = origins()

    async def answer(request):
        return PlainTextResponse("ok")

    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Policy, named=named, share=False)]))
    for origin in (*named, "https://elsewhere.example", "null", ""):
        answered = client.post("/x", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
        asked = client.options("/x", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        may = origin in named
        assert answered.status_code == (200 if may else 403) and (asked.status_code == 200) == may
        for one in (answered, asked):
            assert one.headers.get("Access-Control-Allow-Origin") == (origin if may else None)
            assert "Access-Control-Allow-Credentials" not in one.headers
    said = client.get("/").headers
    assert said["X-Content-Type-Options"] == "nosniff" and "X-Frame-Options" not in said
    frames = said["Content-Security-Policy"].split("frame-ancestors ")[1]
    assert frames == "'self' https://huggingface.co https://*.hf.space " + " ".join(named)
    monkeypatch.setenv("LEUKOVISION_ORIGINS", "https://school.example/page")
    with pytest.raises(ValueError, match="wanted are origins"):
        origins()
