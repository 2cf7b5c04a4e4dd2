"""exposurebench leaderboard"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench.evaluate import evaluate
from exposurebench.result import write_result
from exposurebench.track import tracks

COMMITTED = Path(__file__).resolve().parents[2] / "leaderboards"


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """One of the committed boards, where `--root` is by default."""
    shutil.copytree(COMMITTED / "samples", tmp_path / "leaderboards" / "samples")
    return tmp_path / "leaderboards"


def test_pages_are_built_from_the_entries_and_checked(run: Callable[..., Any], boards: Path) -> None:
    assert "\nREADME.md is not what its entries give" in run("leaderboard", "check", code=1).err
    names = [name for name, track in tracks().items() if name == "samples" or not track.pinned]
    files = {"samples": ["README.md", "table.csv"]}
    pages = [f"leaderboards/{name}/{file}" for name in names for file in files.get(name, ["README.md"])]
    pages.append("leaderboards/README.md")
    assert run("leaderboard", "build", "--json").document == {"written": pages}
    assert run("leaderboard", "build").out.splitlines() == pages
    assert (boards / "samples" / "README.md").read_bytes() == (COMMITTED / "samples" / "README.md").read_bytes()
    assert run("leaderboard", "check").out == "leaderboards: everything follows from its entries\n"
    assert run("leaderboard", "check", "--json").document == {"problems": []}


def test_what_was_doctored_is_told(run: Callable[..., Any], boards: Path) -> None:
    run("leaderboard", "build")
    page, csv = boards / "samples" / "README.md", boards / "samples" / "entries" / "gamma.csv"
    page.write_text(page.read_text().replace("verified", "checked", 1))
    csv.write_text(csv.read_text() + "\n")
    told = run("leaderboard", "check", "--json", code=1)
    assert len(told.document["problems"]) == 2
    assert told.err == ""
    shown = run("leaderboard", "check", code=1)
    assert shown.out == "leaderboards: 2 problems\n"
    assert shown.err.splitlines() == told.document["problems"]


@pytest.mark.parametrize("command", ["build", "check"])
def test_a_folder_that_is_not_there_is_not_made(refused: Callable[..., str], tmp_path: Path, command: str) -> None:
    line = refused("leaderboard", command, "--root", "nowhere", code=3)
    assert "no folder 'nowhere'" in line
    assert "--root" in line
    assert list(tmp_path.iterdir()) == []


def test_results_that_do_not_belong(refused: Callable[..., str], samples: Path, boards: Path, tmp_path: Path) -> None:
    assert "'nowhere/result.json' is missing" in refused("leaderboard", "add", "nowhere", "--track", "samples", code=3)
    write_result(evaluate("baseline:identity", samples, metrics=["psnr"]), tmp_path / "r")
    before = sorted(boards.rglob("*"))
    line = refused("leaderboard", "add", "r", "--track", "samples", code=3)
    for part in ("its data set is not the pinned one", "--recipe samples-tau50-v1", "ssim has version none"):
        assert part in line
    assert "did you mean 'samples'?" in refused("leaderboard", "add", "r", "--track", "sample", code=2)
    assert "unknown track '../samples'" in refused("leaderboard", "add", "r", "--track", "../samples", code=2)
    (tmp_path / "r" / "result.json").write_text('{"format": "exposurebench.result", "schema": 2}')
    assert "update exposurebench" in refused("leaderboard", "add", "r", "--track", "samples", code=3)
    (tmp_path / "r" / "result.json").write_text("{")
    assert "cannot be read as the result of an evaluation" in refused(
        "leaderboard", "add", "r", "--track", "samples", code=3
    )
    assert sorted(boards.rglob("*")) == before


def test_the_site_is_written_and_a_track_run_again_is_told(
    run: Callable[..., Any], refused: Callable[..., str], boards: Path, tmp_path: Path
) -> None:
    written = run("leaderboard", "site", "--out", "site", "--json").document["written"]
    assert "site/samples/gamma.html" in written and "site/index.html" in written
    assert all((tmp_path / name).is_file() for name in written)
    assert run("leaderboard", "site", "--out", "site").out == f"site/index.html: {len(written)} files\n"
    assert "photos72 has to be downloaded" in refused("leaderboard", "check", "--rerun", "photos72", code=3)


def test_published_values_need_numbers_and_a_source(refused: Callable[..., str], boards: Path, samples: Path) -> None:
    write_result(evaluate("baseline:identity", samples), Path("r"))
    words = ("leaderboard", "add", "r", "--track", "samples", "--published")
    assert "expected METRIC=VALUE" in refused(*words, "psnr", code=2)
