"""A Bundle is FHIR to two libraries, says what was decided and no more, and is the same bytes each time."""

from __future__ import annotations

import base64
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from leukovision import Ensemble, artifact, batch, cli, report, synthetic
from leukovision.artifact import SlideSpec
from leukovision.cli import loading
from leukovision.demo import analyse as analyse_tab
from leukovision.demo import api, batch_tab, report_buttons
from leukovision.ensemble import Source
from leukovision.hub import Found
from leukovision.i18n import LANGUAGES
from leukovision.report import fhir

models = pytest.importorskip("fhir.resources.R4B.bundle")
client = pytest.importorskip("fhirclient.models.bundle")

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ROWS = [
    batch.Row(file="/home/someone/a.png", decision="ALL", p_all=0.93, p_all_xception=0.9, in_domain=True,
              area=36_100, nucleoli=2, px_per_um=19),
    batch.Row(file="/home/someone/b.png", decision="healthy", p_all=0.1, in_domain=True, area=36_100),
    batch.Row(
        file="/home/someone/s.jpg, cell 2", decision="unsure", p_all=0.5, in_domain=False,
        reason="There is more than one thing in this picture; the ensemble was trained on single cells.",
        box="1 2 30 40", marks="out of focus",
    ),
    batch.Row(file="/home/someone/bad.png", error="/home/someone/bad.png: the file is empty."),
]  # fmt: skip


@pytest.fixture(scope="module")
def knows(ensemble: Ensemble) -> Any:
    """The embedded ensemble's name and card, with a slide rule of its own."""
    spec = SlideSpec(means=(-2, 2), spread=1, offset=1, abstain=(0.01, 0.5))
    manifest = ensemble.manifest.model_copy(update={"slide": spec})
    return SimpleNamespace(
        manifest=manifest, source=ensemble.source, found=ensemble.found, question=ensemble.question
    )


@pytest.fixture(scope="module")
def made(knows: Any) -> bytes:
    return bundle(knows, ROWS, "Patient/123")


def bundle(knows: Any, rows: list[batch.Row], subject: str | None = None, language: str = "en") -> bytes:
    texts = LANGUAGES[language]
    whole = report.of_batch(knows, rows, [b""] * len(rows), MADE, texts)
    return fhir.bundle(whole, knows, rows, subject, texts)


def by_kind(content: bytes, kind: str) -> list[dict[str, Any]]:
    resources = [entry["resource"] for entry in json.loads(content)["entry"]]
    return [one for one in resources if one["resourceType"] == kind]


def analyse(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["analyse", *map(str, arguments)])


def test_a_bundle_is_fhir_to_libraries_that_are_not_ours(made: bytes, knows: Any) -> None:
    models.Bundle.model_validate_json(made)
    read = client.Bundle(json.loads(made), strict=True)
    assert [one.resource.resource_type for one in read.entry] == [
        "DiagnosticReport", *["Observation"] * 5, "Provenance", "Device",
    ]  # fmt: skip
    (device,) = by_kind(made, "Device")
    assert device["version"][0]["value"] and len(device["identifier"][0]["value"]) == 64
    assert device["note"][0]["text"] == (knows.found.folder / "README.md").read_text(encoding="utf-8")


def test_it_is_of_the_question_that_was_asked(lymphocytes: Path) -> None:
    manifest = artifact.read_manifest(lymphocytes)
    source = Source(manifest.name, manifest.version, "folder", manifest.question)
    found = Found(lymphocytes, "folder")
    asks = SimpleNamespace(manifest=manifest, source=source, found=found, question=manifest.question)
    names = {"ALL": "lymphocyte", "healthy": "other"}
    rows = [row.model_copy(update={"decision": names.get(row.decision or "", row.decision)}) for row in ROWS]
    content = bundle(asks, rows)
    client.Bundle(json.loads(content), strict=True)
    _, first, second, *_ = by_kind(content, "Observation")
    assert first["valueCodeableConcept"] == {"text": "lymphocyte"}
    assert second["valueCodeableConcept"] == {"text": "another kind"}
    assert first["component"][0]["code"] == {"text": "p(lymphocyte)"}
    said = json.dumps(by_kind(content, "Observation"))
    assert not re.search(r"\bALL\b|healthy|leuka|blast", said)


