"""Taps of a class in; what the class said of each cell, and how it stands against the ensemble, out.

A round is kept in memory, without names, and is gone after an hour. Who opened it holds a secret, and so does
each member: only the opener's goes on to the next step, and a member's counts once a cell.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from markupsafe import Markup

from leukovision.question import OURS, Question

LASTING = 3600
"""How long a round lasts, s."""

ROUNDS = 24
"""Rounds at once. One at which nobody looks makes room for another."""

MEMBERS = 60
"""Members of a round, its opener not counted."""

OPENED, WRONG = 12, 60
"""Rounds that an address may open in `SPAN`, and wrong codes that it may try."""

SPAN = 120
"""Seconds in which these are counted."""

LETTERS = "ACDEFHJKLMNPQRTUVWXY3479"
"""Of a code: nothing that is read as something else. Six of them are 190 million codes: whoever tries 60 in
two minutes hits one of 24 rounds with a chance of one in four thousand in an hour."""

STAGES = ("guess", "truth", "maps", "names")
"""Of a cell: it is guessed, its truth is shown, maps are rated, and their names are shown."""

ONWARD = {"guess": ("truth",), "truth": ("maps", "guess"), "maps": ("names",), "names": ("guess",)}
"""Where the opener may go from a stage. "guess" is the next cell."""


class RoundError(Exception):
    """There is no such round, or no room; the argument is the key of a text, "teach.class.*"."""


@dataclass
class Map:
    """A map of the decision, for a class to rate.

    Attributes:
        method: key of `explain.methods.METHODS`.
        picture: of it.
        left: mean probability of the decision while what it marks is blurred, 0 to 1; low is faithful.
    """

    method: str
    picture: Markup
    left: float


@dataclass
class Cell:
    """What is asked now.

    Attributes:
        picture: of it.
        truth: a class; "" where nobody knows.
        decision: of the ensemble; "" before it is there.
        p_all: likewise.
        guesses: of members, by their secret.
        maps: in the order in which they are shown; none before they are there.
        votes: which of them convinced, by secret.
    """

    picture: Markup
    truth: str
    decision: str = ""
    p_all: float = float("nan")
    guesses: dict[str, str] = field(default_factory=dict)
    maps: tuple[Map, ...] = ()
    votes: dict[str, int] = field(default_factory=dict)


@dataclass
class Round:
    """What a class plays.

    Attributes:
        code: by which members find it.
        opener: secret of who opened it.
        seed: of its order of cells.
        until: when it is gone, s of `Rounds.clock`.
        place: which cell in the order.
        stage: one of `STAGES`.
        cell: what is asked now; None before it is there.
        streams: by secret, of the opener too, which stream shows it the round; 0: none does.
        right: by "class" (most of it), "ensemble" and "taps" how often right so far.
        of: likewise of how many.
        version: changes with everything that is to be seen.
        question: what a class is asked.
    """

    code: str
    opener: str
    seed: int
    until: float
    place: int = 0
    stage: str = "guess"
    cell: Cell | None = None
    streams: dict[str, int] = field(default_factory=dict)
    right: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    version: int = 0
    question: Question = OURS

    @property
    def here(self) -> int:
        """Members who look at it."""
        return sum(bool(stream) for who, stream in self.streams.items() if who != self.opener)

    def count(self, said: str) -> int:
        """Members who said this of the cell."""
        return list(self.cell.guesses.values()).count(said) if self.cell else 0

    def most(self) -> str:
        """What most of the class said of the cell; "" where as many said the other, or nobody anything."""
        here, there = map(self.count, self.question.names)
        return "" if here == there else self.question.called(here > there)


class Rounds:
    """All rounds of a page, for several threads.

    Args:
        clock: gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._rounds: dict[str, Round] = {}
        self._codes: dict[str, str] = {}  # by secret
        self._tried: dict[tuple[str, str], deque[float]] = {}
        self._streams = 0
        self._lock = threading.RLock()

    def open(self, address: str, question: Question = OURS) -> Round:
        """Open a round on a question.

        Raises:
            RoundError: this address opened too many, or all are in use.
        """
        with self._lock:
            self._forget()
            self._try("open", address, OPENED)
            if len(self._rounds) >= ROUNDS:
                left = [one for one in self._rounds.values() if not any(one.streams.values())]
                if not left:
                    raise RoundError("teach.class.full")
                self._drop(left[0])
            code = ""
            while not code or code in self._rounds:
                code = "".join(secrets.choice(LETTERS) for _ in range(6))
            opener, seed = secrets.token_urlsafe(16), secrets.randbelow(10**6)
            now = Round(code, opener, seed, self.clock() + LASTING, question=question)
            now.streams[now.opener] = 0
            self._rounds[code], self._codes[now.opener] = now, code
            return now

    def join(self, code: str, address: str) -> str:
        """The secret of a new member of a round.

        Raises:
            RoundError: there is no round of this code, it is full, or the address tried too many codes.
        """
        with self._lock:
            self._forget()
            found = self._rounds.get(code.strip().upper())
            if not found or self._is_over("join", address, WRONG):
                self._try("join", address, WRONG)
                raise RoundError("teach.class.unknown")
            if len(found.streams) > MEMBERS:
                # Those who left make room, if they have not said anything.
                said = {*(found.cell.guesses if found.cell else ()), found.opener}
                gone = [who for who, stream in found.streams.items() if not stream and who not in said]
                if not gone:
                    raise RoundError("teach.class.crowded")
                del found.streams[gone[0]], self._codes[gone[0]]
            secret = secrets.token_urlsafe(16)
            found.streams[secret], self._codes[secret] = 0, found.code
            return secret

    def at(self, secret: str) -> Round | None:
        """The round of the opener or a member; None where it is gone."""
        with self._lock:
            self._forget()
            return self._rounds.get(self._codes.get(secret, ""))

    def guess(self, secret: str, said: str) -> None:
        """A member says what the cell is. Only the first word counts; the opener's does not."""
        with self._lock:
            now = self.at(secret)
            if not now or not now.cell or now.stage != "guess" or said not in now.question.names:
                return
            if secret != now.opener and secret not in now.cell.guesses:
                now.cell.guesses[secret] = said
                now.version += 1

    def vote(self, secret: str, place: int) -> None:
        """A member says which map convinces. Only the first word counts; the opener's does not."""
        with self._lock:
            now = self.at(secret)
            if not now or not now.cell or now.stage != "maps" or not 0 <= place < len(now.cell.maps):
                return
            if secret != now.opener and secret not in now.cell.votes:
                now.cell.votes[secret] = place
                now.version += 1

    def go(self, secret: str, stage: str, place: int) -> Round | None:
        """The opener goes on from the cell of this place: the round, or None where that is not to be."""
        with self._lock:
            now = self.at(secret)
            if not now or secret != now.opener or place != now.place or stage not in ONWARD[now.stage]:
                return None
            if not now.cell or not now.cell.decision:
                return None
            if stage == "truth":
                _count(now, now.cell)
            if stage == "guess":
                now.place, now.cell = now.place + 1, None
            now.stage = stage
            now.version += 1
            return now

    def show(self, now: Round, place: int, cell: Cell) -> None:
        """Put a cell before the class."""
        with self._lock:
            if now.place == place and now.cell is None:
                now.cell = cell
                now.version += 1

    def answer(self, now: Round, cell: Cell, decision: str, p_all: float) -> None:
        """The ensemble has decided on a cell of the round."""
        with self._lock:
            cell.decision, cell.p_all = decision, p_all
            now.version += 1

    def offer(self, now: Round, cell: Cell, maps: tuple[Map, ...]) -> None:
        """Put the maps of a cell before the class."""
        with self._lock:
            cell.maps = maps
            now.version += 1

    def end(self, secret: str) -> None:
        """The opener ends the round."""
        with self._lock:
            now = self.at(secret)
            if now and now.opener == secret:
                self._drop(now)

    def watch(self, secret: str) -> int:
        """A new stream shows the round to who has this secret, in the place of one before; its number."""
        with self._lock:
            now = self.at(secret)
            if not now:
                return 0
            self._streams += 1
            now.streams[secret] = self._streams
            now.version += 1
            return self._streams

    def leave(self, secret: str, stream: int) -> None:
        """A stream is at its end."""
        with self._lock:
            now = self.at(secret)
            if now and now.streams.get(secret) == stream:
                now.streams[secret] = 0
                now.version += 1

    def _forget(self) -> None:
        for one in [one for one in self._rounds.values() if one.until <= self.clock()]:
            self._drop(one)

    def _drop(self, one: Round) -> None:
        del self._rounds[one.code]
        for secret in one.streams:
            del self._codes[secret]

    def _is_over(self, what: str, address: str, most: int) -> bool:
        """Whether an address may not try any more."""
        late = self.clock() - SPAN
        self._tried = {who: times for who, times in self._tried.items() if times[-1] > late}
        times = self._tried.get((what, address), deque())
        return sum(when > late for when in times) >= most

    def _try(self, what: str, address: str, most: int) -> None:
        if self._is_over(what, address, most):
            raise RoundError("teach.class.often")
        self._tried.setdefault((what, address), deque(maxlen=most)).append(self.clock())


def _count(now: Round, cell: Cell) -> None:
    """Who was right, where the truth is known."""
    if not cell.truth or not cell.guesses:
        return
    said = [*cell.guesses.values()]
    now.right += Counter({
        "class": int(now.most() == cell.truth),
        "ensemble": int(cell.decision == cell.truth),
        "taps": said.count(cell.truth),
    })  # fmt: skip
    now.of += Counter({"class": 1, "ensemble": 1, "taps": len(said)})
