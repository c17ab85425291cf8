"""Traits are those that were drawn, in px; where there are none, a sentence says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from leukovision import artifact, read_cell
from leukovision.evaluation import measured_traits
from leukovision.explain import trait_ranges
from leukovision.explain.traits import NAMES, Traits, traits

CYTOPLASM, NUCLEUS, PALE = (150, 140, 200), (90, 40, 130), (120, 70, 150)


def disc(side: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:side, :side]
    return np.hypot(rows - y, columns - x) <= radius


def painted(*parts: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    rgb = np.zeros((450, 450, 3), np.uint8)
    for mask, colour in parts:
        rgb[mask] = colour
    return rgb


CELL, ROUND = disc(450, 225, 225, 100), disc(450, 225, 225, 80)


def test_a_drawn_cell_has_the_traits_that_were_drawn() -> None:
    spots = [(disc(450, x, 225, 12), PALE) for x in (195, 255)]
    found = traits(read_cell(painted((CELL, CYTOPLASM), (ROUND, NUCLEUS), *spots)))
    assert found.area == CELL.sum() and found.diameter == pytest.approx(200, abs=1)
    assert found.nucleus_to_cell == pytest.approx(0.64, abs=0.02)
    assert found.roundness > 0.95 and found.indentation < 0.03
    assert found.nucleoli == 2
    taken = [-np.log((value[0] + 1) / 256) for value in (CYTOPLASM, NUCLEUS)]
    assert found.basophilia == pytest.approx(taken[0] / taken[1], abs=0.02)
    assert not found.missing and found.px_per_um is None


def test_a_notch_is_an_indentation() -> None:
    notched = ROUND & ~disc(450, 225, 140, 45)
    found = traits(read_cell(painted((CELL, CYTOPLASM), (notched, NUCLEUS))))
    whole = 1 - notched.sum() / ROUND.sum()
    assert 0.3 * whole < found.indentation < 1.2 * whole
    assert found.roundness < 0.9


def test_broad_clumps_are_coarser_than_fine_grain() -> None:
    random = np.random.default_rng(1)

    def grainy(block: int) -> np.ndarray:
        grain = random.normal(0, 5, (450 // block + 1, 450 // block + 1))
        rgb = painted((CELL, NUCLEUS)).astype(float)
        rgb[CELL] += np.kron(grain, np.ones((block, block)))[:450, :450][CELL][:, None]
        return np.clip(rgb, 13, 255).astype(np.uint8) * CELL[..., None]

    assert traits(read_cell(grainy(24))).coarseness > 3 * traits(read_cell(grainy(4))).coarseness


def test_what_cannot_be_measured_is_none_and_says_why() -> None:
    bare = traits(read_cell(painted((CELL, NUCLEUS))))
    assert bare.basophilia is None and "cytoplasm" in bare.missing["basophilia"]
    assert bare.nucleus_to_cell > 0.97
    photo = traits(read_cell(np.random.default_rng(1).integers(0, 255, (450, 450, 3), np.uint8)))
    assert set(photo.missing) == set(NAMES) and not any(getattr(photo, name) for name in NAMES)
    for mask in (disc(450, 225, 225, 15), disc(450, 225, 225, 3)):
        small = traits(read_cell(painted((mask, NUCLEUS))))
        assert small.area and all((getattr(small, name) is None) == (name in small.missing) for name in NAMES)


def test_turned_and_mirrored_a_real_cell_has_the_same_traits(real_cells: list[Path]) -> None:
    pixels = read_cell(real_cells[0]).pixels
    one, other = traits(read_cell(pixels)), traits(read_cell(np.rot90(pixels)[:, ::-1]))
    for name in set(NAMES) - set(one.missing):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.08, abs=0.02)


def rows(count: int = 30) -> list[dict]:
    random, made = np.random.default_rng(1), []
    for kind, middle in (("ALL", 40_000), ("healthy", 25_000)):
        for place in range(count):
            area = middle + 1_000 * random.normal()
            own = {"file": "a.png", "subject": f"{kind}{place % 3}", "class": kind, "area": area}
            made.append(dict.fromkeys(NAMES) | own | {"roundness": random.normal(0.8, 0.05)})
    return made


def test_ranges_are_kept_beside_an_ensemble_and_say_to_which_class_a_value_is_nearer(tmp_path: Path) -> None:
    assert trait_ranges.read(tmp_path) is None
    measured_traits.write(rows(), tmp_path)
    found = trait_ranges.read(tmp_path)
    assert set(found.traits) == {"area", "roundness"}, "what is measured in too few cells has no range"
    assert found.traits["area"].figures["auc"].value > 0.99
    middle = found.traits["roundness"].percentiles
    said = trait_ranges.sides(
        Traits(area=41_000, roundness=np.mean([own[2] for own in middle.values()]), nucleoli=1), found
    )
    assert said == {"area": "ALL", "roundness": ""}
    assert trait_ranges.sides(Traits(area=400_000), found) == {"area": ""}, "it is like neither"
    assert trait_ranges.sides(Traits(area=1), None) == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["traits"].update(size=it["traits"]["area"]), "no trait is called 'size'"),
        (lambda it: it["traits"]["area"]["percentiles"]["ALL"].reverse(), "rising percentiles"),
        (lambda it: it.pop("cells"), "Field required"),
    ],
)
def test_ranges_that_are_none_are_refused_by_name(tmp_path: Path, change, said: str) -> None:
    measured_traits.write(rows(), tmp_path)
    content = json.loads((tmp_path / artifact.TRAITS).read_text())
    change(content)
    (tmp_path / artifact.TRAITS).write_text(json.dumps(content))
    with pytest.raises(artifact.StoreError, match=r"traits\.json") as error:
        trait_ranges.read(tmp_path)
    assert said in str(error.value)


def test_a_value_is_as_far_from_a_class_as_its_range_is_wide() -> None:
    assert trait_ranges.away(4, (1, 2, 3, 4, 5)) == 0.5 and trait_ranges.away(1, (1, 2, 3, 4, 5)) == 1
    assert trait_ranges.away(99, (1, 2, 3, 4, 5)) == 9
    assert trait_ranges.away(0, (0, 0, 0, 1, 2)) == 0 and trait_ranges.away(-1, (0, 0, 0, 1, 2)) == 9
