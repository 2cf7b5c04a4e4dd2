"""exposurebench eval"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exposurebench import quickstart
from exposurebench.recipe import read_recipe
from exposurebench.track import track_named

QUICK = ("--metric", "psnr", "--workers", 2)


def test_a_result_is_a_table_a_summary_and_a_page(run: Callable[..., Any], samples: Path, tmp_path: Path) -> None:
    shown = run("eval", "baseline:inverse_clip/blind", "--dataset", samples, *QUICK)
    assert shown.out.startswith("inverse_clip/blind on samples-tau0.5, split test\n")
    assert "N = 6 pairs of 6 photographs" in shown.out
    assert "psnr version 1" in shown.out
    assert shown.err == ""
    out = tmp_path / "results" / "inverse_clip-blind"
    assert {path.name for path in out.iterdir()} == {
        *("per_image.csv", "summary.csv", "result.json", "report.html", "figures", "table.md", "table.tex"),
    }
    assert f"page with pictures: {out.relative_to(tmp_path) / 'report.html'}" in shown.out


def test_json_holds_the_summary_as_numbers(run: Callable[..., Any], samples: Path, tmp_path: Path) -> None:
    words = ("--metric", "psnr", "--metric", "histogram_similarity", "--json", "--out", "r", "--name", "mine")
    told = run("eval", "baseline:gamma", "--dataset", samples, *words).document
    assert (told["out"], told["name"], told["dataset"]["pairs"]) == ("r", "mine", 6)
    rows = {row["metric"]: row for row in told["summary"]}
    for row in pd.read_csv(tmp_path / "r" / "summary.csv").to_dict("records"):
        for key, value in row.items():
            found = rows[row["metric"]][key]
            if isinstance(value, float) and math.isnan(value):
                assert found in (None, ""), "a number that there is none of is null"
            else:
                assert found == pytest.approx(value) if isinstance(value, float) else value
                assert type(found) is type(value)


def test_settings_and_limit_reach_the_method(run: Callable[..., Any], samples: Path) -> None:
    words = ("eval", "baseline:gamma", "--dataset", samples, *QUICK, "--json", "--limit", 3)
    told = run(*words, "--set", "mid=0.3").document
    assert told["method"]["settings"] == {"mid": 0.3}
    assert told["dataset"]["pairs"] == 3
    assert not told["dataset"]["complete"]
    assert told["summary"][0]["value"] != run(*words).document["summary"][0]["value"]


def test_regions_and_parts(run: Callable[..., Any], trainable: Path, tmp_path: Path) -> None:
    words = ("eval", "baseline:gamma", "--dataset", trainable, *QUICK, "--regions", "--by", "tau", "--out", "r")
    shown = run(*words).out.splitlines()
    header = next(line.split() for line in shown if line.startswith("tau "))
    assert header[:4] == ["tau", "pairs", "metric", "value"]
    assert {line.split()[0] for line in filter(None, shown)} >= {"0.4", "0.7", "psnr", "psnr@clipped", "psnr@unclipped"}
    left_out = [line for line in shown if "have no such pixels and are left out" in line]
    counts = pd.read_csv(tmp_path / "r" / "per_image.csv").query("~unchanged")["psnr@near_clipped"].isna()
    assert any(f"psnr@near_clipped: {counts.sum()} of {len(counts)} pairs" in line for line in left_out) == counts.any()
    told = run(*words, "--json").document
    assert told["by"] == "tau"
    assert {row["tau"] for row in told["parts"]} == {0.4, 0.7}
    assert (tmp_path / "r" / "by_tau.csv").is_file()


def test_a_track_says_what_is_measured(run: Callable[..., Any], refused: Callable[..., str], samples: Path) -> None:
    told = run("eval", "baseline:identity", "--dataset", samples, "--track", "samples", "--json").document
    assert set(told["protocols"]) == set(track_named("samples").metrics)
    words = ("eval", "baseline:identity", "--dataset", samples, "--track")
    assert "leave out --metric" in refused(*words, "samples", "--metric", "psnr", code=2)
    assert "did you mean 'samples'?" in refused(*words, "sample", code=2)


def test_settings_of_a_metric(run: Callable[..., Any], samples: Path) -> None:
    words = ("eval", "baseline:gamma", "--dataset", samples, "--metric", "ssim", "--json", "--limit", 2)
    told = run(*words, "--metric-set", "ssim.color=luma").document
    assert told["protocols"]["ssim"]["color"] == "luma"
    assert told["summary"][0]["value"] != run(*words).document["summary"][0]["value"]


def test_without_a_data_set_it_is_the_embedded_one_and_says_so(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(quickstart, "read_recipe", lambda *a: {**read_recipe(*a), "size": 48})
    shown = run("eval", "baseline:identity", *QUICK, "--json")
    assert shown.document["dataset"]["pairs"] == 6
    assert shown.err.startswith("no --dataset given: scoring on the six embedded photographs (")
    assert str(tmp_path / "cache") in shown.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("baseline:idenity",), 2, "unknown baseline 'idenity'; did you mean 'identity'?"),
        (("baseline:",), 2, "unknown baseline ''"),
        (("baseline:identity", "--metric", "psrn"), 2, "unknown metric 'psrn'; did you mean 'psnr'?"),
        (("baseline:identity", "--split", "tset"), 3, "has no split 'tset': it has test"),
        (("baseline:gamma", "--set", "mid=abc"), 2, "mid must be a number"),
        (("baseline:gamma", "--set", "mid=2"), 2, "mid must be in (0, 1), not 2"),
        (("baseline:gamma", "--set", "middle=0.5"), 2, "unknown setting 'middle'"),
        (
            ("baseline:gamma", "--metric", "psnr", "--metric-set", "ssim.color=luma"),
            2,
            "settings of ssim, which is not",
        ),
        (("baseline:gamma", "--metric", "ssim", "--metric-set", "ssim.colour=luma"), 2, "did you mean 'color'"),
        (("baseline:gamma", "--by", "taw"), 3, "has no column 'taw'"),
        (("baseline:gamma", "--metric", "kid", "--regions"), 2, "none of kid can be measured over regions"),
        (("baseline:gamma", "--metric", "consistency"), 3, "has one of each: build it with several"),
        (("baseline:gamma", "--device", "foo"), 2, "no device is called 'foo'"),
        (("baseline:histogram_match",), 4, "--training"),
        (("baseline:histogram_match", "--training", "nowhere"), 4, "no data set in 'nowhere'"),
        (("nothing.pt",), 3, "'nothing.pt': no such file; expected a model's file, baseline:NAME"),
        (("photo.jpg",), 3, "is empty (0 bytes)"),
        ((), 2, "expected one of: a model's file, baseline:NAME, --model, or --predictions DIR"),
        (("baseline:identity", "--predictions", "."), 2, "expected one of"),
        (("--predictions", "nowhere"), 3, "no folder 'nowhere'"),
        (("--predictions", "."), 3, "6 of 6 predictions are missing in '.'"),
        (("--predictions", ".", "--set", "a=1"), 2, "predictions have no settings"),
        (("baseline:identity", "--out", "photo.jpg", "--metric", "psnr"), 74, "choose another folder"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(
    refused: Callable[..., str], samples: Path, tmp_path: Path, words: tuple[object, ...], code: int, said: str
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert said in refused("eval", *words, "--dataset", samples, code=code)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_data_set_that_is_not_there(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("eval", "baseline:identity", "--dataset", "nowhere", code=4)
    assert "no data set in 'nowhere': build one with exposurebench make-dataset" in line
