"""An ensemble of another question speaks of its own classes wherever it decides, without a change of code."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from leukovision import batch, cli, synthetic
from leukovision.artifact import StoreError, read_manifest, read_question
from leukovision.demo import model_tab, scores
from leukovision.demo.teach import threshold
from leukovision.explain import trait_ranges
from leukovision.hub import EMBEDDED, Found
from leukovision.i18n import ENGLISH, LANGUAGES
from leukovision.question import OURS, Question
from leukovision.slide import decide
from leukovision.training import dataset

LEUKAEMIA = re.compile(r"\bALL\b|healthy|gesund|leuk(a?)emi|leukämi|blast", re.IGNORECASE)
OTHER = Question("lymphocyte", "other")


def disease(text: str) -> list[str]:
    """What in a text is of the embedded ensemble's question; "all" and "All" are words like any other."""
    return [found[0] for found in LEUKAEMIA.finditer(text) if found[0] not in ("all", "All")]


def test_words_come_from_the_manifest_in_the_language_or_english_or_from_the_names(lymphocytes: Path) -> None:
    question = read_manifest(lymphocytes).question
    english, german = (LANGUAGES[language].about(question) for language in ("en", "de"))
    assert english.kind("lymphocyte") == "lymphocyte" and german.kind("lymphocyte") == "Lymphozyt"
    assert english.kind("other") == "another kind" and english.kind("unsure") == "unsure"
    assert english.words["negative_cells"] == "another kind cells"
    assert english("page.what").startswith("Is this white blood cell a lymphocyte? Three")
    assert ENGLISH.about(OTHER).words["question"] == "Which is this white blood cell: lymphocyte or other?"
    for texts in LANGUAGES.values():
        own = texts.about(question)
        keys = [key for key in own.entries if not key.startswith(("question.", "teach.d", "traits."))]
        assert not [key for key in keys if re.search(r"\bALL\b", own.unfilled(key))]


def test_a_manifest_that_names_no_classes_asks_what_the_embedded_one_asks(tmp_path: Path) -> None:
    content = json.loads((EMBEDDED / "ensemble.json").read_text())
    for key in ("classes", "words", "data"):
        content.pop(key, None)
    (tmp_path / "ensemble.json").write_text(json.dumps(content))
    assert read_manifest(tmp_path).question == read_manifest(EMBEDDED).question == OURS and OURS.data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ["a"]}, "classes"),
        ({"classes": ["a", "A"]}, "two"),
        ({"classes": ["a", "Unsure"]}, "unsure"),
        ({"classes": ["a", "<b>"]}, "classes.1"),
        ({"words": {"en": {"positive": "<script>"}}}, "words.en.positive"),
        ({"words": {"en": {"positive": "{p}"}}}, "words.en.positive"),
        ({"words": {"en": {"colour": "red"}}}, "words.en.colour"),
    ],
)
def test_names_and_words_that_cannot_be_shown_are_refused(changes: dict, words: str, tmp_path: Path) -> None:
    (tmp_path / "ensemble.json").write_text(json.dumps({"classes": ["a", "b"]} | changes))
    with pytest.raises(StoreError, match=re.escape(words)):
        read_question(tmp_path / "ensemble.json")


def test_a_row_of_another_question_is_refused() -> None:
    rows = [batch.Row(file="a.png", decision="ALL", p_all=0.9, in_domain=True)]
    with pytest.raises(ValueError, match=r"a\.png: 'ALL' is no decision on lymphocyte or other"):
        batch.counts(rows, OTHER)
    with pytest.raises(ValueError, match="lymphocyte or other"):
        batch.together(rows, None, OTHER)
    assert decide([], [], ["other"], None, OTHER).counts == {"lymphocyte": 0, "other": 1, "unsure": 0}


def test_training_data_lie_in_folders_of_the_classes(tmp_path: Path) -> None:
    for kind, subject in (("lymphocyte", 1), ("other", 2), ("hem", 3)):
        path = tmp_path / "fold_0" / kind / f"UID_{subject}_1_1_{kind}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=subject)).save(path)
    found = dataset.read_images(tmp_path, OTHER)
    assert [(image.subject, image.is_all) for image in found] == [("1", 1), ("2", 0)]
    with pytest.raises(FileNotFoundError, match=r"fold_\*/sick/\*\.bmp and fold_\*/well/\*\.bmp"):
        dataset.files(tmp_path, Question("sick", "well"))


def test_every_output_of_analyse_speaks_of_the_ensemble_s_classes(
    lymphocytes: Path, photo: Path, tmp_path: Path
) -> None:
    pytest.importorskip("fhir.resources.R4B.bundle")
    names = {kind: tmp_path / f"out.{kind}" for kind in ("csv", "json", "geojson", "fhir")}
    report = tmp_path / "report.json"
    options = [part for kind, path in names.items() for part in (f"--{kind}", str(path))]
    command = ["analyse", str(photo), "--ensemble", str(lymphocytes), "--slide", "--report", str(report)]
    run = CliRunner().invoke(cli.app, [*command, *options])
    assert run.exit_code == 0, run.output
    said = {kind: path.read_text() for kind, path in names.items()}
    said |= {"terminal": run.output, "report": report.read_text()}
    bundle = json.loads(said["fhir"])
    pdf = base64.b64decode(bundle["entry"][0]["resource"]["presentedForm"][0].pop("data"))
    said["fhir"] = json.dumps(bundle)
    if shutil.which("pdftotext"):
        said["pdf"] = subprocess.run(
            ["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True
        ).stdout.decode()
        assert "p(lymphocyte)" in said["pdf"]
    assert not {kind: found for kind, text in said.items() if (found := disease(text))}
    assert {row["decision"] for row in json.loads(said["json"])} <= {"lymphocyte", "other"}
    assert "p(lymphocyte)" in said["geojson"] and "p(lymphocyte)" in said["fhir"]


def test_the_model_tab_and_lessons_speak_of_the_ensemble_s_classes(lymphocytes: Path) -> None:
    for language, texts in LANGUAGES.items():
        page = model_tab.model_html(Found(lymphocytes, "here"), texts)
        page += threshold.line_html(scores.read(lymphocytes), 0.5, 50, texts)
        assert not disease(page), language
    assert "called lymphocyte" in page and "in truth another kind" in page


def test_traits_of_other_classes_are_not_told(lymphocytes: Path, tmp_path: Path) -> None:
    shutil.copy(lymphocytes / "ensemble.json", tmp_path)
    shutil.copy(EMBEDDED / "traits.json", tmp_path)
    assert trait_ranges.of_ensemble(tmp_path) is None and trait_ranges.of_ensemble(EMBEDDED)


def test_the_code_names_no_class_of_the_embedded_ensemble() -> None:
    home = Path(batch.__file__).parents[1]
    code = [path for ending in ("py", "js", "css", "typ") for path in home.rglob(f"*.{ending}")]
    named = [path.name for path in code if re.search(r"\b(ALL|healthy)\b", path.read_text(encoding="utf-8"))]
    assert not named, f"classes are data: names and words of an ensemble's manifest; named in {named}"
