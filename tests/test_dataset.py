"""A folder -> images, subjects, splits."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from leukovision import cli, synthetic
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
        Image.fromarray(synthetic.paint(synthetic.blast_like(seed), seed=min(seed, 4))).save(path)
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


@pytest.fixture
def many() -> list[dataset.Image]:
    """16 subjects with 10 images each, two of which share an image; no files."""
    names = [f"{n}" for n in range(1, 11)] + [f"H{n}" for n in range(1, 7)]
    images = [
        dataset.Image(
            Path(f"UID_{name}_{n}_1_{'hem' if 'H' in name else 'all'}.bmp"),
            int("H" not in name),
            name,
            f"fold_{len(name)}",
            f"{name}-{n}",
        )
        for name in names
        for n in range(10)
    ]
    return [replace(image, sha256="1-0") if image.sha256 == "7-0" else image for image in images]


def part_of(images: list[dataset.Image], by: str) -> dict[Path, str]:
    return {image.path: part for image, part in zip(images, dataset.parts(images, by), strict=True)}


@pytest.mark.parametrize("by", ["folds", "subject", "image", "image@2"])
def test_a_split_does_not_depend_on_the_order_or_the_place_of_the_files(
    many: list[dataset.Image], by: str
) -> None:
    moved = [replace(image, path=Path("elsewhere") / image.path) for image in reversed(many)]
    assert list(part_of(many, by).values()) == list(part_of(moved, by).values())[::-1]


def test_by_subject_no_subject_and_no_image_is_in_two_parts(many: list[dataset.Image]) -> None:
    parts = dataset.parts(many, "subject")
    found = dataset.overlap(many, parts)
    assert set(parts) == {"0", "1", "2", "3"}
    assert not found.subjects and not found.twins and not found.leak
    for part in set(parts):
        assert {image.is_all for image, its in zip(many, parts, strict=True) if its == part} == {0, 1}


def test_by_image_each_class_is_dealt_70_15_15_and_subjects_leak(many: list[dataset.Image]) -> None:
    parts = dataset.parts(many, "image")
    for is_all, sizes in ((1, (70, 15, 15)), (0, (42, 9, 9))):
        its = [part for image, part in zip(many, parts, strict=True) if image.is_all == is_all]
        assert tuple(its.count(part) for part in ("train", "validation", "test")) == sizes
    assert parts != dataset.parts(many, "image@2")
    assert dataset.overlap(many, parts).leak.startswith("The split leaks")


def test_by_a_table_parts_are_its_groups(many: list[dataset.Image], tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("group,subject\na,1\na,h1\nb,2\n")
    chosen = {
        names: {
            image.subject for image, its in zip(many, dataset.chosen(many, names, by), strict=True) if its
        }
        for names, by in (("a", str(table)), ("a,H2", str(table)), (f"{table}:a+b", "folds"))
    }
    assert list(chosen.values()) == [{"1", "H1"}, {"1", "H1", "H2"}, {"1", "2", "H1"}]


def test_a_name_that_is_a_part_and_a_subject_means_the_part(many: list[dataset.Image]) -> None:
    by_subject = dataset.chosen(many, "1", "subject")
    assert list(by_subject) == [part == "1" for part in dataset.parts(many, "subject")]
    assert dataset.chosen(many, "1").sum() == 10


@pytest.mark.parametrize(
    ("table", "words"),
    [(None, "no split"), ("a,b\n1,2\n", "columns"), ("group,subject\n0,h3\n1,H3\n", "H3 is in two groups")],
)
def test_what_is_no_split_is_refused_by_name(
    many: list[dataset.Image], tmp_path: Path, table: str | None, words: str
) -> None:
    path = tmp_path / "groups.csv"
    if table:
        path.write_text(table)
    with pytest.raises(ValueError, match=f"groups.csv.*{words}"):
        dataset.parts(many, str(path))


def test_too_few_subjects_to_deal_are_refused(many: list[dataset.Image]) -> None:
    with pytest.raises(ValueError, match="only 1"):
        dataset.parts(many[:10], "subject")


def test_a_leaking_split_is_refused_unless_it_is_allowed_and_then_taken_as_it_is(
    many: list[dataset.Image],
) -> None:
    with pytest.raises(ValueError, match="--allow-leak"):
        dataset.split(many, "validation,test", "image")
    train, test = dataset.split(many, "validation,test", "image", allow_leak=True)
    assert len(train) == 112 and len(train) + len(test) == len(many)


def test_training_refuses_a_leaking_split_before_it_begins(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = CliRunner().invoke(cli.app, ["train", str(data), "--out", str(out), "--hold-out", "fold_1"])
    assert run.exit_code == 2 and "H3" in run.stderr and "--allow-leak" in run.stderr
    assert not out.exists()


def test_parts_of_the_real_cells_are_even_and_share_no_image(cnmc: Path) -> None:
    images = dataset.read_images(cnmc / "training_data")
    parts = dataset.parts(images, "subject")
    found = dataset.overlap(images, parts)
    assert not found.subjects and not found.twins
    for is_all, size in ((1, 1320), (0, 630)):
        its = [part for image, part in zip(images, parts, strict=True) if image.is_all == is_all]
        assert all(abs(its.count(part) - size) < 20 for part in "0123")
