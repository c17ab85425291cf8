"""Visitors at once on the running page, every tenth of whom sends rubbish; and what memory it takes.

    .venv/bin/python benchmarks/load.py [VISITORS[,VISITORS...] [SECONDS]]

Each visitor has a cell of their own, so that a result that was swapped would be seen. Against the same cells
in batches of eight, without a page.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError
from httpx import HTTPStatusError
from measured import machine, memory, processor, served, table, write
from PIL import Image

from leukovision import Cell, Ensemble, load_ensemble, read_cell, synthetic

PORT = 7897
ADDRESS = f"http://127.0.0.1:{PORT}/"


def visit(cell: Path, truth: float | None, until: float, said: Counter, seconds: list[float]) -> None:
    """Ask again and again; count what comes back."""
    # Its own patience, five seconds, is less than a busy machine takes; and for each request it would read
    # the certificates of the system, 20 ms, although there are none on this way.
    client = Client(ADDRESS, verbose=False, ssl_verify=False, httpx_kwargs={"timeout": 120})
    while time.monotonic() < until:
        start = time.monotonic()
        try:
            found = client.predict(handle_file(cell), api_name="/analyse")["p_all"]
        except AppError:
            said["refused with a sentence" if truth is None else "LOST"] += 1
            continue
        except (QueueError, HTTPStatusError) as error:
            wait = isinstance(error, QueueError) or error.response.status_code == 429
            said["told to wait" if wait else f"LOST ({error.response.status_code})"] += 1
            time.sleep(1)
            continue
        except Exception as error:
            said[f"LOST ({type(error).__name__})"] += 1
            continue
        said["right" if truth is not None and abs(found - truth) < 1e-4 else "SWAPPED"] += 1
        seconds.append(time.monotonic() - start)


def main(counts: list[int], lasting: float) -> None:
    """Serve, ask and write."""
    ensemble, truth, cells = load_ensemble(), {}, []
    folder = Path(tempfile.mkdtemp())
    for place in range(max(counts)):
        cell = folder / f"cell {place}.png"
        if place % 10 == 9:
            cell.write_bytes(b"rubbish" * 1000)
        else:
            Image.fromarray(synthetic.paint(synthetic.blast_like(place), seed=place)).save(cell)
            truth[cell] = ensemble.analyse([read_cell(cell)])[0].p_all
        cells.append(cell)
    alone, its_processor = bare(ensemble, [read_cell(cell) for cell in list(truth)[:8]], lasting / 3)
    del ensemble
    rows, done, faults = [], 0, 0
    with served(PORT) as server:
        # What is there once, after all kinds of work were done, is not growth.
        _together(cells[:1], truth, time.monotonic() + 1, Counter(), [])
        rest = memory(server.pid)
        _together(cells, truth, time.monotonic() + min(20, lasting / 3), Counter(), [])
        before = memory(server.pid)
        for count in counts:
            said, seconds, start = Counter(), [], time.monotonic()
            page, visitors = processor(server.pid), time.process_time()
            _together(cells[:count], truth, start + lasting, said, seconds)
            rate = said["right"] / (time.monotonic() - start)
            page, visitors = processor(server.pid) - page, time.process_time() - visitors
            slow = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
            told = ", ".join(f"{number} {kind}" for kind, number in sorted(said.items()))
            rows.append([str(count), f"{statistics.median(seconds):.2f} s", f"{slow:.2f} s",
                         f"{rate:.1f} a second", f"{rate / alone:.2f}", f"{page / said['right']:.3f} s",
                         f"{visitors / said['right']:.3f} s", told])  # fmt: skip
            done += said["right"]
            faults += sum(number for kind, number in said.items() if kind.startswith(("LOST", "SWAPPED")))
        time.sleep(5)
        after, most = memory(server.pid), memory(server.pid, "VmHWM")
    write("Visitors, and memory", "\n\n".join([
        f"`benchmarks/load.py {','.join(map(str, counts))} {lasting:.0f}`. {machine()}",
        f"Each asks again as soon as it has its answer. Against {alone:.1f} cells a second, of "
        f"{its_processor:.3f} s of processor each, in batches of 8 without a page; bars: at least 0.90 of it "
        "with 20 visitors, and no error. The visitors' own programs run on the same processors.",
        table(["visitors", "median", "95 % within", "right answers", "against batches", "processor, page",
               "processor, visitors", "what was said"], rows),
        f"Memory of the page's process: {rest:.0f} MB at rest, {before:.0f} MB in use, {after:.0f} MB after "
        f"{done} more cells ({after / before:.2f}), {most:.0f} MB at most, while it starts. Bars: at most "
        "1,200 MB, and no growth.",
    ]))  # fmt: skip
    if faults:
        sys.exit("answers were lost or swapped")


def bare(ensemble: Ensemble, cells: list[Cell], lasting: float) -> tuple[float, float]:
    """Cells a second without a page, and seconds of processor for each."""
    ensemble.analyse(cells)
    start, before, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() < start + lasting:
        done += len(ensemble.analyse(cells))
    return done / (time.monotonic() - start), (time.process_time() - before) / done


def _together(cells: list[Path], truth: dict, until: float, said: Counter, seconds: list[float]) -> None:
    threads = [
        threading.Thread(target=visit, args=(cell, truth.get(cell), until, said, seconds)) for cell in cells
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    given = [*sys.argv[1:], *["1,5,20", "30"][len(sys.argv) - 1 :]]
    main([int(count) for count in given[0].split(",")], float(given[1]))
