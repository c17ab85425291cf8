"""A file that another program outlined cells in comes in; the outlines go out: GeoJSON, or a mask of labels.

QuPath writes GeoJSON; Cellpose, StarDist and QuPath write masks, in which each pixel has the number of its
cell and 0 is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from leukovision.cell import largest_part
from leukovision.smear.contour import around

GEOJSON = (".geojson", ".json")
MASKS = (".png", ".tif", ".tiff")

MOST = 300
"""Outlines in a file: each becomes a cell, all of which are in memory, 1 MB each."""

SMALLEST = 16.0
"""Area of an outline, px²: a slip of the hand is smaller."""

CELLS = ("cell", "detection")
"""What QuPath calls what it found; where there is any, what else was drawn is no cell."""


def read_outlines(path: Path, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Read outlines of cells.

    Args:
        path: GeoJSON in px of the photo, or a mask of its size.
        shape: height and width of the photo, px, and whatever follows.

    Returns:
        (n, 2) float64 each, x and y of a closed polygon, px, in the file's order, or that of the numbers. Of
        a cell in parts the largest is taken, without its holes. In a mask of one number each part is a cell.

    Raises:
        ValueError: it is no such file, or an outline in it is none of a cell; also where shapely is not
            installed, which reads GeoJSON.
        OSError: it cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in GEOJSON + MASKS:
        wanted = ", ".join(GEOJSON + MASKS)
        raise ValueError(
            f"{path}: outlines are GeoJSON or a mask of labels; the name ends in one of {wanted}."
        )
    outlines = _polygons(path, shape) if kind in GEOJSON else _parts(path, shape)
    found = list(islice(outlines, MOST + 1))
    if not found:
        raise ValueError(f"{path}: there are no outlines in it.")
    if len(found) > MOST:
        raise ValueError(f"{path}: holds more than {MOST} outlines; give those of a part of the photo.")
    return found


def _polygons(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    try:
        import shapely
    except ImportError:
        raise ValueError(
            f"{path}: GeoJSON is read by shapely, which is not installed: pip install 'leukovision[geojson]'."
        ) from None
    photo = shapely.box(0, 0, shape[1], shape[0])
    for number, geometry in enumerate(_geometries(path), 1):
        called = f"{path}: outline {number}"
        try:
            drawn = shapely.geometry.shape(geometry)
            # A line that crosses itself: each loop of it is a part.
            whole = drawn if drawn.is_valid else shapely.make_valid(drawn)
            parts = [part for part in shapely.get_parts(whole) if part.geom_type == "Polygon"]
        except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
            raise ValueError(f"{called} is no geometry; wanted is a Polygon in px of the photo.") from None
        if not parts:
            raise ValueError(f"{called} is a {drawn.geom_type}; wanted is a Polygon around a cell.")
        largest = shapely.Polygon(max(parts, key=lambda part: part.area).exterior)
        if largest.intersection(photo).area < SMALLEST:
            raise ValueError(
                f"{called} has nothing of the photo in it, which is {shape[1]} x {shape[0]} px; "
                "wanted are x and y in px of this photo."
            )
        yield np.asarray(largest.exterior.coords, dtype=np.float64)[:-1, :2]


def _geometries(path: Path) -> list[Any]:
    """What is outlined in a collection, a list, a single feature, or a bare geometry."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: not JSON; export the outlines again.") from None
    if isinstance(content, dict):
        content = content.get("features", content.get("geometries", [content]))
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise ValueError(f"{path}: not GeoJSON; wanted is a FeatureCollection of Polygons.")
    kinds = [_kind(one) for one in content]
    only = CELLS if any(kind in CELLS for kind in kinds) else kinds
    return [one.get("geometry", one) for one, kind in zip(content, kinds, strict=True) if kind in only]


def _kind(feature: dict[str, Any]) -> str:
    told = feature.get("properties")
    return str(told.get("objectType", "")) if isinstance(told, dict) else ""


def _parts(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    labels = _labels(path, shape)
    numbers, flat = np.unique(labels, return_inverse=True)
    # One after the other, however large the numbers are.
    labels = flat.reshape(labels.shape) + int(numbers[0] != 0)
    if labels.max(initial=0) == 1:
        labels, _ = ndimage.label(labels)
    for number, window in enumerate(ndimage.find_objects(labels), 1):
        own = largest_part(labels[window] == number)
        if own.sum() >= SMALLEST:
            rows, columns = window
            yield around(own) + np.array([columns.start, rows.start])


def _labels(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) of whole numbers at least 0."""
    wide, high = shape[1], shape[0]
    wanted = f"wanted is the number of its cell in each pixel of the photo, which is {wide} x {high} px"
    try:
        with Image.open(path, formats=["PNG", "TIFF"]) as image:
            if image.size != (wide, high):
                raise ValueError(f"{path}: is {image.width} x {image.height} px; {wanted}.")
            found = np.asarray(image)
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError(f"{path}: not a PNG or TIFF that can be read; save the mask again.") from None
    found = found.astype(np.uint8) if found.dtype == bool else found
    if found.ndim != 2 or found.dtype.kind not in "iu" or found.min(initial=0) < 0:
        raise ValueError(f"{path}: holds colours or fractions, not numbers of cells; {wanted}.")
    return found
