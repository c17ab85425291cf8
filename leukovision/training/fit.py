"""Labelled images come in; an ensemble's folder, each member trained, goes out."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from leukovision import store
from leukovision.backbones import BACKBONES, DROPOUT, build, freeze_stem, tensors
from leukovision.pixels import Input
from leukovision.training.augment import MARGIN
from leukovision.training.dataset import Image, pictures

STATE = "epoch.json"


@dataclass(frozen=True)
class Recipe:
    """How a member is trained.

    Attributes:
        preset: `compact` cuts the backbones in mid-network, `full` leaves them whole.
        input: how a cell becomes numbers.
        epochs, cells, batch: cells drawn an epoch, and how many go together; a network most of which
            starts at random gets twice as many epochs.
        rate: peak of the learning rate (warm-up over a tenth of the steps, then cosine decay to 0);
            a network most of which starts at random gets twice as much.
        decay: AdamW's weight decay.
        smoothing: of the labels, so that no logit has to grow without end.
        seed: of all randomness.
    """

    preset: str = "compact"
    input: Input = field(default_factory=Input)
    epochs: int = 7
    cells: int = 2000
    batch: int = 32
    rate: float = 4e-4
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


PRESETS = {
    "compact": Recipe(),
    "full": Recipe(preset="full", input=Input(size=299), epochs=6, cells=8000, rate=1e-4),
}


def fit(
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    backbones: Sequence[str] = tuple(BACKBONES),
    weights: str | Path | None = None,
    resume: bool = False,
    held_out: str = "",
    name: str | None = None,
    progress: Callable[[str, int, int, str], object] = lambda *_: None,
) -> store.Manifest:
    """Train an ensemble into a folder.

    Args:
        images: what to train on, from `dataset.split`.
        out: folder for the ensemble, its checkpoints and its TensorBoard logs.
        recipe: how.
        backbones: keys of `BACKBONES`, in order.
        weights: where the backbones start, as in `backbones.build`.
        resume: go on with what an earlier run with the same recipe left in `out`.
        held_out: what was kept away, for the manifest.
        name: the ensemble's; the folder's by default.
        progress: called with (what, done, of, remark).

    Returns:
        The manifest written to `out`: equal weights, no calibration yet.

    Raises:
        FileExistsError: `out` holds a run already and `resume` is not set.
        ValueError: `resume`, but the earlier run had another recipe or other images.
    """
    out.mkdir(parents=True, exist_ok=True)
    how = _describe(images, recipe, weights, held_out)
    _claim(out, how, resume)
    _choose_precision()
    seen: np.ndarray | None = None
    for backbone in backbones:
        if (out / f"{backbone}.safetensors").exists():
            continue
        if seen is None:
            seen = pictures(
                images,
                recipe.input,
                MARGIN,
                lambda done: progress("reading cells", done, len(images), ""),
            )
        _fit_member(backbone, seen, images, out, recipe, weights, progress)
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
        training=how,
    )
    store.write_manifest(out, manifest)
    return manifest


def _describe(images: Sequence[Image], recipe: Recipe, weights: Any, held_out: str) -> dict[str, Any]:
    """What the manifest says of the training."""
    subjects = {(image.subject, image.is_all) for image in images}
    return {
        "images": {"ALL": sum(i.is_all for i in images), "healthy": sum(not i.is_all for i in images)},
        "subjects": {
            "ALL": sum(is_all for _, is_all in subjects),
            "healthy": sum(not is_all for _, is_all in subjects),
        },
        "held_out": Path(held_out).name if held_out else "",
        "start": "ImageNet" if weights is not None else "random",
        "recipe": asdict(recipe),
        "code": version("leukovision"),
    }


def _claim(out: Path, how: dict[str, Any], resume: bool) -> None:
    """Make sure that a folder holds this run and no other."""
    path = out / "run.json"
    text = json.dumps(how, indent=2)
    if path.exists():
        if not resume:
            raise FileExistsError(f"{out}: holds a training run already; give --resume or another --out.")
        if path.read_text(encoding="utf-8") != text:
            raise ValueError(f"{out}: the run there had another recipe or other images; give another --out.")
    path.write_text(text, encoding="utf-8")


def _choose_precision() -> None:
    """bfloat16 where the hardware multiplies it; elsewhere it is emulated and slower than float32."""
    import keras

    accelerated = _has_gpu()
    if not accelerated and platform.system() == "Linux":
        accelerated = "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if accelerated else "float32")


def _has_gpu() -> bool:
    import keras

    if keras.backend.backend() == "torch":  # for which Keras cannot list devices
        import torch

        return bool(torch.cuda.is_available())
    return bool(keras.distribution.list_devices("gpu"))


def _fit_member(
    name: str,
    seen: np.ndarray,
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    weights: str | Path | None,
    progress: Callable[[str, int, int, str], object],
) -> None:
    """Train one backbone, epoch by epoch, each ending in a checkpoint, and write its tensors."""
    import keras

    from leukovision.training.sampling import Batches

    keras.utils.set_random_seed(recipe.seed)
    model = build(name, BACKBONES[name].cut(recipe.preset), recipe.input.size, weights)
    from_image_net = weights is not None
    if from_image_net and recipe.preset == "compact":
        freeze_stem(model, name)
    # A folder of starting weights may hold none of InceptionResNetV2's own: see `backbones.build`.
    mostly_random = not from_image_net or (weights != "imagenet" and name == "inception_resnet_v2")
    longer = 2 if mostly_random else 1
    epochs = longer * recipe.epochs
    steps = epochs * (recipe.cells // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps - steps // 10,
        warmup_target=longer * recipe.rate,
        warmup_steps=steps // 10,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=recipe.decay, global_clipnorm=1.0),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        jit_compile="auto" if _has_gpu() else False,
    )
    model.optimizer.build(model.trainable_variables)

    checkpoint = out / "checkpoints" / name
    checkpoint.mkdir(parents=True, exist_ok=True)
    start = 0
    if (checkpoint / STATE).exists():
        start = json.loads((checkpoint / STATE).read_text())["epochs"]
        model.load_weights(checkpoint / f"{start}.weights.h5")
    is_all = np.array([image.is_all for image in images])
    subjects = [image.subject for image in images]
    callbacks = [keras.callbacks.TensorBoard(out / "logs" / name)] if _has_tensorboard() else []
    for epoch in range(start, epochs):
        batches = Batches(
            seen, is_all, subjects, recipe.input, recipe.seed, epoch, recipe.cells, recipe.batch
        )

        # A checkpoint does not hold how often dropout has drawn, which is once a step.
        model.get_layer(DROPOUT).seed_generator.state.assign([0, epoch * len(batches)])

        def tell(step: int, logs: dict[str, float], epoch: int = epoch, of: int = len(batches)) -> None:
            remark = f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}"
            progress(BACKBONES[name].title, epoch * of + step + 1, epochs * of, remark)

        model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,  # drawn at random already, and alike whatever ran before
            verbose=0,
            callbacks=[*callbacks, keras.callbacks.LambdaCallback(on_train_batch_end=tell)],
        )
        model.save_weights(checkpoint / f"{epoch + 1}.weights.h5")
        # The state is written last: a run killed in between goes on from the epoch before.
        (checkpoint / STATE).write_text(json.dumps({"epochs": epoch + 1}))
        (checkpoint / f"{epoch}.weights.h5").unlink(missing_ok=True)
    store.write_tensors(
        out / f"{name}.safetensors", {key: keras.ops.convert_to_numpy(value) for key, value in tensors(model)}
    )


def _has_tensorboard() -> bool:
    """TensorBoard logs need TensorFlow; training on PyTorch or JAX alone goes without."""
    from importlib.util import find_spec

    return find_spec("tensorflow") is not None and find_spec("tensorboard") is not None
