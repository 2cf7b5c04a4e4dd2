"""The photographs that a page shows: which ones, what methods made of them, and where that is wrong."""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from exposurebench import catalog, tables
from exposurebench.camera import preview
from exposurebench.color import REC709, brightest, to_light, weighted
from exposurebench.dataset import Dataset, Row
from exposurebench.files import safe_key
from exposurebench.images import Image, encode_image, quantize
from exposurebench.measures import entry_of, is_per_set, measured_with, name_and_column, takes, value_columns
from exposurebench.method import Method, corrected
from exposurebench.report import plots
from exposurebench.report.maps import TICKS, gray, overlaid, ramp
from exposurebench.report.pictures import spread, thumbnail
from exposurebench.result import Result
from exposurebench.scene import Evidence
from exposurebench.scoring import cells_of, map_of, sides_of
from exposurebench.tensors import to_tensor
from exposurebench.tonemapping import white_level

PHOTOGRAPHS = 5
"""Photographs that are shown."""
PIXELS = 1_800_000
"""Of all pictures of one photograph together: what keeps a page small, whatever is on it."""
SIDES_PX = (160, 480)
"""The longest side of a picture, from and to."""
QUALITY = 80
LEVELS = 64
"""The difference of display images, of 255 levels, at the end of the colour scale."""
STOPS = 4
"""The difference of light, in stops, at the end of the colour scale."""
DARKEST = 2.0**-10
"""Light below this share of what is shown as white counts as this: nobody sees how much darker it is."""
BINS = 64
LIGHT_BINS = np.linspace(-10, 6, BINS + 1)
"""Stops from what is shown as white."""


class Headline(NamedTuple):
    """The metric by which photographs are put in order."""

    metric: str
    measure: str
    column: str
    higher: bool


def headline(results: Sequence[Result]) -> Headline | None:
    """The first metric with a value a photograph that ranks and that all results have; None where there is none."""
    for measure in results[0].metrics:
        if is_per_set(measure) or any(measure not in result.metrics for result in results):
            continue
        for name, column in value_columns(measure, results[0].per_image).items():
            better = entry_of(measure).fact_of("BETTER", name_and_column(name)[1])
            if better in ("higher", "lower"):
                return Headline(name, measure, column, better == "higher")
    return None


