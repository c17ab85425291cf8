"""Which ensemble and which examples come in; the page goes out, as Gradio Blocks, or served."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from leukovision.demo import analyse, api, guard, render, teach
from leukovision.ensemble import Ensemble, load_ensemble
from leukovision.hub import EMBEDDED, Found, Pulling, asked, find
from leukovision.store import StoreError, read_manifest

TEXT = {
    "title": "LeukoVision",
    "what": (
        "Is this white blood cell an acute lymphoblastic leukaemia (ALL) blast or healthy? "
        "Three neural networks decide together, and show where on the cell their evidence lies."
    ),
    "pulling": "It is being pulled from the Hugging Face Hub ({file}); until then nothing can be decided.",
    "loading": "The ensemble is loading; the first answer takes a little longer.",
    "ready": "Ready.",
    "failed": "The ensemble cannot be used.",
    "instead": "Not quite the ensemble that was asked for.",
    "embedded": "{why} The embedded ensemble is used in its place.",
    "analyse": "Analyse",
    "teach": "Teach",
    "ensemble": "Ensemble: {source}",
    "privacy": (
        "Pictures are deleted from the server when you leave, or within 20 minutes, and are used for nothing "
        "else."
    ),
}

# No web fonts: the page must come up without a network, and tell nobody that it did.
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")


def build(ensemble: str | Path | None = None, examples: Path | None = None) -> gr.Blocks:
    """The page. The ensemble is loaded in the background, so that the page is there at once.

    Args:
        ensemble: as in `load_ensemble`.
        examples: a folder of pictures to offer; drawn cells if None.

    Raises:
        FileNotFoundError: `examples` is not there, or there is no picture in it.
    """
    cells = analyse.example_cells(examples)
    now = {"footer": footer_html(asked(ensemble), ready=False)}

    def pulling(name: str, file: str) -> None:
        now["footer"] = footer_html(name, ready=False, file=file)

    def load() -> Ensemble:
        found = find_or_embedded(ensemble, pulling)
        now["footer"] = footer_html(_named(found), ready=False)
        return _warm(found)

    loading = in_background(load)
    get_ensemble = loading.result

    async def status() -> AsyncIterator[tuple[Any, str]]:
        # Asked again and again: a thread for each visitor who waits would leave none for those who do not.
        said = ""
        while not loading.done():
            if now["footer"] != said:
                said = now["footer"]
                yield gr.skip(), said
            await asyncio.sleep(0.3)
        try:
            loaded = loading.result()
        except StoreError as error:
            alert = render.alert_html(analyse.TEXT["no_ensemble"].format(why=error), TEXT["failed"])
            yield gr.HTML(alert, visible=True), footer_html("none", ready=None)
            return
        note = loaded.found.note
        notice = gr.HTML(render.alert_html(note, TEXT["instead"]), visible=True) if note else gr.skip()
        yield notice, footer_html(str(loaded.source), ready=True)

    with gr.Blocks(
        title=TEXT["title"],
        analytics_enabled=False,
        delete_cache=(analyse.KEPT, analyse.KEPT),
        fill_width=True,
    ) as page:
        gr.HTML(header_html(), apply_default_css=False, js_on_load=None)
        notice = gr.HTML(visible=False, apply_default_css=False, js_on_load=None, elem_id="lv-notice")
        with gr.Tabs():
            with gr.Tab(TEXT["analyse"], id="analyse"):
                forget = analyse.tab(get_ensemble, cells, are_drawn=examples is None)
            # Drawn by the browser from the start, or its parts would jump when they are first opened.
            with gr.Tab(TEXT["teach"], id="teach", render_children=True):
                teach.tab(get_ensemble, cells, examples is None)
        api.endpoints(get_ensemble)
        foot = gr.HTML(
            now["footer"], apply_default_css=False, js_on_load=None, elem_id="lv-foot",
        )  # fmt: skip
        page.load(
            status, outputs=[notice, foot], show_progress="hidden", api_visibility="private",
            concurrency_limit=None,
        )  # fmt: skip

        def left(request: gr.Request) -> None:
            forget(str(request.session_hash))
            page.state_holder.delete_state(request.session_hash)

        page.unload(left)
    page.queue(max_size=64, default_concurrency_limit=1)
    return page  # type: ignore[no-any-return]


def serve(
    ensemble: str | Path | None = None,
    examples: Path | None = None,
    share: bool = False,
    port: int | None = None,
    auth: str | None = None,
    mcp: bool = False,
) -> None:
    """Build the page and serve it until it is stopped.

    Args:
        ensemble, examples: as in `build`.
        share: make a public link.
        port: the next free one from 7860 by default, or what GRADIO_SERVER_PORT says.
        auth: "user:password" that the page asks for; what LEUKOVISION_AUTH says by default.
        mcp: offer the endpoints as tools of a Model Context Protocol server too.

    Raises:
        ValueError: `auth` is not of that form, LEUKOVISION_PER_MINUTE not as `guard.limits` wants it, or
            what `mcp` needs is not installed.
        FileNotFoundError: as `build`.
    """
    auth = auth or os.environ.get("LEUKOVISION_AUTH")
    user, colon, password = (auth or "").partition(":")
    if auth and not (user and colon and password):
        raise ValueError("--auth and LEUKOVISION_AUTH want user:password, with neither of them empty.")
    if mcp and not importlib.util.find_spec("mcp"):
        raise ValueError("--mcp needs the package mcp: pip install 'leukovision[mcp]'.")
    per_minute = guard.limits()
    theme = gr.themes.Base(primary_hue="violet", neutral_hue="stone", font=FONT, font_mono=FONT)
    page = build(ensemble, examples)

    def is_light(event: Any) -> bool:
        function = page.fns.get(event) if isinstance(event, int) else None
        return function is not None and function.concurrency_id != "ensemble"

    middleware = [Middleware(guard.Guard, is_light=is_light, per_minute=per_minute)]
    app, _, _ = page.launch(
        share=share, server_port=port, theme=theme, css_paths=Path(__file__).with_name("style.css"),
        head='<meta name="color-scheme" content="light dark">', footer_links=[], run_history=False,
        enable_monitoring=False, ssr_mode=False, max_file_size=analyse.MAX_BYTES,
        auth=(user, password) if auth else None, prevent_thread_lock=True,
        mcp_server=mcp or None, app_kwargs={"middleware": middleware},
    )  # fmt: skip
    # Before the routes of the page, which take every path. It says nothing but that the process answers.
    app.router.routes.insert(0, Route("/healthz", lambda _: PlainTextResponse("ok")))
    page.block_thread()


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


def header_html() -> str:
    """Title, what this is, and what it is not."""
    return (
        f'<header class="lv-head"><div><h1>{TEXT["title"]}</h1><p>{TEXT["what"]}</p></div>'
        f'<p class="lv-badge" role="note">{render.TEXT["disclaimer"]}</p></header>'
    )


def footer_html(source: str, ready: bool | None, file: str = "") -> str:
    """Which ensemble decides, and what happens to pictures.

    Args:
        source: its name.
        ready: None where it never will be.
        file: of it that is being pulled from the Hub.
    """
    kind = "lv-loading" if ready is False else ""
    state = TEXT["failed"] if ready is None else TEXT["ready" if ready else "loading"]
    state = TEXT["pulling"].format(file=escape(file)) if file else state
    decides = escape(TEXT["ensemble"].format(source=source))
    return (
        f'<footer class="lv-foot {kind}"><span role="status">{decides}. {state}</span>'
        f"<span>{TEXT['privacy']}</span></footer>"
    )


def find_or_embedded(source: str | Path | None, pulling: Pulling | None = None) -> Found:
    """What was asked for; the embedded ensemble, with a note why, where that cannot be had."""
    try:
        found = find(source, pulling)
        read_manifest(found.folder)
        return found
    except StoreError as error:
        return Found(EMBEDDED, "embedded", TEXT["embedded"].format(why=error))


def _warm(found: Found) -> Ensemble:
    try:
        ensemble = load_ensemble(found)
    except StoreError as error:
        if found.folder == EMBEDDED:
            raise
        ensemble = load_ensemble(Found(EMBEDDED, "embedded", TEXT["embedded"].format(why=error)))
    ensemble.warm_up()
    return ensemble


def _named(found: Found) -> str:
    """Name and version by the manifest alone, which is there long before the networks."""
    try:
        manifest = read_manifest(found.folder)
    except StoreError:
        return "none"
    return f"{manifest.name} {manifest.version}"
