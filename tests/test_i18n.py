"""Every language has every text, and nobody is answered half in one and half in another."""

from __future__ import annotations

import copy
import zipfile
from pathlib import Path
from string import Formatter
from typing import get_args

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from leukovision import batch, errors, smear, synthetic
from leukovision.artifact import StoreError, read_manifest
from leukovision.batch import predict, sources, zip_files
from leukovision.cell import CellError, read_cell
from leukovision.decision import decide
from leukovision.demo import photo, teach
from leukovision.demo.batch_tab import left_out
from leukovision.demo.scores import RULERS
from leukovision.explain.methods import METHODS
from leukovision.explain.randomization import DEPTHS
from leukovision.explain.sentences import describe_map
from leukovision.i18n import ENGLISH, LANGUAGES, choose

GERMAN = LANGUAGES["de"]
SAME = {"Grad-CAM", "Grad-CAM++", "LayerCAM", "Score-CAM", "Gradient", "SmoothGrad"}


def braces(text: str) -> list[tuple[str, str]]:
    return sorted((name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_names_in_braces(language):
    entries = LANGUAGES[language].entries
    assert entries.keys() == ENGLISH.entries.keys()
    for key, text in entries.items():
        assert set(braces(text)) == set(braces(ENGLISH.entries[key])), key
        # They stand in HTML and in its attributes as they are, and the browser takes an empty one for none.
        assert text.strip() and not set(text) & set('<>&"'), key


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en-GB,de;q=0.9", "en"), ("fr-FR,de;q=0.9", "en"),
        ("", "en"), ("*", "en"),
    ],
)  # fmt: skip
def test_the_language_named_first_is_taken_or_english(wanted, language):
    assert choose(wanted).language == language


def test_figures_have_the_decimal_mark_of_the_language_and_a_minus():
    assert GERMAN("teach.twin_p", own=0.5, other=1) == "p(ALL) nach den Netzen 0,50, nach dem Zwilling 1,00."
    assert ENGLISH.figure(-0.25, ".2f") == "−0.25"
    assert "−0,05 (" in GERMAN("teach.alike", value=-0.05)


def test_a_path_or_another_error_in_a_sentence_stays_as_it_is(tmp_path):
    path = tmp_path / "my-ensemble-2.0"
    with pytest.raises(StoreError) as refused:
        read_manifest(path)
    assert str(path) in str(refused.value) and str(path) in GERMAN.said(refused.value)
    credit = ENGLISH.html("analyse.credit", repo=OSError("<b>-0.5"))
    assert "&lt;b&gt;-0.5" in credit and "<i>" in ENGLISH.html("analyse.credit", repo=Markup("<i>"))


def test_a_map_is_described_in_german():
    disc = np.hypot(*np.mgrid[-48:48, -48:48]) < 40
    spot = 50 * np.exp(-((np.mgrid[-48:48, -48:48] + 18.0) ** 2).sum(axis=0) / 50).astype(np.float32)
    words = describe_map(spot, disc, GERMAN)
    assert words == "Fast alles für ALL, die Hälfte davon oben links in der Zelle."


@pytest.mark.parametrize("code", get_args(errors.Code))
def test_every_sentence_is_said_in_every_language_from_its_code_and_values(code):
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(ENGLISH.entries[f"said.{code}"]) if name]
    values = {name: 0.25 if spec else f"<{name}>" for name, spec in fields}
    with pytest.raises(CellError) as raised:
        raise CellError(errors.sentence(code, **values))
    for texts in LANGUAGES.values():
        said = texts.said(raised.value)
        assert said == texts(f"said.{code}", **values) and "{" not in said
        # So is what a table gave back, without its code.
        assert texts.said(str(raised.value)) == said
    assert ENGLISH.said(raised.value) == str(raised.value)
    assert copy.deepcopy(raised.value.args[0]).code == code


def test_every_code_has_its_words_and_is_used():
    named = set(get_args(errors.Code))
    assert named <= {key.removeprefix("said.") for key in ENGLISH.entries if key.startswith("said.")}
    code = "".join(p.read_text() for p in Path(errors.__file__).parent.rglob("*.py") if p.name != "errors.py")
    assert not [name for name in named if f'"{name}"' not in code]


def test_what_the_package_says_is_said_in_german(bad_files, tmp_path):
    said = [method.title for method in METHODS.values() if method.title not in SAME]
    said += [title for title, *_ in synthetic.examples()]
    for path in bad_files:
        with pytest.raises(CellError) as refused:
            read_cell(path, "a: b.png")
        said.append(str(refused.value))
    for content in (None, "no JSON", '{"format": 99}'):
        if content:
            (tmp_path / "ensemble.json").write_text(content)
        with pytest.raises(StoreError) as broken:
            read_manifest(tmp_path)
        said.append(str(broken.value))
    for sentence in said:
        assert ENGLISH.said(sentence) == sentence
        assert GERMAN.said(sentence) != sentence, sentence
    assert GERMAN.said("nobody has translated this") == "nobody has translated this"


