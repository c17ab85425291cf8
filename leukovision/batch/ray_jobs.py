"""Any number of files come in; a table in parts goes out, made by workers on this machine or on many.

Ray Data hands the parts to the workers, each of which loads the ensemble once. A part is written whole or
not at all, and one that is there is not made again: so a worker that dies costs the part that it was at,
and a run that was stopped, however, goes on.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from leukovision import artifact, hub
from leukovision.batch import File, Row, as_parquet, journal, predictions
from leukovision.ensemble import load_ensemble

PART = 512
"""Files in a part."""

JOB = "job.json"
"""File in the folder that says of which files and by which ensemble the parts are."""

CELLS, BAD = "cells", "bad"
"""Folders of the parts: of what was judged, and of what could not be read. Each is a table of its own."""

MEMORY = 1536 * 1024**2
"""Bytes that a worker needs."""

Progress = Callable[[int, int], object]


def judge(
    found: hub.Found,
    files: Sequence[File],
    out: Path,
    address: str = "local",
    workers: int | None = None,
    views: int | None = None,
    progress: Progress = lambda *_: None,
    size: int = PART,
) -> None:
    """Judge files, into a folder of Parquet parts.

    Args:
        found: the ensemble. A folder has to be seen by all machines by the same name; one of the Hub is
            pulled by each.
        files: from `batch.find`; seen by all machines by the same names.
        out: the folder, likewise.
        address: of a Ray cluster; "local" for one on this machine that ends with the run, "auto" for the
            one that runs here.
        workers: how many; by default as many as there are processors, and memory, for.
        views: as in `Ensemble.analyse`.
        progress: called with how many files are done, of how many.
        size: files in a part.

    Raises:
        FileExistsError: the folder holds parts of other files, or by another ensemble.
        ValueError: Ray is not installed.
        ConnectionError: there is no cluster at the address.
        OSError: a worker cannot load the ensemble, or write into the folder; parts that were made stay.
    """
    _claim(out, found, files, views, size)
    parts = [files[start : start + size] for start in range(0, len(files), size)]
    wanted = [number for number in range(len(parts)) if not _path(out, CELLS, number).exists()]
    done = len(files) - sum(len(parts[number]) for number in wanted)
    progress(done, len(files))
    if not wanted:
        return
    ray = _started(address)
    from ray.data import ActorPoolStrategy, from_items

    source = "embedded" if found.folder == hub.EMBEDDED else found.origin
    given = [pickle.dumps((source, views, out.resolve(), number, parts[number])) for number in wanted]
    there = ray.cluster_resources()
    workers = workers or max(1, int(min(there["CPU"], there.get("memory", 0) // MEMORY)))
    pool = ActorPoolStrategy(size=min(workers, len(wanted)))
    try:
        made = from_items(
            [{"part": one} for one in given], override_num_blocks=min(len(given), 1000)
        ).map_batches(_Worker, batch_size=1, compute=pool, num_cpus=1)
        for part in made.iter_rows():
            if part["fault"]:
                raise OSError(
                    f"A worker of --ray stopped: {part['fault'].rstrip('.')}. Ensemble and folder have to be "
                    "seen by all machines by the same names; the same command goes on from the parts that "
                    "are there."
                )
            done += part["files"]
            progress(done, len(files))
    finally:
        ray.shutdown()


def rows(files: Sequence[File], out: Path, size: int = PART) -> Iterator[Row]:
    """What `judge` made, as `batch.predictions` would give it: the rows of each file, in order."""
    for number, start in enumerate(range(0, len(files), size)):
        good, bad = (deque(_read(_path(out, kind, number))) for kind in (CELLS, BAD))
        for file in files[start : start + size]:
            for rows in (good, bad):
                while rows and rows[0].source == file.name:
                    yield rows.popleft()


class _Worker:
    """Judges parts, on one processor."""

    def __init__(self) -> None:
        import tensorflow as tf

        # More threads than processors that Ray has given would be in the way of other workers.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.load = cache(load_ensemble)

    def __call__(self, parts: dict[str, Any]) -> dict[str, Any]:
        source, views, out, number, files = pickle.loads(parts["part"][0])
        try:
            self.make(source, views, out, number, files)
        # Told, not raised: Ray would put pages of its own around the sentence.
        except (OSError, ValueError) as error:
            return {"files": [0], "fault": [str(error)]}
        return {"files": [len(files)], "fault": [""]}

    def make(self, source: Any, views: int | None, out: Path, number: int, files: Sequence[File]) -> None:
        """A part, unless it is there."""
        if _path(out, CELLS, number).exists():
            return
        made = [one.row for one in predictions(self.load(source), files, views)]
        if bad := [row for row in made if row.error]:
            artifact.write_whole(_path(out, BAD, number), as_parquet(bad))
        # Last: from then on the part counts as done.
        artifact.write_whole(_path(out, CELLS, number), as_parquet([row for row in made if not row.error]))


def _started(address: str) -> Any:
    """Ray, connected to a cluster; it says nothing and tells nobody."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        from ray.data import DataContext
    except ImportError:
        raise ValueError("--ray needs the package ray: pip install 'leukovision[ray]'.") from None

    own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _claim(out: Path, found: hub.Found, files: Sequence[File], views: int | None, size: int) -> None:
    """Write into the folder what the parts are of, or compare it with what is written there."""
    job = journal.job(artifact.read_manifest(found.folder), files, views) | {"part": size}
    path = out / JOB
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != job:
            raise FileExistsError(
                f"{out}: holds parts of other files, or by another ensemble; give another folder."
            )
    elif out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f"{out}: is not empty and was not made by --ray; give another folder.")
    else:
        artifact.write_whole(path, (json.dumps(job, indent=1) + "\n").encode())


def _path(out: Path, kind: str, number: int) -> Path:
    return out / kind / f"part-{number:06d}.parquet"


def _read(path: Path) -> list[Row]:
    """The rows of a part; none where it is not there."""
    from pyarrow import parquet

    return [Row(**row) for row in parquet.read_table(path).to_pylist()] if path.exists() else []
