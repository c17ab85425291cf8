"""One `Analysis`, or the rows of a batch, comes in; a report goes out: PDF, PNG or JSON, all of one content.

PDFs are tagged (PDF/UA-1): real text, a title, a language, a text for every picture. The JSON follows
`docs/report.schema.json`. Of a file only its base name is told, of its metadata nothing.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from leukovision import words
from leukovision.batch import THUMBNAIL, UNREADABLE, Row, counts, several
from leukovision.cell import foreground, largest_part
from leukovision.ensemble import Analysis, Ensemble
from leukovision.faithfulness import against_chance
from leukovision.hub import EMBEDDED
from leukovision.language import ENGLISH, Texts
from leukovision.pictures import BLUE, COMBINED, RED, cams, colours, overlays, scale_of

SCHEMA_VERSION = "1.2"
"""Of `docs/report.schema.json`: the second figure rises with what is added, the first with other changes."""

KINDS = ("pdf", "png", "json")
"""What a report can be made as; of a batch there is no PNG."""

SIDE = 400
"""Side of the pictures of a cell, px: 230 to the inch as they are printed."""

SAID = 300
"""Longest sentence on a file in a report on many: setting twenty thousand long ones took 9 GB."""

MOSAIC = (20, 12)
"""Thumbnails across and down in the montage of a batch, at most."""


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
    map: str = Field(description="What the map holds, in words, in logits.")


class Check(_Part):
    """p(ALL) while shares of the cell are taken away: the most marked first, and by chance."""

    target: Literal["ALL", "healthy"]
    shares: list[float]
    by_map: list[float]
    by_chance: list[float]
    words: str


class _Report(_Part):
    schema_version: Literal["1.2"] = "1.2"
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
    in_domain: bool
    reason: str
    members: list[Member]
    map: str = Field(description="What the combined map holds, in words, in logits.")
    scale: float = Field(description="What has full colour on the maps, logits.")
    sum: str
    check: Check | None = None


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
        return _typeset(self.layout, self.pictures, kind, self.content.made)


def schema() -> dict[str, Any]:
    """JSON schema of the JSON that `Report.made` gives; it stands in `docs/report.schema.json`."""
    adapter: TypeAdapter[CellReport | BatchReport] = TypeAdapter(CellReport | BatchReport)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LeukoVision report",
    } | adapter.json_schema(mode="serialization")


def check_name(path: Path, count: int) -> None:
    """Refuse a file name that no report on so many files can have.

    Raises:
        ValueError: with the endings that are right.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS or (kind == "png" and count != 1):
        raise ValueError(f"{path}: a report ends in .pdf or .json, or for one picture also in .png.")


def of_cell(
    ensemble: Ensemble,
    analysis: Analysis,
    picture: np.ndarray,
    name: str,
    made: datetime | None = None,
    texts: Texts = ENGLISH,
) -> Report:
    """A report on one cell. The quick check of its map is made here.

    Args:
        ensemble: which decided.
        analysis: of the cell.
        picture: (side, side, 3) uint8, the field that the backbones saw, as fine as it shall be printed.
        name: of its file; only the last part is told.
        made: when; now by default.
        texts: of a language.
    """
    name, thresholds = base_name(name), ensemble.manifest.thresholds
    first, then = words.headline(analysis, thresholds.decide, texts)
    whole = np.ones(analysis.cam.shape, dtype=bool)
    outline = largest_part(foreground(analysis.picture)) if analysis.in_domain else whole
    maps = cams(analysis)
    constants = {key: member.constant for key, member in analysis.members.items()}
    said = {
        key: words.describe_map(cam, outline, constants.get(key, analysis.constant), texts)
        for key, cam in maps.items()
    }
    content = CellReport(
        **_common(ensemble, made, texts),
        file=name,
        decision=analysis.decision,  # type: ignore[arg-type]
        p_all=analysis.p_all,
        logit=analysis.logit,
        constant=analysis.constant,
        headline=first,
        then=then,
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
        sum=words.sum_line(analysis, texts),
        check=_check(ensemble, analysis, texts),
    )  # fmt: skip
    return Report(
        content, _cell_layout(content, analysis, said, texts), _cell_pictures(content, analysis, picture)
    )


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
    decide = ensemble.manifest.thresholds.decide
    told = [_without_path(row, texts) for row in rows]
    agreement = [row.agreement(decide) for row in told]
    content = BatchReport(
        **_common(ensemble, made, texts),
        slides=_slides(ensemble, rows, texts),
        counts=counts(told),
        disagree=sum(own < count for own, count in agreement),
        odd=sum(row.in_domain is False for row in told),
        rows=told,
    )
    falling = sorted(
        ((row.p_all, row.decision, thumb) for row, thumb in zip(told, thumbnails, strict=True)
         if row.p_all is not None and thumb),
        key=lambda one: -one[0],
    )  # fmt: skip
    most = MOSAIC[0] * MOSAIC[1]
    places = np.unique(np.linspace(0, len(falling) - 1, min(len(falling), most)).round().astype(int))
    chosen = [falling[place] for place in places] if falling else []
    return Report(
        content,
        _batch_layout(content, agreement, [p for p, _, _ in chosen], len(falling), texts),
        {"montage.jpg": _mosaic([(decision or "", thumb) for _, decision, thumb in chosen])}
        if chosen
        else {},
    )


