"""Each part of the lesson, driven as a class would."""

from __future__ import annotations

import re

import pytest

from leukovision.demo.teach import PARTS

WIDTHS = ((390, 800), (1366, 768))
P_ALL = re.compile(r"(ALL|healthy|unsure)")


@pytest.fixture
def lesson(page):
    """The Teach tab; what a part shows in the end fits a phone, too."""
    page.get_by_role("tab", name="Teach").click()
    page.wait_for_selector(".lv-nav button", state="visible")
    yield page
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def part(page, key: str) -> None:
    page.click(f"button[data-part='{key}']")
    page.wait_for_selector(f"#lv-part-{key} .lv-teacher", state="visible")
    assert page.locator(f"#lv-part-{key} .lv-teacher li").count() == 3
    others = [other for other in PARTS if other != key]
    assert not any(page.locator(f"#lv-part-{other}").is_visible() for other in others)


def move(page, slider: str, value: str) -> None:
    page.locator(f"#lv-{slider} input[type=range]").fill(value)


def traced(page, output: str, steps: int) -> list[float]:
    """p(ALL) over the changes, once there are so many."""
    page.wait_for_function(f"document.querySelectorAll('#lv-{output} .lv-dot').length === {steps}")
    label = page.locator(f"#lv-{output} svg").get_attribute("aria-label")
    return [float(p) for p in re.findall(r"\d\.\d\d", label.split("p(ALL): ")[1])]


def test_student_guesses_before_the_ensemble(lesson):
    assert lesson.locator("#lv-guess-out .lv-decision").count() == 0
    for place, said in enumerate(("positive", "negative"), start=1):
        lesson.click(f"#lv-say-{said}")
        lesson.wait_for_selector(".lv-told")
        assert "a drawn cell has no diagnosis" in lesson.locator(".lv-told").text_content()
        assert lesson.locator("#lv-guess-out .lv-map").count() == 4
        rows = lesson.locator("#lv-score tbody tr")
        assert rows.count() == 5
        assert all(f"of {place}" in row for row in rows.all_text_contents())
        lesson.click(f"#lv-say-{said}")  # a second thought does not count
        lesson.click("#lv-next")
        lesson.wait_for_selector("#lv-guess-out .lv-asked")


def test_each_tap_of_a_class_of_five_reaches_all_of_it(browser, address):
    """A teacher on a laptop and four phones, one of them German."""
    screens = [{"width": 1366, "height": 768}] + 4 * [{"width": 360, "height": 780}]
    contexts = [
        browser.new_context(viewport=screen, locale="de" if place == 4 else "en")
        for place, screen in enumerate(screens)
    ]
    for context in contexts:
        context.set_default_timeout(120_000)
    teacher, *phones = pages = [context.new_page() for context in contexts]
    teacher.goto(f"{address}/?tab=teach&part=class")
    teacher.click(".lv-class [data-act='open']")
    link = teacher.locator(".lv-link").text_content()
    assert teacher.locator("[data-piece='door'] img").get_attribute("src").startswith("data:image/svg")
    for phone in phones:
        phone.goto(link)

    def seen(key: str, count: int) -> None:
        for page in pages:
            page.wait_for_selector(f".lv-room [data-count='{key}']:text-is('{count}')")

    def go(stage: str) -> None:
        teacher.click(f"[data-act='go'][data-value='{stage}']:enabled")

    for count, phone in enumerate(phones, start=1):
        phone.click("[data-act='guess'][data-value='healthy']")
        seen("healthy", count)
    assert phones[0].locator("[data-act='go']").count() == 0
    go("truth")
    for page in pages:
        page.wait_for_selector("[data-score='class']:has-text('1')")
    go("maps")
    for place, phone in enumerate(phones):
        phone.click(f"[data-act='vote'][data-value='{place % 2}']:enabled")
        seen(str(place % 2), place // 2 + 1)
    assert "Grad-CAM" not in phones[0].locator(".lv-room").text_content()
    go("names")
    for page in pages:
        page.wait_for_selector(".lv-fall")
        assert "Grad-CAM" in page.locator(".lv-room").text_content()
        assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]
    phones[0].reload()  # it is still the same member
    phones[0].wait_for_selector(".lv-fall")
    teacher.wait_for_selector("[data-piece='head'] :text-is('In the round: 4')")
    go("guess")
    phones[0].wait_for_selector("[data-act='guess']")
    teacher.click(".lv-leave")
    for phone in phones:
        phone.wait_for_selector(".lv-class [data-act='open']", state="visible")
    for context in contexts:
        context.close()


