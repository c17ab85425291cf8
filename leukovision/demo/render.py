"""An `Analysis` comes in; its words, its pictures and its piece of the page go out."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from leukovision.backbones import BACKBONES
from leukovision.cell import foreground, largest_part
from leukovision.demo import charts
from leukovision.ensemble import Analysis, Ensemble, enlarge
from leukovision.faithfulness import Curve
from leukovision.saliency import DEFAULT, METHODS, explain

COMBINED = "combined"
"""Key and file name of the ensemble's map beside those of the backbones."""

RED = (224, 49, 62)
BLUE = (33, 124, 236)
OPACITY = 75
"""Opacity of the overlay when the page opens, percent."""

TEXT: dict[str, Any] = {
    "combined": "Combined",
    "unsure": "unsure",
    "odd": "This picture is not like the training data.",
    "no_trust": "The figures below are given for completeness; do not rely on them.",
    "one": "the only backbone",
    "adds": "adds to the logit",
    "ensemble": "Ensemble",
    "members_caption": "What each backbone says",
    "backbone": "Backbone",
    "maps": "Where the evidence lies",
    "scale": (
        "One colour scale for all four maps, in logits: full colour is {scale} or more. "
        "The combined map is the weighted sum of the others."
    ),
    "to_all": "towards ALL",
    "to_healthy": "towards healthy",
    "overlay": "Overlay",
    "adds_up": "The parts add up to the decision",
    "decided": "Decided by",
    "disclaimer": "For research and teaching. Not a medical device.",
    "not_analysed": "Not analysed.",
    "method": "Method",
    "show": "Show",
    "views": {"all": "all four", "combined": "combined", "own": "backbones' own"},
    "unsmoothed": "As coarse as it is",
    "other_scale": (
        "One colour scale for all four maps: full colour is {scale} or more. These maps do not add up to "
        "the decision. {title}: {paper}."
    ),
    "one_sided": "This method shows only what speaks for {target}.",
    "nothing": "No positive evidence: this method finds nothing here that speaks for {target}.",
    "check": "Can this map be trusted?",
    "checked": (
        "Removing the {share} of the cell that the combined map marks changes p(ALL) from {whole:.2f} to "
        "{own:.2f}; removing a random {share}, to {random:.2f}."
    ),
    "check_axis": "share of the cell removed, the most marked first",
    "check_up": "p(ALL) while the cell is taken away",
    "by_map": "by this map",
    "by_random": "by random spots as large, mean of two",
    "worse": "On this cell the map does no better than chance.",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


# Words


def headline(analysis: Analysis, decide: float = 0.5) -> tuple[str, str]:
    """The decision in words.

    Args:
        analysis: of one cell.
        decide: p(ALL) from which a backbone is said to say ALL.

    Returns:
        What is said first ("ALL, 93 %") and what follows it ("all three backbones agree").
    """
    if analysis.decision == "unsure":
        return TEXT["unsure"], f"p(ALL) = {analysis.p_all:.2f}"
    is_all = analysis.decision == "ALL"
    first = f"{analysis.decision}, {percent(analysis.p_all if is_all else 1 - analysis.p_all)}"
    says = {title_of(name): m.p_all >= decide for name, m in analysis.members.items()}
    others = [title for title, said in says.items() if said != is_all]
    count, agree = len(says), len(says) - len(others)
    if count == 1:
        return first, TEXT["one"]
    if not others:
        return first, f"{'both' if count == 2 else f'all {_number(count)}'} backbones agree"
    verb = "says" if len(others) == 1 else "say"
    other = "healthy" if is_all else "ALL"
    agreeing = f"{_number(agree)} of {_number(count)} backbones {'agrees' if agree == 1 else 'agree'}"
    return first, f"{agreeing} ({' and '.join(others)} {verb} {other})"


def percent(p: float) -> str:
    """0 to 1 -> "93 %"; never 100 %, which no network can know."""
    return "above 99 %" if p >= 0.995 else f"{100 * p:.0f} %"


def title_of(name: str) -> str:
    """A backbone's key -> how people write it."""
    return BACKBONES[name].title if name in BACKBONES else name


def addition(analysis: Analysis) -> list[tuple[str, float]]:
    """The ensemble's logit as a sum: (backbone, logits to two digits).

    The figures are rounded so that they add up as they are shown; each is within 0.01 of the truth.
    """
    parts = {title_of(name): m.share for name, m in analysis.members.items()}
    exact = 100 * np.array(list(parts.values()))
    rounded = np.floor(exact)
    short = round(round(100 * analysis.logit) - rounded.sum())
    rounded[np.argsort(rounded - exact, kind="stable")[:short]] += 1
    return [(name, float(cents / 100)) for name, cents in zip(parts, rounded, strict=True)]


def sum_line(analysis: Analysis) -> str:
    """The same as a line: "Xception +1.20 + InceptionV3 ... = +2.32 → p(ALL) = 0.91"."""
    terms = " + ".join(f"{name} {signed(share)}" for name, share in addition(analysis))
    return f"{terms} = {signed(analysis.logit)} → p(ALL) = {analysis.p_all:.2f}"


def describe_map(cam: np.ndarray, outline: np.ndarray, constant: float) -> str:
    """A map in words: how much evidence, in which direction, where.

    Args:
        cam: (h, w) float32, logits: towards ALL above 0, towards healthy below.
        outline: (h, w) bool, what belongs to the cell; all True where nothing tells it apart.
        constant: the part of the logit that no place holds.

    Returns:
        Three sentences. The two totals and the constant add up to the logit. "Half of it" is held by
        the fewest pixels that can hold half.
    """
    sentences = []
    for sign, direction in ((1, TEXT["to_all"]), (-1, TEXT["to_healthy"])):
        part = np.maximum(sign * cam, 0).astype(np.float64)
        amount = f"{direction}: {signed(sign * part.mean())}"
        # Below half a hundredth of a logit "where" would be the place of rounding errors.
        where = f", half of it {_place(part, outline)}" if part.mean() >= 0.005 else ""
        sentences.append(f"{amount}{where}.")
    logit = constant + float(cam.mean(dtype=np.float64))
    with_constant = "" if signed(constant) == "0.00" else f"With the constant {signed(constant)}: "
    sentences.append(f"{with_constant}logit {signed(logit)}.")
    return " ".join(one[0].upper() + one[1:] for one in sentences)


def signed(value: float) -> str:
    """A figure with its sign and two digits: "+1.20", "−0.31", "0.00"."""
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text[1:] == "0.00" else text


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _place(part: np.ndarray, outline: np.ndarray) -> str:
    """(h, w) float64 at least 0 -> where the strongest half of it lies."""
    falling = np.sort(part, axis=None)[::-1]
    held = np.cumsum(falling)
    # Pixels as strong as the last one come along, or an even map would be halved where memory halves it.
    weights = np.where(part >= falling[np.searchsorted(held, held[-1] / 2)], part, 0)
    if weights[~outline].sum() > 0.5 * weights.sum():
        return "outside the cell"
    whole = "picture" if outline.all() else "cell"
    weights = weights * outline
    rows, columns = np.nonzero(outline)
    radius = np.sqrt(len(rows) / np.pi)
    y, x = np.indices(part.shape)
    down, right = (y - rows.mean()) / radius, (x - columns.mean()) / radius
    # Depth below the cell's edge: 0 at the rim, 1 in the middle, whatever the cell's shape.
    depth = ndimage.distance_transform_edt(np.pad(outline, 1))[1:-1, 1:-1]
    depth = depth / depth.max()
    total = weights.sum()
    down, right, depth = ((weights * v).sum() / total for v in (down, right, depth))
    words = []
    if np.hypot(down, right) >= 0.25:
        # A direction counts when it is more than a third of the other: eight of them in all.
        words += ["upper" if down < 0 else "lower"] if abs(down) > 0.41 * abs(right) else []
        words += ["left" if right < 0 else "right"] if abs(right) > 0.41 * abs(down) else []
    where = " ".join(words)
    if depth < 0.25:
        return f"at the {where} rim of the {whole}" if where else f"around the rim of the {whole}"
    if where:
        return f"in the {where} {'part ' if len(words) == 1 else ''}of the {whole}"
    return f"in the centre of the {whole}" if depth > 0.5 else f"spread over the {whole}"


# Pictures


def scale_of(maps: Mapping[str, np.ndarray]) -> float:
    """What gets full colour in all maps: what 99.5 % of pixels stay below, rounded up."""
    strong = max(float(np.percentile(np.abs(cam), 99.5)) for cam in maps.values())
    power = 10.0 ** np.floor(np.log10(max(strong, 1e-3)))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(next((s * power for s in steps if s * power >= strong * 0.999), 10 * power))


def colours(cam: np.ndarray, scale: float) -> np.ndarray:
    """(h, w) float32 logits -> (h, w, 4) uint8 RGBA: red towards ALL, blue towards healthy, clear at 0."""
    strength = np.clip(np.abs(cam) / scale, 0, 1)
    rgb = np.where((cam > 0)[..., None], RED, BLUE)
    return np.dstack([rgb, np.round(255 * strength**0.8)]).astype(np.uint8)


def backdrop(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w, 3) uint8: grey, so that only the map has colour, and bright enough to see."""
    grey = picture @ np.array([0.30, 0.59, 0.11])
    cell = foreground(picture)
    if cell.any():
        low, high = np.percentile(grey[cell], (1, 99.5))
        grey = np.where(cell, 40 + 140 * np.clip((grey - low) / max(high - low, 8), 0, 1), grey)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def overlays(analysis: Analysis, opacity: float = OPACITY / 100) -> dict[str, Image.Image]:
    """Each backbone's map and the combined one, laid over the cell, on one colour scale.

    Args:
        analysis: of one cell.
        opacity: of the map where it is strongest, 0 to 1.

    Returns:
        RGB pictures of the analysis's size, by backbone, and last by `COMBINED`.
    """
    scale = scale_of(_cams(analysis))
    below = Image.fromarray(backdrop(analysis.picture)).convert("RGBA")
    pictures = {}
    for name, cam in _cams(analysis).items():
        rgba = colours(cam, scale)
        rgba[..., 3] = (rgba[..., 3] * opacity).astype(np.uint8)
        pictures[name] = Image.alpha_composite(below, Image.fromarray(rgba)).convert("RGB")
    return pictures


def data_uri(picture: np.ndarray, exact: bool = False) -> str:
    """(h, w, 3 or 4) uint8 -> a `data:` URI, so that no picture of a cell is left in a server's folder."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "WEBP", quality=90, lossless=exact)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def _cams(analysis: Analysis) -> dict[str, np.ndarray]:
    return {name: member.cam for name, member in analysis.members.items()} | {COMBINED: analysis.cam}


# The page


@dataclass(frozen=True, eq=False)
class Drawn:
    """Maps as they are shown: by backbone, and last by `COMBINED`.

    Attributes:
        method: key of `saliency.METHODS`.
        target: the class that the method was asked about.
        smooth: (size, size) float32 each: towards ALL above 0, towards healthy below.
        coarse: (h, w) float32 each, the same as coarse as they are.
    """

    method: str
    target: str
    smooth: Mapping[str, np.ndarray]
    coarse: Mapping[str, np.ndarray]


def drawn(ensemble: Ensemble, analysis: Analysis, method: str = DEFAULT) -> Drawn:
    """The maps of one cell by a method; those that add up come with the analysis.

    Raises:
        ValueError: there is no such method.
    """
    target = "ALL" if analysis.logit >= 0 else "healthy"
    if method == DEFAULT:
        coarse = {name: member.coarse for name, member in analysis.members.items()}
        smooth = _cams(analysis)
    else:
        numbers = ensemble.input.numbers(analysis.picture)
        found = explain(ensemble, numbers, method, target)
        sign = 1 if target == "ALL" else -1
        coarse = {name: sign * own for name, own in found.members.items()}
        smooth = {name: enlarge(own, ensemble.input.size) for name, own in coarse.items()}
        smooth[COMBINED] = sign * found.combined
    side = ensemble.input.size
    blocks = sum(
        spec.weight * np.asarray(Image.fromarray(coarse[spec.backbone]).resize((side, side), 0))
        for spec in ensemble.manifest.members
    )
    return Drawn(method, target, smooth, coarse | {COMBINED: np.asarray(blocks, dtype=np.float32)})


def result_html(analysis: Analysis, picture: np.ndarray, maps: Drawn, decide: float = 0.5) -> str:
    """Everything that the page says of one cell.

    Args:
        analysis: of it.
        picture: (side, side, 3) uint8, the field that the backbones saw, as fine as it shall be drawn.
        maps: of it.
        decide: p(ALL) from which a backbone is said to say ALL.
    """
    return (
        '<article class="lv-result">'
        f'<div class="lv-top">{_decision(analysis, decide)}{_table(analysis)}</div>'
        f"{_maps(analysis, picture, maps)}"
        f'<p class="lv-sum"><span>{TEXT["adds_up"]}</span> {escape(sum_line(analysis))}</p>'
        f'<p class="lv-source">{TEXT["decided"]} <strong>{escape(str(analysis.ensemble))}</strong>. '
        f"{TEXT['disclaimer']}</p>"
        "</article>"
    )


def alert_html(sentence: str, title: str = TEXT["not_analysed"]) -> str:
    """A sentence that says why there is no decision, announced by screen readers."""
    return f'<div class="lv-alert" role="alert"><strong>{title}</strong><p>{escape(sentence)}</p></div>'


def _decision(analysis: Analysis, decide: float) -> str:
    first, then = headline(analysis, decide)
    odd = ""
    if not analysis.in_domain:
        odd = f'<p class="lv-odd"><strong>{TEXT["odd"]}</strong> {escape(analysis.reason)}</p>'
    why = f'<p class="lv-why">{escape(analysis.reason)}</p>' if analysis.in_domain and analysis.reason else ""
    trust = "" if analysis.in_domain else f'<p class="lv-why">{TEXT["no_trust"]}</p>'
    return (
        f'<div class="lv-decision lv-{analysis.decision.lower()}" role="status">{odd}'
        f'<h2><strong>{escape(first)}</strong><span class="lv-colon">: </span>'
        f'<span class="lv-then">{escape(then)}</span></h2>{why}{trust}</div>'
    )


def _table(analysis: Analysis) -> str:
    """The three probabilities and how they add up, as a column of figures."""
    parts = dict(addition(analysis))
    rows = [
        _row(title_of(name), member.p_all, parts[title_of(name)]) for name, member in analysis.members.items()
    ]
    total = _row(TEXT["ensemble"], analysis.p_all, analysis.logit)
    return (
        f'<table class="lv-table"><caption>{TEXT["members_caption"]}</caption><thead><tr>'
        f'<th scope="col">{TEXT["backbone"]}</th><th scope="col">p(ALL)</th>'
        f'<th scope="col">{TEXT["adds"]}</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody><tfoot>{total}</tfoot></table>"
    )


def _row(title: str, p_all: float, logits: float) -> str:
    side = "all" if p_all >= 0.5 else "healthy"
    return (
        f'<tr><th scope="row">{escape(title)}</th><td><span class="lv-p">{p_all:.2f}</span>'
        f'<span class="lv-track" aria-hidden="true"><i class="lv-{side}" style="left:{100 * p_all:.1f}%"></i>'
        f"</span></td><td>{signed(logits)}</td></tr>"
    )


def brief_html(analysis: Analysis, picture: np.ndarray, below: str = "", decide: float = 0.5) -> str:
    """Decision, combined map and those of the backbones without their words, for lessons.

    Args:
        analysis: of a cell.
        picture: (side, side, 3) uint8, what to lay the maps over.
        below: HTML to follow.
        decide: as in `result_html`.
    """
    maps = _cams(analysis)
    return (
        f'<article class="lv-brief">{_decision(analysis, decide)}'
        f'<div class="lv-grid">{_pictures(maps, maps, picture, scale_of(maps))}</div>{below}</article>'
    )


def map_html(cam: np.ndarray, picture: np.ndarray, title: str) -> str:
    """One map (size, size) float32 on its own scale over (side, side, 3) uint8, with a title."""
    maps = {COMBINED: cam}
    return _pictures(maps, maps, picture, scale_of(maps), titles={COMBINED: title})


def check_html(maps: Drawn, own: Curve, random: Curve) -> str:
    """How far the combined map can be trusted on this cell.

    Args:
        maps: which were checked.
        own, random: deletion curves of the combined map and of random ones, of the target's probability.
    """

    def p(curve: Curve) -> np.ndarray:
        return curve.p if maps.target == "ALL" else 1 - curve.p

    place = int(np.flatnonzero(own.shares > 0)[0])
    line = TEXT["checked"].format(
        share=percent(own.shares[place]), whole=p(own)[0], own=p(own)[place], random=p(random)[place]
    )
    worse = f" {TEXT['worse']}" if own.area >= random.area else ""
    ticks = [(float(x), f"{100 * x:.0f} %") for x in own.shares]
    shown = ((TEXT["by_map"], own), (TEXT["by_random"], random))
    chart = charts.lines(
        [(name, curve.shares.tolist(), p(curve).tolist()) for name, curve in shown],
        TEXT["check_axis"], TEXT["check_up"], ticks,
    )  # fmt: skip
    return (
        f'<section class="lv-check" aria-label="{TEXT["check"]}"><div><h3>{TEXT["check"]}</h3>'
        f"<p>{line}{worse}</p></div>{chart}</section>"
    )


def _pictures(
    smooth: Mapping[str, np.ndarray],
    coarse: Mapping[str, np.ndarray],
    picture: np.ndarray,
    scale: float,
    words: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> str:
    """A figure for each map, laid over the cell; the browser shows it smooth or as coarse as it is."""
    below = data_uri(backdrop(picture))
    figures = []
    for name, cam in smooth.items():
        title = (titles or {}).get(name) or (TEXT["combined"] if name == COMBINED else title_of(name))
        said = (words or {}).get(name, "")
        over = f'<img class="lv-over" src="{data_uri(colours(cam, scale))}" alt="Map, {title}. {said}">'
        if coarse is not smooth:
            source = data_uri(colours(coarse[name], scale), exact=True)
            over += f'<img class="lv-over lv-coarse" src="{source}" alt="">'
        text = f"<p>{said}</p>" if said else ""
        figures.append(
            f'<figure class="lv-map lv-map-{name}"><div class="lv-picture"><img src="{below}" alt="">{over}'
            f"</div><figcaption><strong>{title}</strong>{text}</figcaption></figure>"
        )
    return "".join(figures)


def _maps(analysis: Analysis, picture: np.ndarray, maps: Drawn) -> str:
    scale = scale_of(maps.smooth)
    whole = np.ones(analysis.cam.shape, dtype=bool)
    outline = largest_part(foreground(analysis.picture)) if analysis.in_domain else whole
    method = METHODS[maps.method]
    if maps.method == DEFAULT:
        constants = {name: member.constant for name, member in analysis.members.items()}
        words = {
            name: describe_map(cam, outline, constants.get(name, analysis.constant))
            for name, cam in maps.smooth.items()
        }
        note = TEXT["scale"].format(scale=f"±{scale:g}")
    else:
        words = {name: _where(cam, outline, maps.target) for name, cam in maps.smooth.items()}
        note = TEXT["other_scale"].format(scale=f"±{scale:g}", title=method.title, paper=method.paper)
        note += "" if method.signed else f" {TEXT['one_sided'].format(target=maps.target)}"
    bar = data_uri(colours(np.linspace(-scale, scale, 256, dtype=np.float32)[None].repeat(8, 0), scale))
    ticks = "".join(
        f"<span>{f'{value:+g}'.replace('-', '−') if value else '0'}</span>"
        for value in (-scale, -scale / 2, 0, scale / 2, scale)
    )
    methods = "".join(
        f'<option value="{key}"{" selected" if key == maps.method else ""}>{one.title}</option>'
        for key, one in METHODS.items()
    )
    views = "".join(f'<option value="{key}">{title}</option>' for key, title in TEXT["views"].items())
    return (
        f'<section class="lv-maps" aria-label="{TEXT["maps"]}"><header><h3>{TEXT["maps"]}</h3>'
        f'<div class="lv-controls"><label>{TEXT["method"]} <select class="lv-method">{methods}</select>'
        f"</label>"
        f'<label>{TEXT["show"]} <select class="lv-view">{views}</select></label>'
        f'<label><input type="checkbox" class="lv-raw"> {TEXT["unsmoothed"]}</label>'
        f'<label class="lv-slider">{TEXT["overlay"]} <input class="lv-opacity" type="range" min="0" '
        f'max="100" value="{OPACITY}" aria-valuetext="{OPACITY} %"></label></div></header>'
        f'<div class="lv-grid">{_pictures(maps.smooth, maps.coarse, picture, scale, words)}</div>'
        f'<div class="lv-scale"><span class="lv-end lv-healthy">{TEXT["to_healthy"]}</span>'
        f'<div class="lv-bar"><div class="lv-ramp"><img class="lv-over" src="{bar}" alt=""></div>'
        f'<div class="lv-ticks">{ticks}</div></div>'
        f'<span class="lv-end lv-all">{TEXT["to_all"]}</span></div>'
        f'<p class="lv-note">{note}</p></section>'
    )


def _where(cam: np.ndarray, outline: np.ndarray, target: str) -> str:
    """Where a map of a method that does not add up speaks for the target."""
    part = np.maximum((1 if target == "ALL" else -1) * cam, 0).astype(np.float64)
    if not part.any():
        return str(TEXT["nothing"].format(target=target))
    return f"For {target}: half of it {_place(part, outline)}."


__all__: list[str] = [
    "Drawn", "addition", "alert_html", "backdrop", "brief_html", "check_html", "colours", "data_uri",
    "describe_map", "drawn", "headline", "map_html", "overlays", "percent", "result_html", "scale_of",
    "signed", "sum_line", "title_of",
]  # fmt: skip
