"""Data of another question: is this white blood cell a lymphocyte? For docs/other-questions.md.

    python benchmarks/lymphocytes.py ../shared/data/wbc_masks build/lymphocytes

Cuts single cells out of photos along masks that were drawn by hand (Zheng et al. 2018,
doi:10.1016/j.micron.2018.01.010: part_N/NNN.bmp, NNN.png and classes.csv) into fold_F/CLASS/, named as
`leukovision train` wants them, and writes question.json beside them. Who a photo is of is not told: each
counts as a person.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from leukovision.smear import cut

LYMPHOCYTE = "2"
FOLDS = 4
QUESTION = {
    "classes": ["other", "lymphocyte"],
    "data": "Zheng et al. 2018, https://doi.org/10.1016/j.micron.2018.01.010",
    "words": {
        "en": {
            "question": "Is this white blood cell a lymphocyte or another kind?",
            "negative": "another kind",
            "positive_cells": "lymphocytes",
            "negative_cells": "cells of another kind",
        },
        "de": {
            "question": "Ist dieses weiße Blutkörperchen ein Lymphozyt oder eine andere Art?",
            "positive": "Lymphozyt",
            "negative": "andere Art",
            "positive_cells": "Lymphozyten",
            "negative_cells": "Zellen anderer Art",
        },
    },
}


def main(data: Path, out: Path) -> None:
    """Write the folder."""
    counts = {"lymphocyte": 0, "other": 0}
    for part in sorted(data.glob("part_*")):
        with (part / "classes.csv").open(newline="") as file:
            kinds = {int(number): kind for number, kind in list(csv.reader(file))[1:]}
        for photo in sorted(part.glob("*.bmp")):
            kind = "lymphocyte" if kinds[int(photo.stem)] == LYMPHOCYTE else "other"
            with Image.open(photo) as picture, Image.open(photo.with_suffix(".png")) as mask:
                cell = cut(np.asarray(picture.convert("RGB")), np.asarray(mask) > 0).cell
            subject = f"{part.name[-1]}{photo.stem}"
            path = out / f"fold_{sum(counts.values()) % FOLDS}" / kind / f"UID_{subject}_1_1_{kind}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cell.pixels).save(path)
            counts[kind] += 1
    (out / "question.json").write_text(json.dumps(QUESTION, indent=2, ensure_ascii=False), encoding="utf-8")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
