"""A visitor comes in; the texts in their language go out, for answers and for the page as it opens; and what
went wrong for them goes into the log, without what it says of their files."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import gradio as gr
from gradio.context import LocalContext
from gradio.i18n import I18nData
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from leukovision.i18n import ENGLISH, LANGUAGES, Texts, choose

I18N = gr.I18n(**{tag: dict(texts.entries) for tag, texts in LANGUAGES.items()})
"""Every text in every language, for the browser; `start` adds to it."""


class Language:
    """ASGI middleware: the language that the address of the page names (?lang=de) is who asks' first.

    What the page asks for names the page in Referer, so that nothing has to be kept of a visitor.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in that language; in the browser's where the address names none that there is."""
        if scope["type"] == "http":
            asked = Headers(scope=scope)
            queries = scope.get("query_string", b"").decode("latin-1"), _query(asked.get("referer", ""))
            named = next((query for query in queries if "lang=" in query), "")
            if (tag := parse_qs(named).get("lang", [""])[0]) in LANGUAGES:
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["accept-language"] = tag
        await self.app(scope, receive, send)


def _query(address: str) -> str:
    """The part of an address behind "?"; "" where it is none."""
    try:
        return urlsplit(address).query
    except ValueError:
        return ""


def texts() -> Texts:
    """The texts in the language of the visitor whose event is at hand; English where there is none."""
    request = LocalContext.request.get(None)
    return choose(request.headers.get("accept-language", "")) if request else ENGLISH


def label(key: str) -> I18nData:
    """A text that the browser chooses the language of, for a component of Gradio."""
    return I18N(key)


def said(sentence: str) -> I18nData:
    """What the package says in English, likewise."""
    return start(lambda texts: texts.said(sentence))


def start(make: Callable[[Texts], str]) -> I18nData:
    """HTML that stands on the page when it opens, made in every language; the browser chooses.

    So it is there at once in the right language, whatever the visitor's, and nothing moves afterwards.
    """
    made = {tag: make(texts) for tag, texts in LANGUAGES.items()}
    key = "start-" + hashlib.sha256("".join(made.values()).encode()).hexdigest()[:16]
    for tag, html in made.items():
        I18N.translations[tag][key] = html
    return I18N(key)


def log(what: str, error: BaseException) -> None:
    """Log where an error came from. What it says may name a file: nobody's business but the sender's.

    Args:
        what: happened, as "a report could not be made".
        error: which one.
    """
    where = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger(__name__).error("%s: %s at\n%s", what, type(error).__name__, where)


__all__ = ["I18N", "Language", "label", "log", "said", "start", "texts"]
