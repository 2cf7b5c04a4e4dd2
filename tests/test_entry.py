"""Entries as documents: what is damaged is told, grades and costs cannot be claimed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench import catalog
from exposurebench.entry import WEIGHTS_BYTES, cost_of, grade_of, read_entry, training_of, weights_of
from exposurebench.errors import InputError
from exposurebench.files import sha256

ENTRY = Path(__file__).resolve().parent.parent / "leaderboards" / "samples" / "entries" / "gamma.json"
Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(extra=1), "unknown key 'extra'"),
        (lambda d: d.pop("hardware"), "it lacks hardware"),
        (lambda d: d.update(hardware=3), "hardware must be of the type str, not 3"),
        (lambda d: d.update(grade="checked"), "unknown grade 'checked'"),
        (lambda d: d.update(grade="claimed"), "unknown grade 'claimed'"),
        (lambda d: d.update(date="yesterday"), "date must be like 2026-11-21, not 'yesterday'"),
        (lambda d: d["method"].update(oracle="no"), "method.oracle must be of the type bool, not 'no'"),
        (lambda d: d["dataset"].pop("pairs"), "dataset.pairs must be of the type int, not 'missing'"),
        (lambda d: d["values"]["psnr"].update(value="30"), "psnr must hold numbers"),
        (lambda d: d["protocols"].update(psnr=1), "the protocol of psnr is none"),
        (lambda d: d.update(reported={"psnr": {"value": 30}}), "reported psnr must have a value and a source"),
        (lambda d: d.update(weights={"file": "a.pt"}), "weights.sha256 must be of the type str"),
    ],
)
def test_a_damaged_entry_is_told(tmp_path: Path, change: Change, said: str) -> None:
    document = json.loads(ENTRY.read_text("utf-8"))
    change(document)
    (tmp_path / "gamma.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=re.escape(said)):
        read_entry(tmp_path / "gamma.json")


def test_the_committed_entries_are_whole() -> None:
    for path in ENTRY.parents[2].glob("*/entries/*.json"):
        assert read_entry(path)["track"] == path.parents[1].name


def test_a_network_is_verified_by_weights_beside_it_alone() -> None:
    checkpoint = {"method": {"kind": "checkpoint"}}
    assert grade_of(checkpoint) == "scored"
    assert grade_of({**checkpoint, "weights": {"file": "weights/a.pt"}}) == "verified"


def test_the_cost_is_counted_whatever_a_result_says() -> None:
    method = {"kind": "checkpoint", "architecture": "small_cnn", "settings": {}, "parameters": 1}
    assert cost_of(method) == {
        "parameters": catalog.load("models", "small_cnn").fact("PARAMETERS"),
        "macs_per_megapixel": 3168000000,
    }
    assert cost_of({"kind": "onnx", "parameters": 7}) == {"parameters": 7}
    assert cost_of({"kind": "baseline"}) == {}
    assert training_of({"kind": "checkpoint", "steps": 5, "seed": 1, "title": "a"}) == {"steps": 5, "seed": 1}


def test_only_the_weights_that_were_scored_lie_beside_an_entry(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    method = {"checkpoint_sha256": sha256(b"weights")}
    assert weights_of(path, method, "mine") == {"file": "weights/mine.pt", "sha256": sha256(b"weights"), "bytes": 7}
    with pytest.raises(InputError, match="is not the file that was scored"):
        weights_of(path, {"checkpoint_sha256": "0" * 64}, "mine")
    with path.open("wb") as stream:
        stream.truncate(WEIGHTS_BYTES + 1)
    with pytest.raises(
        InputError, match=re.escape("has 8,000,001 bytes, and weights beside an entry at most 8,000,000")
    ):
        weights_of(path, method, "mine")