def test_what_it_refers_to_is_in_it_and_a_machine_s_word_is_labelled(made: bytes) -> None:
    content = json.loads(made)
    there = {entry["fullUrl"] for entry in content["entry"]}
    assert len(there) == len(content["entry"])
    (whole,), (provenance,) = by_kind(made, "DiagnosticReport"), by_kind(made, "Provenance")
    (device,) = [
        entry["fullUrl"] for entry in content["entry"] if entry["resource"]["resourceType"] == "Device"
    ]
    assert {one["reference"] for one in whole["result"]} < there
    assert {one["reference"] for one in provenance["target"]} < there
    assert provenance["agent"][0]["who"]["reference"] == device
    for one in by_kind(made, "Observation"):
        assert one["device"]["reference"] == device
    for entry in content["entry"]:
        label = entry["resource"].get("meta", {}).get("security", [])
        assert [one["code"] for one in label] == ([] if entry["fullUrl"] == device else ["AIAST"])


def test_it_says_what_was_decided_and_why_nothing_was(made: bytes) -> None:
    slide, first, second, unsure, bad = by_kind(made, "Observation")
    assert first["valueCodeableConcept"] == {"text": "ALL"} and "dataAbsentReason" not in first
    assert second["valueCodeableConcept"] == {"text": "healthy"}
    parts = {one["code"]["text"]: one for one in first["component"]}
    assert parts["p(ALL)"]["valueQuantity"]["value"] == 0.93
    assert parts["p(ALL), Xception"]["valueQuantity"]["value"] == 0.9 and "p(ALL), InceptionV3" not in parts
    area = parts["size of the cell"]["valueQuantity"]
    assert area == {"value": 100, "unit": "um2", "system": fhir.UNITS, "code": "um2"}
    assert parts["nucleoli"]["valueQuantity"]["value"] == 2 and "roundness of the nucleus" not in parts
    assert "size of the cell, px²" in [one["code"]["text"] for one in second["component"]], (
        "no scale is known"
    )
    assert "valueCodeableConcept" not in unsure and "single cells" in unsure["dataAbsentReason"]["text"]
    assert [one["text"] for one in unsure["note"]] == ["s.jpg, cell 2", "out of focus"]
    assert bad["dataAbsentReason"]["coding"][0]["code"] == "error" and "component" not in bad
    assert len(slide["hasMember"]) == 4
    together = {one["code"]["text"]: one for one in slide["component"]}
    assert 0 < together["p(ALL)"]["valueQuantity"]["value"] < 1 and together["n(ALL)"]["valueInteger"] == 1


def test_nothing_is_made_up(made: bytes, knows: Any) -> None:
    assert b"conclusionCode" not in made and b"/home/someone" not in made
    without = bundle(knows, ROWS)
    assert b'"subject"' not in without
    for kind in ("DiagnosticReport", "Observation"):
        for one in by_kind(made, kind):
            assert one["subject"] == {"reference": "Patient/123"} and one["status"] == "preliminary"
    assert not by_kind(made, "Patient")
    assert len(by_kind(bundle(knows, ROWS[:1]), "Observation")) == 1  # one cell is no slide


def test_without_a_rule_for_slides_a_slide_has_no_value(ensemble: Ensemble, knows: Any) -> None:
    manifest = ensemble.manifest.model_copy(update={"slide": None})
    plain = SimpleNamespace(
        manifest=manifest, source=ensemble.source, found=ensemble.found, question=ensemble.question
    )
    slide, *_ = by_kind(bundle(plain, ROWS[:2]), "Observation")
    assert "not calibrated" in slide["dataAbsentReason"]["text"] and "valueCodeableConcept" not in slide


def test_words_are_in_the_language_of_the_report(knows: Any) -> None:
    content = bundle(knows, ROWS, language="de")
    client.Bundle(json.loads(content), strict=True)
    _, _, second, *_ = by_kind(content, "Observation")
    assert second["valueCodeableConcept"] == {"text": LANGUAGES["de"].kind("healthy")}


@pytest.mark.usefixtures("loaded")
def test_the_same_pictures_give_the_same_bytes_with_the_pdf_in_them(tmp_path: Path) -> None:
    cell = tmp_path / "cell.png"
    Image.fromarray(synthetic.paint(synthetic.blast_like(4), seed=4)).save(cell)
    out, again, pdf = (tmp_path / name for name in ("out.json", "again.json", "out.pdf"))
    run = analyse(cell, "--fhir", out, "--report", pdf, "--made", "2026-01-02T03:04:00")
    assert run.exit_code == 0, run.output
    analyse(cell, "--fhir", again, "--made", "2026-01-02T03:04:00")
    assert again.read_bytes() == out.read_bytes()
    client.Bundle(json.loads(out.read_bytes()), strict=True)
    (whole,) = by_kind(out.read_bytes(), "DiagnosticReport")
    assert base64.b64decode(whole["presentedForm"][0]["data"]) == pdf.read_bytes()
    assert whole["issued"] == "2026-01-02T03:04:00Z" and "subject" not in whole


