"""What programs get that ask the page: JSON, or a sentence."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from served import ROOT, serving

from leukovision import read_cell, synthetic
from leukovision.demo import visitor
from leukovision.demo.build import build
from leukovision.demo.request_limits import MAX_BODY
from leukovision.demo.uploads import PREFIX
from leukovision.explain.methods import METHODS


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cell.png"
    Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=3)).save(path)
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


def test_slide_decides_on_pictures_or_on_what_analyse_said_of_them(client, picture, photo, ensemble):
    said = client.predict(handle_file(picture), api_name="/analyse")
    own = ensemble.decide(ensemble.analyse([read_cell(picture)] * 2))
    for cells in ([handle_file(picture)] * 2, [said] * 2, [said, handle_file(picture)]):
        found = client.predict(cells, api_name="/slide")
        assert (found["decision"], found["counts"], found["reason"]) == (own.decision, own.counts, own.reason)
        assert (found["cells"], found["carried_by"]) == (2, own.carried_by)
        if found["p_all"] is not None:
            assert found["p_all"] == pytest.approx(own.p_all, abs=1e-3)
    # A photo stands for the two cells on it.
    assert client.predict([handle_file(photo), said], api_name="/slide")["cells"] == 3
    with pytest.raises(AppError, match="Each cell is a picture, or has p_all"):
        client.predict([{}], api_name="/slide")


def test_fhir_is_a_bundle_of_one_picture_or_of_several(client, picture):
    pytest.importorskip("fhir.resources")
    for pictures, cells in ((handle_file(picture), 1), ([handle_file(picture)] * 2, 3)):
        found = client.predict(pictures, "Patient/1", api_name="/fhir")
        kinds = [one["resource"]["resourceType"] for one in found["entry"]]
        assert found["resourceType"] == "Bundle" and kinds.count("Observation") == cells


def test_ensemble_says_who_decides(client, ensemble):
    found = client.predict(api_name="/ensemble")
    assert (found["name"], found["version"]) == (ensemble.manifest.name, ensemble.manifest.version)
    assert found["origin"] == "embedded" and found["note"] == ""
    assert 0.5 < found["figures"]["unseen"]["ensemble"]["auc"]["value"] < 1


def test_only_the_named_endpoints_are_offered(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/analyse", "/slide", "/fhir", "/explain", "/ensemble"}


def test_a_bad_picture_gets_its_sentence(client, tmp_path):
    (tmp_path / "no.png").write_text("not a picture")
    with pytest.raises(AppError, match=r"no\.png"):
        client.predict(handle_file(tmp_path / "no.png"), api_name="/analyse")


def test_health_is_answered(address):
    with urllib.request.urlopen(f"{address}/healthz") as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


def test_the_curl_lines_of_the_readme_judge_a_cell(address, picture):
    text = (ROOT / "docs" / "programs.md").read_text()
    lines = re.sub(r"\\\n\s*", " ", text).replace("http://127.0.0.1:7860", address)
    upload, call, read = re.findall(r"^    (curl .+?)(?: {2,}#.*)?$", lines, re.M)

    def ask(line: str) -> str:
        done = subprocess.run(["bash", "-c", line], cwd=picture.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (path,) = json.loads(ask(upload.replace("cell.bmp", picture.name)))
    event = json.loads(ask(call.replace("PATH", path)))["event_id"]
    assert '"decision": ' in ask(re.sub(r"ID$", event, read))


def test_mcp_offers_the_same_as_tools(address, ensemble):
    mcp = pytest.importorskip("mcp")
    http = pytest.importorskip("mcp.client.streamable_http")

    async def ask():
        where = f"{address}/gradio_api/mcp/"
        async with (
            http.streamablehttp_client(where) as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools, await session.call_tool("ensemble", {})

    with ThreadPoolExecutor(1) as pool:  # the browser's loop runs in this thread
        tools, answer = pool.submit(asyncio.run, ask()).result()
    offered = {tool.name: tool for tool in tools}
    assert set(offered) == {"analyse", "slide", "as_fhir", "explain_picture", "ensemble"}
    assert set(offered["explain_picture"].inputSchema["properties"]["method"]["enum"]) == set(METHODS)
    assert all(tool.description for tool in tools)
    assert not answer.isError and ensemble.manifest.name in answer.content[0].text


def test_only_what_was_sent_can_be_fetched(address, uploads, picture):
    own = next(uploads.glob(f"{PREFIX}*"))
    (own / "link").symlink_to("/etc/hostname")
    outside = ("/etc/hostname", f"{own}/../../log.txt", f"{own}/link", str(ROOT / "app.py"), "../app.py")
    try:
        for path in (*outside, "%2e%2e/app.py", "file:///etc/hostname", "http://127.0.0.1:1/"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{address}/gradio_api/file={path}")
            assert refused.value.code in (400, 403, 404, 502), path
    finally:
        (own / "link").unlink()


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "{", "[" * 10_000,
        '{"data": null}', '{"data": []}', '{"data": [null]}', '{"data": [1, 2, 3]}',
        '{"data": [{"path": ["x"], "meta": {"_type": "gradio.FileData"}}]}',
        '{"data": [{"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}]}',
        '{"data": [{"path": "../../app.py", "meta": {"_type": "gradio.FileData"}}]}',
        '{"data": [{"path": "x", "url": "http://127.0.0.1:1/x", "meta": {"_type": "gradio.FileData"}}]}',
    ],
)  # fmt: skip
def test_malformed_calls_are_refused_and_the_next_is_answered(address, client, body):
    call = f"{address}/gradio_api/call/analyse"
    request = urllib.request.Request(call, body.encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            event = json.load(answer)["event_id"]
        with urllib.request.urlopen(f"{call}/{event}") as lines:
            said = lines.read().decode()
        assert said.startswith("event: error") and "hostname" not in said
    except urllib.error.HTTPError as error:
        assert 400 <= error.code < 500
    assert client.predict(api_name="/ensemble")["origin"] == "embedded"


def test_a_request_or_a_file_that_is_too_long_is_refused(address, tmp_path):
    request = urllib.request.Request(f"{address}/gradio_api/queue/join", bytes(MAX_BODY + 1))
    with pytest.raises((urllib.error.URLError, ConnectionError)) as refused:
        urllib.request.urlopen(request)
    assert getattr(refused.value, "code", 413) == 413
    with (tmp_path / "long.png").open("wb") as file:
        file.truncate(101 * 1024**2)
    command = ["curl", "-s", "-F", f"files=@{tmp_path / 'long.png'}", f"{address}/gradio_api/upload"]
    assert "maximum allowed size" in subprocess.run(command, capture_output=True, text=True).stdout


def test_what_was_sent_is_deleted_when_the_page_is_left_and_names_stay_out_of_the_log(
    browser, address, uploads, tmp_path
):
    path, broken = tmp_path / "Mrs Smith.png", tmp_path / "Mr Smith.png"
    Image.fromarray(synthetic.paint(synthetic.blast_like(77), seed=77)).save(path)
    broken.write_bytes(path.read_bytes()[:3000])
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".lv-zone")
    for one in (broken, path):
        page.set_input_files(".lv-open", one)
        page.wait_for_function("document.documentElement.dataset.lv === ''", timeout=60_000)
    assert [*uploads.rglob(path.name), *uploads.rglob(broken.name)] != []
    context.close()
    for _ in range(100):
        if not (left := [*uploads.rglob(path.name), *uploads.rglob(broken.name)]):
            break
        time.sleep(0.3)
    assert left == []
    assert "Smith" not in (uploads.parent / "log.txt").read_text()


def test_who_has_left_is_forgotten():
    page = build(after=threading.Event())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, i18n=visitor.I18N, ssr_mode=False)
    try:
        known = page.state_holder.session_data
        for who in ("first", "second"):
            with httpx.stream("GET", f"{url}gradio_api/heartbeat/{who}", verify=False):
                asked = {"data": ["csv", [], []], "session_hash": who}
                call = f"{url}gradio_api/call/batch_file"
                event = httpx.post(call, json=asked, timeout=60).json()["event_id"]
                assert "event: complete" in httpx.get(f"{call}/{event}", timeout=60).text
                assert who in known
        until = time.monotonic() + 30
        while known and time.monotonic() < until:
            time.sleep(0.2)
        assert not known
    finally:
        page.close()


def test_who_asks_too_often_is_told_to_wait(tmp_path):
    with serving(tmp_path, LEUKOVISION_PER_MINUTE="2/60") as url:
        asked = {"data": ["nothing", "a.zip"], "session_hash": "mine"}
        call = f"{url}/gradio_api/call/batch_open"  # needs no networks, which are still being loaded
        assert [httpx.post(call, json=asked).status_code for _ in range(3)] == [200, 200, 429]
        # Whoever says that they are somebody else is not believed.
        said = {
            httpx.post(f"{url}/gradio_api/upload", headers={"X-Forwarded-For": f"10.0.0.{one}"}).status_code
            for one in range(61)
        }
        assert 429 in said


def test_visitors_at_once_get_their_own_results_and_rubbish_harms_nobody(address, tmp_path, ensemble):
    """`benchmarks/load.py` does the same with fifty visitors for three minutes."""

    def visit(place: int) -> list[object]:
        path = tmp_path / f"{place}.png"
        if place == 5:
            path.write_bytes(b"rubbish")
        else:
            Image.fromarray(synthetic.paint(synthetic.blast_like(place), seed=place)).save(path)
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
