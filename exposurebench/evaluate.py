"""A method and a data set in, a per-image table and its summary out."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from exposurebench import __version__, catalog, measures, tables
from exposurebench.catalog import Entry
from exposurebench.dataset import Dataset, Row, load_dataset
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.images import Image
from exposurebench.measures import Arrays
from exposurebench.method import Brackets, Method, TrainingTargets, corrected, open_method, open_predictions
from exposurebench.recipe import SCHEMA, plugin_settings
from exposurebench.result import FORMAT, Result, derived
from exposurebench.scoring import Cells, Sides, cells_of, in_threads, scene_cells, sides_of
from exposurebench.tensors import checked_device

METRICS = ("psnr", "ssim", "histogram_similarity", "histogram_similarity/hu2018")
"""What is measured when nobody says."""
PAIR_FACTS = ("tau", "ev", "crf", "exposure_ev", "clipped_share", "overexposed", "underexposed")
"""What a per-image table takes over from the manifest, to group by."""


def evaluate(
    what: str | None,
    dataset: str | Path,
    *,
    split: str = "test",
    predictions: str | Path | None = None,
    name: str | None = None,
    metrics: Sequence[str] = (),
    metric_settings: Mapping[str, Mapping[str, Any]] | None = None,
    regions: bool = False,
    by: str | None = None,
    training: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    limit: int | None = None,
    workers: int | None = None,
) -> Result:
    """Score a method on the pairs of a data set.

    Args:
        what: ``baseline:NAME`` or a checkpoint's path; None with ``predictions``.
        dataset: a finished data set's folder.
        split: which pairs.
        predictions: a folder of images that another program made.
        name: what the method is called in tables; by default its own name.
        metrics: names of ``metrics/``, variants included; by default ``METRICS``, where the targets are light
            :data:`exposurebench.measures.LIGHT_METRICS`.
        metric_settings: settings of some of them, by name.
        regions: measure those that can be over the clipped, nearly clipped and unclipped pixels of the input, too.
        by: a column of the manifest (``tau``, ``ev``, ``crf``, ...): a summary for each of its values, too.
        training: the data set whose train split gives training targets; by default this one, if it has one.
        settings: of a baseline.
        device: where a network runs.
        limit: only the first so many pairs.
        workers: threads; by default one for each core. Scores do not depend on it.

    Raises:
        ExposureBenchError: the method, the data set or a prediction cannot be used.

    Example:
        >>> result = evaluate("baseline:identity", "datasets/samples-tau0.5")  # doctest: +SKIP
        >>> result.summary[["metric", "value", "low", "high"]]  # doctest: +SKIP
    """
    checked_device(device)
    opened = load_dataset(dataset)
    rows = opened.rows(split)[:limit]
    metrics = metrics or (METRICS if opened.gives == "srgb" else measures.of_light())
    entries = _entries(metrics, regions, metric_settings or {}, opened)
    _check_feasible(entries, rows, by, opened)
    protocols = {measure: _protocol(measure, entry) for measure, entry in entries.items()}
    method = _method(what, predictions, name, opened, split, training, settings, device, rows)
    if method.gives != opened.gives:
        raise InputError(
            f"{method.name} gives {method.gives} images and the targets of {opened.name} are {opened.gives}: "
            "score files of a method that gives such with --predictions"
        )
    per_image, arrays = _scored(method, opened, split, rows, entries, by, workers)
    if per_image["unchanged"].all():
        raise InputError(
            f"{str(dataset)!r}: every input equals its target: its {len(rows)} pairs say nothing of correction"
        )
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": name or method.name,
        "method": dict(method.facts),
        "dataset": {
            "name": opened.name,
            "title": opened.document["title"],
            "command": opened.document["command"],
            "pixels": opened.pixels,
            "split": split,
            "pairs": len(rows),
            "complete": limit is None or limit >= opened.document["counts"][split]["pairs"],
        },
        "protocols": protocols,
        "already_right": tables.harm(per_image, list(protocols)),
        **({"by": by} if by else {}),
        "versions": {
            "exposurebench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        "hardware": f"{device}, {platform.machine()}, {os.cpu_count()} cores",
    }
    return derived(document, per_image, arrays, method)


def _entries(
    metrics: Sequence[str], regions: bool, settings: Mapping[str, Mapping[str, Any]], opened: Dataset
) -> dict[str, Entry]:
    """Every measure's metric with its settings; regions stand behind all metrics over the whole image."""
    strangers = [name for name in settings if name not in metrics]
    if strangers:
        raise RecipeError(f"settings of {', '.join(strangers)}, which is not measured: add it with --metric")
    for metric in metrics:
        takes = catalog.load("metrics", metric).fact("TAKES")
        if takes != opened.gives and (takes, opened.gives) != ("nits", "linear"):
            raise InputError(
                f"{metric} takes {takes} images and the targets of {opened.name} are {opened.gives}: choose metrics that "
                f"take {opened.gives} with --metric (exposurebench metrics lists them)"
            )
    given = {m: plugin_settings(catalog.load("metrics", m), settings.get(m, {})) for m in metrics}
    chosen = [*dict.fromkeys(metrics), *(measures.by_region(metrics) if regions else [])]
    return {measure: measures.entry_of(measure, given[measure.partition("@")[0]]) for measure in chosen}


