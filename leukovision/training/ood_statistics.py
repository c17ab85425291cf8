"""Training cells and what the backbones see of them come in; what tells other pictures apart goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from leukovision import artifact, ood
from leukovision.cell import read_cell
from leukovision.ensemble import Ensemble
from leukovision.training.dataset import Image
from leukovision.training.sampling import chances

FILE = "domain.safetensors"

CELLS = 1000
"""Most cells that the statistics are taken from."""

AXES = 64
"""Directions of the features with a variance of their own; never more than a quarter of the cells."""

MARGIN = 1.1
"""How far beyond the training cells the limits lie: they fit these better than a new subject's."""

_QUANTILE = 0.997
_CHUNK = 64

FEWEST = 40
"""Images that say what cells are like; of fewer there is no domain."""


def describe(
    folder: Path,
    images: Sequence[Image],
    ensemble: Ensemble,
    seed: int = 1,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> artifact.DomainSpec | None:
    """Write `domain.safetensors` into an ensemble's folder.

    Args:
        folder: the ensemble's.
        images: what it was trained on; at most `CELLS` of them are drawn, with both classes alike and
            subjects by the square root of their cells.
        ensemble: of that folder.
        seed: of what is drawn.
        progress: called with (done, of).

    Returns:
        What the manifest says of it; None if the images are too few to say what cells are like. The limit
        of the looks is final; that of the feature distance is provisional until `calibrate` sets it on
        held-out cells, which networks and statistics have not seen.
    """
    if len(images) < FEWEST:
        return None
    drawn = draw(images, seed)
    found, seen = [], []
    for start in range(0, len(drawn), _CHUNK):
        cells = [read_cell(images[place].path) for place in drawn[start : start + _CHUNK]]
        found += [ood.looks(cell) for cell in cells]
        seen.append(ensemble.features(cells))
        progress(len(found), len(drawn))
    features = np.concatenate(seen)
    path = folder / FILE
    artifact.write_tensors(path, statistics(np.array(found), features))
    spec = artifact.DomainSpec(file=FILE, sha256=artifact.sha256_of(path), looks=1, distance=1)
    # Read again, so that the limits are of what float16 left of the statistics.
    written = ood.read(folder, spec, features.shape[1])
    limits = {
        name: round(MARGIN * float(np.quantile([measure(one) for one in values], quantile)), 4)
        for name, measure, values, quantile in (
            ("looks", written.oddity, found, _QUANTILE),
            ("distance", written.distance, features, 1 - ood.FALSE_ALARMS),
        )
    }
    return spec.model_copy(update=limits)


def statistics(found: np.ndarray, features: np.ndarray) -> dict[str, np.ndarray]:
    """The tensors of `ood.Domain`.

    Args:
        found: (n, L) float64, `ood.looks` of training cells.
        features: (n, F) float32, pooled features of the same cells.
    """
    logs, roots = np.log(found), np.sqrt(np.maximum(features, 0)).astype(np.float64)
    variances, directions = np.linalg.eigh(np.cov(logs.T))
    away = roots - roots.mean(axis=0)
    count = min(AXES, len(features) // 4)
    _, scales, axes = np.linalg.svd(away, full_matrices=False)
    rest = np.square(scales[count:]).sum() / len(away)
    along = np.square(scales[:count]) / len(away) * count
    return {
        "looks_mean": logs.mean(axis=0),
        "looks_axes": directions / np.sqrt(variances),
        "features_mean": roots.mean(axis=0),
        "features_axes": axes[:count].T,
        # The directions together and the rest make up a half each of a mean squared distance of 1.
        "features_scales": np.sqrt(2 * np.append(along, rest)),
    }


def draw(images: Sequence[Image], seed: int) -> np.ndarray:
    """Places of at most `CELLS` of the images, in their order."""
    if len(images) <= CELLS:
        return np.arange(len(images))
    weights = chances(np.array([i.is_all for i in images]), [i.subject for i in images])
    drawn = np.random.default_rng(seed).choice(len(images), CELLS, replace=False, p=weights)
    return np.sort(drawn)
