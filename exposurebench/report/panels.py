"""The figures of a page with the numbers in them: distributions, curves, differences, parts of the error."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench import statistics, tables
from exposurebench.files import safe_key
from exposurebench.measures import is_per_set, value_columns
from exposurebench.report import figures, plots, runs
from exposurebench.report.photographs import png_uri
from exposurebench.result import Result

ALONG = ("ev", "tau", "exposure_ev")
"""Columns of the pairs along which curves are drawn, the first that varies."""
PLACES = 12
"""A setting with more values is cut into stretches of as many pairs each,"""
STRETCHES = 6
"""so many."""


def facts_of(result: Result) -> dict[str, dict[str, Any]]:
    """The rows of a result's summary by metric."""
    return {str(row["metric"]): {str(k): v for k, v in row.items()} for row in result.summary.to_dict("records")}


def told(facts: Mapping[str, Any], value: float, low: float = math.nan, high: float = math.nan) -> tables.Words:
    """A value of a metric in words, as its mean is told."""
    return tables.words({**facts, "value": value, "low": low, "high": high, "noise_floor": math.nan})


def number(value: float) -> str:
    """A number to sort by, in the form that a script reads."""
    return json.dumps(float(value) if math.isfinite(value) else 1e300)


def _figure(file: str, png: bytes, alt: str) -> dict[str, Any]:
    return {"file": f"{safe_key(file)}.png", "png": png, "uri": png_uri(png), "alt": alt}


def _used(result: Result, measure: str, column: str) -> NDArray[np.float64]:
    """A metric's values as they enter its mean."""
    used = result.per_image[~result.per_image["unchanged"].astype(bool)]
    values = tables.capped(measure, used[column].to_numpy(dtype=np.float64))
    return values[np.isfinite(values)]


def _drawn(results: Sequence[Result]) -> dict[str, tuple[str, str]]:
    """The metrics whose values are drawn, with the measure and the column of each: no parts of others."""
    found: dict[str, tuple[str, str]] = {}
    for result in results:
        for measure in result.metrics:
            if not is_per_set(measure):
                for name, column in value_columns(measure, result.per_image).items():
                    if not runs.is_part(name):
                        found.setdefault(name, (measure, column))
    return found


def _axis(results: Sequence[Result], metric: str) -> str:
    facts = next(facts[metric] for facts in map(facts_of, results) if metric in facts)
    unit = told(facts, math.nan).unit
    return f"{metric}{f', {unit}' if unit else ''}"


def _directed(results: Sequence[Result], metric: str) -> str:
    facts = next(facts[metric] for facts in map(facts_of, results) if metric in facts)
    return _axis(results, metric) + (f"; {facts['better']} is better" if facts["better"] in ("higher", "lower") else "")


