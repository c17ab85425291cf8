"""What is this white blood cell? An ensemble of networks decides, and shows why."""

import os
import sys

# TensorFlow prints its start-up notes to every terminal otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# KERAS_BACKEND and keras.json of the user are for the user's own networks.
if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "tensorflow"

from leukovision.artifact import StoreError
from leukovision.cell import Cell, CellError, read_cell
from leukovision.ensemble import Analysis, Ensemble, load_ensemble

__all__ = [
    "Analysis",
    "Cell",
    "CellError",
    "Ensemble",
    "StoreError",
    "load_ensemble",
    "read_cell",
]
