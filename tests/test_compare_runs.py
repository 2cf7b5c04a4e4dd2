"""Results side by side: what is compared, what is refused, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from exposurebench import measures
from exposurebench.compare_runs import compare_results, compare_runs, write_comparison
from exposurebench.errors import InputError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.report.page import write_comparison_page
from exposurebench.report.runs import as_text, error_parts
from exposurebench.result import FORMAT, derived, write_result

Made = Callable[..., Path]
PHOTOGRAPHS = 51


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Writes a result of two pairs of each of 51 photographs with values that are given, metric by metric."""

    def made(
        name: str, *, folder: str = "", scenes: Sequence[str] = (), kind: str = "checkpoint", **columns: Any
    ) -> Path:
        scenes = scenes or [f"s{number:02d}" for number in range(PHOTOGRAPHS)]
        rows = [(f"{scene}-{ev}", scene) for scene in scenes for ev in "ab"]
        table = pd.DataFrame(rows, columns=["id", "scene"]).assign(split="test", unchanged=False)
        table = table.assign(**{metric: np.repeat(values, 2) for metric, values in columns.items()})
        document = {
            "format": FORMAT, "schema": 1, "name": name, "method": {"kind": kind, "needs": ["input"]},
            "dataset": {"name": "made", "pixels": "p", "split": "test"},
            "protocols": {metric: measures.protocol(metric) for metric in columns},
            "already_right": {"pairs": 0}, "versions": {}, "hardware": "",
        }  # fmt: skip
        write_result(derived(document, table, {}), tmp_path / (folder or name))
        return tmp_path / (folder or name)

    return made


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


BASE = rng().normal(25, 4, PHOTOGRAPHS)


def test_pairs_that_one_method_has_no_value_of_are_told(made: Made) -> None:
    """Two means over other pairs, and a difference over those that both have, would puzzle a reader."""
    gap = BASE + 0.42
    gap[:3] = np.nan
    text = as_text(compare_runs([made("whole", psnr=BASE), made("gap", psnr=gap)]))
    assert "psnr: whole and gap are compared on the 96 pairs of which both have a value" in text
    assert "their own means are of 96 and 102 pairs" in text
    assert "are compared on" not in as_text(compare_runs([made("a", psnr=BASE), made("b", psnr=BASE + 1)]))


def test_the_better_one_is_named_with_its_lead(made: Made) -> None:
    ahead = made("ahead", psnr=BASE + 0.42 + rng(1).normal(0, 0.3, PHOTOGRAPHS))
    behind = made("behind", psnr=BASE)
    found = compare_runs([behind, ahead])
    [row] = found.table.to_dict("records")
    assert (row["first"], row["second"], row["verdict"], row["photographs"], row["pairs"]) == (
        "behind", "ahead", "worse", 51, 102,
    )  # fmt: skip
    assert row["low"] < row["difference"] < row["high"] < 0
    text = as_text(found)
    assert (
        f"ahead is better by {-row['difference']:.2f} dB ({-row['high']:.2f} to {-row['low']:.2f}), p < 0.0001" in text
    )
    assert "ahead: one training; how much another would differ, nobody knows" in text


def test_equivalent_is_not_merely_unknown(made: Made) -> None:
    runs = [
        made("a", psnr=BASE),
        made("same", psnr=BASE + rng(1).normal(0, 0.1, PHOTOGRAPHS)),
        made("wild", psnr=BASE + rng(2).normal(0, 3, PHOTOGRAPHS)),
    ]
    verdicts = compare_runs(runs).table["verdict"].tolist()
    assert verdicts == ["equivalent", "unknown", "unknown"]
    text = as_text(compare_runs(runs))
    assert "equivalent within 0.1 dB" in text
    assert "not told apart by 51 photographs (" in text
    assert compare_runs(runs, margins={"psnr": 5}).table["verdict"].tolist() == ["equivalent"] * 3
    assert compare_runs(runs, margins={"psnr": 0.001}).table["verdict"].tolist() == ["unknown"] * 3


def test_lower_and_signed_metrics_have_their_own_direction(made: Made) -> None:
    noise = rng(3).normal(0, 0.05, PHOTOGRAPHS)
    dark = made("dark", delta_e2000=9 + noise, exposure_error=-1 + noise)
    near = made("near", delta_e2000=4 + noise, exposure_error=0.2 + noise)
    rows = compare_runs([dark, near]).table.set_index("metric")
    assert rows["verdict"].tolist() == ["worse", "worse"]
    assert rows.loc["exposure_error", "difference"] == pytest.approx(0.8, abs=0.05), "sizes, not signed values"
    assert "exposure_error: its size is compared, photograph by photograph" in as_text(compare_runs([dark, near]))


def test_many_comparisons_make_a_small_chance_larger(made: Made) -> None:
    lead = 0.35 + (BASE - BASE.mean()) / 4
    runs = [made("a", psnr=BASE + lead, ssim=0.5 + BASE / 100), made("b", psnr=BASE, ssim=0.5 + BASE / 100)]
    alone = compare_runs(runs, metrics=["psnr"]).table.iloc[0]
    both = compare_runs(runs).table.iloc[0]
    assert alone["p"] == both["p"] < 0.05
    assert both["p_holm"] == pytest.approx(2 * alone["p_holm"])


