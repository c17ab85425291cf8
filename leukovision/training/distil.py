"""Cells without labels come in; weights for InceptionResNetV2 to start from go out.

For where it has no ImageNet weights: it learns to see in a piece of a cell what InceptionV3 and Xception,
which have theirs, see there: hints in the middle of a network (Romero et al. 2015, "FitNets",
arXiv:1412.6550). No label and no subject enters, only pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukovision.backbones import BACKBONES, whole
from leukovision.cell import read_cell
from leukovision.preprocessing import Input
from leukovision.training.dataset import Image

if TYPE_CHECKING:
    import keras

STUDENT = "inception_resnet_v2"
TEACHERS = {"inception_v3": "mixed2", "xception": "block5_sepconv1_act"}
PIECE = 128
"""Side of the pieces of a cell that are compared, px: the layers see no further than that."""

_STEM = 18
"""InceptionResNetV2's first layers, whose weights are InceptionV3's and stay."""

_PROBE = 128


def distil(
    images: Sequence[Image],
    start: Path,
    out: Path,
    steps: int = 700,
    batch: int = 32,
    seed: int = 1,
    progress: Callable[[int, int, str], object] = lambda *_: None,
) -> Path:
    """Train InceptionResNetV2 up to its compact cut to see what the teachers see.

    Args:
        images: of cells; their labels are not looked at.
        start: folder of starting weights of the teachers.
        out: folder that the weights are written to, in the form `backbones.build` reads.
        steps, batch: how many steps of how many pieces.
        seed: of all randomness.
        progress: called with (done, of, remark).

    Returns:
        The file.

    Raises:
        FileNotFoundError: the folder has no starting weights of a teacher.
        CellError: an image that cannot be read.
    """
    import keras

    keras.utils.set_random_seed(seed)
    student, teachers, learner = _networks(start)
    input = Input()
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda image: input.picture(read_cell(image.path)), images))
    rng = np.random.default_rng(seed)
    # Channels differ in scale by far; each is to count alike.
    probe = np.stack([_piece(pictures, input, rng) for _ in range(_PROBE)])
    scales = []
    for teacher in teachers:
        found = teacher.predict(probe, verbose=0)
        scales.append((found.mean((0, 1, 2)), found.std((0, 1, 2)) + 1e-2))

    warm_up = max(1, steps // 14)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=2e-3, warmup_steps=warm_up
    )
    learner.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=5.0), loss=["mse", "mse"]
    )
    for step in range(steps):
        pieces = np.stack([_piece(pictures, input, rng) for _ in range(batch)])
        wanted = [
            (np.asarray(teacher.predict_on_batch(pieces)) - mean) / spread
            for teacher, (mean, spread) in zip(teachers, scales, strict=True)
        ]
        loss = learner.train_on_batch(pieces, wanted, return_dict=True)["loss"]
        progress(step + 1, steps, f"loss {float(loss):.3f}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{BACKBONES[STUDENT].start}_to_{BACKBONES[STUDENT].cut('compact')}.weights.h5"
    student.save_weights(path)
    return path


def _networks(start: Path) -> tuple[keras.Model, list[keras.Model], keras.Model]:
    """The student, the teachers up to the layers that it learns from, and the student with a guess of what
    each teacher sees."""
    import keras

    student = whole(STUDENT, PIECE, start)
    for layer in student.layers[:_STEM]:
        layer.trainable = False
    teachers = [
        keras.Model(network.input, network.get_layer(layer).output)
        for name, layer in TEACHERS.items()
        for network in [whole(name, PIECE, start)]
    ]
    seen = student.get_layer(BACKBONES[STUDENT].cut("compact")).output
    guesses = []
    for teacher in teachers:
        side, channels = teacher.output.shape[1], teacher.output.shape[-1]
        same = seen if side == seen.shape[1] else keras.layers.Resizing(side, side)(seen)
        guesses.append(keras.layers.Dense(channels)(same))
    return student, teachers, keras.Model(student.input, guesses)


def _piece(pictures: Sequence[np.ndarray], input: Input, rng: np.random.Generator) -> np.ndarray:
    """(PIECE, PIECE, 3) float32 of a random cell, turned and mirrored at random."""
    numbers = input.numbers(pictures[int(rng.integers(len(pictures)))])
    numbers = np.rot90(numbers, int(rng.integers(4)))
    numbers = numbers[:, ::-1] if rng.random() < 0.5 else numbers
    # The outermost pixels of the frame are black in most cells.
    top, left = rng.integers(16, input.size - PIECE - 16, 2)
    return np.ascontiguousarray(numbers[top : top + PIECE, left : left + PIECE])
