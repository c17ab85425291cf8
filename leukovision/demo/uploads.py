"""Files that were sent to the page come in; they are gone again when they are old, or the page has ended.

Every page that is served has a folder of its own in that of Gradio. What lies in it, however it came there,
is deleted by its age, and all of it at the end; what a page left that was killed, the next one sweeps.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

PREFIX = "leukovision-"

KEPT = 600
"""Uploaded pictures, and what a page shows, are deleted when they are this old, s."""

UNFINISHED = 120
"""What lies beside the pictures is still being sent; it is given up when it stands still for so long, s."""

EVERY = 30
"""How often the folder is swept, s: nothing is there for longer than `KEPT` and this."""

ROOM = 1024**3
"""Free bytes below which no more files are taken."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for this page, of which Gradio is told; deleted at the end."""
    given = os.environ.get("GRADIO_TEMP_DIR")
    within = Path(gr.utils.get_upload_folder())
    try:
        within.mkdir(parents=True, exist_ok=True)
        sweep(within)
        own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within)).resolve()
    except OSError:
        if given:
            raise
        # Gradio's own is one for all users of the machine, and belongs to whoever came first.
        own = Path(tempfile.mkdtemp(prefix=f"gradio-{PREFIX}")).resolve()
    os.environ["GRADIO_TEMP_DIR"] = str(own)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if given is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = given


def uploaded(path: object) -> Path | None:
    """The path, if it is a file that somebody uploaded; None for every other file of this machine."""
    root = Path(gr.utils.get_upload_folder()).resolve()
    try:
        found = Path(str(path)).resolve()
        return found if found.is_relative_to(root) and found.is_file() else None
    except (OSError, ValueError):  # no path can be like this
        return None


def sweep(within: Path) -> None:
    """Delete what is old in the folders of pages, of those too that are no more.

    Args:
        within: where they lie.
    """
    now = time.time()
    for own in within.glob(f"{PREFIX}*"):
        for place, folders, files in os.walk(own, topdown=False):
            for name in (*files, *folders):
                path = Path(place, name)
                with contextlib.suppress(OSError):
                    age = now - path.lstat().st_ctime
                    if age > (UNFINISHED if path.parent == own and path.is_file() else KEPT):
                        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        # That of a page which is there is not empty of it for long: Gradio makes it anew.
        with contextlib.suppress(OSError):
            if now - own.stat().st_ctime > KEPT and str(own.resolve()) != os.environ.get("GRADIO_TEMP_DIR"):
                own.rmdir()


def has_room() -> bool:
    """Whether the disk has room for more."""
    return free() > ROOM


def free() -> int:
    """Free bytes where uploads lie."""
    at = Path(gr.utils.get_upload_folder())
    at.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(at).free
