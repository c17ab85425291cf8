"""The name of a template comes in; its macros go out, which make a piece of the page out of values.

A value is escaped where it is put in, unless it is itself a piece: those are `Markup`, and a function that
gives HTML says so by its type. A line break between two tags, with the spaces around it, is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

FOLDER = Path(__file__).parent


class Macros(Protocol):
    """The macros of a template, by name."""

    def __getattr__(self, name: str) -> Callable[..., Markup]: ...


class _Indented(Extension):
    """Templates are indented to be read; in the page a space would part what stands side by side."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        # A comment that holds the line break, so that an error still names the right line.
        return re.sub(r"(?<=[>}])(\s*\n\s*)(?=[<{])", r"{#\1#}", source)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, extensions=[_Indented]
)
_ENVIRONMENT.filters["tenths"] = "{:.1f}".format


@cache
def macros(name: str) -> Macros:
    """What a template of this folder makes, each macro a function with values as named arguments."""
    return cast("Macros", _ENVIRONMENT.get_template(f"{name}.html").module)


__all__ = ["FOLDER", "Macros", "macros"]
