"""Ten thousand mutated image files against `read_cell`: what becomes of them, how long, how much memory.

.venv/bin/python benchmarks/abuse.py [COUNT]
"""

import resource
import sys
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import mutated

from leukovision.cell import CellError, read_cell


def main(count: int) -> None:
    """Read them and print."""
    found: Counter[str] = Counter()
    seconds: list[tuple[float, float]] = []

    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )  # fmt: skip
    @given(mutated.files)
    def read(content: bytes) -> None:
        start, worked = time.monotonic(), time.thread_time()
        try:
            read_cell(content, "a file")
            found["a cell"] += 1
        except CellError:
            found["a sentence"] += 1
        finally:
            seconds.append((time.monotonic() - start, time.thread_time() - worked))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read()  # anything but a cell or a sentence ends it with the file that did it
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{len(seconds)} files: {found['a cell']} a cell, {found['a sentence']} a sentence, 0 else")
    wall, work = (max(column) for column in zip(*seconds, strict=True))
    print(f"slowest {wall:.2f} s, most work {work:.2f} s of one core")
    print(f"highest memory {grown:.0f} MB above the start")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
