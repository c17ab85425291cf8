"""Networks come in; one compiled graph goes out, from pixels to their maps and features, for many threads."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from leukovision.backbones import HEAD, STANDARD

if TYPE_CHECKING:
    import keras

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def _processors() -> int:
    """How many processors a container may use; those of the machine where it has no limit."""
    count = os.cpu_count() or 1
    try:
        most, period = _QUOTA.read_text().split()
        return min(count, max(1, round(int(most) / int(period))))
    except (OSError, ValueError):  # no such limit
        return count


def _largest(count: int) -> int:
    """The largest power of two that is not above a count: a few shapes of batch, and no padding."""
    return 1 << (count.bit_length() - 1)


BATCH = _largest(min(max(_processors(), 2), 8))
"""Most pictures a forward pass. More than there are processors are no faster, and memory grows with them."""


@dataclass(eq=False)
class _Waiting:
    """A picture that waits for its pass, and what came of it: an array of each output, or an error."""

    numbers: np.ndarray
    outputs: list[np.ndarray] | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.outputs is not None or self.error is not None


class Forward:
    """The forward pass of all members at once; pictures of several threads share a batch."""

    def __init__(self, networks: Sequence[keras.Model], cuts: Sequence[str]):
        """Compile networks of `backbones.build`, cut at these layers; later changes of them do not count.

        The weights become constants of the graph. TensorFlow then folds each batch norm into the
        convolution before it, and brings the kernels into the processor's order once, not in each pass.
        """
        import keras
        import tensorflow as tf

        _set_threads()
        self._members = len(networks)
        pixels = keras.Input(networks[0].input.shape[1:], name="pixels")
        maps: list[Any] = []
        pooled: list[Any] = []
        for network, cut in zip(networks, cuts, strict=True):
            unit = keras.layers.Dense(1, use_bias=False, name=f"{network.name}_map")
            mean = keras.layers.GlobalAveragePooling2D(name=f"{network.name}_pooled")
            outputs = [unit(network.get_layer(STANDARD).output), mean(network.get_layer(cut).output)]
            mapped = keras.Model(network.input, outputs, name=f"{network.name}_cam")
            unit.set_weights(network.get_layer(HEAD).get_weights()[:1])
            for kind, output in zip((maps, pooled), mapped(pixels), strict=True):
                kind.append(output)
        joined = keras.Model(pixels, [*maps, *pooled])
        values = [(variable, np.asarray(variable)) for variable in joined.variables]

        def run(numbers: Any) -> Any:
            with keras.StatelessScope(values):
                return joined(numbers, training=False)

        self._shape: tuple[int, ...] = tuple(pixels.shape[1:])
        wanted = tf.TensorSpec((None, *self._shape), tf.float32)
        self._run = tf.function(run, autograph=False).get_concrete_function(wanted)
        self._turn = threading.Condition()
        self._busy = False
        self._sizes: set[int] = set()
        self._queue: deque[_Waiting] = deque()

    def __call__(self, numbers: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Pass pictures through the networks, together with those of other threads.

        Args:
            numbers: (n, size, size, 3) float32, n >= 1.

        Returns:
            For each member (n, h, w) float32, its map in its own logits; and (n, F) float32, the features
            of all members side by side.

        Raises:
            ValueError: the pictures have another size than the networks read.
        """
        if numbers.shape[1:] != self._shape:
            raise ValueError(f"pictures of {self._shape} can be passed through, not of {numbers.shape[1:]}.")
        passed: list[list[np.ndarray]] = []
        # In parts, so that one caller with many pictures does not keep another with one waiting.
        for start in range(0, len(numbers), BATCH):
            passed += self._wait([_Waiting(picture) for picture in numbers[start : start + BATCH]])
        outputs = [np.stack(column) for column in zip(*passed, strict=True)]
        maps, pooled = outputs[: self._members], outputs[self._members :]
        return [m[..., 0] for m in maps], np.concatenate(pooled, axis=1)

    def _wait(self, mine: list[_Waiting]) -> list[list[np.ndarray]]:
        """Queue pictures. Whoever finds nobody at work takes a batch from the front, whosever it is."""
        with self._turn:
            self._queue.extend(mine)
            while not all(waiting.done for waiting in mine):
                if self._busy:
                    self._turn.wait()
                    continue
                size = _largest(min(len(self._queue), BATCH))
                batch = [self._queue.popleft() for _ in range(size)]
                self._busy = True
                self._turn.release()
                try:
                    self._pass(batch)
                finally:
                    self._turn.acquire()
                    self._busy = False
                    self._turn.notify_all()
        for waiting in mine:
            if waiting.error:
                raise waiting.error
        return [waiting.outputs for waiting in mine if waiting.outputs is not None]

    def _pass(self, batch: list[_Waiting]) -> None:
        import tensorflow as tf

        try:
            passed = self._run(tf.constant(np.stack([waiting.numbers for waiting in batch])))
            outputs = [output.numpy() for output in passed]
            if len(batch) not in self._sizes:
                self._sizes.add(len(batch))
                _give_back()
            for number, waiting in enumerate(batch):
                waiting.outputs = [output[number] for output in outputs]
        except BaseException as error:
            for waiting in batch:
                waiting.error = error


def _set_threads() -> None:
    """As many threads as the processors that a container may use; TensorFlow counts those of the machine.

    And one for numpy, whose own wait busily for the next product: that takes a quarter of the processors from
    the networks.
    """
    import tensorflow as tf

    threadpool_limits(1, user_api="blas")
    threading_, allowed = tf.config.threading, _processors()
    if allowed < (os.cpu_count() or 1) and not threading_.get_intra_op_parallelism_threads():
        try:
            threading_.set_intra_op_parallelism_threads(allowed)
            threading_.set_inter_op_parallelism_threads(allowed)
        except RuntimeError:  # somebody has used TensorFlow in this process before, and has chosen
            return


def _give_back() -> None:
    """Return freed memory to the system, where the C library can. After the first pass of a size it is much:
    making the kernels took 200 MB."""
    # Keras's networks and what they were traced to hold each other: 25 MB that nothing else would free.
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
