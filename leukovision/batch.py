"""Files, folders, zip files and tables come in; a row for each cell goes out, one after the other."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from leukovision import slide, sources
from leukovision.artifact import SlideSpec, StoreError
from leukovision.backbones import BACKBONES
from leukovision.cell import SUFFIXES, Cell, CellError, framed, is_on_black, read_picture
from leukovision.ensemble import BATCH, Analysis, Ensemble
from leukovision.errors import sentence
from leukovision.explain import overlay
from leukovision.in_table import in_table
from leukovision.slide import SlideDecision
from leukovision.smear import find_cells
from leukovision.sources import File, Leaving, refuse

MAX_PICTURES = 10_000
"""Most pictures that a zip file may hold."""

MAX_BYTES = 100 * 1024**2
"""Largest file that is read: 50 megapixels of 16 bit do not fit, everything else does."""

MAX_INFLATED = 8 * 1024**3
"""Most bytes that the pictures of a zip file may be, inflated: they are never all in memory."""

MAX_DIRECTORY = 8 * 1024**2
"""Longest directory of a zip file, bytes: ten thousand pictures with long names, and as many others, fit."""

PIECE = 1024**2
"""Bytes of a picture in a zip file that are inflated at a time."""

GROUP = 4 * BATCH
"""Files that are read and judged together."""

THUMBNAIL = 80
"""Side of a thumbnail, px."""

UNREADABLE = "could not be read"

Chance = Field(default=None, ge=0, le=1)


class Row(BaseModel):
    """What is said of one cell: all None but `file` and `error` where a file could not be judged.

    A photo has a row for each of its cells, with "photo.png, cell 2" as `file`; `box` is where on the photo
    it is (left, top, right, bottom; px) and `marks` what is wrong with its cut-out. The fields, in this
    order, are the columns of every table of cells.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(max_length=5000)
    decision: Literal["ALL", "healthy", "unsure"] | None = None
    p_all: float | None = Chance
    p_all_xception: float | None = Chance
    p_all_inception_resnet_v2: float | None = Chance
    p_all_inception_v3: float | None = Chance
    in_domain: bool | None = None
    reason: str | None = Field(default=None, max_length=1000)
    error: str | None = Field(default=None, max_length=6000)
    box: str | None = Field(default=None, max_length=100)
    marks: str | None = Field(default=None, max_length=1000)

    @property
    def source(self) -> str:
        """Name of the file that the cell is from."""
        return self.file.rpartition(", cell ")[0] if self.box else self.file

    def agreement(self, decide: float = 0.5) -> tuple[int, int]:
        """How many backbones are on the side of the ensemble, of how many; (0, 0) without a decision.

        Args:
            decide: p(ALL) from which one is on the side of ALL.
        """
        own = [p for name in BACKBONES if (p := getattr(self, f"p_all_{name}")) is not None]
        return sum((p >= decide) == ((self.p_all or 0) >= decide) for p in own), len(own)


def slides(rows: Iterable[Row], spec: SlideSpec | None) -> dict[str, SlideDecision]:
    """One decision for the cells of each folder, zip file or table, by its name.

    Args:
        rows: of files; those that could not be judged say nothing.
        spec: from the ensemble's manifest.
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.p_all is not None:
            found.setdefault(str(PurePath(row.file).parent), []).append(row)
    return {name: together(own, spec) for name, own in found.items()}


def together(rows: Sequence[Row], spec: SlideSpec | None) -> SlideDecision:
    """One decision for the cells of one person.

    Args:
        rows: of cells that were judged.
        spec: from the ensemble's manifest.
    """
    # Rows have four digits: a cell at 0 or 1 is within half of the last of it, not endlessly sure.
    p_all = np.clip([row.p_all for row in rows], 5e-5, 1 - 5e-5)
    return slide.decide(
        special.logit(p_all).tolist(),
        [bool(row.in_domain) for row in rows],
        [row.decision or "unsure" for row in rows],
        spec,
    )


def several(rows: Iterable[Row], spec: SlideSpec | None) -> dict[str, SlideDecision]:
    """Those of `slides` that say more than each cell does: of two or more; none without `spec`."""
    return {name: one for name, one in slides(rows, spec).items() if one.cells > 1} if spec else {}


COLUMNS = tuple(Row.model_fields)
"""Columns of the table of cells; their order does not change."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A cell of a file; of a photo's, where on it and what is wrong with it, as `Row` has it."""

    cell: Cell
    box: str | None = None
    marks: str | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """A cell with what is said of it; `cell` and `analysis` are None where `row.error` says why.

    `last` is True for the last cell of a file.
    """

    row: Row
    cell: Cell | None = None
    analysis: Analysis | None = None
    last: bool = True


