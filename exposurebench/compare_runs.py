"""Results of several methods in, what surely sets them apart out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exposurebench import tables
from exposurebench.differences import Difference, holm, mean_differences
from exposurebench.errors import InputError, RecipeError, unknown_name
from exposurebench.files import write_text
from exposurebench.measures import (
    is_per_scene,
    is_per_set,
    measured_with,
    name_and_column,
    set_columns,
    value_columns,
)
from exposurebench.result import Result, read_result

MARGINS = {"dB": 0.1, "JOD": 0.1}
"""Differences that count for nothing, by the unit of a metric."""
ALARM = 0.05
"""A difference whose chance is larger is none; intervals are of the level that belongs to it."""
COLUMNS = (
    *("first", "second", "metric", "unit", "better", "difference", "low", "high", "p", "p_holm", "family"),
    *("noise_floor", "margin", "pairs", "photographs", "verdict"),
)


@dataclass(frozen=True)
class RunComparison:
    """What sets methods apart.

    Attributes:
        runs: the results of each method, one for each training seed, by its name.
        table: a row for two methods and a metric: the difference, first less second, of the metric as it is (of its
            size, where the best is 0), 95 % interval, p alone and corrected for its ``family`` of rows (scores, and
            parts of scores), noise floor, margin of equivalence (NaN for none), and the ``verdict``: ``better`` or
            ``worse`` (the first is), ``equivalent``, ``unknown``.
        photographs: a row a photograph, a column ``METHOD: METRIC`` for the mean over its pairs and seeds.
        left_out: measures that are no means over photographs, or do not rank.
    """

    runs: Mapping[str, Sequence[Result]]
    table: pd.DataFrame
    photographs: pd.DataFrame
    left_out: Sequence[str]


def compare_runs(
    folders: Sequence[str | Path],
    *,
    metrics: Sequence[str] = (),
    margins: Mapping[str, float] | None = None,
    resamples: int = 10_000,
) -> RunComparison:
    """Say of every two methods how much better which of them is, and how surely.

    Args:
        folders: of results; or of a method that was trained several times, with a result in each of ``seed-0``,
            ``seed-1``, ...
        metrics: of those that all were measured by; by default all of them.
        margins: differences that count for nothing, by metric; by default 0.1 where the unit is dB or JOD.
        resamples: how many times photographs and seeds are drawn.

    Raises:
        InputError: fewer than two methods, a result that cannot be read, or results of different pairs or protocols.
        RecipeError: a metric or margin that they do not have.

    Example:
        >>> found = compare_runs(["results/noise", "results/pix2pix"])  # doctest: +SKIP
        >>> found.table[["metric", "difference", "low", "high", "verdict"]]  # doctest: +SKIP
    """
    return compare_results(_runs(folders), metrics=metrics, margins=margins, resamples=resamples)


def compare_results(
    runs: Mapping[str, Sequence[Result]],
    *,
    metrics: Sequence[str] = (),
    margins: Mapping[str, float] | None = None,
    resamples: int = 10_000,
) -> RunComparison:
    """The same of results that are at hand: those of each method, one for each training seed, by its name.

    Raises:
        InputError, RecipeError: as :func:`compare_runs`.
    """
    results = {_label(name, which, some): result for name, some in runs.items() for which, result in enumerate(some)}
    tables.check_comparable({name: result.document for name, result in results.items()})
    _check_pairs(results)
    first = next(iter(results.values()))
    shared = [m for m in first.metrics if all(m in result.metrics for result in results.values())]
    for metric in metrics:
        if metric not in shared:
            raise RecipeError(unknown_name("metric of all these results", metric, shared))
    protocols = {m: first.document["protocols"][m] for m in metrics or shared}
    columns, left_out = _columns(protocols, first)
    if not columns:
        raise InputError(f"{', '.join(runs)} share no metric that has a mean over photographs: evaluate them by one")
    margins = margins or {}
    for name, margin in margins.items():
        if name not in columns:
            raise RecipeError(unknown_name("compared metric", name, columns))
        if not isinstance(margin, int | float) or not 0 < margin < math.inf:
            raise RecipeError(f"the margin of {name} must be a number above 0, not {margin!r}")
    values = {
        name: [dict(_values(result, columns, list(first.per_image["id"]))) for result in some]
        for name, some in runs.items()
    }
    rows: list[dict[str, Any]] = []
    for one, other in itertools.combinations(runs, 2):
        found = _differences(values[one], values[other], first, columns, resamples)
        for metric, difference in found.items():
            facts = columns[metric]
            rows.append(
                {
                    "first": one, "second": other, "metric": metric, "unit": facts.unit, "better": facts.better,
                    "difference": difference.value, "low": difference.low, "high": difference.high, "p": difference.p,
                    "noise_floor": difference.noise_floor, "pairs": difference.pairs,
                    "photographs": difference.photographs,
                    "margin": margins.get(metric, MARGINS.get(facts.unit, math.nan)),
                }
            )  # fmt: skip
    for family in (False, True):
        members = [row for row in rows if columns[row["metric"]].part == family]
        for row, corrected in zip(members, holm([row["p"] for row in members]), strict=True):
            row |= {"p_holm": corrected, "family": len(members)}
            row["verdict"] = verdict(row)
    return RunComparison(
        runs, pd.DataFrame(rows, columns=list(COLUMNS)), _photographs(values, first, columns), left_out
    )


def verdict(row: Mapping[str, Any]) -> str:
    """What a row of differences says of its first method: better, worse, equivalent or unknown.

    Equivalent is what the whole interval says: all of it lies within the margin. That is more than no alarm.

    >>> row = {"better": "higher", "difference": 0.04, "low": 0.01, "high": 0.07, "p_holm": 0.01, "margin": 0.1}
    >>> verdict(row), verdict({**row, "margin": math.nan}), verdict({**row, "margin": 0.05, "p_holm": 0.2})
    ('equivalent', 'better', 'unknown')
    """
    if max(-row["low"], row["high"]) <= row["margin"]:
        return "equivalent"
    if not row["p_holm"] <= ALARM:
        return "unknown"
    return "better" if (row["difference"] > 0) == (row["better"] == "higher") else "worse"


def write_comparison(found: RunComparison, out: str | Path) -> list[Path]:
    """Write ``differences.csv`` and ``photographs.csv``; gives their paths."""
    out = Path(out)
    for name, table in (("differences", found.table), ("photographs", found.photographs)):
        write_text(out / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    return [out / "differences.csv", out / "photographs.csv"]


# ---- results -------------------------------------------------------------------------------------------


def _runs(folders: Sequence[str | Path]) -> dict[str, list[Result]]:
    """Every method's results by its name; where two have one name, by their folders."""
    if len(folders) < 2:
        raise InputError("a comparison needs the folders of two results or more")
    listed = []
    for folder in map(Path, folders):
        seeds = sorted(folder.glob("seed-*/result.json"), key=lambda path: (len(path.parent.name), path.parent.name))
        if (folder / "result.json").is_file() or not seeds:
            result = read_result(folder)
            listed.append((result.name, folder, [result]))
        else:
            listed.append((folder.resolve().name, folder, [read_result(path.parent) for path in seeds]))
    names = [name for name, _, _ in listed]
    if len(set(names)) < len(names):
        names = [str(folder) for _, folder, _ in listed]
    if len(set(names)) < len(names):
        raise InputError("the same result is named twice: give each once")
    return dict(zip(names, (results for _, _, results in listed), strict=True))


