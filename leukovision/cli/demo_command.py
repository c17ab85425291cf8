"""`leukovision demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from leukovision.cli.options import EnsembleOption
from leukovision.cli.terminal import errors_as_sentences


def demo(
    ensemble: EnsembleOption = None,
    examples: Annotated[
        str | None,
        typer.Option(
            help="Folder of example pictures, or user/repo on the Hub; LEUKOVISION_EXAMPLES by default."
        ),
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Make a public link.")] = False,
    port: Annotated[int | None, typer.Option(help="Port; the next free one from 7860 by default.")] = None,
    auth: Annotated[
        str | None, typer.Option(help="user:password that the page asks for; LEUKOVISION_AUTH by default.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on: 0.0.0.0 lets others in; this machine alone by default."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser, where there is one.")
    ] = False,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the endpoints as tools of an MCP server too.")
    ] = False,
) -> None:
    """Open the page."""
    from leukovision.demo.build import serve

    with errors_as_sentences():
        serve(
            ensemble=ensemble, examples=examples, share=share, port=port, auth=auth, mcp=mcp,
            host=host, show=show,
        )  # fmt: skip
