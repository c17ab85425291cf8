"""A page whose weights are damaged while it is up, and that is asked to end: what is under way is answered,
and nothing that was sent stays."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import threading
import time
import urllib.request

import pytest
from PIL import Image
from served import ROOT, started

from leukovision import synthetic


def post(url: str, body: bytes, kind: str = "application/json") -> dict:
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind})) as answer:
        return json.load(answer)


def form(name: str, content: bytes, field: str = "files") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def broken_off(url: str, content: bytes) -> None:
    """An upload whose sender is gone half-way."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(10 * len(content)))
    connection.endheaders()
    connection.send(form("half.png", content)[:-20])
    time.sleep(0.3)
    connection.close()


def test_damaged_weights_change_nothing_and_sigterm_lets_answers_end_and_leaves_no_files(tmp_path):
    ensemble = shutil.copytree(ROOT / "weights", tmp_path / "ensemble")
    Image.fromarray(synthetic.paint(synthetic.blast_like(1), seed=1)).save(tmp_path / "cell.png")
    content = (tmp_path / "cell.png").read_bytes()
    with started(tmp_path, LEUKOVISION_ENSEMBLE=str(ensemble)) as (url, server):
        kind = "multipart/form-data; boundary=x"
        (path,) = post(f"{url}/gradio_api/upload", form("cell.png", content), kind)
        assert post(f"{url}/gradio_api/upload", form("other.png", content, "picture"), kind) == []
        broken_off(url, content)
        assert len([one for one in (tmp_path / "uploads").rglob("*") if one.is_file()]) == 3
        call = f"{url}/gradio_api/call/analyse"
        body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
        said = {}

        def fetch(event: str) -> None:
            said[event] = urllib.request.urlopen(f"{call}/{event}", timeout=60).read().decode()

        fetch(post(call, body)["event_id"])  # once it is loaded
        for file in ensemble.iterdir():
            file.write_bytes(file.read_bytes()[:100])
        events = [post(call, body)["event_id"] for _ in range(4)]
        waiting = [threading.Thread(target=fetch, args=(event,)) for event in events]
        for one in waiting:
            one.start()
        time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        for one in waiting:
            one.join()
        assert server.wait(120) == 0
    p_all = [float(re.search(r'"decision": .+?"p_all": ([\d.e-]+)', answer)[1]) for answer in said.values()]
    assert p_all == [pytest.approx(p_all[0], abs=1e-5)] * 5
    assert [one for one in (tmp_path / "uploads").rglob("*") if one.is_file()] == []
