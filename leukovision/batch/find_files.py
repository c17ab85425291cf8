"""Paths come in; the files that they name, or hold, go out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from leukovision.batch import sources
from leukovision.batch.parquet_files import in_table
from leukovision.batch.sources import File, Leaving, refuse
from leukovision.batch.zip_files import unzip
from leukovision.cell import CellError

INSIDE: dict[str, Callable[[Path, str, Leaving], list[File]]] = {".zip": unzip, ".parquet": in_table}
"""What holds pictures, by the ending of a file's name."""


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
