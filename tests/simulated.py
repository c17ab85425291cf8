"""Cells of simulated subjects, as if networks had scored them: no network, no picture."""

import numpy as np

from leukovision.evaluation.predictions import LOGIT, Cells
from leukovision.ood import LOOKS

MEMBERS = ("xception", "inception_resnet_v2", "inception_v3")


def simulated(
    seed: int,
    with_all: int = 20,
    healthy: int = 14,
    cells: int = 60,
    parts: int = 4,
    apart: float = 1.2,
    slide: float = 0.5,
    overstated: float = 3.0,
    shortcut: float = 0.0,
) -> Cells:
    """Subjects whose logits networks overstate and move by 1.5, and whose slides stray.

    Args:
        seed: of all of it.
        with_all, healthy: subjects of each class.
        cells: a subject's, on average; they differ fivefold.
        parts: the subjects are dealt into so many.
        apart: half the distance between the classes, in true logits.
        slide: standard deviation of the slides' offsets.
        overstated: by how much.
        shortcut: how far the area of ALL cells lies above that of healthy ones, in standard deviations.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.repeat([1, 0], [with_all, healthy]))
    sizes = (cells * rng.uniform(1 / 3, 5 / 3, len(kinds))).astype(int)
    place = np.repeat(np.arange(len(kinds)), sizes)
    is_all = kinds[place]
    # Each class is dealt by itself, so that every part has some of both.
    part = np.zeros(len(kinds), dtype=int)
    for kind in (0, 1):
        part[kinds == kind] = np.arange((kinds == kind).sum()) % parts
    true = np.where(is_all, apart, -apart) + rng.normal(0, slide, len(kinds))[place]
    true = true + rng.normal(0, apart, len(place))
    looks = {name: rng.normal(0, 1, len(place)) for name in LOOKS}
    looks["area"] = 30_000 + 5_000 * (looks["area"] + shortcut * is_all)
    return Cells(
        is_all,
        np.array([f"{'' if kinds[p] else 'H'}{p}" for p in place]),
        np.array([f"part-{part[p]}" for p in place]),
        {
            name: overstated * (true + rng.normal(0, noise, len(true))) + 1.5
            for name, noise in zip(MEMBERS, (0.3, 0.6, 1.0), strict=True)
        },
        np.full(len(place), 0.5),
        rng.uniform(size=len(place)) > 0.02,
        rng.uniform(0, 2, len(place)),
        looks,
    )


def rows(cells: Cells) -> list[dict[str, object]]:
    """The rows of `cells.csv` that say the same."""
    return [
        {
            "file": f"{n}.bmp",
            "subject": cells.subjects[n],
            "class": "ALL" if cells.is_all[n] else "healthy",
            "part": cells.parts[n],
            "views": cells.views,
            "decision": "unsure",
            "p_all": cells.p_all[n],
            "in_domain": bool(cells.in_domain[n]),
            "distance": cells.distances[n],
            **{name: values[n] for name, values in cells.looks.items()},
            **{f"{LOGIT}{name}": values[n] for name, values in cells.logits.items()},
        }
        for n in range(len(cells.is_all))
    ]
