"""The real page, served by a subprocess on a free port, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from served import serving

from leukovision import synthetic


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
                # A public page may not show what this machine serves; here both are the test's.
                "--disable-features=LocalNetworkAccessChecks",
            ],
        )  # fmt: skip
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def uploads(tmp_path_factory) -> Path:
    """Where the page of `address` keeps what is sent to it."""
    return tmp_path_factory.mktemp("server") / "uploads"


@pytest.fixture(scope="session")
def address(browser, uploads) -> Iterator[str]:
    """Where app.py serves the page, as often as the tests of one address ask."""
    with serving(uploads.parent, LEUKOVISION_PER_MINUTE="5000/50000", GRADIO_MCP_SERVER="True") as url:
        yield url


@pytest.fixture(scope="session")
def laptop(browser) -> Iterator:
    """Someone's browser: what it has fetched once it does not fetch again."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, permissions=["clipboard-read", "clipboard-write", "camera"]
    )
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(laptop, address) -> Iterator:
    """The page, freshly opened on a laptop."""
    opened = laptop.new_page()
    opened.goto(address)
    opened.wait_for_selector(".lv-zone")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def cells(tmp_path_factory) -> list[Path]:
    """Two drawn cells, as PNG files."""
    paths = [
        tmp_path_factory.mktemp("cells") / "a cell.png",
        tmp_path_factory.mktemp("cells") / "another.png",
    ]
    for seed, path in enumerate(paths, start=3):
        Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=seed)).save(path)
    return paths
