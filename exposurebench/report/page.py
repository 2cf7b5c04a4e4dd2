"""One page with the numbers and pictures of an evaluation: a single file that needs no network."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench import catalog, tables
from exposurebench.camera import preview
from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError
from exposurebench.files import write_text
from exposurebench.images import Image, encode_image
from exposurebench.measures import entry_of, is_per_set, measured_with, name_and_column, takes, value_columns
from exposurebench.method import corrected
from exposurebench.report.maps import TICKS, gray, overlaid, ramp
from exposurebench.report.pictures import spread, thumbnail
from exposurebench.report.templates import render
from exposurebench.result import Result
from exposurebench.scoring import cells_of, map_of, sides_of
from exposurebench.tensors import to_tensor

PHOTOGRAPHS = 6
"""Photographs that are shown."""
ROWS = 1000
"""Rows of the per-image table on the page; the CSV has all."""
DIFFERENCE_LEVELS = 64
"""The difference, of 255 levels, that is black in the pictures; none is white."""
THUMBNAIL_PX = {True: 360, False: 200}
"""The longest side of a picture where one result is shown, and where several are."""
QUALITY = 75


def write_page(results: Sequence[Result], dataset: str | Path, out: str | Path, *, title: str | None = None) -> Path:
    """Write ``report.html``: the summary of one or several results, pictures, protocols.

    Pictures of predictions are made anew by the results' methods; results that were read from disk have none.

    Args:
        results: of one data set and split, in the order of the rows.
        dataset: that data set's folder.
        out: the page's folder.
        title: the heading; by default the data set and the split.

    Returns:
        The page.

    Raises:
        InputError: no results, results that cannot be compared, or the folder of another data set.
        StorageError: the folder cannot be written.
    """
    if not results:
        raise InputError("no results: a page needs at least one")
    tables.check_comparable({result.name: result.document for result in results})
    opened, first = load_dataset(dataset), results[0]
    about = first.document["dataset"]
    if opened.pixels != about["pixels"]:
        raise InputError(f"{str(dataset)!r} is not the data set that {first.name} was evaluated on: name that one")
    photographs = min(result.per_image["scene"].nunique() for result in results)
    page = render(
        "page.html.j2",
        title=title or f"{about['name']}, split {about['split']}",
        about=about,
        size=tables.pairs_and_photographs(first.per_image),
        photographs=photographs,
        smoke_test=photographs < tables.RANKED_FROM,
        already_right=first.document.get("already_right", {}).get("pairs", 0),
        boards=_boards(results),
        oracles=[(r.name, tables.told(r.document["method"])) for r in results if r.document["method"].get("oracle")],
        floors=any(word.noise_floor for result in results for word in _words(result).values()),
        pictures=_pictures(results, opened, about["split"]),
        drawn=[result.name for result in results if result.method is None],
        legend=_legend(results),
        difference_levels=DIFFERENCE_LEVELS,
        per_image=_per_image(first) if len(results) == 1 else None,
        protocols={name: tables.protocol_line(facts) for name, facts in _protocols(results).items()},
        methods=[(result.name, _facts(result.document["method"])) for result in results],
        versions=first.document.get("versions", {}),
        one=len(results) == 1,
    )
    path = Path(out) / "report.html"
    write_text(path, page)
    return path


# ---- numbers -------------------------------------------------------------------------------------------


def _words(result: Result) -> dict[str, tables.Words]:
    found = (tables.words({str(k): v for k, v in row.items()}) for row in result.summary.to_dict("records"))
    return {word.metric: word for word in found}


def _protocols(results: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    return {name: facts for result in results for name, facts in result.document["protocols"].items()}


def _boards(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The table that everybody wants, and below it one for whatever else each measure of sets has."""
    rows = [_words(result) for result in results]
    found = {word.metric: word for row in rows for word in row.values()}
    family_of = {metric: name_and_column(metric)[0] for metric in found}
    sets = list(dict.fromkeys(family_of[metric] for metric in found if is_per_set(family_of[metric])))
    first = sets[:1]
    main = [m for m in found if family_of[m] not in sets or (family_of[m] in first and not m.endswith("_w1"))]
    others = [[m for m in found if family_of[m] == family and m not in main] for family in sets]
    boards = []
    for name, metrics in (("Scores", main), *zip(sets, others, strict=True)):
        families: dict[str, list[dict[str, str]]] = {}
        for metric in metrics:
            family, part = name_and_column(metric)
            arrow = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}.get(found[metric].better, "")
            column = {"part": part.replace("_", " "), "unit": found[metric].unit, "arrow": arrow}
            families.setdefault(family, []).append({**column, "better": found[metric].better})
        lines = [
            {
                "method": result.name,
                "oracle": bool(result.document["method"].get("oracle")),
                "cells": [row.get(metric) for metric in metrics],
            }
            for result, row in zip(results, rows, strict=True)
        ]
        if metrics:
            boards.append({"name": name, "families": families, "lines": lines})
    return boards


