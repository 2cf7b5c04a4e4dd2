"""Measures: a metric over all pixels or over a region of the input's (``psnr@clipped``).

Where a measure's values stand in a per-image table, and everything that they depend on besides the images.
A metric of images has the column ``psnr``, or ``hdrvdp3:Q`` and so on where it gives several numbers; a metric of
sets has its statistics of each side, ``histogram_similarity:prediction:luminance``; one of scenes (it says
``GROUP``) those of the predictions alone. Wide statistics (a network's answers) lie beside the table as arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exposurebench import catalog
from exposurebench.catalog import Entry
from exposurebench.errors import RecipeError, unknown_name

Arrays = Mapping[str, NDArray[Any]]
REGIONS = {
    "clipped": "pixels whose brightest channel in the input is at least 250 of 255",
    "near_clipped": "pixels whose brightest channel in the input is from 230 to 249 of 255",
    "unclipped": "pixels whose brightest channel in the input is below 230 of 255",
}
LIGHT_METRICS = ("pu21_psnr", "pu21_ssim", "hdrvdp3")
"""What light is measured by when nobody says."""
STEPS = {
    ("alignment", "gain"): (
        "gain",
        "one a pair, least squares of log luminance over pixels that are not clipped in the input",
    ),
    ("alignment", "percentile"): ("percentiles", "0.1 and 99.9 % of all values on the target's, by a straight line"),
    ("crf_correction", True): ("crf", "cubic in PQ luminance; u'v' by cubics and a cross term, ridge 0.01"),
}
"""What settings of the steps before a metric of light mean, in words."""
OF_THE_RUN = ("weights_file", "weights_sha256")
"""What a protocol says of files that only the run knew."""


def entry_of(measure: str, settings: Mapping[str, Any] | None = None) -> Entry:
    """The metric of a measure, with settings beside those of its variant.

    Raises:
        RecipeError: there is no such metric, or no such region.

    >>> entry_of("psnr@clipped").name
    'psnr'
    """
    metric, at, region = measure.partition("@")
    if at and region not in REGIONS:
        raise RecipeError(unknown_name("region", region, REGIONS))
    entry = catalog.load("metrics", metric)
    return dataclasses.replace(entry, settings={**entry.settings, **settings}) if settings else entry


def region_of(measure: str) -> str:
    """The region that a measure looks at; empty for all pixels. Some metrics have one of their own (``REGION``).

    >>> region_of("psnr@clipped"), region_of("psnr")
    ('clipped', '')
    """
    return measure.partition("@")[2] or str(getattr(entry_of(measure).module, "REGION", ""))


def of_light() -> list[str]:
    """What light is measured by when nobody says.

    Raises:
        RecipeError: there is no such metric.
    """
    found = [name for name in LIGHT_METRICS if name in catalog.names("metrics")]
    if not found:
        raise RecipeError(
            "no metric takes light unless it is named: say which with --metric (see exposurebench metrics)"
        )
    return found


def is_per_set(measure: str) -> bool:
    """Whether a measure compares sets (from statistics of each image) and not images."""
    return hasattr(entry_of(measure).module, "statistics")


def is_per_scene(measure: str) -> bool:
    """Whether a measure compares the predictions of one scene with each other."""
    return hasattr(entry_of(measure).module, "GROUP")


def by_region(metrics: Iterable[str]) -> list[str]:
    """The measures of metrics over each region of the input's pixels, of those that can be measured so.

    Raises:
        RecipeError: none can.
    """
    metrics = list(metrics)
    able = [metric for metric in metrics if not is_per_set(metric) and takes(entry_of(metric), "mask")]
    able = [metric for metric in able if not hasattr(entry_of(metric).module, "REGION")]
    if not able:
        raise RecipeError(f"none of {', '.join(metrics)} can be measured over regions: choose others with --metric")
    return [f"{metric}@{region}" for metric in able for region in REGIONS]


def takes(entry: Entry, parameter: str) -> bool:
    """Whether a metric of images wants to know something of them: which pixels count (``mask``), ..."""
    return parameter in catalog.keywords(getattr(entry.module, entry.name.partition("/")[0]))


def protocol(measure: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything that a measure's number depends on besides the images, as far as it is known before the run.

    >>> protocol("ssim/wang@clipped")["region"]
    'pixels whose brightest channel in the input is at least 250 of 255'
    """
    entry = entry_of(measure, settings)
    stated, region = entry.fact("PROTOCOL"), measure.partition("@")[2]
    if entry.fact("TAKES") == "srgb":
        sides: dict[str, Any] = {
            "prediction": "quantized to the target's bit depth",
            "size": "full",
            "precision": "float64",
        }
    else:
        precision = stated.get("precision", "input")
        sides = {"prediction": "light as its file holds it", "size": "full"}
        sides["precision"] = "float32" if precision == "input" else precision
    before, steps = entry.before(), {}
    if before:
        known = {name: parameter for name, parameter in catalog.keywords(before).items() if name not in catalog.GIVEN}
        steps = {name: entry.settings.get(name, parameter.default) for name, parameter in known.items()}
        steps |= {name: words for (setting, value), (name, words) in STEPS.items() if steps[setting] == value}
    return {
        "metric": measure,
        "version": entry.fact("VERSION"),
        **steps,
        **stated,
        **sides,
        **{name: value for name, value in entry.settings.items() if name != "weights"},
        **({"region": REGIONS[region]} if region else {}),
    }


