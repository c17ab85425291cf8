"""One `Analysis`, or the rows of a batch, comes in; a report goes out: PDF, PNG or JSON, all of one content.

PDFs are tagged (PDF/UA-1): real text, a title, a language, a text for every picture. The JSON follows
`docs/report.schema.json`. Of a file only its base name is told, of its metadata nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, field_validator

from leukovision.batch import Prediction, Row, counts, several
from leukovision.cell import foreground, largest_part
from leukovision.ensemble import Analysis, Ensemble
from leukovision.explain import sentences, trait_ranges, trait_words
from leukovision.explain.faithfulness import against_chance
from leukovision.explain.overlay import COMBINED, cams, scale_of
from leukovision.explain.traits import Traits
from leukovision.hub import EMBEDDED
from leukovision.i18n import ENGLISH, Texts
from leukovision.report.layout import batch_layout, cell_layout
from leukovision.report.pictures import MOSAIC, cell_pictures, mosaic
from leukovision.report.schema import BatchReport, CellReport, Check, Decider, Member, Together, Trait
from leukovision.report.typeset import typeset

KINDS = ("pdf", "png", "json")
"""What a report can be made as; of a batch there is no PNG."""


SIDE = 400
"""Side of the pictures of a cell, px: 230 to the inch as they are printed."""


SAID = 300
"""Longest sentence on a file in a report on many: setting twenty thousand long ones took 9 GB."""


@dataclass(frozen=True, eq=False)
class Report:
    """A report, ready to be made.

    Attributes:
        content: all that it says.
        layout: what the template sets, already in words.
        pictures: bytes by file name, for the template.
    """

    content: CellReport | BatchReport
    layout: dict[str, Any]
    pictures: Mapping[str, bytes]

    def made(self, kind: str) -> bytes:
        """The report as "pdf", "png" or "json".

        Raises:
            ValueError: it cannot be made as that.
        """
        if kind not in KINDS or (kind == "png" and self.content.kind == "batch"):
            raise ValueError(f"a report on a {self.content.kind} cannot be made as {kind!r}.")
        if kind == "json":
            return (self.content.model_dump_json(indent=1) + "\n").encode()
        return typeset(
            self.layout, self.pictures, kind, self.content.made, apart=self.content.kind == "batch"
        )


def check_name(path: Path, count: int) -> None:
    """Refuse a file name that no report on so many files can have.

    Raises:
        ValueError: with the endings that are right.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS or (kind == "png" and count != 1):
        raise ValueError(f"{path}: a report ends in .pdf or .json, or for one picture also in .png.")


def of_judged(
    ensemble: Ensemble,
    rows: Sequence[Row],
    thumbnails: Sequence[bytes],
    only: Prediction | None,
    made: datetime | None = None,
) -> Report:
    """A report on the one cell that was judged, with the check of its map, or else on all of them.

    Args:
        ensemble, rows, thumbnails, made: as of `of_batch`.
        only: the one, if there was one file with one cell.
    """
    if not (only and only.cell and only.analysis):
        return of_batch(ensemble, rows, thumbnails, made)
    picture = ensemble.input.picture(only.cell, SIDE)
    return of_cell(ensemble, only.analysis, picture, only.row.file, made, measured=only.traits)