def _per_image(result: Result) -> dict[str, Any]:
    """Every pair's values of the metrics that have one, worst first by the first of them."""
    single = [measure for measure in result.metrics if not is_per_set(measure)]
    columns = {name: column for m in single for name, column in value_columns(m, result.per_image).items()}
    summary = _words(result)
    order = _worst_first(result)
    by, ascending = ([order[0], "id"], [order[1], True]) if order else (["id"], [True])
    table = result.per_image.sort_values(by, ascending=ascending, kind="stable").head(ROWS)
    lines = []
    for row in table.to_dict("records"):
        cells = []
        for metric, column in columns.items():
            value = float(row[column])
            decimals = 2 if metric in summary and summary[metric].unit == "dB" else 3
            text = "" if math.isnan(value) else tables.spelled(value, tables.decimals_of(value, decimals))
            cells.append({"text": text, "value": json.dumps(_finite(value))})
        lines.append({"scene": row["scene"], "id": row["id"], "cells": cells, "unchanged": bool(row["unchanged"])})
    units = {metric: summary[metric].unit if metric in summary else "" for metric in columns}
    several = result.per_image["scene"].duplicated().any()
    sorted_by = {name: "ascending" if ascending[0] else "descending" for name, c in columns.items() if c == by[0]}
    return {
        "metrics": units, "lines": lines, "total": len(result.per_image), "several": several, "sorted": sorted_by,
    }  # fmt: skip


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 1e300


def _facts(method: Mapping[str, Any]) -> dict[str, str]:
    """A method's facts in words; empty ones are left out."""
    spelled = {}
    for key, value in method.items():
        if isinstance(value, bool):
            spelled[key] = "yes" if value else "no"
        elif isinstance(value, Mapping):
            spelled[key] = ", ".join(f"{name} = {item}" for name, item in value.items())
        elif isinstance(value, list | tuple):
            spelled[key] = ", ".join(map(str, value))
        else:
            spelled[key] = f"{value:,}" if isinstance(value, int) else str(value)
    return {key.replace("_", " "): text for key, text in spelled.items() if text}


# ---- pictures ------------------------------------------------------------------------------------------


def _pictures(results: Sequence[Result], dataset: Dataset, split: str) -> list[dict[str, Any]]:
    """For every photograph that is shown: its input, its target, and what each method made of it."""
    rows = {str(row["id"]): row for row in dataset.rows(split)}
    side = THUMBNAIL_PX[len(results) == 1]
    pictures = []
    for key, why in _chosen(results):
        row = rows[key]
        given, target = dataset.read_input(split, row), dataset.read_target(split, row)
        methods = []
        for result in results:
            if result.method is None:
                continue
            pixels = corrected(result.method, given.as_float(), row, target.bit_depth)
            prediction = Image(pixels, target.bit_depth, target.encoding)
            seen = _maps(result, pixels, target, given)
            apart = {"what": "its difference from the target", "scores": ""}
            shown = seen or [(apart, _difference(_shown(prediction), _shown(target)))]
            methods.append(
                {
                    "name": result.name,
                    "oracle": bool(result.document["method"].get("oracle")),
                    "psnr": _psnr(prediction, target),
                    "prediction": _data_uri(_shown(prediction), side),
                    "others": [{**words, "uri": _data_uri(image, side)} for words, image in shown],
                }
            )
        pictures.append(
            {
                "scene": row["scene"],
                "id": key,
                "why": why,
                "settings": [f"{name} {row[name]:.3g}" for name in ("tau", "clipped_share") if name in row],
                "input": _data_uri(given, side),
                "input_psnr": _psnr(given, target),
                "target": _data_uri(_shown(target), side),
                "methods": methods,
            }
        )
    return pictures


