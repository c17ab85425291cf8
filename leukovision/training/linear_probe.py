"""Labelled images and a recipe come in; a member's tensors, a linear unit on frozen layers, go out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from leukovision.backbones import BACKBONES, HEAD, Standard, build, set_standard, store
from leukovision.training.augment import Changes
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
    cache: Path,
    progress: Progress,
) -> None:
    """Fit the linear unit of one backbone, a logistic regression, and write the member's tensors.

    Each cell is seen as it is, and once more turned and saved by another program, which counts a little: so
    the unit leans less on what that changes.

    Args:
        name, images, out, recipe, weights, progress: as in `train.train_ensemble`.
        cache: folder of what the backbones see of the images, see `features.pooled`.
    """
    import keras

    title = BACKBONES[name].title
    keras.utils.set_random_seed(recipe.seed)
    network = build(name, recipe.cut(name), recipe.input.size, weights)

    def seen(what: str) -> Callable[[int], object]:
        return lambda done: progress(f"{title} sees {what}", done, len(images), "")

    plain = pooled(network, images, recipe.input, cache, seen("cells"))
    changed = pooled(network, images, recipe.input, cache, seen("them changed"), copies(recipe))
    unit, standard = fitted(images, plain, changed, recipe)
    set_standard(network, standard)
    network.get_layer(HEAD).set_weights([unit.coef_.T.astype(np.float32), unit.intercept_.astype(np.float32)])
    progress(f"{title} learns", 1, 1, "")
    store(network, out / f"{name}.safetensors")


def copies(recipe: Recipe) -> Changes:
    """How the changed copies of the cells are made."""
    return replace(recipe.changes, resaved=1.0)


def fitted(
    images: Sequence[Image], plain: np.ndarray, changed: np.ndarray, recipe: Recipe
) -> tuple[LogisticRegression, Standard]:
    """The unit for what a backbone sees of cells.

    Args:
        images: n of them.
        plain, changed: (n, C) float32 of `features.pooled`, of the cells and of their changed copies.
        recipe: how.

    Returns:
        A logistic regression on standardised channels, and what standardises them.
    """
    standard = Standard.of(plain)
    is_all = np.array([image.is_all for image in images])
    # Classes and subjects count evenly, so that a donor with 400 cells does not stand for all donors.
    chance = chances(is_all, [image.subject for image in images])
    weight = np.concatenate([chance * (1 - recipe.copies), chance * recipe.copies])
    unit = LogisticRegression(C=1 / (recipe.penalty * plain.shape[1]), max_iter=500)
    unit.fit(standard(np.concatenate([plain, changed])), np.tile(is_all, 2), weight)
    return unit, standard