def test_breaking_a_cell_leaves_a_trace(lesson):
    part(lesson, "break")
    traced(lesson, "break-out", 1)
    changes = {"turn": "90", "brightness": "0.6", "blur": "6", "stain": "1", "noise": "30", "quality": "20"}
    for steps, (slider, value) in enumerate(changes.items(), start=2):
        move(lesson, slider, value)
        found = traced(lesson, "break-out", steps)
    assert max(found) - min(found) > 0.01
    lesson.locator(".lv-canvas img").scroll_into_view_if_needed()
    box = lesson.locator(".lv-canvas img").bounding_box()
    lesson.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.5)
    lesson.mouse.down()
    lesson.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5, steps=3)
    lesson.mouse.up()
    traced(lesson, "break-out", 8)
    lesson.check("#lv-corner input")
    traced(lesson, "break-out", 9)
    lesson.click("#lv-undo")
    traced(lesson, "break-out", 1)
    assert lesson.locator("#lv-brightness input[type=range]").input_value() == "1"
    lesson.click("#lv-find")
    lesson.wait_for_selector("#lv-break-out .lv-told")
    traced(lesson, "break-out", 2)


def test_twin_is_shown_beside_the_trained_networks(lesson):
    part(lesson, "twin")

    def alike(what: str) -> float:
        said = lesson.locator(f"#lv-twin-out [data-of='{what}'] p[role=status]").text_content()
        return float(re.search(r"on the cell: (−?\d\.\d\d)", said)[1].replace("−", "-"))

    own = alike("adds_up head")
    lesson.get_by_role("radio", name="LayerCAM").check()
    assert alike("layercam head") > 0.7 > own
    lesson.get_by_role("radio", name="all layers").check()
    assert alike("layercam all") < 0.99


def test_drawn_cell_is_judged_as_its_sliders_move(lesson):
    part(lesson, "draw")
    traced(lesson, "draw-out", 1)
    move(lesson, "draw-chromatin", "0.9")
    traced(lesson, "draw-out", 2)
    move(lesson, "draw-nucleoli", "4")
    assert len(traced(lesson, "draw-out", 3)) == 3
    assert P_ALL.search(lesson.locator("#lv-draw-out .lv-decision").text_content())


def test_ruler_and_size_are_told_apart(lesson):
    part(lesson, "shortcut")
    said = lesson.locator("#lv-ruler-out p[role=status]")
    before = said.text_content()
    assert "By size alone: AUC 0.7" in before
    assert "Below 50 %: " in lesson.locator("#lv-ruler-out figcaption").text_content()
    move(lesson, "cut", "20")
    lesson.wait_for_function(
        "before => document.querySelector('#lv-ruler-out p[role=status]').textContent !== before", arg=before
    )
    traced(lesson, "size-out", 1)
    move(lesson, "size", "80")
    found = traced(lesson, "size-out", 2)
    assert abs(found[0] - found[1]) < 0.2


def test_line_and_prevalence_change_the_figures(lesson):
    part(lesson, "line")

    def figures() -> list[float]:
        return [float(one.split()[0]) for one in lesson.locator(".lv-tiles dd").all_text_contents()]

    def changed(before: list[float]) -> list[float]:
        lesson.wait_for_function(
            "before => [...document.querySelectorAll('.lv-tiles dd')].map(one => parseFloat(one.textContent))"
            ".join() !== before",
            arg=",".join(f"{one:g}" for one in before),
        )
        return figures()

    lesson.wait_for_selector(".lv-tiles dd")
    first = figures()
    move(lesson, "threshold", "0.9")
    strict = changed(first)
    assert strict[0] < first[0] and strict[1] > first[1]
    move(lesson, "prevalence", "1")
    rare = changed(strict)
    assert rare[:2] == strict[:2] and rare[2] < strict[2] and rare[3] > strict[3]
