"""What visitors with ill will do to the running page, one thing at a time, and what it costs another visitor.

    .venv/bin/python benchmarks/siege.py [SECONDS [NAME...]]

Each lasts so many seconds. Meanwhile a visitor of another address asks for a cell again and again: the
longest that took, and the most memory that the page and its processes had, are what counts. Addresses are
those of the loopback. The limit of requests a minute is lifted: it would keep out what is measured.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from measured import machine, memory, served, table
from PIL import Image

from leukovision import synthetic

PORT = 7898
ADDRESS = f"http://127.0.0.1:{PORT}/gradio_api/"
BARS = (5.0, 2200)
"""Longest wait of another visitor, s, and most memory, MB."""


def visitor(number: int) -> httpx.Client:
    """Somebody who asks from an address of their own."""
    way = httpx.HTTPTransport(local_address=f"127.0.0.{number}", verify=False, retries=0)
    return httpx.Client(base_url=ADDRESS, transport=way, timeout=120)


def call(client: httpx.Client, name: str, data: list, fetch: bool = True) -> str:
    """Ask an endpoint; the first words of what it says, or the status with which it refuses."""
    answer = client.post(f"call/{name}", json={"data": data})
    if answer.status_code != 200:
        return str(answer.status_code)
    if not fetch:
        return "left"
    said = client.get(f"call/{name}/{answer.json()['event_id']}").text
    return "answered" if "event: complete" in said else "a sentence"


def sent(client: httpx.Client, name: str, content: bytes) -> list:
    """Send a file -> what an endpoint is asked with."""
    answer = client.post("upload", files={"files": (name, content)})
    answer.raise_for_status()
    return [{"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}]


def png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def large_picture() -> bytes:
    """49 megapixels with transparency, in 200 kB."""
    pixels = np.zeros((7000, 7000, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[3000:3400, 3000:3400, :3] = (120, 60, 150)
    return png(pixels)


def many_pages() -> bytes:
    """A TIFF of 60,000 pages, 7 MB."""
    content = bytearray(b"II*\0\x08\0\0\0")
    for page in range(60_000):
        at = len(content)
        entries = [(256, 64), (257, 64), (258, 8), (259, 1), (262, 1), (273, 8), (278, 64), (279, 4096)]
        content += len(entries).to_bytes(2, "little")
        for tag, value in entries:
            content += b"".join(
                part.to_bytes(size, "little") for part, size in ((tag, 2), (4, 2), (1, 4), (value, 4))
            )
        content += ((at + 2 + 12 * len(entries) + 4) if page < 59_999 else 0).to_bytes(4, "little")
    return bytes(content)


def many_entries() -> bytes:
    """A zip file of 100,000 pictures that are none, 9 MB."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"{number}.png", b"x")
    return content.getvalue()


ROW = {"decision": "unsure", "p_all": 0.5, "in_domain": False, "reason": "its colours are seen nowhere"}


def reports(client: httpx.Client) -> str:
    rows = [{"file": f"a/cell {number}.png", **ROW} for number in range(5000)]
    return call(client, "batch_file", ["pdf", rows, [""] * len(rows)])


def tables(client: httpx.Client) -> str:
    rows = [{"file": f"{number}.png", **ROW} for number in range(20_000)]
    return call(client, "batch_file", ["pdf", rows, [""] * len(rows)])


def long_errors(client: httpx.Client) -> str:
    rows = [{"file": "a.png", "error": "x y " * 1400} for _ in range(2500)]
    return call(client, "batch_file", ["pdf", rows, [""] * len(rows)])


def light(client: httpx.Client) -> str:
    return call(client, "ensemble", [], fetch=False)


