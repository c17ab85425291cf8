"""Requests to the page come in; those that ask too often, or say too much, go back with a sentence.

LEUKOVISION_PER_MINUTE="600/1800" is how often in a minute a page, and an address, may ask for what needs the
networks, or send a file. A slider that is dragged asks a few times a second; behind one address may sit a
class. Behind a proxy that is to be believed, uvicorn's FORWARDED_ALLOW_IPS names it, or all of the proxy's
visitors count as one address.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from leukovision.forward import BATCH
from leukovision.language import Texts, choose

LIMITS = "600/1800"
"""Requests a minute of one page, and of one address."""

MAX_BODY = 32 * 1024**2
"""Bytes of a request that is not a file: the table of ten thousand cells with their thumbnails fits."""

ROOM = 1024**3
"""Free bytes below which no more files are taken."""

IN_TURN: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "in turn"}
"""How events of a page that need the networks are queued: the last one asked for is the last one shown."""

TOGETHER: dict[str, Any] = {"concurrency_limit": BATCH, "concurrency_id": "together"}
"""How cells are queued that depend on nothing else: those of several visitors share a pass of the networks.
Twice as many at once would get hardly more answers, and take 80 MB more."""

_START = "/gradio_api/"
_WORK = ("queue/join", "call/", "run/", "api/", "upload", "mcp")


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


class Guard:
    """ASGI middleware that counts what needs the networks.

    Args:
        app: what answers.
        is_light: whether the event of this number can be had as often as one likes.
        per_minute: requests a minute of one page, and of one address.
    """

    def __init__(self, app: ASGIApp, is_light: Callable[[Any], bool], per_minute: tuple[int, int]) -> None:
        self.app, self.is_light, self.per_minute = app, is_light, per_minute
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        path = scope["path"].removeprefix(_START)
        if path.startswith("upload"):
            folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < ROOM:
                return await _refuse(503, _texts(scope)("guard.full"), scope, receive, send)
            body: dict[str, Any] = {}
        else:
            messages, content = [], b""
            while True:
                message = await receive()
                messages.append(message)
                content += message.get("body", b"")
                if len(content) > MAX_BODY:
                    return await _refuse(
                        413, _texts(scope)("guard.long", most=MAX_BODY // 1024**2), scope, receive, send
                    )
                if not message.get("more_body"):
                    break
            receive = _again(messages, receive)
            body = _parsed(content)
        if path.startswith(_WORK) and not (path.startswith("queue/") and self.is_light(body.get("fn_index"))):
            address = scope["client"][0] if scope.get("client") else ""
            page, all_of_it = self.per_minute
            wait = self._wait(f"address {address}", all_of_it)
            if not wait and (session := body.get("session_hash")):
                all_of_it, wait = page, self._wait(f"page {str(session)[:64]}", page)
            if wait:
                words = _texts(scope)("guard.wait", limit=all_of_it, seconds=wait)
                return await _refuse(429, words, scope, receive, send, {"Retry-After": str(wait)})
        await self.app(scope, receive, send)

    def _wait(self, who: str, limit: int) -> int:
        """Count one more; seconds until there is room for it, 0 where there is."""
        now = time.monotonic()
        if len(self._asked) > 20_000:
            for name in [name for name, asked in self._asked.items() if not asked or asked[-1] < now - 60]:
                del self._asked[name]
        asked = self._asked[who]
        while asked and asked[0] < now - 60:
            asked.popleft()
        if len(asked) >= limit:
            return int(asked[0] + 60 - now) + 1
        asked.append(now)
        return 0


def _texts(scope: Scope) -> Texts:
    return choose(Headers(scope=scope).get("accept-language", ""))


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _again(messages: list[Any], receive: Receive) -> Receive:
    """What was read, once more, and then what comes after it."""
    left = iter(messages)

    async def replay() -> Any:
        return next(left, None) or await receive()

    return replay


async def _refuse(
    status: int, words: str, scope: Scope, receive: Receive, send: Send, headers: dict[str, str] | None = None
) -> None:
    # The page shows `detail` for some errors, and `error` for others.
    await JSONResponse({"detail": words, "error": words}, status, headers)(scope, receive, send)
