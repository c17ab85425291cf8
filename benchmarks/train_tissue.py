"""Train the network that says of each pixel of a photo: outside of white cells, cytoplasm, or nucleus.

    .venv/bin/python benchmarks/train_tissue.py [--half odd|even] [--seed SEED] [--out FILE]

It learns from cells with masks drawn by hand (MASKS/part_*/NNN.bmp with NNN.png: 255 nucleus, 128
cytoplasm), from fields with boxes around white cells (SMEARS, Pascal VOC), from cells cut out on black put
into such fields (CELLS, C-NMC: blasts), and from drawn fields in stains of any colour with writing on them.
All are seen as they are and brighter, darker, in other hues and compressed. With --half only photos of odd or
even numbers are used, so that the others tell how good it is (`benchmarks/smear.py --masks --half even`).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import smear as fields
from cut_out import evenly, pasted
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.filters import threshold_otsu
from sklearn.neural_network import MLPClassifier

from leukovision import read_cell, synthetic
from leukovision.smear.stain import density, resized, stains
from leukovision.smear.tissue import CYTOPLASM, NUCLEUS, OUTSIDE, features

UNKNOWN = 255
FINE = 40
"""Diameter of a red cell in the picture that is looked at, px."""

Labelled = tuple[np.ndarray, np.ndarray, float]
"""(h, w, 3) uint8 photo; (h, w) uint8 what each place is; about how wide a red cell is, px."""


def masked(folder: Path, half: str | None, rng: np.random.Generator) -> Iterator[Labelled]:
    """Single cells with masks."""
    for path in fields.of_half(sorted(folder.glob("part_*/*.bmp")), half):
        photo = np.asarray(Image.open(path).convert("RGB"))
        mask = np.asarray(Image.open(path.with_suffix(".png")).convert("L"))
        labels = np.select([mask > 192, mask > 64], [NUCLEUS, CYTOPLASM], OUTSIDE).astype(np.uint8)
        width = np.sqrt(4 / np.pi * (mask > 64).sum())
        # A second cell that is cut off by the border has no mask.
        parts, _ = ndimage.label(ndimage.binary_opening(_dark(photo), iterations=2))
        for number, place in enumerate(ndimage.find_objects(parts), 1):
            cut_off = any(s.start == 0 or s.stop == n for s, n in zip(place, parts.shape, strict=True))
            part = parts[place] == number
            if cut_off and not (labels[place][part] > 0).any() and part.sum() > 0.02 * (mask > 64).sum():
                near = ndimage.binary_dilation(parts == number, iterations=round(0.15 * width))
                labels[near & (labels == OUTSIDE)] = UNKNOWN
        yield photo, labels, float(width / rng.uniform(1.4, 2.4))


def _dark(photo: np.ndarray) -> np.ndarray:
    """Where a photo of one cell is as dark as a nucleus."""
    green = ndimage.gaussian_filter(density(photo)[..., 1], 1)
    return green > threshold_otsu(np.clip(green, 0, 2))


def red_width(path: Path) -> float:
    """Of the red cells that are annotated in a field, px."""
    sides = [np.sqrt((b[2] - b[0]) * (b[3] - b[1])) for b in fields.boxes(path, "RBC")]
    return float(np.median(sides)) if len(sides) > 4 else 90.0


def boxed(folder: Path, half: str | None, rng: np.random.Generator) -> Iterator[Labelled]:
    """Fields with boxes: what is outside of all is no white cell, what is well inside of one is."""
    for path in fields.of_half(sorted((folder / "images").glob("*.jpg")), half):
        photo, size = np.asarray(Image.open(path).convert("RGB")), red_width(path)
        od = density(photo)
        known = stains(od, size)
        if known is None:
            continue
        amount = ndimage.gaussian_filter(od, (2, 2, 0)) @ known[0] / (known[0] @ known[0])
        labels = np.zeros(photo.shape[:2], np.uint8)
        y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
        for left, top, right, bottom in fields.boxes(path):
            far = (
                np.hypot((x - (left + right) / 2) / (right - left), (y - (top + bottom) / 2) / (bottom - top))
                * 2
            )
            labels[far < 1.3] = UNKNOWN
            labels[(far < 0.85) & (amount < 0.45)] = CYTOPLASM
            labels[(far < 1.0) & (amount > 0.65)] = NUCLEUS
        # White cells that nobody boxed are violet too.
        labels[
            (labels == OUTSIDE)
            & ndimage.binary_dilation(ndimage.binary_opening(amount > 0.6, iterations=10), iterations=40)
        ] = UNKNOWN
        yield photo, labels, size * rng.uniform(0.8, 1.2)


def blasts(
    smears: Path, cells: Path, half: str | None, rng: np.random.Generator, count: int = 40
) -> Iterator[Labelled]:
    """Fields with a cell of C-NMC in each."""
    photos = fields.of_half(sorted((smears / "images").glob("*.jpg")), half)
    for seed, path in enumerate(evenly(cells, count)):
        cell = read_cell(path)
        photo_path = photos[7 * seed % len(photos)]
        put = pasted(photo_path, cell.pixels, cell.outline, False, seed)
        if put is None:
            continue
        photo, mask = put
        green = ndimage.gaussian_filter(photo[..., 1].astype(float), 1)
        dark = green < threshold_otsu(green[mask]) if np.ptp(green[mask]) > 20 else mask
        labels = np.zeros(mask.shape, np.uint8)
        for left, top, right, bottom in (tuple(round(v) for v in b) for b in fields.boxes(photo_path)):
            labels[max(0, top - 20) : bottom + 20, max(0, left - 20) : right + 20] = UNKNOWN
        near = ndimage.binary_dilation(mask, iterations=100)
        labels[~near] = UNKNOWN  # fields are there often enough
        labels[mask] = CYTOPLASM
        labels[mask & dark] = NUCLEUS
        yield photo, labels, red_width(photo_path) * rng.uniform(0.8, 1.2)


def drawn(count: int, rng: np.random.Generator) -> Iterator[Labelled]:
    """Fields of discs, in stains of all colours that nuclei and red cells have been seen in, with writing."""
    for _ in range(count):
        size, side = 40, 360
        slide = rng.uniform(190, 250, 3)
        red = np.array([0.12, 0.45, 0.4]) * rng.uniform(0.5, 1.5) * rng.uniform(0.7, 1.4, 3)
        nucleus = np.array([0.9, 1.6, 0.5]) * rng.uniform(0.5, 1.4) * rng.uniform(0.7, 1.4, 3)
        if nucleus.sum() < 1.3 * red.sum():
            nucleus *= 1.3 * red.sum() / nucleus.sum()
        pale = nucleus * rng.uniform(0.15, 0.55) * rng.uniform(0.7, 1.2, 3)
        y, x = np.mgrid[:side, :side]
        od, labels = np.zeros((side, side, 3)), np.zeros((side, side), np.uint8)
        for _ in range(rng.integers(5, 60)):
            r = np.hypot(y - rng.uniform(0, side), x - rng.uniform(0, side)) / (size / 2)
            od = np.maximum(
                od,
                (np.clip((1 - r) * 8, 0, 1) * (1 - rng.uniform(0, 0.5) * np.clip(1 - r * 1.4, 0, 1)))[
                    ..., None
                ]
                * red,
            )
        for _ in range(rng.integers(1, 4)):
            middle, wide = rng.uniform(0, side, 2), size * rng.uniform(0.6, 1.2)
            angle = np.arctan2(y - middle[0], x - middle[1])
            wobble = 1 + rng.uniform(0, 0.12) * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6))
            inside = np.hypot(y - middle[0], x - middle[1]) < wide * wobble
            od[inside], labels[inside] = pale, CYTOPLASM
            lobes = rng.integers(1, 5) if rng.uniform() < 0.4 else 1
            for _ in range(lobes):
                part = rng.uniform(0.65, 0.92) if lobes == 1 else rng.uniform(0.3, 0.45)
                shift = rng.uniform(-1, 1, 2) * (1 - part) * wide * 0.6
                core = (
                    np.hypot(*(np.stack([y, x]) - (middle + shift)[:, None, None])) < part * wide * wobble
                ) & inside
                od[core], labels[core] = nucleus, NUCLEUS
        grain = ndimage.gaussian_filter(rng.normal(0, 1, (side, side)), 2)
        od = od * (1 + rng.uniform(0, 0.3) * grain / grain.std())[..., None].clip(0.4, 1.6)
        image = Image.fromarray(np.clip(slide * np.exp(-od), 0, 255).astype(np.uint8))
        pen, mark = ImageDraw.Draw(image), Image.new("1", image.size)
        ink = (0, 0, 0) if rng.uniform() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
        for kind in range(rng.integers(0, 3)):
            at = rng.integers(0, side - 120, 2)
            for one, colour in ((pen, ink), (ImageDraw.Draw(mark), 1)):
                if kind:
                    one.rectangle((at[0], at[1], at[0] + 100, at[1] + int(rng.integers(3, 12))), fill=colour)
                else:
                    one.text(
                        (int(at[0]), int(at[1])),
                        "Slide 7, x 1000",
                        fill=colour,
                        font_size=int(rng.integers(12, 24)),
                    )
        labels[np.asarray(mark)] = OUTSIDE
        soft = ndimage.gaussian_filter(np.asarray(image).astype(float), (1, 1, 0)) + rng.normal(
            0, rng.uniform(0, 4), (side, side, 3)
        )
        yield np.clip(soft, 0, 255).astype(np.uint8), labels, size * rng.uniform(0.8, 1.2)


def painted(count: int, rng: np.random.Generator) -> Iterator[Labelled]:
    """Painted cells, dark and large, among red cells that crowd around and over each other."""
    for number in range(count):
        size, (height, width) = 90, (560, 720)
        slide = rng.uniform(195, 250, 3)
        red = np.array([0.13, 0.42, 0.44]) * rng.uniform(0.6, 1.5) * rng.uniform(0.8, 1.25, 3)
        y, x = np.mgrid[:height, :width]
        od = np.zeros((height, width, 3))
        for _ in range(rng.integers(8, 70)):
            r = np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width)) / (size / 2)
            rim = 1 - rng.uniform(0.1, 0.5) * np.clip(1 - 2 * r + 0.4, 0, 1)
            od += (np.clip((1 - r) * 12, 0, 1) * rim)[..., None] * red
        photo = slide * np.exp(-np.minimum(od, 1.6 * red))
        labels = np.zeros((height, width), np.uint8)
        light = np.array([1.9, 2.6, 2.0]) * rng.uniform(0.6, 1.15) * rng.uniform(0.85, 1.15, 3)
        look = (synthetic.blast_like, synthetic.lymphocyte_like)[number % 2](1000 + number)
        cell = synthetic.paint(look, seed=1000 + number).astype(float)
        zoom = rng.uniform(0.55, 1.1)
        cell = np.asarray(resized(cell.astype(np.uint8), zoom)).astype(float)
        mask = cell.max(axis=-1) > 12
        top, left = (
            int(rng.integers(0, most - side)) for most, side in zip((height, width), mask.shape, strict=True)
        )
        there = (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1]))
        photo[there] = np.where(mask[..., None], cell * light, photo[there])
        green = ndimage.gaussian_filter(photo[there][..., 1], 1)
        dark = green < threshold_otsu(green[mask]) + 15
        labels[there] = np.select([mask & dark, mask], [NUCLEUS, CYTOPLASM], OUTSIDE)
        photo = ndimage.gaussian_filter(photo, (0.7, 0.7, 0)) + rng.normal(0, 2, photo.shape)
        yield np.clip(photo, 0, 255).astype(np.uint8), labels, size * rng.uniform(0.8, 1.2)


def changed(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo as another camera or light might have it."""
    image = Image.fromarray(photo)
    image = fields.gamma(float(np.exp(rng.uniform(-0.5, 0.5))))(image)
    image = fields.gains(*rng.uniform(0.75, 1.15, 3))(image)
    image = fields.hue(float(rng.uniform(-14, 14)))(image)
    if rng.uniform() < 0.3:
        image = fields.jpeg(int(rng.integers(20, 80)))(image)
    return np.asarray(image)


