"""A method and a data set in, a per-image table and its summary out."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from exposurebench import __version__, catalog, tables
from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.files import read_document, sha256_file, write_json
from exposurebench.predict import Brackets, Method, TrainingTargets, corrected, open_method, open_predictions
from exposurebench.recipe import SCHEMA, draw
from exposurebench.tensors import checked_device, to_tensor

METRICS = ("psnr", "ssim", "histogram_similarity", "histogram_similarity/hu2018")
"""What is measured when nobody says."""
PAIR_FACTS = ("tau", "exposure_ev", "clipped_share", "overexposed", "underexposed")
"""What a per-image table takes over from the manifest, to group by."""
FORMAT = "exposurebench.result"
KEYS = ("name", "method", "dataset", "protocols", "already_right", "versions", "hardware", "per_image_sha256")


@dataclass(frozen=True)
class Result:
    """What an evaluation found.

    Attributes:
        document: the method, the data, the protocols, the versions: everything the numbers depend on.
        per_image: a row a pair: id, scene, split, whether the input was right already, every value.
        summary: a row a metric: value, 95 % interval over photographs, noise floor.
        method: what was evaluated, as long as it is at hand; None for a result that was read from disk.
    """

    document: Mapping[str, Any]
    per_image: pd.DataFrame
    summary: pd.DataFrame
    method: Method | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What the method is called."""
        return str(self.document["name"])

    @property
    def metrics(self) -> list[str]:
        """The metrics that were measured, in order."""
        return list(self.document["protocols"])


def evaluate(
    what: str | None,
    dataset: str | Path,
    *,
    split: str = "test",
    predictions: str | Path | None = None,
    name: str | None = None,
    metrics: Sequence[str] = METRICS,
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
        metrics: names of ``metrics/``, variants included.
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
    for metric in metrics:
        takes = catalog.load("metrics", metric).fact("TAKES")
        if takes != opened.gives:
            raise InputError(
                f"{metric} takes {takes} images and the targets of {opened.name} are {opened.gives}: choose metrics that "
                f"take {opened.gives} with --metric (exposurebench metrics lists them)"
            )
    method = _method(what, predictions, name, opened, split, training, settings, device, rows)
    per_image = pd.DataFrame(_scored(method, opened, split, rows, metrics, workers))
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
        "protocols": {metric: measures.protocol(metric) for metric in metrics},
        "already_right": tables.harm(per_image, metrics),
        "versions": {
            "exposurebench": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        "hardware": f"{device}, {platform.machine()}, {os.cpu_count()} cores",
    }
    return Result(document, per_image, tables.summarize(per_image, metrics), method)


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
        return open_predictions(predictions, name or Path(predictions).resolve().name, rows)
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
    rows: Sequence[Mapping[str, Any]],
    metrics: Sequence[str],
    workers: int | None,
) -> Iterator[dict[str, Any]]:
    """Score every pair; images are read, corrected and measured in threads, each holding its libraries to one core."""

    def work(row: Mapping[str, Any]) -> dict[str, Any]:
        return _score_pair(method, opened, split, row, metrics)

    with _one_thread_each(), ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        yield from pool.map(work, rows)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)


def _score_pair(
    method: Method, opened: Dataset, split: str, row: Mapping[str, Any], metrics: Sequence[str]
) -> dict[str, Any]:
    given, target = opened.read_input(split, row), opened.read_target(split, row)
    levels = corrected(method, given.as_float(), row, target.bit_depth)
    if levels.shape != target.pixels.shape:
        raise ModelError(
            f"{row['id']}: the prediction has {levels.shape[1]} x {levels.shape[0]} pixels, the target not"
        )
    unchanged = given.pixels.shape == target.pixels.shape and bool(np.array_equal(given.pixels, target.pixels))
    scored: dict[str, Any] = {"id": row["id"], "scene": row["scene"], "split": split, "unchanged": unchanged}
    scored |= {fact: row[fact] for fact in PAIR_FACTS if fact in row}
    sides = {"prediction": to_tensor(levels, torch.float64), "target": to_tensor(target.pixels, torch.float64)}
    for metric in metrics:
        try:
            scored |= _measured(metric, row["id"], sides)
        except ValueError as error:
            raise InputError(f"{row['id']}: {metric}: {error}: choose other metrics with --metric") from error
    return scored


def _measured(metric: str, key: str, sides: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """A metric's cells in a pair's row: its value, or both sides' statistics of a metric of sets."""
    entry = catalog.load("metrics", metric)
    if not tables.is_per_set(metric):
        return {metric: tables.rounded(entry.function()(sides["prediction"], sides["target"]).item())}
    cells: dict[str, Any] = {}
    for side, images in sides.items():
        seeded = {"seeds": [draw(0, metric, key)]} if entry.settings.get("patches", "image") != "image" else {}
        for column, values in entry.function("statistics")(images, **seeded).items():
            numbers = [tables.rounded(v) for v in values[0].reshape(-1).tolist()]
            cells[f"{metric}:{side}:{column}"] = numbers[0] if len(numbers) == 1 else " ".join(map(str, numbers))
    return cells


def write_result(result: Result, out: str | Path) -> None:
    """Write ``per_image.csv``, ``summary.csv`` and ``result.json`` (last, so its presence means complete)."""
    out = Path(out)
    tables.write_table(out / "per_image.csv", result.per_image)
    tables.write_table(out / "summary.csv", result.summary)
    document = {**result.document, "per_image_sha256": sha256_file(out / "per_image.csv")}
    write_json(out / "result.json", document)


def read_result(folder: str | Path) -> Result:
    """Read a result; the summary is derived from the per-image table again.

    Raises:
        InputError: it is missing, incomplete or written by a newer program.
    """
    folder = Path(folder)
    document = read_document(folder / "result.json", "the result of an evaluation", FORMAT, SCHEMA, KEYS)
    per_image = tables.read_table(folder / "per_image.csv")
    if sha256_file(folder / "per_image.csv") != document.pop("per_image_sha256"):
        raise InputError(
            f"{str(folder)!r} is of two evaluations: its tables are not those of its result.json; evaluate again"
        )
    return Result(document, per_image, tables.summarize(per_image, list(document["protocols"])))
