"""A picture and the name of a method come in; a map for each backbone and a combined one go out.

Beside the maps that add up there are seven methods of others, to compare them with. Most run in
tf-keras-vis 0.8.7, which has to be told a few things: what each of them is stands where it is said.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from leukovision.ensemble import Ensemble, enlarge

if TYPE_CHECKING:
    import keras

DEFAULT = "adds_up"
"""Key of the method that is shown first: the maps that come with the decision."""

STEPS = 8
"""Pictures between black and the cell that integrated gradients take, and noisy ones of SmoothGrad."""

NOISE = 0.06
"""Spread of SmoothGrad's noise, as a part of the range of a picture's numbers: a fifth of a cell's own."""

MASKS = 16
"""Channels, the ones that vary most, that Score-CAM covers a cell with."""

_numpy_random = threading.Lock()


@dataclass(frozen=True)
class Method:
    """A way to draw a map.

    Attributes:
        title: how people call it.
        paper: where it was published.
        signed: whether a map says "for" and "against"; one that is not has nothing below 0.
        draw: (network, its cut, (1, size, size, 3) float32 numbers, sign, seed) -> (h, w) float32. The sign
            is 1 for what speaks for the positive class, -1 for the other. None where the map comes with the
            decision.
    """

    title: str
    paper: str
    signed: bool
    draw: Callable[[keras.Model, str, np.ndarray, int, int], np.ndarray] | None


@dataclass(frozen=True, eq=False)
class Maps:
    """What a method draws of one picture.

    Attributes:
        members: (h, w) float32 by backbone, at the resolution that the method has.
        combined: (size, size) float32, their sum, each as its backbone counts in the ensemble.
    """

    members: dict[str, np.ndarray]
    combined: np.ndarray


def explain(
    ensemble: Ensemble, numbers: np.ndarray, method: str = DEFAULT, target: str = "", seed: int = 0
) -> Maps:
    """Draw a picture's maps.

    Args:
        ensemble: which networks to explain; they are not changed.
        numbers: (size, size, 3) float32, as `Input.numbers` gives them.
        method: a key of `METHODS`.
        target: the name of a class: what speaks for it is above 0; by default the positive one.
        seed: of SmoothGrad's noise; the same seed gives the same map.

    Returns:
        The maps, in logits where the method has a unit; never brought to 0 to 1, so that a weak one
        looks weak. All zero where a method finds nothing for the target.

    Raises:
        ValueError: there is no such method or target.
    """
    if method not in METHODS:
        raise ValueError(f"no method is called {method!r}; there are {', '.join(METHODS)}.")
    sign = ensemble.question.sign(target or ensemble.question.positive)
    draw = METHODS[method].draw
    if draw is None:
        maps = [sign * found for found in ensemble.maps(numbers)]
    else:
        maps = [
            draw(ensemble.networks[spec.backbone], spec.cut, numbers[None], sign, seed) / spec.temperature
            for spec in ensemble.manifest.members
        ]
    maps = [np.asarray(found, dtype=np.float32) for found in maps]
    specs = ensemble.manifest.members
    combined = sum(
        spec.weight * enlarge(found, ensemble.input.size) for spec, found in zip(specs, maps, strict=True)
    )
    return Maps({s.backbone: m for s, m in zip(specs, maps, strict=True)}, np.asarray(combined, np.float32))


def _score(sign: int) -> Callable[[Any], Any]:
    """Explain the logit: behind a sigmoid that is at its end, every gradient is 0."""
    return lambda logits: sign * logits[:, 0]


