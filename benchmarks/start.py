"""How long the page takes: process to page, to first decision; with files in memory, and with none of them.

    .venv/bin/python benchmarks/start.py [ROUNDS]

Each round in turn; against importing TensorFlow alone. For the cold start the files of this environment are
taken out of the system's cache, as after the machine was started; not those of the system's own libraries.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradio_client import Client, handle_file
from measured import ROOT, machine, served, spread, table, write
from PIL import Image

from leukovision import synthetic

PORT = 7899


def forget_files() -> None:
    """Take what is not in use out of the file cache; needs no rights."""
    os.sync()
    for folder in (Path(sys.prefix), ROOT / "weights", ROOT / "leukovision"):
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def bare() -> float:
    """Seconds to import TensorFlow in a process of its own."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def timed(cell: Path) -> tuple[float, float]:
    """Seconds from the process's start to the page, and to the first decision."""
    start = time.monotonic()
    with served(PORT):
        page = time.monotonic() - start
        Client(f"http://127.0.0.1:{PORT}/", verbose=False).predict(handle_file(cell), api_name="/analyse")
        return page, time.monotonic() - start


def main(rounds: int) -> None:
    """Measure and write."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cell = Path(folder) / "cell.png"
        Image.fromarray(synthetic.paint(synthetic.blast_like(1), seed=1)).save(cell)
        for name, before in (("warm", lambda: None), ("cold", forget_files)):
            runs = []
            for _ in range(rounds):
                before()
                alone = bare()
                before()
                runs.append((alone, *timed(cell)))
            imports, pages, decisions = zip(*runs, strict=True)
            ratio = [decision / alone for decision, alone in zip(decisions, imports, strict=True)]
            rows.append([name, *map(spread, (imports, pages, decisions)), spread(ratio, "times")])
    write("Start", "\n\n".join([
        f"`benchmarks/start.py`, {rounds} rounds. {machine()}",
        "Bars: the page within 5 s, the first decision within 15 s.",
        table(["file cache", "import tensorflow", "process to page", "to the first decision",
               "decision against import"], rows),
    ]))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
