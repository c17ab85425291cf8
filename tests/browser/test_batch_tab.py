"""What a person sees who gives the page many cells at once."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from leukovision import batch, report, synthetic
from leukovision.explain.sentences import together


def state(page, words: str) -> None:
    """Wait until the batch says so; the first one waits for the networks too."""
    said = f"document.querySelector('.lv-batch-state').textContent.startsWith('{words}')"
    page.wait_for_function(said, timeout=180_000)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> list[Path]:
    """Twelve drawn cells, two files that are none, and a zip with five more and a broken one."""
    folder = tmp_path_factory.mktemp("many")
    for seed in range(17):
        recipe = synthetic.blast_like(seed) if seed % 2 else synthetic.lymphocyte_like(seed)
        Image.fromarray(synthetic.paint(recipe, seed=seed)).save(folder / f"cell {seed}.png")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for seed in range(12, 17):
            archive.write(folder / f"cell {seed}.png", f"inner/{seed}.png")
            (folder / f"cell {seed}.png").unlink()
        archive.writestr("inner/broken.png", "no")
        archive.writestr("inner/notes.txt", "no picture")
    (folder / "letter <b>.png").write_text("no picture")
    (folder / "empty.jpg").touch()
    return sorted(folder.iterdir())


def column(page, place: int) -> list[str]:
    return page.locator(f".lv-rows tbody :is(td, th):nth-child({place})").all_text_contents()


def keep(page, kind: str, path: Path) -> Path:
    with page.expect_download() as download:
        page.click(f".lv-batch [data-act=keep][value={kind}]")
    download.value.save_as(path)
    return path


def test_many_files_are_judged_sorted_filtered_and_kept(page, files, tmp_path, ensemble):
    page.get_by_role("tab", name="Batch").click()
    page.set_input_files(".lv-files", files)
    state(page, "Done")
    assert "more.zip: left out, as no pictures: 1 .txt." in page.locator(".lv-batch-state").text_content()
    for width, height in ((390, 800), (1366, 768)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".lv-batch-speed").text_content() == "20 of 20"
    names = [words.split(".png")[0] for words in column(page, 6)]
    assert sorted(name for name in names if name.startswith("cell")) == sorted(
        path.stem for path in files if path.name.startswith("cell")
    )
    assert sum(name.startswith("more.zip/inner/") for name in names) == 6
    # A name is shown as it is, and a file that cannot be read says why.
    (bad,) = [words for words in column(page, 6) if words.startswith("letter <b>.png")]
    assert "not an image" in bad and bad.count("letter") == 1
    tiles = dict(
        zip(*(page.locator(f".lv-counts {tag}").all_text_contents() for tag in ("dt", "dd")), strict=True)
    )
    assert tiles["could not be read"] == "3"
    assert sum(int(tiles[kind]) for kind in ("ALL", "healthy", "unsure", "could not be read")) == 20

    page.click(".lv-rows [value=file]")
    for place, key in enumerate(("place", "decision", "p_all", "agree", "in_domain", "file"), start=1):
        seen = {}
        for _ in range(2):
            page.click(f".lv-rows [value={key}]")
            way = page.locator(f".lv-rows th:has([value={key}])").get_attribute("aria-sort")
            seen[way] = [words for words in column(page, place) if words not in ("", "–")]
        assert set(seen) == {"ascending", "descending"}
        if key == "p_all":
            figures = [float(words) for words in seen["ascending"]]
            assert figures == sorted(figures) and 0 < len(figures) <= 17
        if key in ("p_all", "file"):
            assert seen["ascending"] == seen["descending"][::-1]
    for kind in ("error", "unsure", "disagree"):
        page.select_option(".lv-batch select[data-act=filter]", kind)
        shown = column(page, 2)
        assert len(shown) == int(tiles[page.locator(f"option[value={kind}]").text_content()])
        assert kind == "disagree" or set(shown) <= {"could not be read", "unsure"}
    page.select_option(".lv-batch select[data-act=filter]", "all")
    page.select_option(".lv-batch select[data-act=view]", "montage")
    p = [float(words) for words in page.locator(".lv-montage span").all_text_contents() if words != "–"]
    assert p == sorted(p, reverse=True)
    assert page.locator(".lv-montage img").count() == 17
    assert all(
        ": " in alt for alt in page.locator(".lv-montage img").evaluate_all("all => all.map(i => i.alt)")
    )

    with keep(page, "csv", tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == batch.COLUMNS and len(rows) == 20
    kept = [batch.Row(**row) for row in json.loads(keep(page, "json", tmp_path / "t.json").read_text())]
    assert len(kept) == 20
    found = batch.several(kept, ensemble.manifest.slide)
    page.wait_for_function(f"document.querySelectorAll('.lv-batch-together p').length === {len(found)}")
    said = [together(one, name) for name, one in found.items()]
    assert page.locator(".lv-batch-together p").all_text_contents() == said
    table = parquet.read_table(keep(page, "parquet", tmp_path / "t.parquet"))
    assert table.column("file").to_pylist() == [row["file"] for row in rows]
    assert keep(page, "pdf", tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")


def test_a_photo_has_a_row_for_each_of_its_cells(page, photo, files):
    page.get_by_role("tab", name="Batch").click()
    page.set_input_files(".lv-files", [photo, files[0]])
    state(page, "Done: 2 files")
    assert page.locator(".lv-batch-speed").text_content() == "2 of 2"
    names = column(page, 6)
    assert [name.split(".png")[1][:8] for name in names[:2]] == [", cell 1", ", cell 2"] and len(names) == 3


def test_a_row_opens_its_cell_with_maps(page, photo, files, uploads):
    """A photo's second cell, a picture in a zip file whose copy on the server is gone; not a file that is."""
    gone = files[0].with_name("gone.png")
    gone.write_bytes(files[0].read_bytes())
    page.get_by_role("tab", name="Batch").click()
    page.set_input_files(".lv-files", [photo, files[-1], gone])
    state(page, "Done")
    assert files[-1].suffix == ".zip"
    number = page.locator(".lv-rows tbody tr").count()

    def opened(row: str) -> str:
        page.get_by_role("tab", name="Batch").click()
        page.locator(".lv-rows tr", has_text=row).locator(".lv-opener").press("Enter")
        page.wait_for_selector("#lv-input .lv-seen", state="visible")
        page.wait_for_function("document.documentElement.dataset.lv === ''")
        assert page.locator("#lv-output .lv-map").count() == 4
        return page.locator("#lv-input .lv-seen figcaption").text_content()

    assert opened("cell 2").endswith("cell 2")
    assert page.locator(".lv-strip button").nth(1).get_attribute("aria-pressed") == "true"
    for copy in uploads.rglob("lv-batch-*"):
        copy.unlink()
    assert opened("inner/13.png").startswith("13.png")
    gone.unlink()
    page.get_by_role("tab", name="Batch").click()
    page.locator(".lv-rows tr", has_text="gone.png").locator("td").first.click()
    state(page, "gone.png: the file is not on your disk any more")
    assert number == page.locator(".lv-rows tbody tr").count() == 9


