"""Answers of the page come in; they go out with headers that say to a browser what it may do with them.

Other origins may neither ask from within a browser nor show the page in a frame, but for huggingface.co,
where a Space is shown, and those that LEUKOVISION_ORIGINS names: "https://school.example https://lab.example".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leukovision.i18n import choose

FRAMES = ("https://huggingface.co", "https://*.hf.space")
"""Who may show the page in a frame without being named."""

SHARED = "https://gradio.s3-us-west-2.amazonaws.com"
"""Where the page of a public link takes Gradio's own script from."""


def origins() -> list[str]:
    """Those that LEUKOVISION_ORIGINS names.

    Raises:
        ValueError: one is no origin.
    """
    named = os.environ.get("LEUKOVISION_ORIGINS", "").split()
    for one in named:
        if not re.fullmatch(r"https?://[\w.-]+(:\d+)?", one):
            raise ValueError(
                f"LEUKOVISION_ORIGINS names {one!r}; wanted are origins with spaces between them, as "
                "https://school.example."
            )
    return named


def policy(named: Sequence[str], share: bool) -> str:
    """The content security policy.

    Gradio's page is made of inline scripts and styles, and makes functions of ours from their text.
    """
    own = f"'self' {SHARED}" if share else "'self'"
    return "; ".join([
        f"default-src {own}",
        f"script-src {own} 'unsafe-inline' 'unsafe-eval'",
        f"style-src {own} 'unsafe-inline'",
        f"img-src {own} data: blob:",
        f"media-src {own} data: blob:",
        f"font-src {own} data:",
        f"connect-src {own} data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        f"frame-ancestors 'self' {' '.join([*FRAMES, *named])}",
    ])  # fmt: skip


class Policy:
    """ASGI middleware that sets these headers, and answers browsers that ask whether they may ask.

    Args:
        app: what answers.
        named: origins that may ask.
        share: whether the page is behind a public link of Gradio.
    """

    def __init__(self, app: ASGIApp, named: Sequence[str], share: bool) -> None:
        self.app, self.named = app, named
        self.headers = {
            "Content-Security-Policy": policy(named, share),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers; a page of another origin is refused what would change something."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        asked = Headers(scope=scope)
        origin = asked.get("origin", "")
        own = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin in self.named else {}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers | own)
            await send(message)

        if scope["method"] == "OPTIONS" and own:
            allowed = {
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": asked.get("access-control-request-headers", ""),
                "Access-Control-Max-Age": "600",
            }
            return await JSONResponse({}, headers=allowed)(scope, receive, with_headers)
        if scope["method"] == "POST" and asked.get("sec-fetch-site") == "cross-site" and not own:
            words = choose(asked.get("accept-language", ""))("requests.elsewhere")
            return await JSONResponse({"detail": words, "error": words}, 403)(scope, receive, with_headers)
        await self.app(scope, receive, with_headers)
