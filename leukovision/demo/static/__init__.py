"""Names of scripts and style sheets come in; their text goes out."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

SHEETS = tuple(
    FOLDER / f"{name}.css"
    for name in (
        "page",
        "input",
        "result",
        "traits",
        "photo",
        "teach",
        "class",
        "model",
        "batch",
        "screens",
    )
)
"""The style sheets in their order: what is for screens of a kind overrides what is for all."""


def script(*names: str) -> str:
    """A script that Gradio runs when its component is there; of several files one after the other."""
    return "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)


__all__ = ["FOLDER", "SHEETS", "script"]
