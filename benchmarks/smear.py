"""How well white cells are found in photos of smears, and whether a cell that was cut out is still itself.

    .venv/bin/python benchmarks/smear.py [--smears FOLDER] [--cells FOLDER] [--half odd|even]
                                         [--changed] [--scale] [--domain] [--paste CELLS] [--sheet FILE]

First table: photos in FOLDER/images, boxes (Pascal VOC, name WBC) in FOLDER/annotations. A cell counts as
found where its box and an annotated one share at least half of what both cover. "of one core" is the
processor's time for a photo, which does not depend on what else the machine is doing.

--changed    the same photos larger, smaller, darker, redder, blurred, as poor JPEG, with dark corners
--scale      the diameter of red cells that the scale comes from, against their annotated boxes (name RBC)
--domain     how many of the cut-outs the ensemble takes for cells of its kind, as they are and with their
             colours brought towards those of the training cells
--paste N    N cells of C-NMC are put into photos and found again: how far does p(ALL) move?
--sheet FILE a picture of every photo with a miss or a false alarm: annotated green, found red
"""

import argparse
import io
import statistics
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from skimage import draw
from skimage.color import lab2rgb, rgb2lab

from leukovision import Cell, Ensemble, load_ensemble, read_cell
from leukovision.cell import BLACK, box_of
from leukovision.smear import PX_PER_UM, RED_CELL, Found, find_cells

SHARED = Path(__file__).parents[2] / "shared" / "data"
Box = tuple[float, float, float, float]


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
) -> tuple[str, list[str], list[Image.Image], list[Found]]:
    """A row of the table, what was missed or found falsely, in words and as pictures, and all cells."""
    hits, alarms, misses, seconds, busy, alike, words, pictures, cells = 0, 0, 0, [], [], [], [], [], []
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
        cells += found
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
    return row, words, pictures, cells


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