def _slides(ensemble: Ensemble, rows: Sequence[Row], texts: Texts) -> list[Together]:
    found, told = several(rows, ensemble.manifest.slide), []
    for name, one in zip(apart(list(found)), found.values(), strict=True):
        # JSON has no nan.
        said: dict[str, Any] = {key: None if value != value else value for key, value in asdict(one).items()}
        said["reason"] = texts.said(one.reason)
        told.append(Together(name=name, words=words.together(one, name, texts), **said))
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
    target: Literal["ALL", "healthy"] = "ALL" if analysis.logit >= 0 else "healthy"
    sign = 1 if target == "ALL" else -1
    numbers = ensemble.input.numbers(analysis.picture)
    own, random = against_chance(ensemble, numbers, sign * analysis.cam, target)
    return Check(
        target=target,
        shares=own.shares.tolist(),
        by_map=words.p_all_of(target, own).tolist(),
        by_chance=words.p_all_of(target, random).tolist(),
        words=words.check_line(target, own, random, texts),
    )


def _without_path(row: Row, texts: Texts) -> Row:
    """The same row with the file's base name, in its sentences too, which are cut where they are long."""
    name = base_name(row.file)
    sentences = {
        key: texts.said(text.replace(row.file, name))
        for key in ("reason", "error")
        if (text := getattr(row, key))
    }
    if row.marks:
        sentences["marks"] = "; ".join(map(texts.said, row.marks.split(", ")))
    short = {key: text if len(text) <= SAID else text[: SAID - 1] + "…" for key, text in sentences.items()}
    return row.model_copy(update={"file": name} | short)


# The layout


def _layout(content: CellReport | BatchReport, title: str, texts: Texts) -> dict[str, Any]:
    """What the template wants of every report."""
    source = content.ensemble
    return {
        "kind": content.kind,
        "language": texts.language,
        "title": title,
        "subtitle": texts("report.subtitle", name=source.name, version=source.version),
        "made": content.made.strftime(texts("report.date")),
        "disclaimer": content.disclaimer,
    }


def _notes(content: CellReport | BatchReport, texts: Texts) -> list[tuple[str, str]]:
    """What the decision is worth, and who decided."""
    source = content.ensemble
    trust = [content.unseen] if content.unseen else []
    if content.kind == "cell" and content.check:
        trust = [content.check.words, texts("report.adds_up"), *trust]
    notes = [
        (texts("report.trust"), " ".join(trust)),
        (texts("result.decided"), texts.said(f"{source.name} {source.version} ({source.origin})")),
        (texts("report.limits"), f"{content.intended_use} {content.limits}".strip()),
    ]
    return [(title, text) for title, text in notes if text]


