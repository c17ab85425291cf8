"""Arrays that a training computed come in; a file keeps them, and gives them back as they were or not at all.

The file is numpy's, with the sha256 of its bytes behind them: a bit that fell over would else be trained on.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from leukovision.artifact import write_whole

_DIGEST = hashlib.sha256().digest_size


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Keep arrays by their names.

    Raises:
        OSError: as `write_whole`.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    whole = content.getvalue()
    write_whole(path, whole + hashlib.sha256(whole).digest())


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file.

    Raises:
        ValueError: the file is not as it was written.
        OSError: it is not there, or cannot be read.
    """
    content = path.read_bytes()
    if hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
        raise ValueError(
            f"{path}: is damaged, or of an earlier version; delete it, and the same command computes anew "
            "what it held."
        )
    with np.load(io.BytesIO(content[:-_DIGEST])) as found:
        return {name: found[name] for name in found.files}