def run_facts(entry: Entry) -> dict[str, Any]:
    """What a protocol must say of the files a metric needs: which weights, and their hash.

    Raises:
        MissingError: the files are not there.
    """
    return dict(entry.function("weights_facts")()) if hasattr(entry.module, "weights_facts") else {}


def measured_with(measure: str, stated: Mapping[str, Any]) -> Entry:
    """The metric of a measure with the settings that a stored protocol states."""
    return entry_of(measure, {name: stated[name] for name in entry_of(measure).parameters() if name in stated})


def name_and_column(value: str) -> tuple[str, str]:
    """The measure and the column of a value's name in a summary; variants may have dots of their own.

    >>> name_and_column("hdrvdp2/2.2.0.Q"), name_and_column("psnr"), name_and_column("hdrvdp2/2.2.0")
    (('hdrvdp2/2.2.0', 'Q'), ('psnr', ''), ('hdrvdp2/2.2.0', ''))
    >>> name_and_column("reexposure.psnr_-3")
    ('reexposure', 'psnr_-3')
    """
    measure, _, column = value.rpartition(".")
    return (measure, column) if measure and column[:1].isalpha() else (value, "")


def value_columns(measure: str, table: pd.DataFrame) -> dict[str, str]:
    """Where a per-image table has a measure's values: the name of each in a summary, and its column.

    Raises:
        KeyError: it has none.

    >>> value_columns("vdp", pd.DataFrame({"psnr": [], "vdp:Q": [], "vdp:P_det": []}))
    {'vdp.Q': 'vdp:Q', 'vdp.P_det': 'vdp:P_det'}
    """
    if measure in table:
        return {measure: measure}
    prefix = f"{measure}:"
    found = {f"{measure}.{n.removeprefix(prefix)}": n for n in map(str, table) if n.startswith(prefix)}
    if not found:
        raise KeyError(measure)
    return found


def set_columns(measure: str, side: str, table: pd.DataFrame, arrays: Arrays | None = None) -> dict[str, Any]:
    """One side's statistics of a per-set metric, as arrays, out of a per-image table and what lies beside it.

    A cell may hold several values (one for each patch), separated by spaces. The arrays have a row for each of
    the table's.
    """
    prefix = f"{measure}:{side}:"
    found = {name.removeprefix(prefix): _cells(table[name]) for name in map(str, table) if name.startswith(prefix)}
    beside = {name.removeprefix(prefix): array for name, array in (arrays or {}).items() if name.startswith(prefix)}
    return found | beside


def _cells(column: pd.Series[Any]) -> Any:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)
    return np.array([[float(v) for v in str(cell).split()] for cell in column])
