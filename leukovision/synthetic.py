"""A recipe and a seed go in, a drawn white blood cell on black comes out, as an RGB array.

Drawn cells stand in where real ones may not be shown. They resemble single cells of a stained
smear, cut out on black; they carry no diagnosis, and no figure about accuracy may rest on them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, special

FRAME = 450  # px: the frame that every length in a recipe refers to

RANGES: dict[str, tuple[float, float]] = {
    "diameter": (120, 260),
    "nucleus_to_cytoplasm": (0.5, 0.98),
    "chromatin": (0, 1),
    "nucleoli": (0, 4),
    "irregularity": (0, 1),
    "stain": (0, 1),
    "hue": (-1, 1),
    "blur": (0, 4),
}

# Optical density per unit of dye, in (R, G, B): azure B takes out red, eosin Y takes out green.
AZURE = np.array([0.75, 0.60, 0.25], np.float32)
EOSIN = np.array([0.22, 0.95, 0.42], np.float32)
# Density of the bare slide. It is far from white because the pictures imitated here are dark.
SLIDE = np.array([0.72, 0.92, 0.64], np.float32)
NUCLEUS_DYES = (0.56, 1.10)  # azure, eosin
CYTOPLASM_DYES = (0.28, 0.42)

EXAMPLES = (0, 5, 1, 8, 2, 9)
"""Seeds of the cells to try. `python benchmarks/drawn.py --examples` chose them by what the embedded ensemble
answers: right on a blast, right on a lymphocyte, unsure, wrong, and two more on which it is right."""


@dataclass(frozen=True)
class CellRecipe:
    """What one cell looks like, whatever its kind; the defaults are an average cell.

    Lengths are px of a 450 px frame. `RANGES` holds the limits of every field; a value outside
    them raises ValueError naming the field, the value and the limits.
    """

    diameter: float = 195.0  # px, of the disc with the cell's area, 120 to 260
    nucleus_to_cytoplasm: float = 0.92  # share of the cell's area that is nucleus, 0.5 to 0.98
    chromatin: float = 0.4  # 0 fine and open, 1 coarse and clumped
    nucleoli: int = 1  # pale spots in the nucleus, 0 to 4
    irregularity: float = 0.35  # of the outline: 0 a circle, 1 rough, flattened and cleft
    stain: float = 0.5  # 0 pale, 1 dark
    hue: float = 0.0  # -1 bluer, +1 redder
    blur: float = 1.2  # px, standard deviation of the last Gaussian blur, 0 to 4

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), RANGES[field.name]
            whole = field.name == "nucleoli"
            fits = isinstance(value, (int, float, np.number)) and low <= value <= high
            if not fits or (whole and value % 1 != 0):
                kind = "a whole number" if whole else "a number"
                limits = f"{kind} from {low:g} to {high:g}"
                raise ValueError(f"{field.name} is {value!r}, but must be {limits}.")


def paint(recipe: CellRecipe, seed: int = 0, size: int = FRAME) -> NDArray[np.uint8]:
    """Draw one cell: (size, size, 3) uint8, RGB, exactly 0 outside the cell.

    The same recipe and seed give the same pixels. With the seed kept, moving one slider changes
    that trait and keeps the rest of the cell. A `size` other than 450 px is the 450 px picture
    resized and cut out again. Raises ValueError for a negative seed or a size below 16.
    """
    if size < 16:
        raise ValueError(f"size is {size!r}, but must be 16 px or more.")
    rng = _rng(seed, 0)
    # Every draw happens whatever the recipe, so that sliders do not reshuffle the rest.
    cell_edge, nucleus_edge = _outlines(recipe, rng)
    white = rng.standard_normal((4, FRAME, FRAME), np.float32)
    phase, jitter = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2, 4)
    distance, radius = rng.uniform(0.3, 0.6, 4), rng.uniform(0.09, 0.14, 4)
    depth, fringe = rng.uniform(0.6, 1.0, 4), rng.integers(-1, 2, 2)

    reach = int(cell_edge.max()) + 4  # px from the middle: nothing is drawn further out
    box = slice(FRAME // 2 - reach, FRAME // 2 + reach)
    y, x = np.mgrid[-reach:reach, -reach:reach].astype(np.float32) + np.float32(0.5)
    r, theta = np.hypot(x, y), np.arctan2(y, x)
    turns = np.linspace(-np.pi, np.pi, cell_edge.size, endpoint=False)
    to_cell = np.interp(theta, turns, cell_edge, period=2 * np.pi) - r  # px inside the edge
    to_nucleus = np.interp(theta, turns, nucleus_edge, period=2 * np.pi) - r

    scales = (2.0, 4.5, 15.0, 8.0)  # px
    fine, coarse, broad, tint = (_noise(white[k][box, box], scales[k]) for k in range(4))
    texture = _chromatin(recipe.chromatin, [fine, coarse, broad])
    size_of_nucleus = np.sqrt(np.mean(nucleus_edge**2))
    angles = phase + np.pi * np.array([0, 1, 0.5, 1.5]) + jitter
    for k in range(int(recipe.nucleoli)):
        away = distance[k] * np.interp(angles[k], turns, nucleus_edge, period=2 * np.pi)
        gap = np.hypot(x - away * np.cos(angles[k]), y - away * np.sin(angles[k]))
        texture += depth[k] * _nucleolus(gap * (1 + 0.12 * coarse) / (radius[k] * size_of_nucleus))

    nucleus = special.expit(to_nucleus / 1.6)
    whole = special.expit((to_cell + 1) / 0.8)  # the cut runs just inside the blurred edge
    # Chromatin is denser and bluer along the nuclear edge, and more so on one side.
    rim = np.exp(-np.maximum(to_nucleus, 0) / (0.25 * size_of_nucleus))
    rim = nucleus * rim * (1 + 0.7 * np.cos(theta - phase))
    dyes = []
    for share, inside, outside in zip((0.3, 0.05), NUCLEUS_DYES, CYTOPLASM_DYES, strict=True):
        inner = inside * np.clip(1 + share * texture, 0.2, 2)
        outer = outside * (1 + 0.12 * broad + 0.06 * coarse)
        dyes.append(whole * (nucleus * inner + (1 - nucleus) * outer))
    azure, eosin = dyes
    azure = azure * (1 - 0.45 * recipe.hue) + whole * (0.2 * rim + nucleus * (0.03 * tint - 0.05))
    eosin = eosin * (1 + 0.15 * recipe.hue) - whole * (0.2 * rim + nucleus * (0.03 * tint - 0.05))
    light = _light(recipe, azure, eosin, fringe, white[0, box, box])
    light *= np.clip(0.7 + 0.2 * to_cell, 0, 1)[..., None]  # black creeps in at the cut

    picture = np.zeros((FRAME, FRAME, 3), np.uint8)
    kept = np.clip(light.round(), 1, 255).astype(np.uint8)
    picture[box, box] = np.where(to_cell[..., None] > 0, kept, 0)
    return picture if size == FRAME else _resized(picture, size)


def _nucleolus(gap: NDArray[np.float32]) -> NDArray[np.float32]:
    """What one adds to the texture, by the distance from its middle, in radii: a pale disc in a slightly
    darker collar, as chromatin gathers around it."""
    collar, disc = 0.5 * np.exp(-((gap - 1.5) ** 2) / 0.1), 2.6 / (1 + gap**6)
    return np.asarray(collar - disc)


def _light(
    recipe: CellRecipe,
    azure: NDArray[np.float32],
    eosin: NDArray[np.float32],
    fringe: NDArray[np.int64],
    grain: NDArray[np.float32],
) -> NDArray[np.float32]:
    """What a camera sees, (h, w, 3), of both dyes and noise, (h, w) each; the fringe has two ways, in px."""
    strength = 0.6 + 0.8 * recipe.stain
    density = SLIDE + strength * (azure[..., None] * AZURE + eosin[..., None] * EOSIN)
    light = 255 * np.exp(-density)
    # Red and blue focus a pixel apart: the thin coloured fringe of a microscope.
    for channel, way in ((0, 1), (2, -1)):
        light[..., channel] = np.roll(light[..., channel], way * fringe, (0, 1))
    if recipe.blur:
        light = ndimage.gaussian_filter(light, (recipe.blur, recipe.blur, 0))
    light += 0.8 * grain[..., None]
    return light


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(FRAME, FRAME, 3), black around the cell -> (size, size, 3), cut out again: no edge half black."""
    opaque = np.where(picture[..., :1], 255, 0).astype(np.uint8)
    clear = Image.fromarray(np.dstack([picture, opaque]))
    resized = np.asarray(clear.resize((size, size), Image.Resampling.BILINEAR))
    return np.where(resized[..., 3:] > 127, resized[..., :3], 0).astype(np.uint8)


