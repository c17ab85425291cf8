"""What a report holds, as its JSON tells it: the models of `docs/report.schema.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from leukovision.batch import Row

SCHEMA_VERSION = "1.4"
"""Of `docs/report.schema.json`: the second figure rises with what is added, the first with other changes."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Decider(_Part):
    """Which ensemble decided; `origin` is "embedded", a folder's own name, or user/repo@commit on the Hub."""

    name: str
    version: str
    origin: str


class Member(_Part):
    """What one backbone says; the shares of all members sum to the logit of the ensemble."""

    backbone: str
    p_all: float = Field(ge=0, le=1)
    logit: float
    constant: float
    share: float
    map: str = Field(description="What the map speaks for, and where, in words.")


class Check(_Part):
    """Whether the combined map can be trusted: p(ALL) while shares of the cell are blurred."""

    target: Literal["ALL", "healthy"]
    shares: list[float]
    by_map: list[float] = Field(description="What speaks most for the target first.")
    opposed: list[float] = Field(description="What speaks most against it first.")
    by_chance: list[float]
    verdict: Literal["yes", "chance", "unclear"]
    words: str


class Trait(_Part):
    """What was measured on the cell itself; no network has a say in it."""

    name: str = Field(description="As in explain.traits.Traits.")
    value: float | None = Field(description="None where it cannot be measured.")
    unit: str = Field(description="Empty for a mere number.")
    why: str = Field(description="Why there is no value.")
    nearer: str = Field(description="The class whose training cells it is nearer to; empty for neither.")
    ranges: dict[str, list[float]] = Field(
        description="Of the training cells, by class: the 5th, 25th, 50th, 75th and 95th percentile."
    )


class _Report(_Part):
    schema_version: Literal["1.4"] = "1.4"
    made: datetime = Field(description="When the report was made, UTC.")
    language: str = Field(description="Of its sentences; a tag as browsers use it.")
    ensemble: Decider
    intended_use: str
    limits: str
    unseen: str = Field(description="How right it was on people whom it had not seen; empty if not known.")
    disclaimer: str


class CellReport(_Report):
    """A report on one cell. Figures are as exact as they were computed; words round them."""

    kind: Literal["cell"] = "cell"
    file: str = Field(description="Base name of the picture.")
    decision: Literal["ALL", "healthy", "unsure"]
    p_all: float = Field(ge=0, le=1)
    logit: float
    constant: float = Field(description="The part of the logit that no place on the cell holds.")
    headline: str
    then: str
    record: str = Field(description="How often it said so of people it had not seen; empty if not known.")
    in_domain: bool
    reason: str
    members: list[Member]
    map: str = Field(description="What the combined map speaks for, and where, in words.")
    scale: float = Field(description="What has full colour on the maps, logits.")
    sum: str
    check: Check | None = None
    traits: list[Trait] = []
    traits_words: str = Field(default="", description="Which traits are on the side of the decision.")


class Together(_Part):
    """What the cells of one folder or zip file say together, if they are of one person."""

    name: str = Field(description="As much of its path as tells it from the others; empty for the only one.")
    decision: Literal["ALL", "healthy", "unsure"]
    p_all: float | None = Field(ge=0, le=1, description="None where no cell is like the training data.")
    low: float | None = Field(ge=0, le=1, description="p_all lies above it for 95 % of draws of cells ...")
    high: float | None = Field(ge=0, le=1, description="... that are below this.")
    cells: int
    carried_by: int = Field(description="Of the cells those that are like the training data.")
    counts: dict[str, int] = Field(description="The cells by what was decided of each.")
    reason: str
    words: str


class BatchReport(_Report):
    """A report on many files."""

    kind: Literal["batch"] = "batch"
    slides: list[Together] = Field(description="Of two or more cells each; none if the ensemble cannot say.")
    counts: dict[str, int] = Field(description="Files by decision, and those that could not be read.")
    disagree: int = Field(description="Cells on which the backbones are not all on one side.")
    odd: int = Field(description="Cells unlike the training data.")
    rows: list[Row]


def schema() -> dict[str, Any]:
    """JSON schema of the JSON that `Report.made` gives; it stands in `docs/report.schema.json`."""
    adapter: TypeAdapter[CellReport | BatchReport] = TypeAdapter(CellReport | BatchReport)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LeukoVision report",
    } | adapter.json_schema(mode="serialization")
