"""How long the page takes: process to page, to first decision; as seconds and against importing TensorFlow.

    .venv/bin/python benchmarks/start.py

Each figure is the median of three runs, taken in turn in one go, on whatever machine this is.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradio_client import Client, handle_file
from measured import served
from PIL import Image

from leukovision import painter

PORT = 7899


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


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        cell = Path(folder) / "cell.png"
        Image.fromarray(painter.paint(painter.blast_like(1), seed=1)).save(cell)
        runs = [(bare(), *timed(cell)) for _ in range(3)]
    imports, pages, decisions = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"import tensorflow   {imports:5.1f} s    1.00")
    print(f"process to page     {pages:5.1f} s    {pages / imports:.2f}")
    print(f"to first decision   {decisions:5.1f} s    {decisions / imports:.2f}")


if __name__ == "__main__":
    main()
