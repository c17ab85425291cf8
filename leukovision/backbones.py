"""A backbone's name and cut come in; a Keras network that ends in one linear unit goes out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leukovision import artifact

if TYPE_CHECKING:
    import keras

HEAD = "logit"
"""Name of the linear unit on top of the pooled features."""

STANDARD = "standard"
"""Name of the layer whose output is the last feature map, standardised: the head pools it, and the map comes
from it."""

_GATE = ("context.kernel", "context.bias", "gate.kernel", "gate.bias")
"""Tensors of two layers that heads no longer have: how much each channel counts, by the whole cell."""


@dataclass(frozen=True)
class Backbone:
    """One of the three architectures, as Keras Applications builds it.

    Attributes:
        title: how people write it.
        application: its function in `keras.applications`.
        full: the layer that the map comes from when the network is whole (the last feature map).
        compact: the same when it is cut in mid-network, where the map is 14 to 29 wide at 256 px.
        whole: the same where nearly every layer is trained, at 192 px: the map is 10 to 21 wide.
        stem: how many of the first convolutions are never trained: edges and colours are the same in cells
            (of InceptionV3 all up to `mixed0`).
        start: prefix of the file of ImageNet weights in a `--backbone-weights` folder.
    """

    title: str
    application: str
    full: str
    compact: str
    whole: str
    stem: int
    start: str

    def cut(self, preset: str) -> str:
        """The layer that the map comes from, for preset `compact`, `whole` or `full`."""
        return {"compact": self.compact, "whole": self.whole, "full": self.full}[preset]


# The layers are named, never searched for: searches for "the last convolution" pick a branch of the
# last Inception block, or a layer before the last activation.
BACKBONES = {
    "xception": Backbone(
        "Xception",
        "Xception",
        full="block14_sepconv2_act",
        compact="block5_sepconv1_act",
        whole="block7_sepconv1_act",
        stem=5,
        start="xception",
    ),
    "inception_resnet_v2": Backbone(
        "InceptionResNetV2",
        "InceptionResNetV2",
        full="conv_7b_ac",
        compact="block35_5_ac",
        whole="block35_10_ac",
        stem=5,
        start="inception_resnet_v2",
    ),
    "inception_v3": Backbone(
        "InceptionV3",
        "InceptionV3",
        full="mixed10",
        compact="mixed3",
        whole="mixed7",
        stem=12,
        start="inception_v3",
    ),
}


def build(name: str, cut: str, size: int, weights: str | Path | None = None) -> keras.Model:
    """A network from pixels to one logit: a backbone's layers up to a cut, and a head on them.

    The head brings each channel to mean 0 and spread 1, averages it over the map, and adds up: so the logit
    is exactly a bias plus the mean of a map.

    Args:
        name: a key of `BACKBONES`.
        cut: name of the layer at which the backbone is cut.
        size: side of the input, px.
        weights: None for random ones, "imagenet" to download those of Keras Applications, an ensemble's
            folder, or one with `<start>*.weights.h5` files. InceptionResNetV2, where the folder has none of
            its own, takes what fits of InceptionV3: the stem and parts of the first Inception block.

    Returns:
        (b, size, size, 3) float32 -> (b, 1) float32, logits; layer `STANDARD` gives the (b, h, w, C)
        feature map, layer `HEAD` is the linear unit on its mean.

    Raises:
        ValueError: an unknown name or cut, or the ensemble's member has another one.
        FileNotFoundError: the folder has no starting weights for this backbone.
    """
    import keras

    if name not in BACKBONES:
        raise ValueError(f"no backbone is called {name!r}; there are {', '.join(BACKBONES)}.")
    if is_ensemble(weights):
        return _member(name, cut, size, Path(str(weights)))
    pixels = keras.Input((size, size, 3))
    if weights is None:
        application = getattr(keras.applications, BACKBONES[name].application)
        seen = _up_to(cut, lambda: application(include_top=False, weights=None, input_tensor=pixels))
    else:
        backbone = whole(name, size, weights)
        pixels = backbone.input
        seen = {layer.name: layer.output for layer in backbone.layers}.get(cut)
    if seen is None:
        raise ValueError(f"{BACKBONES[name].title} has no layer {cut!r} to be cut at.")
    layers = keras.layers
    # Set from the training cells, never trained: see `set_standard`.
    standard = layers.BatchNormalization(epsilon=0.0, trainable=False, name=STANDARD)(seen)
    mean = layers.GlobalAveragePooling2D(name="mean")(standard)
    return keras.Model(pixels, layers.Dense(1, name=HEAD)(mean), name=name)


def is_ensemble(weights: str | Path | None) -> bool:
    """Whether what a network starts from is an ensemble's folder: then its unit is that of the member."""
    return weights is not None and (Path(weights) / artifact.MANIFEST).is_file()