def of_cell(
    ensemble: Ensemble,
    analysis: Analysis,
    picture: np.ndarray,
    name: str,
    made: datetime | None = None,
    texts: Texts = ENGLISH,
    measured: Traits | None = None,
) -> Report:
    """A report on one cell. The quick check of its map is made here.

    Args:
        ensemble: which decided.
        analysis: of the cell.
        picture: (side, side, 3) uint8, the field that the backbones saw, as fine as it shall be printed.
        name: of its file; only the last part is told.
        made: when; now by default.
        texts: of a language.
        measured: the traits of the cell.
    """
    name, thresholds = base_name(name), ensemble.manifest.thresholds
    texts = texts.about(ensemble.question)
    first, then = sentences.headline(analysis, thresholds.decide, texts)
    whole = np.ones(analysis.cam.shape, dtype=bool)
    outline = largest_part(foreground(analysis.picture)) if analysis.in_domain else whole
    maps = cams(analysis)
    said = {key: sentences.describe_map(cam, outline, texts) for key, cam in maps.items()}
    content = CellReport(
        **_common(ensemble, made, texts),
        file=name,
        decision=analysis.decision,
        p_all=analysis.p_all,
        logit=analysis.logit,
        constant=analysis.constant,
        headline=first,
        then=then,
        record=sentences.record(analysis.decision, ensemble.manifest.figures, texts)
        if analysis.in_domain
        else "",
        in_domain=analysis.in_domain,
        reason=texts.said(analysis.reason),
        members=[
            Member(
                backbone=key, p_all=one.p_all, logit=one.logit, constant=one.constant, share=one.share,
                map=said[key],
            )
            for key, one in analysis.members.items()
        ],
        map=said[COMBINED],
        scale=scale_of(maps),
        sum=sentences.sum_line(analysis, texts),
        check=_check(ensemble, analysis, texts),
        **(_traits(ensemble, analysis.decision, measured, texts) if measured and measured.area else {}),
    )  # fmt: skip
    return Report(
        content, cell_layout(content, analysis, said, texts), cell_pictures(content, analysis, picture)
    )


def _traits(ensemble: Ensemble, decision: str, measured: Traits, texts: Texts) -> dict[str, Any]:
    """The traits of a cell, each with its ranges, and in a sentence what they say to the decision."""
    ranges = trait_ranges.of_ensemble(ensemble.found.folder)
    told, traits = trait_ranges.told(measured, ranges), []
    for name, one in told.items():
        found, (_, factor) = ranges.traits.get(name) if ranges else None, measured.unit(name)
        of = (
            {kind: [value * factor for value in own] for kind, own in found.percentiles.items()}
            if found
            else {}
        )
        traits.append(Trait(name=name, ranges=of, **one.model_dump()))
    words = [trait_words.agreement(decision, told, ranges, texts), trait_words.beware(ranges, texts)]
    return {"traits": traits, "traits_words": " ".join(filter(None, words))}


def of_batch(
    ensemble: Ensemble,
    rows: Sequence[Row],
    thumbnails: Sequence[bytes],
    made: datetime | None = None,
    texts: Texts = ENGLISH,
) -> Report:
    """A report on many files.

    Args:
        ensemble: which decided.
        rows: of the files.
        thumbnails: a picture of each as `batch.thumbnail` makes it, empty where there is none.
        made: when; now by default.
        texts: of a language.
    """
    decide, texts = ensemble.manifest.thresholds.decide, texts.about(ensemble.question)
    short = [told(row, texts) for row in rows]
    agreement = [row.agreement(decide) for row in short]
    content = BatchReport(
        **_common(ensemble, made, texts),
        slides=_slides(ensemble, rows, texts),
        counts=counts(short, ensemble.question),
        disagree=sum(own < count for own, count in agreement),
        odd=sum(row.in_domain is False for row in short),
        rows=short,
    )
    falling = sorted(
        ((row.p_all, ensemble.question.side(row.decision), thumb)
         for row, thumb in zip(short, thumbnails, strict=True)
         if row.p_all is not None and thumb),
        key=lambda one: -one[0],
    )  # fmt: skip
    most = MOSAIC[0] * MOSAIC[1]
    places = np.unique(np.linspace(0, len(falling) - 1, min(len(falling), most)).round().astype(int))
    chosen = [falling[place] for place in places] if falling else []
    return Report(
        content,
        batch_layout(content, agreement, [p for p, _, _ in chosen], len(falling), texts),
        {"montage.jpg": mosaic([(side, thumb) for _, side, thumb in chosen])} if chosen else {},
    )


