"""What was sent to the page is gone when it is old, however it came, and when the page has ended."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from leukovision.demo import uploads


@pytest.fixture
def within(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


def later(monkeypatch: Any, seconds: float) -> None:
    """The clock goes on."""
    now = time.time()
    monkeypatch.setattr(uploads.time, "time", lambda: now + seconds)


def test_what_is_old_goes_and_what_is_new_stays(within, monkeypatch):
    with uploads.folder() as own:
        (own / "hash").mkdir()
        for name in ("hash/cell.png", "tmpbroken", "tmpother"):
            (own / name).write_bytes(b"x")
        (own / "link").symlink_to("/etc/hostname")
        (within / "of somebody else").write_bytes(b"x")
        uploads.sweep(within)
        assert len(list(own.rglob("*"))) == 5
        # What Gradio has not put into its place is a file that broke off, or that nothing asked for.
        later(monkeypatch, uploads.UNFINISHED + 1)
        uploads.sweep(within)
        assert {path.name for path in own.rglob("*")} == {"hash", "cell.png"}
        later(monkeypatch, uploads.KEPT + 1)
        uploads.sweep(within)
        assert list(own.rglob("*")) == [] and own.is_dir()
    assert [path.name for path in within.iterdir()] == ["of somebody else"]
    assert Path("/etc/hostname").exists()


def test_the_end_takes_all_and_the_next_start_what_a_killed_page_left(within, monkeypatch):
    with uploads.folder() as own:
        (own / "hash").mkdir()
        (own / "hash" / "cell.png").write_bytes(b"x")
        assert os.environ["GRADIO_TEMP_DIR"] == str(own)
        assert uploads.uploaded(own / "hash" / "cell.png") and not uploads.uploaded(within / "cell.png")
    assert list(within.iterdir()) == [] and os.environ["GRADIO_TEMP_DIR"] == str(within)
    killed = within / f"{uploads.PREFIX}killed"
    (killed / "hash").mkdir(parents=True)
    (killed / "hash" / "cell.png").write_bytes(b"x")
    with uploads.folder():
        assert (killed / "hash" / "cell.png").exists()  # it may be another page's
    later(monkeypatch, uploads.KEPT + 1)
    with uploads.folder():
        assert not killed.exists()


def test_where_gradios_folder_cannot_be_used_the_page_has_one_beside_it(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "gradio").touch()
    with uploads.folder() as own:
        assert own.parent == tmp_path and os.environ["GRADIO_TEMP_DIR"] == str(own)
    assert not own.exists() and "GRADIO_TEMP_DIR" not in os.environ
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    with pytest.raises(FileExistsError), uploads.folder():
        pass


@pytest.mark.parametrize("path", ["", None, "a\0b", "x" * 5000, "/etc/hostname", "../x", ["x"]])
def test_no_other_path_is_an_upload(within, path):
    with uploads.folder():
        assert uploads.uploaded(path) is None
