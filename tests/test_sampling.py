"""Labels, subjects and areas -> how likely each cell is to be drawn."""

import numpy as np
import pytest

from leukovision.training import dataset
from leukovision.training.sampling import areas, chances


def test_both_classes_are_drawn_alike_and_large_donors_less_than_their_size() -> None:
    is_all = np.array([1] * 100 + [0] * 25)
    subjects = ["1"] * 100 + ["H1"] * 16 + ["H2"] * 9
    chance = chances(is_all, subjects)
    assert chance[is_all == 1].sum() == pytest.approx(0.5)
    assert chance[100:116].sum() / chance[116:].sum() == pytest.approx(4 / 3)


def test_among_cells_of_one_size_both_classes_are_drawn_alike() -> None:
    rng = np.random.default_rng(0)
    is_all = np.repeat([1, 0], [600, 400])
    area = np.where(is_all, rng.normal(38_000, 5_000, 1000), rng.normal(28_000, 5_000, 1000))
    subjects = np.where(is_all, "1", "H1")
    chance = chances(is_all, subjects, area)
    assert chance.sum() == pytest.approx(1)
    # Drawn so, the classes' mean areas are nearly the same; as they are, they lie two deviations apart.
    means = [np.average(area[is_all == kind], weights=chance[is_all == kind]) for kind in (0, 1)]
    assert abs(means[1] - means[0]) < 1_500


def test_areas_are_those_of_the_cells(cnmc) -> None:
    images = dataset.read_images(cnmc / "training_data")[:3]
    assert all(8_000 < area < 60_000 for area in areas(images))
