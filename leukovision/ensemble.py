"""Cells come in; an `Analysis` each goes out: the decision, and maps that add up to it.

Each member's logit is a bias plus the mean of its class activation map (Zhou et al. 2016,
doi:10.1109/CVPR.2016.319), and the ensemble's logit is a weighted sum of the members' logits. So decision
and explanation come out of one forward pass, and the second is exactly the first, spread over the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from leukovision import artifact, hub, keras_config, ood, slide
from leukovision.backbones import HEAD, build, fill
from leukovision.cell import Cell
from leukovision.decision import decide
from leukovision.errors import sentence
from leukovision.inference import BATCH, Forward
from leukovision.preprocessing import Input, inside
from leukovision.question import OURS, UNSURE, Question
from leukovision.slide import SlideDecision

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Source:
    """Which ensemble decided.

    Attributes:
        name, version: by its manifest.
        origin: `embedded`, the folder it was read from, or `user/repo@commit` on the Hub.
        question: what it decides.
    """

    name: str
    version: str
    origin: str
    question: Question = OURS

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.origin})"


@dataclass(frozen=True, eq=False)
class MemberAnalysis:
    """What one backbone says of a cell.

    Attributes:
        p_all: its calibrated probability of the positive class, 0 to 1.
        logit: its calibrated logit, the ensemble's bias in it; `logit == constant + cam.mean()`.
        constant: the part of the logit that no place on the cell holds.
        cam: (size, size) float32, logits: towards the positive class above 0, else below. Smooth.
        coarse: (h, w) float32, logits, the same map at the resolution that the network has.
        weight: of it in the ensemble, 0 to 1; `weight * cam` is what it adds to the combined map.
    """

    p_all: float
    logit: float
    constant: float
    cam: np.ndarray
    coarse: np.ndarray
    weight: float

    @property
    def share(self) -> float:
        """What it adds to the ensemble's logit; the shares sum to it."""
        return self.weight * self.logit


@dataclass(frozen=True, eq=False)
class Analysis:
    """What an ensemble says of a cell.

    Attributes:
        decision: the name of a class, or "unsure".
        p_all: probability of the positive class, 0 to 1.
        logit: its logit; `logit == constant + cam.mean()`, to float32 rounding.
        constant: the part of the logit that no place on the cell holds.
        cam: (size, size) float32, logits: the combined map, over what `picture` shows.
        members: by backbone, in the ensemble's order.
        in_domain: whether the picture is of the kind that the ensemble was trained on.
        reason: a sentence, where the decision is "unsure"; else "".
        ensemble: which one decided.
        picture: (size, size, 3) uint8, what the backbones saw of the cell, before colour is standardised.
        distance: of its features from those of training cells, which are at about 1; nan if the ensemble
            has no statistics of them. It does not depend on the views.
    """

    decision: str
    p_all: float
    logit: float
    constant: float
    cam: np.ndarray
    members: dict[str, MemberAnalysis]
    in_domain: bool
    reason: str
    ensemble: Source
    picture: np.ndarray
    distance: float = float("nan")

    @property
    def question(self) -> Question:
        """What was decided."""
        return self.ensemble.question


