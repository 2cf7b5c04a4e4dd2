"""The per-image table and the summary derived from it, and nothing but from it.

Values are rounded to the digits that the CSV holds before anything is derived from them, so that whoever
has the CSV gets the summary again to the last digit.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exposurebench import statistics
from exposurebench.catalog import Entry
from exposurebench.errors import InputError
from exposurebench.files import write_text
from exposurebench.measures import (
    Arrays,
    entry_of,
    is_per_scene,
    is_per_set,
    measured_with,
    name_and_column,
    set_columns,
    value_columns,
)

DIGITS = 9
"""Significant digits of the values in a per-image table."""
ID_COLUMNS = ("id", "scene", "split", "unchanged")
TEXT_COLUMNS = ("id", "scene", "split")
RANKED_FROM = 30
"""Fewer photographs than this give no ranks, only values: a smoke test."""
SUMMARY_COLUMNS = ("metric", "value", "low", "high", "noise_floor", "unit", "better", "pairs", "photographs")


def rounded(value: float) -> float:
    """A value with the digits that the table keeps.

    >>> rounded(1 / 3)
    0.333333333
    """
    return float(f"{value:.{DIGITS}g}")


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, numbers in the shortest form that reads back the same."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a per-image table.

    Raises:
        InputError: it is missing or no such table.
    """
    try:
        data = Path(path).read_text(encoding="utf-8")
        names = pd.read_csv(io.StringIO(data), nrows=0).columns
        # An empty cell is no value; but a photograph may be called NA.
        empty = {name: [""] for name in names if name not in TEXT_COLUMNS}
        table = pd.read_csv(
            io.StringIO(data), dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=empty
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a per-image table: {error}") from error
    missing = [column for column in ID_COLUMNS if column not in table]
    if missing:
        raise InputError(f"{str(path)!r} is no per-image table: it lacks {', '.join(missing)}")
    if table["unchanged"].dtype != bool:
        raise InputError(f"{str(path)!r} is no per-image table: unchanged must be True or False in every row")
    return table


def summarize(
    table: pd.DataFrame, measures: Sequence[str] | Mapping[str, Mapping[str, Any]], arrays: Arrays | None = None
) -> pd.DataFrame:
    """One row a value: 95 % interval over photographs, noise floor where there is one.

    Pairs whose input equals their target say nothing about correction: they are left out of every value that
    compares with the target (see :func:`harm`). A photograph counts once, however many pairs were made from it.

    Args:
        table: per image.
        measures: their names, or their protocols by name, whose settings then hold.
        arrays: statistics too wide for the table, a row for each of its rows.

    Raises:
        KeyError: the table lacks a measure.
        ValueError: its values do not give the measure (too few images, ...).
    """
    stated = measures if isinstance(measures, Mapping) else {measure: {} for measure in measures}
    right = ~table["unchanged"].to_numpy(dtype=bool)
    ends = _intervals([m for m in stated if not is_per_scene(m) and not is_per_set(m)], table[right])
    rows: list[dict[str, Any]] = []
    for measure, facts in stated.items():
        entry = measured_with(measure, facts)
        if is_per_scene(measure):
            rows += _per_scene(measure, entry, table)
        elif not right.any():
            continue
        elif is_per_set(measure):
            kept = {name: array[right] for name, array in (arrays or {}).items()}
            rows += _per_set(measure, entry, table[right], kept)
        else:
            rows += _per_image(measure, entry, table[right], ends)
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _intervals(measures: Sequence[str], used: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Of every column the interval of its mean; photographs are drawn once for all that have values of the same pairs."""
    alike: dict[bytes, dict[str, NDArray[np.float64]]] = {}
    for measure in measures if len(used) else ():
        for name, column in value_columns(measure, used).items():
            values = capped(measure, used[column].to_numpy(dtype=np.float64))
            alike.setdefault((~np.isnan(values)).tobytes(), {})[name] = values
    found: dict[str, tuple[float, float]] = {}
    for pairs, columns in alike.items():
        known = np.frombuffer(pairs, bool)
        if known.any():
            some = np.stack([values[known] for values in columns.values()])
            groups = used["scene"].to_numpy()[known]
            found |= dict(zip(columns, statistics.mean_intervals(some, groups), strict=True))
    return found


def _per_image(
    measure: str, entry: Entry, used: pd.DataFrame, ends: Mapping[str, tuple[float, float]]
) -> Iterator[dict[str, Any]]:
    """A mean for each of a metric's columns, over the pairs that have a value (a region may be empty)."""
    for name, column in value_columns(measure, used).items():
        values = capped(measure, used[column].to_numpy(dtype=np.float64))
        known = ~np.isnan(values)
        row = {"metric": name, **_about(entry, name, used[known])}
        if known.any():
            low, high = ends[name]
            row |= {"value": float(values[known].mean()), "low": low, "high": high}
        yield row


def _per_set(measure: str, entry: Entry, used: pd.DataFrame, arrays: Arrays) -> Iterator[dict[str, Any]]:
    prediction, target = (set_columns(measure, side, used, arrays) for side in ("prediction", "target"))
    estimates: Mapping[str, statistics.SimilarityEstimate] = {}
    if hasattr(entry.module, "intervals"):
        estimates = entry.function("intervals")(prediction, target, used["scene"].to_numpy())
    for column, value in entry.function()(prediction, target).items():
        row = {"metric": f"{measure}.{column}", "value": float(value), **_about(entry, f"{measure}.{column}", used)}
        if column in estimates:
            found = estimates[column]
            row |= {"low": found.low, "high": found.high, "noise_floor": found.noise_floor}
        yield row


def _per_scene(measure: str, entry: Entry, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Means over the scenes that have several exposures, whether or not one of them was right already."""
    several = table[table["scene"].duplicated(keep=False)]
    scenes = several["scene"].to_numpy()
    for column, values in entry.function()(set_columns(measure, "prediction", several), scenes).items():
        low, high = statistics.mean_interval(values, range(len(values)))
        name = f"{measure}.{column}"
        about = _about(entry, name, several)
        yield {"metric": name, "value": float(values.mean()), "low": low, "high": high, **about}


def _about(entry: Entry, name: str, used: pd.DataFrame) -> dict[str, Any]:
    column = name_and_column(name)[1]
    facts = {fact.lower(): entry.fact_of(fact, column) for fact in ("UNIT", "BETTER")}
    return {**facts, "pairs": len(used), "photographs": used["scene"].nunique()}


def summarize_by(
    table: pd.DataFrame, column: str, measures: Mapping[str, Mapping[str, Any]], arrays: Arrays | None = None
) -> pd.DataFrame:
    """A summary for each value of a column (tau, ev, crf, ...), in the order of the values.

    A measure that so few pairs do not give has no row there.
    """
    parts = []
    value: Any
    for value, places in sorted(table.groupby(column, dropna=False).indices.items()):
        rows, kept = table.iloc[places], {name: array[places] for name, array in (arrays or {}).items()}
        for measure, facts in measures.items():
            with contextlib.suppress(ValueError):
                part = summarize(rows, {measure: facts}, kept)
                part.insert(0, column, value)
                parts.append(part)
    found = pd.concat(parts) if parts else pd.DataFrame(columns=[*SUMMARY_COLUMNS, column])
    return found[[column, *SUMMARY_COLUMNS]].reset_index(drop=True)


def lacking(error: Exception) -> str:
    """Why a table does not give its metrics, in words.

    >>> lacking(KeyError("scene"))
    "it has no column 'scene'"
    """
    return f"it has no column {error}" if isinstance(error, KeyError) else str(error)


def capped(measure: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values as they enter a mean: infinite ones at the metric's cap."""
    cap = getattr(entry_of(measure).module, "MEAN_CAP", None)
    return values if cap is None else np.minimum(values, cap)


def harm(table: pd.DataFrame, measures: Sequence[str]) -> dict[str, Any]:
    """What a method did to pairs whose input was right already: their number and mean scores."""
    already = table[table["unchanged"].astype(bool)]
    means = {}
    for measure in measures:
        if len(already) and not is_per_set(measure):
            for name, column in value_columns(measure, already).items():
                values = capped(measure, already[column].to_numpy(dtype=np.float64))
                known = values[~np.isnan(values)]
                if len(known):
                    means[name] = float(known.mean())
    return {"pairs": len(already), **means}


def check_comparable(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to set results side by side that were not measured alike.

    Raises:
        InputError: the data or a metric's protocol differ; the message says which.
    """
    (first, one), *others = documents.items()
    for name, other in others:
        for what in ("pixels", "split"):
            if one["dataset"][what] != other["dataset"][what]:
                raise InputError(
                    f"{first} and {name} were not measured on the same pairs (their {what} differ): evaluate both anew"
                )
        for metric in one["protocols"].keys() & other["protocols"].keys():
            ours, theirs = one["protocols"][metric], other["protocols"][metric]
            if ours != theirs:
                keys = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
                raise InputError(
                    f"{first} and {name} have other protocols of {metric} ({', '.join(keys)}): evaluate again"
                )


# ---- in words ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """A row of a summary as people read it; what there is none of is empty."""

    metric: str
    unit: str
    better: str
    value: str
    interval: str
    noise_floor: str


def words(row: Mapping[str, Any]) -> Words:
    """A row of a summary in words.

    dB have 2 decimals, similarities in % and squared levels 1, thousands none, all else 3.

    An interval is spelled with as many more digits as it takes to tell its ends apart.

    >>> words({"metric": "psnr", "value": 27.914, "low": 27.1, "high": 28.7, "unit": "dB", "better": "higher"}).interval
    '27.10 to 28.70'
    >>> words({"metric": "ssim", "value": 0.9, "low": 0.90001, "high": 0.90004, "better": "higher"}).interval
    '0.90001 to 0.90004'
    """
    metric = str(row["metric"])
    family, part = name_and_column(metric)
    scale, decimals, unit = 1, 3, str(row.get("unit") or "")
    if unit == "dB":
        decimals = 2
    elif family.startswith("histogram_similarity") and not part.endswith("_w1"):
        scale, decimals, unit = 100, 1, "%"
    elif unit == "levels²":
        decimals = 1
    decimals = decimals_of(scale * float(row["value"]), decimals)
    low, high = (scale * float(row.get(end, math.nan)) for end in ("low", "high"))
    floor = scale * float(row.get("noise_floor", math.nan))
    return Words(
        metric,
        unit,
        str(row["better"]),
        spelled(scale * float(row["value"]), decimals),
        "" if math.isnan(low) or math.isnan(high) else " to ".join(_ends(low, high, decimals)),
        "" if math.isnan(floor) else spelled(floor, decimals),
    )


def decimals_of(value: float, decimals: int) -> int:
    """The decimals that a number is given of those that its kind has: a number of thousands has none."""
    return 0 if abs(value) >= 1000 else decimals


def spelled(value: float, decimals: int) -> str:
    """A number with so many decimals and a minus sign that is one; what rounds to nothing has none.

    >>> spelled(-0.0004, 3), spelled(1676081.6, 0)
    ('0.000', '1,676,082')
    """
    return "\u221e" if value == math.inf else f"{value:z,.{decimals}f}".replace("-", "\u2212")


def _ends(low: float, high: float, decimals: int) -> tuple[str, str]:
    while low != high and decimals < DIGITS and spelled(low, decimals) == spelled(high, decimals):
        decimals += 1
    return spelled(low, decimals), spelled(high, decimals)


def protocol_line(facts: Mapping[str, Any]) -> str:
    """Everything that a metric's number depends on, on one line."""
    rest = (f"{key} {value}" for key, value in facts.items() if key not in ("metric", "version"))
    return f"{facts['metric']} version {facts['version']}: {'; '.join(rest)}"


def pairs_and_photographs(per_image: pd.DataFrame) -> str:
    """How much a result rests on.

    >>> pairs_and_photographs(pd.DataFrame({"scene": ["a", "a"]}))
    '2 pairs of 1 photograph'
    """
    pairs, photographs = len(per_image), per_image["scene"].nunique()
    return f"{pairs} pair{'' if pairs == 1 else 's'} of {photographs} photograph{'' if photographs == 1 else 's'}"


def told(method: Mapping[str, Any]) -> str:
    """What a method is told beside the input.

    >>> told({"needs": ["frames"]})
    "the scene's other exposures"
    """
    spelled_out = {"frames": "the scene's other exposures"}
    needs = (spelled_out.get(need, need) for need in method.get("needs", ()) if need != "input")
    return ", ".join(needs) or "what was done to the input"