def blast_like(seed: int) -> CellRecipe:
    """A recipe drawn around what textbooks say of a blast: large, scant cytoplasm, fine
    open chromatin, nucleoli, irregular outline. Raises ValueError for a negative seed."""
    rng = _rng(seed, 1)
    return CellRecipe(
        diameter=_draw(rng, 209, 17, 172, 248),
        nucleus_to_cytoplasm=_draw(rng, 0.94, 0.02, 0.88, 0.98),
        chromatin=_draw(rng, 0.2, 0.1, 0.0, 0.4),
        nucleoli=int(rng.choice([0, 1, 2, 3], p=[0.15, 0.4, 0.35, 0.1])),
        irregularity=_draw(rng, 0.55, 0.18, 0.2, 0.95),
        stain=_draw(rng, 0.48, 0.14, 0.2, 0.75),
        hue=_draw(rng, 0.0, 0.3, -0.7, 0.7),
        blur=_draw(rng, 1.3, 0.3, 0.8, 2.2),
    )


def lymphocyte_like(seed: int) -> CellRecipe:
    """A recipe drawn around what textbooks say of a normal lymphocyte: small, round, clumped
    dense chromatin, no nucleolus. Raises ValueError for a negative seed."""
    rng = _rng(seed, 1)
    return CellRecipe(
        diameter=_draw(rng, 172, 13, 146, 210),
        nucleus_to_cytoplasm=_draw(rng, 0.92, 0.025, 0.84, 0.97),
        chromatin=_draw(rng, 0.55, 0.1, 0.4, 0.85),
        nucleoli=0,
        irregularity=_draw(rng, 0.32, 0.1, 0.1, 0.6),
        stain=_draw(rng, 0.54, 0.09, 0.3, 0.72),
        hue=_draw(rng, -0.1, 0.25, -0.7, 0.5),
        blur=_draw(rng, 1.2, 0.25, 0.8, 2.0),
    )


