"""The real page, served by a subprocess on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def serving(folder: Path, *command: str | Path, cwd: Path = ROOT, **variables: str) -> Iterator[str]:
    """The address of the page in a process of its own, as `started`."""
    with started(folder, *command, cwd=cwd, **variables) as (url, _):
        yield url


@contextmanager
def started(
    folder: Path, *command: str | Path, cwd: Path = ROOT, **variables: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """The page in a process of its own, with its log and uploads in a folder; its address and its process,
    once it is there.

    Args:
        folder: for log.txt and uploads/.
        command: python app.py by default.
        cwd: where it runs.
        variables: of its environment; "" for none of that name.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log.txt"
    own = {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
    }
    environment = {name: value for name, value in (os.environ | own | variables).items() if value}
    with log.open("w") as out:
        server = subprocess.Popen(
            command or [sys.executable, "app.py"], cwd=cwd, env=environment, stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the page is not served:\n{log.read_text()}")
            time.sleep(0.2)
        yield url, server
    finally:
        if server.poll() is None:
            server.terminate()
        server.wait(40)  # answers that are under way have 20 s


def see_check(page: Any) -> None:
    """Come to the check of the map that is shown, which asks for it, and wait until it is there."""
    page.locator(".lv-check").scroll_into_view_if_needed()
    page.wait_for_selector(".lv-check svg")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
