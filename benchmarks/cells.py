"""What many cells cost: time and memory against their number.

    .venv/bin/python benchmarks/cells.py [MOST]

Drawn cells, as the files of a batch are judged; after 10, 100 and so on up to MOST.
"""

import io
import sys
import time
from collections.abc import Iterator

from measured import machine, memory, table, write
from PIL import Image

from leukovision import batch, load_ensemble, synthetic

KINDS = 64


def files(count: int) -> Iterator[batch.File]:
    """So many files of `KINDS` cells."""
    drawn = []
    for seed in range(KINDS):
        content = io.BytesIO()
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(content, "PNG")
        drawn.append(content.getvalue())
    for place in range(count):
        yield batch.File(f"{place}.png", lambda content=drawn[place % KINDS]: content)


def main(most: int) -> None:
    """Measure and write."""
    ensemble, made = load_ensemble(), list(files(most))
    list(batch.predictions(ensemble, made[:64]))
    before, found, at = memory(), [], 10
    start, processor = time.monotonic(), time.process_time()
    for count, one in enumerate(batch.predictions(ensemble, made), 1):
        assert one.row.error is None
        if count == at:
            found.append((count, time.monotonic() - start, time.process_time() - processor, memory()))
            print(found[-1], flush=True)  # the last takes an hour and more
            at *= 10
    each = found[-1][1] / found[-1][0]
    rows = [[f"{count:,}", f"{took:.1f} s", f"{1000 * took / count:.1f} ms", f"{took / count / each:.2f}",
             f"{1000 * busy / count:.1f} ms", f"{used:.0f} MB"]
            for count, took, busy, used in found]  # fmt: skip
    write("Many cells", "\n\n".join([
        f"`benchmarks/cells.py {most}`. {machine()}",
        f"Before, with the ensemble warm and the files in memory: {before:.0f} MB. Bars: linear within 10 %, "
        "memory flat.",
        table(["cells so far", "time", "of each", "against the last", "processor, each", "memory"], rows),
    ]))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
