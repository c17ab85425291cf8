"""How well the nucleus of `explain/traits.py` agrees with masks that were drawn by hand.

    python benchmarks/nuclei_by_hand.py ../shared/data/wbc_masks

The folder holds parts with photos of one white cell each (NNN.bmp), a mask of each (NNN.png: 255 nucleus,
128 cytoplasm) and classes.csv. The cell is cut out along the mask; of its nucleus nothing is told. Every
second photo served to choose the thresholds; the others are reported.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from leukovision.cell import Cell, largest_part
from leukovision.explain.traits import density_of, halved, nucleus_of, traits
from leukovision.smear import cut

LYMPHOCYTE = 2


def drawn(path: Path) -> tuple[Cell, np.ndarray]:
    """A photo -> its cell, and the nucleus in the cell's frame, (450, 450) bool."""
    rgb, mask = np.asarray(Image.open(path).convert("RGB")), np.asarray(Image.open(path.with_suffix(".png")))
    found = cut(rgb, largest_part(mask > 64), None, path.name)
    left, top, right, bottom = found.box
    size = max(1, round((right - left) * found.scale)), max(1, round((bottom - top) * found.scale))
    nucleus = np.zeros_like(found.cell.outline)
    x, y = ((450 - side) // 2 for side in size)
    small = Image.fromarray(mask[top:bottom, left:right] > 192).convert("L").resize(size)
    nucleus[y : y + size[1], x : x + size[0]] = np.asarray(small) > 127
    return found.cell, nucleus & found.cell.outline


def agreement(cell: Cell, nucleus: np.ndarray) -> tuple[float, float]:
    """IoU of the nucleus, and how much the nucleus-to-cell ratio is too large."""
    own, hand = (halved(one[cell.box].astype(np.float32)) > 0.5 for one in (cell.outline, nucleus))
    found = nucleus_of(sum(density_of(cell)), own)
    iou = (found & hand).sum() / (found | hand).sum()
    return float(iou), float((found.sum() - hand.sum()) / own.sum())


def main(folder: Path) -> None:
    print("| photos | cells | nucleus, IoU: median (10th percentile) | N:C, mean absolute error (bias) |")
    print("| --- | --- | --- | --- |")
    seconds = []
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        with (part / "classes.csv").open(encoding="utf-8-sig") as file:
            kinds = {int(number): int(kind) for number, kind in list(csv.reader(file))[1:]}
        photos = sorted(part.glob("*.bmp"))[1::2]
        rows = []
        for path in photos:
            cell, nucleus = drawn(path)
            rows.append(agreement(cell, nucleus))
            start = time.process_time()
            traits(cell)
            seconds.append(time.process_time() - start)
        lymphocytes = [kinds[int(path.stem)] == LYMPHOCYTE for path in photos]
        for name, chosen in ((part.name, [True] * len(rows)), (f"{part.name}, lymphocytes", lymphocytes)):
            iou, error = np.array(rows)[np.array(chosen)].T
            print(
                f"| {name} | {len(iou)} | {np.median(iou):.2f} ({np.percentile(iou, 10):.2f}) "
                f"| {np.abs(error).mean():.3f} ({error.mean():+.3f}) |"
            )
    print(f"\n{1000 * float(np.median(seconds)):.1f} ms of processor time a cell for all traits (median)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
