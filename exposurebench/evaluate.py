"""A method and a data set in, a per-image table and its summary out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from exposurebench import catalog, measures, tables
from exposurebench.catalog import Entry
from exposurebench.dataset import Dataset, Row, load_dataset
from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.foreign import Told
from exposurebench.journal import Journal, folder_for
from exposurebench.method import Brackets, Method, TrainingTargets, open_method
from exposurebench.pipeline import Pairs, Scored
from exposurebench.predictions import open_predictions
from exposurebench.processes import joined
from exposurebench.recipe import SCHEMA, plugin_settings
from exposurebench.result import FORMAT, Result, derived, measured_with

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
    predictions_map: str | Path | None = None,
    name: str | None = None,
    metrics: Sequence[str] = (),
    metric_settings: Mapping[str, Mapping[str, Any]] | None = None,
    regions: bool = False,
    by: str | None = None,
    training: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    architecture: str = "",
    code: str = "",
    told: Told | None = None,
    trust_code: bool = False,
    draws: int = 1,
    device: str = "cpu",
    batch: int = 1,
    timeout_s: float = 600.0,
    limit: int | None = None,
    workers: int | None = None,
    out: str | Path | None = None,
) -> Result:
    """Score a method on the pairs of a data set.

    Under torchrun each process scores its share of the pairs, on a device of its own, and every process gets the whole
    result. Scores depend on neither ``workers`` nor the number of processes.

    Args:
        what: ``baseline:NAME`` or a model's file; None with ``predictions`` or ``code``.
        dataset: a finished data set's folder.
        split: which pairs.
        predictions: a folder of images that another program made.
        predictions_map: a CSV (``id``, ``file``) that says which of them is whose.
        name: what the method is called in tables; by default its own name.
        metrics: names of ``metrics/``, variants included; by default ``METRICS``, where the targets are light
            :data:`exposurebench.measures.LIGHT_METRICS`.
        metric_settings: settings of some of them, by name.
        regions: measure those that can be over the clipped, nearly clipped and unclipped pixels of the input, too.
        by: a column of the manifest (``tau``, ``ev``, ``crf``, ...): a summary for each of its values, too.
        training: the data set whose train split gives training targets; by default this one, if it has one.
        settings: of a baseline, an architecture, or the user's function.
        architecture: see :func:`exposurebench.method.open_method`, as the next three.
        code: ``package.module:function``.
        told: what a foreign model takes and gives.
        trust_code: open what is code, in isolation.
        draws: how often a model with noise corrects each picture; values are means, their spread stands beside them.
        device: where a network runs: ``auto``, ``cpu``, ``cuda``, ...
        batch: pictures of one size that an accelerator gets at once; on a processor they go one by one.
        timeout_s: how long a method may take for a picture.
        limit: only the first so many pairs.
        workers: threads; by default one for each core.
        out: a folder that keeps every pair as soon as it is scored, so that a run that was killed is gone on with;
            ``{name}`` in it stands for the method's name. The result is not written.

    Raises:
        ExposureBenchError: the method, the data set or a prediction cannot be used.

    Example:
        >>> result = evaluate("baseline:identity", "datasets/samples-tau0.5")  # doctest: +SKIP
        >>> result.summary[["metric", "value", "low", "high"]]  # doctest: +SKIP
    """
    opened = load_dataset(dataset)
    rows = opened.rows(split)[:limit]
    metrics = metrics or (METRICS if opened.gives == "srgb" else measures.of_light())
    entries = _entries(metrics, regions, metric_settings or {}, opened)
    _check_feasible(entries, rows, by, opened)
    protocols = {measure: _protocol(measure, entry) for measure, entry in entries.items()}
    alone = torch.distributed.is_available() and torch.distributed.is_initialized()
    with joined(device) as place:
        if predictions is not None:
            method = _predictions(predictions, predictions_map, name, rows, opened, what or code, settings)
        else:
            known = _known(opened, split, training)
            method = open_method(
                what or "",
                **known,
                settings=settings,
                device=str(place.device),
                architecture=architecture,
                code=code,
                told=told,
                trust_code=trust_code,
                timeout_s=timeout_s,
            )
        _check_encodings(method, opened, rows, draws)
        document: dict[str, Any] = {
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
            **({"by": by} if by else {}),
            **({"draws": draws} if draws > 1 else {}),
            **measured_with(place.device.type),
        }
        folder = folder_for(str(out), document["name"], document) if out else None
        facts = [*PAIR_FACTS, *([by] if by and by not in (*PAIR_FACTS, "scene", "split") else [])]
        work = Pairs(method, opened, split, rows, entries, facts, draws, batch, timeout_s)
        shares = (0, 1) if alone else (place.rank, place.world)
        scored = _scored(work, folder, document, shares, workers)
        if shares[1] > 1:
            everybody: list[Any] = [None] * shares[1]
            torch.distributed.all_gather_object(everybody, scored)
            scored = {key: pair for share in everybody for key, pair in share.items()}
    found = [scored[row["id"]] for row in rows]
    per_image = pd.DataFrame([cells for cells, _ in found])
    arrays = {name: np.stack([beside[name] for _, beside in found]) for name in found[0][1]}
    if per_image["unchanged"].all():
        raise InputError(
            f"{str(dataset)!r}: every input equals its target: its {len(rows)} pairs say nothing of correction"
        )
    document["already_right"] = tables.harm(per_image, list(protocols))
    return dataclasses.replace(derived(document, per_image, arrays, method), folder=folder)


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


def _predictions(
    folder: str | Path,
    table: str | Path | None,
    name: str | None,
    rows: Sequence[Row],
    opened: Dataset,
    what: str,
    settings: Mapping[str, Any] | None,
) -> Method:
    if what:
        raise RecipeError("expected one of: a model's file, baseline:NAME, --model, or --predictions DIR")
    if settings:
        raise RecipeError(f"predictions have no settings: leave out {', '.join(settings)}")
    title = name or Path(folder).resolve().name
    return open_predictions(folder, title, rows, "srgb" if opened.gives == "srgb" else "linear", table)


def _known(opened: Dataset, split: str, training: str | Path | None) -> dict[str, Any]:
    """What a baseline may look at besides the input."""
    targets = None
    if training is not None or "train" in opened.splits:
        other = opened if training is None else load_dataset(training)
        if "train" not in other.splits and other.pixels == opened.pixels:
            raise MissingError(
                f"{str(training)!r} is scored on and has no train split: name other data with --training"
            )
        targets = TrainingTargets(other, "train" if "train" in other.splits else other.splits[0])
    return {"training": targets, "brackets": Brackets(opened, split)}


def _check_encodings(method: Method, opened: Dataset, rows: Sequence[Row], draws: int) -> None:
    """Refuse a model of other numbers than the data set's, and draws of what draws nothing."""
    words = {"srgb": "display-encoded (srgb)", "linear": "light (linear)"}
    inputs = "linear" if "input_exr" in rows[0] else "srgb"
    if method.is_network and method.takes != inputs:
        raise InputError(
            f"{method.name} takes {words[method.takes]} images, and the inputs of {opened.name} are {words[inputs]}"
        )
    if method.gives != opened.gives:
        raise InputError(
            f"{method.name} gives {words[method.gives]} images, and the targets of {opened.name} are "
            f"{words.get(opened.gives, opened.gives)}: choose a data set of such targets, or score files with --predictions"
        )
    if draws > 1 and not method.facts.get("noisy"):
        raise RecipeError(
            f"{method.name} draws no noise, so that {draws} draws would all be the same: leave out --draws"
        )


def _scored(
    work: Pairs, folder: Path | None, document: Mapping[str, Any], share: tuple[int, int], workers: int | None
) -> dict[str, Scored]:
    """Score this process's share of the pairs; those that an earlier run scored are not scored again."""
    rank, world = share
    if folder is None:
        return {
            pair[0]["id"]: pair for pairs in work.over(work.units((), workers)[rank::world], workers) for pair in pairs
        }
    identity = {key: value for key, value in document.items() if key not in ("format", "schema", "dataset", "hardware")}
    identity["dataset"] = {key: document["dataset"][key] for key in ("name", "pixels", "split")}
    identity["device"] = str(document["hardware"]).partition(",")[0]
    with Journal(folder, identity, rank) as journal:
        wanted = {row["id"] for row in work.rows}
        scored = {key: pair for key, pair in journal.known.items() if key in wanted}
        for pairs in work.over(work.units(scored, workers)[rank::world], workers):
            journal.add(pairs)
            scored |= {pair[0]["id"]: pair for pair in pairs}
    return scored
