"""A folder or a repository comes in; the cells that the page offers to try, and what each is, go out."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from leukovision import hub, synthetic
from leukovision.artifact import StoreError
from leukovision.batch.sources import pictures
from leukovision.cell import SUFFIXES, Cell, CellError, read_cell
from leukovision.i18n import Texts
from leukovision.question import OURS, UNSURE, Question

MOST = 12
"""Pictures that are offered."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Examples:
    """Cells to try.

    Attributes:
        cells: none where nothing is drawn for the question.
        truths: what each is, or was drawn as, a class; "" where nobody knows.
        are_drawn: whether a program drew them.
        origin: `user/repo@commit` where they were pulled from, else "".
    """

    cells: list[Cell]
    truths: list[str]
    are_drawn: bool = False
    origin: str = ""


def find_examples(source: str | Path | None = None, question: Question = OURS) -> Examples:
    """Drawn cells, or twelve pictures of a folder and those in it, or of a repository on the Hub.

    Names of folders and files tell the classes, which take turns where they do.

    Args:
        source: a folder, or `user/repo`, of which the folder `examples` is pulled; None for what the
            environment variable LEUKOVISION_EXAMPLES names, or else for drawn cells. Those are taken, too,
            where the repository cannot be had; the log says why.
        question: what is decided; cells are drawn for ours alone.

    Raises:
        FileNotFoundError: the folder is not there, or there is no picture in it.
    """
    source = source or os.environ.get("LEUKOVISION_EXAMPLES")
    if not source:
        return _drawn(question)
    try:
        found = hub.examples(source)
    except StoreError as error:
        drawn = _drawn(question)
        instead = "The example cells are drawn instead." if drawn.cells else "There are no example cells."
        _log.warning("%s %s", error, instead)
        return drawn
    folder, pulled = found.folder, found.origin != str(source)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{source}: no such folder; --examples wants one with pictures of cells"
            + (f", and this repository has no folder {hub.EXAMPLES!r}." if pulled else ".")
        )
    kinds: defaultdict[str, list[Path]] = defaultdict(list)
    for path in pictures(folder):
        kinds[truth_of(path.relative_to(folder).as_posix(), question)].append(path)
    cells: list[Cell] = []
    truths: list[str] = []
    turns = zip_longest(*([(truth, path) for path in paths] for truth, paths in kinds.items()))
    for truth, path in (one for turn in turns for one in turn if one):
        try:
            cells.append(read_cell(path, path.relative_to(folder).as_posix()))
            truths.append(truth)
        except CellError as error:
            _log.warning("example left out: %s", error)
        if len(cells) == MOST:
            break
    if not cells:
        raise FileNotFoundError(f"{source}: no picture of a cell in this folder ({', '.join(SUFFIXES)}).")
    return Examples(cells, truths, origin=found.origin if pulled else "")


def truth_of(name: str, question: Question = OURS) -> str:
    """The class that a file's name tells, as in C-NMC ("UID_1_1_1_CLASS.bmp", "CLASS/x.png"); else ""."""
    words = "|".join(map(re.escape, question.folders))
    found = re.findall(rf"(?:^|[_\-/\\ ])({words})(?=[_\-/\\ .]|$)", name.lower())
    return question.folders[found[-1]] if found else ""


def truth_line(truth: str, are_drawn: bool, texts: Texts) -> str:
    """What a cell was, or what it was drawn to look like."""
    if not truth:
        return texts("teach.unknown")
    if are_drawn:
        return texts(f"teach.drawn_{OURS.side(truth)}")
    return texts("teach.truth", truth=texts.kind(truth))


def verdict(truth: str, are_drawn: bool, decision: str, texts: Texts) -> str:
    """What a cell was, and whether the decision on it is right; "" where nobody knows."""
    if not truth:
        return ""
    side = UNSURE if decision == UNSURE else "right" if decision == truth else "wrong"
    return f"{truth_line(truth, are_drawn, texts)} {texts(f'analyse.verdict.{side}')}"


def _drawn(question: Question) -> Examples:
    if not question.is_ours:
        return Examples([], [])
    titles, pixels, are_blasts = zip(*synthetic.examples(), strict=True)
    return Examples(
        list(map(read_cell, pixels, titles)), list(map(question.called, are_blasts)), are_drawn=True
    )
