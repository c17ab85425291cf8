"""The two classes that an ensemble tells apart: their names and words, as its manifest has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

UNSURE = "unsure"
"""The decision that is neither class."""

WORDS = ("question", "positive", "negative", "positive_cells", "negative_cells")
"""What can be said of a question in each language: what is asked, what each class is called, and several
cells of it."""

_SAID = json.loads(Path(__file__).with_name("locales").joinpath("en.json").read_text("utf-8"))["question"]


@dataclass(frozen=True)
class Question:
    """What an ensemble decides on a cell.

    Attributes:
        positive: name of the class whose probability is told. Fields, columns and keys call that `p_all`
            whatever the class, so that programs read every ensemble alike.
        negative: name of the other class.
        data: what it was learnt from, with an address.
        topic: what it is about, in a word.
        words: by language, by key of `WORDS`; what is not there is made of the names.
    """

    positive: str
    negative: str
    data: str = ""
    topic: str = ""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, str]:
        """The positive class, and the other."""
        return self.positive, self.negative

    @property
    def folders(self) -> dict[str, str]:
        """What folders and files of each class are called, in lower case; C-NMC has a word of its own."""
        own = {name.lower(): name for name in self.names}
        return own | {_SAID["negative_folder"]: self.negative} if self.is_ours else own

    @property
    def is_ours(self) -> bool:
        """Whether it is the one that drawn cells and lessons are about."""
        return self.names == OURS.names

    def called(self, is_positive: bool | int) -> str:
        """The name of a class."""
        return self.positive if is_positive else self.negative

    def side(self, decision: str | None) -> str:
        """A decision as "positive", "negative" or "unsure"."""
        return {self.positive: "positive", self.negative: "negative"}.get(decision or "", UNSURE)

    def sign(self, target: str) -> int:
        """1 for the positive class, whose evidence is above 0, -1 for the other.

        Raises:
            ValueError: it is neither.
        """
        if target not in self.names:
            raise ValueError(f"a target can be {' or '.join(self.names)}, not {target!r}.")
        return 1 if target == self.positive else -1


OURS = Question(_SAID["positive"], _SAID["negative"], _SAID["data"], _SAID["topic"])
"""What is asked where nothing else is, by the ensemble that comes with the code and by any that does not say
what it tells apart; its words stand in the file of each language, under "question"."""
