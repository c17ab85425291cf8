"""Figures of trust, on maps of which it is known what they must say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from leukovision import Ensemble, load_ensemble, read_cell
from leukovision.evaluation import saliency_benchmark as trust
from leukovision.explain import faithfulness
from leukovision.explain.methods import explain
from leukovision.explain.randomization import DEPTHS, twin
from leukovision.question import OURS


@pytest.fixture(scope="module")
def numbers(ensemble: Ensemble, real_cells: list[Path]) -> np.ndarray:
    return ensemble.input.numbers(ensemble.input.picture(read_cell(real_cells[2])))


def test_marked_takes_the_share_of_the_cell_that_is_marked_most(numbers: np.ndarray) -> None:
    cell = faithfulness.cell_of(numbers)
    saliency = np.arange(cell.size, dtype=np.float32).reshape(cell.shape)
    found = faithfulness.marked(saliency, cell, 0.25)
    assert found.sum() == pytest.approx(0.25 * cell.sum(), abs=1)
    assert not found[~cell].any()
    assert saliency[found].min() > saliency[cell & ~found].max()


@pytest.mark.parametrize("baseline", faithfulness.BASELINES)
def test_curves_run_from_the_picture_to_nothing_and_back(
    ensemble: Ensemble, numbers: np.ndarray, baseline: str
) -> None:
    saliency = explain(ensemble, numbers).combined
    ((gone, back),) = faithfulness.curves(ensemble, numbers, [saliency], "ALL", baseline)
    whole = ensemble.logits(numbers[None])[0]
    nothing = ensemble.logits(faithfulness.without(numbers, baseline)[None])[0]
    for curve, first, last in ((gone, whole, nothing), (back, nothing, whole)):
        assert curve.p[0] == pytest.approx(1 / (1 + np.exp(-first)), abs=1e-4)
        assert curve.p[-1] == pytest.approx(1 / (1 + np.exp(-last)), abs=1e-4)
        assert 0 <= curve.area <= 1


def test_black_around_the_cell_is_nothing_to_remove(numbers: np.ndarray) -> None:
    cell = faithfulness.cell_of(numbers)
    blurred = faithfulness.without(numbers, "blurred")
    assert (blurred[~cell] == -1).all()
    assert blurred[cell].std() < numbers[cell].std()
    with pytest.raises(ValueError, match="black or blurred"):
        faithfulness.without(numbers, "white")


def test_maps_are_compared_by_the_order_of_their_places() -> None:
    one = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert faithfulness.alike(one, one**3) == pytest.approx(1)
    assert faithfulness.alike(one, -one) == pytest.approx(-1)
    assert faithfulness.alike(one, np.zeros_like(one)) == 0
    cell = one > 7
    assert faithfulness.share_on_cell(np.where(cell, one, 0), cell) == 1
    assert np.isnan(faithfulness.share_on_cell(np.zeros_like(one), cell))
    assert faithfulness.agreement({"a": one, "b": one, "c": -one}, cell) == pytest.approx(-1 / 3)


def test_chance_is_as_coarse_as_the_map_it_is_compared_with() -> None:
    everywhere = np.ones((256, 256), dtype=bool)
    for spread in (3.0, 8.0, 14.0):
        found = [
            faithfulness.coarseness(faithfulness.random_map(256, n, spread), everywhere) for n in range(4)
        ]
        assert np.mean(found) == pytest.approx(spread, rel=0.12)
    assert faithfulness.coarseness(np.zeros((256, 256), np.float32), everywhere) == 0


def test_the_quick_check_tells_a_map_of_what_counts_from_its_opposite(numbers: np.ndarray) -> None:
    cell = faithfulness.cell_of(numbers)
    right = cell & (np.indices(cell.shape)[1] > np.nonzero(cell)[1].mean())
    evidence = np.where(right, 1, -1).astype(np.float32)

    class Half(SimpleNamespace):
        """It minds every change of the right half of the cell, and nothing else."""

        def logits(self, pictures: np.ndarray) -> np.ndarray:
            return 3 - 200 * np.abs(pictures - numbers)[:, right].mean(axis=(1, 2))

    class Deaf(SimpleNamespace):
        def logits(self, pictures: np.ndarray) -> np.ndarray:
            return np.zeros(len(pictures))

    check = faithfulness.against_chance(Half(question=OURS), numbers, evidence, "ALL")
    assert check.verdict == "yes" and check.by_map.area < check.by_chance.area < check.opposed.area
    assert faithfulness.against_chance(Half(question=OURS), numbers, -evidence, "ALL").verdict == "chance"
    assert faithfulness.against_chance(Deaf(question=OURS), numbers, evidence, "ALL").verdict == "unclear"


def test_a_map_that_follows_the_picture_is_stable_and_one_that_does_not_is_not(numbers: np.ndarray) -> None:
    assert faithfulness.stability(lambda seen: seen.mean(axis=-1), numbers) > 0.8
    chance = iter(range(9))
    unsteady = faithfulness.stability(lambda seen: faithfulness.random_map(len(seen), next(chance)), numbers)
    assert abs(unsteady) < 0.3


def test_a_twin_says_something_else_and_leaves_the_ensemble_alone(alone: Path, numbers: np.ndarray) -> None:
    ensemble = load_ensemble(alone)
    (network,) = ensemble.networks.values()
    before, cell = network.get_weights(), faithfulness.cell_of(numbers)
    own, said = explain(ensemble, numbers).combined, []
    for depth in DEPTHS:
        other = twin(ensemble, depth, seed=1)
        assert abs(faithfulness.alike(own, explain(other, numbers).combined, cell)) < 0.8
        said.append(other.logits(numbers[None])[0])
    assert (
        len(set(said)) == len(DEPTHS) and twin(ensemble, depth, seed=1).logits(numbers[None])[0] == said[-1]
    )
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))
    with pytest.raises(ValueError, match="head, half, all"):
        twin(ensemble, "roots")


def test_the_table_has_every_figure_of_every_method_and_floors_to_beat(tmp_path: Path) -> None:
    random, rows = np.random.default_rng(0), []
    for cell in range(40):
        for method in ("adds_up", "gradcam", *trust.FLOORS):
            better = 0.1 if method == "adds_up" else 0.0
            row = {"file": f"{cell}.bmp", "subject": str(cell % 8), "method": method}
            row |= {figure: random.normal(0.5, 0.02) for figure in trust.FIGURES}
            row |= {figure: row[figure] - better for figure in row if figure.startswith("deletion")}
            row |= {f"curve_{c}": " ".join(["0.5"] * (7 if c[0] == "d" else 6)) for c in trust.CURVES}
            rows.append(row)
    content = trust.write(rows, tmp_path)
    for floor in trust.FLOORS:
        found = content["better_by"][floor]["deletion"]
        assert found["low"] > 0 and found["low"] < found["value"] < found["high"]
        assert content["better_by"][floor]["insertion"]["low"] < 0.02
    assert trust.read(tmp_path / "trust.csv")[0]["method"] == "adds_up"
    assert (tmp_path / "trust.png").stat().st_size > 10_000
    assert "| Centred blob |" in (tmp_path / "trust.md").read_text()
