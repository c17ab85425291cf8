"""`leukovision card`, `publish` and `space`: an ensemble for others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from leukovision.cli import loading
from leukovision.cli.terminal import console, errors_as_sentences


def card(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder.")],
    figures: Annotated[Path, typer.Argument(help="figures.json of `evaluate` or `figures`.")],
    shift: Annotated[
        Path | None, typer.Option(help="figures.json on the subjects least like those trained on.")
    ] = None,
    saved_again: Annotated[Path | None, typer.Option(help="saved_again.json of `resave`.")] = None,
) -> None:
    """Write an ensemble's README.md, its model card, and put the figures into its manifest."""
    from leukovision.publishing import card

    def read(path: Path, of: str) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{path}: not JSON; wanted is what `{of}` writes.") from None

    with errors_as_sentences():
        content = read(figures, "evaluate")
        far = read(shift, "evaluate") if shift else None
        again = read(saved_again, "resave") if saved_again else None
        card.write(ensemble, content, far, again)
    console.print(f"{ensemble / 'README.md'}", highlight=False)


def publish(
    ensemble: Annotated[Path, typer.Argument(help="The ensemble's folder.")],
    repo: Annotated[str, typer.Argument(metavar="USER/REPO", help="Repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Hide a new repository from others.")] = False,
    examples: Annotated[Path | None, typer.Option(help="Pictures to publish with it.")] = None,
    credit: Annotated[str, typer.Option("--credits", help="Whose pictures, under which license.")] = "",
    trust: Annotated[
        Path | None, typer.Option(help="trust.md of `trust`, for the card; by default the folder's.")
    ] = None,
    tag: Annotated[str, typer.Option("--revision-tag", help="Name of this version, as v1.2.")] = "",
    dry_run: Annotated[Path | None, typer.Option(help="Write everything into this folder instead.")] = None,
) -> None:
    """Put an ensemble, with its model card, onto the Hugging Face Hub."""
    from leukovision.publishing import publish

    with errors_as_sentences():
        loading.import_keras()
        if dry_run:
            for name in publish.stage(ensemble, repo, dry_run, examples, credit, trust):
                console.print(str(dry_run / name), highlight=False, soft_wrap=True)
            return
        pinned = publish.publish_folder(ensemble, repo, private, tag, examples, credit, trust)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    console.print(f"{endpoint}/{repo}", highlight=False, soft_wrap=True)
    console.print(f"--ensemble {pinned}", highlight=False, soft_wrap=True)


def space(
    out: Annotated[Path, typer.Argument(help="Folder to write it into, empty or not there.")],
    ensemble: Annotated[str, typer.Argument(metavar="USER/REPO[@REVISION]", help="Which ensemble decides.")],
) -> None:
    """Write a Hugging Face Space that pulls an ensemble from the Hub, ready to be pushed."""
    from leukovision.publishing import publish

    with errors_as_sentences():
        loading.import_keras()
        repo, _, revision = ensemble.partition("@")
        for name in publish.space(out, repo, revision or None):
            console.print(str(out / name), highlight=False, soft_wrap=True)
