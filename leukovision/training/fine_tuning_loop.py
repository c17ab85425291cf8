"""Labelled images and a recipe come in; a member's tensors, nearly every layer trained, go out.

On two cores a step of 16 cells takes InceptionV3 two to three seconds: half an hour for what a recipe draws.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from leukovision.backbones import BACKBONES, HEAD, build, freeze, is_ensemble, store
from leukovision.cell import read_cell
from leukovision.training import array_file
from leukovision.training.augment import augmented
from leukovision.training.dataset import Image
from leukovision.training.recipe import Progress, Recipe
from leukovision.training.sampling import areas, chances

MOMENTUM = 0.95
"""Of the batch norms' running statistics while training: short runs have no time for the usual 0.99."""

HEAD_RATE = 30.0
"""How much faster than the backbone the linear unit learns: it starts from nothing, and Adam moves every
weight by about the rate, so the unit's are taken this much larger."""

WARM_UP = 0.05
"""Share of the steps over which the rate rises."""

STATISTICS = 12
"""Batches, twice as large as in training, that the batch norms' statistics are taken from in the end."""

_SAVED_EVERY = 25
_AHEAD = 3
"""Steps whose pictures are made ready while the network works on another."""


def train(
    name: str,
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    weights: str | Path | None,
    progress: Progress,
) -> None:
    """Train a backbone with its linear unit, and write the member's tensors; arguments as in
    `train.train_ensemble`."""
    area = areas(images) if recipe.even_sizes else None
    _Member(name, images, area, out, recipe, weights).train(progress)


class _Member:
    """One backbone in training."""

    def __init__(
        self,
        name: str,
        images: Sequence[Image],
        area: np.ndarray | None,
        out: Path,
        recipe: Recipe,
        weights: str | Path | None,
    ):
        import keras

        self.name, self.images, self.recipe = name, images, recipe
        self.file, self.checkpoint = out / f"{name}.safetensors", out / f"{name}.checkpoint.npz"
        self.log = out / "logs" / f"{name}.csv"
        self.steps = max(1, recipe.samples // recipe.batch)
        self.is_all = np.array([image.is_all for image in images])
        self.chance = chances(self.is_all, [image.subject for image in images], area)
        keras.utils.set_random_seed(recipe.seed)
        self.network = build(name, recipe.cut(name), recipe.input.size, weights)
        unit = self.network.get_layer(HEAD)
        # Of the ensemble that is trained on, the unit stays; else it starts from nothing.
        scale = 1 / HEAD_RATE if is_ensemble(weights) else 0.0
        unit.set_weights([scale * values for values in unit.get_weights()])
        freeze(self.network)
        for norm in self._norms():
            norm.momentum = MOMENTUM
        warm_up = max(1, round(WARM_UP * self.steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.05 * recipe.rate, max(1, self.steps - warm_up), alpha=0.02, warmup_target=recipe.rate,
            warmup_steps=warm_up,
        )  # fmt: skip
        self.optimizer = keras.optimizers.AdamW(
            rate, weight_decay=recipe.decay, use_ema=True, ema_momentum=recipe.averaging, global_clipnorm=5.0
        )
        scaled = keras.layers.Rescaling(HEAD_RATE)(self.network.output)
        self.learner = keras.Model(self.network.input, scaled)
        self.learner.compile(
            optimizer=self.optimizer,
            loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
            jit_compile=False,
        )
        self.optimizer.build(self.network.trainable_variables)

    def train(self, progress: Progress) -> None:
        """Take all steps that are left, and write the member's tensors."""
        start, title = self._resume(), BACKBONES[self.name].title
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ahead = [self._drawn(step, pool) for step in range(start, min(start + _AHEAD, self.steps))]
            for step in range(start, self.steps):
                pictures, labels = _gathered(*ahead.pop(0))
                if step + _AHEAD < self.steps:
                    ahead.append(self._drawn(step + _AHEAD, pool))
                self.learner.reset_metrics()
                loss = float(self.learner.train_on_batch(pictures, labels))
                self._note(step, loss)
                if (step + 1) % _SAVED_EVERY == 0:
                    self._save(step + 1)
                progress(f"{title} learns", step + 1, self.steps, f"loss {loss:.3f}")
            self.optimizer.finalize_variable_values(self.network.trainable_variables)
            self._set_statistics(pool)
        unit = self.network.get_layer(HEAD)
        unit.set_weights([HEAD_RATE * values for values in unit.get_weights()])
        store(self.network, self.file)
        self.checkpoint.unlink(missing_ok=True)

    def _norms(self) -> list[Any]:
        import keras

        return [
            layer
            for layer in self.network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]

    def _drawn(
        self, step: int, pool: ThreadPoolExecutor, size: int | None = None
    ) -> tuple[list[Future[np.ndarray]], np.ndarray]:
        """The pictures of a step, being made, and their labels: the same whenever they are drawn."""
        recipe = self.recipe
        places = np.random.default_rng([recipe.seed, step]).choice(
            len(self.images), size or recipe.batch, p=self.chance
        )

        def one(place: int, number: int) -> np.ndarray:
            rng = np.random.default_rng([recipe.seed, step, number])
            return augmented(read_cell(self.images[place].path), recipe.input, recipe.changes, rng)

        pictures = [pool.submit(one, int(place), number) for number, place in enumerate(places)]
        return pictures, self.is_all[places, None].astype(np.float32)

    def _set_statistics(self, pool: ThreadPoolExecutor) -> None:
        """Batch norms' statistics of the mean weights; those that were gathered belong to other weights."""
        for number in range(STATISTICS):
            for norm in self._norms():
                norm.momentum = number / (number + 1)
            pictures, _ = _gathered(*self._drawn(self.steps + number, pool, 2 * self.recipe.batch))
            self.network(pictures, training=True)

    def _note(self, step: int, loss: float) -> None:
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("w" if step == 0 else "a") as log:
            if step == 0:
                log.write("step,samples,loss\n")
            log.write(f"{step + 1},{(step + 1) * self.recipe.batch},{loss:.4f}\n")

    def _state(self) -> str:
        """Changes when a checkpoint of another recipe, of other images or of another network must not be
        gone on from."""
        whose = "".join(image.sha256 for image in self.images)
        shapes = [tuple(variable.shape) for variable in self.network.variables]
        return hashlib.sha256((repr((self.recipe, shapes)) + whose).encode()).hexdigest()

    def _save(self, step: int) -> None:
        import keras

        variables = [*self.network.variables, *self.optimizer.variables]
        values = {f"{n}": keras.ops.convert_to_numpy(variable) for n, variable in enumerate(variables)}
        whose = {"state": np.array(self._state()), "step": np.array(step)}
        array_file.write(self.checkpoint, whose | values)

    def _resume(self) -> int:
        """Go back to the last checkpoint, if there is one of this run; the step to go on with."""
        if not self.checkpoint.exists():
            return 0
        saved = array_file.read(self.checkpoint)
        if str(saved["state"]) != self._state():
            raise ValueError(
                f"{self.checkpoint}: was left by a run with another recipe or other images, or by an "
                "earlier version; delete it, or give another --out."
            )
        variables = [*self.network.variables, *self.optimizer.variables]
        for number, variable in enumerate(variables):
            variable.assign(saved[str(number)])
        step = int(saved["step"])
        # The steps since then are taken once more; their lines would be there twice.
        if self.log.exists():
            lines = self.log.read_text().splitlines(keepends=True)
            self.log.write_text("".join(lines[: 1 + step]))
        return step


def _gathered(pictures: Sequence[Future[np.ndarray]], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([picture.result() for picture in pictures]), labels