def _cell_layout(
    content: CellReport, analysis: Analysis, said: Mapping[str, str], texts: Texts
) -> dict[str, Any]:
    parts = dict(words.addition(analysis))
    titles = {key: words.title_of(key) for key in analysis.members} | {COMBINED: texts("result.combined")}
    ticks = [texts.figure(part * content.scale, "+g") if part else "0" for part in (-1, -0.5, 0, 0.5, 1)]
    odd = f"{texts('result.odd')} {content.reason} {texts('result.no_trust')}"

    def line(title: str, p_all: float, logits: float) -> list[str]:
        return [title, texts.figure(p_all, ".2f"), words.signed(logits, texts)]

    return _layout(content, texts("report.cell_title", name=content.file), texts) | {
        "decision": content.decision,
        "headline": content.headline,
        "then": content.then,
        "odd": "" if content.in_domain else odd,
        "why": content.reason if content.in_domain else "",
        "members": {
            "head": [texts("result.backbone"), "p(ALL)", texts("result.adds")],
            "rows": [
                line(titles[key], one.p_all, parts[titles[key]]) for key, one in analysis.members.items()
            ],
            "foot": line(texts("result.ensemble"), content.p_all, content.logit),
        },
        "maps": [
            {
                "file": f"{key}.jpg",
                "title": title,
                "words": said[key],
                "alt": texts("report.map", title=title, words=said[key]),
            }
            for key, title in titles.items()
        ],
        "alts": {
            "cell": texts("report.picture", headline=content.headline, then=content.then),
            "ramp": texts("report.ramp", scale=content.scale),
        },
        "ticks": [tick.replace("-", "−") for tick in ticks],
        "note": texts("result.scale", scale=content.scale),
        "words": {
            "maps": texts("result.maps"),
            "to_all": texts("words.to_ALL"),
            "to_healthy": texts("words.to_healthy"),
        },
        "notes": [(texts("result.adds_up"), content.sum), *_notes(content, texts)],
    }


def _batch_layout(
    content: BatchReport,
    agreement: Sequence[tuple[int, int]],
    shown: Sequence[float],
    cells: int,
    texts: Texts,
) -> dict[str, Any]:
    kinds = {key: texts(f"words.{key}") for key in ("ALL", "healthy", "unsure")}
    kinds[UNREADABLE] = texts("batch.filters.error")
    tiles = [
        (texts("report.files"), len(content.rows)),
        *((kinds[kind], count) for kind, count in content.counts.items()),
        (texts("batch.filters.disagree"), content.disagree),
        (texts("batch.filters.odd"), content.odd),
    ]
    montage = ""
    if shown:
        key = "report.montage_all" if len(shown) == cells else "report.montage_some"
        montage = texts(key, shown=len(shown), count=cells, first=shown[0], last=shown[-1])
    # Cells like the training data are unsure for one reason, which is told once.
    reasons = {row.reason for row in content.rows if row.reason and row.in_domain}
    columns = [texts(f"batch.columns.{key}") for key in ("file", "decision", "p_all", "agree", "in_domain")]

    def line(row: Row, own: int, of: int) -> list[str]:
        return [
            row.file,
            kinds[row.decision or UNREADABLE],
            "" if row.p_all is None else texts.figure(row.p_all, ".2f"),
            texts("batch.agree", own=own, of=of) if of else "",
            "" if row.in_domain is None else texts("batch.yes" if row.in_domain else "batch.no"),
            "; ".join(filter(None, (row.error or ("" if row.in_domain else row.reason), row.marks))),
        ]

    return _layout(content, texts("report.batch_title", count=len(content.rows)), texts) | {
        "tiles": [(name, str(value)) for name, value in tiles],
        "montage": montage,
        "alts": {"montage": montage},
        "slides": [(one.decision, one.words) for one in content.slides],
        "words": {key: texts(f"report.{key}") for key in ("summary", "montage", "table")}
        | {"together": texts("batch.together")},
        "notes": [*((texts("report.unsure"), reason) for reason in reasons), *_notes(content, texts)],
        "table": {
            "head": [*columns, texts("report.remark")],
            "rows": [line(row, *sides) for row, sides in zip(content.rows, agreement, strict=True)],
        },
    }


# Pictures


def _cell_pictures(content: CellReport, analysis: Analysis, picture: np.ndarray) -> dict[str, bytes]:
    ramp = np.linspace(-content.scale, content.scale, 512, dtype=np.float32)[None].repeat(16, 0)
    over = Image.fromarray(colours(ramp, content.scale))
    below = Image.new("RGBA", over.size, (150, 150, 150, 255))
    drawn = {"cell.jpg": Image.fromarray(picture).point(lambda value: min(255, round(1.5 * value)))}
    drawn |= {f"{key}.jpg": image for key, image in overlays(analysis, picture=picture).items()}
    return {name: _encoded(image) for name, image in drawn.items()} | {
        "ramp.png": _encoded(Image.alpha_composite(below, over).convert("RGB"), "PNG")
    }


def _mosaic(cells: Sequence[tuple[str, bytes]]) -> bytes:
    """Decision and thumbnail of each cell -> all of them side by side, a bar for the decision under each."""
    bars = {"ALL": RED, "healthy": BLUE}
    step, across = THUMBNAIL + 4, min(MOSAIC[0], max(8, len(cells)))
    canvas = Image.new("RGB", (across * step, -(-len(cells) // across) * (step + 6)), "white")
    draw = ImageDraw.Draw(canvas)
    for place, (decision, content) in enumerate(cells):
        x, y = place % across * step, place // across * (step + 6)
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as image:
            if image.size != (THUMBNAIL, THUMBNAIL):
                raise ValueError(f"a thumbnail is {THUMBNAIL} px wide and high, not {image.size}.")
            canvas.paste(image.convert("RGB").point(lambda value: min(255, round(1.5 * value))), (x, y))
        bar = (x, y + THUMBNAIL + 1, x + THUMBNAIL - 1, y + THUMBNAIL + 4)
        draw.rectangle(bar, fill=bars.get(decision, (150, 150, 150)))
    return _encoded(canvas)


def _encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    """Without metadata: what a camera or a person wrote into the picture stays out of the report."""
    content = io.BytesIO()
    image.save(content, kind, quality=88)
    return content.getvalue()


def _typeset(layout: dict[str, Any], pictures: Mapping[str, bytes], kind: str, made: datetime) -> bytes:
    """Set the template."""
    import typst

    template = Path(__file__).with_suffix(".typ").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="leukovision-") as folder:
        main = Path(folder) / "report.typ"
        main.write_text(template, encoding="utf-8")
        for name, content in pictures.items():
            (Path(folder) / name).write_bytes(content)

        def compiled(said: dict[str, Any], **how: Any) -> bytes:
            data = json.dumps(said | {"paged": how["format"] == "pdf"})
            found = typst.compile(main, root=folder, sys_inputs={"data": data}, timestamp=made, **how)
            return bytes(found[0] if isinstance(found, list) else found)

        try:
            pdf = compiled(layout, format="pdf", pdf_standards="ua-1")
        except typst.TypstError as error:
            if "could not be displayed" not in error.message:
                raise
            # A name in a script that no font here has: its characters are written as their numbers.
            layout = _in_latin(layout)
            pdf = compiled(layout, format="pdf", pdf_standards="ua-1")
        return pdf if kind == "pdf" else compiled(layout, format="png", ppi=150)


def _in_latin(value: Any) -> Any:
    """The same with every character that a Latin font may lack as a backslash and its number."""
    if isinstance(value, str):
        kept = "’−±→≥≤“”…·"
        return "".join(
            one if one in kept or (one.isprintable() and ord(one) < 0x180) else ascii(one)[1:-1]
            for one in value
        )
    if isinstance(value, Mapping):
        return {key: _in_latin(one) for key, one in value.items()}
    return [_in_latin(one) for one in value] if isinstance(value, (list, tuple)) else value