def find(
    paths: Sequence[Path], leaving: Leaving = lambda _: None, made: Sequence[str] = (sources.MAPS,)
) -> list[File]:
    """Files as they are given, folders as the pictures in them at any depth, zip files and Parquet tables as
    those in them.

    Args:
        paths: any number of them.
        leaving: told of each file in a folder or a zip file that is left out, as `sources.pictures` does.
        made: as there.

    Raises:
        FileNotFoundError: there is no such file or folder, or no picture in a folder.
    """
    files: list[File] = []
    for path in paths:
        if path.is_dir():
            files += [sources.file(one) for one in sources.pictures(path, leaving, made)]
        elif not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder.")
        elif inside := INSIDE.get(path.suffix.lower()):
            name, stamp = sources.shown(path), sources.stamp(path)
            try:
                files += [replace(one, stamp=stamp) for one in inside(path, name, leaving)]
            except CellError as error:
                files.append(File(name, partial(refuse, str(error)), stamp))
        else:
            files.append(sources.file(path))
    return files


def unzip(path: Path, name: str, leaving: Leaving = lambda _: None) -> list[File]:
    """The pictures in a zip file, read from it when they are asked for; nothing is written to disk.

    Args:
        path: of the zip file.
        name: what to call it.
        leaving: told of each file in it that is left out, as `sources.pictures` does.

    Raises:
        CellError: not a zip file, no pictures in it, a zip file in it, or more than `MAX_PICTURES`,
            `MAX_BYTES` for one or `MAX_INFLATED` for all of them.
        OSError: it cannot be read.
    """
    try:
        archive = _Zip(path)
    except _CrowdedError:
        raise CellError(sentence("crowded", name=name, most=MAX_PICTURES)) from None
    except UnicodeDecodeError:
        raise CellError(sentence("zip_name", name=name)) from None
    # A directory that somebody damaged makes zipfile stumble over anything.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, MemoryError):
        raise CellError(sentence("no_zip", name=name)) from None
    held = [entry for entry in archive.infolist() if not entry.is_dir()]
    if inner := [entry for entry in held if entry.filename.lower().endswith(".zip")]:
        raise CellError(sentence("zip_in_zip", name=name, inner=_shown(inner[0])))
    reasons = [sources.why_not(entry.filename) for entry in held]
    for why in filter(None, reasons):
        leaving(why)
    inside = [entry for entry, why in zip(held, reasons, strict=True) if not why]
    if not inside:
        raise CellError(sentence("no_pictures", name=name, kinds=", ".join(SUFFIXES)))
    if len(inside) > MAX_PICTURES:
        raise CellError(sentence("too_many", name=name, count=len(inside), most=MAX_PICTURES))
    # `_inflate` reads no more of an entry than it says to hold, so that these sizes can be relied on.
    if large := [entry for entry in inside if entry.file_size > MAX_BYTES]:
        most = MAX_BYTES // 1024**2
        raise CellError(sentence("large_inside", name=name, inner=_shown(large[0]), most=most))
    if (total := sum(entry.file_size for entry in inside)) > MAX_INFLATED:
        most = MAX_INFLATED // 1024**3
        raise CellError(sentence("large_together", name=name, total=round(total / 1024**3), most=most))
    return [File(f"{name}/{_shown(entry)}", partial(_inflate, archive, entry, name)) for entry in inside]


