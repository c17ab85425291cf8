"""A language comes in; every text of the page in it goes out, from one file a language in `locales/`.

A language is added by adding its file: the same keys as `locales/en.json`, the same names in braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

FOLDER = Path(__file__).with_name("locales")


class _Figures(Formatter):
    """Puts figures into texts with the decimal mark of a language."""

    def __init__(self, mark: str):
        self.mark = mark

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text if isinstance(value, str) else text.replace(".", self.mark)


@dataclass(frozen=True)
class Texts:
    """The texts of one language.

    Attributes:
        language: its tag, as in a browser: "en", "de".
        entries: texts by "part.key".
    """

    language: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """A text, with values for the names in its braces.

        Raises:
            KeyError: there is no such text, or a value is missing.
        """
        return self._figures.format(self.entries[key], **values)

    def figure(self, value: float, spec: str = "") -> str:
        """A number as people of this language write it."""
        return self._figures.format_field(value, spec)

    def said(self, sentence: str) -> str:
        """A sentence of the package, which speaks English, in this language; as it is where the file has
        none for it. What a sentence gives as its reason is another sentence."""
        if self is ENGLISH:
            return sentence
        for key, pattern in _said():
            if found := pattern.fullmatch(sentence):
                parts = found.groupdict()
                return self(key, **{name: self._part(name, part) for name, part in parts.items()})
        return sentence

    def _part(self, name: str, part: str) -> str:
        if name in ("why", "name"):
            return self.said(part)
        return self.figure(float(part), ".2f") if name in ("low", "high") else part

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


@cache
def _said() -> list[tuple[str, re.Pattern[str]]]:
    """What the package says, as patterns: key and pattern of each."""
    return [
        (key, re.compile(_pattern(text), re.DOTALL))
        for key, text in ENGLISH.entries.items()
        if key.startswith("said.")
    ]


def _pattern(text: str) -> str:
    parts = Formatter().parse(text)
    return "".join(
        re.escape(fixed) + ("" if name is None else f"(?P<{name}>.+?)") for fixed, name, *_ in parts
    )


LANGUAGES = {path.stem: read(path) for path in sorted(FOLDER.glob("*.json"))}
"""Every language by its tag."""

ENGLISH = LANGUAGES["en"]
"""The reference, and what the package itself speaks."""

__all__ = ["ENGLISH", "LANGUAGES", "Texts", "choose", "read"]
