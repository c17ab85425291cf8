"""How long a slider of *Break it* takes on the running page, against one bare look of the ensemble.

    .venv/bin/python benchmarks/slider.py

The page is served by a process of its own and driven in Chromium, twenty moves one after the other.
"""

import os
import statistics
import time

from measured import chromium, served
from playwright.sync_api import Page

from leukovision import load_ensemble, read_cell, synthetic

PORT = 7898
MOVES = 20


def bare() -> list[float]:
    """Seconds of each of twenty decisions with their maps, without a page."""
    ensemble, cell = load_ensemble(), read_cell(synthetic.paint(synthetic.CellRecipe(), seed=3))
    ensemble.analyse([cell])
    seconds = []
    for _ in range(MOVES):
        start = time.monotonic()
        ensemble.analyse([cell])
        seconds.append(time.monotonic() - start)
    return seconds


def moved(page: Page) -> list[float]:
    """Seconds from each move of the slider to the decision and maps that follow from it."""
    page.goto(f"http://127.0.0.1:{PORT}/")
    page.get_by_role("tab", name="Teach").click()
    page.click("button[data-part='break']")
    page.wait_for_selector("#lv-break-out .lv-dot", timeout=120_000)
    slider, seconds = page.locator("#lv-brightness input[type=range]"), []
    for place in range(MOVES):
        start = time.monotonic()
        slider.fill(f"{0.6 + 0.04 * place:.2f}")
        page.wait_for_function(f"document.querySelectorAll('#lv-break-out .lv-dot').length === {place + 2}")
        seconds.append(time.monotonic() - start)
    return seconds


def main() -> None:
    """Measure and print."""
    looks = bare()
    with served(PORT), chromium() as browser:
        moves = moved(browser.new_page())
    look, move = statistics.median(looks), statistics.median(moves)
    print(f"{os.cpu_count()} cores")
    print(f"decision with maps    {look:.2f} s    1.00")
    print(f"slider to new maps    {move:.2f} s    {move / look:.2f}    slowest {max(moves):.2f} s")


if __name__ == "__main__":
    main()
