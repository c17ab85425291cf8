"""A word of the field comes in; the word goes out as HTML that says on hover and focus what it means."""

from __future__ import annotations

from html import escape
from typing import Any

from leukovision.i18n import Texts


def term(texts: Texts, key: str, word: str = "", **values: Any) -> str:
    """A word that explains itself.

    Args:
        texts: of a language, about the ensemble's question.
        key: of the glossary.
        word: what is shown; the glossary's own word by default.
        values: for the names in the braces of what it means.
    """
    shown = escape(word or texts(f"glossary.{key}.word"))
    means = texts(f"glossary.{key}.means", **values)
    if texts.question.is_ours and (of_blasts := texts.entries.get(f"glossary.{key}.of_blasts")):
        means = f"{means} {of_blasts}"
    return f'<button type="button" class="lv-term">{shown}<span class="lv-tip">{means}</span></button>'
