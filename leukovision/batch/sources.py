"""A folder comes in; the files in it that may be pictures go out, by the one rule for folders and zip files.

A picture has the ending of one. What is hidden (`.name`, macOS's `._name` and `__MACOSX`) is none, and
neither is what an earlier run of ours wrote into the same folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from leukovision import artifact
from leukovision.cell import SUFFIXES, CellError
from leukovision.errors import sentence

MAPS, CELLS = ".leukovision-maps", ".leukovision-cells"
"""Files beside what we wrote that name it, a line each: maps and reports are no input for anything, and cells
that were cut out of photos are none for cutting out cells."""

LARGEST = 1024**3
"""Largest file that is read, bytes: 50 megapixels of three floats are 600 MB."""

LONGEST = 4000
"""Of a name in results, characters; what is longer loses its beginning."""

HIDDEN, OURS, LOOP = "hidden", "written by an earlier run", "linked to a folder around it"
NO_ENTRY, NO_ENDING = "in a folder that cannot be read", "without an ending"

Leaving = Callable[[str], object]
"""Told why, for each file that is left out: one of the above, or its ending."""


@dataclass(frozen=True)
class File:
    """A file that may be a picture. It can be pickled and read by another process that sees the same disk.

    Attributes:
        name: what to call it in results and errors.
        read: gives its bytes; raises CellError or OSError where that cannot be done.
        stamp: changes when what is read from does; "" where that is not known.
    """

    name: str
    read: Callable[[], bytes]
    stamp: str = ""


def file(path: Path) -> File:
    """A file on disk, whatever it is."""
    return File(shown(path), partial(_read, path, shown(path)), stamp(path))


def shown(path: str | Path) -> str:
    """What a path is called in results: bytes that are no UTF-8 as `\\\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")[-LONGEST:]


def stem(name: str) -> str:
    """The stem of a file's name, in short and as every system takes it, to call by it what is made of it."""
    kept = "".join(one if one.isprintable() and one not in '\\\\/:*?"<>|' else "_" for one in Path(name).stem)
    return kept.encode()[:120].decode(errors="ignore")


def stamp(path: Path) -> str:
    """Size and time of a file."""
    with suppress(OSError):
        found = path.stat()
        return f"{found.st_size} {found.st_mtime_ns}"
    return ""


def why_not(name: str) -> str:
    """Why a file is no picture, by its path in a folder or a zip file, as `Leaving` has it; or ""."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if any((part.startswith(".") and part.strip(".")) or part == "__MACOSX" for part in parts):
        return HIDDEN
    ending = PurePosixPath(name).suffix.lower()
    return "" if ending in SUFFIXES else ending or NO_ENDING


def pictures(folder: Path, leaving: Leaving = lambda _: None, made: Sequence[str] = (MAPS,)) -> list[Path]:
    """The pictures in a folder at any depth, sorted; links to other folders are followed, once each.

    Args:
        folder: where to look.
        leaving: told of each file, or folder, that is left out.
        made: which of our own files are left out, `MAPS` or `CELLS`.

    Raises:
        FileNotFoundError: there is no picture in it.
    """
    found, left = [], list[str]()
    seen = {_identity(folder)}
    above = {_identity(parent) for parent in folder.resolve().parents}
    for at, folders, names in os.walk(folder, followlinks=True, onerror=lambda _: left.append(NO_ENTRY)):
        here, kept = Path(at), []
        # Links last, so that what lies in the folder itself is called by where it lies.
        for name in sorted(folders, key=lambda name: ((here / name).is_symlink(), name)):
            own = _identity(here / name)
            if why_not(name) == HIDDEN:
                left.append(HIDDEN)
            elif own in above:
                left.append(LOOP)
            elif own not in seen:
                seen.add(own)
                kept.append(name)
        folders[:] = kept
        ours = {name for kind in made for name in written(here, kind)}
        for name in names:
            if name in (MAPS, CELLS):
                continue
            if why := why_not(name) or (OURS if name in ours else ""):
                left.append(why)
            else:
                found.append(here / name)
    for why in left:
        leaving(why)
    if not found:
        beside = f"; there are {len(left)} other files" if left else ""
        raise FileNotFoundError(f"{folder}: no pictures in this folder ({', '.join(SUFFIXES)}){beside}.")
    return sorted(found)


def written(folder: Path, kind: str) -> set[str]:
    """Names of files in a folder that we wrote."""
    with suppress(OSError):
        return set((folder / kind).read_text(encoding="utf-8", errors="replace").split("\n"))
    return set()


def note(path: Path, kind: str) -> None:
    """Say of a file, before it is written, that it is ours.

    Raises:
        OSError: with a sentence, where that cannot be written.
    """
    if path.name not in written(path.parent, kind):
        with artifact.writing(path.parent / kind), (path.parent / kind).open("a", encoding="utf-8") as names:
            names.write(f"{path.name}\n")


def refuse(why: str) -> bytes:
    """Stands where bytes cannot be had: raises CellError with the sentence."""
    raise CellError(why)


def _read(path: Path, name: str) -> bytes:
    """The bytes of a file; what is none, as a pipe that nobody writes to, would be waited for without end."""
    if path.exists() and not path.is_file():
        raise CellError(sentence("special_file", name=name))
    with path.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size > LARGEST:
            raise CellError(sentence("giant", name=name, most=LARGEST // 1024**3))
        return opened.read()


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino
