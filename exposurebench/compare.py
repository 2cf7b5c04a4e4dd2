"""Two images or two folders of images in, scores and maps of their differences out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from exposurebench import catalog, measures, tables
from exposurebench.catalog import Entry
from exposurebench.errors import ImageError, InputError, RecipeError
from exposurebench.files import write_bytes
from exposurebench.images import Image, encode_image, holds_light, quantize, read_image
from exposurebench.measures import Arrays
from exposurebench.metrics.hdrvdp.optics import pixels_per_degree
from exposurebench.recipe import plugin_settings
from exposurebench.report.maps import gray, overlaid, with_legend
from exposurebench.scoring import Cells, Sides, cells_of, check_unmended, map_of, sides_of
from exposurebench.threads import in_threads

METRICS = ("psnr", "ssim")
"""What two display images are measured by when nobody says; two folders of them also by how similar the sets are."""
SET_METRICS = ("histogram_similarity",)
WHITE_LEVELS = 64
"""The difference of display values, in levels of 255, that is white in a map."""
WHITE_EV = 4.0
"""The difference of light that is white in a map."""


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        protocols: everything the numbers depend on, by measure.
        per_image: a row a pair of images, named after the files.
        summary: a row a value: mean, 95 % interval.
        unmatched: files of either folder without a partner in the other.
        maps: the pictures of differences that were written.
    """

    protocols: Mapping[str, Mapping[str, Any]]
    per_image: pd.DataFrame
    summary: pd.DataFrame
    unmatched: Sequence[str] = ()
    maps: Sequence[Path] = field(default=())


def compare(
    prediction: str | Path,
    target: str | Path,
    *,
    metrics: Sequence[str] = (),
    metric_settings: Mapping[str, Mapping[str, Any]] | None = None,
    shared_settings: Mapping[str, Any] | None = None,
    maps: str | Path | None = None,
    workers: int | None = None,
) -> Comparison:
    """Score images against others: two files, or two folders whose files are matched by name (without the suffix).

    Display images (PNG, JPEG, ...) and light (OpenEXR, Radiance) are told apart by content. A prediction is
    quantised to its target's bit depth, as in an evaluation, so the numbers are the same.

    Args:
        prediction: a file or a folder.
        target: what it is compared with.
        metrics: names of ``metrics/``; by default PSNR and SSIM (folders: histogram similarity too), of light
            :data:`exposurebench.measures.LIGHT_METRICS`.
        metric_settings: settings of some of them, by name.
        shared_settings: settings of every one of them that has such (``pixels_per_degree``, ``peak_nits``); those in
            metric_settings win.
        maps: a PNG file, for folders a folder: where it is drawn what the metrics see, in colour over the target
            in gray with a legend; if none of them draws a map, the absolute difference, black for none.
        workers: threads; by default one for each core.

    Raises:
        RecipeError: an unknown metric or setting, or one that cannot compare two images.
        InputError: files that cannot be read or compared, sizes that differ, no names in common.

    Example:
        >>> compare("mine.png", "theirs.png").summary[["metric", "value"]]  # doctest: +SKIP
    """
    pairs, unmatched = _matched(Path(prediction), Path(target))
    folders = Path(target).is_dir()
    light = holds_light(next(iter(pairs.values()))[1])
    metrics = metrics or _default(light, folders)
    entries = _entries(metrics, _with_shared(metrics, metric_settings or {}, shared_settings or {}), light)

    protocols = {
        measure: {**measures.protocol(measure, entry.settings), **measures.run_facts(entry)}
        for measure, entry in entries.items()
    }

    for facts in protocols.values():
        if "gain" in facts:
            facts["gain"] = "one a pair, least squares of log luminance over all pixels: there is no input"

    paths = {key: _map_path(Path(maps), key, folders) for key in pairs} if maps else {}

    def work(key: str) -> tuple[Cells, Arrays, dict[str, NDArray[np.uint8]]]:
        sides, image = _sides(key, *pairs[key], light)
        drawn = _drawn_maps(entries, sides, image) if paths else {}
        cells, arrays = cells_of(entries, key, sides)
        return {"id": key, "scene": key, "split": "", "unchanged": False, **cells}, arrays, drawn

    rows, wide, written = [], [], []
    for key, (cells, arrays, drawn) in zip(pairs, in_threads(work, list(pairs), workers), strict=True):
        rows.append(cells)
        wide.append(arrays)
        for measure, picture in drawn.items():
            name = paths[key] if len(drawn) == 1 else _beside(paths[key], measure)
            written.append(_write_map(picture, measure, entries, protocols.get(measure, {}), name))
    per_image = pd.DataFrame(rows)
    arrays = {name: np.stack([row[name] for row in wide]) for name in wide[0]}
    try:
        summary = tables.summarize(per_image, protocols, arrays)
    except ValueError as error:
        raise InputError(f"{len(pairs)} pairs of images do not give the metrics: {error}") from error
    return Comparison(protocols, per_image, summary, unmatched, written)


def _matched(prediction: Path, target: Path) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Pairs of files by name, and the files that have no partner."""
    for path in (prediction, target):
        if not path.exists():
            raise InputError(f"{str(path)!r}: no such file or folder")
    if prediction.is_dir() != target.is_dir():
        raise InputError(f"{str(prediction)!r} and {str(target)!r}: expected two images or two folders")
    if not target.is_dir():
        return {target.stem: (prediction, target)}, []
    ours, theirs = _files(prediction), _files(target)
    common = [name for name in ours if name in theirs]
    if not common:
        raise InputError(f"{str(prediction)!r} and {str(target)!r} have no file names in common")
    unmatched = [str(side[name]) for side in (ours, theirs) for name in side if name not in common]
    return {name: (ours[name], theirs[name]) for name in common}, unmatched


def _files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            if path.stem in found:
                raise InputError(f"{str(folder)!r} has {found[path.stem].name} and {path.name}: keep one")
            found[path.stem] = path
    return found


def _default(light: bool, folders: bool) -> list[str]:
    return measures.of_light() if light else [*METRICS, *(SET_METRICS if folders else ())]


def _entries(metrics: Sequence[str], settings: Mapping[str, Mapping[str, Any]], light: bool) -> dict[str, Entry]:
    entries = {}
    for metric in metrics:
        entry = catalog.load("metrics", metric)
        if (entry.fact("TAKES") == "srgb") == light:
            held = "light" if light else "display values"
            raise RecipeError(f"{metric} takes {entry.fact('TAKES')} images, and these hold {held}: choose another")
        if measures.is_per_scene(metric):
            raise RecipeError(f"{metric} compares several exposures of a scene: evaluate a data set that has them")
        entries[metric] = measures.entry_of(metric, plugin_settings(entry, settings.get(metric, {})))
    if strangers := [name for name in settings if name not in metrics]:
        raise RecipeError(f"settings of {', '.join(strangers)}, which is not measured: add it with --metric")
    return entries


def _with_shared(
    metrics: Sequence[str], settings: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The settings of each metric, with those of the shared ones that it has."""
    known = {metric: catalog.load("metrics", metric).parameters() for metric in metrics}
    for name in shared:
        if not any(name in parameters for parameters in known.values()):
            raise RecipeError(f"none of {', '.join(metrics)} has {name}: choose others with --metric")
    own = {m: {**{n: v for n, v in shared.items() if n in known[m]}, **settings.get(m, {})} for m in metrics}
    return {**settings, **{metric: found for metric, found in own.items() if found}}


