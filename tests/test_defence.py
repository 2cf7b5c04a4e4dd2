"""Verdicts follow from tables, and what was doctored is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exposurebench import catalog, defence, leaderboard
from exposurebench.defence import attacks_on, gives, measured, read
from exposurebench.errors import InputError
from exposurebench.files import sha256
from exposurebench.leaderboard import everything
from exposurebench.track import Track, track_named, tracks

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"
RANKING = [name for name, track in tracks().items() if track.pinned and not track.study]


@pytest.mark.parametrize("name", RANKING)
def test_no_track_ranks_where_a_cheat_pays(name: str) -> None:
    found = read(name, ROOT)
    if found is None:
        assert "no cheat was set on it yet" in everything(ROOT).withheld(name)
        return
    assert not ("broken" in found.verdicts.values() and not found.withheld)
    assert set(found.verdicts) == set(attacks_on(track_named(name)))
    assert list(defence.problems(name, track_named(name), found, ROOT)) == []


def light(metrics: dict[str, int]) -> Track:
    return Track("t", "a", "d", "test", metrics, "0" * 64, "0" * 64)


def test_which_cheats_are_set_on_a_track_follows_from_its_answers() -> None:
    assert gives(track_named("samples")) == "srgb"
    assert gives(light({"pu21_psnr": 1})) == gives(light({"reexposure": 1})) == "linear"
    assert {"gap_reader"} <= set(attacks_on(track_named("samples"))) - set(attacks_on(light({"pu21_psnr": 1})))
    everywhere = set(attacks_on(track_named("samples"))) | set(attacks_on(light({"pu21_psnr": 1})))
    assert everywhere == set(catalog.names("attacks"))
    assert measured(track_named("samples")) == ["psnr", "ssim", "histogram_similarity"]
    assert measured(light({"pu21_psnr": 1, "mu_psnr": 1})) == [
        *("pu21_psnr", "mu_psnr", "pu21_psnr/percentile", "mu_psnr/percentile")
    ]


def gain(low: float | None, high: float | None, margin: float = 0.1, ranks: bool = True) -> dict[str, Any]:
    return {"low": low, "high": high, "margin": margin, "ranks": ranks}


@pytest.mark.parametrize(
    ("gains", "needs", "verdict"),
    [
        ([gain(-2, -1)], ["input"], "holds"),
        ([gain(0, 0)], ["input"], "holds"),
        ([gain(-1, 0.1)], ["input"], "holds"),
        ([gain(-1, 0.11)], ["input"], "unsure"),
        ([gain(0.05, 0.2)], ["input"], "unsure"),
        ([gain(0.11, 0.2)], ["input"], "broken"),
        ([gain(-2, -1), gain(0.01, 0.02, 0.0)], ["input"], "broken"),
        ([gain(-2, -1), gain(5, 6, ranks=False)], ["input"], "holds"),
        ([gain(5, 6)], ["input", "target"], "barred"),
        ([gain(5, 6)], ["input", "clues", "known"], "barred"),
        ([gain(-2, -1)], ["input", "target"], "holds"),
        ([gain(5, 6)], ["input", "others"], "broken"),
        ([gain(None, None)], ["input"], "unsure"),
        ([gain(-0.5, -0.05, -0.1)], ["input"], "unsure"),
    ],
)
def test_the_verdict_is_the_intervals(gains: list[Any], needs: list[str], verdict: str) -> None:
    assert defence._verdict({str(place): each for place, each in enumerate(gains)}, needs) == verdict


# ---- committed files ---------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The attacks of the committed smoke test, without its entries."""
    (tmp_path / "samples").mkdir()
    for name in ("attacks.json", "attacks.csv"):
        shutil.copy(ROOT / "samples" / name, tmp_path / "samples" / name)
    return tmp_path


@pytest.fixture
def ranked(tmp_path: Path) -> Path:
    """The committed ranking with two of its entries."""
    kept = [f"{name}.{kind}" for name in ("identity", "inverse_clip_blind") for kind in ("json", "csv")]
    others = [path.name for path in (ROOT / "photos72" / "entries").iterdir() if path.name not in kept]
    shutil.copytree(ROOT / "photos72", tmp_path / "photos72", ignore=shutil.ignore_patterns(*others))
    leaderboard.build(tmp_path)
    return tmp_path


Doctor = Callable[[dict[str, Any], pd.DataFrame], None]


def better(document: dict[str, Any], table: pd.DataFrame) -> None:
    document["attacks"]["gt_mean"]["gains"]["psnr"]["gain"] -= 1


def softer(document: dict[str, Any], table: pd.DataFrame) -> None:
    document["attacks"]["train_mean"]["exploits"] = "nothing"


def lost(document: dict[str, Any], table: pd.DataFrame) -> None:
    del document["attacks"]["gap_reader"]