def _maps(result: Result, prediction: NDArray[Any], target: Image, given: Image) -> list[tuple[dict[str, str], Image]]:
    """Where the metrics that draw maps see the prediction differ, with their scores of it."""
    sides, below, found = sides_of(prediction, target, given), gray(target), []
    for measure, facts in result.document["protocols"].items():
        if takes(entry := measured_with(measure, facts), "with_map"):
            shares = map_of(measure, entry, sides)
            cells, _ = cells_of({measure: entry}, "", sides)
            scores = ", ".join(
                f"{name.rpartition(':')[2]} {tables.spelled(value, tables.decimals_of(value, 3))}"
                for name, value in cells.items()
            )
            if shares is not None:
                words = {"what": f"{measure}: {entry.fact('MAP')}", "scores": scores}
                found.append((words, Image(overlaid(shares, below))))
    return found


def _legend(results: Sequence[Result]) -> dict[str, Any] | None:
    """The colours of the maps, where a measure draws some."""
    drawing = [name for name, facts in _protocols(results).items() if takes(measured_with(name, facts), "with_map")]
    if not drawing or all(result.method is None for result in results):
        return None
    return {"metrics": drawing, "ticks": [f"{tick:g}" for tick in TICKS], "uri": _data_uri(Image(ramp(360, 22)), 360)}


def _worst_first(result: Result) -> tuple[str, bool] | None:
    """The column by which pairs are put in order, and whether small values are the bad ones; None where none is."""
    for measure in result.metrics:
        if is_per_set(measure):
            continue
        for name, column in value_columns(measure, result.per_image).items():
            better = entry_of(measure).fact_of("BETTER", name_and_column(name)[1])
            if better in ("higher", "lower"):
                return column, better == "higher"
    return None


def _chosen(results: Sequence[Result]) -> list[tuple[str, str]]:
    """The pairs that are shown and why: of one result the worst to the best, of several a spread over the table."""
    table = results[0].per_image
    used = table[~table["unchanged"].astype(bool)]
    table = used if len(used) else table
    order = _worst_first(results[0])
    if len(results) > 1 or order is None:
        return [(str(key), "") for key in table["id"].iloc[spread(len(table), PHOTOGRAPHS)]]
    ordered = table.sort_values([order[0], "id"], ascending=[order[1], True], kind="stable").reset_index(drop=True)
    last = len(ordered) - 1
    places = range(last + 1) if last < PHOTOGRAPHS else [0, last // 5, 2 * last // 5, last // 2, 4 * last // 5, last]
    names = {last // 2: "the median", 0: "the worst", last: "the best"} if last > 1 else {}
    return [(str(ordered["id"][place]), names.get(place, "")) for place in dict.fromkeys(places)]


def _shown(image: Image) -> Image:
    """Light as its preview shows it, which is to look at, not to measure with."""
    return image if image.encoding == "srgb" else preview(image.pixels)


def _difference(prediction: Image, target: Image) -> Image:
    """How far two images are apart, mean over the channels: white is equal, black a fixed difference or more."""
    apart = np.abs(prediction.as_float() - target.as_float()).mean(2, keepdims=True)
    shade: NDArray[np.float32] = 1 - (apart * np.float32(255 / DIFFERENCE_LEVELS)).clip(0, 1)
    return Image(np.repeat(shade, 3, axis=2))


def _psnr(image: Image, target: Image) -> str:
    if image.pixels.shape != target.pixels.shape or target.encoding != "srgb" or image.encoding != "srgb":
        return ""
    sides = (to_tensor(side.as_levels(), torch.float64) for side in (image, target))
    return tables.spelled(float(catalog.load("metrics", "psnr").function()(*sides)), 2)


def _data_uri(image: Image, side: int) -> str:
    data = encode_image(thumbnail(image, side, side), "jpg", QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