def seen_pixels_per_degree(display: str) -> float:
    """The pixels per degree of a display in words, ``COLUMNSxROWS,DIAGONAL_INCH,DISTANCE_M``.

    Raises:
        RecipeError: it is not written so, or a number is not positive.

    >>> round(seen_pixels_per_degree("1920x1080,24,0.6"), 2)
    38.61
    """
    try:
        resolution, diagonal, distance = display.split(",")
        columns, rows = map(int, resolution.split("x"))
        return pixels_per_degree((columns, rows), float(diagonal), float(distance))
    except ValueError as error:
        raise RecipeError(
            f"{display!r}: expected a display as COLUMNSxROWS,INCHES,METRES, all positive, such as 3840x2160,32,0.8"
        ) from error


def _sides(key: str, prediction: Path, target: Path, light: bool) -> tuple[Sides, Image]:
    """Both sides of a pair, and the target's image."""
    ours, theirs = _read(prediction), _read(target)
    for path, image in ((prediction, ours), (target, theirs)):
        if (image.encoding != "srgb") != light:
            raise InputError(f"{str(path)!r} holds {'display values' if light else 'light'}, others not: compare alike")
    check_unmended(prediction, ours)
    check_unmended(target, theirs, ("nan", "infinite"))  # colours beyond Rec. 709 are in many a map
    if ours.pixels.shape != theirs.pixels.shape:
        sizes = [f"{image.pixels.shape[1]} x {image.pixels.shape[0]}" for image in (ours, theirs)]
        raise InputError(f"{key}: {sizes[0]} pixels and {sizes[1]}: only images of one size can be compared")
    return sides_of(ours.pixels if light else quantize(ours.as_float(), theirs.bit_depth), theirs), theirs


def _read(path: Path) -> Image:
    try:
        return read_image(path, encoding="linear" if holds_light(path) else "srgb")
    except ImageError as error:
        raise InputError(f"{str(path)!r} {error}") from error


# ---- maps ----------------------------------------------------------------------------------------------


def _drawn_maps(entries: Mapping[str, Entry], sides: Sides, target: Image) -> dict[str, NDArray[np.uint8]]:
    """Where two images differ, as ``(H, W, 3)`` pictures by the name of the measure that saw it.

    Where none of them draws a map: the absolute difference, black where there is none. Of display values the mean
    over the channels, as a share of ``WHITE_LEVELS``; of light the absolute log2 ratio as a share of ``WHITE_EV``,
    with light under a millionth of the target's largest counting as that.
    """
    seen = {measure: map_of(measure, entry, sides) for measure, entry in entries.items()}
    below = gray(target) if any(shares is not None for shares in seen.values()) else None
    if below is not None:
        return {name: overlaid(shares, below) for name, shares in seen.items() if shares is not None}
    if sides.encoding == "srgb":
        apart = (sides.prediction - sides.target).abs().mean(1)[0] * (255 / WHITE_LEVELS)
    else:
        floor = float(sides.target.max()) * 1e-6 or 1.0
        ours, theirs = (side.clamp(min=floor).log2() for side in (sides.prediction, sides.target))
        apart = (ours - theirs).abs().mean(1)[0] / WHITE_EV
    shade = apart.clamp(0, 1).to(torch.float32).cpu().numpy()
    return {"": quantize(np.repeat(shade[..., None], 3, axis=2))}


def _write_map(
    picture: NDArray[np.uint8], measure: str, entries: Mapping[str, Entry], facts: Mapping[str, Any], path: Path
) -> Path:
    """One map as a PNG, those of metrics with a legend."""
    if measure:
        title = f"{measure}: {entries[measure].fact('MAP')}, over the target in gray"
        write_bytes(path, with_legend(picture, title, [tables.protocol_line(facts)]))
    else:
        write_bytes(path, encode_image(picture))
    return path


def _beside(path: Path, measure: str) -> Path:
    return path.with_name(f"{path.stem}-{measure.replace('/', '-')}.png")


def _map_path(folder: Path, key: str, folders: bool) -> Path:
    if not folders and folder.suffix.lower() != ".png":
        raise RecipeError(f"a map is written as PNG: expected a name that ends in .png, not {folder.name!r}")
    return folder / f"{key}.png" if folders else folder
