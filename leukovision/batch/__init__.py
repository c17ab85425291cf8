"""Any number of files: found, judged cell by cell, and told in rows and tables."""

from leukovision.batch.find_files import INSIDE, find
from leukovision.batch.geojson import collection, feature
from leukovision.batch.parquet_files import in_table
from leukovision.batch.predict import (
    GROUP,
    THUMBNAIL,
    FileCell,
    Prediction,
    cells_in,
    on_photo,
    outlined,
    predictions,
    read,
    thumbnail,
)
from leukovision.batch.rows import (
    COLUMNS,
    TABLES,
    UNREADABLE,
    Row,
    as_csv,
    as_json,
    as_parquet,
    check,
    counts,
    csv_of,
    row,
    several,
    slides,
    together,
)  # fmt: skip
from leukovision.batch.sources import File, refuse
from leukovision.batch.zip_files import MAX_BYTES, MAX_PICTURES, unzip

__all__ = [
    "COLUMNS", "GROUP", "INSIDE", "MAX_BYTES", "MAX_PICTURES", "TABLES", "THUMBNAIL", "UNREADABLE",
    "File", "FileCell", "Prediction", "Row", "as_csv", "as_json", "as_parquet", "cells_in", "check",
    "collection", "counts", "csv_of", "feature", "find", "in_table", "on_photo", "outlined", "predictions",
    "read", "refuse", "row", "several", "slides", "thumbnail", "together", "unzip",
]  # fmt: skip
