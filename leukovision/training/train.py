"""Labelled images come in; an ensemble's folder, each member trained, goes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leukovision import artifact
from leukovision.backbones import BACKBONES, is_ensemble
from leukovision.question import OURS, Question
from leukovision.training import fine_tuning_loop, linear_probe
from leukovision.training.dataset import Image
from leukovision.training.ood_statistics import FEWEST, describe
from leukovision.training.recipe import Progress, Recipe


def train_ensemble(
    images: Sequence[Image],
    out: Path,
    recipe: Recipe,
    backbones: Sequence[str] = tuple(BACKBONES),
    weights: str | Path | None = None,
    held_out: str = "",
    held_out_subjects: Sequence[str] = (),
    cache: Path | None = None,
    name: str | None = None,
    progress: Progress = lambda *_: None,
    question: Question = OURS,
) -> artifact.Manifest:
    """Train an ensemble into a folder. A run that was killed goes on when it is called again.

    Args:
        images: what to train on, from `dataset.split`.
        out: folder for the ensemble and its logs.
        recipe: how.
        backbones: keys of `BACKBONES`, in order.
        weights: where the backbones start, as in `backbones.build`.
        held_out: what was kept away, in words, for the manifest.
        held_out_subjects: who was kept away, for the manifest: `evaluate` measures on them.
        cache: folder of what frozen layers see of the images, which runs on the same data can share;
            `out`/features by default.
        name: the ensemble's; the folder's by default.
        progress: called with (what, done, of, remark).
        question: what the images tell apart.

    Returns:
        The manifest written to `out`: equal weights, no calibration yet.

    Raises:
        FileExistsError: `out` holds an ensemble already.
        CellError: an image that cannot be read.
    """
    from leukovision.ensemble import load_ensemble

    if (out / artifact.MANIFEST).exists() and not _is_unfinished(out, images):
        raise FileExistsError(f"{out}: holds an ensemble already; give another --out.")
    out.mkdir(parents=True, exist_ok=True)
    for backbone in backbones:
        if not (out / f"{backbone}.safetensors").exists():
            if backbone in recipe.layers:
                fine_tuning_loop.train(backbone, images, out, recipe, weights, progress)
            else:
                features = cache or out / "features"
                linear_probe.train(backbone, images, out, recipe, weights, features, progress)
    training = _describe(images, recipe, weights, held_out, held_out_subjects, question)
    manifest = _manifest(out, recipe, backbones, name or out.resolve().name, question, training)
    artifact.write_manifest(out, manifest)

    def seen(done: int, of: int) -> None:
        progress("how cells look", done, of, "")

    statistics = describe(out, images, load_ensemble(out), recipe.seed, seen)
    manifest = manifest.model_copy(update={"domain": statistics})
    artifact.write_manifest(out, manifest)
    return manifest


def _manifest(
    out: Path,
    recipe: Recipe,
    backbones: Sequence[str],
    name: str,
    question: Question,
    training: dict[str, Any],
) -> artifact.Manifest:
    """Of members whose files are written: equal weights, no calibration yet."""
    specs = [
        artifact.MemberSpec(
            backbone=backbone,
            cut=recipe.cut(backbone),
            file=f"{backbone}.safetensors",
            sha256=artifact.sha256_of(out / f"{backbone}.safetensors"),
            weight=1 / len(backbones),
        )
        for backbone in backbones
    ]
    return artifact.Manifest(
        classes=(question.negative, question.positive),
        data=question.data,
        words={language: dict(words) for language, words in question.words.items()},
        name=name,
        version="0",
        input=artifact.InputSpec(**asdict(recipe.input)),
        members=tuple(specs),
        training=training,
    )


def _is_unfinished(out: Path, images: Sequence[Image]) -> bool:
    """Whether a run was killed after the last member, before it had seen how cells look."""
    left = artifact.read_manifest(out)
    return left.version == "0" and left.domain is None and len(images) >= FEWEST


def _describe(
    images: Sequence[Image],
    recipe: Recipe,
    weights: Any,
    held_out: str,
    held_out_subjects: Sequence[str],
    question: Question,
) -> dict[str, Any]:
    """What the manifest says of the training."""
    subjects = {(image.subject, image.is_all) for image in images}

    def counted(labels: Iterable[int]) -> dict[str, int]:
        found = Counter(map(question.called, labels))
        return {name: found[name] for name in question.names}

    return {
        "images": counted(image.is_all for image in images),
        "subjects": counted(is_all for _, is_all in subjects),
        "held_out": Path(held_out).name if held_out else "",
        "held_out_subjects": sorted(held_out_subjects),
        "start": _start(weights),
        "recipe": asdict(recipe),
        "code": version("leukovision"),
    }


def _start(weights: str | Path | None) -> str:
    """What the networks started from."""
    if is_ensemble(weights):
        own = artifact.read_manifest(Path(str(weights)))
        return f"{own.name} {own.version}"
    return "ImageNet" if weights is not None else "random"
