"""A photo of a smear comes in; its white cells, each cut out on black, go out."""

from leukovision.smear.detect import MOST, Found, cut, find_cells, outlined_cells, too_many
from leukovision.smear.outlines import read_outlines
from leukovision.smear.quality import BLURRED, BROKEN, LOBED, TOUCHES
from leukovision.smear.scale import PX_PER_UM, RED_CELL, TYPICAL

__all__ = [
    "BLURRED",
    "BROKEN",
    "LOBED",
    "MOST",
    "PX_PER_UM",
    "RED_CELL",
    "TOUCHES",
    "TYPICAL",
    "Found",
    "cut",
    "find_cells",
    "outlined_cells",
    "read_outlines",
    "too_many",
]
