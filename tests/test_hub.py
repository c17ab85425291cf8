"""Ensembles on the Hub: the real client, in a process of its own, against a small Hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from fake_hub import TOKEN, FakeHub
from gradio_client import Client
from PIL import Image
from served import serving
from typer.testing import CliRunner

from leukovision import hub, read_cell, synthetic
from leukovision.artifact import StoreError
from leukovision.cli import app
from leukovision.hub import EMBEDDED
from leukovision.publishing import publish

FILES = {path.name: path.read_bytes() for path in EMBEDDED.iterdir() if path.is_file()}

MEMBER = json.loads(FILES["ensemble.json"])["members"][0]

PULL = """
import json, sys
from leukovision import hub
from leukovision.artifact import StoreError
hub.PATIENCE = 1
for name in sys.argv[1:]:
    try:
        found = hub.find(name)
        print(json.dumps([found.origin, str(found.folder), found.note]))
    except StoreError as error:
        print(json.dumps(str(error)))
"""

JUDGE = """
import hashlib, sys
import numpy as np
from leukovision import hub, load_ensemble, read_cell, synthetic
print(hub.find(sys.argv[2]).origin)
(found,) = load_ensemble(sys.argv[1]).analyse([read_cell(synthetic.paint(synthetic.CellRecipe(), seed=3))])
print(repr(found.p_all), hashlib.sha256(np.ascontiguousarray(found.cam)).hexdigest())
print(found.ensemble)
"""

EXAMPLES = """
import logging, sys
logging.basicConfig(stream=sys.stdout)
from leukovision import hub
hub.PATIENCE = 1
from leukovision.demo.examples import find_examples
for name in sys.argv[1:]:
    found = find_examples(name)
    print(found.origin, found.are_drawn, found.cells[0].name)
