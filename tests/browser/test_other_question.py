"""The page of an ensemble of another question: every tab speaks of its classes, and nothing of leukaemia."""

from __future__ import annotations

import re

from served import see_check, serving

DISEASE = re.compile(r"\bALL\b|healthy|(?i:leuka?emi|blast)")


def test_every_tab_speaks_of_the_ensemble_s_classes(browser, lymphocytes, cells, tmp_path):
    with serving(tmp_path, LEUKOVISION_ENSEMBLE=str(lymphocytes)) as address:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_selector(".lv-zone")
        assert page.locator(".lv-head p").first.text_content().startswith("Is this white blood cell a lymph")
        # No cells were drawn for this question.
        assert page.locator("[data-act=example]").count() == 0
        page.set_input_files(".lv-open", cells[0])
        see_check(page)
        assert re.match(r"(lymphocyte|another kind), ", page.locator(".lv-decision h2").text_content())
        page.click("#lv-tab-batch-button")
        page.set_input_files(".lv-files", cells)
        page.wait_for_function("document.querySelectorAll('.lv-rows tbody tr').length === 2")
        counted = page.locator(".lv-counts dt").all_text_contents()
        assert counted[:3] == ["lymphocyte", "another kind", "unsure"]
        assert page.locator(".lv-rows .lv-positive, .lv-rows .lv-negative").count() == 2
        page.click("#lv-tab-teach-button")
        # What needs cells, or draws blasts, is not offered; the threshold on the ensemble's own scores is.
        assert page.locator(".lv-nav button").all_text_contents() == ["Where to put the line"]
        page.wait_for_selector("#lv-line-out .lv-matrix")
        page.click("#lv-tab-model-button")
        page.wait_for_selector(".lv-model")
        said = page.locator("body").evaluate("one => one.textContent + ' ' + document.title")
        labels = page.locator("[aria-label], [alt], [title]").evaluate_all(
            "all => all.map((one) => [one.ariaLabel, one.alt, one.title].join(' ')).join(' ')"
        )
        assert not DISEASE.findall(said) + DISEASE.findall(labels)
        page.close()
