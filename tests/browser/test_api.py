"""What programs get that ask the page: JSON, or a sentence."""

from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from leukovision import painter, read_cell
from leukovision.saliency import METHODS


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cell.png"
    Image.fromarray(painter.paint(painter.CellRecipe(), seed=3)).save(path)
    return path


def test_analyse_says_what_the_package_says(client, picture, ensemble):
    found = client.predict(handle_file(picture), api_name="/analyse")
    (own,) = ensemble.analyse([read_cell(picture)])
    assert found["decision"] == own.decision
    assert found["p_all"] == pytest.approx(own.p_all, abs=1e-6)
    assert sum(member["share"] for member in found["members"].values()) == pytest.approx(found["logit"])


def test_explain_gives_maps_that_add_up_and_those_of_others(client, picture, ensemble):
    found = client.predict(handle_file(picture), api_name="/explain")
    (own,) = ensemble.analyse([read_cell(picture)])
    total = own.constant + sum(found["weights"][name] * np.mean(rows) for name, rows in found["maps"].items())
    assert total == pytest.approx(own.logit, abs=1e-3)
    other = client.predict(handle_file(picture), "layercam", "healthy", api_name="/explain")
    assert other["paper"] == METHODS["layercam"].paper and set(other["maps"]) == set(found["maps"])
    with pytest.raises(AppError, match="no method is called"):
        client.predict(handle_file(picture), "tea leaves", api_name="/explain")


def test_ensemble_says_who_decides(client, ensemble):
    found = client.predict(api_name="/ensemble")
    assert (found["name"], found["version"]) == (ensemble.manifest.name, ensemble.manifest.version)
    assert found["origin"] == "embedded" and found["note"] == ""
    assert 0.5 < found["figures"]["unseen"]["ensemble"]["auc"]["value"] < 1


def test_only_the_named_endpoints_are_offered(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/analyse", "/explain", "/ensemble"}


def test_a_bad_picture_gets_its_sentence(client, tmp_path):
    (tmp_path / "no.png").write_text("not a picture")
    with pytest.raises(AppError, match=r"no\.png"):
        client.predict(handle_file(tmp_path / "no.png"), api_name="/analyse")


def test_health_is_answered(address):
    with urllib.request.urlopen(f"{address}/healthz") as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


def test_visitors_at_once_get_their_own_results_and_rubbish_harms_nobody(address, tmp_path, ensemble):
    """`benchmarks/load.py` does the same with fifty visitors for three minutes."""

    def visit(place: int) -> list[object]:
        path = tmp_path / f"{place}.png"
        if place == 5:
            path.write_bytes(b"rubbish")
        else:
            Image.fromarray(painter.paint(painter.blast_like(place), seed=place)).save(path)
        visitor, said = Client(address, verbose=False), []
        for _ in range(3):
            try:
                said.append(visitor.predict(handle_file(path), api_name="/analyse")["p_all"])
            except AppError as error:
                said.append(str(error))
        return said

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(visit, range(6)))
    assert all("not an image" in said for said in found.pop())
    for place, said in enumerate(found):
        (own,) = ensemble.analyse([read_cell(tmp_path / f"{place}.png")])
        assert said == [pytest.approx(own.p_all, abs=1e-6)] * 3