def test_a_batch_stops_keeps_what_is_done_and_goes_on(page, files):
    page.get_by_role("tab", name="Batch").click()
    cells = [path for path in files if path.name.startswith("cell")] * 4
    page.set_input_files(".lv-files", [{"name": f"{n}.png", "mimeType": "", "buffer": path.read_bytes()}
                                       for n, path in enumerate(cells)])  # fmt: skip
    page.wait_for_selector(".lv-rows")
    page.click(".lv-batch [data-act=stop]")
    state(page, "Stopped")
    done = int(re.match(r"(\d+) of 48", page.locator(".lv-batch-speed").text_content())[1])
    assert 16 <= done < 48 and page.locator(".lv-rows tbody tr").count() == done
    # Other tabs are there while a batch is, and a batch goes on behind them.
    page.click(".lv-batch [data-act=go_on]")
    page.get_by_role("tab", name="Analyse").click()
    state(page, "Done")
    page.get_by_role("tab", name="Batch").click()
    names = [name.removesuffix(".png") for name in column(page, 6)]
    assert [name.split(".png")[0] for name in names] == [str(n) for n in range(48)]
    page.click(".lv-batch [data-act=clear]")
    assert page.locator(".lv-rows").count() == 0 and page.locator(".lv-many").is_visible()
    assert page.locator(".lv-batch-together").text_content() == ""


def test_a_batch_that_asks_too_often_says_how_long_it_waits_and_goes_on(page, files):
    words, refused = "Please wait 1 s.", []

    def refuse_once(route):
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        answer = {"status": 429, "headers": {"Retry-After": "1"}, "json": {"detail": words, "error": words}}
        return route.fulfill(**answer)

    page.route("**/call/batch_cells", refuse_once)
    page.get_by_role("tab", name="Batch").click()
    page.set_input_files(".lv-files", [path for path in files if path.name.startswith("cell")][:3])
    state(page, words)
    state(page, "Done")
    assert page.locator(".lv-rows tbody tr").count() == 3 and len(refused) == 1


def test_single_cells_get_in_between_and_no_picture_of_a_batch_is_left(page, files, uploads):
    page.get_by_role("tab", name="Batch").click()
    cells = [path for path in files if path.name.startswith("cell")] * 5
    page.set_input_files(".lv-files", [{"name": f"{n}.png", "mimeType": "", "buffer": path.read_bytes()}
                                       for n, path in enumerate(cells)])  # fmt: skip
    page.wait_for_selector(".lv-rows")
    page.get_by_role("tab", name="Analyse").click()
    page.click("[data-index='1']")
    page.wait_for_selector(".lv-decision")
    assert int(page.locator(".lv-batch-speed").text_content().split(" of ")[0]) < 60
    state(page, "Done")
    assert uploads.is_dir()
    left = uploads.glob("*/lv-batch-*")
    assert not [path for path in left if not zipfile.is_zipfile(path)]


def test_a_result_is_kept_as_a_report(page, files, tmp_path):
    assert not page.locator(".lv-kept").is_visible()
    page.set_input_files(".lv-open", files[0])
    page.wait_for_selector(".lv-kept", state="visible")
    for kind, start in (("pdf", b"%PDF"), ("png", b"\x89PNG"), ("json", b"{"), ("fhir.json", b"{")):
        with page.expect_download() as download:
            page.click(f".lv-kept [value={kind.partition('.')[0]}]")
        assert download.value.suggested_filename == f"{files[0].stem}.{kind}"
        download.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(start)
    content = report.CellReport.model_validate_json((tmp_path / "json").read_bytes())
    assert content.file == files[0].name
    shown = " ".join(page.locator(".lv-decision h2").text_content().split())
    assert shown == f"{content.headline}: {content.then}"