def test_what_a_zip_file_is_refused_for_is_said_in_german(tmp_path, monkeypatch):
    def packed(*names: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, bytes(2000))
        return path

    def refused(path: Path) -> str:
        with pytest.raises(CellError) as error:
            for one in batch.unzip(path, "a: b.zip"):
                one.read()
        return str(error.value)

    broken, short = packed("a.png"), packed("a.png")
    broken.write_bytes(broken.read_bytes().replace(bytes(2000), bytes(1999) + b"1"))
    short.write_bytes(short.read_bytes()[:500])
    said = [refused(path) for path in (broken, short, packed("a.zip"), packed("a.txt"))]
    for name, most in (("MAX_PICTURES", 1), ("MAX_BYTES", 1000), ("MAX_INFLATED", 3000)):
        with monkeypatch.context() as patch:
            patch.setattr(zip_files, name, most)
            said.append(refused(packed("a.png", "b.png")))
    odd = packed("ü.png")
    odd.write_bytes(odd.read_bytes().replace("ü".encode(), b"\xff\xfe"))
    with zipfile.ZipFile(odd.with_name("b.zip"), "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.png", b"")
    said += [refused(odd), refused(odd.with_name("b.zip"))]
    monkeypatch.setattr(zip_files, "MAX_DIRECTORY", 10)
    said.append(refused(packed("a.png")))
    gone = batch.File("c.png", (tmp_path / "no").read_bytes)
    said += [str(one) for [(_, one)] in predict._read_ahead([gone], 1, batch.read)]
    assert len({GERMAN.said(sentence) for sentence in said}) == len(said) == 11
    for sentence in said:
        assert ENGLISH.said(sentence) == sentence
        assert GERMAN.said(sentence) != sentence, sentence


def test_what_a_zip_file_leaves_out_is_said_in_german():
    words = left_out("a.zip", {".txt": 2, sources.HIDDEN: 1, sources.NO_ENDING: 1}, GERMAN)
    assert words == "a.zip: ausgelassen, da keine Bilder: 2 .txt, 1 versteckt, 1 ohne Endung."


def test_what_cannot_be_done_to_a_photo_is_said_in_german(tmp_path, ensemble):
    path = tmp_path / "smear.png"
    Image.new("RGB", (200, 200), "white").save(path)
    outline = photo.Outline(
        np.array([[50.0, 50], [99, 50], [99, 99]]), 1, (), "ALL", 1, True, "", (50, 50, 99, 99)
    )
    shown = photo.Photo(path, "a: b.png", (400, 300), "", (outline,))
    for what, points in (("no", ()), ("box", [(0, 0)]), ("new", [(0.5, 0.5), (0.5, 0.5)])):
        with pytest.raises(ValueError, match=r"a: b\.png: ") as refused:
            photo.act(ensemble, shown, what, 0, points)
        assert GERMAN.said(str(refused.value)) != str(refused.value)
    said = [smear.TOUCHES, smear.BLURRED, smear.BROKEN, smear.LOBED, smear.too_many("a: b.png")]
    assert all(ENGLISH.said(one) == one != GERMAN.said(one) for one in said)


def test_a_reason_within_a_sentence_is_said_in_german_too(ensemble):
    why = "me/cells: the Hub cannot be reached (ConnectError), and there is no copy of it in the cache."
    words = GERMAN.said(ENGLISH("said.embedded", why=why))
    assert "Hub ist nicht zu erreichen (ConnectError)" in words and words.endswith("Ensemble verwendet.")
    low, high = ensemble.manifest.thresholds.abstain
    decision, reason = decide((low + high) / 2, ensemble.manifest.thresholds, ensemble.question)
    assert decision == "unsure"
    assert GERMAN.said(reason).startswith(f"p(ALL) liegt zwischen {low:.2f} und ".replace(".", ","))


def test_every_part_method_and_ruler_has_its_texts():
    keys = {f"teach.{part}.{one}" for part in teach.PARTS for one in ("title", "try", "see", "ask")}
    keys |= {f"teach.depth.{depth}" for depth in DEPTHS} | {f"teach.shuffled.{depth}" for depth in DEPTHS}
    keys |= {f"teach.ruler_{ruler}" for ruler in RULERS}
    assert keys <= ENGLISH.entries.keys()
