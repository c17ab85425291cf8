"""Files, folders, zip files and tables come in; a row for each picture goes out, one after the other."""

from __future__ import annotations

import csv
import io
import json
import struct
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from leukovision import pictures
from leukovision.backbones import BACKBONES
from leukovision.cell import SUFFIXES, Cell, CellError, read_cell
from leukovision.ensemble import BATCH, Analysis, Ensemble
from leukovision.store import StoreError

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
    """What is said of one file: all None but `file` and `error` where it could not be judged.

    The fields, in this order, are the columns of every table of cells.
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

    def agreement(self, decide: float = 0.5) -> tuple[int, int]:
        """How many backbones are on the side of the ensemble, of how many; (0, 0) without a decision.

        Args:
            decide: p(ALL) from which one is on the side of ALL.
        """
        own = [p for name in BACKBONES if (p := getattr(self, f"p_all_{name}")) is not None]
        return sum((p >= decide) == ((self.p_all or 0) >= decide) for p in own), len(own)


COLUMNS = tuple(Row.model_fields)
"""Columns of the table of cells; their order does not change."""


@dataclass(frozen=True)
class File:
    """A file that may be a picture. It can be pickled and read by another process that sees the same disk.

    Attributes:
        name: what to call it in results and errors.
        read: gives its bytes; raises CellError or OSError where that cannot be done.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Judged:
    """A file with what is said of it; `cell` and `analysis` are None where `row.error` says why."""

    row: Row
    cell: Cell | None = None
    analysis: Analysis | None = None


def find(paths: Sequence[Path]) -> list[File]:
    """Files as they are given, folders as the pictures in them at any depth, zip files and Parquet tables as
    those in them.

    Raises:
        FileNotFoundError: there is no such file or folder, or no picture in a folder.
    """
    files: list[File] = []
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise FileNotFoundError(f"{path}: no pictures in this folder ({', '.join(SUFFIXES)}).")
            files += [File(str(one), one.read_bytes) for one in found]
        elif not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder.")
        elif inside := INSIDE.get(path.suffix.lower()):
            try:
                files += inside(path, str(path))
            except CellError as error:
                files.append(File(str(path), partial(refuse, str(error))))
        else:
            files.append(File(str(path), path.read_bytes))
    return files


def unzip(path: Path, name: str) -> list[File]:
    """The pictures in a zip file, read from it when they are asked for; nothing is written to disk.

    Args:
        path: of the zip file.
        name: what to call it.

    Raises:
        CellError: not a zip file, no pictures in it, a zip file in it, or more than `MAX_PICTURES`,
            `MAX_BYTES` for one or `MAX_INFLATED` for all of them.
        OSError: it cannot be read.
    """
    try:
        archive = _Zip(path)
    except _CrowdedError:
        raise CellError(
            f"{name}: there are too many files in it, or their names are too long; "
            f"send at most {MAX_PICTURES} pictures at once."
        ) from None
    except UnicodeDecodeError:
        raise CellError(f"{name}: a name in it cannot be read; pack the zip file anew.") from None
    # A directory that somebody damaged makes zipfile stumble over anything.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, MemoryError):
        raise CellError(f"{name}: not a zip file, or it is cut short; send the whole file again.") from None
    held = [entry for entry in archive.infolist() if not entry.is_dir()]
    if inner := [entry for entry in held if entry.filename.lower().endswith(".zip")]:
        raise CellError(
            f"{name}: there is a zip file in it ({_shown(inner[0])}); put the pictures into one zip file."
        )
    # What macOS puts beside each picture has the picture's name and is none.
    inside = [
        entry
        for entry in held
        if PurePosixPath(entry.filename).suffix.lower() in SUFFIXES
        and not PurePosixPath(entry.filename).name.startswith(".")
        and not entry.filename.startswith("__MACOSX/")
    ]
    if not inside:
        raise CellError(f"{name}: there are no pictures in it ({', '.join(SUFFIXES)}).")
    if len(inside) > MAX_PICTURES:
        raise CellError(f"{name}: it holds {len(inside)} pictures; send at most {MAX_PICTURES} at once.")
    # `_inflate` reads no more of an entry than it says to hold, so that these sizes can be relied on.
    if large := [entry for entry in inside if entry.file_size > MAX_BYTES]:
        raise CellError(
            f"{name}: {_shown(large[0])} is larger than {MAX_BYTES // 1024**2} MB unpacked; leave it out."
        )
    if (total := sum(entry.file_size for entry in inside)) > MAX_INFLATED:
        raise CellError(
            f"{name}: its pictures are {total / 1024**3:.0f} GB unpacked; "
            f"send at most {MAX_INFLATED // 1024**3} GB at once."
        )
    return [File(f"{name}/{_shown(entry)}", partial(_inflate, archive, entry, name)) for entry in inside]


def in_table(path: Path, name: str) -> list[File]:
    """The pictures in a Parquet table, a group of rows of which is in memory at a time.

    Args:
        path: of a table with a column of pictures, `bytes`, and if they have names, `file`; or with a column
            `image` of both as Hugging Face's datasets have it, fields `bytes` and `path`.
        name: what to call it; a picture without a name has its row's number.

    Raises:
        CellError: not a Parquet table, or no such column in it.
        OSError: it cannot be read.
    """
    import pyarrow as pa

    try:
        table, files = _Table(path), list[File]()
        if not table.has_pictures:
            wanted = "`bytes` with `file`, or `image` with the fields `bytes` and `path`"
            raise CellError(f"{name}: has no column of pictures; wanted is {wanted}.")
        for group in range(table.groups):
            for row, own in enumerate(table.names(group)):
                shown = f"{name}/{own[-200:] if own else len(files)}"
                files.append(File(shown, partial(table.picture, group, row, shown)))
    except pa.ArrowInvalid:
        raise CellError(
            f"{name}: not a Parquet table, or it is cut short; send the whole file again."
        ) from None
    if not files:
        raise CellError(f"{name}: there are no rows in it.")
    return files


