"""Traits of a cell come in; where they lie among those of training cells goes out.

The ranges lie beside an ensemble's manifest, in `traits.json`, which `leukovision traits` makes; an ensemble
without that file shows none.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from leukovision import artifact
from leukovision.errors import sentence
from leukovision.explain.traits import COMPARED, NAMES, Traits

PERCENTILES = (5, 25, 50, 75, 95)
"""Of each class, that make a range."""

APART = 0.33
"""By how much a value must be nearer to one class before it speaks for it: see `away`."""

STRANGE = 2.0
"""How far from both classes a value speaks for neither, as `away` has it: the wider range would win."""

SMALLER = 0.9
"""Median area of negative cells beside that of positive ones, below which size says whom they came from."""

_Five = Annotated[tuple[pydantic.FiniteFloat, ...], pydantic.Field(min_length=5, max_length=5)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Told(_Part):
    """What is told of one trait of a cell.

    Attributes:
        value: in `unit`, "" for a mere number; None where it cannot be measured.
        why: a sentence in English, where it is None.
        nearer: the class to whose training cells it is nearer; "" where it is for neither, or none is known.
    """

    value: float | None
    unit: str
    why: str
    nearer: str


class Figure(_Part):
    """A figure with its 95 % interval over subjects."""

    value: pydantic.FiniteFloat
    low: pydantic.FiniteFloat
    high: pydantic.FiniteFloat


class Range(_Part):
    """A trait among training cells.

    Attributes:
        percentiles: `PERCENTILES` of its values, by class.
        cells: how many cells it could be measured on, by class.
        figures: how well it alone tells the classes apart, more for the positive one.
    """

    percentiles: dict[str, _Five]
    cells: dict[str, Annotated[int, pydantic.Field(ge=1)]]
    figures: dict[str, Figure] = {}


class Ranges(_Part):
    """The file: for each trait its range among so many cells of so many subjects of each class."""

    format: Literal[1] = 1
    cells: dict[str, int]
    subjects: dict[str, int]
    traits: dict[str, Range]

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Ranges:
        for name, one in self.traits.items():
            if name not in NAMES:
                raise ValueError(f"no trait is called {name!r}")
            if len(one.percentiles) != 2 or any(list(own) != sorted(own) for own in one.percentiles.values()):
                raise ValueError(f"traits.{name} must hold rising percentiles of two classes")
        return self


def read(folder: Path) -> Ranges | None:
    """The ranges in an ensemble's folder; None where it has none.

    Raises:
        StoreError: the file is a link out of the folder, or not of that form.
    """
    try:
        content = artifact.file_in(folder, artifact.TRAITS).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Ranges.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or artifact.TRAITS
        said = first["msg"].removeprefix("Value error, ")
        raise artifact.StoreError(
            sentence("wrong_field", path=folder / artifact.TRAITS, field=where, what=said)
        ) from None


@cache
def of_ensemble(folder: Path) -> Ranges | None:
    """As `read`; a file that cannot be read, or is of other classes, is none: nothing is decided by it."""
    try:
        found, names = read(folder), artifact.read_manifest(folder).classes
        if found and set(found.cells) != set(names):
            raise artifact.StoreError(f"{folder / artifact.TRAITS}: is not of {' and '.join(names)}.")
        return found
    except artifact.StoreError as error:
        logging.getLogger(__name__).warning("%s", error)
        return None


def away(value: float, percentiles: tuple[float, ...]) -> float:
    """How far a value is from a median: 1 is as far as the 5th or the 95th percentile, 9 the most."""
    low, *_, high = percentiles
    middle = percentiles[len(percentiles) // 2]
    width = high - middle if value > middle else middle - low
    return min(9.0, abs(value - middle) / width) if width > 0 else 9.0 * (value != middle)


def side(value: float, found: Range) -> str:
    """The class to whose training cells a value is nearer, as `away` has it; "" where it is for neither."""
    (one, near), (_, far) = sorted(
        ((name, away(value, own)) for name, own in found.percentiles.items()), key=lambda x: x[1]
    )
    return one if far - near >= APART and near <= STRANGE else ""


def sides(traits: Traits, ranges: Ranges | None) -> dict[str, str]:
    """`side` of each trait that is measured and has a range, by name."""
    found = ranges.traits if ranges else {}
    values = {name: getattr(traits, name) for name in COMPARED if name in found}
    return {name: side(value, found[name]) for name, value in values.items() if value is not None}


def told(traits: Traits, ranges: Ranges | None) -> dict[str, Told]:
    """What is told of each trait, by name."""
    nearer, found = sides(traits, ranges), {}
    for name in NAMES:
        value, (unit, factor) = getattr(traits, name), traits.unit(name)
        shown = None if value is None else float(f"{value * factor:.4g}")
        found[name] = Told(
            value=shown, unit=unit, why=str(traits.missing.get(name, "")), nearer=nearer.get(name, "")
        )
    return found