INSIDE: dict[str, Callable[[Path, str, Leaving], list[File]]] = {".zip": unzip, ".parquet": in_table}
"""What holds pictures, by the ending of a file's name."""


def read(file: File) -> list[Seen]:
    """The cells in a file: the one on black that it shows, or those of a photo.

    Raises:
        CellError, OSError: as `read_picture` and `seen`, and as the file.
    """
    return seen(*read_picture(file.read(), file.name))


def seen(rgb: np.ndarray, name: str) -> list[Seen]:
    """The cells in a picture, by the way that the page goes with a single one.

    Args:
        rgb: (h, w, 3) uint8.
        name: what to call it.

    Raises:
        CellError: it is a photo without a white cell, or as `find_cells`.
    """
    if is_on_black(rgb):
        return [Seen(framed(rgb, name))]
    found = find_cells(rgb, name)
    if not found:
        raise CellError(sentence("no_cell", name=name))
    return [Seen(one.cell, " ".join(map(str, one.box)), ", ".join(one.marks) or None) for one in found]


def judged(
    ensemble: Ensemble,
    files: Sequence[File],
    views: int | None = None,
    read: Callable[[File], list[Seen]] = read,
) -> Iterator[Judged]:
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
        cells = [one.cell for _, found in batch if not isinstance(found, CellError) for one in found]
        analyses = _in_turn(ensemble, cells, views)
        for file, found in batch:
            if isinstance(found, CellError):
                yield Judged(Row(file=file.name, error=str(found)))
                continue
            for number, one in enumerate(found, 1):
                said, last, name = next(analyses), number == len(found), str(one.cell.name)
                if isinstance(said, CellError):
                    error = Row(file=name, error=str(said), box=one.box, marks=one.marks)
                    yield Judged(error, last=last)
                else:
                    own = row(name, said)
                    own = own.model_copy(update={"box": one.box, "marks": one.marks})
                    yield Judged(own, one.cell, said, last)


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
        return [one for cell in cells for one in _analysed(ensemble, [cell], views)]


def row(name: str, analysis: Analysis) -> Row:
    """The row of a cell; probabilities to four digits."""
    own = {f"p_all_{key}": round(member.p_all, 4) for key, member in analysis.members.items()}
    return Row(
        file=name,
        decision=analysis.decision,  # type: ignore[arg-type]
        p_all=round(analysis.p_all, 4),
        in_domain=analysis.in_domain,
        reason=analysis.reason,
        **own,  # type: ignore[arg-type]
    )


def thumbnail(cell: Cell) -> bytes:
    """A small picture of the cell, (THUMBNAIL, THUMBNAIL), as WebP: 1 to 2 kB."""
    content = io.BytesIO()
    Image.fromarray(overlay.thumbnail(cell, THUMBNAIL)).save(content, "WEBP", quality=80, method=1)
    return content.getvalue()


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many of each decision, and how many could not be read."""
    found = Counter(one.decision or UNREADABLE for one in rows)
    return {kind: found[kind] for kind in ("ALL", "healthy", "unsure", UNREADABLE)}


def as_csv(rows: Sequence[Row]) -> bytes:
    """The table as CSV, with a line of `COLUMNS`; see `csv_of`."""
    return csv_of(COLUMNS, (one.model_dump() for one in rows))


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table as CSV.

    A spreadsheet would compute what begins as a formula does, and a cell may be called so: such text gets an
    apostrophe in front, also where a spreadsheet that separates by other marks would see a new field begin.
    """

    def plain(value: Any) -> Any:
        return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({key: plain(value) for key, value in one.items()} for one in rows)
    return text.getvalue().encode()


_FORMULA = re.compile(r"(^\s*|[;\t\r\n]\s*)(?=[=+\-@＝＋－＠])")


