"""Files that somebody made to do harm; `benchmarks/abuse.py` runs the same ten thousand times."""

from __future__ import annotations

import mutated
from hypothesis import HealthCheck, given, settings

from leukovision.cell import Cell, CellError, read_cell


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(mutated.files)
def test_every_mutated_file_gives_a_cell_or_a_sentence(content: bytes) -> None:
    try:
        cell = read_cell(content, "a file")
    except CellError as error:
        assert str(error).startswith("a file: ") and str(error).endswith(".")
    else:
        assert isinstance(cell, Cell) and cell.pixels.shape == (450, 450, 3)
