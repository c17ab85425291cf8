"""How well white cells are found in photos of smears, and how well they are outlined.

    .venv/bin/python benchmarks/smear.py [--smears FOLDER] [--half odd|even] [--changed] [--scale] [--masks]
                                         [--masks-at FOLDER] [--sheet FILE]

First table: photos in FOLDER/images, boxes (Pascal VOC, name WBC) in FOLDER/annotations. A cell counts as
found where its box and an annotated one share at least half of what both cover. "of one core" is the
processor's time for a photo, which hardly depends on what else the machine is doing. `tissue.json` has
learned from photos of odd numbers only, and the rules were tuned on these: --half even shows what to expect
of others.

--changed    the same photos larger, smaller, darker, redder, blurred, as poor JPEG, with dark corners
--scale      the diameter of red cells that the scale comes from, against their annotated boxes (name RBC)
--masks      instead, photos of single cells against masks drawn by hand: how many cells are found, how alike
             the best outline is, and the one that is found in the mask's box
--sheet FILE a picture of every photo with a miss or a false alarm: annotated green, found red
"""

import argparse
import csv
import io
import statistics
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import draw

from leukovision.smear import LOBED, PX_PER_UM, RED_CELL, cut, find_cells

SHARED = Path(__file__).parents[2] / "shared" / "data"
Box = tuple[float, float, float, float]


def of_half(paths: list[Path], half: str | None) -> list[Path]:
    """Those whose number is odd or even; all of them by default."""
    number = {path: int("".join(filter(str.isdigit, path.stem))) for path in paths}
    return [path for path in paths if half is None or number[path] % 2 == (half == "odd")]


def boxes(photo: Path, kind: str = "WBC") -> list[Box]:
    """Annotated boxes of a photo: left, top, right, bottom, px."""
    tree = ElementTree.parse(photo.parents[1] / "annotations" / f"{photo.stem}.xml")
    return [
        tuple(float(thing.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
        for thing in tree.iter("object")
        if thing.findtext("name") == kind
    ]


def shared(a: Box, b: Box) -> float:
    """What two boxes share, of what both cover."""
    wide, high = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    both = max(0, wide) * max(0, high)
    return both / (sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - both)


def matched(found: list[Box], true: list[Box], least: float = 0.5) -> dict[int, tuple[int, float]]:
    """Found -> annotated, one to one, the best first; with what they share."""
    pairs = sorted(
        ((shared(f, t), i, j) for i, f in enumerate(found) for j, t in enumerate(true)), reverse=True
    )
    result: dict[int, tuple[int, float]] = {}
    for part, i, j in pairs:
        if part >= least and i not in result and j not in {j for j, _ in result.values()}:
            result[i] = (j, part)
    return result


def gamma(power: float) -> Callable[[Image.Image], Image.Image]:
    return lambda photo: photo.point([round(255 * (v / 255) ** power) for v in range(256)] * 3)


def gains(*by: float) -> Callable[[Image.Image], Image.Image]:
    return lambda photo: photo.point([min(255, round(v * gain)) for gain in by for v in range(256)])


def hue(degrees: float) -> Callable[[Image.Image], Image.Image]:
    def turned(photo: Image.Image) -> Image.Image:
        hsv = np.array(photo.convert("HSV"))
        hsv[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)
        return Image.fromarray(hsv, "HSV").convert("RGB")

    return turned


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def saved(photo: Image.Image) -> Image.Image:
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return saved


def dark_corners(photo: Image.Image) -> Image.Image:
    y, x = np.mgrid[-1 : 1 : photo.height * 1j, -1 : 1 : photo.width * 1j]
    return Image.fromarray((np.asarray(photo) * (1 - 0.2 * (x * x + y * y))[..., None]).astype(np.uint8))


def noisy(photo: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 8, (photo.height, photo.width, 3))
    return Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8))