def _cam(kind: str, network: keras.Model, cut: str, numbers: np.ndarray, sign: int, _: int) -> np.ndarray:
    """Grad-CAM and what came of it, on the backbone's last feature map."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam

    found = {"gradcam": Gradcam, "gradcam_plus_plus": GradcamPlusPlus, "layercam": Layercam}[kind](network)(
        _score(sign),
        numbers,
        # By name: its own search for "the last convolution" ends in one branch of an Inception block.
        penultimate_layer=cut,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        # Stretching each map to 0 to 1 would hide how strong it is.
        normalize_cam=False,
    )
    # Gradients of a mean over places are small by their number; so the maps are in logits.
    return np.asarray(np.asarray(found)[0] * np.asarray(found)[0].size)


def _scorecam(network: keras.Model, cut: str, numbers: np.ndarray, sign: int, _: int) -> np.ndarray:
    from tf_keras_vis.scorecam import Scorecam

    with redirect_stdout(io.StringIO()):  # it shows a progress bar for each network
        found = Scorecam(_two_outputs(network))(
            lambda both: both[..., (1 + sign) // 2],
            # It covers by multiplying with 0, which has to be black.
            numbers + 1,
            penultimate_layer=cut,
            seek_penultimate_conv_layer=False,
            max_N=MASKS,
            batch_size=MASKS,
            expand_cam=False,
            normalize_cam=False,
        )
    return np.asarray(np.asarray(found)[0])


def _two_outputs(network: keras.Model) -> keras.Model:
    """A copy that reads black as 0 and says [-z/2, z/2]: Score-CAM takes a softmax over the outputs, and
    over one logit alone that is 1 whatever the network says."""
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    # The first convolution has no bias and sees nothing beyond the picture, so that what numbers 1 higher
    # add to it is the same everywhere; the batch norm behind it can take that away.
    first = next(layer for layer in copy.layers if isinstance(layer, keras.layers.Conv2D))
    norm = next(layer for layer in copy.layers if isinstance(layer, keras.layers.BatchNormalization))
    norm.moving_mean.assign_add(keras.ops.sum(first.kernel, axis=(0, 1, 2)))
    both = keras.layers.Dense(2, use_bias=False, name="both")
    two = keras.Model(copy.input, both(copy.output))
    both.set_weights([np.array([[-0.5, 0.5]], np.float32)])
    return two


def _gradient(
    samples: int, network: keras.Model, _: str, numbers: np.ndarray, sign: int, seed: int
) -> np.ndarray:
    """Vanilla gradient, and SmoothGrad where there are samples; brighter for the target is above 0."""
    from tf_keras_vis.saliency import Saliency

    # It draws its noise from the one random state of the process.
    with _numpy_random:
        state = np.random.get_state()
        np.random.seed(seed)
        try:
            found = Saliency(network)(
                _score(sign),
                numbers,
                smooth_samples=samples,
                smooth_noise=NOISE,
                # By default it takes absolute values, in which both classes look alike.
                gradient_modifier=None,
                keepdims=True,
                normalize_map=False,
            )
        finally:
            np.random.set_state(state)
    return np.asarray(np.asarray(found)[0].sum(axis=-1))


def _integrated_gradients(
    network: keras.Model, _: str, numbers: np.ndarray, sign: int, __: int
) -> np.ndarray:
    """From an empty frame to the picture. With so few steps they add up only roughly."""
    import tensorflow as tf

    steps = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
    points = tf.constant(steps[:, None, None, None] * (numbers + 1) - 1)
    with tf.GradientTape() as tape:
        tape.watch(points)
        logits = sign * network(points, training=False)[:, 0]
    gradient = np.asarray(tape.gradient(logits, points)).mean(axis=0)
    found = (gradient * (numbers[0] + 1)).sum(axis=-1)
    return np.asarray(found * found.size)


METHODS = {
    DEFAULT: Method("Exact parts (CAM)", "Zhou et al. 2016, doi:10.1109/CVPR.2016.319", True, None),
    "gradcam": Method(
        "Grad-CAM", "Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74", False, partial(_cam, "gradcam")
    ),
    "gradcam_plus_plus": Method(
        "Grad-CAM++", "Chattopadhay et al. 2018, doi:10.1109/WACV.2018.00097", False,
        partial(_cam, "gradcam_plus_plus"),
    ),
    "layercam": Method(
        "LayerCAM", "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943", False, partial(_cam, "layercam")
    ),
    "scorecam": Method("Score-CAM", "Wang et al. 2020, doi:10.1109/CVPRW50498.2020.00020", False, _scorecam),
    "gradient": Method("Gradient", "Simonyan et al. 2014, arXiv:1312.6034", True, partial(_gradient, 0)),
    "smoothgrad": Method(
        "SmoothGrad", "Smilkov et al. 2017, arXiv:1706.03825", True, partial(_gradient, STEPS)
    ),
    "integrated_gradients": Method(
        "Integrated gradients", "Sundararajan et al. 2017, arXiv:1703.01365", True, _integrated_gradients
    ),
}  # fmt: skip
"""Every method by its key, the one shown first at the front."""

__all__ = ["DEFAULT", "METHODS", "Maps", "Method", "explain"]
