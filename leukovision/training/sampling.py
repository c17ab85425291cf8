"""Pictures, classes and subjects come in; batches that weigh classes and subjects evenly go out."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from leukovision.pixels import Input
from leukovision.training.augment import augment
from leukovision.training.dataset import chances


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of augmented batches; the same for the same seed and epoch, whatever ran before.

    A `PyDataset` and not tf.data, because the same training runs where only PyTorch or JAX is.

    Args:
        pictures: (n, side, side, 3) uint8, as `augment` takes them.
        is_all: (n,) int, 1 for ALL.
        subjects: n names.
        input: how pixels become numbers.
        seed, epoch: what is drawn.
        cells: how many cells an epoch has.
        batch: how many of them go together.
        workers: threads that draw ahead.
    """

    def __init__(
        self,
        pictures: np.ndarray,
        is_all: np.ndarray,
        subjects: Sequence[str],
        input: Input,
        seed: int,
        epoch: int,
        cells: int,
        batch: int,
        workers: int = 2,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.pictures, self.is_all, self.input = pictures, is_all, input
        self.chances = chances(is_all, subjects)
        self.seed, self.epoch, self.steps, self.batch = seed, epoch, cells // batch, batch

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, self.epoch, step])
        drawn = rng.choice(len(self.is_all), self.batch, p=self.chances)
        numbers = np.stack([augment(self.pictures[place], self.input, rng) for place in drawn])
        return numbers, self.is_all[drawn, None].astype(np.float32)
