"""Red and blue, and what is unsure, are told apart by eyes that lack a kind of cone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from leukovision.demo.static import FOLDER
from leukovision.explain.overlay import BLUE, OPACITY, RED

# Linear RGB as it is seen without one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1).
EYES = {
    "all cones": "1 0 0 0 1 0 0 0 1",
    "protanopia": "0.152286 1.052583 -0.204868 0.114503 0.786281 0.099216 -0.003882 -0.048116 1.051998",
    "deuteranopia": "0.367322 0.860646 -0.227968 0.280085 0.672501 0.047413 -0.011820 0.042940 0.968881",
    "tritanopia": "1.255528 -0.076749 -0.178779 -0.078411 0.930809 0.147602 0.004733 0.691367 0.303900",
}
GREYS = np.arange(40, 181, 10)[:, None].repeat(3, 1)
"""What `overlay.backdrop` puts below the maps."""


def linear(rgb: np.ndarray) -> np.ndarray:
    part = np.asarray(rgb) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def difference(one: np.ndarray, other: np.ndarray, eyes: str) -> np.ndarray:
    """CIEDE2000 of (..., 3) colours from 0 to 255, as those eyes see them; about 2 can just be seen."""

    cones = np.fromstring(EYES[eyes], sep=" ").reshape(3, 3)

    def seen(rgb: np.ndarray) -> np.ndarray:
        light = np.clip(linear(rgb) @ cones.T, 0, 1)
        return rgb2lab(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))

    return deltaE_ciede2000(seen(one), seen(other))


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """As WCAG 2 defines it."""
    dark, light = sorted(0.05 + linear(rgb) @ [0.2126, 0.7152, 0.0722] for rgb in (one, other))
    return float(light / dark)


def theme(name: str) -> dict[str, np.ndarray]:
    css = (FOLDER / "page.css").read_text(encoding="utf-8")
    block = css.split({"light": ":root {", "dark": ".dark {"}[name])[1].split("}")[0]
    return {key: np.array([*bytes.fromhex(hex)]) for key, hex in re.findall(r"--lv-(\S+): #(\w{6});", block)}


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("opacity", [OPACITY / 100, 1])
def test_both_ends_of_the_scale_are_told_apart_and_from_grey(eyes, opacity):
    red, blue = (opacity * np.array(colour) + (1 - opacity) * GREYS for colour in (RED, BLUE))
    assert difference(red, blue, eyes).min() > 35
    assert difference(red, GREYS, eyes).min() > 9
    assert difference(blue, GREYS, eyes).min() > 20


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("name", ["light", "dark"])
def test_decisions_have_colours_that_differ_and_can_be_read(name, eyes):
    colours = theme(name)
    red, blue, amber = (colours[key] for key in ("red", "blue", "amber"))
    assert difference(red, blue, eyes) > 30
    assert min(difference(red, amber, eyes), difference(blue, amber, eyes)) > 9
    for below in ("paper", "card"):
        assert min(contrast(one, colours[below]) for one in (red, blue, amber, colours["soft"])) > 4.5
    assert contrast(amber, colours["amber-paper"]) > 4.5
