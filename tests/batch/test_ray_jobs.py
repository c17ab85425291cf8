"""Many files on several workers: what one process says, also when one is killed, in parts that stay."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from leukovision import batch, hub, load_ensemble
from leukovision.batch import ray_jobs

SIZE = 5


def kill_one_worker(part: Path, killed: list[int]) -> None:
    """As soon as there is that part."""
    until = time.monotonic() + 600
    while not killed and time.monotonic() < until:
        time.sleep(0.05)
        for process in Path("/proc").glob("[0-9]*") if part.exists() else ():
            try:
                if process.joinpath("cmdline").read_bytes().startswith(b"ray::MapWorker"):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.append(int(process.name))
                    break
            except OSError:
                continue


def values(row: batch.Row) -> dict[str, object]:
    """Of a row; cells that share a pass with others differ in the seventh digit, and may round otherwise."""
    return {
        name: pytest.approx(value, abs=2e-4) if isinstance(value, float) else value
        for name, value in row.model_dump().items()
    }


@pytest.fixture(scope="module")
def files(real_cells: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[batch.File]:
    """Real cells in a folder, a zip file and a table, and some that cannot be read."""
    home = tmp_path_factory.mktemp("many")
    (home / "folder").mkdir()
    for path in real_cells[:12]:
        shutil.copy(path, home / "folder")
    (home / "folder" / "z broken.png").write_bytes(b"nothing")  # the last of the folder
    with zipfile.ZipFile(home / "cells.zip", "w") as archive:
        for path in real_cells[12:18]:
            archive.write(path, path.name)
        archive.writestr("empty.png", b"")
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in real_cells[18:]]
    parquet.write_table(
        pa.table({"image": [*images, {"bytes": None, "path": "no.png"}]}), home / "cells.parquet"
    )
    return batch.find([home / "folder", home / "cells.zip", home / "cells.parquet"])


def test_workers_say_what_one_process_says_also_when_one_stops_and_one_is_killed(
    alone, files, tmp_path, monkeypatch
):
    found = hub.find(alone)
    # Ray's workers are nice to others, 15 of 19: beside other tests they would hardly run.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    expected = [values(one.row) for one in batch.predictions(load_ensemble(found), files)]
    out, killed, told = tmp_path / "parts", [], []
    parts = [out / "cells" / f"part-00000{number}.parquet" for number in range(6)]

    def in_the_way(*_: int) -> None:
        (out / "bad").write_text("a file where a folder has to be")

    with pytest.raises(
        OSError, match=r"^A worker of --ray stopped: [^\n]*bad[^\n]* the same command goes on"
    ):
        ray_jobs.judge(found, files, out, workers=1, progress=in_the_way, size=SIZE)
    assert [part.exists() for part in parts] == [True, True, False, False, False, False]
    (out / "bad").unlink()

    first = {path: path.stat().st_mtime_ns for path in parts[:2]}
    killer = threading.Thread(target=kill_one_worker, args=(parts[2], killed))
    killer.start()
    ray_jobs.judge(found, files, out, workers=2, progress=lambda *now: told.append(now), size=SIZE)
    killer.join()
    assert killed, "no worker was killed: the test shows nothing"
    assert [values(row) for row in ray_jobs.rows(files, out, SIZE)] == expected
    assert told[0] == (2 * SIZE, len(files)) and told[-1] == (len(files), len(files))
    # Any reader of Parquet takes each folder as one table.
    assert parquet.read_table(out / "cells").num_rows == len(files) - 3
    bad = parquet.read_table(out / "bad").to_pylist()
    assert [Path(row["file"]).name for row in bad] == ["z broken.png", "empty.png", "no.png"]
    assert all(row["error"].startswith(row["file"]) for row in bad)

    # What is there is not made again: with all parts there, no worker is even started.
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert made.items() > first.items()
    ray_jobs.judge(found, files, out, workers=2, size=SIZE)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == made
    with pytest.raises(FileExistsError, match="parts of other files"):
        ray_jobs.judge(found, files[1:], out, size=SIZE)


def test_a_folder_that_holds_something_else_is_left_alone(files, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not made by --ray"):
        ray_jobs.judge(hub.find(), files, tmp_path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_bytes(b"PAR1 nothing"), "not a Parquet table"),
        (lambda path: parquet.write_table(pa.table({"pixels": [b"a"]}), path), "no column of pictures"),
        (lambda path: parquet.write_table(pa.table({"bytes": pa.array([], pa.binary())}), path), "no rows"),
        (lambda path: parquet.write_table(pa.table({"bytes": [3]}), path), "no picture in this row"),
        (lambda path: parquet.write_table(pa.table({"image": ["a.png"]}), path), "no column of pictures"),
    ],
)
def test_a_table_without_pictures_is_a_sentence(make, sentence, ensemble, tmp_path):
    make(tmp_path / "cells.parquet")
    (row,) = [one.row for one in batch.predictions(ensemble, batch.find([tmp_path / "cells.parquet"]))]
    assert sentence in row.error and row.error.startswith(f"{tmp_path}/cells.parquet")


def test_pictures_of_a_table_are_called_by_their_names_or_rows(real_cells, ensemble, tmp_path):
    content = [path.read_bytes() for path in real_cells[:3]]
    table = pa.table({"bytes": content, "file": ["a.jpg", None, "c.jpg"], "label": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "named.parquet", row_group_size=2)
    parquet.write_table(table.select(["bytes"]), tmp_path / "nameless.parquet")
    named, nameless = (batch.find([tmp_path / f"{kind}.parquet"]) for kind in ("named", "nameless"))
    assert [Path(file.name).name for file in named] == ["a.jpg", "1", "c.jpg"]
    assert [Path(file.name).name for file in nameless] == ["0", "1", "2"]
    assert [file.read() for file in named] == [file.read() for file in nameless] == content
