"""Labelled images come in; an ensemble's folder, each member trained, goes out.

The backbones keep the weights that they start with, and only a head is trained on what they see: on subjects
that were left out this was clearly better than moving the backbones too, which learn the slide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from leukovision import store
from leukovision.backbones import BACKBONES, HEADS, build, join, set_standard, small_head, tensors
from leukovision.pixels import Input
from leukovision.training.dataset import Image, chances
from leukovision.training.features import pooled
from leukovision.training.reference import describe
from leukovision.training.workers import Alone


@dataclass(frozen=True)
class Recipe:
    """How a member is trained.

    Attributes:
        preset: `compact` cuts the backbones in mid-network, `full` leaves them whole.
        input: how a cell becomes numbers.
        epochs: how often as many cells are drawn as there are.
        batch: how many of them go together.
        rate: of learning, at the start; it falls to 0 along a cosine.
        decay: AdamW's weight decay.
        smoothing: of the labels, so that no logit has to grow without end.
        seed: of all randomness; of the heads that are joined, each has the next.
    """

    preset: str = "compact"
    input: Input = field(default_factory=Input)
    epochs: int = 10
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.05
    smoothing: float = 0.05
    seed: int = 1

    @staticmethod
    def of(preset: str, size: int | None = None, **given: Any) -> Recipe:
        """The recipe of a preset, with what is given (not None) in place of its own.

        Raises:
            ValueError: there is no such preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"--preset can be {' or '.join(PRESETS)}, not {preset!r}.")
        recipe = PRESETS[preset]
        changes = {key: value for key, value in given.items() if value is not None}
        return replace(recipe, input=replace(recipe.input, size=size or recipe.input.size), **changes)


PRESETS = {"compact": Recipe(), "full": Recipe(preset="full", input=Input(size=299))}


def fit(
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    backbones: Sequence[str] = tuple(BACKBONES),
    weights: str | Path | None = None,
    held_out: str = "",
    held_out_subjects: Sequence[str] = (),
    kept: Path | None = None,
    name: str | None = None,
    progress: Callable[[str, int, int, str], object] = lambda *_: None,
) -> store.Manifest:
    """Train an ensemble into a folder.

    Args:
        images: what to train on, from `dataset.split`.
        out: folder for the ensemble and its TensorBoard logs.
        recipe: how.
        backbones: keys of `BACKBONES`, in order.
        weights: where the backbones start and stay, as in `backbones.build`.
        held_out: what was kept away, in words, for the manifest.
        held_out_subjects: who was kept away, for the manifest: `evaluate` measures on them.
        kept: folder of what the backbones see of the images, which runs on the same data can share and a
            run that was killed goes on from; `out`/features by default.
        name: the ensemble's; the folder's by default.
        progress: called with (what, done, of, remark).

    Returns:
        The manifest written to `out`: equal weights, no calibration yet.

    Raises:
        FileExistsError: `out` holds an ensemble already.
        CellError: an image that cannot be read.
    """
    if (out / store.MANIFEST).exists():
        raise FileExistsError(f"{out}: holds an ensemble already; give another --out.")
    out.mkdir(parents=True, exist_ok=True)
    seen = [
        _fit_member(backbone, images, out, recipe, weights, kept or out / "features", progress)
        for backbone in backbones
    ]
    specs = [
        store.MemberSpec(
            backbone=backbone,
            cut=BACKBONES[backbone].cut(recipe.preset),
            file=f"{backbone}.safetensors",
            sha256=store.sha256_of(out / f"{backbone}.safetensors"),
            weight=1 / len(backbones),
        )
        for backbone in backbones
    ]
    manifest = store.Manifest(
        name=name or out.resolve().name,
        version="0",
        input=store.InputSpec(**asdict(recipe.input)),
        members=tuple(specs),
        domain=describe(
            out,
            images,
            np.concatenate(seen, axis=1),
            recipe.seed,
            lambda done, of: progress("how cells look", done, of, ""),
        ),
        training=_describe(images, recipe, weights, held_out, held_out_subjects),
    )
    store.write_manifest(out, manifest)
    return manifest


