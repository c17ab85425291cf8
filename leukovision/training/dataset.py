"""A folder in the C-NMC layout comes in; its images, subjects and splits go out."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from leukovision.artifact import sha256_of
from leukovision.batch.sources import pictures
from leukovision.question import OURS, Question

PARTS = 4
"""How many parts `--split subject` deals subjects into."""

_BY_IMAGE = re.compile(r"image(?:@(\d+))?")


@dataclass(frozen=True)
class Image:
    """One labelled image file.

    Attributes:
        path: where it is.
        is_all: 1 for a cell of the positive class, 0 for the other, by the folder it lies in.
        subject: the person, with the H of C-NMC's donors: `1` and `H1` are two people.
        fold: the folder above the class folder.
        sha256: of the file's bytes, so that one image under two names is seen.
    """

    path: Path
    is_all: int
    subject: str
    fold: str
    sha256: str


@dataclass(frozen=True)
class Overlap:
    """What lies on more than one side of a split.

    Attributes:
        subjects: the sides of each subject that is on several.
        twins: groups of byte-identical images that are on several, under one subject or two.
    """

    subjects: dict[str, list[str]]
    twins: list[list[Image]]

    @property
    def leak(self) -> str:
        """A sentence if a subject is on several sides, else "".

        Twins alone are no leak: `split` leaves out of training what is held out under another name.
        """
        if not self.subjects:
            return ""
        twins = f", and images under several names ({len(self.twins)})" if self.twins else ""
        return f"The split leaks: on more than one side of it lie subjects {few([*self.subjects])}{twins}."


def named(path: Path, question: Question = OURS) -> re.Match[str] | None:
    """`subject` and `kind` in a file's name, if it is of the form UID_<subject>_<image>_<cell>_<class>."""
    pattern = rf"UID_(?P<subject>H?\d+)_\d+_\d+_(?P<kind>{'|'.join(question.folders)})$"
    return re.match(pattern, path.stem, re.IGNORECASE)


def files(data: Path, question: Question = OURS) -> list[Path]:
    """Every picture below `data` that lies in a folder of a class (`Question.folders`), sorted.

    Raises:
        FileNotFoundError: no such folder, or no picture in the C-NMC layout in it.
    """
    found: list[Path] = []
    with suppress(FileNotFoundError):
        found = [path for path in pictures(Path(data)) if path.parent.name.lower() in question.folders]
    if not found:
        raise FileNotFoundError(
            f"{data}: no images found; wanted is the C-NMC layout, "
            f"{' and '.join(f'fold_*/{name}/*.bmp' for name in question.folders)}."
        )
    return found


def read_images(data: Path, question: Question = OURS) -> list[Image]:
    """The labelled image of each of `files`, by the classes of a question.

    Raises:
        FileNotFoundError: as `files`.
        ValueError: a file's name has no subject in it.
    """
    with ThreadPoolExecutor() as pool:
        return list(
            pool.map(
                lambda path: labelled(path, subject_of(path, question), sha256_of(path), question),
                files(data, question),
            )
        )


def labelled(path: Path, subject: str, digest: str, question: Question = OURS) -> Image:
    """A file of a subject, with class and fold by the folders it lies in."""
    is_all = int(question.folders[path.parent.name.lower()] == question.positive)
    return Image(path, is_all, subject, path.parent.parent.name, digest)


def subject_of(path: Path, question: Question = OURS) -> str:
    """`UID_H24_10_2_hem.bmp` -> `H24`; `h3` and `H3` are one donor.

    Raises:
        ValueError: the name is not of that form.
    """
    match = named(path, question)
    if not match:
        raise ValueError(f"{path}: no subject in the name; wanted is UID_<subject>_<image>_<cell>_<class>.")
    return match["subject"].upper()


def twins(images: Sequence[Image]) -> list[list[Image]]:
    """Groups of two or more byte-identical images."""
    groups: dict[str, list[Image]] = {}
    for image in images:
        groups.setdefault(image.sha256, []).append(image)
    return [group for group in groups.values() if len(group) > 1]


def parts(images: Sequence[Image], by: str) -> list[str]:
    """Deal images into the named parts of a split.

    Args:
        images: all of them; which part an image falls into depends on the others.
        by: `folds`: parts are the folders above the class folders (`fold_0`).
            `subject`: four parts, `0` to `3`, with classes as even as whole subjects allow; subjects
            that share an image may be one person under two names, and stay together.
            `image`: `train`, `validation` and `test` with 70, 15 and 15 % of each class, drawn by image
            as much published work on C-NMC does. It leaks: most subjects are in all three. `image@2` is
            another draw: the number is the seed, 1 if there is none.
            Or the path of a CSV with columns `group` and `subject`: parts are its groups.

    Returns:
        The part of each image, whatever their order; "" for subjects that the CSV does not name.

    Raises:
        ValueError: there is no such split, the CSV is not of that form, or subjects are too few.
    """
    if by == "folds":
        return [image.fold for image in images]
    drawn = _BY_IMAGE.fullmatch(by)
    if by != "subject" and not drawn:
        groups = read_groups(Path(by))
        return [groups.get(image.subject, "") for image in images]
    # Sorted by what does not change with the place of the folder, so that each copy is dealt alike.
    order = sorted(range(len(images)), key=lambda n: _key(images[n]))
    ordered = [images[n] for n in order]
    dealt = _by_image(ordered, int(drawn[1] or 1)) if drawn else _by_subject(ordered)
    part_at = dict(zip(order, dealt, strict=True))
    return [part_at[n] for n in range(len(images))]