"""

Run = Callable[..., tuple[int, list[str]]]
Pull = Callable[..., list]


@pytest.fixture
def server() -> Iterator[FakeHub]:
    running = FakeHub()
    yield running
    running.stop()


@pytest.fixture
def run(server: FakeHub, tmp_path: Path) -> Run:
    """Run code against the Hub with a cache of its own: exit status and lines."""

    def go(*command: str, **variables: str) -> tuple[int, list[str]]:
        environment = os.environ | {
            "HF_ENDPOINT": server.address,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        environment.pop("HF_TOKEN", None)
        done = subprocess.run(
            [sys.executable, *command], env=environment | variables, capture_output=True, text=True
        )
        return done.returncode, (done.stdout if done.stdout.strip() else done.stderr).strip().splitlines()

    return go


@pytest.fixture
def pull(run: Run) -> Pull:
    """Pull names one after the other: of each its origin, folder and note, or the sentence of an error."""

    def go(*names: str, code: str = PULL, **variables: str) -> list:
        status, lines = run("-c", code, *names, **variables)
        assert status == 0, lines
        return [json.loads(line) for line in lines]

    return go


def with_manifest(**changes: object) -> dict[str, bytes]:
    return FILES | {"ensemble.json": json.dumps(json.loads(FILES["ensemble.json"]) | changes).encode()}


def test_a_name_is_resolved_to_the_full_commit_and_only_an_ensembles_files_are_pulled(server, pull):
    sha = server.commit("me/leuko", FILES | {"malware.pkl": b"x", "notes.txt": b"x"})
    ((origin, folder, _),) = pull("me/leuko")
    assert origin == f"me/leuko@{sha}"
    assert {path.name for path in Path(folder).iterdir()} == set(FILES)
    before = len(server.asked)
    again = pull("me/leuko@main", f"me/leuko@{sha}", "me/leuko")
    assert [one[0] for one in again] == [f"me/leuko@{sha}"] * 3
    assert len(server.asked) == before  # all of it was in the cache


def test_published_ensemble_gives_bit_identical_probabilities_and_maps(server, run, ensemble, tmp_path):
    credit = "Drawn by LeukoVision, CC0."
    (tmp_path / "examples").mkdir()
    picture = synthetic.paint(synthetic.CellRecipe(), seed=3)
    Image.fromarray(picture).save(tmp_path / "examples" / "one.png")
    status, lines = run(
        "-m", "leukovision", "publish", str(EMBEDDED), "me/leuko", "--revision-tag", "v1.2",
        "--examples", str(tmp_path / "examples"), "--credits", credit, HF_TOKEN=TOKEN,
    )  # fmt: skip
    assert status == 0, lines
    pinned = lines[-1].split()[-1]
    assert lines[-2] == f"{server.address}/me/leuko"
    card = server.commits["me/leuko"][pinned.split("@")[1]]["README.md"].decode()
    for words in ("library_name: keras", "model-index:", "roc_auc", credit, 'load_ensemble("me/leuko")'):
        assert words in card
    origin, name = f"me/leuko@{pinned.split('@')[1]}", "one.png"
    status, lines = run("-c", EXAMPLES, "me/leuko")
    assert lines[-1] == f"{origin} False {name}"
    server.fault = "500"
    _, (*_, cached, why, drawn) = run("-c", EXAMPLES, "me/leuko", "me/other")
    server.fault = ""
    assert cached == lines[-1]  # it was pulled before
    assert "me/other: the Hub" in why and drawn.startswith(" True drawn")
    (own,) = ensemble.analyse([read_cell(picture)])
    digest = hashlib.sha256(np.ascontiguousarray(own.cam)).hexdigest()
    status, lines = run("-c", JUDGE, pinned, "me/leuko@v1.2")
    whose = f"{ensemble.manifest.name} {ensemble.manifest.version} ({pinned})"
    assert lines[-3:] == [pinned, f"{own.p_all!r} {digest}", whose]  # its tag is the same commit


def said(*command: str | Path) -> tuple[int, str]:
    """What a command without a network says, in this process: exit status and words."""
    done = CliRunner().invoke(app, [*map(str, command)])
    return done.exit_code, " ".join(done.output.split())


def test_what_would_be_published_is_written_to_a_folder_instead(server, tmp_path, monkeypatch):
    out, own = tmp_path / "dry", shutil.copytree(EMBEDDED, tmp_path / "own")
    (own / "trust.md").write_text("As far as a spade.\n")
    status, words = said("publish", own, "me/leuko", "--dry-run", out)
    assert status == 0, words
    assert {path.name for path in out.iterdir()} == set(FILES)
    card = (out / "README.md").read_text()
    assert card.startswith("---\n") and "As far as a spade." in card
    for part in (
        "Intended use",
        "Out of scope",
        "## Data",
        "## Figures",
        "From subject to subject",
        "## Limits",
    ):
        assert part in card
    status, words = said("publish", EMBEDDED, "me/leuko", "--dry-run", out)
    assert status == 2 and "name an empty one" in words
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.address)
    with pytest.raises(StoreError, match="a token that may write is needed"):
        publish.publish(out, "me/leuko")


def test_a_space_decides_by_the_ensemble_that_it_was_made_for(server, run, tmp_path):
    sha = server.commit("me/leuko", FILES)
    out = tmp_path / "space"
    status, lines = run("-m", "leukovision", "space", str(out), "me/leuko")
    assert status == 0, lines
    head = (out / "README.md").read_text().split("---\n")[1]
    assert "sdk: gradio" in head and "app_file: app.py" in head
    assert "  - me/leuko domain.safetensors,ensemble.json,inception" in head and head.strip().endswith(sha)
    with serving(
        tmp_path, cwd=out, HF_ENDPOINT=server.address, HF_HOME=str(tmp_path / "cache"), PYTHONPATH=str(out)
    ) as address:
        assert Client(address, verbose=False).predict(api_name="/ensemble")["origin"] == f"me/leuko@{sha}"


def test_a_password_of_another_form_is_refused():
    status, words = said("demo", "--auth", "teacher")
    assert status == 2 and "user:password" in words


@pytest.mark.parametrize(
    ("fault", "words"), [("500", "answered with an error (500)"), ("stall", "cannot be reached")]
)
def test_without_the_hub_the_cached_copy_is_used_and_said(server, pull, fault, words):
    sha = server.commit("me/leuko", FILES)
    pull("me/leuko")
    server.fault = fault
    (origin, _, note), refused = pull("me/leuko", "me/other")
    assert origin == f"me/leuko@{sha}"
    assert words in note and "the copy in the cache is used" in note
    assert words in refused and "no copy of it in the cache" in refused


def test_offline_the_cached_copy_is_used_and_said(server, pull):
    sha = server.commit("me/leuko", FILES)
    pull("me/leuko")
    server.asked.clear()
    ((origin, _, note),) = pull("me/leuko", HF_HUB_OFFLINE="1")
    assert origin == f"me/leuko@{sha}"
    assert "the copy in the cache is used" in note
    assert not server.asked


def test_private_and_gated_repositories_want_a_token(server, pull):
    names = ["me/mine", "me/gate"]
    whole = [f"{name}@{server.commit(name, FILES)}" for name in names]
    server.private.add("me/mine")
    server.gated.add("me/gate")
    mine, gate = pull(*names)
    assert "none that you may see" in mine and "access must be asked" in gate
    assert [origin for origin, *_ in pull(*names, HF_TOKEN=TOKEN)] == whole


def test_what_is_not_there_is_said(server, pull):
    server.commit("me/leuko", FILES)
    server.commit("me/else", {"config.json": b"{}"})
    words = {
        "me/nothing": "no folder of that name is here, and no repository on the Hub",
        "me/leuko@v9": "no such revision",
        "me/else": "not an ensemble, the repository has no ensemble.json",
    }
    for said, (name, why) in zip(pull(*words), words.items(), strict=True):
        assert said.startswith(f"{name}: ") and why in said


@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_a_file_that_breaks_off_is_never_used_and_the_next_try_goes_on(server, pull, fault):
    sha = server.commit("me/leuko", FILES)
    server.cut, server.fault = "inception_v3.safetensors", fault
    (said,) = pull("me/leuko")
    assert said.startswith("me/leuko: ")
    server.cut = server.fault = ""
    ((origin, folder, _),) = pull("me/leuko")
    assert origin == f"me/leuko@{sha}"
    assert all((Path(folder) / name).read_bytes() == content for name, content in FILES.items())


def test_a_manifest_that_is_wrong_is_refused_while_pulling(server, pull):
    wrong = {
        "newer": with_manifest(format=99),
        "file": with_manifest(members=[{**MEMBER, "file": "../x"}]),
        "not JSON": FILES | {"ensemble.json": b"no json"},
        "xception.safetensors": {k: v for k, v in FILES.items() if k != "xception.safetensors"},
    }
    for number, files in enumerate(wrong.values()):
        server.commit(f"me/leuko{number}", files)
    for said, words in zip(pull(*(f"me/leuko{number}" for number in range(4))), wrong, strict=True):
        assert words in said


def test_tensors_that_are_wrong_are_refused_by_the_command_line(tmp_path):
    """`test_artifact.py` has what else can be wrong with them."""
    own = shutil.copytree(EMBEDDED, tmp_path / "own")
    shutil.copy(own / "inception_v3.safetensors", own / "xception.safetensors")
    Image.fromarray(synthetic.paint(synthetic.CellRecipe(), seed=3)).save(tmp_path / "cell.png")
    status, words = said("analyse", tmp_path / "cell.png", "--ensemble", own)
    assert status == 2 and "sha256" in words


def test_a_file_that_cannot_be_written_is_said(server, pull):
    server.commit("me/leuko", FILES)
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n{PULL}"
    (said,) = pull("me/leuko", code=limited)
    assert said.startswith("me/leuko: ")


def test_the_page_stays_up_on_the_embedded_ensemble_and_says_so(tmp_path, monkeypatch):
    from leukovision.demo import build

    found = build.find_or_embedded(tmp_path / "nothing")
    assert found.folder == EMBEDDED
    assert "The embedded ensemble is used in its place." in found.note and "nothing" in found.note


def test_the_page_is_there_while_it_pulls_says_so_and_stays_up_when_the_hub_fails(server, tmp_path):
    """The Hub stalls, and nothing is in the cache: it is the embedded ensemble."""
    server.commit("me/leuko", FILES)
    server.cut, server.fault = "inception_v3.safetensors", "stall"
    where = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "cache")}
    with serving(tmp_path, LEUKOVISION_ENSEMBLE="me/leuko", HF_HUB_DOWNLOAD_TIMEOUT="1", **where) as address:
        config = urllib.request.urlopen(f"{address}/config").read().decode()
        assert "being pulled from the Hugging Face Hub" in config or "lv-loading" in config
        found = Client(address, verbose=False, httpx_kwargs={"timeout": 120}).predict(api_name="/ensemble")
        assert found["origin"] == "embedded"
        assert found["note"].startswith("me/leuko: ") and "The embedded ensemble is used" in found["note"]


def test_a_full_disk_is_said(server, pull, tmp_path):
    server.commit("me/leuko", FILES)
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], capture_output=True
    ).returncode:
        pytest.skip("no small disk can be made here")
    try:
        said = pull("me/leuko", HF_HOME=str(disk))
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert said == ["me/leuko: the disk is full; make room where HF_HOME lies."]


def test_a_cache_that_cannot_be_written_is_used_as_it_is(server, pull, tmp_path):
    sha, disk = server.commit("me/leuko", FILES), tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
        pytest.skip("no disk can be made here")
    try:
        assert pull("me/leuko", HF_HOME=str(disk))[0][0] == f"me/leuko@{sha}"
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        newer = server.commit("me/leuko", with_manifest(version="9"))
        server.commit("me/other", FILES)
        (origin, _, note), other = pull("me/leuko", "me/other", HF_HOME=str(disk))
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert newer != sha and origin == f"me/leuko@{sha}"
    assert "cannot be written" in note and "the copy in the cache is used" in note
    assert "cannot be written" in other and "no copy of it in the cache" in other


def test_a_folder_is_never_looked_for_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.find("runs/mine").origin == "runs/mine"
    with pytest.raises(StoreError, match="cache"):
        hub.find("runs/other")
