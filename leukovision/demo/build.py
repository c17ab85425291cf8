"""Which ensemble and which examples come in; the page goes out, as Gradio Blocks, or served."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.route_utils import CustomCORSMiddleware
from markupsafe import Markup
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from leukovision import hub
from leukovision.artifact import StoreError, read_manifest
from leukovision.batch import MAX_BYTES
from leukovision.demo import (
    analyse,
    api,
    batch_tab,
    fair_queue,
    headers,
    model_tab,
    preview,
    render,
    request_limits,
    sessions,
    shutdown,
    teach,
    uploads,
    visitor,
)
from leukovision.demo.examples import Examples, find_examples
from leukovision.demo.static import FOLDER, SHEETS, script
from leukovision.demo.templates import macros
from leukovision.ensemble import Ensemble, load_ensemble
from leukovision.errors import sentence
from leukovision.hub import EMBEDDED, Found, Pulling, asked, find
from leukovision.i18n import ENGLISH, LANGUAGES, Texts
from leukovision.question import OURS, Question

_PIECES = macros("build")

SESSIONS = 500
"""Visitors that are remembered at once: those who ask by curl never say that they are gone."""

M_ARENA_MAX = -8
"""Of glibc's mallopt."""

# No web fonts: the page must come up without a network, and tell nobody that it did.
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")


def build(
    ensemble: str | Path | None = None,
    examples: Examples | None = None,
    after: threading.Event | None = None,
    question: Question | None = None,
) -> gr.Blocks:
    """The page. The ensemble is loaded in the background, so that the page is there at once.

    Args:
        ensemble: as in `load_ensemble`.
        examples: cells to try; drawn ones if None.
        after: when it is set the loading begins, which would take time from what comes first; at once by
            default.
        question: of the ensemble, as `asked_of` says it; looked for by default.
    """
    here, question = _here(ensemble), question or asked_of(ensemble)
    examples = examples or find_examples(question=question)
    now = {"foot": (_named(here) if here else asked(ensemble), False, "")}

    def pulling(name: str, file: str) -> None:
        now["foot"] = (name, False, file)

    def load() -> Ensemble:
        if after:
            after.wait()
        found = find_or_embedded(ensemble, pulling, question)
        now["foot"] = (_named(found), False, "")
        return _warm(found, question)

    loading = in_background(load)
    get_ensemble = loading.result

    async def status() -> AsyncIterator[tuple[Any, str, Any]]:
        # Asked again and again: a thread for each visitor who waits would leave none for those who do not.
        texts, said = visitor.texts().about(question), now["foot"]
        while not loading.done():
            if now["foot"] != said:
                said = now["foot"]
                yield gr.skip(), footer_html(*said, texts), gr.skip()
            await asyncio.sleep(0.3)
        try:
            loaded = loading.result()
        except StoreError as error:
            why = texts("analyse.no_ensemble", why=texts.said(error))
            alert = render.alert_html(why, texts("page.failed"), texts)
            yield gr.HTML(alert, visible=True), footer_html(None, None, "", texts), gr.skip()
            return
        notice, note = gr.skip(), loaded.found.note
        if note:
            notice = gr.HTML(render.alert_html(note, texts("page.instead"), texts), visible=True)
        foot = footer_html(texts.said(str(loaded.source)), True, "", texts.about(loaded.question))
        described = gr.skip()
        if not here or note:
            # Its folder may have been damaged since; what was loaded goes on deciding.
            with contextlib.suppress(StoreError):
                described = model_tab.model_html(loaded.found, texts)
        yield notice, foot, described

    with gr.Blocks(
        title=ENGLISH("page.title"),
        analytics_enabled=False,
        fill_width=True,
    ) as page:
        gr.HTML(visitor.start(header_html, question), apply_default_css=False, js_on_load=script("address"))
        notice = gr.HTML(visible=False, apply_default_css=False, js_on_load=None, elem_id="lv-notice")
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab(visitor.label("page.analyse"), id="analyse", elem_id="lv-tab-analyse"):
                forget = analyse.tab(get_ensemble, examples, question)
            with gr.Tab(
                visitor.label("page.batch"), id="batch", elem_id="lv-tab-batch", render_children=True
            ):
                batch_tab.tab(get_ensemble, question)
            # Drawn by the browser from the start, or its parts would jump when they are first opened.
            with gr.Tab(
                visitor.label("page.teach"), id="teach", elem_id="lv-tab-teach", render_children=True
            ):
                teach.tab(get_ensemble, examples.cells, examples.are_drawn, question)
            with gr.Tab(
                visitor.label("page.model"), id="model", elem_id="lv-tab-model", render_children=True
            ):
                described = model_tab.tab(here)
        api.endpoints(get_ensemble, question)
        foot = gr.HTML(
            visitor.start(partial(footer_html, *now["foot"]), question), apply_default_css=False,
            js_on_load=None, elem_id="lv-foot",
        )  # fmt: skip
        page.load(
            status, outputs=[notice, foot, described], show_progress="hidden", api_visibility="private",
            concurrency_limit=None,
        )  # fmt: skip

        def left(request: gr.Request) -> None:
            forget(str(request.session_hash))
            # Gradio would keep the session for as long as it runs.
            page.state_holder.session_data.pop(request.session_hash, None)
            page.state_holder.time_last_used.pop(request.session_hash, None)

        page.unload(left)
    # Nobody is shown their place in the queue: with each event the others would be told it all the same.
    # And nobody asks past the queue.
    page.queue(
        max_size=fair_queue.WAITING, default_concurrency_limit=1, status_update_rate=60, api_open=False
    )  # fmt: skip
    return page  # type: ignore[no-any-return]


