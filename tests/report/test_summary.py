"""The summary in the terminal: a line a metric, a protocol a metric, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exposurebench.evaluate import METRICS, Result, evaluate
from exposurebench.report.summary import as_text

Made = Callable[..., Result]


@pytest.fixture(scope="module")
def measured(samples: Path) -> Result:
    return evaluate("baseline:inverse_clip", samples)


def test_text_has_a_line_a_metric_and_a_protocol_a_metric(measured: Result) -> None:
    lines = as_text(measured).splitlines()
    for metric in measured.summary["metric"]:
        assert sum(line.split()[0] == metric for line in lines if ":" not in line) == 1
    for metric in METRICS:
        assert sum(line.startswith(f"{metric} version 1: ") for line in lines) == 1
    assert "N = 6 pairs of 6 photographs" in lines
    assert any(line.startswith("* an oracle") and "tau" in line for line in lines)


def test_columns_are_aligned(measured: Result) -> None:
    body = as_text(measured).splitlines()[1 : len(measured.summary) + 2]
    ends = {line.rstrip().rfind("  ") for line in body}
    assert len(ends) == 1, "the last column begins in one place"


def test_what_a_result_says_of_itself(made: Made) -> None:
    text = as_text(made("mine", {"psnr": [20.0, 30.0, 40.0]}))
    assert text.startswith("mine on made, split test\n")
    assert "psnr dB" in text
    assert "30.00" in text
    assert "N = 3 pairs of 3 photographs" in text
    assert "oracle" not in text
    assert "no intervals" not in text
    assert "right already" not in text


def test_one_photograph_and_pairs_that_were_right_already_are_said(made: Made) -> None:
    text = as_text(
        made("mine", {"psnr": [20.0, 30.0, 99.0, 99.0]}, scenes=["a"] * 4, unchanged=[False, False, True, True])
    )
    assert "25.00" in text
    assert "no intervals: it takes at least two photographs" in text
    assert "2 pairs were right already and are in no value" in text
    assert "N = 4 pairs of 1 photograph" in text


def test_an_oracle_is_marked_and_told_what_it_knows(made: Made) -> None:
    lines = as_text(made("best", {"psnr": [20.0, 30.0]}, oracle=True)).splitlines()
    assert lines[0] == "best* on made, split test"
    assert "* an oracle, no competitor: it is told tau, which no method can know" in lines