@pytest.fixture
def sent(loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two cells and a broken file, where uploads lie."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    paths = [tmp_path / name for name in ("a.png", "b.png", "no.png")]
    for seed, path in enumerate(paths[:2], 4):
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(path)
    paths[2].write_bytes(b"")
    return paths


def commanded(paths: list[Path], when: str, *arguments: object) -> bytes:
    """What the command writes of the same files at that time."""
    out = paths[0].with_name("out.json")
    analyse(*paths, "--fhir", out, "--made", when, *arguments)
    return out.read_bytes()


def named(endpoints: Any, ensemble: Ensemble, name: str) -> Any:
    """A function that programs, or the page, may ask for."""
    with gr.Blocks() as page:
        endpoints(lambda: ensemble)
    return next(one.fn for one in page.fns.values() if one.api_name == name)


def test_the_endpoint_gives_the_bundle_of_the_command(ensemble: Ensemble, sent: list[Path]) -> None:
    ask, when = named(api.endpoints, ensemble, "fhir"), "2026-01-02T03:04:00"
    for paths in (sent[:1], sent):
        given = [{"path": str(path)} for path in paths]
        found = ask(given if len(given) > 1 else given[0], "Patient/1", when)
        written = (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()
        assert written == commanded(paths, when, "--subject", "Patient/1")
    for asked, why in (
        (([],), "These are 0 pictures; send 1 to 100"),
        (([{"path": "/etc/hostname"}],), "Send the picture itself"),
        ((given, "Mrs Smith"), "wanted is Patient/ID"),
        ((given, None, "today"), "wanted is one in UTC"),
    ):
        with pytest.raises(gr.Error, match=why):
            ask(*asked)


def test_the_page_gives_the_bytes_of_the_command(ensemble: Ensemble, sent: list[Path]) -> None:
    _, _, shown = analyse_tab.analysed(lambda: ensemble, sent[0], "a.png")
    made = report_buttons._made(ensemble, shown, "fhir", LANGUAGES["en"])
    assert made == commanded(sent[:1], json.loads(made)["timestamp"][:-1])
    cells = named(batch_tab.tab, ensemble, "batch_cells")(
        [{"path": str(one), "name": one.name} for one in sent]
    )
    told = [one for rows in cells["rows"] for one in rows]
    file = named(batch_tab.tab, ensemble, "batch_file")
    kept = file("fhir", [one["row"] for one in told], [one["thumbnail"] for one in told])
    made = base64.b64decode(kept["content"])
    assert made == commanded(sent, json.loads(made)["timestamp"][:-1])


def test_a_cell_of_a_photo_is_kept_with_its_place(ensemble: Ensemble, photo: Path) -> None:
    _, _, shown = analyse_tab.analysed(lambda: ensemble, photo, photo.name, number=1)
    (cell,) = by_kind(report_buttons._made(ensemble, shown, "fhir", LANGUAGES["en"]), "Observation")
    _, row = batch.predictions(ensemble, [batch.File(photo.name, photo.read_bytes)])
    parts = {one["code"]["text"]: one for one in cell["component"]}
    assert parts["left, top, right, bottom; px"]["valueString"] == row.row.box
    assert cell["note"][0]["text"] == f"{photo.name}, cell 2"


def test_it_is_not_offered_where_it_cannot_be_made(
    ensemble: Ensemble, sent: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'value="fhir"' in report_buttons.buttons_html() and "downloads.fhir" in batch_tab.batch_html()
    monkeypatch.setitem(sys.modules, "fhir.resources", None)
    assert (
        'value="fhir"' not in report_buttons.buttons_html() and "downloads.fhir" not in batch_tab.batch_html()
    )
    with pytest.raises(gr.Error, match=r"pip install 'leukovision\[fhir\]'"):
        named(api.endpoints, ensemble, "fhir")([{"path": str(sent[0])}])


def test_what_is_missing_or_no_reference_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "load", lambda _: pytest.fail("it was too late"))
    cell = tmp_path / "cell.png"
    cell.touch()
    run = analyse(cell, "--fhir", tmp_path / "out.json", "--subject", "Mrs Smith")
    assert run.exit_code == 2 and "wanted is Patient/ID" in run.stderr.replace("\n", " ")
    monkeypatch.setitem(sys.modules, "fhir.resources", None)
    run = analyse(cell, "--fhir", tmp_path / "out.json")
    assert run.exit_code == 2 and "pip install 'leukovision[fhir]'" in run.stderr.replace("\n", " ")
