"""A language comes in; every text of the page in it goes out, from one file a language in `locales/`.

A language is added by adding its file: the same keys as `locales/en.json`, the same names in braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from numbers import Number
from pathlib import Path
from string import Formatter
from typing import Any, Self

from markupsafe import Markup, escape

from leukovision.question import OURS, UNSURE, WORDS, Question

FOLDER = Path(__file__).with_name("locales")


class _Figures(Formatter):
    """Puts figures into texts with the decimal mark of a language, and a minus that is no hyphen."""

    def __init__(self, mark: str):
        self.mark = mark

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        # Not so in a path or another error's words.
        return text if not isinstance(value, Number) else text.replace(".", self.mark).replace("-", "−")


class Sentence(str):
    """An English sentence of the package that remembers its code and values, and so can be said anew.

    Attributes:
        code: its key under "said" in the file of a language.
        values: for the names in its braces.
    """

    code: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, code: str = "", values: Mapping[str, Any] | None = None) -> Self:
        """The English text of a code, with values for the names in its braces."""
        made = super().__new__(cls, text)
        made.code, made.values = code, values or {}
        return made


@dataclass(frozen=True)
class Texts:
    """The texts of one language.

    Attributes:
        language: its tag, as in a browser: "en", "de".
        entries: texts by "part.key".
        question: what the ensemble that they speak of decides. Its `WORDS` are known to every text.
    """

    language: str
    entries: Mapping[str, str]
    question: Question = OURS

    def __call__(self, key: str, **values: Any) -> str:
        """A text, with values for the names in its braces.

        Raises:
            KeyError: there is no such text, or a value is missing.
        """
        return self._figures.format(self.entries[key], **(self.words | values))

    def html(self, key: str, **values: Any) -> Markup:
        """The same as a piece of the page: values that are `Markup` are HTML, all other text is escaped."""
        escaped = {
            name: value if isinstance(value, Number) else escape(value)
            for name, value in (self.words | values).items()
        }
        return Markup(self._figures.format(escape(self.entries[key]), **escaped))

    def about(self, question: Question) -> Texts:
        """The same texts, of another question."""
        return replace(self, question=question)

    def kind(self, name: str) -> str:
        """What a class is called, or "unsure"; another word stays as it is."""
        side = self.question.side(name)
        return self.words[side] if side != UNSURE else self.entries.get(f"words.{name}", name)

    def unfilled(self, key: str) -> str:
        """A text with what the question says in it, and its other braces left for a browser to fill."""
        return re.sub(r"\{(\w+)\}", lambda found: self.words.get(found[1], found[0]), self.entries[key])

    @cached_property
    def words(self) -> dict[str, str]:
        """Each of `WORDS`: as the question has it in this language, or in English, or made of the names."""
        own = self.question.words.get(self.language)
        if self.question.is_ours:
            return {key: self.entries[f"question.{key}"] for key in WORDS} | dict(own or {})
        own = self.question.words.get("en", {}) if own is None else own
        words = {"positive": self.question.positive, "negative": self.question.negative} | dict(own)
        for side in ("positive", "negative"):
            words.setdefault(f"{side}_cells", self.entries["question.any.cells"].format(name=words[side]))
        words.setdefault("question", self.entries["question.any.question"].format(**words))
        return words

    def figure(self, value: float, spec: str = "") -> str:
        """A number as people of this language write it."""
        return self._figures.format_field(value, spec)

    def said(self, what: str | BaseException) -> str:
        """What the package says, which speaks English, in this language; as it is where there is none for it.

        Args:
            what: a `Sentence`, or an error of one: its code and values say it anew. Other text, as of a
                table that was read back, is looked for among the English sentences.
        """
        if isinstance(what, BaseException):
            what = what.args[0] if what.args and isinstance(what.args[0], Sentence) else str(what)
        if self.language == ENGLISH.language:
            return str(what)
        if not isinstance(what, Sentence):
            what = _recognised(what)
        if not isinstance(what, Sentence):
            return what
        return self(f"said.{what.code}", **{name: self._part(name, v) for name, v in what.values.items()})

    def paragraph(self, text: str) -> tuple[str, str]:
        """English sentences as `said` has them, and their language: English unless all are known."""
        english = re.split(r"(?<=\.) (?=[A-Z])", text)
        said = [self.said(one) for one in english]
        if any(one == own for one, own in zip(english, said, strict=True)):
            return text, "en"
        return " ".join(said), self.language

    def _part(self, name: str, value: Any) -> Any:
        """A value of a sentence: what it gives as its reason is another sentence; a class has its word."""
        if name in ("positive", "negative"):
            return self.kind(value)
        return self.said(value) if isinstance(value, str) and name in ("why", "name") else value

    @property
    def _figures(self) -> _Figures:
        return _Figures(self.entries["page.decimal"])


def read(path: Path) -> Texts:
    """Read the file of a language: parts, with texts by key in each."""
    return Texts(path.stem, dict(_flat(json.loads(path.read_text(encoding="utf-8")))))


def choose(wanted: str) -> Texts:
    """The texts for who asks with this Accept-Language header: in the language named first, else in English.

    Only the first counts, as for Gradio's own texts in the browser, so that one page is in one language.
    """
    tag = wanted.split(",")[0].split(";")[0].strip()
    return LANGUAGES.get(tag) or LANGUAGES.get(tag.split("-")[0]) or ENGLISH


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, str):
            yield before + key, value
        else:
            yield from _flat(value, f"{before}{key}.")


def _recognised(text: str) -> str:
    """English text -> the `Sentence` that it is, or the text."""
    for code, pattern, numbers in _patterns():
        if found := pattern.fullmatch(text):
            parts = found.groupdict().items()
            return Sentence(text, code, {n: _number(part) if n in numbers else part for n, part in parts})
    return text


def _number(text: str) -> float:
    return float(text.replace("−", "-"))


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], set[str]]]:
    """Of every sentence of the package its code, its pattern, and which of its values are numbers."""
    patterns = []
    for key, text in ENGLISH.entries.items():
        if key.startswith("said."):
            parts = list(Formatter().parse(text))
            pattern = "".join(
                re.escape(fixed) + ("" if name is None else f"(?P<{name}>.+?)") for fixed, name, *_ in parts
            )
            numbers = {name for _, name, spec, _ in parts if name and spec}
            patterns.append((key.removeprefix("said."), re.compile(pattern, re.DOTALL), numbers))
    return patterns


LANGUAGES = {path.stem: read(path) for path in sorted(FOLDER.glob("*.json"))}
"""Every language by its tag."""

ENGLISH = LANGUAGES["en"]
"""The reference, and what the package itself speaks."""

__all__ = ["ENGLISH", "LANGUAGES", "Sentence", "Texts", "choose", "read"]
