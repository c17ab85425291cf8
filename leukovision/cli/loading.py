"""The ensemble that a command names: found, and loaded with Keras, which says nothing meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from leukovision import keras_config
from leukovision.cli.terminal import console, note

if TYPE_CHECKING:
    from leukovision.ensemble import Ensemble
    from leukovision.hub import Found


def find(source: str | Path | None) -> Found:
    """The ensemble's folder, pulled from the Hub where it is there."""
    from leukovision.hub import find

    found = find(source)  # with the bars of the Hub's own client, before ours
    if found.note:
        note(found.note)
    return found


def load(source: str | Path | None) -> Ensemble:
    """The ensemble, ready to decide."""
    from leukovision.ensemble import load_ensemble

    found = find(source)
    import_keras()
    with console.status("loading the ensemble"):
        return load_ensemble(found)


def import_keras() -> None:
    """Import Keras with its back end, without the notes that TensorFlow writes to the terminal itself
    while it is imported, before any of its switches work."""
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        keras_config.configure()
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