def serve(
    ensemble: str | Path | None = None,
    examples: str | Path | None = None,
    share: bool = False,
    port: int | None = None,
    auth: str | None = None,
    mcp: bool = False,
    host: str | None = None,
    show: bool = False,
) -> None:
    """Build the page and serve it until it is stopped.

    Args:
        ensemble: as in `build`.
        examples: as in `find_examples`.
        share: make a public link.
        port: the next free one from 7860 by default, or what GRADIO_SERVER_PORT says.
        auth: "user:password" that the page asks for; what LEUKOVISION_AUTH says by default.
        mcp: offer the endpoints as tools of a Model Context Protocol server too.
        host: address to listen on; this machine alone by default, or what GRADIO_SERVER_NAME says.
        show: open the page in the browser, where there is one.

    Raises:
        ValueError: `auth` is not of that form, LEUKOVISION_PER_MINUTE not as `request_limits.limits` wants
            it, LEUKOVISION_ORIGINS not as `headers.origins` does, or what `mcp` needs is not installed.
        FileNotFoundError: as `find_examples`.
    """
    auth = auth or os.environ.get("LEUKOVISION_AUTH")
    user, colon, password = (auth or "").partition(":")
    if auth and not (user and colon and password):
        raise ValueError("--auth and LEUKOVISION_AUTH want user:password, with neither of them empty.")
    if mcp and not importlib.util.find_spec("mcp"):
        raise ValueError("--mcp needs the package mcp: pip install 'leukovision[mcp]'.")
    per_minute, named = request_limits.limits(), headers.origins()
    # The C library would keep freed memory apart for each of the page's many threads: 80 MB.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    theme = gr.themes.Base(primary_hue="violet", neutral_hue="stone", font=FONT, font_mono=FONT)
    up = threading.Event()
    # Before the routes of the page, which take every path. It says nothing but that the process answers.
    health = Route("/healthz", lambda _: PlainTextResponse("ok"))
    # Uvicorn would take the word of whoever asks from this machine for where the request came from.
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    question = asked_of(ensemble)
    offered = find_examples(examples, question)
    with uploads.folder() as folder:
        page = build(ensemble, offered, up, question)
        queue = fair_queue.FairQueue(page._queue)
        outside = [
            Middleware(visitor.Language),
            Middleware(headers.Policy, named=named, share=share),
            Middleware(request_limits.RequestLimits, queue=queue, per_minute=per_minute),
        ]
        preview.install(question)
        page.launch(
            share=share, server_name=host, server_port=port, inbrowser=show and _has_browser(),
            theme=theme, css_paths=list(SHEETS), pwa=True, favicon_path=str(FOLDER / "icon.svg"),
            head='<meta name="color-scheme" content="light dark">', footer_links=[], run_history=False,
            enable_monitoring=False, ssr_mode=False, max_file_size=MAX_BYTES,
            auth=(user, password) if auth else None, i18n=visitor.I18N, prevent_thread_lock=True,
            state_session_capacity=SESSIONS, mcp_server=mcp or None,
            app_kwargs={
                "lifespan": _lifespan(page, outside, queue, folder.parent),
                "routes": [health, preview.route(question), teach.route(offered.are_drawn)],
            },
        )  # fmt: skip
        up.set()
        shutdown.wait(page, queue)


def asked_of(ensemble: str | Path | None) -> Question:
    """What the ensemble decides, by its manifest; ours where that cannot be had, as then it is ours that will
    decide."""
    manifest = hub.manifest(ensemble)
    return manifest.question if manifest else OURS


