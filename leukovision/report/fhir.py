"""A report and its rows come in; a FHIR R4 Bundle goes out, as hospitals' systems read it.

It holds what was measured and decided, and nothing else: no diagnosis is coded, no patient made up. The
models of fhir.resources (R4B, which has these resources as R4 has them) see that it is FHIR.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from leukovision import artifact, hub
from leukovision.backbones import BACKBONES
from leukovision.batch import Row, together
from leukovision.ensemble import Ensemble
from leukovision.explain.trait_words import name_of
from leukovision.explain.traits import NAMES
from leukovision.i18n import ENGLISH, Texts
from leukovision.question import UNSURE
from leukovision.report.compose import Report, told

TERMS = "http://terminology.hl7.org/CodeSystem/"
UNITS = "http://unitsofmeasure.org"

AIAST = {
    "system": f"{TERMS}v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""Label of what a machine asserted, as HL7's "AI Transparency on FHIR" wants it."""

SUBJECT = re.compile(r"(https?://\S+/)?Patient/[A-Za-z0-9.-]{1,64}|urn:uuid:[0-9a-f-]{36}")


def is_installed() -> bool:
    """Whether a Bundle can be made here: what checks it is an extra."""
    try:
        return importlib.util.find_spec("fhir.resources") is not None
    except ModuleNotFoundError:
        return False


def check(subject: str | None) -> None:
    """Find out before the work whether a Bundle can be made.

    Raises:
        ValueError: fhir.resources is not installed, or `subject` is no reference; with a sentence.
    """
    if not is_installed():
        raise ValueError(
            "FHIR is checked by fhir.resources, which is not installed: pip install 'leukovision[fhir]'."
        )
    if subject is not None and not SUBJECT.fullmatch(subject):
        raise ValueError(
            f"subject {subject}: is no reference to a patient; wanted is Patient/ID, an address that ends "
            "so, or urn:uuid:ID."
        )


def bundle(
    report: Report,
    ensemble: Ensemble,
    rows: Sequence[Row],
    subject: str | None = None,
    texts: Texts = ENGLISH,
) -> bytes:
    """A Bundle of type transaction: a DiagnosticReport with the PDF in it, an Observation of the slide, if
    two or more cells were judged, and one of each row, the Device that decided, and a Provenance.

    Args:
        report: of the rows.
        ensemble: which decided.
        rows: of the cells of one person, and of files that could not be read.
        subject: reference to that person, if there is any.
        texts: of the report's language.

    Returns:
        JSON, the same bytes for the same input: `report.content.made` is the only time in it.

    Raises:
        ValueError: as `check`.
    """
    check(subject)
    from fhir.resources.R4B.bundle import Bundle

    pdf = base64.b64encode(report.made("pdf")).decode()
    of = uuid5(NAMESPACE_URL, json.dumps([pdf, subject]))
    texts = texts.about(ensemble.question)
    issued = report.content.made.strftime("%Y-%m-%dT%H:%M:%SZ")
    device = {"reference": _address(of, "device")}
    common: dict[str, Any] = {"status": "preliminary", "issued": issued}
    common |= {"subject": {"reference": subject}} if subject else {}
    rows = [told(row, texts) for row in rows]
    results = {f"cell-{n}": _cell(row, texts) | common | {"device": device} for n, row in enumerate(rows, 1)}
    judged = [row for row in rows if row.p_all is not None]
    if len(judged) > 1:
        members = {"hasMember": _references(of, results)}
        slide = _slide(judged, ensemble, texts) | common | {"device": device} | members
        results = {"slide": slide} | results
    asserted = {
        "report": _report(report, pdf, issued) | common | {"result": _references(of, results)},
        **results,
        "provenance": _provenance(_references(of, ["report", *results]), device, issued),
    }
    resources = {name: one | {"meta": {"security": [AIAST]}} for name, one in asserted.items()}
    found = _transaction(of, resources | {"device": _device(ensemble)}, issued)
    Bundle.model_validate(found)
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _transaction(of: UUID, resources: Mapping[str, dict[str, Any]], issued: str) -> dict[str, Any]:
    """All resources in one Bundle, each to be created."""
    return {
        "resourceType": "Bundle",
        "meta": {"security": [AIAST]},
        "type": "transaction",
        "timestamp": issued,
        "entry": [
            {
                "fullUrl": _address(of, name),
                "resource": one,
                "request": {"method": "POST", "url": one["resourceType"]},
            }
            for name, one in resources.items()
        ],
    }


def _address(of: UUID, name: str) -> str:
    return f"urn:uuid:{uuid5(of, name)}"


def _references(of: UUID, names: Iterable[str]) -> list[dict[str, str]]:
    return [{"reference": _address(of, name)} for name in names]


