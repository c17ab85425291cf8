"""The command line: `leukovision COMMAND`, a file a group of commands.

Exit status: 0 done; 1 done, but some file could not be read, or a split leaks; 2 nothing done, and a
sentence why.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Annotated

import typer

from leukovision.cli.analyse_command import analyse
from leukovision.cli.cut_command import cut
from leukovision.cli.demo_command import demo
from leukovision.cli.evaluate_commands import calibrate, evaluate, figures, resave, traits, trust
from leukovision.cli.publish_commands import card, publish, space
from leukovision.cli.train_commands import audit, distil, train

# What is wrong with a TIFF is said in a sentence of its own.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Is a white blood cell an ALL blast? For research and teaching; not a medical device.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("leukovision"))
        raise typer.Exit


@app.callback()
def main(
    shown: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end."),
    ] = False,
) -> None:
    """Is a white blood cell an ALL blast? For research and teaching; not a medical device."""


# In the order of the help.
for command in (
    demo, analyse, cut, audit, train, distil, evaluate, resave, figures, calibrate, trust, traits, card,
    publish, space,
):  # fmt: skip
    app.command()(command)
