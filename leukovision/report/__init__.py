"""Reports on a cell or on many, as PDF, PNG or JSON."""

from leukovision.report.compose import (
    KINDS,
    SIDE,
    Report,
    apart,
    base_name,
    check_name,
    of_batch,
    of_cell,
    of_judged,
)
from leukovision.report.schema import SCHEMA_VERSION, BatchReport, CellReport, schema

__all__ = [
    "KINDS", "SCHEMA_VERSION", "SIDE", "BatchReport", "CellReport", "Report", "apart", "base_name",
    "check_name", "of_batch", "of_cell", "of_judged", "schema",
]  # fmt: skip
