"""Labelled images and a recipe come in; a member's tensors, heads on frozen layers, go out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leukovision import artifact
from leukovision.backbones import BACKBONES, HEADS, build, join, set_standard, small_head, tensors
from leukovision.training.dataset import Image
from leukovision.training.features import pooled
from leukovision.training.recipe import Progress, Recipe
from leukovision.training.sampling import chances


def train(
    name: str,
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    weights: str | Path | None,
    kept: Path,
    progress: Progress,
) -> None:
    """Train the heads of one backbone, and write the member's tensors.

    Args:
        name, images, out, recipe, weights, progress: as in `fit.fit`.
        kept: folder of what the backbones see of the images, see `features.pooled`.
    """
    import keras

    title = BACKBONES[name].title
    keras.utils.set_random_seed(recipe.seed)
    network = build(name, BACKBONES[name].cut(recipe.preset), recipe.input.size, weights)

    def said(done: int) -> object:
        return progress(f"{title} sees", done, len(images), "")

    standard = set_standard(network, pooled(network, images, recipe.input, kept, said))
    is_all = np.array([image.is_all for image in images])
    # Classes and subjects are drawn evenly, so that a donor with 400 cells does not stand for all donors.
    chance = chances(is_all, [image.subject for image in images])
    epochs, heads = max(1, round(recipe.samples / len(images))), []
    steps = max(1, len(images) // recipe.batch)
    for place in range(HEADS):
        seed = recipe.seed + place
        keras.utils.set_random_seed(seed)
        head, rng = small_head(standard.shape[1]), np.random.default_rng(seed)
        head.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(recipe.rate, epochs * steps),
                weight_decay=recipe.decay,
            ),
            loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
            metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        )
        logs = out / "logs" / f"{name}_{place}"
        callbacks = [keras.callbacks.TensorBoard(logs)] if _has_tensorboard() else []
        for epoch in range(epochs):
            drawn = rng.choice(len(images), steps * recipe.batch, p=chance)
            history = head.fit(
                standard[drawn],
                is_all[drawn, None].astype(np.float32),
                batch_size=recipe.batch,
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=False,
                verbose=0,
                callbacks=callbacks,
            ).history
            progress(
                f"{title} learns",
                place * epochs + epoch + 1,
                HEADS * epochs,
                f"loss {history['loss'][0]:.3f}, accuracy {history['accuracy'][0]:.3f}",
            )
        heads.append(head)
    join(network, heads)
    artifact.write_tensors(
        out / f"{name}.safetensors",
        {key: keras.ops.convert_to_numpy(value) for key, value in tensors(network)},
    )


def _has_tensorboard() -> bool:
    """TensorBoard logs need TensorFlow; training on PyTorch or JAX alone goes without."""
    from importlib.util import find_spec

    return find_spec("tensorflow") is not None and find_spec("tensorboard") is not None
