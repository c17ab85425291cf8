"""An ensemble comes in; its twin, in which the top layers know nothing, goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from leukovision.backbones import HEAD, build
from leukovision.ensemble import Ensemble

if TYPE_CHECKING:
    import keras

DEPTHS = {"head": 0.0, "half": 0.5, "all": 1.0}
"""How far down from the top a twin is shuffled: only the head, half of the backbone too, or all of it."""


def twin(ensemble: Ensemble, depth: str = "head", seed: int = 0) -> Ensemble:
    """The same networks with what they have learnt shuffled, from the top down.

    Each tensor keeps its numbers and loses their order, so that no layer gets louder or quieter. A map that
    does not change then shows the picture, not the network (Adebayo et al. 2018, "Sanity Checks for
    Saliency Maps", arXiv:1810.03292).

    Args:
        ensemble: is not changed.
        depth: a key of `DEPTHS`.
        seed: of the shuffling.

    Raises:
        ValueError: there is no such depth.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth can be {', '.join(DEPTHS)}, not {depth!r}.")
    networks = []
    for place, spec in enumerate(ensemble.manifest.members):
        network = build(spec.backbone, spec.cut, ensemble.input.size)
        network.set_weights(ensemble.networks[spec.backbone].get_weights())
        _shuffle(network, DEPTHS[depth], np.random.default_rng([seed, place]).permutation)
        networks.append(network)
    manifest = ensemble.manifest.model_copy(update={"name": f"{ensemble.manifest.name}, {depth} shuffled"})
    # No domain: what it saw in training cells is not what it sees now.
    return Ensemble(manifest, networks, ensemble.found)


def _shuffle(network: keras.Model, share: float, permutation: Callable[[np.ndarray], np.ndarray]) -> None:
    """Shuffle the head, and this share of the backbone's layers with a kernel, the top ones."""
    head = network.get_layer(HEAD)
    rest = [layer for layer in network.layers if any(len(weight.shape) == 4 for weight in layer.weights)]
    for layer in [head, *rest[len(rest) - round(share * len(rest)) :]]:
        for variable in layer.weights:
            values = np.asarray(variable)
            # Statistics of batches stay.
            if layer is head or values.ndim == 4:
                variable.assign(permutation(values.ravel()).reshape(values.shape))
