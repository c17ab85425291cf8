"""A picture that somebody sent comes in; it goes out decoded, and leaves the page time and memory for others.

A large one is decoded in a process of its own, one at a time for all visitors together, and given up after a
while: a thread cannot be stopped. The process ends when it was given up, or with the page.

    python -m leukovision.demo.decode_worker    is that process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from leukovision.cell import Cell, CellError, read_cell, read_picture
from leukovision.errors import sentence

SMALL = (4 * 1024**2, 4_000_000)
"""Bytes of a file, and pixels, up to which it is decoded at once, where it is: that takes 0.1 s and 70 MB."""

DEADLINE = 15.0
"""How long a large picture may take, s; 50 megapixels take 3 s on an idle processor."""

PATIENCE = 60.0
"""How long one waits for the large pictures of others, s."""

MEMORY = 2 * 1024**3
"""Bytes of addresses that the process may have: 50 megapixels take 1 GB of memory, and libraries the rest."""

Source = Path | bytes | Callable[[], bytes]
"""A path, the bytes of a file, or what gives them anew each time."""

_lane = threading.Lock()
_hasty = threading.BoundedSemaphore(2)
_child: list[subprocess.Popen[bytes]] = []


def cell(source: Path | bytes, name: str, hasty: bool = False) -> Cell:
    """As `read_cell`.

    Args:
        source: a path, or the bytes of a file.
        name: what to call it.
        hasty: rather say that one has to wait than wait, where two such large pictures are there already.

    Raises:
        CellError, FileNotFoundError: as `read_cell`; or it took too long, or too many are waiting.
    """
    if not _is_large(source):
        return read_cell(source, name)
    if hasty and not _hasty.acquire(blocking=False):
        raise CellError(sentence("busy", name=name))
    try:
        with _turn(name):
            said, (pixels, outline) = _ask(source, name, framed=True)
        return Cell(pixels, outline.astype(bool), said["on_black"], name)
    finally:
        if hasty:
            _hasty.release()


@contextlib.contextmanager
def picture(source: Source, name: str) -> Iterator[np.ndarray]:
    """(h, w, 3) uint8 as `read_picture`; within the block no other large picture is worked on.

    Raises:
        CellError, FileNotFoundError: as `read_picture`; or it took too long, or others did.
    """
    if callable(source):
        source = source()
    if not _is_large(source):
        yield read_picture(source, name)[0]
        return
    with _turn(name):
        _, (rgb,) = _ask(source, name, framed=False)
        yield rgb


def _is_large(source: Path | bytes) -> bool:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > SMALL[0]:
        return True
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            return image.width * image.height > SMALL[1]
    except Exception:  # whatever is wrong with it, reading it says so
        return False


@contextlib.contextmanager
def _turn(name: str) -> Iterator[None]:
    if not _lane.acquire(timeout=PATIENCE):
        raise CellError(sentence("busy", name=name))
    try:
        yield
    finally:
        _lane.release()


def _ask(source: Path | bytes, name: str, framed: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Have the process decode; what it says, and arrays."""
    child = _running()
    late = threading.Event()

    def give_up() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(DEADLINE, give_up)
    timer.start()
    try:
        content = source if isinstance(source, bytes) else b""
        where = "" if isinstance(source, bytes) else str(source)
        asked = {"name": name, "path": where, "size": len(content), "framed": framed}
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps(asked).encode() + b"\n" + content)
        child.stdin.flush()
        said = json.loads(child.stdout.readline())
        arrays = [_received(child.stdout, shape) for shape in said.get("shapes", ())]
    except (OSError, ValueError):
        child.kill()
        if late.is_set():
            raise CellError(sentence("given_up", name=name, seconds=round(DEADLINE))) from None
        raise CellError(sentence("not_read", name=name)) from None
    finally:
        timer.cancel()
    if "error" in said:
        raise CellError(sentence(said["error"], **said["values"]))
    return said, arrays


def _received(stream: Any, shape: list[int]) -> np.ndarray:
    found = np.empty(shape, np.uint8)
    if stream.readinto(found.reshape(-1).data) != found.size:
        raise ValueError("the process has ended")
    return found


def _running() -> subprocess.Popen[bytes]:
    """The process; a new one where there is none."""
    if not _child or _child[0].poll() is not None:
        found_at = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        own = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": found_at}
        _child[:] = [
            subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=os.environ | own, start_new_session=True,
            )
        ]  # fmt: skip
        # Its libraries take longer than most pictures, and are not the picture's fault.
        assert _child[0].stdout
        _child[0].stdout.readline()
    return _child[0]


def _answered(asked: dict[str, Any]) -> tuple[dict[str, Any], list[np.ndarray]]:
    source = Path(asked["path"]) if asked["path"] else sys.stdin.buffer.read(asked["size"])
    try:
        if not asked["framed"]:
            return {}, [read_picture(source, asked["name"])[0]]
        made = read_cell(source, asked["name"])
        return {"on_black": made.on_black}, [made.pixels, made.outline.astype(np.uint8)]
    except CellError as error:
        return {"error": error.args[0].code, "values": error.args[0].values}, []
    except OSError:
        return {"error": "not_read", "values": {"name": asked["name"]}}, []


def _serve() -> None:
    """Answer until nobody asks any more."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    for line in sys.stdin.buffer:
        said, arrays = _answered(json.loads(line))
        out.write(json.dumps(said | {"shapes": [one.shape for one in arrays]}, default=str).encode() + b"\n")
        for one in arrays:
            out.write(np.ascontiguousarray(one).data)
        del arrays
        out.flush()


if __name__ == "__main__":
    _serve()
