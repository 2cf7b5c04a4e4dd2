"""Boards: who is ranked and who is not, and pages whose every number follows from the entries."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from exposurebench.report import board
from exposurebench.result import Result
from exposurebench.track import Entry, track_named

ROOT = Path(__file__).resolve().parents[2] / "leaderboards"
Made = Callable[..., Result]


def values(mean: float, count: int = 30) -> dict[str, list[float]]:
    return {"psnr": [mean - 1, mean + 1] * (count // 2), "ssim": [mean / 100] * (2 * (count // 2))}


def entry(result: Result, date: str = "2026-01-02") -> Entry:
    facts = {"grade": "scored", "date": date, "reported": {}, "hardware": "cpu, 2 cores"}
    return Entry(Path("a.json"), {**result.document, **facts}, result)


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table, as a reader cuts them."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# ---- ranks -----------------------------------------------------------------------------------------------


def test_oracles_have_no_place_and_equal_values_share_one(made: Made) -> None:
    results = [made("oracle", values(40), oracle=True), *(made(n, values(v)) for n, v in (("a", 20), ("b", 30)))]
    results += [made("c", values(20)), made("d", values(10))]
    assert board.ranks(results, "psnr") == {"b": 1, "a": 2, "c": 2, "d": 4}


def test_fewer_than_thirty_photographs_rank_nothing(made: Made) -> None:
    few, many = made("few", values(20, 28)), made("many", values(30, 30))
    assert board.ranks([few], "psnr") == board.ranks([few, many], "psnr") == {}
    assert board.ranks([many], "psnr") == {"many": 1}
    pairs = made("pairs", values(20, 60), scenes=[f"s{n // 3}" for n in range(60)])
    assert board.photographs(pairs) == 20
    assert board.ranks([pairs], "psnr") == {}, "photographs count, not pairs"
    assert board.ranks([], "psnr") == {}


def test_similarities_rank_nothing_and_what_was_not_measured_has_no_place(made: Made) -> None:
    results = [made("a", values(20)), made("b", {"ssim": [0.5] * 30})]
    assert board.ranks(results, "histogram_similarity.luminance") == {}
    assert board.ranks(results, "psnr") == {"a": 1}


def test_the_smoke_test_ranks_nothing_and_the_board_does() -> None:
    samples, photos = ((ROOT / name / "README.md").read_text() for name in ("samples", "photos72"))
    assert "a smoke test, not a ranking" in samples
    assert "(1)" not in samples
    assert "(1)" in photos
    (oracle,) = (line for line in photos.splitlines() if re.match(r"\| inverse_clip\\?\*", line))
    assert not re.search(r"\(\d+\)", oracle), "an oracle is not ranked"


# ---- text ------------------------------------------------------------------------------------------------


def test_the_table_in_the_terminal(made: Made) -> None:
    results = [made("first", values(30)), made("second", values(20), oracle=True), made("third", {"psnr": [5.0, 7.0]})]
    head, *lines = board.as_text(results).splitlines()
    assert head.split() == ["method", "PSNR", "dB", "SSIM"]
    assert [line.split()[0] for line in lines[:3]] == ["first", "second*", "third"]
    assert "30.00 [" in lines[0]
    assert lines[2].endswith("-"), "what was not measured"
    assert any(line.startswith("* knows the true tau") for line in lines)
    assert "2 photographs: a smoke test, not a ranking (ranks start at 30)." in lines
    said = board.remarks([results[0]])
    assert not any("smoke test" in line or "oracle" in line for line in said)


def test_a_cell() -> None:
    assert board.cell(None) == "-"
    bare = {"metric": "psnr", "value": 27.914, "unit": "dB", "better": "higher"}
    assert board.cell(bare) == "27.91"
    assert board.cell({**bare, "low": -0.5, "high": 28.0}) == "27.91 [\u22120.50 to 28.00]"


# ---- pages -----------------------------------------------------------------------------------------------


def test_a_page_has_a_row_an_entry_and_says_what_it_pins(made: Made) -> None:
    track = track_named("samples")
    found = [entry(made("b", values(30)), "2026-03-04"), entry(made("a", values(20)), "2026-01-02")]
    page = board.page("samples", track, found)
    assert page.startswith(board.GENERATED)
    rows = [cells(line) for line in page.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["method", "b", "a"]
    assert "30.00" in rows[1][2] and rows[1][2].endswith("(1)")
    assert rows[2][2].endswith("(2)")
    assert "the newest entry is of 2026-03-04" in page
    assert "among the 2 methods" in page
    assert f"`{track.pixels}`" in page
    assert f"--recipe {track.dataset}" in page


@pytest.mark.parametrize("name", ["a|b", "<b>x</b>", "# x", "[x](http://y)", "`x`", "x\n| y |", "_x_ *y*", "$x$"])
def test_a_name_cannot_break_the_page_or_the_index(made: Made, name: str) -> None:
    found = [entry(made(name, values(30)), f"2026 | {name}"), entry(made("a", values(20)))]
    page = board.page("samples", track_named("samples"), found)
    rows = [cells(line) for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not re.search(r"(?<!\\)<b>|^# x|(?<!\\)\[x\]", page, re.MULTILINE)
    index = board.index({"samples": (track_named("samples"), found)})
    assert {len(cells(line)) for line in index.splitlines() if line.startswith("| ")} == {6}


def test_the_csv_holds_every_number_of_every_summary(made: Made) -> None:
    found = [entry(made("b", values(30))), entry(made("a", {**values(20, 2)}, oracle=True))]
    rows = list(csv.DictReader(io.StringIO(board.table(found))))
    assert [(row["method"], row["metric"]) for row in rows] == [
        (name, metric) for name in ("b", "a") for metric in ("psnr", "ssim")
    ]
    assert [row["oracle"] for row in rows] == ["False", "False", "True", "True"]
    for row, number in zip(rows[:2], (30, 0.3), strict=True):
        assert float(row["value"]) == pytest.approx(number)
        assert row["noise_floor"] == "", "what there is none of is empty"


def test_the_index_says_which_boards_rank(made: Made) -> None:
    few, many = ([entry(made(name, values(20, count))) for name in "ab"] for count in (6, 30))
    track = track_named("samples")
    study = dataclasses.replace(track, study="paper0_table1")
    boards = {"one": (track, few), "two": (track, many), "three": (study, many), "four": (track, many[:1])}
    lines = board.index(boards).splitlines()
    found = {cells(line)[0]: cells(line) for line in lines if line.startswith("| [")}
    assert [row[2] for row in found.values()] == ["6", "30", "30", "30"]
    assert [row[4] for row in found.values()] == [
        "a smoke test, not ranked",
        "ranked",
        "a published table, measured again",
        "one method, nothing to rank",
    ]
    assert "[two](two/README.md)" in found


def test_less_is_better_where_it_is(made: Made) -> None:
    results = [made(name, {"delta_e2000": [value] * 30}) for name, value in (("a", 2.0), ("b", 1.0))]
    assert board.ranks(results, "delta_e2000") == {"b": 1, "a": 2}


def test_trainings_that_differ_by_their_seed_have_a_mean_and_a_spread(made: Made) -> None:
    def trained(name: str, mean: float, seed: int, steps: int = 500) -> Entry:
        found = entry(made(name, values(mean)))
        method = {
            **found.document["method"],
            "kind": "checkpoint",
            "architecture": "small_cnn",
            "settings": {"width": 8},
        }
        return dataclasses.replace(
            found, document={**found.document, "method": method, "training": {"steps": steps, "seed": seed}}
        )

    found = [trained("a0", 30, 0), trained("a1", 32, 1), trained("b0", 20, 0, steps=9), entry(made("c", values(10)))]
    assert [[e.result.name for e in group] for group in board.seed_groups(found)] == [["a0", "a1"]]
    page = board.page("samples", track_named("samples"), found)
    assert "| a0, a1 | 2 | 31.000 \u00b1 1.414 | 0.310 \u00b1 0.014 |" in page
    assert "500 steps; seed 0; measured on cpu, 2 cores" in page


def test_a_track_that_waits_says_what_to_get_and_what_will_be_measured() -> None:
    page = board.waiting("msec", track_named("msec"), ["- somebody"])
    for words in (
        "Not pinned yet",
        "mahmoudnafifi",
        "--recipe msec-expert-c-v1",
        "--track msec",
        "- psnr version 1",
        "- somebody",
    ):
        assert words in page
