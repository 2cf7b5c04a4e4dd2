"""Paper 0's Table 1: the published numbers as published, ours as measured, and a verdict that follows from them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exposurebench import leaderboard
from exposurebench.report import table1
from exposurebench.track import Entry, track_named

ROOT = Path(__file__).resolve().parents[2] / "leaderboards"


@pytest.fixture(scope="module")
def entry() -> Entry:
    (found,) = leaderboard.entries("photos72-table1", ROOT)
    return found


def page(entry: Entry) -> str:
    return table1.page("photos72-table1", track_named("photos72-table1"), [entry])


def with_table(entry: Entry, table: pd.DataFrame) -> Entry:
    return dataclasses.replace(entry, result=dataclasses.replace(entry.result, per_image=table))


def test_the_study_has_the_published_numbers_beside_ours() -> None:
    text = (ROOT / "photos72-table1" / "README.md").read_text()
    for number in ("33.86", "54.13", "66.38", "61.12", "66.92", "77.62", "38.41", "52.03", "69.98"):
        assert number in text
    assert text.count("floor") > 30
    table = pd.read_csv(ROOT / "photos72-table1" / "entries" / "identity.csv")
    share = table["overexposed"] + table["underexposed"]
    counts = [table[share <= limit]["scene"].nunique() for limit in (1, 0.05, 0.01)]
    assert counts == [72, 51, 24]
    assert all(f"| {n} |" in text for n in counts)
    untouched = table[table["tau"] == 1]
    for column in ("luminance", "contrast", "saturation"):
        sides = [untouched[f"histogram_similarity:{side}:{column}"] for side in ("prediction", "target")]
        assert np.array_equal(*sides)


def test_at_tau_1_every_set_is_its_original(entry: Entry) -> None:
    rows = [line.split("|") for line in page(entry).splitlines() if re.match(r"\| .*photographs|\| +\| well", line)]
    ours = [row for row in rows if "exposed" in row[2] or "all" in row[2]]
    assert len(ours) == 2 * 3 * 3, "two protocols, three columns, three filters"
    assert all(row[-2].strip().startswith("100.0 [100.0, 100.0] floor") for row in ours)


def test_the_verdict_follows_from_the_numbers(entry: Entry) -> None:
    table = entry.result.per_image
    assert page(entry).count("rises with tau, as in the paper") == 3
    turned = table.copy()
    for column in (name for name in table if ":prediction:" in str(name)):
        turned.loc[table["tau"] == 0.8, column] = 0.0 if table[column].dtype == float else "0.0 " * 16
    text = page(with_table(entry, turned))
    assert text.count("does not rise steadily with tau, unlike in the paper") == 3


def test_a_filter_that_fewer_pass_is_said(entry: Entry) -> None:
    table = entry.result.per_image
    share = table["overexposed"] + table["underexposed"]
    kept = table[(share <= 0.01) | (share > 0.05)].reset_index(drop=True)
    counts = [kept[kept["overexposed"] + kept["underexposed"] <= limit]["scene"].nunique() for limit in (1, 0.05, 0.01)]
    text = page(with_table(entry, kept))
    for (title, _), number in zip(table1.FILTERS, counts, strict=True):
        assert f"| {title} | {number} |" in text
