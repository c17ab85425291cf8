"""Whether a cell that was cut out of a photo is still itself, to the networks.

    .venv/bin/python benchmarks/cut_out.py [--smears FOLDER] [--cells FOLDER] [--half odd|even]
                                           [--domain] [--paste N]

--domain     how many of the cut-outs the ensemble takes for cells of its kind, as they are and with their
             colours brought towards those of the training cells
--paste N    N cells of C-NMC are put into photos and found again: how far does p(ALL) move?
"""

import argparse
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import draw
from skimage.color import lab2rgb, rgb2lab
from smear import SHARED, boxes, of_half, scaled, shared

from leukovision import Cell, Ensemble, load_ensemble, read_cell
from leukovision.cell import BLACK, box_of
from leukovision.smear import PX_PER_UM, RED_CELL, find_cells


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
    parser.add_argument("--domain", action="store_true")
    parser.add_argument("--paste", type=int, default=0, metavar="CELLS")
    asked = parser.parse_args()
    photos = of_half(sorted((asked.smears / "images").glob("*.jpg")), asked.half)
    if asked.domain:
        cells = [one for path in photos for one in find_cells(path)]
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