def test_trainings_are_drawn_too(made: Made) -> None:
    for seed, shift in enumerate((-2, 0, 2)):
        made("model", folder=f"runs/seed-{seed}", psnr=BASE + 1 + shift)
    single, other = made("single", psnr=BASE + 1), made("other", psnr=BASE)
    found = compare_runs([single.parent / "runs", other])
    assert list(found.runs) == ["runs", "other"]
    row, steady = found.table.iloc[0], compare_runs([single, other]).table.iloc[0]
    assert row["difference"] == pytest.approx(steady["difference"]) == 1
    assert (row["verdict"], steady["verdict"]) == ("unknown", "better")
    assert "runs: 3 trainings, drawn with replacement too" in as_text(found)


def test_photographs_where_they_differ_most_are_named(made: Made, tmp_path: Path) -> None:
    lead = np.linspace(-1, 4, PHOTOGRAPHS)
    found = compare_runs([made("a", psnr=BASE + lead), made("b", psnr=BASE)])
    assert "psnr of a less b: best in s50 +4.00, s49 +3.90, s48 +3.80; worst in s00 −1.00, s01 −0.90" in as_text(found)
    assert "a is ahead in 40 of 51 photographs" in as_text(found)
    paths = write_comparison(found, tmp_path / "out")
    assert [path.name for path in paths] == ["differences.csv", "photographs.csv"]
    photographs = pd.read_csv(paths[1])
    assert (photographs["a: psnr"] - photographs["b: psnr"]).to_numpy() == pytest.approx(lead)
    assert len(pd.read_csv(paths[0])) == 1


def test_one_photograph_says_nothing(made: Made) -> None:
    found = compare_runs([made("a", scenes=["x"], psnr=[20.0]), made("b", scenes=["x"], psnr=[21.0])])
    assert math.isnan(found.table["low"][0])
    assert found.table["verdict"][0] == "unknown"
    assert "1 photograph: nothing to be said" in as_text(found)
    assert "a smoke test, not a ranking" in as_text(found)


def test_names_that_are_equal_give_way_to_folders(made: Made) -> None:
    runs = [made("m", folder="x", psnr=BASE), made("m", folder="y", psnr=BASE + 1)]
    assert list(compare_runs(runs).runs) == [str(path) for path in runs]
    with pytest.raises(InputError, match="named twice"):
        compare_runs([runs[0], runs[0]])


def test_refuses_what_cannot_be_compared(made: Made) -> None:
    one = made("one", psnr=BASE)
    with pytest.raises(InputError, match="two results or more"):
        compare_runs([one])
    with pytest.raises(InputError, match="same pairs"):
        compare_runs([one, made("few", scenes=["s00", "s01"], psnr=[20, 21])])
    with pytest.raises(InputError, match="share no metric"):
        compare_runs([one, made("other", ssim=BASE / 100)])
    with pytest.raises(RecipeError, match="unknown metric of all these results 'ssim'"):
        compare_runs([one, made("two", psnr=BASE)], metrics=["ssim"])
    for margins in ({"ssim": 0.1}, {"psnr": 0}, {"psnr": "much"}):
        with pytest.raises(RecipeError):
            compare_runs([one, made("two", psnr=BASE)], margins=margins)


def test_real_results_say_where_the_error_comes_from(samples: Path, tmp_path: Path) -> None:
    metrics = ["psnr", "histogram_similarity", "psnr/paper2_literal", "ceiling", "error_parts"]
    for name in ("identity", "inverse_clip"):
        write_result(evaluate(f"baseline:{name}", samples, metrics=metrics), tmp_path / name)
    found = compare_runs([tmp_path / "identity", tmp_path / "inverse_clip"])
    assert found.left_out == ["histogram_similarity", "psnr/paper2_literal", "ceiling"]
    scores = found.table.set_index("metric")
    assert scores.loc["psnr", "family"] == scores.loc["error_parts.total", "family"] == 2
    assert scores.loc["error_parts.gain", "family"] == 5, "parts answer another question than scores"
    parts = error_parts(found.runs)
    for name in parts:
        total = found.runs[name][0].summary.set_index("metric").loc["error_parts.total", "value"]
        assert sum(parts[name].values()) == pytest.approx(total, rel=1e-8)
    text = as_text(found)
    assert "why: identity has" in text
    for verdict, said in (("unknown", True), ("worse", False)):
        found.table["verdict"] = verdict
        assert ("more squared error (not told apart as a whole): " in as_text(found)) == said
    assert "inverse_clip is an oracle, no competitor: it is told" in text
    same = compare_results({"one": found.runs["identity"], "other": found.runs["identity"]})
    assert "why" not in as_text(same), "nothing sets them apart, so there is no reason"
    write_comparison_page(found, tmp_path / "out")
    assert (tmp_path / "out" / "figures" / "error_parts.png").read_bytes().startswith(b"\x89PNG")


def test_a_scene_is_one_observation_of_consistency(trainable: Path, tmp_path: Path) -> None:
    for name in ("identity", "gamma"):
        write_result(evaluate(f"baseline:{name}", trainable, metrics=["psnr", "consistency"]), tmp_path / name)
    rows = compare_runs([tmp_path / "identity", tmp_path / "gamma"]).table.set_index("metric")
    scenes = evaluate("baseline:gamma", trainable, metrics=["psnr"]).per_image["scene"].nunique()
    assert rows.loc["consistency.luma_spread", "pairs"] == scenes
    means = [
        evaluate(f"baseline:{n}", trainable, metrics=["consistency"]).summary["value"][0] for n in ("identity", "gamma")
    ]
    assert rows.loc["consistency.luma_spread", "difference"] == pytest.approx(means[0] - means[1])
    pairs = evaluate("baseline:gamma", trainable, metrics=["psnr"]).per_image
    assert rows.loc["psnr", "pairs"] == (~pairs["unchanged"]).sum(), "pairs that were right already say nothing"
