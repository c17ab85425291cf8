"""Fifty visitors at once, every tenth of whom does one of the things in siege.py, again and again.

    .venv/bin/python benchmarks/crowd.py [VISITORS [SECONDS]]

Each has an address and a cell of their own, so that a result that was swapped or lost would be seen. A good
request is answered rightly or told to wait. The limit of requests a minute is lifted: it would keep out what
is measured.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
from measured import machine, memory, served, table
from siege import BARS, PORT, SIEGES, all_memory, png, sent, visitor

from leukovision import load_ensemble, read_cell, synthetic

PATIENCE = 60
"""After the end, for answers that are under way, s."""

PAUSE = 1.0
"""Between an answer and the next question of a good visitor, s."""


def ask(client: httpx.Client, cell: bytes) -> float | str:
    """p(ALL) of a cell, or what was said in its place."""
    try:
        asked = client.post("call/analyse", json={"data": sent(client, "cell.png", cell)})
        if asked.status_code != 200:
            return str(asked.status_code)
        said = client.get(f"call/analyse/{asked.json()['event_id']}").text
    except httpx.HTTPStatusError as error:
        return str(error.response.status_code)
    except httpx.HTTPError as error:
        return type(error).__name__
    *_, kind, value = ["", "", *said.strip().splitlines()]
    if kind != "event: complete":
        return value.removeprefix("data: ")[:60]
    return json.loads(value.removeprefix("data: "))[0]["p_all"]


def good(number: int, cell: bytes, truth: float, until: float, said: Counter, waits: list[float]) -> None:
    """Ask about one cell until it is over."""
    with visitor(100 + number) as client:
        while (start := time.monotonic()) < until:
            answer = ask(client, cell)
            if isinstance(answer, float):
                said["right" if abs(answer - truth) < 1e-4 else "SWAPPED"] += 1
                waits.append(time.monotonic() - start)
            else:
                wait = answer in ("429", "503") or "wait" in answer
                said["told to wait" if wait else f"LOST: {answer}"] += 1
            time.sleep(PAUSE)


def hostile(number: int, made: dict[str, Callable], until: float, said: Counter) -> None:
    """Do one thing after the other, from an address of one's own."""
    names, turn = list(made), number
    with visitor(20 + number) as client:
        while time.monotonic() < until:
            name = names[turn % len(names)]
            turn += 1
            try:
                told = made[name](client)
            except httpx.HTTPError as error:
                told = type(error).__name__
            said[f"{name}: {told}"] += 1
            if told in ("429", "503"):
                time.sleep(0.1)


def main(visitors: int, lasting: float) -> None:
    """Serve, ask and print."""
    ensemble, number = load_ensemble(), visitors * 9 // 10
    cells = [png(synthetic.paint(synthetic.blast_like(place), seed=place)) for place in range(number)]
    truth = [ensemble.analyse([read_cell(cell)])[0].p_all for cell in cells]
    del ensemble
    made = {name: make() for name, (_, _, make) in SIEGES.items()}
    said: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    waits: list[float] = []
    most, over = 0.0, threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        with served(PORT) as server:
            until = time.monotonic() + lasting

            def watch() -> None:
                nonlocal most
                while not over.wait(0.1):
                    most = max(most, all_memory(server.pid))

            threads = [
                threading.Thread(target=good, args=(n, cell, p, until, said, waits), daemon=True)
                for n, (cell, p) in enumerate(zip(cells, truth, strict=True))
            ]
            threads += [
                threading.Thread(target=hostile, args=(n, made, until, theirs), daemon=True)
                for n in range(visitors - number)
            ]
            watcher = threading.Thread(target=watch, daemon=True)
            for thread in (watcher, *threads):
                thread.start()
            for thread in threads[:number]:
                thread.join(max(0, until + PATIENCE - time.monotonic()))
            unanswered = sum(thread.is_alive() for thread in threads[:number])
            over.set()
            watcher.join()
            after = memory(server.pid)
    slow = statistics.quantiles(waits, n=20)[-1]
    said["LOST: no answer"] += unanswered
    lost = sum(count for told, count in said.items() if told.startswith("LOST"))
    row = [f"{number} and {visitors - number}", str(said["right"]), str(said["told to wait"]), str(lost),
           str(said["SWAPPED"]), f"{statistics.median(waits):.1f} s", f"{slow:.1f} s", f"{most:.0f} MB",
           f"{after:.0f} MB"]  # fmt: skip
    header = ["visitors, with ill will", "right", "told to wait", "lost", "swapped", "median wait", "95 %",
              "most memory", "afterwards"]  # fmt: skip
    print(f"{machine()}\n\n{table(header, [row])}\n")
    print("\n".join(f"{count} {kind}" for kind, count in (said + theirs).most_common()))
    if said["SWAPPED"] or lost or most > BARS[1]:
        sys.exit("answers were lost or swapped, or the page took too much memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, float(sys.argv[2]) if len(sys.argv) > 2 else 180)
