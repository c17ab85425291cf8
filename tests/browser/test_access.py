"""The page for everybody: with a screen reader, with the keyboard, on every screen, by an address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from served import see_check

from leukovision.demo.teach import PARTS

SERIOUS = """async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  return found.violations
    .filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`);
}"""

SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.fixture
def opened(browser, address):
    """Opens the page on a screen, at an address; what the browser complains of is a fault."""
    contexts, complaints = [], list[str]()

    def open_at(where: str = "", width: int = 1366, height: int = 768, **screen):
        context = browser.new_context(viewport={"width": width, "height": height}, **screen)
        contexts.append(context)
        context.set_default_timeout(60_000)
        context.add_init_script(SHIFTS)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/{where}")
        page.wait_for_selector(".lv-zone", state="attached")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def everything(cells, photo, bad_files):
    """Shows every tab and part, with a result; says each time what is shown."""

    def shown_on(page):
        yield "empty"
        page.click("[data-index='0']")
        see_check(page)
        yield "result"
        page.set_input_files(".lv-open", photo)
        page.wait_for_selector(".lv-photo")
        page.click(".lv-unfold")
        see_check(page)
        page.click("[data-tool='more']")
        yield "photo"
        page.click("#lv-tab-batch-button")
        page.wait_for_selector(".lv-many", state="visible")
        yield "batch, empty"
        page.set_input_files(".lv-files", [*cells, next(iter(bad_files))])
        page.wait_for_selector(".lv-rows tbody tr:nth-child(3)")
        page.wait_for_selector("[data-act='stop']", state="hidden")
        yield "batch"
        page.select_option("[data-act='view']", "montage")
        yield "montage"
        page.click("#lv-tab-teach-button")
        page.click("#lv-say-positive")
        for part in PARTS:
            page.click(f"button[data-part='{part}']")
            page.wait_for_selector(f"#lv-part-{part} .lv-brief")
            yield part
        page.click("button[data-part='class']")
        page.click(".lv-class [data-act='open']")
        page.wait_for_selector("[data-act='go']:enabled")
        yield "class round"
        page.click(".lv-leave")
        page.click("#lv-tab-model-button")
        page.click(".lv-card summary")
        page.wait_for_selector(".lv-card h1", state="visible")
        yield "model"

    return shown_on


@pytest.mark.parametrize(("width", "scheme", "wider"), [(360, "dark", 768), (1366, "light", 1920)])
def test_every_tab_fits_every_screen_and_shuts_nobody_out(opened, everything, width, scheme, wider):
    core = pytest.importorskip("axe_playwright_python")
    page = opened(width=width, height=800, color_scheme=scheme, reduced_motion="reduce")
    page.evaluate((Path(core.__file__).with_name("axe.min.js")).read_text(encoding="utf-8"))
    for shown in everything(page):
        if shown == "photo":
            # The panel with its cells is the answer; it takes the place of the result before.
            page.evaluate("window.shifted = 0")
        # Of each screen, as browsers measure it, not of a whole visit.
        assert page.evaluate("window.shifted") < 0.1, shown
        assert page.evaluate(SERIOUS) == [], shown
        for size in (wider, width):
            page.set_viewport_size({"width": size, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == size, (shown, size)
        # Until what the turning moved is drawn, and counted.
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 100)))")
        page.evaluate("window.shifted = 0")


def test_with_few_colours_what_is_pressed_and_what_moves_is_seen(opened):
    page = opened("?tab=teach&part=line", forced_colors="active")
    page.wait_for_selector("#lv-part-line .lv-tiles")
    pressed, other = (f".lv-nav [aria-pressed='{one}']" for one in ("true", "false"))
    look = "one => ['backgroundColor', 'borderTopColor', 'appearance'].map(key => getComputedStyle(one)[key])"
    assert page.eval_on_selector(pressed, look)[0] != page.eval_on_selector(other, look)[0]
    assert page.eval_on_selector(other, look)[0] != page.eval_on_selector(other, look)[1]
    assert page.eval_on_selector("#lv-threshold input[type=range]", look)[2] == "auto"


def test_an_address_opens_a_part_and_follows_what_is_opened(opened, address):
    page = opened("?tab=teach&part=line")
    page.wait_for_selector("#lv-part-line .lv-teacher", state="visible")
    page.click("button[data-part='guess']")
    assert page.url == f"{address}/?tab=teach&part=guess"
    page.click("#lv-tab-analyse-button")
    page.click("[data-index='0']")
    page.wait_for_selector(".lv-result")
    assert page.url == f"{address}/?tab=analyse"
    # Back leads through what was open; the result stays where it was.
    page.go_back()
    page.wait_for_selector("#lv-part-guess .lv-teacher", state="visible")
    page.go_back()
    page.wait_for_selector("#lv-part-line .lv-teacher", state="visible")
    for _ in range(2):
        page.go_forward()
    page.wait_for_selector(".lv-result", state="visible")
    assert page.url == f"{address}/?tab=analyse"


@pytest.mark.parametrize(("around", "shown"), [("huggingface.co", True), ("elsewhere.example", False)])
def test_a_space_s_frame_shows_the_page_and_nobody_else_s(browser, address, around, shown):
    page = browser.new_page()
    page.set_default_timeout(60_000)
    outer = f'<iframe src="{address}" style="width: 1000px; height: 700px"></iframe>'
    page.route(f"https://{around}/**", lambda route: route.fulfill(body=outer, content_type="text/html"))
    page.goto(f"https://{around}/spaces/somebody/leukovision")
    inner = page.frame_locator("iframe")
    if shown:
        inner.locator("[data-index='0']").click()
        inner.locator(".lv-decision").wait_for()
    else:
        page.wait_for_load_state("networkidle")
        assert inner.locator(".lv-zone").count() == 0
    page.close()


def test_an_address_that_names_nothing_opens_the_page_as_ever(opened):
    page = opened("?tab=%3Cscript%3E&part=nothing")
    page.wait_for_selector(".lv-zone", state="visible")
    assert page.locator("[role='tab'][aria-selected='true']").text_content() == "Analyse"


def test_the_keyboard_reaches_tabs_parts_and_controls_and_shows_where_it_is(opened):
    page = opened()
    page.wait_for_selector("#lv-foot :text('Ready.')")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const one = document.activeElement, ring = (el) => getComputedStyle(el);
                const shown = [one, one.parentElement].some(
                    (el) => ring(el).outlineStyle !== 'none' || ring(el).boxShadow !== 'none');
                return [one.id || one.dataset.act || one.dataset.part || one.className, shown];
            }"""
        )
        assert found[1], f"no focus to be seen on {found[0]}"
        seen.append(found[0])
        if found[0] == "lv-tab-teach-button":
            page.keyboard.press("Enter")
            page.wait_for_selector(".lv-nav", state="visible")
        if re.search("line", found[0]):
            page.keyboard.press("Enter")
            break
    page.wait_for_selector("#lv-part-line .lv-teacher", state="visible")
    assert seen.index("lv-tab-analyse-button") < seen.index("lv-tab-teach-button")
