"""What a decision with its maps costs: against plain forward passes, Grad-CAM, and what the processor can do.

    .venv/bin/python benchmarks/forward.py [ROUNDS]

Drawn cells, which take the networks as long as real ones.
"""

import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from measured import Times, in_turn, machine, spread, table, write

from leukovision import Ensemble, load_ensemble, read_cell, synthetic
from leukovision.inference import BATCH

SIZES = (1, 2, 4, 8, 16)
SIDES = (1024, 2048, 4096)


def operations(network: keras.Model) -> float:
    """Floating-point operations of one picture, a multiplication and an addition as two: of all layers with
    kernels; the others do about a hundredth of the work."""
    count = 0
    for layer in network.layers:
        kernels = [w for w in layer.weights if len(w.shape) in (2, 4)]
        places = layer.output.shape[1:3] if len(layer.output.shape) == 4 else ()
        count += 2 * sum(int(np.prod(kernel.shape)) for kernel in kernels) * int(np.prod(places))
    return float(count)


def looks(ensemble: Ensemble) -> dict[str, Any]:
    """Everything that is measured, by name."""
    from tf_keras_vis.gradcam import Gradcam

    cells = [read_cell(synthetic.paint(synthetic.blast_like(n), seed=n)) for n in range(max(SIZES))]
    numbers = np.stack([ensemble.input.numbers(ensemble.input.picture(cell)) for cell in cells])
    networks = list(ensemble.networks.values())
    explained = [Gradcam(network) for network in networks]
    found: dict[str, Any] = {
        "decision with maps": lambda: ensemble.analyse(cells[:1]),
        "Grad-CAM": lambda: [gradcam(lambda logit: logit[:, 0], numbers[:1]) for gradcam in explained],
    }
    for size in SIZES:
        some = tf.constant(numbers[:size])
        found[f"plain {size}"] = lambda some=some: [net(some, training=False).numpy() for net in networks]
        found[f"forward {size}"] = lambda size=size: ensemble.logits(numbers[:size])
        found[f"analyse {size}"] = lambda size=size: ensemble.analyse(cells[:size])
    for kind in (tf.float32, tf.bfloat16):
        for side in SIDES:
            matrix = tf.cast(tf.random.normal((side, side)), kind)
            found[f"{kind.name} {side}"] = lambda matrix=matrix: tf.matmul(matrix, matrix).numpy()
    return found


def peak(found: dict[str, Times], kind: str) -> tuple[float, float]:
    """Operations a second of the best matrix product: on the clock, and of one processor."""
    best = [(2 * side**3 / min(t.wall), 2 * side**3 / min(t.cpu)) for side in SIDES
            for t in [found[f"{kind} {side}"]]]  # fmt: skip
    return max(wall for wall, _ in best), max(cpu for _, cpu in best)


def main(rounds: int) -> None:
    """Measure and write."""
    ensemble = load_ensemble()
    found = in_turn(looks(ensemble), rounds)
    decision, bars = found["decision with maps"], []
    others = (
        ("plain 1", "three plain calls `model(x)`", "at most 1.10"),
        ("Grad-CAM", "Grad-CAM of tf-keras-vis on the three", "at most 0.10"),
    )
    for name, other, bar in others:
        wall, cpu = decision.ratio(found[name])
        bars.append([other, spread(found[name].wall), f"{wall:.2f}", f"{cpu:.2f}", bar])
    work = sum(operations(network) for network in ensemble.networks.values())
    parts = []
    for size in SIZES:
        plain, forward, whole = (found[f"{name} {size}"] for name in ("plain", "forward", "analyse"))
        wall, cpu = forward.ratio(whole)
        parts.append([str(size), *(spread([size / t for t in times.wall], "a second")
                                   for times in (plain, forward, whole)), f"{min(forward.cpu) / size:.3f} s",
                      f"{min(whole.cpu) / size:.3f} s", f"{wall:.2f}", f"{cpu:.2f}",
                      f"{plain.ratio(whole)[0]:.2f}"])  # fmt: skip
    shares = []
    for kind in ("float32", "bfloat16"):
        clock, processor = peak(found, kind)
        passes = [(size * work, found[f"forward {size}"]) for size in SIZES]
        shares.append([kind, f"{clock / 1e9:.0f}", f"{processor / 1e9:.0f}",
                       f"{max(done / min(times.wall) for done, times in passes) / clock:.2f}",
                       f"{max(done / min(times.cpu) for done, times in passes) / processor:.2f}",
                       "at least 0.50" if kind == "float32" else ""])  # fmt: skip
    write("A decision with its maps", "\n\n".join([
        f"`benchmarks/forward.py`, {rounds} rounds in turn. {machine()}",
        f"A decision with its four maps: {spread(decision.wall)}, {spread(decision.cpu)} of processor.",
        table(["against", "its time", "ratio", "ratio, processor time", "bar"], bars),
        f"Cells in one call (passes are of at most {BATCH}); bar: `analyse` at least 0.95 of the pass alone. "
        "Plain are three calls `model(x)` with all cells at once.",
        table(["cells", "plain", "the pass", "analyse", "processor, the pass", "processor, analyse",
               "share of the pass", "share, processor", "against plain"], parts),
        f"{work / 1e9:.1f} billion operations a cell, against the best product of two square matrices.",
        table(["type", "peak, 10⁹ a second", "of one processor", "share of it reached", "by processor time",
               "bar"], shares),
    ]))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
