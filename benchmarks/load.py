"""Fifty visitors at once on the running page, every tenth of whom sends rubbish.

    .venv/bin/python benchmarks/load.py [VISITORS [SECONDS]]

Each visitor has a cell of their own, so that a result that was swapped would be seen.
"""

import os
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
from measured import served
from PIL import Image

from leukovision import load_ensemble, painter, read_cell

PORT = 7897
ADDRESS = f"http://127.0.0.1:{PORT}/"


def memory(process: int) -> float:
    """Resident memory of a process, MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def visit(cell: Path, truth: float | None, until: float, said: Counter, seconds: list[float]) -> None:
    """Ask again and again; count what comes back."""
    # Its own patience, five seconds, is less than a busy machine takes.
    client = Client(ADDRESS, verbose=False, httpx_kwargs={"timeout": 120})
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


def main(visitors: int, lasting: float) -> None:
    """Serve, ask and print."""
    ensemble, truth, cells = load_ensemble(), {}, []
    folder = Path(tempfile.mkdtemp())
    for place in range(visitors):
        cell = folder / f"cell {place}.png"
        if place % 10 == 9:
            cell.write_bytes(b"rubbish" * 1000)
        else:
            Image.fromarray(painter.paint(painter.blast_like(place), seed=place)).save(cell)
            truth[cell] = ensemble.analyse([read_cell(cell)])[0].p_all
        cells.append(cell)
    with served(PORT) as server:
        warm, said, seconds = Counter(), Counter(), []
        # What is there once, after all kinds of work were done, is not growth.
        early = time.monotonic() + min(20, lasting / 3)
        _together(cells[:10], truth, early, warm, [])
        before = memory(server.pid)
        start = time.monotonic()
        _together(cells, truth, start + lasting, said, seconds)
        took = time.monotonic() - start
        time.sleep(5)
        after = memory(server.pid)
    print(f"{os.cpu_count()} cores, {visitors} visitors, {took:.0f} s")
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(said.items())))
    slow = statistics.quantiles(seconds, n=20)[-1]
    rate, median = said["right"] / took, statistics.median(seconds)
    print(f"{rate:.1f} right answers a second; median {median:.1f} s, 95 % {slow:.1f} s")
    print(f"memory {before:.0f} MB before, {after:.0f} MB after: {after / before:.2f}")


def _together(cells: list[Path], truth: dict, until: float, said: Counter, seconds: list[float]) -> None:
    threads = [
        threading.Thread(target=visit, args=(cell, truth.get(cell), until, said, seconds)) for cell in cells
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:2] or ["50"]), *(float(g) for g in sys.argv[2:3] or ["180"]))