def _slides(ensemble: Ensemble, rows: Sequence[Row], texts: Texts) -> list[Together]:
    found, told = several(rows, ensemble.manifest.slide, ensemble.question), []
    for name, one in zip(apart(list(found)), found.values(), strict=True):
        # JSON has no nan.
        said: dict[str, Any] = {key: None if value != value else value for key, value in asdict(one).items()}
        said["reason"] = texts.said(one.reason)
        told.append(Together(name=name, words=sentences.together(one, name, texts), **said))
    return told


def apart(paths: Sequence[str]) -> list[str]:
    """As little of the end of each path as tells all of them apart; nothing of a single one."""
    if len(paths) < 2:
        return [""] * len(paths)
    parts = [PurePosixPath(path.replace("\\", "/")).parts or (".",) for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(one[-depth:])[-120:] for one in parts]
        if len(set(ends)) == len(ends):
            break
    return ends


def base_name(name: str) -> str:
    """The last part of a path of any system, at most 120 characters."""
    return PurePosixPath(name.replace("\\", "/")).name[-120:] or "picture"


def _common(ensemble: Ensemble, made: datetime | None, texts: Texts) -> dict[str, Any]:
    """What every report says."""
    manifest, source = ensemble.manifest, ensemble.source
    own = ensemble.found.folder != EMBEDDED and source.origin == str(ensemble.found.folder)
    return {
        "made": (made or datetime.now(UTC)).replace(microsecond=0),
        "language": texts.language,
        "ensemble": Decider(
            name=source.name,
            version=source.version,
            origin=Path(source.origin).resolve().name if own else source.origin,
            classes=ensemble.question.names,
        ),
        "intended_use": manifest.intended_use,
        "limits": manifest.limits,
        "unseen": _unseen(ensemble, texts),
        "disclaimer": texts("page.disclaimer"),
    }


def _unseen(ensemble: Ensemble, texts: Texts) -> str:
    """How right the ensemble was on people whom it had not seen, where its manifest knows."""
    try:
        figures = _Unseen.model_validate(ensemble.manifest.figures.get("unseen"))
    except ValueError:  # a manifest can say anything there
        return ""
    reached = figures.ensemble["balanced_accuracy"].model_dump()
    return texts("report.unseen", cells=figures.cells, people=sum(figures.subjects.values()), **reached)


class _Interval(BaseModel):
    value: float
    low: float
    high: float


class _Unseen(BaseModel):
    """What a report tells of a manifest's figures."""

    cells: int
    subjects: dict[str, int]
    ensemble: dict[Literal["balanced_accuracy"], _Interval]

    @field_validator("ensemble", mode="before")
    @classmethod
    def _only_told(cls, figures: Any) -> Any:
        kept = "balanced_accuracy"
        return {kept: figures[kept]} if isinstance(figures, Mapping) and kept in figures else None


def _check(ensemble: Ensemble, analysis: Analysis, texts: Texts) -> Check:
    target = ensemble.question.called(analysis.logit >= 0)
    sign = ensemble.question.sign(target)
    numbers = ensemble.input.numbers(analysis.picture)
    found = against_chance(ensemble, numbers, sign * analysis.cam, target)
    return Check(
        target=target,
        shares=found.by_map.shares.tolist(),
        by_map=sentences.p_all_of(sign, found.by_map).tolist(),
        opposed=sentences.p_all_of(sign, found.opposed).tolist(),
        by_chance=sentences.p_all_of(sign, found.by_chance).tolist(),
        verdict=found.verdict,  # type: ignore[arg-type]
        words=sentences.check_line(target, found, texts),
    )


def told(row: Row, texts: Texts) -> Row:
    """The same row with the file's base name, in its sentences too, which are cut where they are long."""
    name = base_name(row.file)
    shown = {
        key: texts.said(text.replace(row.file, name))
        for key in ("reason", "error")
        if (text := getattr(row, key))
    }
    if row.marks:
        shown["marks"] = "; ".join(map(texts.said, row.marks.split(", ")))
    short = {key: text if len(text) <= SAID else text[: SAID - 1] + "…" for key, text in shown.items()}
    return row.model_copy(update={"file": name} | short)