def _label(name: str, which: int, results: Sequence[Result]) -> str:
    return name if len(results) == 1 else f"{name}, training {which}"


def _check_pairs(results: Mapping[str, Result]) -> None:
    (first, one), *others = results.items()
    for name, other in others:
        if set(one.per_image["id"]) != set(other.per_image["id"]):
            raise InputError(
                f"{first} and {name} were not measured on the same pairs ({len(one.per_image)} and "
                f"{len(other.per_image)}): evaluate both without --limit"
            )


# ---- values --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """A metric that is compared: where its values are, and what they mean."""

    measure: str
    cells: str
    unit: str
    better: str
    signed: bool
    part: bool


def _columns(protocols: Mapping[str, Any], first: Result) -> tuple[dict[str, _Column], list[str]]:
    """What can be compared photograph by photograph (or scene by scene), by its name in a summary; the rest."""
    columns, left_out = {}, []
    for measure, stated in protocols.items():
        entry = measured_with(measure, stated)
        whole = getattr(entry.module, "WHOLE", None)
        ranked = getattr(entry.module, "VARIANT_FACTS", {}).get(measure.partition("/")[2], {}).get("RANKED", True)
        if is_per_scene(measure):
            cells = {f"{measure}.{name}": name for name in entry.fact("BETTER")}
        else:
            cells = {} if is_per_set(measure) else value_columns(measure, first.per_image)
        for name, cell in cells.items():
            column = name_and_column(name)[1]
            better = str(entry.fact_of("BETTER", column))
            if ranked and better in ("higher", "lower", "zero"):
                unit = str(entry.fact_of("UNIT", column) or "")
                signed = better == "zero"
                columns[name] = _Column(
                    measure, cell, unit, "lower" if signed else better, signed, whole is not None and column != whole
                )
        if not any(found.measure == measure for found in columns.values()):
            left_out.append(measure)
    return columns, left_out