def elsewhere(document: dict[str, Any], table: pd.DataFrame) -> None:
    document["dataset"]["pixels"] = "0" * 64


def otherwise(document: dict[str, Any], table: pd.DataFrame) -> None:
    document["protocols"]["psnr"]["border_px"] = 4


def excused(document: dict[str, Any], table: pd.DataFrame) -> None:
    document["attacks"]["gt_mean"] |= {"verdict": "refused", "refused": "it has another size"}


def dropped(document: dict[str, Any], table: pd.DataFrame) -> None:
    table.loc[0, "id"] = "another"


def worse(document: dict[str, Any], table: pd.DataFrame) -> None:
    table.loc[0, "psnr"] -= 3


def strange(document: dict[str, Any], table: pd.DataFrame) -> None:
    del table["psnr"]


@pytest.mark.parametrize(
    ("doctor", "said"),
    [
        (better, "facts or values that the cheats and their table do not give"),
        (softer, "facts or values"),
        (lost, "not of the cheats that there are"),
        (elsewhere, "not of the pinned pixels"),
        (otherwise, "another protocol"),
        (excused, "says that gt_mean was refused"),
        (dropped, "does not hold the track's pairs under gap_reader (cheat)"),
        (worse, "facts or values"),
        (strange, "does not give the metrics (it has no column 'psnr')"),
    ],
)
def test_what_was_doctored_is_found(copy: Path, doctor: Doctor, said: str) -> None:
    """Whoever mends the hash of the table, too, is found by what no longer follows from it."""
    path = copy / "samples" / "attacks.json"
    document, table = json.loads(path.read_text()), pd.read_csv(path.with_suffix(".csv"))
    doctor(document, table)
    table.to_csv(path.with_suffix(".csv"), index=False, lineterminator="\n")
    document["per_image_sha256"] = sha256(path.with_suffix(".csv").read_bytes())
    path.write_text(json.dumps(document))
    pinned, found = track_named("samples"), read("samples", copy)
    assert found is not None
    assert any(said in problem for problem in defence.problems("samples", pinned, found, copy))


def test_another_table_is_found_by_its_hash(copy: Path) -> None:
    path = copy / "samples" / "attacks.csv"
    path.write_text(path.read_text().replace("astronaut,astronaut", "astronaut, astronaut", 1) + "\n")
    found = read("samples", copy)
    assert found is not None
    assert "samples/attacks.csv is not the table that attacks.json names" in " ".join(
        defence.problems("samples", track_named("samples"), found, copy)
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"attacks": []},
        {"attacks": {"gt_mean": []}},
        {"attacks": {"gt_mean": {"verdict": "holds"}}},
        {"protocols": "psnr"},
    ],
    ids=["no attacks", "no attack", "no gains", "no protocols"],
)
def test_damaged_files_are_one_line(copy: Path, damage: dict[str, Any]) -> None:
    path = copy / "samples" / "attacks.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(InputError, match="damaged: run exposurebench attack samples again"):
        read("samples", copy)
    assert read("photos72", copy) is None


@pytest.mark.parametrize(
    "damage", [{"gains": {"psnr": {"gain": 1}}}, {"sets": {"x": {"cheat": 1}}}, {"verdict": "fine"}]
)
def test_what_no_page_can_show_is_damage(damage: dict[str, Any]) -> None:
    whole = json.loads((ROOT / "samples" / "attacks.json").read_text())["attacks"]["gt_mean"]
    assert defence._is_whole(whole)
    assert not defence._is_whole({**whole, **damage})


def test_a_track_that_was_not_attacked_gives_no_places(ranked: Path) -> None:
    page, index = ranked / "photos72" / "README.md", ranked / "README.md"
    assert " (1) |" in page.read_text()
    assert "| ranked |" in index.read_text()
    (ranked / "photos72" / "attacks.json").unlink()
    assert any("photos72/README.md is not what its entries give" in problem for problem in leaderboard.check(ranked))
    leaderboard.build(ranked)
    assert " (1) |" not in page.read_text()
    assert "No places are given: no cheat was set on it yet" in page.read_text()
    assert "| ranked |" not in index.read_text()


def test_a_track_that_rewards_a_cheat_gives_no_places_and_one_of_damaged_attacks_is_told(ranked: Path) -> None:
    path = ranked / "photos72" / "attacks.json"
    document = json.loads(path.read_text())
    document["attacks"]["gap_reader"]["verdict"] = "broken"
    path.write_text(json.dumps(document))
    assert any("facts or values that the cheats" in problem for problem in leaderboard.check(ranked))
    leaderboard.build(ranked)
    page = (ranked / "photos72" / "README.md").read_text()
    assert "No places are given: not kept down: gap_reader (broken)" in page
    assert " (1) |" not in page
    path.write_text("{")
    [problem] = leaderboard.check(ranked)
    assert "attacks.json" in problem
