"""What the commands write to the terminal: errors and notes as a sentence, progress, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(stderr=True)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Errors that a person can act on become one sentence and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        sentence = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename:
            sentence = f"{error.filename}: {error.strerror}."
        console.print(f"[red]error:[/red] {plain(sentence)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def note(sentence: str) -> None:
    """Write a sentence that is no error."""
    console.print(f"[yellow]note:[/yellow] {plain(sentence)}", highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text of others, for the terminal: no markup, and nothing that a terminal would obey."""
    seen = "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)
    return seen.replace("[", "\\[")


@contextmanager
def progress(unit: str) -> Iterator[Any]:
    """A progress bar; what it yields is called with (done, of, remark)."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(unit, total=None, speed="")

        def advance(done: int, of: int, remark: str = unit) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(
                task,
                completed=done,
                total=of,
                description=plain(remark),
                speed=f"{speed:.1f} {unit}/s" if speed else "",
            )

        yield advance


def show_left(left: Counter[str]) -> None:
    """How many files in folders and zip files were left out, and why: each is counted."""
    if left:
        why = ", ".join(f"{count} {kind}" for kind, count in sorted(left.items()))
        console.print(f"{left.total()} left out: {plain(why)}.", highlight=False, soft_wrap=True)