def see(
    images: Sequence[Image],
    recipe: Recipe,
    backbones: Sequence[str],
    weights: str | Path | None,
    kept: Path,
    among: Alone,
    progress: Callable[[str, int, int, str], object] = lambda *_: None,
) -> None:
    """Share what takes long in `fit` with other workers: afterwards it lies in `kept`.

    Args:
        images, recipe, backbones, weights, kept, progress: as in `fit`.
        among: the workers.

    Raises:
        CellError, ConnectionError, ValueError: as `features.pooled`.
    """
    for name in backbones:
        _seen(name, images, recipe, weights, kept, progress, among)


def _seen(
    name: str,
    images: Sequence[Image],
    recipe: Recipe,
    weights: str | Path | None,
    kept: Path,
    progress: Callable[[str, int, int, str], object],
    among: Alone | None = None,
) -> tuple[Any, np.ndarray]:
    """A network whose head is not trained yet; (n, C), what its backbone sees."""
    import keras

    keras.utils.set_random_seed(recipe.seed)
    network = build(name, BACKBONES[name].cut(recipe.preset), recipe.input.size, weights)

    def said(done: int) -> object:
        return progress(f"{BACKBONES[name].title} sees", done, len(images), "")

    return network, pooled(network, images, recipe.input, kept, said, among)


def _describe(
    images: Sequence[Image], recipe: Recipe, weights: Any, held_out: str, held_out_subjects: Sequence[str]
) -> dict[str, Any]:
    """What the manifest says of the training."""
    subjects = {(image.subject, image.is_all) for image in images}
    return {
        "images": {"ALL": sum(i.is_all for i in images), "healthy": sum(not i.is_all for i in images)},
        "subjects": {
            "ALL": sum(is_all for _, is_all in subjects),
            "healthy": sum(not is_all for _, is_all in subjects),
        },
        "held_out": Path(held_out).name if held_out else "",
        "held_out_subjects": sorted(held_out_subjects),
        "start": "ImageNet" if weights is not None else "random",
        "recipe": asdict(recipe),
        "code": version("leukovision"),
    }


def _fit_member(
    name: str,
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    weights: str | Path | None,
    kept: Path,
    progress: Callable[[str, int, int, str], object],
) -> np.ndarray:
    """Train the heads of one backbone, write the member's tensors; (n, C), what the backbone sees."""
    import keras

    title = BACKBONES[name].title
    network, seen = _seen(name, images, recipe, weights, kept, progress)
    standard = set_standard(network, seen)
    is_all = np.array([image.is_all for image in images])
    # Classes and subjects are drawn evenly, so that a donor with 400 cells does not stand for all donors.
    chance = chances(is_all, [image.subject for image in images])
    heads = []
    for place in range(HEADS):
        seed = recipe.seed + place
        keras.utils.set_random_seed(seed)
        head, rng = small_head(standard.shape[1]), np.random.default_rng(seed)
        steps = max(1, len(images) // recipe.batch)
        head.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(recipe.rate, recipe.epochs * steps),
                weight_decay=recipe.decay,
            ),
            loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
            metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        )
        logs = out / "logs" / f"{name}_{place}"
        callbacks = [keras.callbacks.TensorBoard(logs)] if _has_tensorboard() else []
        for epoch in range(recipe.epochs):
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
                place * recipe.epochs + epoch + 1,
                HEADS * recipe.epochs,
                f"loss {history['loss'][0]:.3f}, accuracy {history['accuracy'][0]:.3f}",
            )
        heads.append(head)
    join(network, heads)
    store.write_tensors(
        out / f"{name}.safetensors",
        {key: keras.ops.convert_to_numpy(value) for key, value in tensors(network)},
    )
    return seen


def _has_tensorboard() -> bool:
    """TensorBoard logs need TensorFlow; training on PyTorch or JAX alone goes without."""
    from importlib.util import find_spec

    return find_spec("tensorflow") is not None and find_spec("tensorboard") is not None
