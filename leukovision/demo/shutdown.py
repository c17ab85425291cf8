"""Ctrl-C or SIGTERM comes in; the page ends when what is under way was answered, or twenty seconds later."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import gradio as gr

from leukovision.demo.fair_queue import FairQueue

LONGEST = 20
"""How long answers may take that are under way, s. Whoever asks twice to end does not wait."""

FETCHING = 2
"""How long what is done is kept for who wants to fetch it, s."""


def wait(page: gr.Blocks, queue: FairQueue) -> None:
    """Block until the page is to end, and end it.

    Args:
        page: that is being served.
        queue: its queue.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        asked.set()

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, ask)
    while not asked.wait(0.2):  # a wait without an end would hear no signal on Windows
        pass
    print(f"Ending after what is under way, at most {LONGEST} s. Ctrl-C once more ends at once.", flush=True)
    queue.closing = True
    until = time.monotonic() + LONGEST
    while queue.is_busy() and time.monotonic() < until:
        time.sleep(0.1)
    until = min(until, time.monotonic() + FETCHING)
    while not queue.is_fetched() and time.monotonic() < until:
        time.sleep(0.1)
    page.close(verbose=False)
