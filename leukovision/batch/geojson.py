"""The cells of a photo come in, with what is said of them; GeoJSON goes out that QuPath opens over the photo.

A cell is a Feature, as QuPath writes its detections: `classification` with a colour, `measurements`, and
`metadata` for what is no number (QuPath 0.5). Places are px of the upright photo.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from leukovision.backbones import BACKBONES
from leukovision.batch.rows import Row
from leukovision.ensemble import Source
from leukovision.explain.overlay import BLUE, GREY, RED
from leukovision.smear.contour import area

COLOURS = {"positive": RED, "negative": BLUE, "unsure": GREY}
"""By the side of a decision."""


def feature(
    contour: np.ndarray,
    number: int,
    marks: str | None,
    said: Row | None = None,
    ensemble: Source | None = None,
) -> dict[str, Any]:
    """One cell.

    Args:
        contour: (n, 2) float64, x and y in px of the photo; a closed polygon.
        number: of the cell on the photo, from 1.
        marks: what is wrong with it, as `Row.marks`.
        said: what was decided, if anything was, and
        ensemble: by which.
    """
    x_and_y: list[list[float]] = contour.tolist()
    measured: dict[str, float] = {"area, px²": round(area(contour), 1)}
    told = {"marks": marks}
    properties: dict[str, Any] = {"objectType": "detection", "name": f"cell {number}"}
    if said and ensemble:
        question = ensemble.question
        chances = {"": said.p_all} | {
            f" {backbone.title}": getattr(said, f"p_all_{key}") for key, backbone in BACKBONES.items()
        }
        measured |= {
            f"p({question.positive}){of}": chance for of, chance in chances.items() if chance is not None
        }
        told |= {
            "reason": said.reason, "error": said.error, "ensemble": f"{ensemble.name} {ensemble.version}"
        }  # fmt: skip
        if said.decision:
            colour = COLOURS[question.side(said.decision)]
            properties["classification"] = {"name": said.decision, "color": list(colour)}
    properties["measurements"] = measured
    properties["metadata"] = {key: text for key, text in told.items() if text}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*x_and_y, x_and_y[0]]]},
        "properties": properties,
    }


def collection(features: Sequence[dict[str, Any]]) -> bytes:
    """The cells of one photo as a file, a line each."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in features)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'.encode()
