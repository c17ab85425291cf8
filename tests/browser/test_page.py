"""What a person sees who gives the page a picture."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from PIL import Image
from served import see_check

DECISION = re.compile(r"^((ALL|healthy), (above )?\d\d %: .*network|unsure: probability of ALL 0\.\d\d)")
UNLIKE = "not decided: it is unlike the cells that the networks learned from"
NAMES = ("Xception", "InceptionResNetV2", "InceptionV3", "Combined")


@pytest.fixture(scope="session")
def cell(cells) -> Path:
    """A drawn cell, as a PNG file."""
    return cells[0]


def send(page, path: Path) -> None:
    """Choose a file and wait for what the page has to say."""
    page.set_input_files(".lv-open", path)
    answered(page)


def answered(page) -> None:
    page.wait_for_function("document.documentElement.dataset.lv === ''")


def decision(page) -> str:
    return " ".join(page.locator(".lv-decision h2").text_content().split())


def test_uploaded_cell_is_decided_in_words_with_four_maps(page, cell):
    send(page, cell)
    assert DECISION.match(decision(page))
    maps = page.locator(".lv-map img.lv-over:not(.lv-coarse)")
    assert maps.count() == 4
    for name, alt in zip(NAMES, maps.evaluate_all("all => all.map(one => one.alt)"), strict=True):
        assert re.match(rf"Map, {name}\. (Nearly all for|More for|Next to nothing) ", alt)
    rows = page.locator(".lv-table :is(tbody, tfoot) th").all_text_contents()
    assert rows == [*NAMES[:3], "Together"]
    assert re.match(r"\d\.\d\d", page.locator(".lv-sum tfoot td").first.text_content())
    source = page.locator(".lv-source strong").text_content()
    assert re.match(r"\S+ \S+ \(.+\)$", source)
    assert source in page.locator("#lv-foot").text_content()
    assert page.locator(".lv-seen img").get_attribute("alt").endswith("a cell.png")
    # Parts add up as they are shown.
    shown = page.locator(".lv-sum :is(tbody, tfoot) td:last-child").all_text_contents()
    *figures, total = (float(one.replace("−", "-")) for one in shown)
    assert len(figures) == 3 and sum(figures) == pytest.approx(total, abs=1e-9)
    # A phone needs no sideways scrolling.
    for width in (390, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    tops = page.locator(".lv-map").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert len(set(map(round, tops))) == 2
    page.set_viewport_size({"width": 1366, "height": 768})
    explained = page.locator(".lv-sum .lv-tip").last
    assert not explained.is_visible()
    page.locator(".lv-sum .lv-term").last.focus()
    assert "logit" in explained.text_content() and explained.is_visible()


def test_page_says_that_it_is_no_medical_device(page):
    assert page.locator(".lv-badge").text_content() == "For research and teaching. Not a medical device."
    assert page.locator(".lv-badge").is_visible()


def test_keyboard_alone_gets_an_example_decided(page):
    assert "drawn by a program, not photographs" in page.locator(".lv-examples").text_content()
    page.locator("[data-index='1']").focus()
    page.keyboard.press("Enter")
    answered(page)
    assert DECISION.match(decision(page))
    assert "drawn to look like" in page.locator(".lv-decision .lv-truth").text_content()


def test_maps_are_shown_alone_fainter_and_as_coarse_as_they_are_and_clear_resets_the_page(page, cell):
    send(page, cell)
    before, said = page.locator(".lv-grid").screenshot(), decision(page)
    page.locator(".lv-opacity").fill("0")
    assert page.locator(".lv-grid").screenshot() != before
    assert decision(page) == said
    assert page.locator(".lv-over").first.evaluate("one => getComputedStyle(one).opacity") == "0"
    page.locator(".lv-opacity").fill("60")
    page.select_option(".lv-view", "combined")
    assert page.locator(".lv-map:visible").count() == 1
    smooth = page.locator(".lv-map-combined").screenshot()
    page.check(".lv-raw")
    assert page.locator(".lv-map-combined").screenshot() != smooth
    page.select_option(".lv-view", "own")
    assert page.locator(".lv-map:visible").count() == 3
    page.click("[data-index='0']")
    answered(page)
    # What was chosen outlives the cell.
    assert page.locator(".lv-map:visible").count() == 3 and page.locator(".lv-opacity").input_value() == "60"
    page.click("[data-act='clear']")
    page.wait_for_selector(".lv-empty")
    assert page.locator(".lv-prompt").is_visible()
    assert page.locator(".lv-result").count() == 0


def test_dropped_and_pasted_pictures_are_decided(page, cell):
    for kind in ("drop", "paste"):
        page.evaluate(
            """([kind, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], kind + 'ped.png', { type: 'image/png' }));
                const given = kind === 'drop' ? { dataTransfer: data } : { clipboardData: data };
                const Event = kind === 'drop' ? DragEvent : ClipboardEvent;
                document.body.dispatchEvent(new Event(kind, { bubbles: true, ...given }));
            }""",
            [kind, list(cell.read_bytes())],
        )
        answered(page)
        assert page.locator(".lv-seen figcaption").text_content().startswith(f"{kind}ped.png")
        assert DECISION.match(decision(page))


def test_photographed_picture_is_called_unlike_the_training_data(page):
    page.click("[data-act='photograph']")
    page.wait_for_function("document.querySelector('.lv-camera video').videoWidth > 0")
    page.click("[data-act='shoot']")
    answered(page)
    assert decision(page).startswith("not decided: ")
    words = page.locator(".lv-decision").text_content()
    assert words.startswith("This picture is not like the training data.")


def test_every_bad_file_is_refused_by_name_and_the_next_good_one_works(page, cell, bad_files):
    for path, reason in bad_files.items():
        send(page, path)
        said = page.locator("#lv-output [role='alert']").text_content()
        assert said.startswith(f"Not analysed.{path.name}: ")
        assert reason in said
        assert str(path.parent) not in said
        assert page.locator(".lv-decision").count() == 0
    send(page, cell)
    assert page.locator("[role='alert']").count() == 0
    assert DECISION.match(decision(page))


def test_every_format_reaches_the_networks(page, cell, tmp_path):
    # PNG is in every test; which others can be read, and how, is in `test_decode.py`.
    for suffix in ("jpg", "bmp", "tiff"):
        path = tmp_path / f"cell.{suffix}"
        Image.open(cell).save(path)
        send(page, path)
        assert page.locator(".lv-seen figcaption").text_content().startswith(path.name)
        # A lossy copy of a drawn cell may be called unlike real ones, which is right.
        assert DECISION.match(decision(page)) or (decision(page) == UNLIKE and suffix == "jpg")


def test_nothing_is_fetched_from_elsewhere(browser, address):
    asked = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector(".lv-zone")
    page.wait_for_selector("#lv-foot :text('Ready.')")
    context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_files_that_nobody_uploaded_are_not_read(address, cell):
    """An event can be made to name any path; only what lies in the folder of uploads is opened."""
    config = json.load(urllib.request.urlopen(f"{address}/config"))
    upload = next(one for one in config["dependencies"] if one["targets"][0][1] == "upload")
    body = {
        "data": [], "fn_index": upload["id"], "session_hash": "reader", "trigger_id": upload["targets"][0][0],
        "event_data": {"path": str(cell), "name": "a cell.png"},
    }  # fmt: skip
    request = urllib.request.Request(
        f"{address}/gradio_api/queue/join", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request)
    said = ""
    with urllib.request.urlopen(f"{address}/gradio_api/queue/data?session_hash=reader") as lines:
        for line in lines:
            if b"process_completed" in line:
                said = line.decode()
                break
    assert "process_completed" in said
    assert "lv-decision" not in said


def test_map_of_another_method_is_drawn_and_checked(page, cell):
    send(page, cell)
    answered(page)
    # It takes 28 passes, the answer took one, and it is asked for when somebody comes to see it.
    assert page.locator(".lv-awaited").count() == 1
    with page.expect_request("**/queue/join**"):
        see_check(page)
    pattern = (
        r"^(Yes, on this cell|No better than chance|The test cannot tell).*speaks most for (ALL|healthy) "
        r"moves the probability of ALL from \d\.\d\d to \d\.\d\d; .*blurring a random 10 %, to \d\.\d\d\."
    )
    assert re.search(pattern, page.locator(".lv-check p").text_content())
    said, first = decision(page), page.locator(".lv-check svg").get_attribute("aria-label")
    page.select_option(".lv-method", "gradcam_plus_plus")
    page.wait_for_function("document.querySelector('.lv-note').textContent.includes('Grad-CAM++')")
    answered(page)
    assert decision(page) == said
    assert "do not add up" in page.locator(".lv-maps .lv-note").text_content()
    assert page.locator(".lv-map").count() == 4
    see_check(page)
    assert page.locator(".lv-check svg").get_attribute("aria-label") != first


def test_a_cell_is_kept_beside_the_next_on_one_scale(page):
    page.click("[data-index='0']")
    page.wait_for_selector("#lv-beside button", state="visible")
    page.click("[data-act='beside']")
    page.wait_for_selector("#lv-beside [role=status]")
    page.click("[data-index='1']")
    page.wait_for_selector(".lv-beside")
    assert page.locator(".lv-beside .lv-decision").count() == 2
    assert page.locator(".lv-beside .lv-map").count() == 8
    page.select_option(".lv-method", "gradcam")
    page.wait_for_selector(".lv-beside .lv-note:has-text('Grad-CAM')")
    page.click("[data-act='away']")
    page.wait_for_selector(".lv-beside", state="detached")
