"""A photo of a smear on the page: its cells are outlined, looked at one by one, and corrected by hand."""

from __future__ import annotations

import pytest
from served import see_check

from leukovision.i18n import ENGLISH


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
    assert page.locator(".lv-photo header .lv-odd").text_content() == ENGLISH("photo.all_odd")
    assert page.locator(".lv-map").count() == page.locator(".lv-check").count() == 0
    page.click(".lv-unfold")
    see_check(page)
    assert page.locator(".lv-map").count() == 4
    other = page.locator(".lv-strip button[aria-pressed='false']")
    name = other.locator("strong").text_content()
    by_keyboard = width > 720
    if by_keyboard:
        other.focus()
        page.keyboard.press("Enter")
    else:
        other.click()
    answered(page)
    chosen = page.locator(".lv-strip button[aria-pressed='true']")
    assert chosen.locator("strong").text_content() == name
    if by_keyboard:
        # The panel was drawn anew; whoever works it by keyboard is where they were, and told what needs more.
        assert chosen.evaluate("one => one === document.activeElement")
        page.focus("[data-tool='box']")
        page.keyboard.press("Enter")
        assert page.locator(".lv-hint").text_content().endswith(ENGLISH("photo.pointer"))
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
