"""How the members of an ensemble are trained, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from leukovision import artifact
from leukovision.backbones import BACKBONES
from leukovision.preprocessing import Input
from leukovision.training.augment import Changes

Progress = Callable[[str, int, int, str], object]
"""Told what is done, how much of it, of how much, and a remark."""


@dataclass(frozen=True)
class Recipe:
    """How a member is trained.

    Attributes:
        preset: a key of `PRESETS`.
        layers: backbones of which nearly every layer is trained; they are cut far up, or not at all in
            `full`. The others get a linear unit on layers that keep the weights they start with, and are cut
            in mid-network.
        input: how a cell becomes numbers.
        changes: how much cells are changed. Of the copies for a unit on frozen layers all are saved again.
        penalty: of the squared weights of a unit on frozen layers, times its inputs, beside the mean loss.
        copies: share of the weight that changed copies of the cells have, for a unit on frozen layers:
            it then stands them better, and beyond a third new donors are told apart worse.
        even_sizes: where layers are trained, draw both classes alike among cells of one size, too. It takes
            away what size tells, and nearly all that few large cells of a class of small ones could teach.
        samples: how many are drawn to train layers, see `sampling.chances`; what follows is for them as well.
        batch: how many of them go together.
        rate: of learning, at its highest; it falls along a cosine.
        decay: AdamW's weight decay.
        averaging: momentum of the running mean of the layers' weights, which is what is kept (Polyak &
            Juditsky 1992, doi:10.1137/0330046): single states of one run differ by more than recipes do.
        smoothing: of the labels, so that no logit has to grow without end.
        seed: of all randomness.
    """

    preset: str = "compact"
    layers: tuple[str, ...] = ()
    input: Input = field(default_factory=Input)
    changes: Changes = field(default_factory=Changes)
    penalty: float = 3e-6
    copies: float = 0.3
    even_sizes: bool = False
    samples: int = 12_000
    batch: int = 16
    rate: float = 1e-4
    decay: float = 0.01
    averaging: float = 0.98
    smoothing: float = 0.05
    seed: int = 1

    def cut(self, name: str) -> str:
        """The layer at which a backbone is cut, and its map comes from."""
        kind = "full" if self.preset == "full" else "whole"
        return BACKBONES[name].cut(kind if name in self.layers else "compact")

    @staticmethod
    def of(
        preset: str, input: Mapping[str, Any] = {}, changes: Mapping[str, Any] = {}, **given: Any
    ) -> Recipe:
        """The recipe of a preset, with what is given (not None) in place of its own.

        Raises:
            ValueError: there is no such preset, or an input that there is not.
        """
        if preset not in PRESETS:
            raise ValueError(f"--preset can be {' or '.join(PRESETS)}, not {preset!r}.")
        recipe = PRESETS[preset]
        recipe = replace(recipe, input=_with(recipe.input, input), changes=_with(recipe.changes, changes))
        artifact.InputSpec(**asdict(recipe.input))
        result: Recipe = _with(recipe, given)
        return result


def _with(part: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass with what is given (not None) in place of its own."""
    return replace(part, **{key: value for key, value in given.items() if value is not None})


_NATIVE = Input("crop", 192, "plain", field=192, chroma=6)
"""The middle of the frame at the camera's own resolution: most cells fill it, which hides their size."""

PRESETS = {
    "compact": Recipe(input=_NATIVE),
    "mixed": Recipe("mixed", ("inception_v3",), _NATIVE),
    "whole": Recipe("whole", tuple(BACKBONES), _NATIVE),
    "full": Recipe("full", tuple(BACKBONES), Input("crop", 300, "plain")),
}
