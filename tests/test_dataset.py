"""A folder -> images, subjects, splits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukovision import painter
from leukovision.training import dataset


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six painted cells in the C-NMC layout; one image has two names, of two subjects."""
    names = [
        "fold_0/all/UID_1_1_1_all",
        "fold_0/hem/UID_H1_1_1_hem",
        "fold_0/hem/UID_h3_1_1_hem",
        "fold_1/hem/UID_H3_2_1_hem",
        "fold_1/all/UID_20_1_1_all",
        "fold_1/all/UID_21_1_1_all",
    ]
    for seed, name in enumerate(names):
        path = tmp_path / f"{name}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(painter.paint(painter.blast_like(seed), seed=min(seed, 4))).save(path)
    twin = tmp_path / "fold_1/all/UID_21_1_1_all.bmp"
    twin.write_bytes((tmp_path / "fold_1/all/UID_20_1_1_all.bmp").read_bytes())
    return tmp_path


def test_classes_subjects_and_folds_come_from_folders_and_names(data: Path) -> None:
    found = {(i.subject, i.is_all, i.fold) for i in dataset.read_images(data)}
    assert found == {("1", 1, "fold_0"), ("H1", 0, "fold_0"), ("H3", 0, "fold_0"), ("H3", 0, "fold_1"),
                     ("20", 1, "fold_1"), ("21", 1, "fold_1")}  # fmt: skip


def test_small_and_large_h_are_one_donor_but_a_number_alone_is_another() -> None:
    assert dataset.subject_of(Path("UID_h3_1_1_hem.bmp")) == dataset.subject_of(Path("UID_H3_9_2_hem.jpg"))
    assert dataset.subject_of(Path("UID_3_1_1_all.bmp")) != dataset.subject_of(Path("UID_H3_1_1_hem.bmp"))


def test_a_name_without_subject_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cell7"):
        dataset.subject_of(Path("fold_0/all/cell7.bmp"))


def test_an_image_with_two_names_is_trained_on_once(data: Path) -> None:
    train, _ = dataset.split(dataset.read_images(data), "")
    assert len(train) == 5


def test_what_is_held_out_is_not_trained_on_under_another_name(data: Path) -> None:
    train, test = dataset.split(dataset.read_images(data), "21")
    assert [image.subject for image in test] == ["21"]
    assert "20" not in {image.subject for image in train}


def test_a_subject_on_both_sides_is_refused(data: Path) -> None:
    with pytest.raises(ValueError, match="H3"):
        dataset.split(dataset.read_images(data), "fold_1")


def test_a_choice_that_names_nothing_is_refused(data: Path) -> None:
    with pytest.raises(ValueError, match="fold_7"):
        dataset.chosen(dataset.read_images(data), "fold_7")


def test_a_folder_without_images_is_refused_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fold_"):
        dataset.read_images(tmp_path)


def test_groups_of_the_real_cells_share_no_subject_and_no_image(cnmc: Path) -> None:
    images = dataset.read_images(cnmc / "training_data")
    for group in range(4):
        train, test = dataset.split(images, f"{cnmc / 'groups.csv'}:{group}")
        assert not {i.subject for i in train} & {i.subject for i in test}
        assert not {i.sha256 for i in train} & {i.sha256 for i in test}
        assert len({i.sha256 for i in train}) == len(train)
        assert len(test) > 1900


def test_both_classes_are_drawn_alike_and_large_donors_less_than_their_size() -> None:
    is_all = np.array([1] * 100 + [0] * 25)
    subjects = ["1"] * 100 + ["H1"] * 16 + ["H2"] * 9
    chance = dataset.chances(is_all, subjects)
    assert chance[is_all == 1].sum() == pytest.approx(0.5)
    assert chance[100:116].sum() / chance[116:].sum() == pytest.approx(4 / 3)