def as_json(rows: Sequence[Row]) -> bytes:
    """The table as a list of objects."""
    dumped = [one.model_dump() for one in rows]
    return (json.dumps(dumped, indent=1, ensure_ascii=False) + "\n").encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    """The table as Parquet, with the same columns and types whatever the rows hold."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {name: pa.float64() if name.startswith("p_all") else pa.string() for name in COLUMNS}
    schema = pa.schema(kinds | {"in_domain": pa.bool_()})
    content = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([one.model_dump() for one in rows], schema), content)
    return content.getvalue()


TABLES: dict[str, Callable[[Sequence[Row]], bytes]] = {"csv": as_csv, "json": as_json, "parquet": as_parquet}
"""How to write the table, by the ending of a file's name."""


def _read_ahead(
    files: Sequence[File], size: int, read: Callable[[File], list[Seen]]
) -> Iterator[list[tuple[File, list[Seen] | CellError]]]:
    """Groups of files with the cells, or the reason why there is none, of each."""

    def one(file: File) -> tuple[File, list[Seen] | CellError]:
        try:
            return file, read(file)
        except CellError as error:
            return file, error
        except (OSError, MemoryError) as error:
            why = getattr(error, "strerror", None) or error or "no memory is left"
            return file, CellError(sentence("unreadable", name=file.name, reason=why))

    batches = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(2) as pool:
        # One batch is read while the networks work on the one before; more would only fill memory.
        ahead: Iterator[tuple[File, list[Seen] | CellError]] = iter(())
        for batch in [*batches, []]:
            ready, ahead = ahead, pool.map(one, batch)
            if found := list(ready):
                yield found


class _CrowdedError(Exception):
    """The directory of a zip file is larger than `MAX_DIRECTORY`."""


class _Disk(io.FileIO):
    """A file on disk of which nobody wants more at a time than the directory of a zip file may be."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; zipfile reads a directory at once, and makes 500 bytes of each 50."""
        if size is not None and size > MAX_DIRECTORY:
            raise _CrowdedError
        return super().read(size) or b""


class _Zip(zipfile.ZipFile):
    """A zip file that another process opens for itself."""

    def __init__(self, path: str | Path) -> None:
        self._disk = _Disk(path)
        try:
            super().__init__(self._disk)
        except BaseException:
            self._disk.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _Zip, (self.filename,)


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    """The bytes of an entry, inflated in pieces: no more than it says to hold, which `unzip` found sane."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The others inflate whatever they are given at once, gigabytes out of a kilobyte.
        raise CellError(sentence("packed", name=f"{name}/{_shown(entry)}"))
    content = bytearray()
    try:
        with archive.open(entry) as file:
            while piece := file.read(PIECE):
                content += piece
    except Exception:  # zipfile and zlib raise whatever a broken or locked entry makes them stumble over
        raise CellError(sentence("locked", name=f"{name}/{_shown(entry)}")) from None
    return bytes(content)


_UTF8 = 0x800  # the flag of an entry whose name is UTF-8


def _shown(entry: zipfile.ZipInfo) -> str:
    """What an entry is called.

    Names that do not say that they are UTF-8 should be cp437. Those of macOS are UTF-8 all the same, and
    those of Russian Windows cp866: that is taken where nothing but whole words comes of it.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8 and not name.isascii():
        for encoding in ("utf-8", "cp866"):
            with suppress(UnicodeError):
                other = name.encode("cp437").decode(encoding)
                if encoding == "utf-8" or _is_cyrillic(other):
                    name = other
                    break
    return name[-200:]


def _is_cyrillic(name: str) -> bool:
    """Whether all that is not ASCII are words in Cyrillic letters, of at least two each."""
    words = [word for word in re.findall(r"[^\W\d_]+", name) if not word.isascii()]
    odd = sum(not one.isascii() for one in name)
    return odd == sum(map(len, words)) and all(re.fullmatch("[а-яё]{2,}", word, re.I) for word in words)


__all__ = [
    "COLUMNS", "GROUP", "INSIDE", "MAX_BYTES", "MAX_PICTURES", "TABLES", "THUMBNAIL", "UNREADABLE", "File",
    "Judged", "Row", "Seen", "as_csv", "as_json", "as_parquet", "counts", "csv_of", "find", "in_table",
    "judged", "refuse", "row", "seen", "thumbnail", "unzip",
]  # fmt: skip
