"""What units on frozen layers say of subjects that they were not fitted on: each part of a split is left out.

    .venv/bin/python benchmarks/out_of_fold.py DATA SPLIT OUT --features FOLDER [--sample N] [--hold-out PART]
                                               [--backbone-weights FOLDER] [--accuracy A]

As `leukovision train --hold-out PART` and `evaluate` for each part, but for what float16 rounds, in seconds
instead of an hour: what the layers see of a cell does not depend on who was left out, and lies in FOLDER
since `leukovision train --features FOLDER`. Writes OUT/cells.csv and the figures of it.
"""

import argparse
from pathlib import Path

import numpy as np

from leukovision import ood, read_cell
from leukovision.backbones import BACKBONES, build
from leukovision.evaluation import figures, predictions, score
from leukovision.training import dataset
from leukovision.training.features import pooled
from leukovision.training.heads import copies, fitted
from leukovision.training.ood_statistics import draw, statistics
from leukovision.training.recipe import Recipe


def main() -> None:
    """Fit, score, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("split", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--hold-out", action="append")
    parser.add_argument("--accuracy", type=float, default=0.8)
    parser.add_argument("--backbone-weights", default="runs/start")
    asked = parser.parse_args()
    recipe = Recipe.of("compact")
    images = dataset.read_images(asked.data)
    images = score.once(score.sample(images, asked.sample) if asked.sample else images)
    groups = dataset.read_groups(asked.split)
    seen = {}
    for name in BACKBONES:
        network = build(name, recipe.cut(name), recipe.input.size, asked.backbone_weights)
        plain = pooled(network, images, recipe.input, asked.features)
        seen[name] = plain, pooled(network, images, recipe.input, asked.features, changes=copies(recipe))
    looks = np.array([ood.looks(read_cell(image.path)) for image in images])
    part = np.array([groups.get(image.subject, "") for image in images])
    rows = []
    for held_out in asked.hold_out or sorted(set(part) - {""}):
        here, others = np.flatnonzero(part == held_out), np.flatnonzero((part != held_out) & (part != ""))
        known = [images[place] for place in others]
        logits = {}
        for name, (plain, changed) in seen.items():
            unit, standard = fitted(known, plain[others], changed[others], recipe)
            logits[name] = unit.decision_function(standard(plain[here]))
        side_by_side = np.concatenate([plain for plain, _ in seen.values()], axis=1)
        # From as many cells as `train` takes them from: of more, distances are shorter.
        some = others[draw(known, recipe.seed)]
        found = statistics(looks[some], side_by_side[some])
        # As a file keeps them.
        found = {name: values.astype(np.float16).astype(np.float32) for name, values in found.items()}
        domain = ood.Domain(**found, looks_limit=np.inf, distance_limit=np.inf)
        for row, place in enumerate(here):
            image = images[place]
            rows.append({
                "file": image.path.name, "subject": image.subject,
                "class": "ALL" if image.is_all else "healthy",
                "part": held_out, "views": 1, "decision": "", "p_all": 0.5, "in_domain": True,
                "distance": round(domain.distance(side_by_side[place]), 5),
                **dict(zip(ood.LOOKS, looks[place].round(5), strict=True)),
                **{f"{predictions.LOGIT}{name}": round(float(logits[name][row]), 5) for name in logits},
            })  # fmt: skip
    predictions.write(asked.out / "cells.csv", rows)
    figures.write(predictions.read(asked.out / "cells.csv"), asked.out, asked.accuracy)
    print((asked.out / "figures.md").read_text())


if __name__ == "__main__":
    main()
