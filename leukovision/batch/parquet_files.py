"""A Parquet table comes in; the pictures in it go out, a few rows of which are in memory at a time.

A table may be made to do harm: what it says of itself is not believed, and a value that stands there once can
be that of a million rows.
"""

from __future__ import annotations

import threading
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from leukovision.batch import sources
from leukovision.batch.sources import LONGEST, File, Leaving
from leukovision.cell import CellError
from leukovision.errors import Sentence, sentence

MAX_ROWS = 1_000_000
"""Most rows of a table."""

ROWS, NAMES = 4, 64
"""Rows whose pictures, and whose names, are in memory together."""


def in_table(path: Path, name: str, leaving: Leaving = lambda _: None) -> list[File]:
    """The pictures in a Parquet table.

    Args:
        path: of a table with a column of pictures, `bytes`, and if they have names, `file`; or with a column
            `image` of both as Hugging Face's datasets have it, fields `bytes` and `path`.
        name: what to call it; a picture without a name has its row's number.
        leaving: never called: every row is one of the files.

    Raises:
        CellError: not a Parquet table, no such column in it, no rows, or more than `MAX_ROWS`.
        OSError: it cannot be read.
    """
    with _refused(sentence("no_table", name=name)):
        table = _Table(path)
        if not table.has_pictures:
            raise CellError(sentence("no_column", name=name))
        if table.count > MAX_ROWS:
            raise CellError(sentence("too_many_rows", name=name, count=table.count, most=MAX_ROWS))
        shown = [f"{name}/{own if own else row}" for row, own in enumerate(table.names())]
    if not shown:
        raise CellError(sentence("no_rows", name=name))
    return [File(one, partial(table.picture, row, one)) for row, one in enumerate(shown)]


@contextmanager
def _refused(why: Sentence) -> Iterator[None]:
    """Whatever pyarrow stumbles over in a table becomes a sentence."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, MemoryError, OverflowError, UnicodeError):
        raise CellError(why) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise CellError(why) from None


class _Table:
    """A Parquet table with a column of pictures, as `in_table` wants it.

    Another process opens it for itself.
    """

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        # As little of it at once as can be: a table may be one group of ten thousand rows.
        self.path, self._file = path, parquet.ParquetFile(path, pre_buffer=False, buffer_size=1024**2)
        # Columns that are fields of another one have its name before theirs.
        columns = {column.path for column in self._file.schema}
        pairs = (("file", "bytes"), ("image.path", "image.bytes"))
        self._name, self._bytes = next((pair for pair in pairs if pair[1] in columns), ("", ""))
        if self._name not in columns:
            self._name = ""
        self.has_pictures, self.count = bool(self._bytes), int(self._file.metadata.num_rows)
        groups = range(self._file.num_row_groups)
        sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
        self._starts = [0, *accumulate(sizes)][: len(sizes)]
        self._lock = threading.Lock()
        # What comes next, from which row on; and what came last: two threads do not ask quite in order.
        self._ahead: Iterator[Any] = iter(())
        self._next = 0
        self._held: deque[tuple[int, Any]] = deque(maxlen=4)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Table, (self.path,)

    def names(self) -> list[str]:
        """What the pictures are called, "" where they are not."""
        if not self._name:
            return [""] * self.count
        found: list[str] = []
        for column in self._columns(self._name, NAMES, 0):
            if column.nbytes > NAMES * LONGEST:
                raise CellError(sentence("long_names", name=sources.shown(self.path)))
            found += map(_called, column)
        return found[: self.count]

    def picture(self, row: int, name: str) -> bytes:
        """The bytes of one; as fast as the disk where the rows are asked for one after the other."""
        with self._lock, _refused(sentence("broken_table", name=name)):
            found = self._value(row)
        if not isinstance(found, bytes):
            raise CellError(sentence("no_picture", name=name))
        return found

    def _value(self, row: int) -> Any:
        if not any(start <= row < start + len(column) for start, column in self._held):
            if row < self._next or not self._held:
                group = bisect(self._starts, row) - 1
                self._ahead, self._next = self._columns(self._bytes, ROWS, group), self._starts[group]
            while row >= self._next:
                column = next(self._ahead, None)
                if not column:
                    return None
                self._held.append((self._next, column))
                self._next += len(column)
        return next(c[row - start].as_py() for start, c in self._held if start <= row < start + len(c))

    def _columns(self, name: str, rows: int, group: int) -> Iterator[Any]:
        """A column in pieces of so many rows, from a group of rows on."""
        groups = range(group, len(self._starts))
        for batch in self._file.iter_batches(rows, groups, [name], use_threads=False):
            yield batch.column(0).field(0) if "." in name else batch.column(0)


def _called(value: Any) -> str:
    try:
        found = value.as_py()
    except ValueError:  # no UTF-8
        return ""
    return "" if found is None else str(found)[-200:]