def _has_browser() -> bool:
    """Whether a window can be opened: a server would open a browser in its terminal."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in screens)


def _lifespan(
    page: gr.Blocks, outside: list[Middleware], queue: fair_queue.FairQueue, folder: Path
) -> Callable[[Any], Any]:
    """What is done while the page is up: its middleware is outside of Gradio's, and what is old is swept."""

    async def sweep() -> None:
        while True:
            await asyncio.sleep(uploads.EVERY)
            queue.forget()
            await asyncio.to_thread(uploads.sweep, folder)
            # The C library keeps what was freed between things that are still there: 300 MB after a siege.
            with contextlib.suppress(OSError, AttributeError):
                await asyncio.to_thread(ctypes.CDLL(None).malloc_trim, 0)

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        app.state_holder = sessions.Sessions(page)
        # Gradio's own lets every origin in.
        kept = [one for one in app.user_middleware if one.cls is not CustomCORSMiddleware]
        app.user_middleware = [*outside, *kept]
        app.middleware_stack = app.build_middleware_stack()
        sweeping = asyncio.create_task(sweep())
        yield
        sweeping.cancel()

    return lifespan


def in_background(load: Callable[[], Ensemble]) -> Future[Ensemble]:
    """Start `load` in a thread; the result of what is returned waits for it, and raises what it raised."""
    loaded: Future[Ensemble] = Future()

    def run() -> None:
        try:
            loaded.set_result(load())
        except BaseException as error:
            loaded.set_exception(error)

    threading.Thread(target=run, name="load ensemble", daemon=True).start()
    return loaded


def header_html(texts: Texts = ENGLISH) -> Markup:
    """Title, what this is, and what it is not; in which language, for the page, and in which others it is."""
    others = {tag: other("page.language") for tag, other in LANGUAGES.items() if tag != texts.language}
    return _PIECES.header(texts, others)


def footer_html(source: str | None, ready: bool | None, file: str = "", texts: Texts = ENGLISH) -> Markup:
    """Which ensemble decides, and what happens to pictures.

    Args:
        source: its name; None if there is none.
        ready: None where it never will be.
        file: of it that is being pulled from the Hub.
        texts: of a language.
    """
    state = texts("page.failed" if ready is None else "page.ready" if ready else "page.loading")
    state = texts("page.pulling", file=file) if file else state
    return _PIECES.footer(texts, source or texts("page.none"), state, ready is False, _links(texts))


def _links(texts: Texts) -> dict[str, str]:
    """Where there is more, by what: of a Space its own files, and what the ensemble learnt from."""
    data = re.search(r"https://[^\s<>\"',;]+", texts.question.data)
    found = {"data": data[0]} if data else {}
    space = os.environ.get("SPACE_ID", "")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", space):
        files = f"https://huggingface.co/spaces/{space}"
        found = {
            "code": f"{files}/tree/main",
            "docs": f"{files}/blob/main/docs/index.md",
            "lesson": f"{files}/blob/main/docs/lesson.md",
            "api": f"{files}/blob/main/docs/programs.md",
        } | found
    found["paper"] = "https://doi.org/10.1109/CVPR.2016.319"
    found["licence"] = "https://www.apache.org/licenses/LICENSE-2.0"
    return found


def find_or_embedded(
    source: str | Path | None, pulling: Pulling | None = None, question: Question = OURS
) -> Found:
    """What was asked for; the embedded ensemble, with a note why, where that cannot be had.

    Raises:
        StoreError: it cannot be had, and the embedded one would answer another question.
    """
    try:
        found = find(source, pulling)
        read_manifest(found.folder)
        return found
    except StoreError as error:
        if not question.is_ours:
            raise
        return Found(EMBEDDED, "embedded", sentence("embedded", why=error.args[0]))


def _warm(found: Found, question: Question) -> Ensemble:
    try:
        ensemble = load_ensemble(found)
    except StoreError as error:
        if found.folder == EMBEDDED or not question.is_ours:
            raise
        ensemble = load_ensemble(Found(EMBEDDED, "embedded", sentence("embedded", why=error.args[0])))
    ensemble.warm_up()
    return ensemble


def _here(source: str | Path | None) -> Found | None:
    """What was asked for, if it is a folder on this machine and can be read."""
    name = asked(source)
    folder = EMBEDDED if name == "embedded" else Path(name)
    try:
        read_manifest(folder)
    except StoreError:
        return None
    return Found(folder, name)


def _named(found: Found) -> str | None:
    """Name and version by the manifest alone, which is there long before the networks."""
    try:
        manifest = read_manifest(found.folder)
    except StoreError:
        return None
    return f"{manifest.name} {manifest.version}"
