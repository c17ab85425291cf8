"""A folder in the C-NMC layout comes in; its images, subjects and splits go out."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leukovision.cell import SUFFIXES, read_cell
from leukovision.pixels import Input

CLASSES = {"hem": 0, "healthy": 0, "all": 1}
"""Names of class folders, in lower case, and what they mean: 1 is ALL."""

_NAME = re.compile(r"UID_(H?\d+)_\d+_\d+_(?:all|hem)$", re.IGNORECASE)


@dataclass(frozen=True)
class Image:
    """One labelled image file.

    Attributes:
        path: where it is.
        is_all: 1 for an ALL blast, 0 for a healthy cell, by the folder it lies in.
        subject: the person, with the H of a healthy donor: `1` and `H1` are two people.
        fold: the folder above the class folder.
        sha256: of the file's bytes, so that one image under two names is seen.
    """

    path: Path
    is_all: int
    subject: str
    fold: str
    sha256: str


def read_images(data: Path) -> list[Image]:
    """Every image below `data` that lies in a class folder (`all`, `hem` or `healthy`).

    Raises:
        FileNotFoundError: no such folder, or no image in the C-NMC layout in it.
        ValueError: a file's name has no subject in it.
    """
    files = sorted(
        path
        for path in Path(data).rglob("*")
        if path.suffix.lower() in SUFFIXES and path.parent.name.lower() in CLASSES
    )
    if not files:
        raise FileNotFoundError(
            f"{data}: no images found; wanted is the C-NMC layout, fold_*/all/*.bmp and fold_*/hem/*.bmp."
        )
    with ThreadPoolExecutor() as pool:
        digests = pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), files)
        return [
            Image(path, CLASSES[path.parent.name.lower()], subject_of(path), path.parent.parent.name, digest)
            for path, digest in zip(files, digests, strict=True)
        ]


def subject_of(path: Path) -> str:
    """`UID_H24_10_2_hem.bmp` -> `H24`; `h3` and `H3` are one donor.

    Raises:
        ValueError: the name is not of that form.
    """
    match = _NAME.match(path.stem)
    if not match:
        raise ValueError(f"{path}: no subject in the name; wanted is UID_<subject>_<image>_<cell>_<class>.")
    return match[1].upper()


def chosen(images: Sequence[Image], wanted: str) -> np.ndarray:
    """Which images a choice names.

    Args:
        images: all of them.
        wanted: names with commas between them: folds (`fold_1`), subjects (`H16`), or groups of a CSV
            with columns `group` and `subject` (`groups.csv:1`, `groups.csv:0+2`).

    Returns:
        (n,) bool.

    Raises:
        ValueError: a name that fits no image.
    """
    mask = np.zeros(len(images), dtype=bool)
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        table, _, groups = name.rpartition(":")
        names = _subjects_of_groups(Path(table), groups.split("+")) if table else {name}
        found = np.array([i.subject in names or i.fold in names for i in images], dtype=bool)
        if not found.any():
            raise ValueError(
                f"{name!r} names no image; give folds (fold_1), subjects (H16) or groups (groups.csv:1)."
            )
        mask |= found
    return mask


def _subjects_of_groups(table: Path, groups: Iterable[str]) -> set[str]:
    with table.open(newline="") as file:
        return {row["subject"].upper() for row in csv.DictReader(file) if row["group"] in set(groups)}


def split(images: Sequence[Image], held_out: str) -> tuple[list[Image], list[Image]]:
    """Training and held-out images, with no image in both and none twice in training.

    Args:
        images: all of them.
        held_out: as in `chosen`; "" holds nothing out.

    Raises:
        ValueError: a subject would be on both sides, or nothing is left to train on.
    """
    out = chosen(images, held_out)
    test = [image for image, held in zip(images, out, strict=True) if held]
    seen = {image.sha256 for image in test}
    train = []
    for image, held in zip(images, out, strict=True):
        if not held and image.sha256 not in seen:
            seen.add(image.sha256)
            train.append(image)
    both = {image.subject for image in train} & {image.subject for image in test}
    if both:
        raise ValueError(
            f"subjects on both sides of the split: {', '.join(sorted(both))}; hold out whole subjects."
        )
    if len({image.is_all for image in train}) < 2:
        raise ValueError("training needs images of both classes; hold out less.")
    return train, test


def chances(is_all: np.ndarray, subjects: Sequence[str] | np.ndarray) -> np.ndarray:
    """How likely each cell is to be drawn: both classes alike, and within a class each subject by the
    square root of its number of cells, so that a donor with 400 cells does not stand for all donors.

    Returns:
        (n,) float64, sum 1.
    """
    _, place, count = np.unique(np.asarray(subjects), return_inverse=True, return_counts=True)
    chance = 1 / np.sqrt(count[place])
    for value in np.unique(is_all):
        chance[is_all == value] /= chance[is_all == value].sum()
    return np.asarray(chance / chance.sum())


def pictures(
    images: Sequence[Image],
    input: Input,
    margin: float = 1.0,
    progress: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """The pictures that backbones see of labelled images, decoded on all cores.

    Args:
        images: n of them.
        input: how a cell is framed.
        margin: how much wider than the backbones' field, at the same scale, so that training can
            turn and shift it.
        progress: called with how many are done.

    Returns:
        (n, side, side, 3) uint8 with side = margin x the input's size.

    Raises:
        CellError: a file that cannot be read, by name.
    """
    side = round(input.size * margin)
    result = np.zeros((len(images), side, side, 3), dtype=np.uint8)

    def fill(place: int) -> None:
        result[place] = input.picture(read_cell(images[place].path), side, margin)

    with ThreadPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(fill, range(len(images))), start=1):
            progress(done)
    return result
