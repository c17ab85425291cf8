"""A folder of mixed files, as people have them, through `leukovision analyse` and through the Batch tab.

    .venv/bin/python benchmarks/mixed.py [--files N] [--photos N] [--page N] [--shared FOLDER]

In a temporary folder it makes N files out of SHARED: cells in seven formats, photos of smears, all that is in
`cases`, rubbish (3 %), odd names, links and zip files. Each must have a row, or be counted in the last line,
and nothing may end in a traceback. With --page so many of them go through the page in Chromium too.
"""

import argparse
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from measured import chromium, served
from PIL import Image

SHARED = Path(__file__).parents[2] / "shared"
KINDS = ("bmp", "png", "jpg", "webp", "tif", "heic", "avif")
DIFFERENT = 40
"""Cells of each kind; the others are copies of them under other names: to encode them takes longest."""

PORT = 7897
TRACEBACK = "Traceback (most recent call last)"


@cache
def saved(path: Path, kind: str) -> bytes:
    """A picture, saved again as another kind."""
    picture, content = Image.open(path).convert("RGB"), io.BytesIO()
    if kind == "heic":
        from pillow_heif import from_pillow

        from_pillow(picture).save(content, quality=90)
    else:
        picture.save(content, {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind.upper()))
    return content.getvalue()


