"""A zip file comes in; the pictures in it go out, to be read when they are asked for.

A zip file may be made to do harm: what it says of itself is not believed.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from leukovision.batch import sources
from leukovision.batch.sources import File, Leaving
from leukovision.cell import SUFFIXES, CellError
from leukovision.errors import sentence

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
