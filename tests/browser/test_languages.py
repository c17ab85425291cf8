"""The page in the language of the browser that opens it."""

from __future__ import annotations

import re

import pytest
from served import see_check

from leukovision.demo.teach import PARTS
from leukovision.i18n import ENGLISH, LANGUAGES

GERMAN = LANGUAGES["de"]

TEXTS = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let one = walk.currentNode; one; one = walk.nextNode()) {
    // A publisher's own words are in the publisher's language.
    if ((one.parentElement || one).closest('body [lang=en]')) continue;
    if (one.nodeType === Node.TEXT_NODE) found.push(one.textContent);
    else for (const name of ['alt', 'title', 'aria-label']) found.push(one.getAttribute(name) || '');
    if (one.dataset) found.push(...Object.values(one.dataset));
  }
  return found.map((text) => text.trim()).filter((text) => text);
}"""


@pytest.fixture
def abroad(browser, address):
    """Opens the page in a browser of a language."""
    contexts = []

    def opened(locale: str):
        context = browser.new_context(locale=locale, viewport={"width": 1366, "height": 768})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(".lv-zone")
        page.wait_for_function("!document.querySelector('.lv-loading')")
        return page

    yield opened
    for context in contexts:
        context.close()


def english_in(page) -> set[str]:
    """What on the page is a text of `en.json` that the German file says otherwise."""
    left, found = set(), set(page.evaluate(TEXTS))
    everything = "\n".join(found)
    for key, text in ENGLISH.entries.items():
        fixed = re.split(r"\{.*?\}", text)
        words = re.findall("[A-Za-z]+", " ".join(fixed))
        if words and text != GERMAN.entries[key] and all(piece in everything for piece in fixed):
            pattern = re.compile(".+?".join(map(re.escape, fixed)), re.DOTALL)
            # A sentence may stand among others; "turn" alone would be found within other words.
            left |= {one for one in found if (pattern.search if len(words) > 2 else pattern.fullmatch)(one)}
    return left - set(GERMAN.entries.values())


def answered(page) -> None:
    page.wait_for_function("document.documentElement.dataset.lv === ''")


def test_a_german_browser_gets_a_german_page_in_every_tab(abroad, bad_files, cells, photo):
    page = abroad("de-DE")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert english_in(page) == set()
    page.click("[data-index='0']")
    see_check(page)
    assert "Netze" in page.locator(".lv-decision").text_content()
    assert "die Hälfte davon" in page.locator(".lv-map-combined").text_content()
    assert english_in(page) == set()
    page.select_option(".lv-method", "gradcam")
    page.wait_for_function("document.querySelector('.lv-note').textContent.includes('Grad-CAM')")
    assert english_in(page) == set()
    page.set_input_files(".lv-open", photo)
    answered(page)
    assert page.locator(".lv-photo h3").text_content() == GERMAN("photo.many", count=2)
    assert page.locator(".lv-photo header .lv-odd").text_content() == GERMAN("photo.all_odd")
    page.click("[data-tool='new']")
    box = page.locator(".lv-field").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    page.wait_for_function("document.querySelector('.lv-hint').textContent.includes('In diesem Umriss')")
    assert english_in(page) == set()
    page.set_input_files(".lv-open", next(iter(bad_files)))
    page.wait_for_selector("#lv-output [role='alert']")
    assert page.locator("#lv-output [role='alert']").text_content().startswith("Nicht beurteilt.")
    assert english_in(page) == set()
    page.click("[data-act='clear']")
    page.wait_for_selector(".lv-empty")
    page.get_by_role("tab", name=GERMAN("page.batch")).click()
    no_zip = cells[0].with_suffix(".zip")
    no_zip.write_bytes(b"no zip")
    page.set_input_files(".lv-files", [*cells, next(iter(bad_files)), no_zip])
    page.wait_for_function(
        "document.querySelector('.lv-batch-state').textContent.startsWith('Fertig: 4 Dateien.')"
    )
    assert page.locator(".lv-rows td strong").all_text_contents()[2:] == ["nicht lesbar"] * 2
    assert "senden Sie die ganze Datei" in page.locator(".lv-rows tr:last-child small").text_content()
    assert re.search(r" 0,\d\d", " ".join(page.locator(".lv-rows td").all_text_contents()))
    assert english_in(page) == set()
    page.select_option("[data-act='view']", "montage")
    assert english_in(page) == set()
    page.get_by_role("tab", name="Lernen").click()
    page.click("#lv-say-positive")
    page.wait_for_selector(".lv-told")
    for part in PARTS[1:]:
        page.click(f"button[data-part='{part}']")
        page.wait_for_selector(f"#lv-part-{part} :is(.lv-brief, .lv-chart)")
        if part == "twin":
            page.wait_for_selector("[data-of='adds_up head']")
    page.locator("#lv-threshold input[type=range]").fill("0.9")
    page.wait_for_function("document.querySelector('#lv-part-line .lv-tiles dd').textContent.includes(',')")
    assert english_in(page) == set()
    page.get_by_role("tab", name="Modell").click()
    page.wait_for_selector(".lv-model", state="visible")
    assert GERMAN("model.figure.specificity") in page.locator(".lv-model").text_content()
    assert english_in(page) == set()


def test_a_language_without_a_file_gets_english_throughout(abroad):
    page = abroad("fr-FR")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator(".lv-badge").text_content() == ENGLISH("page.disclaimer")
    assert page.get_by_role("tab").all_text_contents() == ["Analyse", "Batch", "Teach", "Model"]
    page.click("[data-index='0']")
    page.wait_for_selector(".lv-result")
    assert ", half of " in page.locator(".lv-map-combined").text_content()
    assert ENGLISH("page.ready") in page.locator("#lv-foot").text_content()
    assert len(english_in(page)) > 50  # what the German page must not have is found where it is


def test_a_language_that_is_chosen_is_that_of_the_page_and_of_its_answers(abroad):
    page = abroad("fr-FR")
    page.get_by_role("tab", name="Model").click()
    page.click(".lv-languages a[hreflang='de']")
    page.wait_for_function("document.documentElement.lang === 'de' && !document.querySelector('.lv-loading')")
    page.wait_for_selector(".lv-model", state="visible")
    assert "lang=de" in page.url and english_in(page) == set()
    page.get_by_role("tab", name=GERMAN("page.analyse")).click()
    page.click("[data-index='0']")
    see_check(page)
    assert "Netze" in page.locator(".lv-decision").text_content()
    assert english_in(page) == set()
