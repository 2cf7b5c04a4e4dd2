"""Paper 0's Table 1 measured again: how similar overexposed photographs are to their originals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exposurebench import catalog, measures, statistics
from exposurebench.report.board import GENERATED, markdown_table

if TYPE_CHECKING:
    from exposurebench.track import Entry, Track

PUBLISHED = {
    "luminance": {0.2: 33.86, 0.5: 54.13, 0.8: 66.38, 1.0: 100.0},
    "contrast": {0.2: 61.12, 0.5: 66.92, 0.8: 77.62, 1.0: 100.0},
    "saturation": {0.2: 38.41, 0.5: 52.03, 0.8: 69.98, 1.0: 100.0},
}
"""Per cent; Le Jeune 2019, Table 1. Photographs, their number and the bins are not given there."""
FILTERS = (("all photographs", 1.0), ("well exposed (at most 5 % clipped)", 0.05), ("well exposed, strict (1 %)", 0.01))


def page(name: str, track: Track, found: Sequence[Entry], published: Sequence[str] = ()) -> str:
    """The page of the study, from the per-image table of its one entry; it has the published numbers in it."""
    entry = found[0]
    table = entry.result.per_image
    lines = [GENERATED, f"# {track.title}", "", track.about.strip(), ""]
    for metric in (m for m in entry.document["protocols"] if measures.is_per_set(m)):
        lines += [
            f"## {catalog.load('metrics', metric).fact('TITLE').capitalize()} (`{metric}`)",
            "",
            _table(table, metric),
            "",
        ]
    return "\n".join(
        [
            *lines,
            "Per cent. A cell is the similarity, its 95 % interval in brackets (over photographs, freed of the bias of",
            "small sets, so it can lie above the value), and behind `floor` the similarity that two sets of this size have",
            "when they differ by nothing but chance. At tau 1 nothing is clipped and every input is its target.",
            "",
            "## What can be said",
            "",
            *_verdict(table),
            "",
            f"Measured on {entry.document['date']}; per-image values in [entries](entries). Data: `exposurebench make-dataset "
            f"--recipe {track.dataset}`, pixel fingerprint `{track.pixels}`.",
            "",
        ]
    )


def _table(table: pd.DataFrame, metric: str) -> str:
    taus = sorted(PUBLISHED["luminance"])
    chosen = {limit: _filtered(table, limit) for _, limit in FILTERS}
    found = {
        (limit, tau): _estimates(kept[kept["tau"] == tau], metric) for limit, kept in chosen.items() for tau in taus
    }
    lines = []
    for column, published in PUBLISHED.items():
        lines.append([f"**{column}**", "paper 0", "?", *(f"{published[tau]:.2f}" for tau in taus)])
        for title, limit in FILTERS:
            cells = [_cell(found[limit, tau][column]) for tau in taus]
            lines.append(["", title, str(chosen[limit]["scene"].nunique()), *cells])
    return markdown_table(["", "photographs", "N", *(f"tau {tau:g}" for tau in taus)], lines)


def _filtered(table: pd.DataFrame, limit: float) -> pd.DataFrame:
    return table[table["overexposed"] + table["underexposed"] <= limit]


def _estimates(table: pd.DataFrame, metric: str) -> dict[str, statistics.SimilarityEstimate]:
    prediction, target = (measures.set_columns(metric, side, table) for side in ("prediction", "target"))
    return statistics.similarity_interval(prediction, target, table["scene"].to_numpy())


def _cell(found: statistics.SimilarityEstimate) -> str:
    value, low, high, floor = (f"{100 * v:.1f}" for v in (found.value, found.low, found.high, found.noise_floor))
    return f"{value} [{low}, {high}] floor {floor}"


def _verdict(table: pd.DataFrame) -> list[str]:
    """Sentences that follow from the numbers: the trend, and how far the paper's are from ours."""
    metric = "histogram_similarity"
    values: dict[str, dict[float, float]] = {}
    for column in PUBLISHED:
        values[column] = {}
        for tau in sorted(PUBLISHED[column]):
            chosen = _filtered(table, 0.05)
            chosen = chosen[chosen["tau"] == tau]
            sides = [measures.set_columns(metric, side, chosen) for side in ("prediction", "target")]
            values[column][tau] = 100 * catalog.load("metrics", metric).function()(*sides)[column]
    said = []
    for column, ours in values.items():
        rising = bool((np.diff([ours[tau] for tau in sorted(ours)]) >= 0).all())
        gaps = ", ".join(f"{ours[tau] - PUBLISHED[column][tau]:+.1f} at {tau:g}" for tau in sorted(ours))
        trend = "rises with tau, as in the paper" if rising else "does not rise steadily with tau, unlike in the paper"
        said.append(f"- {column} {trend}; ours less the published value (well exposed, whole image): {gaps}.")
    said.append(
        "- The paper says neither which photographs, how many, nor how many bins. The differences are those of other "
        "photographs and a smaller N (compare the floors), and no more should be read into them."
    )
    return said
