"""The per-image table and the summary derived from it, and nothing but from it.

Values are rounded to the digits that the CSV holds before anything is derived from them, so that whoever
has the CSV gets the summary again to the last digit.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exposurebench import catalog, statistics
from exposurebench.errors import InputError
from exposurebench.files import write_text

DIGITS = 9
"""Significant digits of the values in a per-image table."""
ID_COLUMNS = ("id", "scene", "split", "unchanged")
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
        table = pd.read_csv(io.StringIO(data), dtype={"id": str, "scene": str, "split": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a per-image table: {error}") from error
    missing = [column for column in ID_COLUMNS if column not in table]
    if missing:
        raise InputError(f"{str(path)!r} is no per-image table: it lacks {', '.join(missing)}")
    if table["unchanged"].dtype != bool:
        raise InputError(f"{str(path)!r} is no per-image table: unchanged must be True or False in every row")
    return table


def is_per_set(metric: str) -> bool:
    """Whether a metric compares sets (from statistics of each image) and not images."""
    return hasattr(catalog.load("metrics", metric).module, "statistics")


def set_columns(metric: str, side: str, table: pd.DataFrame) -> dict[str, Any]:
    """One side's statistics of a per-set metric out of a per-image table, as arrays.

    A cell may hold several values (one for each patch), separated by spaces.
    """
    prefix = f"{metric}:{side}:"
    return {name.removeprefix(prefix): _cells(table[name]) for name in map(str, table) if name.startswith(prefix)}


def _cells(column: pd.Series[Any]) -> Any:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    return np.array([[float(v) for v in str(cell).split()] for cell in column])


def protocol(metric: str) -> dict[str, Any]:
    """Everything that a metric's number depends on besides the images."""
    entry = catalog.load("metrics", metric)
    return {
        "metric": metric,
        "version": entry.fact("VERSION"),
        **entry.fact("PROTOCOL"),
        **entry.settings,
        "prediction": "quantized to the target's bit depth",
        "size": "full",
        "precision": "float64",
    }


def summarize(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a metric: value, 95 % interval over photographs, noise floor where there is one.

    Pairs whose input equals their target say nothing about correction: they are left out of every value
    (see :func:`harm`). A photograph counts once, however many pairs were made from it.
    """
    used = table[~table["unchanged"].astype(bool)]
    groups = used["scene"].to_numpy()
    rows = []
    for metric in metrics:
        about = {"pairs": len(used), "photographs": used["scene"].nunique()}
        entry = catalog.load("metrics", metric)
        about |= {"unit": entry.fact("UNIT"), "better": entry.fact("BETTER")}
        if not len(used):
            continue
        if not is_per_set(metric):
            values = capped(metric, used[metric].to_numpy(dtype=np.float64))
            low, high = statistics.mean_interval(values, groups)
            rows.append({"metric": metric, "value": float(values.mean()), "low": low, "high": high, **about})
            continue
        prediction, target = (set_columns(metric, side, used) for side in ("prediction", "target"))
        estimates = statistics.similarity_interval(prediction, target, groups)
        values = entry.function()(prediction, target)
        for name, value in values.items():
            row = {"metric": f"{metric}.{name}", "value": float(value), **about}
            if name in estimates:
                found = estimates[name]
                row |= {"low": found.low, "high": found.high, "noise_floor": found.noise_floor}
            else:
                row |= {"better": "lower"}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def capped(metric: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values as they enter a mean: infinite ones at the metric's cap."""
    cap = getattr(catalog.load("metrics", metric).module, "MEAN_CAP", None)
    return values if cap is None else np.minimum(values, cap)


def harm(table: pd.DataFrame, metrics: Sequence[str]) -> dict[str, Any]:
    """What a method did to pairs whose input was right already: their number and mean scores."""
    already = table[table["unchanged"].astype(bool)]
    means = {
        metric: float(capped(metric, already[metric].to_numpy(dtype=np.float64)).mean())
        for metric in metrics
        if len(already) and not is_per_set(metric)
    }
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
    """A row of a summary in words: dB with 2 decimals, similarities in % with 1, all else with 3.

    An interval is spelled with as many more digits as it takes to tell its ends apart.

    >>> words({"metric": "psnr", "value": 27.914, "low": 27.1, "high": 28.7, "unit": "dB", "better": "higher"}).interval
    '27.10 to 28.70'
    >>> words({"metric": "ssim", "value": 0.9, "low": 0.90001, "high": 0.90004, "better": "higher"}).interval
    '0.90001 to 0.90004'
    """
    metric = str(row["metric"])
    family, _, part = metric.partition(".")
    scale, decimals, unit = 1, 3, str(row.get("unit") or "")
    if unit == "dB":
        decimals = 2
    elif family.startswith("histogram_similarity") and not part.endswith("_w1"):
        scale, decimals, unit = 100, 1, "%"
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


def spelled(value: float, decimals: int) -> str:
    """A number with so many decimals and a minus sign that is one; what rounds to nothing has none."""
    return "\u221e" if value == math.inf else f"{value:z.{decimals}f}".replace("-", "\u2212")


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
