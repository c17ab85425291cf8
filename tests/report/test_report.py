"""Reports: the same content as PDF, PNG and JSON, readable by people who do not see it, and by nobody else's
names for files interpreted."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from leukovision import Ensemble, batch, cli, read_cell, report, synthetic
from leukovision.artifact import SlideSpec
from leukovision.explain.traits import NAMES, traits
from leukovision.i18n import LANGUAGES

ROOT = Path(__file__).parents[2]
MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NAME = "/home/someone/#strong[a] *b* $c$ <d> @e.png"


@pytest.fixture(scope="module")
def one(ensemble: Ensemble) -> report.Report:
    cell = read_cell(synthetic.paint(synthetic.blast_like(4), seed=4))
    (analysis,) = ensemble.analyse([cell])
    picture = ensemble.input.picture(cell, report.SIDE)
    return report.of_cell(ensemble, analysis, picture, NAME, MADE, measured=traits(cell))


@pytest.fixture(scope="module")
def many(ensemble: Ensemble) -> report.Report:
    cells = [
        read_cell(synthetic.paint(synthetic.blast_like(seed), seed=seed), f"/x/y/{seed}.png")
        for seed in range(3)
    ]
    rows = [batch.row(cell.name, found) for cell, found in zip(cells, ensemble.analyse(cells), strict=True)]
    rows.append(
        batch.Row(file="/x/y/bad.png", error="/x/y/bad.png: the file is empty; send a picture of one cell.")
    )
    return report.of_batch(ensemble, rows, [*map(batch.thumbnail, cells), b""], MADE)


def text_of(pdf: bytes, tmp_path: Path, *how: str) -> str:
    if not shutil.which(how[0]):
        pytest.skip(f"no {how[0]} here: install poppler-utils")
    (tmp_path / "report.pdf").write_bytes(pdf)
    command = [*how, str(tmp_path / "report.pdf")] + ["-"] * (how[0] == "pdftotext")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_pdf_is_tagged_with_title_language_and_a_text_for_each_picture(one: report.Report):
    pdf = one.made("pdf")
    assert pdf.startswith(b"%PDF-1.7")
    for mark in (b"/MarkInfo", b"/StructTreeRoot", b"/Lang(en)", b"pdfuaid:part", b"/DisplayDocTitle true"):
        assert mark in pdf or mark.replace(b"(", b" (") in pdf, mark
    pictures, said = pdf.count(b"/S/Figure"), len(re.findall(rb"/Alt[ (<]", pdf))
    assert pictures == said == 6
    assert b"/S/TH" in pdf and b"/S/H1" in pdf


def test_a_pdf_says_in_words_what_the_page_says(ensemble: Ensemble, one: report.Report, tmp_path: Path):
    whose = f"{ensemble.source.name} {ensemble.source.version}"
    content, said = one.content, text_of(one.made("pdf"), tmp_path, "pdftotext")
    said = " ".join(said.split())
    assert isinstance(content, report.CellReport)
    for words in (content.headline, content.sum, content.check.words, content.unseen, content.limits,
                  "Not a medical device", "2026-01-02 03:04 UTC", whose):  # fmt: skip
        assert " ".join(words.split()) in said, words
    info = text_of(one.made("pdf"), tmp_path, "pdfinfo")
    assert re.search(r"Tagged: +yes", info) and re.search(r"Title: +Report on #strong\[a\]", info)
    # The decision with what adds up to it on one; what is known of the ensemble may need another.
    assert re.search(r"Pages: +[12]\n", info)
    first = " ".join(text_of(one.made("pdf"), tmp_path, "pdftotext", "-l", "1").split())
    assert content.headline in first and content.sum in first


def test_names_are_told_as_they_are_and_without_their_folder(one: report.Report, tmp_path: Path):
    assert one.content.file == "#strong[a] *b* $c$ <d> @e.png"
    assert "#strong[a] *b* $c$ <d> @e.png" in text_of(one.made("pdf"), tmp_path, "pdftotext")
    for kind in report.KINDS:
        assert b"someone" not in one.made(kind)


@pytest.mark.parametrize("name", ["细胞.png", "\u0007\u202e.png", "../../etc/passwd", "", "C:\\x\\a.png"])
def test_a_report_can_be_made_whatever_a_file_is_called(one: report.Report, ensemble: Ensemble, name: str):
    rows = [batch.Row(file=name, error=f"{name}: no")]
    pdf = report.of_batch(ensemble, rows, [b""], MADE).made("pdf")
    assert pdf.startswith(b"%PDF") and b"/etc/" not in pdf


def test_the_sum_adds_up_in_figures(one: report.Report):
    content = json.loads(one.made("json"))
    assert sum(member["share"] for member in content["members"]) == pytest.approx(content["logit"])
    assert content["check"]["by_map"][0] == pytest.approx(content["p_all"], abs=1e-5)
    assert len(content["check"]["shares"]) == len(content["check"]["by_chance"])


def test_a_report_tells_the_traits_of_the_cell_and_what_they_say_to_the_decision(
    one: report.Report, tmp_path
):
    content = json.loads(one.made("json"))
    told = {trait["name"]: trait for trait in content["traits"]}
    assert tuple(told) == NAMES and told["area"]["value"] > 10_000 and told["area"]["unit"] == "px²"
    assert all((trait["value"] is None) == bool(trait["why"]) for trait in told.values())
    assert content["traits_words"]
    text = " ".join(text_of(one.made("pdf"), tmp_path, "pdftotext").split())
    assert "roundness of the nucleus" in text and "haematologist" in text


def test_the_schema_in_docs_is_that_of_the_code(one: report.Report, many: report.Report):
    """To renew it: python -c "import json; from leukovision import report;
    print(json.dumps(report.schema(), indent=1))" > docs/report.schema.json"""
    assert json.loads((ROOT / "docs" / "report.schema.json").read_text()) == report.schema()
    for made, model in ((one, report.CellReport), (many, report.BatchReport)):
        content = model.model_validate_json(made.made("json"))
        assert content == made.content and content.schema_version == report.SCHEMA_VERSION


