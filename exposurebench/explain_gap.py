"""A result and a published number in; under which of the field's protocols the one becomes the other, out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from exposurebench import catalog, tables
from exposurebench.dataset import Dataset, Row, load_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.images import Image
from exposurebench.measures import is_per_set
from exposurebench.method import Brackets, Method, TrainingTargets, corrected, open_method
from exposurebench.predictions import open_predictions
from exposurebench.protocols import OURS, PROTOCOLS
from exposurebench.result import Result, read_result
from exposurebench.tensors import to_tensor
from exposurebench.threads import in_threads

METRICS = ("psnr", "ssim")
"""What is measured besides the metrics of the published numbers."""
EVERY = "all pairs"
EXPOSURES = ("ev", "exposure_ev")
"""Columns by which a set is cut into under- and overexposed parts, the first that there is."""


@dataclass(frozen=True)
class Claim:
    """A published number: a metric, its value, and how far off what it was rounded from may be."""

    metric: str
    value: float
    rounding: float


def claim(text: str) -> Claim:
    """A published number as it is printed, whose digits say how far it was rounded.

    Raises:
        RecipeError: it is no ``metric=number``.

    >>> claim("psnr=23.1")
    Claim(metric='psnr', value=23.1, rounding=0.05)
    """
    metric, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not metric or not math.isfinite(value):
        raise RecipeError(f"{text!r}: expected a published number such as psnr=23.1")
    mantissa, _, power = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(power or 0)
    return Claim(metric, value, float(f"5e{-decimals - 1}"))


@dataclass(frozen=True)
class Gap:
    """What results score under every protocol.

    Attributes:
        methods: the results' names, the one that is explained first.
        claims: the published numbers.
        table: a row for a method, a protocol, a part of the set and a metric: its ``value``.
        titles: the protocols and parts, in words.
    """

    methods: Sequence[str]
    claims: Sequence[Claim]
    table: pd.DataFrame
    titles: Mapping[str, str]

    def near(self, wanted: Claim) -> pd.DataFrame:
        """The ways to measure the first method, nearest to a published number first, with how far they are ``off``."""
        mine = self.table[(self.table["method"] == self.methods[0]) & (self.table["metric"] == wanted.metric)]
        found = mine.assign(
            off=mine["value"] - wanted.value, gives=(mine["value"] - wanted.value).abs() <= wanted.rounding + 1e-9
        )
        return found.sort_values("off", key=lambda off: off.abs(), kind="stable").reset_index(drop=True)

    def ranks(self) -> pd.DataFrame:
        """A row for each way to measure that ranks: the rank of every method, 1 for the best."""
        ranking = self.table[[name not in PROTOCOLS or PROTOCOLS[name].ranks for name in self.table["protocol"]]]
        wide = ranking.pivot_table(index=["metric", "part", "protocol"], columns="method", values="value", sort=False)
        signs = [-1.0 if _better(metric) == "higher" else 1.0 for metric, _, _ in wide.index]
        found = wide.mul(signs, axis=0).rank(axis=1, method="min").astype(int)
        return found[list(self.methods)].reset_index()


def explain_gap(
    results: Sequence[str | Path],
    dataset: str | Path,
    claims: Sequence[Claim] = (),
    *,
    metrics: Sequence[str] = (),
    predictions: Sequence[str | Path] = (),
    targets: Sequence[str | Path] = (),
    device: str = "cpu",
    workers: int | None = None,
) -> Gap:
    """Measure results again under the field's protocols, over the whole set and its parts.

    Args:
        results: their folders, the first the one that is explained.
        dataset: the data set that they were evaluated on.
        claims: published numbers of the first.
        metrics: what is measured besides the claims'; by default PSNR and SSIM.
        predictions: where the images of results come from that are no baselines, in their order: the folder of
            predictions that was scored, or the checkpoint.
        targets: data sets with the same pairs and other targets, such as another expert's.
        device: where a network runs.
        workers: threads; by default one for each core.

    Raises:
        InputError: a result or data set that cannot be used, images that are not those of the result, targets of
            light.
        RecipeError: a claim of no metric, or of one that is no mean over images.
    """
    opened = load_dataset(dataset)
    if opened.gives != "srgb":
        raise InputError(f"{opened.name} has targets of light: the field's protocols here are of display images")
    found = {result.name: result for result in map(read_result, results)}
    if len(found) < len(results):
        raise InputError("two results have one name: name them apart with eval --name")
    tables.check_comparable({name: result.document for name, result in found.items()})
    for name, result in found.items():
        if result.document["dataset"]["pixels"] != opened.pixels:
            raise InputError(f"{str(dataset)!r} is not the data set that {name} was evaluated on: name that one")
    names = _metrics(claims, metrics)
    first = next(iter(found.values()))
    split, ids = str(first.document["dataset"]["split"]), set(first.per_image["id"])
    rows = [row for row in opened.rows(split) if row["id"] in ids]
    others = {f"targets of {other.name}": other for other in map(load_dataset, targets)}
    by_id = {title: {row["id"]: row for row in other.rows(split)} for title, other in others.items()}
    for title, known in by_id.items():
        if missing := [row["id"] for row in rows if row["id"] not in known]:
            raise InputError(
                f"{title}: it lacks {len(missing)} of the pairs, {missing[0]} first: name one of the same pairs"
            )
    columns: list[pd.DataFrame] = []
    sources = iter(predictions)
    for name, result in found.items():
        source = None if result.document["method"]["kind"] == "baseline" else next(sources, None)
        method = method_of(result, opened, rows, source, device)

        def work(row: Row, method: Method = method) -> dict[tuple[str, str], float]:
            given, target = opened.read_input(split, row), opened.read_target(split, row)
            prediction = corrected(method, given.as_float(), row, target.bit_depth)
            values = _scores(prediction, target, names)
            for title, other in others.items():
                theirs = other.read_target(split, by_id[title][row["id"]])
                if theirs.pixels.shape != target.pixels.shape:
                    sizes = (
                        " x ".join(map(str, theirs.pixels.shape[1::-1])),
                        " x ".join(map(str, target.pixels.shape[1::-1])),
                    )
                    raise InputError(
                        f"{title}: that of {row['id']} is {sizes[0]}, not {sizes[1]}: name one of the same size"
                    )
                values |= {(title, m): v for (p, m), v in _scores(prediction, theirs, names, (OURS,)).items()}
            return values

        measured = list(in_threads(work, rows, workers))
        _check_same(result, rows, measured, names)
        columns.append(_means(name, result, rows, measured))
    titles = {name: protocol.title for name, protocol in PROTOCOLS.items()} | {title: title for title in others}
    return Gap(list(found), claims, pd.concat(columns, ignore_index=True), titles)


def _better(metric: str) -> str:
    return str(catalog.load("metrics", metric).fact("BETTER"))


def _metrics(claims: Sequence[Claim], metrics: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys([*(c.metric for c in claims), *(metrics or METRICS)]))
    for name in names:
        entry = catalog.load("metrics", name)
        if (
            is_per_set(name)
            or entry.fact("TAKES") != "srgb"
            or hasattr(entry.module, "REGION")
            or _better(name) not in ("higher", "lower")
        ):
            raise RecipeError(f"{name} is no score of single display images: name one that is, such as psnr or ssim")
    return names


def method_of(
    result: Result, opened: Dataset, rows: Sequence[Row], source: str | Path | None = None, device: str = "cpu"
) -> Method:
    """What makes a result's images again.

    Args:
        result: read from disk.
        opened: the data set that it is of.
        rows: its pairs.
        source: where the images come from, if not from a baseline: the folder of predictions, or the checkpoint.
        device: where a network runs.

    Raises:
        InputError: it is no baseline, and there is no source.
    """
    facts, split = result.document["method"], str(result.document["dataset"]["split"])
    if facts["kind"] == "baseline":
        training = TrainingTargets(opened) if "train" in opened.splits else None
        brackets = Brackets(opened, split)
        return open_method(
            f"baseline:{facts['baseline']}", training=training, brackets=brackets, settings=facts["settings"]
        )
    if source is None:
        raise InputError(
            f"{result.name} is no baseline: say where its images come from with --predictions, a folder or a model.pt"
        )
    if Path(source).is_dir():
        return open_predictions(source, result.name, rows, "srgb" if opened.gives == "srgb" else "linear")
    return open_method(str(source), device=device)


def _scores(
    prediction: NDArray[Any], target: Image, names: Sequence[str], which: Sequence[str] = ()
) -> dict[tuple[str, str], float]:
    """A pair's values by protocol (all that there are, or some) and metric."""
    sides = to_tensor(prediction, torch.float64), to_tensor(target.pixels, torch.float64)
    found = {}
    for name in which or PROTOCOLS:
        protocol = PROTOCOLS[name]
        # The last digits matter where they must be the result's own; elsewhere half the memory is half the time.
        changed = protocol.before(*(side if name == OURS else side.float() for side in sides))
        for metric in names:
            if variant := protocol.variant(metric):
                try:
                    value = catalog.load("metrics", variant).function()(*changed)
                except ValueError as error:
                    raise InputError(f"{metric} under {name}: {error}: choose other metrics with --metric") from error
                found[name, metric] = float(value.item())
    return found