def chosen(results: Sequence[Result]) -> list[tuple[str, str]]:
    """The pairs that are shown, and why: worst, median and best, and where several methods are furthest apart."""
    first = results[0].per_image
    used = first[~first["unchanged"].astype(bool)]
    used = used if len(used) else first
    by = headline(results)
    if by is None:
        return [(str(key), "one of many") for key in used["id"].iloc[spread(len(used), PHOTOGRAPHS)]]
    ids = sorted(map(str, used["id"]))
    values = pd.concat([result.per_image.set_index("id")[by.column].loc[ids] for result in results], axis=1)
    values = values.dropna().apply(
        lambda one: pd.Series(tables.capped(by.measure, one.to_numpy(np.float64)), one.index)
    )
    order = (values.mean(axis=1) if by.higher else -values.mean(axis=1)).sort_values(kind="stable").index
    apart = (values.max(axis=1) - values.min(axis=1)).sort_values(ascending=False, kind="stable").index
    last = len(order) - 1
    wanted = [(order[0], "the worst"), (order[last // 2], "the median"), (order[last], "the best")] if last > 0 else []
    if len(results) > 1:
        wanted += [(key, "the methods differ most") for key in apart[:2]]
    else:
        wanted += [(order[place], words) for place, words in ((1, "the second worst"), (last - 1, "the second best")) if last > 3]  # fmt: skip
    wanted = wanted or [(order[0], "the only one")]
    found: dict[str, list[str]] = {}
    for key, words in wanted:
        found.setdefault(str(key), []).append(words)
    return [(key, ", ".join(words)) for key, words in found.items()]


def photographs(
    results: Sequence[Result], dataset: Dataset, split: str
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Every photograph that is shown, as the template wants it, and the same pictures as PNG files by their names."""
    rows = {str(row["id"]): row for row in dataset.rows(split)}
    methods = {result.name: result for result in results if result.method is not None}
    drawing = [m for result in methods.values() for m, facts in result.document["protocols"].items() if takes(measured_with(m, facts), "with_map")]  # fmt: skip
    count = 3 + (2 if dataset.gives == "srgb" else 4) * len(methods) + len(drawing)
    sections, files = [], {}
    for number, (key, why) in enumerate(chosen(results), 1):
        row = rows[key]
        given, target = dataset.read_input(split, row), dataset.read_target(split, row)
        ratio = min(given.pixels.shape[:2]) / max(given.pixels.shape[:2])
        side = round(np.clip(math.sqrt(PIXELS / (count * ratio)), *SIDES_PX))
        made = {n: _made(r.method, given, row, target) for n, r in methods.items() if r.method is not None}
        layers, errors = _layers(given, target, made), _errors(given, target, made, row)
        for name, prediction in made.items():
            errors += [(f"{name}: {words}", scores, image) for words, scores, image in _maps(methods[name], prediction, target, given)]  # fmt: skip
        shown = [*layers, *errors]
        small = [thumbnail(image, side, side) for _, _, image in shown]
        if made:
            drawn = _histograms(given, target, made, row)
            files[f"photograph-{number}-luminance.png"] = drawn
        for place, ((words, _, _), pixels) in enumerate(zip(shown, small, strict=True), 1):
            files[f"photograph-{number}-{place:02d}-{safe_key(words)}.png"] = encode_image(pixels)
        figures = [
            {"name": words, "told": told, "uri": data_uri(pixels)}
            for (words, told, _), pixels in zip(shown, small, strict=True)
        ]
        sections.append(
            {
                "scene": str(row["scene"]),
                "id": key,
                "why": why,
                "settings": _settings(row),
                "layers": figures[: len(layers)],
                "errors": figures[len(layers) :],
                "luminance": png_uri(drawn) if made else "",
                "inverse": "tau" in row and dataset.gives == "srgb",
            }
        )
    return sections, files


def legends(results: Sequence[Result], gives: str) -> dict[str, Any]:
    """The colours of the pictures of errors, in pictures and words."""
    protocols = {
        name: facts for r in results if r.method is not None for name, facts in r.document["protocols"].items()
    }
    drawing = [name for name, facts in protocols.items() if takes(measured_with(name, facts), "with_map")]
    bar = np.broadcast_to(np.linspace(0, 255, 360).astype(np.uint8), (22, 360))
    end = LEVELS if gives == "srgb" else STOPS
    return {
        "error": {"uri": data_uri(_viridis()[bar]), "ticks": [f"{end * tick:g}" for tick in TICKS]},
        "seen": {"uri": data_uri(ramp(360, 22)), "ticks": [f"{tick:g}" for tick in TICKS]} if drawing else None,
        "drawing": drawing,
        "unit": "levels of 255" if gives == "srgb" else "stops",
    }


# ---- what is shown -------------------------------------------------------------------------------------

Shown = tuple[str, str, Image]
"""What a picture is, what is said of it, and the picture."""


def _made(method: Method, given: Image, row: Row, target: Image) -> Image:
    """What a method makes of an input, as it was scored; of light, the gain is the best one, and said to be."""
    pixels = corrected(method, given.as_float(), row, target.bit_depth)
    return Image(pixels, target.bit_depth, target.encoding)


def _settings(row: Row) -> list[str]:
    """What was done to a photograph, in words."""
    known = {"tau": "tau {:g}", "ev": "{:+g} EV", "clipped_share": "{:.1%} clipped"}
    shown = {words: row.get(name) for name, words in known.items()}
    return [
        words.format(value).replace("-", "\N{MINUS SIGN}").replace("+0 ", "0 ").replace("%", " %")
        for words, value in shown.items()
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _layers(given: Image, target: Image, made: Mapping[str, Image]) -> list[Shown]:
    """Input, target and outputs, as a display shows them; of light also what is too bright for it."""
    told = {name: _psnr(image, target) for name, image in made.items()}
    if target.encoding == "srgb":
        outputs = [(name, told[name], image) for name, image in made.items()]
        return [("input", _psnr(given, target), given), ("target", "", target), *outputs]
    white = white_level(target.pixels)
    light = {"target": target.pixels} | {n: _gained(i.pixels, target.pixels, given) for n, i in made.items()}
    found: list[Shown] = [("input", "", given)]
    for stops in (0, 3):
        words = f", {stops} stops darker" if stops else ""
        found += [
            (f"{name}{words}", "", preview(np.maximum(pixels, 0), white * 2**stops)) for name, pixels in light.items()
        ]
    return found


def _errors(given: Image, target: Image, made: Mapping[str, Image], row: Row) -> list[Shown]:
    """|target - output| of every method, and of the inverse that knows the true tau, in one scale of colours."""
    sides = dict(made)
    if "tau" in row and target.encoding == "srgb":
        inverse = catalog.load("baselines", "inverse_clip").function()
        known = {name: row[name] for name in ("tau", "transfer") if name in row}
        sides["inverse_clip, which is told tau"] = Image(quantize(inverse(Evidence(given.as_float(), **known)), target.bit_depth), target.bit_depth)  # fmt: skip
    found = []
    for name, image in sides.items():
        shares = _apart(image, target, given)
        unit = "levels" if target.encoding == "srgb" else "stops"
        end = LEVELS if target.encoding == "srgb" else STOPS
        told = f"mean {tables.spelled(float(shares.mean()) * end, 1)} {unit}"
        levels = quantize(shares.clip(0, 1).astype(np.float32), 8)
        found.append((f"|target \N{MINUS SIGN} {name}|", told, Image(_viridis()[levels])))
    return found


def _apart(image: Image, target: Image, given: Image) -> NDArray[np.float32]:
    """How far two images are apart, ``(H, W)``: 1 is the end of the scale."""
    if target.encoding == "srgb":
        found: NDArray[np.float32] = np.abs(image.as_float() - target.as_float()).mean(2) * np.float32(255 / LEVELS)
        return found
    least = DARKEST * white_level(target.pixels)
    ours, theirs = (np.log2(np.maximum(_luminance(p), least)) for p in (_gained(image.pixels, target.pixels, given), target.pixels))  # fmt: skip
    stops: NDArray[np.float32] = np.abs(ours - theirs).astype(np.float32) / np.float32(STOPS)
    return stops


def _luminance(pixels: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = weighted(pixels[..., 0], pixels[..., 1], pixels[..., 2], REC709)
    return found


def _gained(light: NDArray[Any], target: NDArray[Any], given: Image) -> NDArray[Any]:
    """Light times the gain that brings it nearest to the target: the median ratio where the input is well exposed."""
    levels = brightest(*np.moveaxis(given.as_float(), 2, 0))
    ours, theirs = _luminance(light), _luminance(target)
    known = (levels < 250 / 255) & (levels > 5 / 255) & (ours > 0) & (theirs > 0)
    return light * np.float32(np.median(theirs[known] / ours[known])) if known.any() else light


def _histograms(given: Image, target: Image, made: Mapping[str, Image], row: Row) -> bytes:
    """The luminance of target, input and outputs of one photograph."""
    limit = math.nan
    if target.encoding == "srgb":
        sides = {"target": target, "input": given, **made}
        values = {name: 255 * _luminance(image.as_float()) for name, image in sides.items()}
        edges, axis = np.linspace(0, 255, BINS + 1), "luminance, levels of 255"
        if isinstance(threshold := row.get("display_threshold"), float) and threshold < 1:
            limit = 255 * threshold
    else:
        white, seen = white_level(target.pixels), to_light(given.as_float(), "srgb")
        light = {"target": target.pixels, "input": _gained(seen, target.pixels, given)}
        light |= {name: _gained(image.pixels, target.pixels, given) for name, image in made.items()}
        edges, axis = LIGHT_BINS, "luminance, stops from white"
        values = {n: np.log2(np.maximum(_luminance(p) / white, 1e-9)) for n, p in light.items()}
    ends = (edges[0], edges[-1])
    counts = {n: np.histogram(v.clip(*ends), edges)[0] / v.size for n, v in values.items()}
    return plots.luminance(counts, edges, axis, limit)


def _maps(result: Result, prediction: Image, target: Image, given: Image) -> list[Shown]:
    """Where the metrics that draw maps see the prediction differ, with their scores of it."""
    sides, below, found = sides_of(prediction.pixels, target, given), gray(target), []
    for measure, facts in result.document["protocols"].items():
        if takes(entry := measured_with(measure, facts), "with_map"):
            shares = map_of(measure, entry, sides)
            cells, _ = cells_of({measure: entry}, "", sides)
            scores = ", ".join(
                f"{name.rpartition(':')[2]} {tables.spelled(value, tables.decimals_of(value, 3))}"
                for name, value in cells.items()
            )
            if shares is not None:
                found.append((f"{measure}: {entry.fact('MAP')}", scores, Image(overlaid(shares, below))))
    return found


@functools.cache
def _viridis() -> NDArray[np.uint8]:
    """256 colours that get lighter all the way, and can be told apart without colour vision."""
    return quantize(mpl.colormaps["viridis"](np.arange(256))[:, :3].astype(np.float32), 8)


def _psnr(image: Image, target: Image) -> str:
    if image.pixels.shape != target.pixels.shape or target.encoding != "srgb" or image.encoding != "srgb":
        return ""
    sides = (to_tensor(side.as_levels(), torch.float64) for side in (image, target))
    return f"{tables.spelled(float(catalog.load('metrics', 'psnr').function()(*sides)), 2)} dB"


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A small picture as the address of an image element."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode_image(pixels, 'jpg', QUALITY)).decode()}"


def png_uri(data: bytes) -> str:
    """A plot as the address of an image element."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