def test_png_is_one_picture_without_metadata(one: report.Report, many: report.Report):
    with Image.open(io.BytesIO(one.made("png"))) as image:
        assert image.format == "PNG" and image.width == 1240 and image.height > 1000
        assert not image.getexif() and not image.info.keys() - {"dpi"}
        assert np.ptp(np.asarray(image.convert("L"))) > 200
    with pytest.raises(ValueError, match="batch"):
        many.made("png")


def test_a_batch_counts_lists_and_shows_its_files(many: report.Report, tmp_path: Path):
    content = many.content
    assert isinstance(content, report.BatchReport)
    assert [row.file for row in content.rows] == ["0.png", "1.png", "2.png", "bad.png"]
    said = " ".join(text_of(many.made("pdf"), tmp_path, "pdftotext").split())
    assert "Report on 4 files" in said and "All 3 cells, from p(ALL)" in said
    assert "bad.png: the file is empty" in said and "/x/y" not in said
    assert many.made("pdf").count(b"/S/Figure") == 1


def test_what_the_cells_of_one_person_say_together_stands_first(ensemble: Ensemble, tmp_path: Path):
    spec = SlideSpec(means=(-2, 2), spread=1, offset=1, abstain=(0.2, 0.8))
    knows = SimpleNamespace(
        manifest=ensemble.manifest.model_copy(update={"slide": spec}),
        source=ensemble.source,
        found=ensemble.found,
        question=ensemble.question,
    )
    judged = {"decision": "ALL", "p_all": 0.9, "in_domain": True}
    rows = [
        batch.Row(file=f"/home/someone/{folder}/cells/{n}.png", **judged) for folder in "ab" for n in (1, 2)
    ]
    for files, names in ((rows[:2], [""]), (rows, ["a/cells", "b/cells"]), (rows[:1], [])):
        made = report.of_batch(knows, files, [b""] * len(files), MADE)
        assert [one.name for one in made.content.slides] == names
        said = " ".join(text_of(made.made("pdf"), tmp_path, "pdftotext").split())
        for one in made.content.slides:
            assert one.decision == "ALL" and said.index(one.words) < said.index("Summary")
        assert "someone" not in said and b"someone" not in made.made("json")
        report.BatchReport.model_validate_json(made.made("json"))
    odd = [row.model_copy(update={"in_domain": False}) for row in rows[:2]]
    (one,) = report.of_batch(knows, odd, [b""] * 2, MADE, LANGUAGES["de"]).content.slides
    assert (
        (one.p_all, one.carried_by) == (None, 0) and one.words.endswith(one.reason) and "ähnelt" in one.reason
    )


def test_a_thumbnail_of_another_size_is_refused(ensemble: Ensemble):
    large = io.BytesIO()
    Image.new("RGB", (3000, 3000)).save(large, "WEBP")
    row = batch.Row(file="a.png", decision="ALL", p_all=0.9)
    with pytest.raises(ValueError, match="80 px"):
        report.of_batch(ensemble, [row], [large.getvalue()])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_in_one_language(ensemble: Ensemble, many: report.Report, language: str):
    made = report.of_batch(ensemble, list(many.content.rows), [b""] * 4, MADE, LANGUAGES[language])
    assert f"/Lang({language})".encode() in made.made("pdf").replace(b"/Lang (", b"/Lang(")
    assert made.content.disclaimer == LANGUAGES[language]("page.disclaimer")


@pytest.mark.usefixtures("loaded")
def test_the_command_line_makes_a_report_on_one_cell_or_on_many(tmp_path: Path) -> None:
    for seed in (1, 2):
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=seed)).save(tmp_path / f"{seed}.png")
    run, files = CliRunner(), [str(tmp_path / f"{seed}.png") for seed in (1, 2)]
    for paths, out, kind in ((files[:1], "one.json", "cell"), (files, "two.json", "batch")):
        found = run.invoke(cli.app, ["analyse", *paths, "--report", str(tmp_path / out)])
        assert found.exit_code == 0, found.output
        assert json.loads((tmp_path / out).read_text())["kind"] == kind
    table = tmp_path / "t.parquet"
    found = run.invoke(
        cli.app, ["analyse", *files, "--report", str(tmp_path / "r.pdf"), "--parquet", str(table)]
    )
    assert found.exit_code == 0 and table.stat().st_size and (tmp_path / "r.pdf").read_bytes()[:4] == b"%PDF"
    for out in ("r.docx", "r.png"):
        found = run.invoke(cli.app, ["analyse", *files, "--report", out])
        assert found.exit_code == 2 and "a report ends in .pdf" in found.stderr
