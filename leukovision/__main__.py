"""`python -m leukovision` is the command line."""

from leukovision.cli import app

app()
