"""Files come in; what is said of each of their cells goes out, one after the other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from leukovision.artifact import StoreError
from leukovision.batch.rows import Row, row
from leukovision.batch.sources import File
from leukovision.cell import Cell, CellError, framed, is_on_black, read_picture
from leukovision.ensemble import BATCH, Analysis, Ensemble
from leukovision.errors import sentence
from leukovision.explain import overlay
from leukovision.explain.traits import Traits, traits
from leukovision.smear import Found, find_cells, outlined_cells, read_outlines

GROUP = 4 * BATCH
"""Files that are read and judged together."""


THUMBNAIL = 80
"""Side of a thumbnail, px."""


@dataclass(frozen=True, eq=False)
class FileCell:
    """A cell of a file; of a photo's, where on it and what is wrong with it, as `Row` has it, its outline,
    (n, 2) float64, x and y in px of the photo, and the scale of its frame, if red cells gave one."""

    cell: Cell
    box: str | None = None
    marks: str | None = None
    contour: np.ndarray | None = None
    px_per_um: float | None = None

    @cached_property
    def traits(self) -> Traits:
        """Of the cell."""
        return traits(self.cell, self.px_per_um)


@dataclass(frozen=True, eq=False)
class Prediction:
    """A cell with what is said of it; `cell` and `analysis` are None where `row.error` says why.

    `last` is True for the last cell of a file; `contour` and `traits` are as `FileCell` has them.
    """

    row: Row
    cell: Cell | None = None
    analysis: Analysis | None = None
    last: bool = True
    contour: np.ndarray | None = None
    traits: Traits | None = None


def read(file: File) -> list[FileCell]:
    """The cells in a file: the one on black that it shows, or those of a photo.

    Raises:
        CellError, OSError: as `read_picture` and `cells_in`, and as the file.
    """
    return cells_in(*read_picture(file.read(), file.name))


def cells_in(rgb: np.ndarray, name: str) -> list[FileCell]:
    """The cells in a picture, by the way that the page goes with a single one.

    Args:
        rgb: (h, w, 3) uint8.
        name: what to call it.

    Raises:
        CellError: it is a photo without a white cell, or as `find_cells`.
    """
    if is_on_black(rgb):
        return [FileCell(framed(rgb, name))]
    cells = find_cells(rgb, name)
    if not cells:
        raise CellError(sentence("no_cell", name=name))
    return list(map(_of_photo, cells))


def outlined(file: File, outlines: Path) -> list[FileCell]:
    """The cells in a photo, along outlines from another program, in the order of the file that holds them.

    Raises:
        ValueError, OSError: as `read_picture`, `read_outlines` and `outlined_cells`, and as the file.
    """
    rgb, name = read_picture(file.read(), file.name)
    return list(map(_of_photo, outlined_cells(rgb, read_outlines(outlines, rgb.shape), name)))


def _of_photo(found: Found) -> FileCell:
    return FileCell(
        found.cell, contour=found.contour, px_per_um=found.px_per_um, **on_photo(found.box, found.marks)
    )


def on_photo(box: Sequence[int], marks: Sequence[str]) -> dict[str, str | None]:
    """Where on a photo a cell is, px, and what is wrong with it, as `Row` has them."""
    return {"box": " ".join(map(str, box)), "marks": ", ".join(marks) or None}


def predictions(
    ensemble: Ensemble,
    files: Sequence[File],
    views: int | None = None,
    read: Callable[[File], list[FileCell]] = read,
) -> Iterator[Prediction]:
    """Decide on the cells of files one after the other, each when it is asked for.

    At most two groups are in memory. Whoever asks for no more has stopped it; what is left of the files
    can be judged later.

    Args:
        ensemble: which decides.
        files: any number of them.
        views: as in `Ensemble.analyse`.
        read: how.

    Yields:
        What is said of each cell, or of a file without one, in order.
    """
    for batch in _read_ahead(files, GROUP, read):
        read_cells = [seen for _, seen in batch if not isinstance(seen, CellError)]
        cells = [file_cell.cell for seen in read_cells for file_cell in seen]
        analyses = _in_turn(ensemble, cells, views)
        for file, seen in batch:
            if isinstance(seen, CellError):
                yield Prediction(Row(file=file.name, error=str(seen)))
                continue
            for number, file_cell in enumerate(seen, 1):
                said, last, name = next(analyses), number == len(seen), str(file_cell.cell.name)
                if isinstance(said, CellError):
                    error = Row(file=name, error=str(said), box=file_cell.box, marks=file_cell.marks)
                    yield Prediction(error, last=last, contour=file_cell.contour)
                else:
                    told = row(name, said, file_cell.traits)
                    told = told.model_copy(update={"box": file_cell.box, "marks": file_cell.marks})
                    yield Prediction(told, file_cell.cell, said, last, file_cell.contour, file_cell.traits)


def _in_turn(ensemble: Ensemble, cells: Sequence[Cell], views: int | None) -> Iterator[Analysis | CellError]:
    """As `_analysed`; a photo may show a hundred cells, and analyses are large."""
    for start in range(0, len(cells), GROUP):
        yield from _analysed(ensemble, cells[start : start + GROUP], views)


def _analysed(ensemble: Ensemble, cells: Sequence[Cell], views: int | None) -> Sequence[Analysis | CellError]:
    """An analysis of each cell, or why there can be none of this one."""
    try:
        return ensemble.analyse(cells, views)
    except StoreError as error:
        if len(cells) == 1:
            return [CellError(f"{cells[0].name}: {error}")]
        return [said for cell in cells for said in _analysed(ensemble, [cell], views)]


def thumbnail(cell: Cell) -> bytes:
    """A small picture of the cell, (THUMBNAIL, THUMBNAIL), as WebP: 1 to 2 kB."""
    content = io.BytesIO()
    Image.fromarray(overlay.thumbnail(cell, THUMBNAIL)).save(content, "WEBP", quality=80, method=1)
    return content.getvalue()


def _read_ahead(
    files: Sequence[File], size: int, read: Callable[[File], list[FileCell]]
) -> Iterator[list[tuple[File, list[FileCell] | CellError]]]:
    """Groups of files with the cells, or the reason why there is none, of each."""

    def read_one(file: File) -> tuple[File, list[FileCell] | CellError]:
        try:
            cells = read(file)
            for cell in cells:
                _ = cell.traits  # measured here, beside the networks, and kept
            return file, cells
        except CellError as error:
            return file, error
        except (OSError, MemoryError) as error:
            why = getattr(error, "strerror", None) or error or "no memory is left"
            return file, CellError(sentence("unreadable", name=file.name, reason=why))

    batches = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(2) as pool:
        # One batch is read while the networks work on the one before; more would only fill memory.
        ahead: Iterator[tuple[File, list[FileCell] | CellError]] = iter(())
        for batch in [*batches, []]:
            ready, ahead = ahead, pool.map(read_one, batch)
            if group := list(ready):
                yield group
