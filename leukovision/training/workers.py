"""Several processes share what takes long in training, and each gets the whole of it (tf.distribute).

One process a GPU, or one a machine. What takes long is what frozen layers see of each image; that needs no
gradients to be averaged, only rows to be gathered. So nothing here depends on `fit` under a strategy, which
Keras 3 does not support across machines (keras-team/keras#20585).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence

import numpy as np

CLUSTER = "TF_CONFIG"
"""Environment variable that says who is who, as TensorFlow defines it: addresses, and which one is this."""

PATIENCE = 60
"""Seconds that workers are given to notice that another one is gone."""


class Alone:
    """One process, which does everything."""

    index, count = 0, 1

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """(n, ...) float32 or int32 of each worker -> (count * n, ...), in the order of workers."""
        return rows


class Workers(Alone):
    """One of several processes, by what CLUSTER says; waits until all are there.

    Raises:
        ValueError: CLUSTER is not what TensorFlow understands.
    """

    def __init__(self) -> None:
        import tensorflow as tf

        try:
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
            self.count = len(resolver.cluster_spec().as_dict()["worker"])
            self.index = int(resolver.task_id)
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f'{CLUSTER} says {os.environ.get(CLUSTER)!r}; wanted is {{"cluster": {{"worker": '
                '["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}.'
            ) from None
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        self._gather = tf.function(lambda rows: strategy.gather(rows, axis=0))

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """As it says of `Alone`.

        Raises:
            ConnectionError: a worker is gone.
        """
        import tensorflow as tf

        try:
            return np.asarray(self._gather(tf.constant(rows)))
        except tf.errors.OpError as error:
            raise ConnectionError(
                "A worker is gone. Run the same command again: what was seen so far is kept."
            ) from error


def joined() -> Alone:
    """This process among the others that CLUSTER names, or alone where it names none."""
    return Workers() if os.environ.get(CLUSTER) else Alone()


def start(count: int, command: Sequence[str]) -> int:
    """Run a command so many times on this machine, as the workers of one cluster.

    Where one fails the others are ended: alone they can only wait.

    Args:
        count: how many; each has its share of the processors, and the GPU of its number.
        command: what each runs.

    Returns:
        The exit status: 0, or that of the one that failed first.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    processors = str(max(1, (os.cpu_count() or 1) // count))
    processes = []
    for index in range(count):
        who = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        own = {
            CLUSTER: json.dumps(who),
            "CUDA_VISIBLE_DEVICES": str(index),
            "TF_NUM_INTRAOP_THREADS": processors,
        }
        # All of them say the same; one is enough.
        quiet = subprocess.DEVNULL if index else None
        processes.append(subprocess.Popen(command, env=os.environ | own, stdout=quiet, stderr=quiet))
    try:
        while True:
            ended = [process.poll() for process in processes]
            if failed := next((status for status in ended if status), 0):
                # The others notice by themselves, and keep what they have.
                until = time.monotonic() + PATIENCE
                for process in processes:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(max(0, until - time.monotonic()))
                return failed
            if all(status == 0 for status in ended):
                return 0
            time.sleep(0.2)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens at; held together, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
