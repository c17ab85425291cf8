"""Many cells through the Batch tab, against the same cells through what `leukovision analyse` does.

    .venv/bin/python benchmarks/batch.py FOLDER [CELLS [ROUNDS [LARGE]]]

In each round the same CELLS are judged once by `batch.predictions` in this process and once on the page,
which is served by a process of its own and driven in Chromium; only the ratio of the two is of use. Then a
batch of LARGE cells goes through the page while another visitor asks for single ones, and memory is looked
at.
"""

import os
import statistics
import sys
import threading
import time
from pathlib import Path

from gradio_client import Client, handle_file
from measured import chromium, memory, served
from playwright.sync_api import Page

from leukovision import batch, load_ensemble
from leukovision.cell import SUFFIXES

PORT = 7896
ADDRESS = f"http://127.0.0.1:{PORT}/"
DONE = "document.querySelector('.lv-batch-state').textContent.startsWith('Done')"


def on_page(page: Page, files: list[Path]) -> float:
    """Seconds from choosing the files to the last row."""
    if page.locator(".lv-has").count():
        page.click(".lv-batch [data-act=clear]")
    start = time.monotonic()
    page.set_input_files(".lv-files", files)
    page.wait_for_function(DONE, timeout=3_600_000)
    return time.monotonic() - start


def ask(cell: Path, until: threading.Event, seconds: list[float]) -> None:
    """Another visitor, who has one cell judged every second."""
    client = Client(ADDRESS, verbose=False)
    while not until.wait(1):
        start = time.monotonic()
        client.predict(handle_file(cell), api_name="/analyse")
        seconds.append(time.monotonic() - start)


def large(page: Page, files: list[Path], server: int) -> None:
    """One large batch with a second visitor: how long they wait, and what memory it takes."""
    over, alone, beside = threading.Event(), [], []
    visitor = threading.Thread(target=ask, args=(files[0], over, alone))
    visitor.start()
    time.sleep(30)
    over.set()
    visitor.join()
    over, before = threading.Event(), memory(server)
    peak = [before]

    def watch() -> None:
        while not over.wait(0.5):
            peak.append(memory(server))

    others = [threading.Thread(target=watch), threading.Thread(target=ask, args=(files[0], over, beside))]
    for other in others:
        other.start()
    heap = "performance.memory.usedJSHeapSize / 2 ** 20"
    empty = page.evaluate(heap)
    took = on_page(page, files)
    over.set()
    for other in others:
        other.join()
    start = time.monotonic()
    page.click("th [value=p_all]")
    sort = time.monotonic() - start
    print(f"{len(files)} cells: {took:.0f} s, {len(files) / took:.1f} a second")
    for name, seconds in (("alone", alone), ("beside the batch", beside)):
        print(
            f"a single cell {name}: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s"
        )
    print(f"server {before:.0f} MB before, {max(peak):.0f} MB at most, {memory(server):.0f} MB after")
    print(f"page {empty:.0f} MB before, {page.evaluate(heap):.0f} MB after; sorting takes {sort:.2f} s")


def main(folder: Path, count: int = 320, rounds: int = 3, most: int = 3000) -> None:
    """Serve, measure and print."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    files, ensemble = found[:: max(1, len(found) // count)][:count], load_ensemble()
    list(batch.predictions(ensemble, batch.find(files[:32])))
    with served(PORT) as server, chromium("--disable-gpu") as browser:
        page = browser.new_page()
        page.goto(ADDRESS)
        page.get_by_role("tab", name="Batch").click()
        on_page(page, files[:32])
        print(f"{os.cpu_count()} cores, {count} cells a round")
        ratios = []
        for _ in range(rounds):
            start = time.monotonic()
            list(batch.predictions(ensemble, batch.find(files)))
            own = time.monotonic() - start
            took = on_page(page, files)
            ratios.append(took / own)
            print(f"analyse {own:.1f} s    page {took:.1f} s    {ratios[-1]:.2f}", flush=True)
        if ratios:
            print(f"median ratio {statistics.median(ratios):.2f}", flush=True)
        if most:
            large(page, found[:most], server.pid)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(given) for given in sys.argv[2:]))
