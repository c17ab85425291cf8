"""A batch can be kept as large as it may be, and no larger: making a report takes memory."""

from __future__ import annotations

import base64
import threading

import pytest

from leukovision.batch import MAX_PICTURES, Row
from leukovision.demo import batch_tab
from leukovision.demo.build import build
from leukovision.i18n import ENGLISH
from leukovision.report import compose


@pytest.fixture(scope="module")
def keep():
    """The endpoint of a page whose ensemble is not there yet."""
    page = build(after=threading.Event())
    return next(one.fn for one in page.fns.values() if one.api_name == "batch_file")


def rows(count: int) -> list[dict]:
    return [{"file": f"{number}.png", "error": "x"} for number in range(count)]


def test_a_table_holds_twenty_thousand_files_and_a_report_five(keep):
    whole = keep("csv", rows(2 * MAX_PICTURES), [])
    assert base64.b64decode(whole["content"]).count(b"\n") == 2 * MAX_PICTURES + 1
    assert keep("csv", rows(2 * MAX_PICTURES + 1), []) == {"error": ENGLISH("batch.inside")}
    told = keep("pdf", rows(batch_tab.PRINTED + 1), [""] * (batch_tab.PRINTED + 1))
    assert told == {"error": "5001 files are too many for a report, which holds 5000; keep a table."}


def test_what_is_said_of_a_file_is_cut_in_a_report():
    long = Row(file="a/b.png", error="a/b.png: " + "x " * 2000)
    short = compose.told(long, ENGLISH)
    assert (
        short.error.startswith("b.png: x x")
        and len(short.error) == compose.SAID
        and short.error.endswith("…")
    )
