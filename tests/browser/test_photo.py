"""A photo of a smear on the page: its cells are outlined, looked at one by one, and corrected by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from leukovision import painter, read_cell


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
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
        cell = read_cell(painter.paint(painter.blast_like(number), seed=number))
        small = Image.fromarray(cell.pixels).resize((270, 270))
        inside = np.asarray(Image.fromarray(cell.outline).resize((270, 270)))
        here = field[top - 135 : top + 135, left - 135 : left + 135]
        # Light on a bright slide: the drawn cells are as dark as the training data.
        here[inside] = np.minimum(1.9 * np.asarray(small)[inside].astype(np.float32) + 20, 235)
    path = tmp_path_factory.mktemp("smears") / "smear.png"
    Image.fromarray(field.round().astype(np.uint8)).save(path)
    return path


def answered(page) -> None:
    page.wait_for_function("document.documentElement.dataset.lv === ''")


def draw(page, tool: str, *ways: tuple[float, float]) -> None:
    """Go from place to place of the photo, in parts of its sides, with a tool."""
    if page.locator(f"[data-tool='{tool}']").get_attribute("aria-pressed") != "true":
        page.click(f"[data-tool='{tool}']")
    page.locator(".lv-field").scroll_into_view_if_needed()
    box = page.locator(".lv-field").bounding_box()
    for step, (across, down) in enumerate(ways):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=4)
        if not step:
            page.mouse.down()
    page.mouse.up()
    answered(page)


@pytest.mark.parametrize("width", [1366, 390])
def test_cells_of_a_photo_are_chosen_and_corrected(page, photo, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.set_input_files(".lv-open", photo)
    answered(page)
    cards = page.locator(".lv-strip button")
    assert cards.count() == page.locator(".lv-field polygon").count() == 2
    assert "not what the figures were measured on" in page.locator(".lv-photo header").text_content()
    assert page.locator(".lv-map").count() == 4
    other = page.locator(".lv-strip button[aria-pressed='false']")
    name = other.locator("strong").text_content()
    other.click()
    answered(page)
    chosen = page.locator(".lv-strip button[aria-pressed='true']")
    assert chosen.locator("strong").text_content() == name
    before = page.locator(".lv-chosen polygon").get_attribute("points")
    (x, y) = (float(v) for v in before.split()[0].split(","))
    draw(page, "more", (x / 900, y / 600), (min(x / 900 + 0.03, 0.99), y / 600))
    assert page.locator(".lv-chosen polygon").get_attribute("points") != before
    draw(page, "new", (0.5, 0.9), (0.501, 0.901))
    assert "nothing inside" in page.locator(".lv-hint").text_content()
    assert cards.count() == 2
    page.click("[data-act='drop']")
    answered(page)
    assert cards.count() == 1
    draw(page, "new", (0.07, 0.2), (0.43, 0.8))
    assert cards.count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == width