class Ensemble:
    """Members that are ready to analyse cells; made by `load_ensemble`."""

    def __init__(
        self,
        manifest: artifact.Manifest,
        networks: Sequence[keras.Model],
        found: hub.Found,
        reference: ood.Domain | None = None,
    ):
        """Join networks of `backbones.build`, in the manifest's order, into one graph."""
        import keras

        self.manifest, self.found, self.domain = manifest, found, reference
        self.question = manifest.question
        self.source = Source(manifest.name, manifest.version, found.origin, self.question)
        self.input = Input(**manifest.input.model_dump())
        self.networks = dict(zip((spec.backbone for spec in manifest.members), networks, strict=True))
        self._biases = [float(keras.ops.convert_to_numpy(net.get_layer(HEAD).bias)[0]) for net in networks]
        self._forward = Forward(networks, [spec.cut for spec in manifest.members])

    def warm_up(self) -> None:
        """Take one look at nothing, so that the first cell does not wait for what is made then."""
        self._forward(np.full((1, self.input.size, self.input.size, 3), -1, dtype=np.float32))

    def analyse(self, cells: Sequence[Cell], views: int | None = None) -> list[Analysis]:
        """Decide on cells and explain it.

        Args:
            cells: any number of them.
            views: 1, or 8 to average the cell turned and mirrored in 8 ways; the manifest's by default.

        Returns:
            An analysis each, in order. It does not depend on what else is in the batch.

        Raises:
            ValueError: `views` is neither 1 nor 8.
            StoreError: a number that is not finite comes out of the networks.
        """
        views = views or self.manifest.views
        if views not in (1, 8):
            raise ValueError(f"views can be 1 or 8, not {views}.")
        batches = [cells[start : start + BATCH] for start in range(0, len(cells), BATCH)]
        concluded = []
        # While the networks look at one batch, the next is made ready, and the one before concluded on.
        with ThreadPoolExecutor(2) as beside:
            ahead = [beside.submit(self._seen, cell) for cell in cells[:BATCH]]
            for batch, following in pairwise([*batches, ()]):
                pictures, inputs = zip(*(ready.result() for ready in ahead), strict=True)
                ahead = [beside.submit(self._seen, cell) for cell in following]
                odd = [beside.submit(self._odd, cell) for cell in batch]
                maps, pooled = self._viewed(np.stack(inputs), views)
                for number, seen in enumerate(zip(pictures, inputs, strict=True)):
                    its_maps = [member[number] for member in maps]
                    concluded.append(
                        beside.submit(self._conclude, *seen, its_maps, pooled[number], odd[number])
                    )
        return [analysis.result() for analysis in concluded]

    def decide(self, analyses: Sequence[Analysis]) -> SlideDecision:
        """One decision for the cells of one person, from what `analyse` said of each."""
        return slide.decide(
            [analysis.logit for analysis in analyses],
            [analysis.in_domain for analysis in analyses],
            [analysis.decision for analysis in analyses],
            self.manifest.slide,
            self.question,
        )

    def _seen(self, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
        """The picture of a cell, and its numbers."""
        picture = self.input.picture(cell)
        return picture, self.input.numbers(picture)

    def _odd(self, cell: Cell) -> str:
        """Why a cell looks out of domain, or ""; without statistics only black around it is asked for."""
        if self.domain:
            return self.domain.odd(cell)
        return "" if cell.on_black else ood.NOT_ON_BLACK

    def maps(self, numbers: np.ndarray) -> list[np.ndarray]:
        """The maps that add up, of one picture as its backbones read it, changed in any way.

        Args:
            numbers: (size, size, 3) float32, as `Input.numbers` gives them.

        Returns:
            For each member (h, w) float32, in its calibrated logits, in one view.
        """
        maps, _ = self._passed(numbers[None])
        specs = self.manifest.members
        return [
            moved_onto_cell(m[0], inside(numbers)) / np.float32(spec.temperature)
            for spec, m in zip(specs, maps, strict=True)
        ]

    def logits(self, numbers: np.ndarray) -> np.ndarray:
        """What the ensemble says of pictures as its backbones read them, changed in any way.

        Args:
            numbers: (n, size, size, 3) float32, as `Input.numbers` gives them.

        Returns:
            (n,) float64: the ensemble's logits, in one view.
        """
        logits = np.full(len(numbers), self.manifest.bias, dtype=np.float64)
        maps, _ = self._passed(numbers)
        for spec, bias, m in zip(self.manifest.members, self._biases, maps, strict=True):
            logits += spec.weight / spec.temperature * (bias + m.mean((1, 2), dtype=np.float64))
        return logits

    def features(self, cells: Sequence[Cell]) -> np.ndarray:
        """(n, F) float32: the mean over the last feature map of each member, side by side, of each cell.

        At least one cell; they are as `analyse` sees them in the first view, and out of the same graph.
        """
        numbers = [self.input.numbers(self.input.picture(cell)) for cell in cells]
        return self._passed(np.stack(numbers))[1]

    def _passed(self, numbers: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """As `Forward`, and nothing is ever made of a number that is not finite.

        Raises:
            StoreError: there is one.
        """
        maps, pooled = self._forward(numbers)
        for output in (*maps, pooled):
            self._check(output)
        return maps, pooled

    def _check(self, output: np.ndarray | float) -> None:
        if not np.isfinite(output).all():
            raise artifact.StoreError(sentence("not_finite", name=self.source))

    def _viewed(self, numbers: np.ndarray, views: int) -> tuple[list[np.ndarray], np.ndarray]:
        """As `Forward`, with the maps averaged over the views; the features are those of the first."""
        ways = [(quarter, mirrored) for quarter in range(4) for mirrored in (False, True)][:views]
        maps, pooled = self._passed(np.concatenate([_turned(numbers, *way) for way in ways]))
        seen = [np.split(member, views) for member in maps]
        back = [[_turned_back(m, *way) for m, way in zip(of, ways, strict=True)] for of in seen]
        return [np.mean(member, axis=0) for member in back], pooled[: len(numbers)]

    def _conclude(
        self,
        picture: np.ndarray,
        numbers: np.ndarray,
        maps: Sequence[np.ndarray],
        features: np.ndarray,
        looks: Future[str],
    ) -> Analysis:
        """Pool the members' maps of one cell; `looks` will say why it looks odd."""
        members: dict[str, MemberAnalysis] = {}
        logit = constant = 0.0
        cam = np.zeros((self.input.size, self.input.size), dtype=np.float32)
        on_cell = inside(numbers)
        for spec, bias, coarse in zip(self.manifest.members, self._biases, maps, strict=True):
            calibrated = (moved_onto_cell(coarse, on_cell) / spec.temperature).astype(np.float32)
            # The weights sum to 1, so the ensemble's bias can as well stand in each member: then the
            # ensemble lies between its members, and the shares alone sum to its logit.
            member_constant = bias / spec.temperature + self.manifest.bias
            member_logit = member_constant + float(calibrated.mean(dtype=np.float64))
            member_cam = enlarge(calibrated, self.input.size)
            members[spec.backbone] = member = MemberAnalysis(
                sigmoid(member_logit), member_logit, member_constant, member_cam, calibrated, spec.weight
            )
            logit += member.share
            constant += spec.weight * member_constant
            cam += spec.weight * member_cam
        p_all = sigmoid(logit)
        distance = self.domain.distance(features) if self.domain else float("nan")
        for number in (logit, cam, distance if self.domain else 0.0):
            self._check(number)
        odd = looks.result() or (self.domain.far(distance) if self.domain else "")
        decision, reason = (UNSURE, odd) if odd else decide(p_all, self.manifest.thresholds, self.question)
        return Analysis(
            decision, p_all, logit, constant, cam, members, not odd, reason, self.source, picture, distance
        )


def sigmoid(logit: float) -> float:
    """Logit -> probability."""
    return float(0.5 * (1 + np.tanh(logit / 2)))


def enlarge(coarse: np.ndarray, side: int) -> np.ndarray:
    """(h, w) float32 -> (side, side) float32: smooth, with exactly the same mean."""
    smooth = _resized(coarse, (side, side), Image.Resampling.BICUBIC)
    return smooth + np.float32(coarse.mean(dtype=np.float64) - smooth.mean(dtype=np.float64))


def moved_onto_cell(coarse: np.ndarray, on_cell: np.ndarray) -> np.ndarray:
    """What a map holds on the black around a cell is spread evenly over the cell, with the same mean.

    There is nothing to see on black, and yet the networks have a level there, and see the cell's rim from
    a little outside. Left where it is, this would draw half of the evidence beside the cell.

    Args:
        coarse: (h, w) float32, a member's map.
        on_cell: (size, size) bool, what is not black.
    """
    cover = _resized(on_cell.astype(np.float32), coarse.shape, Image.Resampling.BOX)
    if not cover.any():
        return coarse
    beside = ((1 - cover) * coarse).mean(dtype=np.float64)
    return np.asarray(cover * (coarse + beside / cover.mean(dtype=np.float64)), dtype=np.float32)


def _resized(values: np.ndarray, shape: tuple[int, ...], how: Image.Resampling) -> np.ndarray:
    """(h, w) float32 -> float32 of another shape, as Pillow does it, in a third of the time."""
    down, across = (_weights(old, new, how) for old, new in zip(values.shape, shape, strict=True))
    return np.asarray(down @ values @ across.T)


@cache
def _weights(old: int, new: int, how: Image.Resampling) -> np.ndarray:
    """(new, old) float32: how much of each of `old` values in a row goes into each of `new`."""
    return np.asarray(Image.fromarray(np.eye(old, dtype=np.float32)).resize((old, new), how))


def _turned(batch: np.ndarray, quarter: int, mirrored: bool) -> np.ndarray:
    turned = np.rot90(batch, quarter, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


def _turned_back(maps: np.ndarray, quarter: int, mirrored: bool) -> np.ndarray:
    return np.rot90(maps[:, :, ::-1] if mirrored else maps, -quarter, axes=(1, 2))


def load_ensemble(source: str | Path | hub.Found | None = None) -> Ensemble:
    """Read an ensemble.

    Args:
        source: its folder, or its name on the Hugging Face Hub, `user/repo` or `user/repo@revision`. None
            for what the environment variable LEUKOVISION_ENSEMBLE names, or else for the one that comes
            with the code.

    Raises:
        artifact.StoreError: it cannot be pulled, the folder is not an ensemble's, or something in it does
            not match. Nothing half-loaded is ever returned.
    """
    found = source if isinstance(source, hub.Found) else hub.find(source)
    manifest = artifact.read_manifest(found.folder)
    networks = list(_networks(found.folder, manifest))
    if not manifest.domain:
        return Ensemble(manifest, networks, found)
    width = sum(network.get_layer(HEAD).kernel.shape[0] for network in networks)
    return Ensemble(manifest, networks, found, ood.read(found.folder, manifest.domain, width))


def _networks(folder: Path, manifest: artifact.Manifest) -> Iterator[keras.Model]:
    """Each member's network with its tensors in it."""
    # Every check that needs no network first, so that a wrong file is refused at once.
    tensors = [artifact.read_tensors(folder / spec.file, spec.sha256) for spec in manifest.members]
    keras_config.configure()
    for spec, values in zip(manifest.members, tensors, strict=True):
        try:
            network = build(spec.backbone, spec.cut, manifest.input.size)
        except ValueError as error:
            raise artifact.StoreError(f"{folder / artifact.MANIFEST}: {error}") from None
        fill(network, spec.cut, values, folder / spec.file)
        yield network


__all__ = ["BATCH", "Analysis", "Ensemble", "MemberAnalysis", "SlideDecision", "Source", "load_ensemble"]