INSIDE: dict[str, Callable[[Path, str], list[File]]] = {".zip": unzip, ".parquet": in_table}
"""What holds pictures, by the ending of a file's name."""


def judged(ensemble: Ensemble, files: Sequence[File], views: int | None = None) -> Iterator[Judged]:
    """Decide on files one after the other, each when it is asked for.

    At most two groups are in memory. Whoever asks for no more has stopped it; what is left of the files
    can be judged later.

    Args:
        ensemble: which decides.
        files: any number of them.
        views: as in `Ensemble.analyse`.

    Yields:
        What is said of each file, in order.
    """
    for batch in _read_ahead(files, GROUP):
        cells = [cell for _, cell in batch if isinstance(cell, Cell)]
        analyses = iter(_analysed(ensemble, cells, views))
        for file, cell in batch:
            found = next(analyses) if isinstance(cell, Cell) else cell
            if isinstance(cell, Cell) and isinstance(found, Analysis):
                yield Judged(row(file.name, found), cell, found)
            else:
                yield Judged(Row(file=file.name, error=str(found)))


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
    Image.fromarray(pictures.thumbnail(cell, THUMBNAIL)).save(content, "WEBP", quality=80, method=1)
    return content.getvalue()


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many of each decision, and how many could not be read."""
    found = Counter(one.decision or UNREADABLE for one in rows)
    return {kind: found[kind] for kind in ("ALL", "healthy", "unsure", UNREADABLE)}


def as_csv(rows: Sequence[Row]) -> bytes:
    """The table as CSV, with a line of `COLUMNS`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(one.model_dump() for one in rows)
    return text.getvalue().encode()


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


def _read_ahead(files: Sequence[File], size: int) -> Iterator[list[tuple[File, Cell | CellError]]]:
    """Groups of files with the cell, or the reason why there is none, of each."""

    def read(file: File) -> tuple[File, Cell | CellError]:
        try:
            return file, read_cell(file.read(), file.name)
        except CellError as error:
            return file, error
        except OSError as error:
            return file, CellError(f"{file.name}: cannot be read ({error.strerror}).")

    batches = [files[start : start + size] for start in range(0, len(files), size)]
    with ThreadPoolExecutor(2) as pool:
        # One batch is read while the networks work on the one before; more would only fill memory.
        ahead: Iterator[tuple[File, Cell | CellError]] = iter(())
        for batch in [*batches, []]:
            ready, ahead = ahead, pool.map(read, batch)
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


class _Table:
    """A Parquet table with a column of pictures, as `in_table` wants it.

    Another process opens it for itself.
    """

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self.path, self._file = path, parquet.ParquetFile(path)
        # Columns that are fields of another one have its name before theirs.
        columns = {column.path for column in self._file.schema}
        pairs = (("file", "bytes"), ("image.path", "image.bytes"))
        self._name, self._bytes = next((pair for pair in pairs if pair[1] in columns), ("", ""))
        if self._name not in columns:
            self._name = ""
        self.has_pictures, self.groups = bool(self._bytes), self._file.num_row_groups
        self._lock = threading.Lock()
        self._held: tuple[int, Any] = (-1, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Table, (self.path,)

    def names(self, group: int) -> list[str | None]:
        """What the pictures of a group of rows are called."""
        if not self._name:
            return [None] * self._file.metadata.row_group(group).num_rows
        return [None if name is None else str(name) for name in self._column(group, self._name).to_pylist()]

    def picture(self, group: int, row: int, name: str) -> bytes:
        """The bytes of one; those of its group are kept until another group is asked for."""
        with self._lock:
            if self._held[0] != group:
                self._held = group, self._column(group, self._bytes)
            found = self._held[1][row].as_py()
        if not isinstance(found, bytes):
            raise CellError(f"{name}: there is no picture in this row.")
        return found

    def _column(self, group: int, name: str) -> Any:
        column = self._file.read_row_group(group, columns=[name]).column(0)
        return column.combine_chunks().field(0) if "." in name else column


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    """The bytes of an entry, inflated in pieces: no more than it says to hold, which `unzip` found sane."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The others inflate whatever they are given at once, gigabytes out of a kilobyte.
        raise CellError(
            f"{name}/{_shown(entry)}: is packed in a way that is not read; pack it anew, with deflate."
        )
    content = bytearray()
    try:
        with archive.open(entry) as file:
            while piece := file.read(PIECE):
                content += piece
    except Exception:  # zipfile and zlib raise whatever a broken or locked entry makes them stumble over
        sentence = "cannot be unpacked: it is broken, or needs a password"
        raise CellError(f"{name}/{_shown(entry)}: {sentence}.") from None
    return bytes(content)


def refuse(sentence: str) -> bytes:
    """Stands where bytes cannot be had: raises CellError with the sentence."""
    raise CellError(sentence)


def _shown(entry: zipfile.ZipInfo) -> str:
    return entry.filename[-200:]