def rubbish(cell: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of what is no picture, or is broken."""
    kinds = (
        (".jpg", cell[: len(cell) // 3]),
        (".png", b""),
        (".png", b"a letter, called a picture"),
        (".tif", b"II*\0" + bytes(range(256))),
        (".docx", b"PK\3\4"),
        (".txt", b"notes"),
        ("", b"no ending"),
        (".heic", bytes(2000)),
    )
    for number in range(10_000):
        ending, content = kinds[number % len(kinds)]
        yield f"rubbish {number}{ending}", content


def made(home: Path, shared: Path, files: int, photos: int) -> list[Path]:
    """Make the folder and the zip files beside it; all that `analyse` is given."""
    folder = home / "mixed"
    folder.mkdir()
    cases = folder / "cases"
    shutil.copytree(shared / "cases", cases)
    (cases / "README.md").unlink(missing_ok=True)
    there = sum(path.is_file() for path in cases.rglob("*"))
    smears = sorted((shared / "data" / "smears" / "images").glob("*.jpg"))
    single = sorted((shared / "data" / "wbc_masks").glob("part_*/*.bmp"))
    for number in range(photos):
        source = (smears, single)[number % 2]
        path = source[number * 7 % len(source)]
        shutil.copy(path, folder / f"photo {number}{path.suffix}")
    cells = sorted((shared / "data" / "cnmc" / "training_data").glob("fold_*/*/*.*"))
    bad = rubbish(cells[0].read_bytes())
    for _ in range(round(0.03 * files)):
        name, content = next(bad)
        (folder / name).write_bytes(content)
    odd = [
        b"\xff\xfe.png",
        b"x" * 240 + b".png",
        b"two\nlines.png",
        b"=1+1.png",
        b"@SUM(A1).png",
        b"\x1b[2J.png",
    ]
    odd += ["zelle-ü.png".encode(), "клетка.png".encode(), b"._hidden.png", b".hidden.png", b"UPPER.PNG"]
    for name in odd:
        shutil.copy(cells[1], os.fsdecode(bytes(folder) + b"/" + name))
    away = home / "away"
    away.mkdir()
    for number in range(5):
        shutil.copy(cells[2 + number], away / f"linked {number}.jpg")
    (folder / "link to a folder").symlink_to(away)
    (folder / "the same again").symlink_to(away)
    (folder / "around").symlink_to(folder)
    (folder / "link.jpg").symlink_to(cells[7])
    (folder / "to nothing.jpg").symlink_to(home / "nothing")
    zips = []
    for number, kind in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)):
        zips.append(home / f"zip {number}.zip")
        with zipfile.ZipFile(zips[-1], "w", kind) as archive:
            for path in cells[10 + 20 * number :][:20]:
                archive.write(path, f"inner/{path.name}")
            archive.writestr("__MACOSX/inner/._a.jpg", b"a")
            archive.writestr("notes.txt", b"notes")
    left = files - there - photos - round(0.03 * files) - len(odd) - 7 - 66
    some = cells[:: max(1, len(cells) // DIFFERENT)]
    for number in range(left):
        kind = KINDS[number % len(KINDS)]
        path = some[number // len(KINDS) % DIFFERENT]
        (folder / f"cell {number}.{kind}").write_bytes(saved(path, kind))
    return [folder, *zips]


def count(given: list[Path]) -> int:
    """Files that are there: in folders, each once, links to files as files, and in zip files."""
    found, folder = 0, given[0]
    seen = {folder.resolve()}
    for at, folders, names in os.walk(folder, followlinks=True):
        found += len(names)
        for name in list(folders):
            real = (Path(at) / name).resolve()
            if real in seen:
                folders.remove(name)
            seen.add(real)
    return found + sum(len(zipfile.ZipFile(path).namelist()) for path in given[1:])


def by_command(given: list[Path], home: Path) -> None:
    """Through `analyse`."""
    table, start = home / "out.csv", time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "leukovision", "analyse", *map(str, given), "--csv", str(table)],
        capture_output=True, text=True, errors="replace", cwd=Path(__file__).parents[1],
    )  # fmt: skip
    took = time.monotonic() - start
    said = " ".join(run.stderr.split())
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sources = {row["file"].rpartition(", cell ")[0] if row["box"] else row["file"] for row in rows}
    left = re.search(r"(\d+) left out: (.*?)\.(?: |$)", said)
    loops = int(re.search(r"(\d+) linked to a folder around it|$", said)[1] or 0)
    there, told = count(given), len(sources) + (int(left[1]) if left else 0) - loops
    cut = sum(bool(row["box"]) for row in rows)
    bad = sum(bool(row["error"]) for row in rows)
    print(f"analyse: {there} files, {took:.0f} s, exit status {run.returncode}", flush=True)
    print(f"{len(rows)} rows of {len(sources)} files: {cut} of cells of photos, {bad} with an error")
    print(f"left out: {left[0] if left else 'nothing'}")
    print(f"files without a row or a reason: {there - told}; tracebacks: {run.stderr.count(TRACEBACK)}")


def on_page(given: list[Path], most: int) -> None:
    """Through the Batch tab."""
    files = [path for path in given[0].rglob("*") if path.is_file() and path.name.isprintable()]
    # Some of each kind, and the zip files.
    chosen = [*files[:: max(1, len(files) // most)][:most], *given[1:]]
    with served(PORT), chromium("--disable-gpu") as browser:
        page, faults = browser.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.get_by_role("tab", name="Batch").click()
        start = time.monotonic()
        page.set_input_files(".lv-files", chosen)
        page.wait_for_function(
            "document.querySelector('.lv-batch-state').textContent.startsWith('Done')", timeout=3_600_000
        )
        took = time.monotonic() - start
        print(page.locator(".lv-batch-state").text_content(), flush=True)
        with page.expect_download() as download:
            page.click(".lv-batch [data-act=keep][value=csv]")
        with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        sources = Counter(row["file"].rpartition(", cell ")[0] if row["box"] else row["file"] for row in rows)
        print(f"page: {len(chosen)} files chosen, {took:.0f} s; {len(rows)} rows of {len(sources)} names")
        print(f"faults of the page: {faults}")


def main() -> None:
    """Make, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--page", type=int, default=0)
    parser.add_argument("--shared", type=Path, default=SHARED)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        given = made(home, asked.shared, asked.files, asked.photos)
        by_command(given, home)
        if asked.page:
            on_page(given, asked.page)


if __name__ == "__main__":
    main()
