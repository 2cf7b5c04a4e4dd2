"""Tables: what the CSV holds is what everything follows from, to the last digit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposurebench import catalog, measures, tables
from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate

SET = "histogram_similarity"


def table(**columns: Any) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    keys = [f"p{number}" for number in range(count)]
    return pd.DataFrame({"id": keys, "scene": keys, "split": "test", "unchanged": False, **columns})


def row_of(summary: pd.DataFrame, metric: str) -> dict[str, Any]:
    (row,) = summary[summary["metric"] == metric].to_dict("records")
    return {str(key): value for key, value in row.items()}


# ---- on disk ---------------------------------------------------------------------------------------------


@given(st.lists(st.floats(allow_nan=False).map(tables.rounded), min_size=1))
def test_rounded_values_survive_the_disk_to_the_last_bit(tmp_path_factory: Any, values: list[float]) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    tables.write_table(path, table(psnr=values))
    assert tables.read_table(path)["psnr"].astype(float).tolist() == values
    assert [tables.rounded(value) for value in values] == values


@pytest.mark.parametrize("name", ["NA", "nan", "007", "1e3", "True", "", 'a,"b"\nc', "é\N{GRINNING FACE}"])
def test_names_that_look_like_something_else_survive_the_table(tmp_path: Path, name: str) -> None:
    written = table(psnr=[1.0]).assign(id=name, scene=name)
    tables.write_table(tmp_path / "t.csv", written)
    assert tables.read_table(tmp_path / "t.csv").to_dict("records") == written.to_dict("records")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as a per-image table"),
        ("id,scene,split,unchanged\na,b\nc,d,e,f,g\n", "cannot be read as a per-image table"),
        ("a,b\n1,2\n", "is no per-image table: it lacks id, scene, split, unchanged"),
        ("id,scene,split\na,b,test\n", "it lacks unchanged"),
        ("id,scene,split,unchanged\na,b,test,maybe\n", "unchanged must be True or False"),
        ("id,scene,split,unchanged\na,b,test,False\na,b,test,\n", "unchanged must be True or False"),
        ("id,scene,split,unchanged\n", "unchanged must be True or False"),
    ],
)
def test_what_is_no_per_image_table(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        tables.read_table(tmp_path / "t.csv")
    assert "\n" not in str(caught.value).strip()


def test_a_table_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        tables.read_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(b"id,scene\n\xff,\xfe\n")
    with pytest.raises(InputError, match="cannot be read as a per-image table"):
        tables.read_table(tmp_path / "t.csv")


# ---- the summary -----------------------------------------------------------------------------------------


def test_a_summary_says_what_its_values_rest_on() -> None:
    found = tables.summarize(table(psnr=[20.0, 30.0, 40.0], ssim=[0.5, 0.6, 0.7]), ["ssim", "psnr"])
    assert found["metric"].tolist() == ["ssim", "psnr"]
    assert tuple(found.columns) == tables.SUMMARY_COLUMNS
    row = row_of(found, "psnr")
    assert row["value"] == pytest.approx(30)
    assert 20 <= row["low"] < 30 < row["high"] <= 40
    assert (row["unit"], row["better"], row["pairs"], row["photographs"]) == ("dB", "higher", 3, 3)
    assert math.isnan(row["noise_floor"])


def test_pairs_that_were_right_already_are_in_no_value() -> None:
    mixed = table(psnr=[20.0, 30.0, math.inf, 12.0])
    mixed["unchanged"] = [False, False, True, True]
    assert row_of(tables.summarize(mixed, ["psnr"]), "psnr")["value"] == pytest.approx(25)
    assert row_of(tables.summarize(mixed, ["psnr"]), "psnr")["pairs"] == 2
    assert tables.harm(mixed, ["psnr", SET]) == {"pairs": 2, "psnr": pytest.approx((100 + 12) / 2)}
    assert tables.harm(mixed[:2], ["psnr"]) == {"pairs": 0}
    nothing = tables.summarize(mixed[2:], ["psnr", SET])
    assert len(nothing) == 0
    assert tuple(nothing.columns) == tables.SUMMARY_COLUMNS


def test_pairs_of_one_photograph_make_nothing_surer() -> None:
    values = np.random.default_rng(0).normal(25, 4, 20)
    once, often = table(psnr=values), table(psnr=np.repeat(values, 5))
    often["scene"] = np.repeat(once["scene"].to_numpy(), 5)
    one, five = (row_of(tables.summarize(t, ["psnr"]), "psnr") for t in (once, often))
    assert five["value"] == pytest.approx(one["value"])
    assert (five["pairs"], five["photographs"]) == (100, 20)
    assert five["high"] - five["low"] == pytest.approx(one["high"] - one["low"])


def test_one_photograph_has_no_interval() -> None:
    row = row_of(tables.summarize(table(psnr=[20.0, 30.0]).assign(scene="a"), ["psnr"]), "psnr")
    assert row["value"] == pytest.approx(25)
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])


def test_infinite_values_enter_a_mean_at_the_cap() -> None:
    assert row_of(tables.summarize(table(psnr=[math.inf, 50.0]), ["psnr"]), "psnr")["value"] == pytest.approx(75)


def test_a_summary_is_the_same_whatever_the_order_of_its_rows(samples: Path) -> None:
    found = evaluate("baseline:gamma", samples, metrics=["psnr", SET]).per_image
    one = tables.summarize(found, ["psnr", SET]).set_index("metric")["value"]
    other = tables.summarize(found[::-1].reset_index(drop=True), ["psnr", SET]).set_index("metric")["value"]
    assert other.to_dict() == pytest.approx(one.to_dict(), rel=1e-12)


def test_statistics_of_a_set_come_out_of_their_cells_one_or_many() -> None:
    cells = {f"{SET}:target:contrast": [0.25, 0.5], f"{SET}:target:saturation": ["0.1 0.2 0.3", "0.4 0.5 0.6"]}
    whole = table(**cells, **{f"{SET}:prediction:contrast": [0.0, 1.0], f"{SET}/hu2018:target:contrast": [9.0, 9.0]})
    found = measures.set_columns(SET, "target", whole)
    assert found.keys() == {"contrast", "saturation"}
    assert found["contrast"].tolist() == [0.25, 0.5]
    assert found["saturation"].tolist() == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]


# ---- regions, named columns, scenes, parts ---------------------------------------------------------------


def test_pairs_without_a_value_are_left_out_and_counted(tmp_path: Path) -> None:
    whole = table(**{"psnr@clipped": [10.0, math.nan, 30.0, math.nan]})
    tables.write_table(tmp_path / "t.csv", whole)
    again = tables.read_table(tmp_path / "t.csv")
    assert again.equals(whole)
    found = row_of(tables.summarize(again, ["psnr@clipped"]), "psnr@clipped")
    assert (found["value"], found["pairs"], found["photographs"]) == (20, 2, 2)
    empty = row_of(tables.summarize(table(**{"psnr@clipped": [math.nan] * 2}), ["psnr@clipped"]), "psnr@clipped")
    assert math.isnan(empty["value"])
    assert empty["pairs"] == 0


def test_named_columns_have_a_row_each_with_their_own_unit_and_direction(register: Any) -> None:
    facts = {"UNIT": {"Q": "", "Q_JOD": "JOD"}, "BETTER": {"Q": "higher", "Q_JOD": "lower"}, "MEAN_CAP": 5.0}
    register("vdp", vdp=lambda prediction, target: {}, **facts)
    whole = table(**{"vdp:Q": [1.0, 2.0, math.inf], "vdp:Q_JOD": [3.0, 4.0, 5.0]})
    found = tables.summarize(whole, ["vdp"])
    assert found["metric"].tolist() == ["vdp.Q", "vdp.Q_JOD"]
    assert found["unit"].tolist() == ["", "JOD"]
    assert found["better"].tolist() == ["higher", "lower"]
    assert found["value"].tolist() == pytest.approx([8 / 3, 4])
    unchanged = whole.assign(unchanged=True)
    assert tables.harm(unchanged, ["vdp"]) == {"pairs": 3, "vdp.Q": pytest.approx(8 / 3), "vdp.Q_JOD": 4}
    assert len(tables.summarize(unchanged, ["vdp"])) == 0


def test_harm_over_a_region_that_no_pair_has() -> None:
    found = tables.harm(table(**{"psnr@clipped": [math.nan]}).assign(unchanged=True), ["psnr@clipped"])
    assert found == {"pairs": 1}


def test_consistency_is_of_scenes_and_counts_what_was_right_already() -> None:
    cells = {"consistency:prediction:luma": [0.2, 0.4, 0.5, 0.5, 0.9]}
    cells["consistency:prediction:delta_e2000"] = [4.0, 4.0, 0.0, 0.0, math.nan]
    whole = table(**cells).assign(scene=["a", "a", "b", "b", "alone"], unchanged=[True, False, False, False, False])
    found = tables.summarize(whole, ["consistency"])
    spread, apart = (row_of(found, f"consistency.{name}") for name in ("luma_spread", "delta_e2000"))
    assert spread["value"] == pytest.approx(0.05)
    assert (apart["value"], apart["unit"], apart["pairs"], apart["photographs"]) == (2, "delta E", 4, 2)
    assert apart["low"] < 2 < apart["high"]
    with pytest.raises(ValueError, match="at least two"):
        tables.summarize(whole[whole["scene"] == "alone"], ["consistency"])


def test_parts_are_summaries_of_their_rows() -> None:
    whole = table(psnr=[1.0, 2.0, 3.0, 4.0], tau=[0.5, 0.2, 0.5, 0.2])
    found = tables.summarize_by(whole, "tau", {"psnr": {}})
    assert found["tau"].tolist() == [0.2, 0.5]
    for value, part in found.groupby("tau"):
        expected = tables.summarize(whole[whole["tau"] == value], ["psnr"])
        assert part.drop(columns="tau").reset_index(drop=True).equals(expected)


def test_a_measure_that_a_part_is_too_small_for_has_no_row_there() -> None:
    cells = {"consistency:prediction:luma": [0.2, 0.4], "consistency:prediction:delta_e2000": [4.0, 4.0]}
    whole = table(psnr=[1.0, 2.0], tau=[0.5, 0.2], **cells).assign(scene="a")
    assert len(tables.summarize(whole, ["consistency"])) == 2
    found = tables.summarize_by(whole, "tau", {"psnr": {}, "consistency": {}})
    assert found["metric"].tolist() == ["psnr", "psnr"]


def test_settings_that_a_protocol_states_hold() -> None:
    cells = {f"{SET}:{side}:{name}": values for name in ("luminance", "contrast", "saturation")
             for side, values in (("prediction", [0.1, 0.4]), ("target", [0.2, 0.3]))}  # fmt: skip
    found = {bins: row_of(tables.summarize(table(**cells), {SET: {"bins": bins}}), f"{SET}.mean") for bins in (2, 32)}
    assert (found[2]["value"], found[32]["value"]) == (1, 0)


def test_arrays_beside_the_table_lose_the_rows_that_it_loses() -> None:
    rng = np.random.default_rng(1)
    arrays = {f"kid:{side}:features": rng.normal(0, 1, (5, 8)) for side in ("prediction", "target")}
    whole = table(psnr=[1.0] * 5).assign(unchanged=[False, True, False, False, True])
    kept = {name: array[[0, 2, 3]] for name, array in arrays.items()}
    found = tables.summarize(whole, ["kid"], arrays)
    assert found["value"].tolist() == tables.summarize(whole[~whole["unchanged"]], ["kid"], kept)["value"].tolist()
    assert found["pairs"].tolist() == [3, 3]


# ---- protocols -------------------------------------------------------------------------------------------


def test_every_metric_has_a_protocol_of_its_own() -> None:
    found = {name: measures.protocol(name) for name in catalog.names("metrics")}
    for name, facts in found.items():
        assert facts["metric"] == name
        assert facts["version"] >= 1
        assert facts.keys() >= catalog.load("metrics", name).settings.keys()
        line = tables.protocol_line(facts)
        assert line.startswith(f"{name} version {facts['version']}: ")
        assert "\n" not in line
    spelled = [tables.protocol_line({**facts, "metric": ""}) for facts in found.values()]
    assert len(set(spelled)) == len(spelled), "variants differ in more than their name"


def test_tables_refuse_to_mix_protocols_and_data(samples: Path, trainable: Path) -> None:
    one = evaluate("baseline:identity", samples, metrics=["psnr"]).document
    two = evaluate("baseline:identity", trainable, metrics=["psnr"]).document
    tables.check_comparable({"a": one, "b": one})
    with pytest.raises(InputError, match=r"a and b were not measured on the same pairs \(their pixels differ"):
        tables.check_comparable({"a": one, "b": two})
    with pytest.raises(InputError, match="their split differ"):
        tables.check_comparable({"a": one, "b": {**one, "dataset": {**one["dataset"], "split": "val"}}})
    other = {**one, "protocols": {"psnr": {**one["protocols"]["psnr"], "border": 4}}}
    with pytest.raises(InputError, match=r"a and c have other protocols of psnr \(border\)"):
        tables.check_comparable({"a": one, "b": one, "c": other})
    tables.check_comparable({"a": one, "b": {**one, "protocols": {"ssim": {"border": 4}}}})


# ---- in words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("psnr", 27.914, 27.1, 28.7, math.nan, "dB"), ("27.91", "27.10 to 28.70", "", "dB")),
        (("ssim", -0.25, 0.12345, 0.12349, math.nan, ""), ("\u22120.250", "0.12345 to 0.12349", "", "")),
        (("ssim", -0.0001, -0.00004, 0.0001, math.nan, ""), ("0.000", "0.0000 to 0.0001", "", "")),
        (("psnr", math.inf, math.inf, math.inf, math.nan, "dB"), ("\u221e", "\u221e to \u221e", "", "dB")),
        (("histogram_similarity.mean", 1.0, 1.0, 1.0, 0.9, ""), ("100.0", "100.0 to 100.0", "90.0", "%")),
        (("hdrvdp2.C_max", 1676081.6, 999.4, 2e6, math.nan, ""), ("1,676,082", "999 to 2,000,000", "", "")),
        (("histogram_similarity.mean_w1", 0.1, math.nan, math.nan, math.nan, ""), ("0.100", "", "", "")),
    ],
)
def test_numbers_in_words(row: tuple[str, float, float, float, float, str], expected: tuple[str, ...]) -> None:
    keys = ("metric", "value", "low", "high", "noise_floor", "unit")
    words = tables.words({**dict(zip(keys, row, strict=True)), "better": "higher"})
    assert (words.value, words.interval, words.noise_floor, words.unit) == expected


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_an_interval_tells_its_ends_apart_and_does_not_spell_for_ever(one: float, other: float) -> None:
    low, high = sorted((one, other))
    words = tables.words({"metric": "ssim", "value": low, "low": low, "high": high, "better": "higher"})
    ends = words.interval.split(" to ")
    assert all(len(end.partition(".")[2]) <= tables.DIGITS for end in ends)
    assert ends[0] != ends[1] or high - low < 1e-8
    spelled = [float(end.replace("\u2212", "-").replace(",", "")) for end in ends]
    assert spelled == pytest.approx([low, high], abs=0.51 if abs(low) >= 1000 else 5.1e-4)


@pytest.mark.parametrize(
    ("scenes", "said"),
    [
        (["a"], "1 pair of 1 photograph"),
        (["a", "b"], "2 pairs of 2 photographs"),
        (["a", "a"], "2 pairs of 1 photograph"),
    ],
)
def test_how_much_a_result_rests_on(scenes: list[str], said: str) -> None:
    assert tables.pairs_and_photographs(pd.DataFrame({"scene": scenes})) == said


def test_what_a_method_is_told() -> None:
    assert tables.told({"needs": ["input", "tau", "transfer"]}) == "tau, transfer"
    assert tables.told({"needs": ["input"]}) == tables.told({}) == "what was done to the input"