def distributions(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """A figure for each metric with a value a pair: all values of all methods."""
    for metric, (measure, column) in _drawn(results).items():
        values = {r.name: _used(r, measure, column) for r in results if column in r.per_image}
        if values := {name: some for name, some in values.items() if len(some)}:
            words = ", ".join(f"{name} from {some.min():.4g} over {np.median(some):.4g} to {some.max():.4g}" for name, some in values.items())  # fmt: skip
            png = plots.distributions(values, _directed(results, metric))
            yield _figure(f"distribution-{metric}", png, f"distribution of {metric}: {words}")


def curves(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Means along the first setting of the pairs that varies."""
    first = results[0].per_image
    varying = [column for column in ALONG if column in first and first[column].nunique() > 1]
    for column in varying[:1]:
        cut = first[column].nunique() > PLACES
        drawn, lines = [], []
        for metric, (measure, cells) in _drawn(results).items():
            points = {r.name: _along(r, measure, cells, column, cut) for r in results if cells in r.per_image}
            if not (points := {name: some for name, some in points.items() if some}):
                continue
            png = plots.curves(points, column, _axis(results, metric))
            drawn.append(_figure(f"{metric}-along-{column}", png, f"{metric} along {column}, as in the table below"))
            for name, some in points.items():
                facts = facts_of(next(r for r in results if r.name == name))[metric]
                for point in some:
                    words = told(facts, point.value, point.low, point.high)
                    lines.append(
                        {"method": name, "metric": metric, "place": point.place, "at": f"{point.place:.4g}",
                         "number": number(point.value), "value": words.value, "interval": words.interval}
                    )  # fmt: skip
        note = f"Means over the pairs of each {column}, with 95 % intervals over photographs."
        if cut:
            note = f"{STRETCHES} stretches of {column} with as many pairs each: means, with 95 % intervals over photographs."
        yield {"column": column, "note": note, "figures": drawn, "lines": lines}


def _along(result: Result, measure: str, cells: str, column: str, cut: bool) -> list[plots.Interval]:
    used = result.per_image[~result.per_image["unchanged"].astype(bool)].dropna(subset=[cells, column])
    used = used.sort_values(column, kind="stable")
    parts = np.array_split(np.arange(len(used)), STRETCHES) if cut else used.reset_index().groupby(column).indices.values()  # fmt: skip
    found = []
    for places in parts:
        if len(places):
            some = used.iloc[places]
            values = tables.capped(measure, some[cells].to_numpy(dtype=np.float64))
            low, high = statistics.mean_interval(values, some["scene"].to_numpy())
            found.append(plots.Interval(float(some[column].mean()), float(values.mean()), low, high))
    return found


def differences(pairs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A figure for each metric that is compared: the difference of every two methods."""
    for metric in dict.fromkeys(row["metric"] for pair in pairs for row in pair["rows"] if not row["is_part"]):
        rows = [row for pair in pairs for row in pair["rows"] if row["metric"] == metric and not math.isnan(row["low"])]
        if rows:
            listed = [
                (plots.Interval((r["first"], r["second"]), r["difference"], r["low"], r["high"]), r["verdict"])
                for r in rows
            ]
            unit = f", {rows[0]['unit']}" if rows[0]["unit"] else ""
            axis = f"{metric}{unit}; {rows[0]['better']} is better"
            said = "; ".join(f"{r['first']} less {r['second']}: {r['sentence']}" for r in rows)
            yield _figure(
                f"difference-{metric}", plots.differences(listed, axis, rows[0]["margin"]), f"{metric}: {said}"
            )


def error_parts(results: Sequence[Result], out: Path) -> dict[str, Any] | None:
    """The stacked bars, and their numbers."""
    starred = {f"{r.name}{'*' if r.document['method'].get('oracle') else ''}": [r] for r in results}
    parts = runs.error_parts(starred)
    if not parts:
        return None
    path, first = out / "figures" / "error_parts.png", results[0]
    about = f"{first.document['dataset']['name']}, {tables.pairs_and_photographs(first.per_image)}"
    figures.error_bars(path, parts, runs.PARTS, about)
    lines = []
    for result, (name, values) in zip(results, parts.items(), strict=True):
        facts, whole = facts_of(result), sum(values.values())
        words = {part: tables.words(facts[f"error_parts.{part}"]) for part in ("total", *values)}
        cells = [
            {
                "number": number(value),
                "value": words[part].value,
                "interval": words[part].interval,
                "share": f"{value / whole:.0%}".replace("%", " %") if whole else "",
            }
            for part, value in {"total": whole, **values}.items()
        ]
        lines.append({"name": name, "cells": cells})
    return {"uri": png_uri(path.read_bytes()), "names": ["in all", *runs.PARTS.values()], "lines": lines}


def unvaried(result: Result) -> str:
    """That there is nothing to draw a curve along."""
    for column in ALONG:
        if column in result.per_image and result.per_image[column].notna().any():
            value = result.per_image[column].dropna().iloc[0]
            return f"No curve along {column}, which is {value:g} in every pair."
    return ""