def _key(image: Image) -> tuple[str, int, str, str]:
    return image.fold, image.is_all, image.path.name, image.sha256


def read_groups(table: Path) -> dict[str, str]:
    """The group of each subject of a CSV with columns group and subject.

    Raises:
        ValueError: it is not of that form.
    """
    wanted = "a split is folds, subject, image, or a CSV with columns group and subject"
    if not table.is_file():
        raise ValueError(f"{str(table)!r} is no split and no file; {wanted}.")
    groups: dict[str, str] = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not {"group", "subject"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{table}: columns group and subject are not both there; {wanted}.")
        for row in rows:
            subject = (row["subject"] or "").upper()
            if groups.setdefault(subject, row["group"]) != row["group"]:
                raise ValueError(f"{table}: subject {subject} is in two groups; give each subject one.")
    return groups


def _by_subject(images: Sequence[Image]) -> list[str]:
    family = {image.subject: image.subject for image in images}
    for group in twins(images):
        joined = {family[image.subject] for image in group}
        family |= {subject: min(joined) for subject, first in family.items() if first in joined}
    count = len(set(family.values()))
    if count < PARTS:
        raise ValueError(
            f"--split subject deals subjects that share no image into {PARTS} parts; here are only {count}."
        )
    is_all, families = [i.is_all for i in images], [family[i.subject] for i in images]
    result = [""] * len(images)
    for part, (_, places) in enumerate(StratifiedGroupKFold(PARTS).split(images, is_all, families)):
        for place in places:
            result[place] = str(part)
    return result


def _by_image(images: Sequence[Image], seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    is_all = np.array([image.is_all for image in images])
    result = np.full(len(images), "validation")
    for value in np.unique(is_all):
        places = random.permutation(np.flatnonzero(is_all == value))
        result[places[: round(0.7 * len(places))]] = "train"
        result[places[round(0.85 * len(places)) :]] = "test"
    return [str(part) for part in result]


def chosen(images: Sequence[Image], wanted: str, by: str = "folds") -> np.ndarray:
    """Which images a choice names.

    Args:
        images: all of them.
        wanted: names with commas between them: parts of the split (`1`), folds (`fold_1`), subjects
            (`H16`), or parts of another split, named with it (`groups.csv:1`, `groups.csv:0+2`). A
            name that is both a part and a subject means the part.
        by: the split, as in `parts`.

    Returns:
        (n,) bool.

    Raises:
        ValueError: a name that fits no image, or as `parts`.
    """
    mask = np.zeros(len(images), dtype=bool)
    dealt = parts(images, by)
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        other, _, names = name.rpartition(":")
        if other:
            found = [part in names.split("+") for part in parts(images, other)]
        elif name in dealt:
            found = [part == name for part in dealt]
        else:
            found = [name == image.fold or name.upper() == image.subject for image in images]
        if not any(found):
            raise ValueError(
                f"{name!r} names no image; give folds (fold_1), subjects (H16) or groups (groups.csv:1), "
                f"or parts of --split, here {few(sorted(set(dealt)))}."
            )
        mask |= np.array(found)
    return mask


def overlap(images: Sequence[Image], sides: Sequence[str]) -> Overlap:
    """What lies on more than one side of a split, to train on one and test on another.

    Args:
        images: n of them.
        sides: the side of each: its part, or whether it is held out.
    """
    found: dict[str, set[str]] = {}
    for image, side in zip(images, sides, strict=True):
        found.setdefault(image.subject, set()).add(side)
    side_of = {image.path: side for image, side in zip(images, sides, strict=True)}
    return Overlap(
        {subject: sorted(where) for subject, where in sorted(found.items()) if len(where) > 1},
        [group for group in twins(images) if len({side_of[image.path] for image in group}) > 1],
    )


def few(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """The first of many names, as a sentence shows them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def split(
    images: Sequence[Image], held_out: str, by: str = "folds", allow_leak: bool = False
) -> tuple[list[Image], list[Image]]:
    """Training and held-out images; without a leak no image is in both, and none twice in training.

    Args:
        images: all of them.
        held_out: as in `chosen`; "" holds nothing out.
        by: the split, as in `parts`.
        allow_leak: take the split as it is, to see what leaking does: subjects may be on both sides,
            and so may byte-identical images, none of which is dropped then.

    Raises:
        ValueError: a subject would be on both sides, or nothing is left to train on.
    """
    out = chosen(images, held_out, by)
    leak = overlap(images, ["held out" if held else "training" for held in out]).leak
    if leak and not allow_leak:
        raise ValueError(f"{leak} Hold out whole subjects, or give --allow-leak to train all the same.")
    test = [image for image, held in zip(images, out, strict=True) if held]
    seen = {image.sha256 for image in test}
    train = []
    for image, held in zip(images, out, strict=True):
        if not held and (allow_leak or image.sha256 not in seen):
            seen.add(image.sha256)
            train.append(image)
    if len({image.is_all for image in train}) < 2:
        raise ValueError("training needs images of both classes; hold out less.")
    return train, test
