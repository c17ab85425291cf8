"""A folder in the C-NMC layout comes in; what is wrong with it, before anyone trains on it, goes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image as Picture

from leukovision.artifact import sha256_of
from leukovision.cell import CellError, read_cell
from leukovision.question import OURS, Question
from leukovision.training.dataset import (
    Image,
    chosen,
    files,
    labelled,
    named,
    overlap,
    parts,
    subject_of,
    twins,
)


@dataclass(frozen=True)
class Duplicate:
    """One image under several names.

    Attributes:
        files: those names.
        subjects, folds, classes: what they say of it; more than one of a kind is a contradiction.
    """

    files: list[str]
    subjects: list[str]
    folds: list[str]
    classes: list[str]


@dataclass(frozen=True)
class Split:
    """What a split does with a folder.

    Attributes:
        sides: cells and subjects of each class by side: the parts, or `training` and `held out`.
        leak: the sentence that says what leaks, or "".
        subjects: sides by subject, for those on more than one.
        twins: byte-identical files on more than one side.
    """

    sides: dict[str, dict[str, int]]
    leak: str
    subjects: dict[str, list[str]]
    twins: list[list[str]]


@dataclass(frozen=True)
class Audit:
    """What there is in a folder and what is wrong with it; files are named from the folder on.

    Attributes:
        files: how many.
        unreadable: the reason by file; the rest leaves these out.
        nameless: files without a subject in their name.
        contradicting: files whose name ends in another class than their folder's.
        spellings: ways a subject is written, where there are several.
        mixed: subjects with cells of both classes.
        duplicates: byte-identical files.
        sizes: files by size, "width x height" in px.
        subjects: cells of each class by subject.
        split: only if one was asked about; of the files that have a subject.
    """

    files: int
    unreadable: dict[str, str]
    nameless: list[str]
    contradicting: list[str]
    spellings: dict[str, list[str]]
    mixed: list[str]
    duplicates: list[Duplicate]
    sizes: dict[str, int]
    subjects: dict[str, dict[str, int]]
    split: Split | None


def audit(
    data: Path,
    by: str | None = None,
    held_out: str = "",
    progress: Callable[[int, int], object] = lambda *_: None,
    question: Question = OURS,
) -> Audit:
    """Read every picture in the class folders of `data`.

    Args:
        data: folder in the C-NMC layout.
        by: a split to check, as in `dataset.parts`; `folds` if only `held_out` is given.
        held_out: the sides are these images, as in `dataset.chosen`, and all others; by default each
            part of the split is a side.
        progress: called with (done, of).
        question: whose classes the folders are.

    Raises:
        FileNotFoundError: no such folder, or no picture in that layout in it.
        ValueError: there is no such split or part.
    """
    paths = files(data, question)
    if by or held_out:
        # A split or part that is not there is said at once, not after minutes of reading.
        unread = [labelled(path, _subject(path, question), str(path), question) for path in paths]
        chosen([image for image in unread if image.subject], held_out, by or "folds")
    images: list[Image] = []
    unreadable: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    read = partial(_read, question=question)
    with ThreadPoolExecutor() as pool:
        for done, (path, seen) in enumerate(zip(paths, pool.map(read, paths), strict=True), start=1):
            if isinstance(seen, str):
                unreadable[_name(path, data)] = seen
            else:
                images.append(seen[0])
                sizes[seen[1]] += 1
            progress(done, len(paths))
    known = [image for image in images if image.subject]
    subjects = {
        subject: _classes([image for image in known if image.subject == subject], question)
        for subject in sorted({image.subject for image in known})
    }
    return Audit(
        files=len(paths),
        unreadable=unreadable,
        nameless=[_name(image.path, data) for image in images if not image.subject],
        contradicting=[_name(image.path, data) for image in images if _contradicts(image, question)],
        spellings=_spellings(known, question),
        mixed=[subject for subject, cells in subjects.items() if all(cells.values())],
        duplicates=[_duplicate(group, data, question) for group in twins(images)],
        sizes=dict(sizes.most_common()),
        subjects=subjects,
        split=_split(known, by or "folds", held_out, data, question) if by or held_out else None,
    )


def _read(path: Path, question: Question) -> tuple[Image, str] | str:
    """The image, with subject "" if its name has none, and its size; or why it cannot be read."""
    try:
        read_cell(path)
        with Picture.open(path) as picture:
            size = f"{picture.width} x {picture.height}"
        return labelled(path, _subject(path, question), sha256_of(path), question), size
    except CellError as error:
        return str(error)
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})."


def _subject(path: Path, question: Question) -> str:
    """The subject in a file's name, or "" where there is none."""
    return subject_of(path, question) if named(path, question) else ""


def _name(path: Path, data: Path) -> str:
    return path.relative_to(data).as_posix()


def _classes(images: Sequence[Image], question: Question) -> dict[str, int]:
    return {question.called(value): sum(image.is_all == value for image in images) for value in (1, 0)}


def _contradicts(image: Image, question: Question) -> bool:
    match = named(image.path, question)
    return match is not None and question.folders[match["kind"].lower()] != question.called(image.is_all)


def _spellings(images: Sequence[Image], question: Question) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for image in images:
        if match := named(image.path, question):
            found.setdefault(image.subject, set()).add(match["subject"])
    return {subject: sorted(ways) for subject, ways in sorted(found.items()) if len(ways) > 1}


def _duplicate(group: Sequence[Image], data: Path, question: Question) -> Duplicate:
    return Duplicate(
        [_name(image.path, data) for image in group],
        sorted({image.subject for image in group if image.subject}),
        sorted({image.fold for image in group}),
        sorted({question.called(image.is_all) for image in group}),
    )


def _split(images: Sequence[Image], by: str, held_out: str, data: Path, question: Question) -> Split:
    sides = parts(images, by)
    if held_out:
        sides = ["held out" if held else "training" for held in chosen(images, held_out, by)]
    counts = {}
    for side in sorted(set(sides)):
        there = [image for image, its in zip(images, sides, strict=True) if its == side]
        people = {(image.subject, image.is_all) for image in there}
        subjects = {
            f"{question.called(value)} subjects": sum(is_all == value for _, is_all in people)
            for value in (1, 0)
        }
        counts[side] = _classes(there, question) | subjects
    found = overlap(images, sides)
    return Split(
        counts, found.leak, found.subjects, [[_name(i.path, data) for i in group] for group in found.twins]
    )
