"""What is said of files comes in as it is found; a file on disk holds it, from which the same run goes on.

A line is a JSON object. The first one says of which files and by which ensemble the others are; a line that a
kill or a full disk broke off is as if it had never been written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leukovision import artifact
from leukovision.batch import COLUMNS, File


def job(manifest: artifact.Manifest, files: Sequence[File], views: int | None) -> dict[str, Any]:
    """What makes two runs the same one: the files as they are now, the ensemble, the views, the columns."""
    names = "\0".join(f"{file.name}\0{file.stamp}" for file in files)
    return {
        "files": len(files),
        "names": hashlib.sha256(names.encode()).hexdigest(),
        "ensemble": hashlib.sha256(manifest.model_dump_json().encode()).hexdigest(),
        "views": views or manifest.views,
        "columns": list(COLUMNS),
        "code": version("leukovision"),
    }


class Journal:
    """An open file of entries, made by `opened`.

    Attributes:
        path: of the file.
        found: the entries that were in it.
        other: whether it held those of another run, which are gone.
    """

    def __init__(self, path: Path, what: dict[str, Any]) -> None:
        self.path = path
        self.found: list[dict[str, Any]] = []
        content = path.read_bytes() if path.exists() else b""
        end = 0
        for place, line in enumerate(content.splitlines(keepends=True)):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict) or (not place and entry != what):
                break
            end += len(line)
            self.found += [entry] if place else []
        self.other = bool(content) and not end
        with artifact.writing(path):
            # Not buffered: what could not be written is not tried again as the file is closed.
            self._file = path.open("ab", buffering=0)
            self._file.truncate(end)
        if not end:
            self.add(what)

    def add(self, entry: dict[str, Any]) -> None:
        """Write an entry, out of this process at once.

        Raises:
            OSError: with a sentence, where it cannot be written.
        """
        left = (json.dumps(entry) + "\n").encode()
        with artifact.writing(self.path):
            while left:
                left = left[self._file.write(left) :]

    def close(self) -> None:
        """Leave it to the next run."""
        self._file.close()

    def forget(self) -> None:
        """Delete the file: what it held stands elsewhere."""
        self.path.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, what: dict[str, Any]) -> Iterator[Journal]:
    """Open a journal, alone.

    Args:
        path: of its file, made if it is not there.
        what: as `job` gives it; entries of another one are dropped.

    Raises:
        OSError: another process has it, or it cannot be written; with a sentence.
    """
    with artifact.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with artifact.alone(path):
        journal = Journal(path, what)
        try:
            yield journal
        finally:
            journal.close()
