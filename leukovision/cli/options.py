"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

EnsembleOption = Annotated[
    str | None,
    typer.Option(
        "--ensemble",
        help="An ensemble's folder, or user/repo[@revision] on the Hugging Face Hub; by default "
        "LEUKOVISION_ENSEMBLE, or the embedded one.",
    ),
]

QuestionOption = Annotated[
    Path | None,
    typer.Option(
        "--question",
        help="JSON with two classes and their words, as an ensemble.json has them; by default the embedded "
        "one's.",
    ),
]

SPLIT = "folds, subject, image, image@SEED, or a CSV with columns group and subject: what the parts are."
PARTS = "Parts of the split, folds or subjects, with commas: fold_1,H16,groups.csv:1"
