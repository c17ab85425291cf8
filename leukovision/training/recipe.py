"""How the members of an ensemble are trained, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

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
        preset: where the backbone is cut: `compact` in mid-network, `whole` further up, `full` nowhere.
        trained: `heads` trains five heads on layers that keep the weights they start with; `layers` trains
            nearly every layer, with a linear unit.
        input: how a cell becomes numbers.
        changes: how much cells are changed, where layers are trained.
        even_sizes: draw both classes alike among cells of one size, too. It takes away what size tells, and
            nearly all that few large healthy cells could teach.
        samples: how many are drawn in all, see `sampling.chances`.
        batch: how many of them go together.
        rate: of learning, at its highest; it falls along a cosine.
        decay: AdamW's weight decay.
        averaging: momentum of the running mean of the layers' weights, which is what is kept (Polyak &
            Juditsky 1992, doi:10.1137/0330046): single states of one run differ by more than recipes do.
        smoothing: of the labels, so that no logit has to grow without end.
        seed: of all randomness.
    """

    preset: str = "compact"
    trained: Literal["heads", "layers"] = "heads"
    input: Input = field(default_factory=Input)
    changes: Changes = field(default_factory=Changes)
    even_sizes: bool = False
    samples: int = 70_000
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.05
    averaging: float = 0.98
    smoothing: float = 0.05
    seed: int = 1


def recipes(
    preset: str,
    backbones: Sequence[str] = (),
    input: Mapping[str, Any] = {},
    changes: Mapping[str, Any] = {},
    samples: int | None = None,
    **given: Any,
) -> dict[str, Recipe]:
    """The recipe of each backbone in a preset, with what is given (not None) in place of its own.

    Args:
        preset: a key of `PRESETS`.
        backbones: keys of `BACKBONES`; all of them by default.
        input, changes: fields of `Input` and `Changes`.
        samples: for the backbones whose layers are trained, if there are any; else for all.
        given: other fields of `Recipe`.

    Raises:
        ValueError: there is no such preset or backbone, or an input that there is not.
    """
    if preset not in PRESETS:
        raise ValueError(f"--preset can be {' or '.join(PRESETS)}, not {preset!r}.")
    chosen = backbones or tuple(BACKBONES)
    if unknown := next((name for name in chosen if name not in BACKBONES), None):
        raise ValueError(f"no backbone is called {unknown!r}; there are {', '.join(BACKBONES)}.")
    made = {}
    trains_layers = any(PRESETS[preset][name].trained == "layers" for name in chosen)
    for name in chosen:
        recipe = PRESETS[preset][name]
        recipe = replace(recipe, input=_with(recipe.input, input), changes=_with(recipe.changes, changes))
        artifact.InputSpec(**asdict(recipe.input))
        meant = recipe.trained == "layers" or not trains_layers
        made[name] = _with(recipe, given | {"samples": samples if meant else None})
    return made


def _with(part: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass with what is given (not None) in place of its own."""
    return replace(part, **{key: value for key, value in given.items() if value is not None})


_LAYERS: dict[str, Any] = {"trained": "layers", "samples": 20_000, "batch": 16, "rate": 1e-4, "decay": 0.01}
_NATIVE = Input("crop", 192, "plain", field=192, chroma=6)
_WHOLE = Recipe("whole", input=_NATIVE, **_LAYERS)
PRESETS: dict[str, dict[str, Recipe]] = {
    "compact": dict.fromkeys(BACKBONES, Recipe()),
    "native": dict.fromkeys(BACKBONES, Recipe(input=_NATIVE))
    | {"inception_v3": replace(_WHOLE, samples=6_400)},
    "whole": dict.fromkeys(BACKBONES, _WHOLE),
    "full": dict.fromkeys(BACKBONES, Recipe("full", input=Input("crop", 300, "plain"), **_LAYERS)),
}
"""By name and backbone.

`compact`: heads on frozen layers, each cell scaled to one area. `native`: the middle of the frame as the
camera saw it; InceptionV3's layers are trained, the other two get heads: two cores do it in an hour or two.
`whole`: nearly all layers of all three; `full`: those of the uncut networks. Both want a GPU.
"""