def _check_same(
    result: Result, rows: Sequence[Row], measured: Sequence[Mapping[Any, float]], names: Sequence[str]
) -> None:
    """Refuse images that are not those that the result is of: its own numbers must come out again."""
    table = result.per_image.set_index("id").loc[[row["id"] for row in rows]]
    for metric in names:
        if metric in table and metric in result.document["protocols"]:
            ours = np.array([values[OURS, metric] for values in measured])
            if not np.allclose(ours, table[metric].to_numpy(dtype=np.float64), rtol=1e-3, atol=1e-6):
                raise InputError(
                    f"{result.name}: these images do not score the {metric} of the result: they are not the ones that "
                    "were evaluated"
                )


def _means(name: str, result: Result, rows: Sequence[Row], measured: Sequence[Mapping[Any, float]]) -> pd.DataFrame:
    """A row for each protocol, part and metric."""
    table = result.per_image.set_index("id").loc[[row["id"] for row in rows]]
    found = []
    for protocol, metric in measured[0]:
        values = np.array([one[protocol, metric] for one in measured])
        values = tables.capped(metric, values)
        for part, places in parts(table).items():
            found.append(
                {"method": name, "protocol": protocol, "part": part, "metric": metric, "value": values[places].mean()}
            )
    return pd.DataFrame(found)


def parts(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """The parts of a set that papers report: all of it, and under- and overexposed inputs where it has both.

    >>> table = pd.DataFrame({"unchanged": [False, False, True], "ev": [-1.0, 1.0, 0.0]})
    >>> {name: places.tolist() for name, places in parts(table).items() if name in ("all pairs", "under")}
    {'all pairs': [True, True, False], 'under': [True, False, False]}
    """
    right = table["unchanged"].to_numpy(dtype=bool)
    found = {EVERY: ~right}
    if right.any():
        found["with those that were right"] = np.ones(len(table), dtype=bool)
    column = next((column for column in EXPOSURES if column in table), None)
    if column is not None:
        ev = table[column].to_numpy(dtype=np.float64)
        if (ev < 0).any() and (ev > 0).any():
            found |= {"under": (ev < 0) & ~right, "over": (ev > 0) & ~right}
            if (ev == 0).any():
                found["over, with 0 EV"] = ev >= 0
    return {name: places for name, places in found.items() if places.any()}