def scaled(by: float) -> Callable[[Image.Image], Image.Image]:
    return lambda photo: photo.resize((round(photo.width * by), round(photo.height * by)))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": scaled(0.5),
    "a third of the size": scaled(1 / 3),
    "twice the size": scaled(2),
    "three times the size": scaled(3),
    "gamma 0.6 (brighter)": gamma(0.6),
    "gamma 1.7 (darker)": gamma(1.7),
    "half the light": gains(0.5, 0.5, 0.5),
    "too much light (× 1.25)": gains(1.25, 1.25, 1.25),
    "warm white (red × 1.15, blue × 0.75)": gains(1.15, 1, 0.75),
    "cold white (red × 0.75, blue × 1.15)": gains(0.75, 1, 1.15),
    "hue + 12°": hue(12),
    "hue − 12°": hue(-12),
    "blurred by 2 px": lambda photo: photo.filter(ImageFilter.GaussianBlur(2)),
    "blurred by 4 px": lambda photo: photo.filter(ImageFilter.GaussianBlur(4)),
    "JPEG of quality 50": jpeg(50),
    "JPEG of quality 20": jpeg(20),
    "noise of 8 grey levels": noisy,
    "corners darker by 40 %": dark_corners,
    "the middle, 4 / 9 of it": lambda photo: photo.crop(
        (photo.width // 6, photo.height // 6, photo.width * 5 // 6, photo.height * 5 // 6)
    ),
}


def measure(
    photos: list[Path], change: Callable[[Image.Image], Image.Image] | None = None
) -> tuple[str, list[str], list[Image.Image]]:
    """A row of the table, and what was missed or found falsely, in words and as pictures."""
    hits, alarms, misses, seconds, busy, alike, words, pictures = 0, 0, 0, [], [], [], [], []
    for path in photos:
        photo, true = Image.open(path).convert("RGB"), boxes(path)
        width, height = photo.size
        if change:
            photo = change(photo)
        if photo.size != (width, height):
            # What is cut off is not asked for; everything else moves with the picture.
            by = photo.width / width
            if change is CHANGES["the middle, 4 / 9 of it"]:
                left, top = width // 6, height // 6
                moved = [(b[0] - left, b[1] - top, b[2] - left, b[3] - top) for b in true]
                true = [
                    (max(0, b[0]), max(0, b[1]), min(photo.width, b[2]), min(photo.height, b[3]))
                    for b in moved
                    if shared(b, (0, 0, *photo.size)) > 0
                ]
            else:
                true = [tuple(v * by for v in b) for b in true]
        start, worked = time.monotonic(), time.process_time()
        found = find_cells(np.asarray(photo), path.name)
        seconds.append(time.monotonic() - start)
        busy.append(time.process_time() - worked)
        pairs = matched([one.box for one in found], true)
        hits += len(pairs)
        alarms += len(found) - len(pairs)
        misses += len(true) - len(pairs)
        alike += [part for _, part in pairs.values()]
        missed = [b for j, b in enumerate(true) if j not in {j for j, _ in pairs.values()}]
        false = [one.box for i, one in enumerate(found) if i not in pairs]
        words += [f"{path.name}: missed {tuple(round(v) for v in b)}" for b in missed]
        words += [f"{path.name}: not annotated {b}" for b in false]
        if missed or false:
            pen = ImageDraw.Draw(photo)
            for b in true:
                pen.rectangle(b, outline=(0, 160, 0), width=3)
            for one in found:
                pen.polygon([tuple(point) for point in one.contour], outline=(220, 0, 0), width=3)
            pictures.append(photo)
    recall, precision = hits / max(1, hits + misses), hits / max(1, hits + alarms)
    f1 = 2 * hits / max(1, 2 * hits + misses + alarms)
    row = (
        f"{recall:.3f} | {precision:.3f} | {f1:.3f} | {np.mean(alike):.2f} | "
        f"{statistics.mean(seconds):.2f} | {max(seconds):.2f} | {statistics.mean(busy):.2f} |"
    )
    return row, words, pictures