def pasted(
    field: Path, cell: np.ndarray, outline: np.ndarray, enlarged: bool, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """A photo with a cell of C-NMC in it, and where that is: (h, w, 3) uint8, (h, w) bool.

    The cell keeps its own pixels but for one factor a channel, which brings its median colour to that of
    the darkest 40 % of the field's own white cell: the light of this microscope. Either the field is
    enlarged to the px per um of C-NMC, and no pixel of the cell is resampled, or the cell is shrunk to those
    of the field. It lies where no white cell is, on and beside red cells; its edge is soft over a pixel.
    """
    rng = np.random.default_rng(seed)
    photo, white = Image.open(field).convert("RGB"), boxes(field)
    red = [
        b
        for b in boxes(field, "RBC")
        if min(b[:2]) > 2 and b[2] < photo.width - 3 and b[3] < photo.height - 3
    ]
    if not white or len(red) < 3:
        return None
    per_um = statistics.median((b[2] - b[0] + b[3] - b[1]) / 2 for b in red) / RED_CELL
    left, top, right, bottom = (round(v) for v in white[0])
    own = np.asarray(photo)[top:bottom, left:right].reshape(-1, 3)
    light = np.median(own[own[:, 1] <= np.quantile(own[:, 1], 0.4)], axis=0)
    by = PX_PER_UM / per_um
    if enlarged:
        photo, white = scaled(by)(photo), [tuple(v * by for v in b) for b in white]
    rows, columns = box_of(outline)
    small, shape = Image.fromarray(cell[rows, columns]), Image.fromarray(outline[rows, columns])
    if not enlarged:
        size = (max(1, round(small.width / by)), max(1, round(small.height / by)))
        small, shape = small.resize(size, Image.Resampling.LANCZOS), shape.resize(size)
    inside = np.asarray(shape)
    pixels = np.asarray(small).astype(np.float32)
    pixels = np.clip(pixels * (light / np.maximum(np.median(pixels[inside], axis=0), 1)), 0, 255)
    height, width = inside.shape
    for _ in range(200):
        x, y = rng.integers(4, photo.width - width - 4), rng.integers(4, photo.height - height - 4)
        if all(shared((x - 8, y - 8, x + width + 8, y + height + 8), b) == 0 for b in white):
            break
    else:
        return None
    canvas, mask = np.array(photo, dtype=np.float32), np.zeros((photo.height, photo.width), dtype=bool)
    mask[y : y + height, x : x + width] = inside
    soft = np.clip(ndimage.gaussian_filter(inside.astype(np.float32), 0.7) * 2 - 1, 0, 1)[..., None]
    there = canvas[y : y + height, x : x + width]
    canvas[y : y + height, x : x + width] = soft * pixels + (1 - soft) * there
    return canvas.round().astype(np.uint8), mask


def paste(ensemble: Ensemble, photos: list[Path], cells: list[Path], enlarged: bool) -> str:
    """Put cells into photos, find them again, and say in a row how far p(ALL) moved."""
    before, after, alike, kept, lost = [], [], [], [], 0
    for seed, path in enumerate(cells):
        cell = read_cell(path)
        for attempt in range(len(photos)):
            put = pasted(
                photos[(7 * seed + attempt) % len(photos)], cell.pixels, cell.outline, enlarged, seed
            )
            if put:
                break
        photo, mask = put
        found = find_cells(photo)
        overlaps = [
            (inside & mask).sum() / (inside | mask).sum()
            for one in found
            for inside in [draw.polygon2mask(mask.shape, one.contour[:, ::-1] - 0.5)]
        ]
        if not overlaps or max(overlaps) < 0.5:
            lost += 1
            continue
        before.append(cell)
        after.append(found[int(np.argmax(overlaps))].cell)
        alike.append(max(overlaps))
    first, second = ensemble.analyse(before), ensemble.analyse(after)
    moved = np.array([b.p_all - a.p_all for a, b in zip(first, second, strict=True)])
    kept = [a.decision == b.decision for a, b in zip(first, second, strict=True)]
    domain = [np.mean([one.in_domain for one in side]) for side in (first, second)]
    return (
        f"{len(cells)} | {len(before)} | {np.median(alike):.3f} | {np.median(np.abs(moved)):.3f} | "
        f"{np.quantile(np.abs(moved), 0.9):.3f} | {moved.mean():+.3f} | {np.mean(kept):.2f} | "
        f"{domain[0]:.2f} | {domain[1]:.2f} |"
    )


def towards(cells: list[Cell]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Ways to bring the colours of a cell, (n, 3) of 0 to 255, towards those of training cells."""
    inside = [cell.pixels[cell.outline].astype(np.float64) for cell in cells]
    middle = np.median([np.median(values, axis=0) for values in inside], axis=0)

    def reinhard(
        there: Callable[[np.ndarray], np.ndarray], back: Callable[[np.ndarray], np.ndarray]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Mean and spread as the training cells have them (Reinhard et al. 2001, doi:10.1109/38.946629)."""
        mean, spread = (np.mean([kind(there(v), 0) for v in inside], axis=0) for kind in (np.mean, np.std))

        def move(values: np.ndarray) -> np.ndarray:
            found = there(values)
            return back((found - found.mean(0)) / found.std(0) * spread + mean)

        return move

    return {
        "as they are": lambda values: values,
        "a gain for each channel": lambda values: values * middle / np.median(values, axis=0),
        "Reinhard, in Lab": reinhard(lambda v: rgb2lab(v / 255), lambda v: 255 * lab2rgb(v)),
        "Reinhard, in density": reinhard(lambda v: -np.log(v + 1), lambda v: np.exp(-v) - 1),
    }


def recoloured(cell: Cell, change: Callable[[np.ndarray], np.ndarray]) -> Cell:
    """The cell in other colours, none of them black."""
    pixels = cell.pixels.copy()
    values = change(cell.pixels[cell.outline].astype(np.float64))
    pixels[cell.outline] = np.clip(np.round(values), BLACK + 1, 255).astype(np.uint8)
    return replace(cell, pixels=pixels)


def evenly(folder: Path, count: int) -> list[Path]:
    """So many cells of C-NMC, ALL and healthy in turn, of all subjects."""
    kinds = [sorted((folder / "training_data").glob(f"fold_*/{kind}/*.jpg")) for kind in ("all", "hem")]
    halves = [files[:: max(1, len(files) // (count // 2))][: count // 2] for files in kinds]
    return [path for pair in zip(*halves, strict=True) for path in pair]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--smears", type=Path, default=SHARED / "smears")
    parser.add_argument("--cells", type=Path, default=SHARED / "cnmc")
    parser.add_argument("--half", choices=("odd", "even"))
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--domain", action="store_true")
    parser.add_argument("--paste", type=int, default=0, metavar="CELLS")
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    photos = sorted((asked.smears / "images").glob("*.jpg"))
    photos = photos[::2] if asked.half == "odd" else photos[1::2] if asked.half == "even" else photos

    print("| photos | recall | precision | F1 | mean overlap | seconds each | slowest | of one core |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    row, words, pictures, cells = measure(photos)
    print(f"| {len(photos)} as they are | {row}", flush=True)
    for title, change in CHANGES.items() if asked.changed else ():
        print(f"| {title} | {measure(photos, change)[0]}", flush=True)
    print("", *words, "", sep="\n")
    if asked.sheet and pictures:
        as_sheet(pictures).save(asked.sheet)
    if asked.scale:
        print(*scales(photos), "", sep="\n")
    if asked.domain:
        ensemble, whole = load_ensemble(), [one.cell for one in cells if not one.marks]
        known = [read_cell(path) for path in evenly(asked.cells, 44)]
        before = np.array([said.p_all for said in ensemble.analyse(whole)])
        print(f"{len(whole)} cut-outs without a mark")
        print("| colours | in domain | median change of p(ALL) | p(ALL) above 0.5 | most frequent reason |")
        print("| --- | --- | --- | --- | --- |")
        for title, change in towards(known).items():
            said = ensemble.analyse([recoloured(cell, change) for cell in whole])
            p = np.array([one.p_all for one in said])
            reason, count = Counter(one.reason for one in said).most_common(1)[0]
            print(
                f"| {title} | {np.mean([one.in_domain for one in said]):.2f} | "
                f"{np.median(np.abs(p - before)):.3f} | {np.mean(p > 0.5):.2f} | {count}: {reason} |",
                flush=True,
            )
    if asked.paste:
        ensemble, chosen = load_ensemble(), evenly(asked.cells, asked.paste)
        print(
            "| pasted | cells | found | median overlap | median change of p(ALL) | 90 % below | "
            "mean change | same decision | in domain before | after |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for enlarged, title in (
            (True, "photo at the training cells' px/um"),
            (False, "cell at the photo's px/um"),
        ):
            print(f"| {title} | {paste(ensemble, photos, chosen, enlarged)}", flush=True)


if __name__ == "__main__":
    main()
