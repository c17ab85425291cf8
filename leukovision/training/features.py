"""Images come in; what a backbone's layers see of each, pooled, goes out: computed once, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukovision.backbones import trunk_of
from leukovision.cell import read_cell
from leukovision.preprocessing import Input
from leukovision.training import array_file
from leukovision.training.augment import Changes, augmented
from leukovision.training.dataset import Image

if TYPE_CHECKING:
    import keras

BATCH = 32
_SAVED_EVERY = 32
"""Steps."""


def pooled(
    network: keras.Model,
    images: Sequence[Image],
    input: Input,
    cache: Path,
    progress: Callable[[int], object] = lambda _: None,
    changes: Changes | None = None,
) -> np.ndarray:
    """The mean over the last feature map of a network's frozen layers, for each image.

    Args:
        network: from `backbones.build`.
        images: n of them.
        input: how a cell becomes numbers.
        cache: folder for what was computed. A file there belongs to one state of the layers and one kind
            of input; images are known in it by the hash of their bytes, so that runs on other parts of
            the same data share it, and a run that was killed goes on.
        progress: called with how many are done.
        changes: how much each cell is changed before it is seen, at random, and alike for the same bytes;
            None for not at all.

    Returns:
        (n, C) float32.

    Raises:
        CellError: a file that cannot be read, by name.
        ValueError: what was kept is damaged.
    """
    trunk = trunk_of(network)
    path = cache / f"{network.name}-{_state(trunk, input, changes)}.npz"
    known = _kept(path)
    wanted = [image for image in images if image.sha256 not in known]
    done = len(images) - len(wanted)

    def numbers(image: Image) -> np.ndarray:
        if changes:
            return augmented(
                read_cell(image.path), input, changes, np.random.default_rng(int(image.sha256[:8], 16))
            )
        return input.numbers(input.picture(read_cell(image.path)))

    try:
        with ThreadPoolExecutor() as pool:
            # One batch is read while the network works on the one before.
            ahead = [pool.submit(numbers, image) for image in wanted[:BATCH]]
            for start in range(0, len(wanted), BATCH):
                batch = np.zeros((BATCH, *trunk.input.shape[1:]), dtype=np.float32)
                for place, reading in enumerate(ahead):
                    batch[place] = reading.result()
                ahead = [pool.submit(numbers, image) for image in wanted[start + BATCH :][:BATCH]]
                # Always the same shape: each new one would be compiled anew.
                found = np.asarray(trunk.predict_on_batch(batch), dtype=np.float32)
                for image, row in zip(wanted[start : start + BATCH], found, strict=False):
                    known[image.sha256] = row
                    done += 1
                progress(done)
                if (start // BATCH + 1) % _SAVED_EVERY == 0:
                    _save(path, known)
    finally:
        if wanted:
            _save(path, known)
    return np.stack([known[image.sha256] for image in images])


def _state(trunk: keras.Model, input: Input, changes: Changes | None) -> str:
    """Another one for other weights of the layers, another input or other changes."""
    digest = hashlib.sha256(repr((input, changes) if changes else input).encode())
    for value in trunk.get_weights():
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:12]


def _kept(path: Path) -> dict[str, np.ndarray]:
    """What an earlier run saved: (C,) float32 by the hash of an image's bytes."""
    if not path.exists():
        return {}
    before = array_file.read(path)
    return dict(zip(before["sha256"].tolist(), before["features"], strict=True))


def _save(path: Path, known: dict[str, np.ndarray]) -> None:
    if not known:
        return
    array_file.write(path, {"sha256": np.array(list(known)), "features": np.stack(list(known.values()))})
