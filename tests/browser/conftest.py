"""The real page, served by a subprocess on a free port, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served import serving

from leukovision import read_cell, synthetic


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
def photo(tmp_path_factory) -> Path:
    """A drawn smear: a bright slide, rows of red cells, two white cells."""
    random = np.random.default_rng(4)
    field = np.full((600, 900, 3), (225, 220, 218), np.float32)
    y, x = np.indices(field.shape[:2])
    for row in range(5):
        for column in range(8):
            place = np.array([60 + 120 * row, 60 + 112 * column]) + random.integers(-12, 13, 2)
            if min(np.hypot(*(place - white)) for white in ((300, 220), (300, 680))) < 150:
                continue
            away = np.hypot(y - place[0], x - place[1]) / 42
            field[away < 1] = np.array([205, 150, 150]) + 14 * (away[away < 1, None] < 0.4)
    for number, (top, left) in enumerate(((300, 220), (300, 680))):
        cell = read_cell(synthetic.paint(synthetic.blast_like(number), seed=number))
        small = Image.fromarray(cell.pixels).resize((270, 270))
        inside = np.asarray(Image.fromarray(cell.outline).resize((270, 270)))
        here = field[top - 135 : top + 135, left - 135 : left + 135]
        # Light on a bright slide: the drawn cells are as dark as the training data.
        here[inside] = np.minimum(1.9 * np.asarray(small)[inside].astype(np.float32) + 20, 235)
    path = tmp_path_factory.mktemp("smears") / "smear.png"
    Image.fromarray(field.round().astype(np.uint8)).save(path)
    return path


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
