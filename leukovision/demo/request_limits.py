"""Requests to the page come in; those that ask too often, or say too much, go back with a sentence.

LEUKOVISION_PER_MINUTE="600/1800" is how often in a minute a page, and an address, may ask for something, or
send a file. A slider that is dragged asks a few times a second; behind one address may sit a class. Behind a
proxy all visitors have the proxy's address, unless FORWARDED_ALLOW_IPS names it as one to be believed.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter, defaultdict, deque
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leukovision.demo import uploads
from leukovision.demo.fair_queue import FairQueue
from leukovision.i18n import choose

LIMITS = "600/1800"
"""Requests a minute of one page, and of one address."""

MAX_BODY = 1024**2
"""Bytes of a request that is neither a file nor one of `LONG`."""

LONG = ("call/batch_file", "call/batch_slides", "mcp")
"""Where longer requests go: the table of a batch, with thumbnails, a picture that a language model sends."""

MAX_LONG = 16 * 1024**2
"""Bytes of one of these: the rows of twenty thousand cells fit, or five thousand with thumbnails."""

HELD = (2 * MAX_LONG, 4 * MAX_LONG)
"""Bytes of long requests in memory at once: of one address, and of everybody."""

SHORT = 64 * 1024
"""Bytes of a request that are not counted there, so that long ones keep nobody out."""

MAX_UPLOAD = 256 * 1024**2
"""Bytes of all files of one request. The page sends at most half of it."""

GRACE, RATE = 20, 50_000
"""Seconds until something must have come of a request, and bytes a second that must come from then on."""

OPEN = 600
"""Requests of one address that may be open at once; a page that is looked at has two."""

LOGINS, LOCKED = 10, 300
"""Wrong passwords that an address may try in so many seconds; each is answered later than the one before."""

_START = "/gradio_api/"
_WORK = ("queue/join", "call/", "run/", "api/", "upload", "mcp")
_QUEUED = ("queue/join", "call/")
_CLOSED = (
    "deep_link",
    "component_server",
    "proxy=",
    "stream/",
    "custom_component/",
    "run-history/",
    "dev/",
    "vibe-",
    "process_recording",
)
"""What Gradio offers and this page does not need: it keeps what is sent, fetches from elsewhere, or waits."""


def limits() -> tuple[int, int]:
    """Requests a minute of one page, and of one address.

    Raises:
        ValueError: LEUKOVISION_PER_MINUTE is not two numbers from 1 on; there is no way to set no limit.
    """
    given = os.environ.get("LEUKOVISION_PER_MINUTE") or LIMITS
    numbers = given.split("/")
    if len(numbers) != 2 or not all(number.isdecimal() and int(number) for number in numbers):
        raise ValueError(
            f"LEUKOVISION_PER_MINUTE is {given!r}; wanted are requests a minute of one page and of one "
            f"address, from 1 on, as {LIMITS}."
        )
    return int(numbers[0]), int(numbers[1])


class RequestLimits:
    """ASGI middleware that lets in what there is time, memory and room for.

    Args:
        app: what answers.
        queue: the queue of the page.
        per_minute: requests a minute of one page, and of one address.
    """

    def __init__(self, app: ASGIApp, queue: FairQueue, per_minute: tuple[int, int]) -> None:
        self.app, self.queue, self.per_minute = app, queue, per_minute
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)
        self._open: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._stored: dict[str, tuple[float, int, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        address = scope["client"][0] if scope.get("client") else ""
        self._open[address] += 1
        try:
            await self._answer(scope, receive, send, address)
        except _RefusedError as refused:
            words = choose(Headers(scope=scope).get("accept-language", ""))(refused.key, **refused.values)
            # What is left of the request is not read any more.
            headers = {"Connection": "close"}
            if "seconds" in refused.values:
                headers["Retry-After"] = str(refused.values["seconds"])
            # The page shows `detail` for some errors, and `error` for others.
            answer = JSONResponse({"detail": words, "error": words}, refused.status, headers)
            await answer(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    async def _answer(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        path = scope["path"].removeprefix(_START)
        if path.startswith(_CLOSED):
            raise _RefusedError(404, "requests.closed")
        if self._open[address] > OPEN:
            raise _RefusedError(429, "requests.open", limit=OPEN, seconds=10)
        if scope["method"] != "POST":
            # Gradio would begin an answer, break it off, and write a page of its log.
            if path.strip("/") == "queue/data":
                known = self.queue.knows(QueryParams(scope["query_string"]).get("session_hash", ""))
            else:
                known = not path.startswith("call/") or self.queue.is_open(path.strip("/").rpartition("/")[2])
            if not known:
                raise _RefusedError(404, "requests.gone")
            return await self.app(scope, receive, send)
        if path.strip("/") == "login":
            return await self._login(scope, receive, send, address)
        if path.startswith(_WORK):
            self._count(f"address {address}", self.per_minute[1])
        if path.startswith(_WORK) and self.queue.closing:
            raise _RefusedError(503, "requests.closing", seconds=30)
        if path.startswith("upload"):
            # Of an upload that has a name of its own Gradio keeps the progress, for good if nobody asks.
            return await self.app({**scope, "query_string": b""}, self._file(receive, address), send)
        is_long = path.startswith(LONG)
        if path.startswith(_QUEUED) and not self.queue.has_room(address, is_long):
            raise _RefusedError(503, "requests.share", seconds=2)
        held: list[int] = []
        try:
            content = await self._body(scope, receive, address, MAX_LONG if is_long else MAX_BODY, held)
            if path.startswith(_WORK) and (page := _parsed(content, is_long).get("session_hash")):
                self._count(f"page {str(page)[:64]}", self.per_minute[0])
            if path.startswith(_QUEUED):
                await self._join(scope, _again(content, receive), send, address, is_long)
            else:
                await self.app(scope, _again(content, receive), send)
        finally:
            self._held -= Counter({address: sum(held)})

    async def _join(self, scope: Scope, receive: Receive, send: Send, address: str, is_long: bool) -> None:
        """Let an event into the queue."""
        # Others of this address may have come in while this one was read.
        if not self.queue.reserve(address, is_long):
            raise _RefusedError(503, "requests.share", seconds=2)
        said = bytearray()

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.body":
                said.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, heard)
        finally:
            self.queue.joined(_parsed(bytes(said)).get("event_id"), address, is_long)

    async def _login(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        who = f"login {address}"
        self._count(who, LOGINS, LOCKED)
        status = 0

        async def later(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400:
                    await asyncio.sleep(0.25 * len(self._asked[who]))
            await send(message)

        content = await self._body(scope, receive, address, SHORT, [])
        await self.app(scope, _again(content, receive), later)
        if status < 400:
            self._asked.pop(who, None)

    async def _body(self, scope: Scope, receive: Receive, address: str, most: int, held: list[int]) -> bytes:
        """What a request says; `held` grows by what it takes of the memory for long ones."""
        content, start = bytearray(), time.monotonic()
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise _RefusedError(413, "requests.long", most=most // 1024**2 or 1)
        while True:
            message = await _in_time(receive, start, len(content))
            if message["type"] == "http.disconnect":
                raise _RefusedError(408, "requests.slow")
            content += message.get("body", b"")
            if len(content) > most:
                raise _RefusedError(413, "requests.long", most=most // 1024**2 or 1)
            if more := max(0, len(content) - SHORT - sum(held)):
                if self._held[address] + more > HELD[0] or self._held.total() + more > HELD[1]:
                    raise _RefusedError(503, "requests.share", seconds=2)
                held.append(more)
                self._held[address] += more
            if not message.get("more_body"):
                return bytes(content)

    def _file(self, receive: Receive, address: str) -> Receive:
        """What is received of files, as long as there is room for it."""
        if not uploads.has_room():
            raise _RefusedError(503, "requests.full")
        received, start = 0, time.monotonic()

        async def counted() -> Message:
            nonlocal received
            message = await _in_time(receive, start, received)
            more = len(message.get("body", b""))
            received += more
            if received > MAX_UPLOAD:
                raise _RefusedError(413, "requests.files", most=MAX_UPLOAD // 1024**2)
            self._store(address, more)
            return message

        return counted

    def _store(self, address: str, more: int) -> None:
        """Count bytes of files. In the time for which they lie there an address may fill half of the room."""
        now = time.monotonic()
        since, before, most = self._stored.get(address, (0.0, 0, 0))
        if now - since > uploads.KEPT or not since:
            self._stored = {who: one for who, one in self._stored.items() if now - one[0] <= uploads.KEPT}
            since, before, most = now, 0, (uploads.free() - uploads.ROOM) // 2
        self._stored[address] = (since, before + more, most)
        if before + more > most:
            raise _RefusedError(503, "requests.full", seconds=int(since + uploads.KEPT - now) + 1)
        # Asking the disk for each piece would take longer than the piece.
        if before // 2**24 != (before + more) // 2**24 and not uploads.has_room():
            raise _RefusedError(503, "requests.full")

    def _count(self, who: str, limit: int, lasting: int = 60) -> None:
        """Count one more, or refuse it."""
        now = time.monotonic()
        if len(self._asked) > 20_000:
            late = [one for one, asked in self._asked.items() if not asked or asked[-1] < now - LOCKED]
            for name in late:
                del self._asked[name]
        asked = self._asked[who]
        while asked and asked[0] < now - lasting:
            asked.popleft()
        if len(asked) >= limit:
            key = "requests.wait" if lasting == 60 else "requests.login"
            raise _RefusedError(429, key, limit=limit, seconds=int(asked[0] + lasting - now) + 1)
        asked.append(now)


class _RefusedError(Exception):
    """A request is refused: with which status, and with which text."""

    def __init__(self, status: int, key: str, **values: Any) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


async def _in_time(receive: Receive, start: float, received: int) -> Message:
    """The next part of a request that began then, of which so many bytes are here."""
    try:
        return await asyncio.wait_for(receive(), start + GRACE + received / RATE - time.monotonic())
    except TimeoutError:
        raise _RefusedError(408, "requests.slow") from None


def _parsed(content: bytes, is_long: bool = False) -> dict[str, Any]:
    # Of a long request nothing but the table is of interest, and that not here.
    if is_long:
        return {}
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _again(content: bytes, receive: Receive) -> Receive:
    """What was read, once more, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay
