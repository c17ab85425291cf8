"""The content of a report comes in; what the template sets goes out, in words of a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leukovision.batch import UNREADABLE, Row
from leukovision.ensemble import Analysis
from leukovision.explain import sentences, trait_words
from leukovision.explain.overlay import COMBINED
from leukovision.explain.trait_ranges import Told
from leukovision.explain.traits import COMPARED
from leukovision.i18n import Texts
from leukovision.question import UNSURE
from leukovision.report.schema import BatchReport, CellReport


def cell_layout(
    content: CellReport, analysis: Analysis, said: Mapping[str, str], texts: Texts
) -> dict[str, Any]:
    """What the template sets of one cell; `said` is each map in words, by backbone."""
    parts = dict(sentences.addition(analysis))
    titles = {key: sentences.title_of(key) for key in analysis.members} | {COMBINED: texts("result.combined")}
    ticks = [texts.figure(part * content.scale, "+g") if part else "0" for part in (-1, -0.5, 0, 0.5, 1)]
    odd = f"{texts('result.odd')} {content.reason} {texts('result.no_trust')}"

    def line(title: str, p_all: float, logits: float) -> list[str]:
        return [title, texts.figure(p_all, ".2f"), sentences.signed(logits, texts)]

    return _layout(content, texts("report.cell_title", name=content.file), texts) | {
        "side": texts.question.side(content.decision),
        "headline": content.headline,
        "then": content.then,
        "odd": "" if content.in_domain else odd,
        "why": f"{content.reason} {content.record}".strip() if content.in_domain else "",
        "members": {
            "head": [
                texts("result.backbone"),
                texts("glossary.probability.word"),
                texts("glossary.evidence.word"),
            ],
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
        "ticks": ticks,
        "note": texts("result.scale", scale=content.scale),
        "traits": _traits(content, texts),
        "words": {
            "maps": texts("result.maps"),
            "to_positive": texts("words.to_positive"),
            "to_negative": texts("words.to_negative"),
        },
        "notes": [(texts("result.adds_up"), content.sum), *_notes(content, texts)],
    }


def _traits(content: CellReport, texts: Texts) -> dict[str, Any]:
    """The table of traits; without rows where none were measured."""
    told = {
        one.name: Told(value=one.value, unit=one.unit, why=one.why, nearer=one.nearer)
        for one in content.traits
    }
    classes = sorted({kind for one in content.traits for kind in one.ranges})

    def span(name: str, unit: str, own: Sequence[float]) -> str:
        # The unit stands beside the cell's own value.
        low, middle, high = (
            trait_words.figure(name, own[place], unit, texts).removesuffix(unit).strip()
            for place in (0, 2, 4)
        )
        return texts("traits.span", low=low, middle=middle, high=high)

    rows = [
        [
            trait_words.name_of(one.name, texts),
            trait_words.value_line(one.name, told, texts),
            *(span(one.name, one.unit, one.ranges[kind]) if kind in one.ranges else "" for kind in classes),
            texts.kind(one.nearer) if one.nearer else "",
        ]
        for one in content.traits
        if one.name in COMPARED
    ]
    heads = [texts("traits.range_head", decision=texts.kind(kind)) for kind in classes]
    return {
        "title": texts("traits.title"),
        "head": [texts("traits.column"), texts("traits.value"), *heads, texts("traits.side")],
        "rows": rows,
        "words": content.traits_words,
        "note": texts("traits.note"),
    }


def batch_layout(
    content: BatchReport,
    agreement: Sequence[tuple[int, int]],
    shown: Sequence[float],
    cells: int,
    texts: Texts,
) -> dict[str, Any]:
    """What the template sets of many files.

    Args:
        content: of the report.
        agreement: of each file, as `Row.agreement` gives it.
        shown: probability of the cells in the montage, falling.
        cells: how many could be in it.
        texts: of a language.
    """
    kinds = {key: texts.kind(key) for key in (*texts.question.names, UNSURE)}
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
        why = row.error or ("" if row.in_domain else row.reason) or ""
        remark = f"{why} ({row.marks})".strip() if row.marks else why
        return [
            row.file,
            kinds[row.decision or UNREADABLE],
            "" if row.p_all is None else texts.figure(row.p_all, ".2f"),
            texts("batch.agree", own=own, of=of) if of else "",
            "" if row.in_domain is None else texts("batch.yes" if row.in_domain else "batch.no"),
            remark,
        ]

    return _layout(content, texts("report.batch_title", count=len(content.rows)), texts) | {
        "tiles": [(name, str(value)) for name, value in tiles],
        "montage": montage,
        "alts": {"montage": montage},
        "slides": [(texts.question.side(one.decision), one.words) for one in content.slides],
        "words": {key: texts(f"report.{key}") for key in ("summary", "montage", "table")}
        | {"together": texts("batch.together")},
        "notes": [*((texts("report.unsure"), reason) for reason in reasons), *_notes(content, texts)],
        "table": {
            "head": [*columns, texts("report.remark")],
            "rows": [line(row, *sides) for row, sides in zip(content.rows, agreement, strict=True)],
        },
    }


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
        (texts("report.limits"), texts.paragraph(f"{content.intended_use} {content.limits}".strip())[0]),
    ]
    return [(title, text) for title, text in notes if text]
