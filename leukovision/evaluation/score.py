"""An ensemble and labelled images come in; a row of `cells.csv` for each image goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leukovision import artifact, ood
from leukovision.cell import Cell, read_cell
from leukovision.ensemble import Analysis, Ensemble
from leukovision.evaluation.predictions import LOGIT
from leukovision.training.dataset import Image

_CHUNK = 64


def once(images: Sequence[Image]) -> list[Image]:
    """Each byte-identical image only under its first name."""
    first: dict[str, Image] = {}
    for image in images:
        first.setdefault(image.sha256, image)
    return list(first.values())


def sample(images: Sequence[Image], count: int, seed: int = 1) -> list[Image]:
    """So many images, drawn evenly by subject: a second of one only when all others had their first."""
    order = np.random.default_rng(seed).permutation(len(images))
    turns: dict[str, int] = {}
    turn = np.zeros(len(images), dtype=int)
    for place in order:
        subject = images[place].subject
        turn[place] = turns[subject] = turns.get(subject, 0) + 1
    wanted = sorted(order, key=lambda place: int(turn[place]))[:count]
    return [images[place] for place in sorted(wanted)]


def name_of(folder: Path) -> str:
    """What `cells.csv` calls an ensemble."""
    return folder.resolve().name


def held_out(
    folders: Sequence[Path], images: Sequence[Image], everything: bool = False
) -> list[tuple[Path, list[Image]]]:
    """What each ensemble is tested on: the subjects that its manifest says were held out of its training.

    Args:
        folders: of ensembles.
        images: to choose from.
        everything: of one ensemble: all of `images`, whatever the manifest says; so it is, too, where the
            manifest names no held-out subjects.

    Raises:
        ValueError: of several ensembles two have one name, one names no subjects, or two name the same
            one; or there are no images of them.
        artifact.StoreError: a folder is not an ensemble's.
    """
    if len({name_of(folder) for folder in folders}) < len(folders):
        raise ValueError("two ensembles' folders have one name, by which cells.csv would tell them apart.")
    result, seen = [], dict[str, Path]()
    for folder in folders:
        subjects = set(artifact.read_manifest(folder).training.get("held_out_subjects", ()))
        if len(folders) == 1 and (everything or not subjects):
            return [(folder, list(images))]
        if not subjects:
            raise ValueError(
                f"{folder}: its manifest names no held-out subjects (training.held_out_subjects); of several "
                "ensembles each must have held out its own: train it with --hold-out."
            )
        if twice := sorted(subjects & set(seen)):
            raise ValueError(
                f"{folder} and {seen[twice[0]]} both held out subject {twice[0]}; give one of them."
            )
        seen |= dict.fromkeys(subjects, folder)
        chosen = [image for image in images if image.subject in subjects]
        if not chosen:
            raise ValueError(f"{folder}: none of the images is of a subject that it held out.")
        result.append((folder, chosen))
    return result


def score(
    ensemble: Ensemble,
    part: str,
    images: Sequence[Image],
    views: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> list[dict[str, Any]]:
    """Analyse labelled images.

    Args:
        ensemble: what to measure.
        part: what to call it in the rows.
        images: what to measure it on.
        views: as in `Ensemble.analyse`.
        progress: called with how many are done.

    Returns:
        A row of `cells.csv` each: see `predictions.Cells`.

    Raises:
        CellError: an image that cannot be read.
    """
    rows: list[dict[str, Any]] = []
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        cells = [read_cell(image.path) for image in chunk]
        for image, cell, analysis in zip(chunk, cells, ensemble.analyse(cells, views), strict=True):
            rows.append(_row(ensemble.manifest, part, image, cell, analysis, views))
        progress(len(rows))
    return rows


def _row(
    manifest: artifact.Manifest, part: str, image: Image, cell: Cell, analysis: Analysis, views: int | None
) -> dict[str, Any]:
    return {
        "file": image.path.name,
        "subject": image.subject,
        "class": manifest.question.called(image.is_all),
        "part": part,
        "views": views or manifest.views,
        "decision": analysis.decision,
        "p_all": round(analysis.p_all, 6),
        "in_domain": analysis.in_domain,
        "distance": round(analysis.distance, 5),
        **{name: round(float(value), 5) for name, value in zip(ood.LOOKS, ood.looks(cell), strict=True)},
        **{
            # Back to what the network itself said: calibration must not be set on what was calibrated.
            f"{LOGIT}{spec.backbone}": round(
                (analysis.members[spec.backbone].logit - manifest.bias) * spec.temperature, 5
            )
            for spec in manifest.members
        },
    }
