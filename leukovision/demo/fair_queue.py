"""Events that wait in the queue of the page come in; whose turn it is goes out, and who has to wait outside.

Addresses are served in turn, and the pages of an address in turn with each other, however many events one of
them has: who asks for one cell does not wait behind somebody else's fifty. An address may have `SHARE` events
open. What is done and was not fetched is open too, as it takes memory, but is forgotten after a while.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from leukovision.inference import BATCH

WAITING = 512
"""Events of everybody that may wait at once."""

SHARE = 64
"""Events of one address that may be open: waiting, under way, or done and not yet fetched."""

LONG = (2, 4)
"""Events with a long request, a whole table, that one address and everybody together may have open."""

UNFETCHED = 60
"""Nobody has fetched what is done for so long, s: it is forgotten."""


SERIAL: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "serial"}
"""How events of a page that need the networks are queued: the last one asked for is the last one shown."""

SHARED_PASS: dict[str, Any] = {"concurrency_limit": BATCH + 2, "concurrency_id": "shared pass"}
"""How cells are queued that depend on nothing else: those of several visitors share a pass of the networks.
Two of them may be large pictures that take long to read, so that two more than make a pass are let in."""

BULK: dict[str, Any] = {"concurrency_limit": BATCH, "concurrency_id": "bulk"}
"""How the parts of batches are queued: nobody with one cell waits for them.
Twice as many at once would get hardly more answers, and take 80 MB more."""


class FairQueue:
    """Gradio's queue of a page, in which addresses take turns."""

    def __init__(self, queue: Any) -> None:
        """Args: queue: Gradio's."""
        self._queue = queue
        self.closing = False
        self._open: dict[str, tuple[str, bool]] = {}
        self._coming: list[tuple[str, bool]] = []
        self._idle: dict[str, tuple[frozenset[str], float]] = {}

    def has_room(self, address: str, is_long: bool) -> bool:
        """Whether one more event of an address may be open."""
        pending = set().union(*self._queue.pending_event_ids_session.values())
        self._open = {event: whose for event, whose in self._open.items() if event in pending}
        there = [*self._open.values(), *self._coming]
        mine = [long for whose, long in there if whose == address]
        longs = sum(long for _, long in there)
        return len(mine) < SHARE and not (is_long and (sum(mine) >= LONG[0] or longs >= LONG[1]))

    def reserve(self, address: str, is_long: bool) -> bool:
        """Keep a place for an event of an address until it has `joined`; False where there is none."""
        if not self.has_room(address, is_long):
            return False
        self._coming.append((address, is_long))
        return True

    def joined(self, event: str | None, address: str, is_long: bool) -> None:
        """An event of an address is in the queue, or is not to be: everybody gets their turn anew."""
        self._coming.remove((address, is_long))
        if event:
            self._open[event] = (address, is_long)
        for waiting in self._queue.event_queue_per_concurrency_id.values():
            waiting.queue[:] = round_robin(waiting.queue)

    def is_open(self, name: str) -> bool:
        """Whether an event of this name, or one of the page of this name, was not fetched yet."""
        pending = self._queue.pending_event_ids_session
        return bool(pending.get(name)) or any(name in events for events in pending.values())

    def knows(self, page: str) -> bool:
        """Whether a page of this name has asked for something lately. It may open its stream again when
        all that it asked for has just been fetched, which is no fault."""
        return page in self._queue.pending_messages_per_session

    def is_busy(self) -> bool:
        """Whether an event waits or is under way."""
        return bool(len(self._queue) or any(self._queue.active_jobs))

    def is_fetched(self) -> bool:
        """Whether everybody has what they asked for."""
        return not any(self._queue.pending_event_ids_session.values())

    def forget(self) -> None:
        """Drop what nobody has fetched for `UNFETCHED` seconds; to be called every few seconds."""
        queue, now = self._queue, time.monotonic()
        busy = {event.session_hash for job in queue.active_jobs for event in job or ()}
        busy |= {
            event.session_hash for one in queue.event_queue_per_concurrency_id.values() for event in one.queue
        }
        idle = {}
        for page in {*queue.pending_messages_per_session, *queue.pending_event_ids_session} - busy:
            events = frozenset(queue.pending_event_ids_session.get(page, ()))
            known, since = self._idle.get(page, (events, now))
            since = since if known == events else now
            if now - since < UNFETCHED:
                idle[page] = (events, since)
            else:
                queue.pending_messages_per_session.pop(page, None)
                queue.pending_event_ids_session.pop(page, None)
        self._idle = idle


def round_robin(events: Sequence[Any]) -> list[Any]:
    """Gradio's events in the order in which they came -> first one of each address, then a second of each;
    of one address likewise by page. Those of one page stay in their order."""
    ordered = list(events)
    for whose in (lambda event: event.session_hash, address_of):
        ordered = _by_rank(ordered, whose)
    return ordered


def address_of(event: Any) -> str:
    """Where one of Gradio's events came from."""
    client = event.request.client
    return client.host if client else ""


def _by_rank(events: Sequence[Any], whose: Callable[[Any], str]) -> list[Any]:
    count: Counter[str] = Counter()
    ranks = []
    for event in events:
        ranks.append(count[whose(event)])
        count[whose(event)] += 1
    return [event for _, event in sorted(zip(ranks, events, strict=True), key=lambda pair: pair[0])]
