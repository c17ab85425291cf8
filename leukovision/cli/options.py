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


def _weights(given: str) -> dict[str, float]:
    """`backbone=0.2,backbone=0.8`, read."""
    try:
        return {name.strip(): float(share) for name, share in (one.split("=") for one in given.split(","))}
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is not BACKBONE=SHARE with commas, as in xception=0.4,inception_v3=0.6."
        ) from None


WeightsOption = Annotated[
    dict[str, float] | None,
    typer.Option(
        "--weights",
        parser=_weights,
        metavar="BACKBONE=SHARE,...",
        help="How much each backbone counts, where that was chosen otherwise; fitted on CELLS by default.",
    ),
]

SPLIT = "folds, subject, image, image@SEED, or a CSV with columns group and subject: what the parts are."
PARTS = "Parts of the split, folds or subjects, with commas: fold_1,H16,groups.csv:1"
