"""A word of the field comes in; the word goes out as HTML that says on hover and focus what it means."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from leukovision.demo.templates import macros
from leukovision.i18n import Texts


def term(texts: Texts, key: str, word: str = "", **values: Any) -> Markup:
    """A word that explains itself.

    Args:
        texts: of a language, about the ensemble's question.
        key: of the glossary.
        word: what is shown; the glossary's own word by default.
        values: for the names in the braces of what it means.
    """
    return macros("glossary").term(texts, key, word, values)