def _report(report: Report, pdf: str, issued: str) -> dict[str, Any]:
    """The report itself: what is no figure stands in its PDF, base64."""
    title = report.layout["title"]
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(report.content.disclaimer)}</div>'
    attached = {"contentType": "application/pdf", "language": report.content.language, "data": pdf}
    return {
        "resourceType": "DiagnosticReport",
        "text": {"status": "additional", "div": div},
        "code": {"text": title},
        "presentedForm": [attached | {"title": title, "creation": issued}],
    }


def _provenance(targets: list[dict[str, str]], device: dict[str, str], issued: str) -> dict[str, Any]:
    """That the device made all this, and when."""
    kind = {"system": f"{TERMS}provenance-participant-type", "code": "author"}
    return {
        "resourceType": "Provenance",
        "target": targets,
        "recorded": issued,
        "reason": [{"coding": [AIAST]}],
        "agent": [{"type": {"coding": [kind]}, "who": device}],
    }


def _device(ensemble: Ensemble) -> dict[str, Any]:
    """The ensemble: its name and version, what tells it from any other, and its card."""
    folder = ensemble.found.folder
    try:
        card = artifact.file_in(folder, hub.CARD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        card = f"{ensemble.manifest.intended_use}\n\n{ensemble.manifest.limits}".strip()
    sha256 = artifact.sha256_of(artifact.file_in(folder, artifact.MANIFEST))
    return {
        "resourceType": "Device",
        "identifier": [{"type": {"text": f"sha256 of {artifact.MANIFEST}"}, "value": sha256}],
        "deviceName": [{"name": f"LeukoVision {ensemble.source.name}", "type": "model-name"}],
        "type": {"text": "Ensemble of convolutional neural networks"},
        "version": [{"value": ensemble.source.version}],
        **({"note": [{"text": card}]} if card.strip() else {}),
    }


def _cell(row: Row, texts: Texts) -> dict[str, Any]:
    """What was decided on a cell, or why nothing was."""
    p = texts("glossary.probability.word")
    chances = {p: row.p_all} | {
        f"{p}, {backbone.title}": getattr(row, f"p_all_{key}") for key, backbone in BACKBONES.items()
    }
    parts = [_quantity(name, chance) for name, chance in chances.items() if chance is not None]
    if row.in_domain is not None:
        parts.append({"code": {"text": texts("batch.columns.in_domain")}, "valueBoolean": row.in_domain})
    parts += _traits(row, texts)
    if row.box:
        parts.append({"code": {"text": "left, top, right, bottom; px"}, "valueString": row.box})
    why = row.error or row.reason or ""
    notes = [{"text": text} for text in (row.file, row.marks) if text]
    return (
        {"resourceType": "Observation", "code": {"text": texts("report.asked")}, "note": notes}
        | _decided(row.decision, why, texts, "error" if row.error else "unknown")
        | ({"component": parts} if parts else {})
    )


def _traits(row: Row, texts: Texts) -> list[dict[str, Any]]:
    """What was measured on the cell: in um where a scale is known, else in px, as the name says."""
    found = []
    for name in NAMES:
        value = getattr(row, name)
        if value is None:
            continue
        said, scale, power = name_of(name, texts), row.px_per_um, {"area": 2, "diameter": 1}.get(name, 0)
        if power and scale:
            unit = "um2" if power == 2 else "um"
            found.append(_quantity(said, value / scale**power, unit))
        else:
            found.append(_quantity(f"{said}, px{'²' * (power == 2)}" if power else said, value))
    return found


def _slide(rows: Sequence[Row], ensemble: Ensemble, texts: Texts) -> dict[str, Any]:
    """What the cells say together."""
    found, p = together(rows, ensemble.manifest.slide, ensemble.question), texts("glossary.probability.word")
    chances = {p: found.p_all, f"{p}, 2.5 %": found.low, f"{p}, 97.5 %": found.high}
    parts = [_quantity(name, chance) for name, chance in chances.items() if chance == chance]
    counts = {f"n({texts.kind(kind)})": count for kind, count in found.counts.items()}
    counts[f"n({texts('batch.columns.in_domain')})"] = found.carried_by
    parts += [{"code": {"text": name}, "valueInteger": count} for name, count in counts.items()]
    return {
        "resourceType": "Observation",
        "code": {"text": texts("report.asked_together")},
        "component": parts,
    } | _decided(found.decision, texts.said(found.reason), texts, "unknown")


def _decided(decision: str | None, why: str, texts: Texts, absent: str) -> dict[str, Any]:
    """The value of an Observation; one that is unsure has none, and says why."""
    if decision and decision != UNSURE:
        return {"valueCodeableConcept": {"text": texts.kind(decision)}}
    return {
        "dataAbsentReason": {
            "coding": [{"system": f"{TERMS}data-absent-reason", "code": absent}],
            "text": why,
        }
    }


def _quantity(name: str, value: float, code: str = "1") -> dict[str, Any]:
    """A figure with its unit, by its code of UCUM."""
    quantity = {"value": round(value, 4), "unit": code, "system": UNITS, "code": code}
    return {"code": {"text": name}, "valueQuantity": quantity}