def _values(result: Result, columns: Mapping[str, _Column], ids: Sequence[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    """A result's values of each metric, in the order of the pairs, or of the scenes; NaN where they say nothing."""
    table = result.per_image.set_index("id").loc[list(ids)]
    several = table[table["scene"].duplicated(keep=False)]
    for name, column in columns.items():
        if is_per_scene(column.measure):
            sides = set_columns(column.measure, "prediction", several)
            entry = measured_with(column.measure, result.document["protocols"][column.measure])
            yield name, entry.function()(sides, several["scene"].to_numpy())[column.cells]
            continue
        values = tables.capped(column.measure, table[column.cells].to_numpy(dtype=np.float64))
        values = np.where(table["unchanged"].to_numpy(dtype=bool), np.nan, values)
        yield name, np.abs(values) if column.signed else values


def _differences(
    ours: Sequence[Mapping[str, NDArray[Any]]],
    theirs: Sequence[Mapping[str, NDArray[Any]]],
    first: Result,
    columns: Mapping[str, _Column],
    resamples: int,
) -> dict[str, Difference]:
    found: dict[str, Difference] = {}
    for per_scene in (False, True):
        names = [name for name, column in columns.items() if is_per_scene(column.measure) == per_scene]
        if names:
            one, other = (np.stack([np.stack([run[n] for n in names], 1) for run in side]) for side in (ours, theirs))
            groups = np.arange(one.shape[1]) if per_scene else first.per_image["scene"].to_numpy()
            found |= dict(zip(names, mean_differences(one, other, groups, resamples=resamples), strict=True))
    return {name: found[name] for name in columns}


def _photographs(
    values: Mapping[str, Sequence[Mapping[str, NDArray[Any]]]], first: Result, columns: Mapping[str, _Column]
) -> pd.DataFrame:
    scenes = first.per_image["scene"].to_numpy()
    found: dict[str, NDArray[Any]] = {}
    for name, runs in values.items():
        for metric, column in columns.items():
            if not is_per_scene(column.measure):
                found[f"{name}: {metric}"] = np.mean([run[metric] for run in runs], axis=0)
    return pd.DataFrame(found).groupby(scenes, sort=True).mean().rename_axis("scene").reset_index()