def examples() -> list[tuple[str, NDArray[np.uint8], bool]]:
    """Cells to try: a title that tells nothing, (450, 450, 3) uint8, and whether it is blast-like."""
    return [(f"drawn cell {number}", example(seed), seed % 2 == 0) for number, seed in enumerate(EXAMPLES, 1)]


def example(seed: int) -> NDArray[np.uint8]:
    """A blast-like cell of an even seed, a lymphocyte-like one of an odd: (450, 450, 3) uint8."""
    return paint((lymphocyte_like if seed % 2 else blast_like)(seed), seed)


def _rng(seed: int, stream: int) -> np.random.Generator:
    if seed < 0:
        raise ValueError(f"seed is {seed!r}, but must be 0 or more.")
    return np.random.default_rng([seed, stream])


def _draw(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    return round(float(np.clip(rng.normal(mean, sd), low, high)), 3)


def _noise(white: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """White noise, blurred, with its standard deviation brought back to one."""
    smooth = ndimage.gaussian_filter(white, sigma, truncate=3)
    return np.asarray(smooth * np.float32(2 * np.sqrt(np.pi) * sigma))


def _chromatin(coarseness: float, noises: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Density of the nucleus about its mean, from noise of three scales, the finest first."""
    fine, coarse, broad = noises
    texture = (0.42 - 0.2 * coarseness) * fine + (0.4 + 0.1 * coarseness) * coarse + 0.65 * broad
    texture += 0.55 * coarseness * np.tanh(1.2 * coarse + 0.5 * broad + 0.6)
    # Light gaps stand out more than dark clumps do, which saturate; a few show as flecks.
    flecks = np.logaddexp(0, 2.4 * fine + 3.2 * coarse - 5.2) / 4
    texture *= np.where(texture < 0, 1.2, 0.8)
    return np.asarray(texture - (0.6 + 0.4 * coarseness) * flecks, np.float64)


def _outlines(
    recipe: CellRecipe, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius of the cell and of its nucleus, in px, at 720 angles from -pi on."""
    turns = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    wild = recipe.irregularity
    order = np.arange(2, 41)
    waves = rng.normal(size=(2, order.size)) * order**-1.15
    waves[:, 0] *= 2.6  # cells are oval before they are anything else
    angle = np.outer(turns, order)
    edge = 1 + (0.004 + 0.09 * wild) * (np.cos(angle) @ waves[0] + np.sin(angle) @ waves[1])
    edge = np.maximum(edge, 0.6)
    flats, gaps = rng.uniform(-np.pi, np.pi, 3), rng.uniform(0, 1, 3) ** 2
    for where, gap in zip(flats, gaps, strict=True):
        # Cells flatten against neighbours, and cutting them apart leaves straight sides.
        facing = np.cos(turns - where)
        edge = np.minimum(edge, (1 - 0.16 * wild * gap) / np.maximum(facing, 0.2))
    bites, widths = rng.uniform(-np.pi, np.pi, 2), rng.uniform(0.06, 0.22, 2)
    depths = rng.uniform(0, 1, 2) ** 2 * 0.45 * max(wild - 0.2, 0)
    for where, width, bite in zip(bites, widths, depths, strict=True):
        off = np.angle(np.exp(1j * (turns - where)))
        edge = edge * (1 - bite * np.exp(-((off / width) ** 2)))
    edge = ndimage.gaussian_filter1d(edge, 2.5, mode="wrap")
    edge = edge / np.sqrt(np.mean(edge**2)) * recipe.diameter / 2
    edge = np.minimum(edge, 0.46 * FRAME)

    # The nucleus sits off centre; its rim is scaled so that the share of area comes out exact.
    side, wobble = rng.uniform(-np.pi, np.pi), rng.normal(size=3) * 0.12
    width = 1 + 0.5 * np.cos(turns - side) + np.cos(np.outer(turns, [2, 3, 5]) + side) @ wobble
    width = np.maximum(width, 0.15)
    square = edge**2 / np.mean(edge**2)
    a, b = np.mean(square * width**2), np.mean(square * width)
    scale = (b - np.sqrt(max(b**2 - a * (1 - recipe.nucleus_to_cytoplasm), 0))) / a
    return edge, edge * (1 - np.minimum(scale * width, 0.9))