def pixels(
    photo: np.ndarray, labels: np.ndarray, size: float, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """Features and labels of so many pixels of a photo, each kind as often."""
    zoom = FINE / size
    small = resized(photo, zoom)
    if rng.uniform() < 0.2:
        small = ndimage.gaussian_filter(small, (*[rng.uniform(0.5, 2)] * 2, 0))
    od = density(small)
    known = stains(od, FINE)
    if known is None:
        return None
    seen = features(od, FINE, *known)
    there = np.asarray(Image.fromarray(labels).resize(small.shape[1::-1], Image.Resampling.NEAREST))
    chosen = [
        rng.permutation(np.flatnonzero(there == kind))[: round(count * part)]
        for kind, part in ((OUTSIDE, 0.5), (CYTOPLASM, 0.3), (NUCLEUS, 0.2))
    ]
    places = np.concatenate(chosen)
    return seen.reshape(-1, seen.shape[-1])[places], there.ravel()[places]


def gathered(asked: argparse.Namespace, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of all photos, as they are and changed."""
    taken = []
    sources = [
        (masked(asked.masks, asked.half, rng), 4, 1500),
        (boxed(asked.smears, asked.half, rng), 2, 1500),
        (blasts(asked.smears, asked.cells, asked.half, rng), 2, 800),
        (drawn(140, rng), 1, 1500),
        (painted(asked.painted, rng), 2, 1500),
    ]
    for source, times, count in sources:
        for photo, labels, size in source:
            for turn in range(times):
                one = pixels(
                    changed(photo, rng) if turn else photo,
                    labels,
                    size * (rng.uniform(0.8, 1.25) if turn else 1),
                    count,
                    rng,
                )
                if one:
                    taken.append(one)
    return np.concatenate([x for x, _ in taken]), np.concatenate([y for _, y in taken])


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--masks", type=Path, default=fields.SHARED / "wbc_masks")
    parser.add_argument("--smears", type=Path, default=fields.SHARED / "smears")
    parser.add_argument("--cells", type=Path, default=fields.SHARED / "cnmc")
    parser.add_argument("--half", choices=("odd", "even"))
    parser.add_argument("--painted", type=int, default=50)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("leukovision/smear/tissue.json"))
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    x, y = gathered(asked, rng)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    print(f"{len(y)} pixels, {x.shape[1]} features", flush=True)
    network = MLPClassifier(
        (asked.hidden,),
        alpha=1e-4,
        batch_size=2048,
        learning_rate_init=2e-3,
        max_iter=20,
        random_state=asked.seed,
        n_iter_no_change=20,
    )
    network.fit(((x - middle) / spread).astype(np.float32), y)
    print(f"loss {network.loss_:.3f}")
    learned = {
        "middle": middle,
        "spread": spread,
        "first": network.coefs_[0],
        "first_offset": network.intercepts_[0],
        "second": network.coefs_[1],
        "second_offset": network.intercepts_[1],
    }
    rounded = {key: np.round(np.asarray(values, dtype=float), 3).tolist() for key, values in learned.items()}
    asked.out.write_text(json.dumps(rounded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