def _member(name: str, cut: str, size: int, folder: Path) -> keras.Model:
    """A network with the tensors of an ensemble's member."""
    specs = {spec.backbone: spec for spec in artifact.read_manifest(folder).members}
    if name not in specs:
        raise FileNotFoundError(f"{folder}: this ensemble has no {BACKBONES[name].title} to start from.")
    spec = specs[name]
    if spec.cut != cut:
        raise ValueError(
            f"{folder}: its {BACKBONES[name].title} is cut at {spec.cut}, and would have to be at {cut} for "
            "this recipe."
        )
    network = build(name, cut, size)
    fill(network, cut, artifact.read_tensors(folder / spec.file, spec.sha256), folder / spec.file)
    return network


def fill(network: keras.Model, cut: str, values: Mapping[str, np.ndarray], file: Path) -> None:
    """Put the tensors of a file into a network of `build`.

    Args:
        network: cut at `cut`.
        cut: name of a layer.
        values: as `tensors` names them.
        file: where they are from.

    Raises:
        artifact.StoreError: they are not those of this network.
    """
    wanted = dict(tensors(network))
    values = _without_gate(values, file)
    if odd := sorted(set(wanted) ^ set(values)):
        raise artifact.StoreError(
            f"{file}: its tensors are not those of {network.name} cut at {cut} "
            f"({odd[0]!r} is {'missing' if odd[0] in wanted else 'one too many'})."
        )
    for name, variable in wanted.items():
        if tuple(variable.shape) != values[name].shape:
            raise artifact.StoreError(
                f"{file}: tensor {name!r} has shape {values[name].shape}; "
                f"{network.name} cut at {cut} wants {tuple(variable.shape)}."
            )
        variable.assign(values[name])


def store(network: keras.Model, file: Path) -> None:
    """Write the tensors of a network of `build`, which `fill` puts into another."""
    import keras

    values = {name: keras.ops.convert_to_numpy(variable) for name, variable in tensors(network)}
    artifact.write_tensors(file, values)


def _without_gate(values: Mapping[str, np.ndarray], file: Path) -> Mapping[str, np.ndarray]:
    """The tensors of a file but for those of `_GATE`, where these let every channel count alike, as those
    of ensembles 2.0 to 2.2 do."""
    if not all(name in values for name in _GATE):
        return values
    if values["gate.kernel"].any() or (values["gate.bias"] != 1).any():
        raise artifact.StoreError(
            f"{file}: was trained to weigh its channels by the whole cell (tensors context and gate), which "
            "is not done any more; train this ensemble again with `leukovision train`."
        )
    return {name: tensor for name, tensor in values.items() if name not in _GATE}


class _ReachedError(Exception):
    """The layer that was waited for is built; its output is the argument."""


_patching = threading.Lock()


def _up_to(cut: str, application: Callable[[], keras.Model]) -> Any:
    """The output of a layer of a network that is built only so far; None if it has no such layer.

    Keras Applications build whole networks, and have no other place to stop them at than the call of a layer.
    To build them whole and cut them takes 2.3 times the processor time for the embedded ensemble (12.9 s in
    place of 5.7 s, at 256 px) and 416 MB more at the peak, which is not given back: each layer
    holds the ones that follow it.
    """
    import keras

    call, builder = keras.Layer.__call__, threading.get_ident()

    def call_and_stop(layer: keras.Layer, *args: Any, **options: Any) -> Any:
        output = call(layer, *args, **options)
        if layer.name == cut and threading.get_ident() == builder:
            raise _ReachedError(output)
        return output

    with _patching:
        keras.Layer.__call__ = call_and_stop
        try:
            application()
        except _ReachedError as reached:
            return reached.args[0]
        finally:
            keras.Layer.__call__ = call
    return None


def trunk_of(network: keras.Model) -> keras.Model:
    """The backbone's layers of a network of `build`: (b, size, size, 3) -> (b, C), what they see, pooled."""
    import keras

    seen = keras.layers.GlobalAveragePooling2D()(network.get_layer(STANDARD).input)
    return keras.Model(network.input, seen, name=f"{network.name}_trunk")


