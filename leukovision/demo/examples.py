"""A folder or a repository comes in; the cells that the page offers to try go out."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from leukovision import hub, synthetic
from leukovision.artifact import StoreError
from leukovision.batch.sources import why_not
from leukovision.cell import SUFFIXES, Cell, CellError, read_cell
from leukovision.question import OURS, Question

DRAWN = 6
"""How many are drawn; of pictures twice as many are offered."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Examples:
    """Cells to try.

    Attributes:
        cells: none where nothing is drawn for the question.
        are_drawn: whether a program drew them.
        origin: `user/repo@commit` where they were pulled from, else "".
    """

    cells: list[Cell]
    are_drawn: bool = False
    origin: str = ""


def find_examples(source: str | Path | None = None, question: Question = OURS) -> Examples:
    """Drawn cells, or the first twelve pictures that can be read of a folder, or of a repository on the Hub.

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
    cells: list[Cell] = []
    for path in sorted(folder.iterdir()):
        if not why_not(path.name) and len(cells) < 2 * DRAWN:
            try:
                cells.append(read_cell(path, path.name))
            except CellError as error:
                _log.warning("example left out: %s", error)
    if not cells:
        raise FileNotFoundError(f"{source}: no picture of a cell in this folder ({', '.join(SUFFIXES)}).")
    return Examples(cells, origin=found.origin if pulled else "")


def _drawn(question: Question) -> Examples:
    if not question.is_ours:
        return Examples([])
    return Examples([read_cell(pixels, title) for title, pixels in synthetic.examples(DRAWN)], are_drawn=True)