def _check_feasible(entries: Mapping[str, Entry], rows: Sequence[Row], by: str | None, opened: Dataset) -> None:
    """Say at once what would otherwise come out after every image was measured."""
    if by is not None and by not in rows[0]:
        raise InputError(f"{opened.name} has no column {by!r}: it has {', '.join(rows[0])}")
    for measure, entry in entries.items():
        if measures.is_per_scene(measure) and len({row["scene"] for row in rows}) == len(rows):
            raise InputError(
                f"{measure} compares several exposures of a scene, and {opened.name} has one of each: build it with "
                "several, such as make-dataset --tau 0.2,0.5,1"
            )
        if hasattr(entry.module, "check_count"):
            try:
                entry.function("check_count")(len(rows))
            except ValueError as error:
                raise InputError(f"{measure}: {error} (with --metric-set {measure}.NAME=VALUE)") from error


def _protocol(measure: str, entry: Entry) -> dict[str, Any]:
    return {**measures.protocol(measure, entry.settings), **measures.run_facts(entry)}


def _method(
    what: str | None,
    predictions: str | Path | None,
    name: str | None,
    opened: Dataset,
    split: str,
    training: str | Path | None,
    settings: Mapping[str, Any] | None,
    device: str,
    rows: Sequence[Mapping[str, Any]],
) -> Method:
    if (what is None) == (predictions is None):
        raise RecipeError("expected one of: a checkpoint, baseline:NAME, or --predictions DIR")
    if predictions is not None:
        if settings:
            raise RecipeError(f"predictions have no settings: leave out {', '.join(settings)}")
        title = name or Path(predictions).resolve().name
        return open_predictions(predictions, title, rows, "srgb" if opened.gives == "srgb" else "linear")
    targets = None
    if training is not None or "train" in opened.splits:
        other = opened if training is None else load_dataset(training)
        if "train" not in other.splits and other.pixels == opened.pixels:
            raise MissingError(
                f"{str(training)!r} is scored on and has no train split: name other data with --training"
            )
        targets = TrainingTargets(other, "train" if "train" in other.splits else other.splits[0])
    brackets = Brackets(opened, split)
    return open_method(str(what), training=targets, brackets=brackets, settings=settings, device=device)


def _scored(
    method: Method,
    opened: Dataset,
    split: str,
    rows: Sequence[Row],
    entries: Mapping[str, Entry],
    by: str | None,
    workers: int | None,
) -> tuple[pd.DataFrame, dict[str, NDArray[Any]]]:
    """Score every pair; images are read, corrected and measured in threads, each holding its libraries to one core."""
    facts = [*PAIR_FACTS, *([by] if by and by not in (*PAIR_FACTS, "scene", "split") else [])]
    together = any(measures.is_per_scene(measure) for measure in entries)

    def scored(place: int, pair: tuple[Cells, Sides], more: Cells) -> tuple[int, Cells, Arrays]:
        about, sides = pair
        cells, arrays = cells_of(entries, rows[place]["id"], sides)
        return place, {**about, **cells, **more}, arrays

    def work(places: Sequence[int]) -> list[tuple[int, Cells, Arrays]]:
        kept = _Targets(opened, split, Counter(rows[place]["target_sha256"] for place in places))
        # One after the other, each gone before the next is read.
        pairs: Iterable[tuple[Cells, Sides]] = (_pair(method, kept, rows[place], facts) for place in places)
        shared: Iterable[Cells] = repeat({})
        if together:
            pairs = list(pairs)
            shared = scene_cells(entries, [rows[place]["id"] for place in places], [sides for _, sides in pairs])
        return list(map(scored, places, pairs, shared))

    most = len(rows) if together else -(-len(rows) // (workers or os.cpu_count() or 1))
    units = _grouped([row["scene" if together else "target_sha256"] for row in rows], most)
    found = sorted((item for unit in in_threads(work, units, workers) for item in unit), key=lambda item: item[0])
    table = pd.DataFrame([cells for _, cells, _ in found])
    return table, {name: np.stack([arrays[name] for _, _, arrays in found]) for name in found[0][2]}


def _grouped(names: Sequence[str], most: int) -> list[list[int]]:
    """The places of each name, in pieces of at most so many that every thread has something to do."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return [group[start : start + most] for group in places.values() for start in range(0, len(group), most)]


class _Targets:
    """The targets of some rows: one that the next row shares is kept, with what was found out about it."""

    def __init__(self, dataset: Dataset, split: str, shared_by: Mapping[str, int]) -> None:
        self.dataset, self.split, self.shared_by = dataset, split, shared_by
        self._kept: dict[str, tuple[Image, dict[Any, Any] | None]] = {}

    def of(self, row: Row) -> tuple[Image, dict[Any, Any] | None]:
        name = row["target_sha256"]
        if name not in self._kept:
            self._kept.clear()
            self._kept[name] = self.dataset.read_target(self.split, row), {} if self.shared_by[name] > 1 else None
        return self._kept[name]


def _pair(method: Method, targets: _Targets, row: Row, facts: Sequence[str]) -> tuple[Cells, Sides]:
    """What a pair is called and how it was made, and both its sides."""
    given, (target, of_target) = targets.dataset.read_input(targets.split, row), targets.of(row)
    prediction = corrected(method, given.as_float(), row, target.bit_depth)
    if prediction.shape != target.pixels.shape:
        raise ModelError(
            f"{row['id']}: the prediction has {prediction.shape[1]} x {prediction.shape[0]} pixels, the target not"
        )
    comparable = given.encoding == target.encoding and given.pixels.shape == target.pixels.shape
    unchanged = comparable and bool(np.array_equal(given.pixels, target.pixels))
    about: Cells = {"id": row["id"], "scene": row["scene"], "split": targets.split, "unchanged": unchanged}
    about |= {fact: row[fact] for fact in facts if fact in row}
    return about, sides_of(prediction, target, given, of_target)
