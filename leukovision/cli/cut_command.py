"""`leukovision cut`: photos of smears become pictures of cells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from leukovision.cli.terminal import console, errors_as_sentences, plain, progress, show_left

COLUMNS = ("photo", "number", "box", "marks", "file")
"""Columns of the table that `cut` writes; a box is left, top, right and bottom, px of the photo."""


def cut(
    photos: Annotated[list[Path], typer.Argument(help="Photos of smears, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the cells and cells.csv.")],
    geojson: Annotated[
        bool,
        typer.Option("--geojson", help="Write the outlines there too, a file a photo, as QuPath opens them."),
    ] = False,
) -> None:
    """Cut the white cells out of photos: a PNG each on black, ready for `analyse`, and a table of them."""
    from leukovision import artifact
    from leukovision.batch import collection, csv_of, feature, find, on_photo, sources
    from leukovision.cell import CellError
    from leukovision.cli import run
    from leukovision.smear import find_cells

    left: Counter[str] = Counter()
    with errors_as_sentences():
        files = find(photos, lambda why: left.update([why]), (sources.MAPS, sources.CELLS))
        run.check({"cells.csv of --out": out / "cells.csv"}, {"--out": out}, photos)

    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    # What an earlier run cut out is replaced; what others put there stays.
    taken = {path.name for path in out.iterdir()} - sources.written(out, sources.CELLS)
    with errors_as_sentences(), progress("photos") as advance:
        try:
            for done, photo in enumerate(files, 1):
                cells = []
                try:
                    cells = find_cells(photo.read(), photo.name)
                except CellError as error:
                    refused.append(str(error))
                except OSError as error:
                    refused.append(f"{photo.name}: cannot be read ({error.strerror or error}).")
                for number, found in enumerate(cells, 1):
                    name = f"{sources.stem(photo.name)}_{number}.png"
                    file = _free(out / name, taken)
                    taken.add(file)
                    run.write_picture(out / file, Image.fromarray(found.cell.pixels), sources.CELLS)
                    where = on_photo(found.box, found.marks).values()
                    rows.append(dict(zip(COLUMNS, (photo.name, number, *where, file), strict=True)))
                if geojson and cells:
                    features = [
                        feature(found.contour, number, ", ".join(found.marks))
                        for number, found in enumerate(cells, 1)
                    ]
                    file = _free(out / f"{sources.stem(photo.name)}.geojson", taken)
                    taken.add(file)
                    sources.note(out / file, sources.CELLS)
                    artifact.write_whole(out / file, collection(features))
                advance(done, len(files))
        finally:  # also of those that there are when it is stopped
            artifact.write_whole(out / "cells.csv", csv_of(COLUMNS, rows))
    for sentence in refused:
        console.print(plain(sentence), highlight=False, soft_wrap=True)
    marked = sum(bool(row["marks"]) for row in rows)
    console.print(f"{len(files)} photos: {len(rows)} cells, {marked} of them marked.", highlight=False)
    show_left(left)
    if refused:
        raise typer.Exit(1)


def _free(path: Path, taken: set[str]) -> str:
    """The file's name, or another one where a photo of the same name, or of another folder, took it."""
    name, number = path.name, 2
    while name in taken:
        name, number = f"{path.stem} ({number}){path.suffix}", number + 1
    return name
