"""What is said of cells comes in; rows go out, and of them tables, counts and decisions on people."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from leukovision import slide
from leukovision.artifact import SlideSpec
from leukovision.backbones import BACKBONES
from leukovision.ensemble import Analysis
from leukovision.explain.traits import NAMES, Traits
from leukovision.question import OURS, UNSURE, Question
from leukovision.slide import SlideDecision

UNREADABLE = "could not be read"


Chance = Field(default=None, ge=0, le=1)


class Row(BaseModel):
    """What is said of one cell: all None but `file` and `error` where a file could not be judged.

    A photo has a row for each of its cells, with "photo.png, cell 2" as `file`; `box` is where on the photo
    it is (left, top, right, bottom; px) and `marks` what is wrong with its cut-out. From `area` on they are
    as in `explain.traits.Traits`, None where a trait cannot be measured. The fields, in this order, are the
    columns of every table of cells.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(max_length=5000)
    decision: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    p_all: float | None = Chance
    p_all_xception: float | None = Chance
    p_all_inception_resnet_v2: float | None = Chance
    p_all_inception_v3: float | None = Chance
    in_domain: bool | None = None
    reason: str | None = Field(default=None, max_length=1000)
    error: str | None = Field(default=None, max_length=6000)
    box: str | None = Field(default=None, max_length=100)
    marks: str | None = Field(default=None, max_length=1000)
    area: float | None = None
    diameter: float | None = None
    nucleus_to_cell: float | None = None
    roundness: float | None = None
    indentation: float | None = None
    coarseness: float | None = None
    nucleoli: int | None = None
    basophilia: float | None = None
    px_per_um: float | None = None

    @property
    def source(self) -> str:
        """Name of the file that the cell is from."""
        return self.file.rpartition(", cell ")[0] if self.box else self.file

    def agreement(self, decide: float = 0.5) -> tuple[int, int]:
        """How many backbones are on the side of the ensemble, of how many; (0, 0) without a decision.

        Args:
            decide: probability from which one is on the side of the positive class.
        """
        members = [p for name in BACKBONES if (p := getattr(self, f"p_all_{name}")) is not None]
        return sum((p >= decide) == ((self.p_all or 0) >= decide) for p in members), len(members)


COLUMNS = tuple(Row.model_fields)
"""Columns of the table of cells; their order does not change."""


def row(name: str, analysis: Analysis, measured: Traits | None = None) -> Row:
    """The row of a cell, with its traits if they were measured; figures to four digits."""
    members = {f"p_all_{key}": round(member.p_all, 4) for key, member in analysis.members.items()}
    return Row(
        file=name,
        decision=analysis.decision,
        p_all=round(analysis.p_all, 4),
        in_domain=analysis.in_domain,
        reason=analysis.reason,
        **members,  # type: ignore[arg-type]
        **(_of(measured) if measured else {}),
    )


def _of(measured: Traits) -> dict[str, Any]:
    """The traits as a row has them."""
    values = {name: getattr(measured, name) for name in (*NAMES, "px_per_um")}
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}


def slides(
    rows: Iterable[Row], spec: SlideSpec | None, question: Question = OURS
) -> dict[str, SlideDecision]:
    """One decision for the cells of each folder, zip file or table, by its name.

    Args:
        rows: of files; those that could not be judged say nothing.
        spec, question: from the ensemble's manifest.

    Raises:
        ValueError: a row has a decision that the question does not have.
    """
    by_folder: dict[str, list[Row]] = {}
    for row in rows:
        if row.p_all is not None:
            by_folder.setdefault(str(PurePath(row.file).parent), []).append(row)
    return {name: together(cells, spec, question) for name, cells in by_folder.items()}


def together(rows: Sequence[Row], spec: SlideSpec | None, question: Question = OURS) -> SlideDecision:
    """One decision for the cells of one person; arguments and errors as of `slides`."""
    check(rows, question)
    # Rows have four digits: a cell at 0 or 1 is within half of the last of it, not endlessly sure.
    p_all = np.clip([row.p_all for row in rows], 5e-5, 1 - 5e-5)
    return slide.decide(
        special.logit(p_all).tolist(),
        [bool(row.in_domain) for row in rows],
        [row.decision or UNSURE for row in rows],
        spec,
        question,
    )


def several(
    rows: Iterable[Row], spec: SlideSpec | None, question: Question = OURS
) -> dict[str, SlideDecision]:
    """Those of `slides` that say more than each cell does: of two or more; none without `spec`."""
    decisions = slides(rows, spec, question) if spec else {}
    return {name: decision for name, decision in decisions.items() if decision.cells > 1}


def counts(rows: Sequence[Row], question: Question = OURS) -> dict[str, int]:
    """How many of each decision, and how many could not be read; errors as of `slides`."""
    check(rows, question)
    told = Counter(row.decision or UNREADABLE for row in rows)
    return {kind: told[kind] for kind in (*question.names, UNSURE, UNREADABLE)}


def check(rows: Iterable[Row], question: Question) -> None:
    """Refuse rows of another question: a page may send back anything.

    Raises:
        ValueError: a row has a decision that the question does not have.
    """
    known = (*question.names, UNSURE, None)
    if odd := next((row for row in rows if row.decision not in known), None):
        raise ValueError(f"{odd.file}: {odd.decision!r} is no decision on {' or '.join(question.names)}.")


def as_csv(rows: Sequence[Row]) -> bytes:
    """The table as CSV, with a line of `COLUMNS`; see `csv_of`."""
    return csv_of(COLUMNS, (one.model_dump() for one in rows))


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A table as CSV.

    A spreadsheet would compute what begins as a formula does, and a cell may be called so: such text gets an
    apostrophe in front, also where a spreadsheet that separates by other marks would see a new field begin.
    """

    def plain(value: Any) -> Any:
        return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({key: plain(value) for key, value in line.items()} for line in rows)
    return text.getvalue().encode()


_FORMULA = re.compile(r"(^\s*|[;\t\r\n]\s*)(?=[=+\-@＝＋－＠])")


def as_json(rows: Sequence[Row]) -> bytes:
    """The table as a list of objects."""
    dumped = [one.model_dump() for one in rows]
    return (json.dumps(dumped, indent=1, ensure_ascii=False) + "\n").encode()


def as_parquet(rows: Sequence[Row]) -> bytes:
    """The table as Parquet, with the same columns and types whatever the rows hold."""
    import pyarrow as pa
    from pyarrow import parquet

    figures = (*NAMES, "px_per_um")
    kinds = {
        name: pa.float64() if name.startswith("p_all") or name in figures else pa.string() for name in COLUMNS
    }
    schema = pa.schema(kinds | {"in_domain": pa.bool_(), "nucleoli": pa.int64()})
    content = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([one.model_dump() for one in rows], schema), content)
    return content.getvalue()


TABLES: dict[str, Callable[[Sequence[Row]], bytes]] = {"csv": as_csv, "json": as_json, "parquet": as_parquet}
"""How to write the table, by the ending of a file's name."""
