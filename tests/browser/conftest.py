"""The real page, served by a subprocess on a free port, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium; without one the tests are skipped, but fail in CI."""
    missing = "no Chromium here: install Debian's `chromium`, or any of it that is in PATH"
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            ],
        )  # fmt: skip
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def address(browser, tmp_path_factory) -> Iterator[str]:
    """Where app.py serves the page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("uploads")),
    }
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"app.py does not serve the page:\n{log.read_text()}")
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def page(browser, address) -> Iterator:
    """The page, freshly opened on a laptop."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, permissions=["clipboard-read", "clipboard-write", "camera"]
    )
    context.set_default_timeout(60_000)
    opened = context.new_page()
    opened.goto(address)
    opened.wait_for_selector(".lv-zone")
    yield opened
    context.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
