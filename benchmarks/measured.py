"""What the benchmarks share: measuring in turn, which machine, a section of docs/performance.md."""

import importlib.metadata
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "performance.md"

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


@contextmanager
def served(port: int) -> Iterator[subprocess.Popen]:
    """The page in a process of its own on a port, from when it answers until the block is left.

    It answers however often it is asked: all visitors of a benchmark have one address.
    """
    command = [sys.executable, "-m", "leukovision", "demo", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    often = os.environ | {"LEUKOVISION_PER_MINUTE": "1000000/1000000"}
    server = subprocess.Popen(command, cwd=ROOT, env=often, **quiet)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
                break
            except OSError:
                time.sleep(0.1)
        yield server
    finally:
        server.terminate()
        server.wait()


@contextmanager
def chromium(*flags: str) -> Iterator["Browser"]:
    """Chromium, from the PATH, until the block is left."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", *flags])
        yield browser
        browser.close()


def memory(process: int | str = "self", kind: str = "VmRSS") -> float:
    """Resident memory of a process, MB; with kind VmHWM the most there ever was."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(kind)), 0) / 1024


def processor(process: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Times:
    """Seconds of each round, on the clock and of all processors together.

    On a machine that others use too the second is the steadier one; it says nothing of how well the work
    is spread over the processors.
    """

    wall: list[float]
    cpu: list[float]

    def ratio(self, other: "Times") -> tuple[float, float]:
        """How many times as long as another, on the clock and by processor: medians over rounds."""
        walls, cpus = zip(self.wall, other.wall, strict=True), zip(self.cpu, other.cpu, strict=True)
        return statistics.median(a / b for a, b in walls), statistics.median(a / b for a, b in cpus)


def in_turn(looks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Run each once to warm up, then all of them in turn, so that a busy minute is shared by all."""
    for look in looks.values():
        look()
    found = {name: Times([], []) for name in looks}
    for _ in range(rounds):
        for name, look in looks.items():
            wall, cpu = time.perf_counter(), time.process_time()
            look()
            found[name].cpu.append(time.process_time() - cpu)
            found[name].wall.append(time.perf_counter() - wall)
    return found


def spread(values: Sequence[float], unit: str = "s", scale: float = 1.0) -> str:
    """Median and, in brackets, lowest and highest."""
    low, middle, high = (scale * f(values) for f in (min, statistics.median, max))
    return f"{middle:.3g} {unit} ({low:.3g} to {high:.3g})"


def machine() -> str:
    """Cores, what the processor can do, and versions, in a sentence."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    has = ", ".join(flag for flag in FLAGS if flag in flags) or "flags unknown"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras"))
    load = f"; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores ({has}){load}; {versions}."


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(title: str, text: str) -> None:
    """Print a section, and put it into the report in place of the one of that title."""
    lines = [line if line.startswith("|") else fill(line, 116) for line in text.strip().split("\n")]
    section = "\n".join([f"## {title}", "", *lines, ""])
    print(section)
    head, *sections = (REPORT.read_text() if REPORT.exists() else "# Performance\n").split("\n## ")
    kept = {old.split("\n", 1)[0]: f"## {old.rstrip()}\n" for old in sections} | {title: section}
    REPORT.write_text("\n".join([f"{head.rstrip()}\n", *kept.values()]))
