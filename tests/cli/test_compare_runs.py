"""exposurebench compare-runs"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exposurebench.evaluate import evaluate
from exposurebench.result import write_result


@pytest.fixture
def results(samples: Path, tmp_path: Path) -> list[str]:
    """Two results in the folder where commands run."""
    for name in ("identity", "gamma"):
        result = evaluate(f"baseline:{name}", samples, metrics=("psnr", "error_parts"), workers=2)
        write_result(result, tmp_path / name)
    return ["identity", "gamma"]


def test_words_a_table_and_a_picture(run: Callable[..., Any], results: list[str], tmp_path: Path) -> None:
    shown = run("compare-runs", *results, "--resamples", 500, "--out", "c")
    lines = shown.out.splitlines()
    assert lines[0] == "identity against gamma"
    assert lines[1].split()[:3] == ["metric", "identity", "gamma"]
    assert lines[2].startswith("psnr dB")
    assert "fewer than 30 photographs: a smoke test, not a ranking" in lines
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        "differences.csv",
        "photographs.csv",
        "report.html",
        "figures",
        "table.md",
        "table.tex",
    }
    assert (tmp_path / "c" / "figures" / "error_parts.png").is_file()
    assert shown.err == ""


def test_json_says_what_the_table_says(run: Callable[..., Any], results: list[str], tmp_path: Path) -> None:
    told = run("compare-runs", *results, "--metric", "psnr", "--margin", "psnr=50", "--json", "--out", "c").document
    [row] = told["differences"]
    [written] = pd.read_csv(tmp_path / "c" / "differences.csv").to_dict("records")
    assert {key: row[key] for key in written} == pytest.approx(written)
    assert row["verdict"] == "equivalent"
    assert row["words"].startswith("equivalent within 50 dB (")
    assert len(told["photographs"]) == 6
    assert set(told["error_parts"]) == {"identity", "gamma"}


def test_one_line_says_why_not(
    refused: Callable[..., str], run: Callable[..., Any], results: list[str], trainable: Path
) -> None:
    run("eval", "baseline:gamma", "--dataset", trainable, "--metric", "psnr", "--out", "elsewhere")
    assert "same pairs" in refused("compare-runs", results[0], "elsewhere", code=3)
    assert "two results or more" in refused("compare-runs", results[0], code=3)
    assert "no-such" in refused("compare-runs", results[0], "no-such", code=3)
    assert "METRIC=VALUE" in refused("compare-runs", *results, "--margin", "psnr", code=2)
