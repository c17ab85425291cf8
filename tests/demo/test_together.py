"""Several cells of one person are decided together, for the page and for programs."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from leukovision.artifact import SlideSpec
from leukovision.demo import api, batch_tab
from leukovision.question import OURS

SPEC = SlideSpec(means=(-2, 2), spread=1, offset=1, abstain=(0.2, 0.8))
JUDGED = {"decision": "ALL", "p_all": 0.9, "in_domain": True}


def endpoint(name: str, spec: SlideSpec | None = SPEC):
    """One of a page whose ensemble has no networks."""
    ensemble = SimpleNamespace(manifest=SimpleNamespace(slide=spec), source="drawn 1", question=OURS)
    with gr.Blocks() as page:
        batch_tab.tab(lambda: ensemble)
        api.endpoints(lambda: ensemble)
    return next(one.fn for one in page.fns.values() if one.api_name == name)


@pytest.mark.parametrize("spec", [SPEC, None])
def test_the_page_is_told_what_the_cells_of_each_zip_file_say_together(spec):
    told = endpoint("batch_slides", spec)
    loose = [{"file": f"{number}.png"} | JUDGED for number in range(2)]
    zipped = [{"file": f"a.zip/{number}.png"} | JUDGED for number in range(3)]
    one, many = told([*loose, {"file": "no.png"}]), told([*loose, *zipped])
    assert told(loose[:1]) == told([{"p_all": 2}]) == []
    if spec is None:
        assert one == many == []
        return
    (words,) = one
    assert words.startswith("Together, ") and words.endswith("carried by 2 of 2 cells.")
    assert [line.split(",")[0] for line in many] == ["The single files", "a.zip"]


def test_programs_are_told_without_a_number_where_there_is_none():
    found = endpoint("slide")([JUDGED | {"logit": 2.2}] * 5)
    assert (found["decision"], found["cells"], found["ensemble"]) == ("ALL", 5, "drawn 1")
    assert found["low"] < found["p_all"] < found["high"] and found["counts"]["ALL"] == 5
    for cells, spec in (([], SPEC), ([JUDGED] * 2, None)):
        found = endpoint("slide", spec)(cells)
        assert found["decision"] == "unsure" and found["p_all"] is None and found["reason"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [(None, api.NO_CELL), ([3], api.NO_CELL), ([{}], api.NO_CELL), ([JUDGED | {"p_all": 2}], api.NO_CELL),
     ([JUDGED | {"in_domain": None}], api.NO_CELL), ([{"path": "/etc/passwd"}], api.NO_PATH),
     ([{"path": "x"}] * 101, "101 pictures; send at most 100")],
)  # fmt: skip
def test_programs_that_send_something_else_are_told_what_is_wanted(cells, words):
    with pytest.raises(gr.Error, match=words):
        endpoint("slide")(cells)
