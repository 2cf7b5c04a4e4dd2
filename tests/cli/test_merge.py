"""exposurebench merge, and make-dataset --shard"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench.dataset import load_dataset

MAKE = ("make-dataset", "samples", "--tau", 0.5, "--size", 48, "--well-exposed", 1, "--workers", 1)


def test_shares_are_made_and_merged(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*MAKE, "--out", "one")
    first = run(*MAKE, "--out", "set", "--shard", "1/2")
    assert first.out.startswith("set: 3 of 6 shards stand (3 photographs) in ")
    assert first.out.endswith("  when all do: exposurebench merge set\n")
    assert "--shard 2/2 again, then merge" in run("merge", "set", code=3).err
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    assert run(*MAKE, "--out", "set", "--shard", "auto", "--json").document["shards"] == 3
    assert run("merge", "set").out.startswith("set: 6 test pairs from 6 photographs in ")
    merged = run("merge", "set", "--json").document
    assert merged["fingerprints"] == load_dataset(tmp_path / "one").document["fingerprints"]
    assert (tmp_path / "set" / "README.md").read_bytes() == (tmp_path / "one" / "README.md").read_bytes()


def test_a_photograph_that_is_left_out_is_the_merges_exit_code(
    run: Callable[..., Any], write_photographs: Callable[..., Path], tmp_path: Path
) -> None:
    (write_photographs(tmp_path / "data" / "folder", 3) / "empty.jpg").touch()
    words = ("make-dataset", "folder", "--tau", 0.5, "--workers", 1, "--out", "set", "--shard", "1/1")
    run(*words)
    assert "  left out: 1 unreadable (see set/rejected.csv)\n" in run("merge", "set", code=1).out


def test_what_cannot_be_merged_is_said_in_a_line(refused: Callable[..., str]) -> None:
    assert "'nowhere/.exposurebench/plan.json' is missing" in refused("merge", "nowhere", code=3)
    assert "there is no share 3/2" in refused(*MAKE, "--shard", "3/2", code=2)


def test_a_cluster_and_a_share_are_two_ways(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "needs Ray: pip install 'exposurebench[cluster]'" in refused(*MAKE, "--engine", "ray", code=4)
    assert "--shard is for --engine local" in refused(*MAKE, "--engine", "ray", "--shard", "1/2", code=2)
    assert "--address for --engine ray" in refused(*MAKE, "--address", "head:6379", code=2)