@dataclass(frozen=True)
class Standard:
    """Brings each channel to mean 0 and spread 1.

    Attributes:
        mean, factor: (C,) float64; of a channel that is all but always off, a factor that leaves it off.
    """

    mean: np.ndarray
    factor: np.ndarray

    @staticmethod
    def of(seen: np.ndarray) -> Standard:
        """From (n, C) float32."""
        mean, spread = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64)
        # The factor has to fit into float16, and so a small variance would not.
        return Standard(mean, 1 / np.maximum(spread, max(1e-3 * spread.max(), 1e-4)))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n, C) float32 -> the same, standardised."""
        return np.asarray((values - self.mean) * self.factor, dtype=np.float32)


def set_standard(network: keras.Model, standard: Standard) -> None:
    """Make the head of a network of `build` standardise what it is given."""
    mean, factor = standard.mean, standard.factor
    network.get_layer(STANDARD).set_weights([factor, -mean * factor, 0 * mean, 0 * mean + 1])


def freeze(network: keras.Model) -> None:
    """Make all of a network of `build` trainable but its first convolutions, with their batch norms, and what
    standardises the channels."""
    network.trainable = True
    convolutions = 0
    for layer in network.layers:
        convolutions += any(len(weight.shape) == 4 for weight in layer.weights)
        if convolutions <= BACKBONES[network.name].stem or layer.name == STANDARD:
            layer.trainable = False


def tensors(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Every weight of a network of `build` with a name that is the same in each process and backend.

    Keras numbers unnamed layers by a counter that goes on within a process; the order of the layers
    does not change, so their place in it is the name.
    """
    place = 0
    for layer in model.layers:
        if layer.weights:
            for variable in layer.weights:
                prefix = layer.name if layer.name in (STANDARD, HEAD) else f"{place:03d}"
                yield f"{prefix}.{variable.name}", variable
            place += 1


def whole(name: str, size: int, weights: str | Path | None = None) -> keras.Model:
    """A backbone with all its layers and without a head; arguments and errors as in `build`."""
    import keras

    application = getattr(keras.applications, BACKBONES[name].application)
    named = "imagenet" if weights == "imagenet" else None
    try:
        network = application(include_top=False, weights=named, input_shape=(size, size, 3))
    except Exception as error:  # Keras raises a bare one where it cannot download
        if not named:
            raise
        raise OSError(
            f"the ImageNet weights of {BACKBONES[name].title} cannot be downloaded ({error}); give a "
            "folder that has them with --backbone-weights, or --backbone-weights none to start at random."
        ) from None
    if weights not in (None, "imagenet"):
        _load_start(network, name, Path(str(weights)), size)
    return network


def _load_start(model: keras.Model, name: str, folder: Path, size: int) -> None:
    """Fill a whole network with the ImageNet weights of a folder."""
    own = sorted(folder.glob(f"{BACKBONES[name].start}*.weights.h5"))
    if own:
        model.load_weights(own[0])
    elif name == "inception_resnet_v2" and any(folder.glob("inception_v3*.weights.h5")):
        _copy_what_fits(whole("inception_v3", size, folder), model)
    else:
        raise FileNotFoundError(
            f"{folder}: no {BACKBONES[name].start}*.weights.h5 to start {BACKBONES[name].title} from; "
            "give a folder that has it, or --backbone-weights none to start at random."
        )


def _copy_what_fits(inception_v3: keras.Model, inception_resnet_v2: keras.Model) -> None:
    """InceptionV3's stem (five convolutions) and the branches of its first block that InceptionResNetV2
    builds alike: the 5x5 and the double 3x3 whole, of the two 1x1 the channels that there are."""
    import keras

    for kind in ("Conv2D", "BatchNormalization"):
        sources, targets = (
            _in_order_of_building(model, kind)[:12] for model in (inception_v3, inception_resnet_v2)
        )
        for source, target in zip(sources, targets, strict=True):
            for theirs, ours in zip(source.weights, target.weights, strict=True):
                values, part = keras.ops.convert_to_numpy(ours).copy(), tuple(slice(n) for n in theirs.shape)
                values[part] = keras.ops.convert_to_numpy(theirs)
                ours.assign(values)


def _in_order_of_building(model: keras.Model, kind: str) -> list[Any]:
    """The layers of a kind by the number in their name; `model.layers` has parallel branches mixed."""
    numbers = {
        layer: int(match[0]) if (match := re.search(r"\d+$", layer.name.removesuffix("2d"))) else -1
        for layer in model.layers
        if type(layer).__name__ == kind and layer.name.startswith(("conv2d", "batch_normalization"))
    }
    return sorted(numbers, key=lambda layer: numbers[layer])