def scales(photos: list[Path]) -> list[str]:
    """Rows of a table: red cells as measured against those annotated, of the photos that have both."""
    ratios = {}
    for path in photos:
        width, height = Image.open(path).size
        # A cell that is cut off by the border has a box that is too narrow.
        inside = [
            (right - left, bottom - top)
            for left, top, right, bottom in boxes(path, "RBC")
            if left > 2 and top > 2 and right < width - 2 and bottom < height - 2
        ]
        found = find_cells(path)
        if found and len(inside) >= 5:
            annotated = statistics.median(np.sqrt(wide * high) for wide, high in inside)
            ratios[path.name] = PX_PER_UM * RED_CELL / found[0].scale / annotated
    low, middle, high = np.quantile(list(ratios.values()), (0.1, 0.5, 0.9))
    worst = sorted(ratios, key=lambda name: -abs(np.log(ratios[name])))[:5]
    return [
        "| photos | measured against annotated diameter, median | 10 % to 90 % | furthest off |",
        "| --- | --- | --- | --- |",
        f"| {len(ratios)} | {middle:.2f} | {low:.2f} to {high:.2f} | "
        + ", ".join(f"{name} {ratios[name]:.2f}" for name in worst) + " |",
    ]  # fmt: skip


def as_sheet(pictures: list[Image.Image], columns: int = 5, width: int = 400) -> Image.Image:
    small = [p.resize((width, round(p.height * width / p.width))) for p in pictures]
    high = max(p.height for p in small)
    page = Image.new("RGB", (columns * width, -(-len(small) // columns) * high))
    for place, picture in enumerate(small):
        page.paste(picture, (place % columns * width, place // columns * high))
    return page


def masks(photos: list[Path]) -> list[str]:
    """Rows of a table: photos of single cells against masks drawn by hand, by part and by kind of cell."""
    names = {1: "neutrophils", 2: "lymphocytes", 3: "monocytes", 4: "eosinophils", 5: "basophils"}
    rows: dict[str, list[tuple[float, ...]]] = {}
    for path in photos:
        photo = np.asarray(Image.open(path).convert("RGB"))
        # Some photos have a pixel of another value.
        whole = np.asarray(Image.open(path.with_suffix(".png")).convert("L")) > 64
        worked = time.process_time()
        found = find_cells(photo, path.name)
        worked = time.process_time() - worked
        y, x = np.nonzero(whole)
        given = cut(photo, (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1))
        alike = [
            (inside & whole).sum() / (inside | whole).sum()
            for one in (given, *found)
            for inside in [draw.polygon2mask(whole.shape, one.contour[:, ::-1] - 0.5)]
        ]
        with (path.parent / "classes.csv").open(encoding="utf-8-sig", newline="") as table:
            kinds = {int(number): int(kind) for number, kind in list(csv.reader(table))[1:]}
        told = any(LOBED in one.marks for one in found)
        row = (len(found), max(alike[1:], default=0.0), alike[0], worked, told)
        for title in (path.parent.name, f"{path.parent.name}, {names[kinds[int(path.stem)]]}"):
            rows.setdefault(title, []).append(row)
    result = [
        "| masks | photos | one cell | none | more | IoU, median | 10 % below | from the box | 10 % below | "
        "of one core | lobed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for title, some in sorted(rows.items()):
        count, alike, given, worked, told = np.array(some, dtype=float).T
        result.append(
            f"| {title} | {len(some)} | {np.mean(count == 1):.2f} | {np.mean(count == 0):.2f} | "
            f"{np.mean(count > 1):.2f} | {np.median(alike):.3f} | {np.quantile(alike, 0.1):.3f} | "
            f"{np.median(given):.3f} | {np.quantile(given, 0.1):.3f} | {worked.mean():.2f} | "
            f"{told.mean():.2f} |"
        )
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--smears", type=Path, default=SHARED / "smears")
    parser.add_argument("--masks-at", type=Path, default=SHARED / "wbc_masks")
    parser.add_argument("--half", choices=("odd", "even"))
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--masks", action="store_true")
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    if asked.masks:
        print(*masks(of_half(sorted(asked.masks_at.glob("part_*/*.bmp")), asked.half)), sep="\n")
        return
    photos = of_half(sorted((asked.smears / "images").glob("*.jpg")), asked.half)

    print("| photos | recall | precision | F1 | mean overlap | seconds each | slowest | of one core |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    row, words, pictures = measure(photos)
    print(f"| {len(photos)} as they are | {row}", flush=True)
    for title, change in CHANGES.items() if asked.changed else ():
        print(f"| {title} | {measure(photos, change)[0]}", flush=True)
    print("", *words, "", sep="\n")
    if asked.sheet and pictures:
        as_sheet(pictures).save(asked.sheet)
    if asked.scale:
        print(*scales(photos), "", sep="\n")


if __name__ == "__main__":
    main()