def unfinished(client: httpx.Client) -> str:
    def body():
        for _ in range(15):
            yield bytes(2**20)
        time.sleep(60)

    try:
        answer = client.post("call/batch_file", content=body(), headers={"Content-Type": "application/json"})
        return str(answer.status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def sessions(client: httpx.Client) -> str:
    page = os.urandom(8).hex()
    with client.stream("GET", f"heartbeat/{page}") as beat:
        next(beat.iter_raw())
        joined = client.post("queue/join", json={"data": [], "fn_index": load_event(), "session_hash": page})
    return str(joined.status_code)


def many_files(client: httpx.Client) -> str:
    files = [("files", (f"{number}.png", bytes(2**20))) for number in range(400)]
    return str(client.post("upload", files=files).status_code)


_LOAD: list[int] = []


def load_event() -> int:
    """The number of the event that a page begins with."""
    if not _LOAD:
        config = httpx.get(f"http://127.0.0.1:{PORT}/config", timeout=60).json()
        _LOAD.extend(one["id"] for one in config["dependencies"] if any("load" in t for t in one["targets"]))
    return _LOAD[0]


def with_file(make: Callable[[], bytes], name: str, endpoint: str) -> Callable[[httpx.Client], str]:
    """Sends a file, and asks an endpoint about it."""
    content = make()

    def ask(client: httpx.Client) -> str:
        (file,) = sent(client, name, content)
        return call(client, endpoint, [file["path"], name] if endpoint == "batch_open" else [file])

    return ask


SIEGES: dict[str, tuple[str, int, Callable[[], Callable[[httpx.Client], str]]]] = {
    "reports": ("reports of 5,000 rows", 4, lambda: reports),
    "tables": ("reports of 20,000 rows", 4, lambda: tables),
    "errors": ("reports of 14 MB of sentences", 4, lambda: long_errors),
    "light": ("what needs no networks, never fetched", 8, lambda: light),
    "unfinished": ("unfinished requests of 15 MB", 40, lambda: unfinished),
    "large": ("pictures of 49 megapixels", 4, lambda: with_file(large_picture, "a.png", "analyse")),
    "pages": ("TIFFs of 60,000 pages", 4, lambda: with_file(many_pages, "a.tif", "analyse")),
    "entries": ("zip files of 100,000 entries", 4, lambda: with_file(many_entries, "a.zip", "batch_open")),
    "sessions": ("pages that open and leave", 20, lambda: sessions),
    "files": ("uploads of 400 files, 400 MB", 4, lambda: many_files),
}
"""What is done, by how many at once of one address, and what makes it."""


def all_memory(process: int) -> float:
    """Of a process and those that it started, MB."""
    most = memory(process)
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread, or what it started, may end as it is looked at
            most += sum(memory(int(one)) for one in path.read_text().split())
    return most


def besieged(
    process: int, at_once: int, ask: Callable[[httpx.Client], str], lasting: float, cell: bytes
) -> list[str]:
    """Do it; most memory, memory afterwards, the other visitor's waits, what the others were told."""
    said: Counter[str] = Counter()
    until, most, waits, over = time.monotonic() + lasting, 0.0, [], threading.Event()

    def again(number: int) -> None:
        with visitor(20 + number // 10) as client:
            while time.monotonic() < until:
                try:
                    told = ask(client)
                except httpx.HTTPError as error:
                    told = type(error).__name__
                said[told] += 1
                if told in ("429", "503"):
                    time.sleep(0.1)

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, all_memory(process))

    threads = [threading.Thread(target=again, args=(number,), daemon=True) for number in range(at_once)]
    for one in (*threads, watcher := threading.Thread(target=watch, daemon=True)):
        one.start()
    with visitor(9) as other:
        while time.monotonic() < until:
            start = time.monotonic()
            told = call(other, "analyse", sent(other, "mine.png", cell))
            waits.append(time.monotonic() - start)
            if told != "answered":
                said[f"OTHER: {told}"] += 1
            time.sleep(0.5)
    for one in threads:
        one.join(5)
    time.sleep(3)
    over.set()
    watcher.join()
    faults = [f"{count} {told}" for told, count in said.most_common()]
    return [
        f"{most:.0f} MB",
        f"{memory(process):.0f} MB",
        f"{max(waits):.1f} s",
        str(len(waits)),
        ", ".join(faults),
    ]


def main(lasting: float, names: list[str]) -> None:
    """Serve, besiege and print."""
    cell = png(synthetic.paint(synthetic.blast_like(7), seed=7))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        with served(PORT) as server:
            with visitor(9) as other:
                call(other, "analyse", sent(other, "mine.png", cell))
            print(f"at rest {memory(server.pid):.0f} MB", flush=True)
            for name in names or SIEGES:
                title, at_once, make = SIEGES[name]
                rows.append([f"{at_once} x {title}", *besieged(server.pid, at_once, make(), lasting, cell)])
                print(json.dumps(rows[-1]), flush=True)
    header = ["what", "most memory", "afterwards", "longest wait of another", "of", "what was said"]
    print(f"\n{machine()}\n\n{table(header, rows)}")
    if any(float(row[1].split()[0]) > BARS[1] or float(row[3].split()[0]) > BARS[0] for row in rows):
        sys.exit(f"above {BARS[1]} MB, or another visitor waited for more than {BARS[0]:.0f} s")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15, sys.argv[2:])
