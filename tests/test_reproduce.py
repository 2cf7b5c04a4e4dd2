"""Rows that are run again: they give the committed values, and a doctored one does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exposurebench.errors import InputError
from exposurebench.reproduce import TOLERANCE, reproduce

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"


def test_what_has_to_be_downloaded_is_not_run_again(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photos72 has to be downloaded"):
        list(reproduce(["photos72"], ROOT, tmp_path))


@pytest.mark.slow
def test_the_committed_rows_are_given_again_and_a_doctored_one_is_not(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "boards" / "samples")
    path = tmp_path / "boards" / "samples" / "entries" / "gamma.json"
    document = json.loads(path.read_text())
    document["values"]["psnr"]["value"] += 40 * TOLERANCE
    path.write_text(json.dumps(document))
    notes: list[str] = []
    problems = list(reproduce(["samples"], tmp_path / "boards", tmp_path / "sets", on_note=notes.append))
    assert [problem.partition(" is ")[0] for problem in problems] == ["samples/entries/gamma.json: psnr"]
    assert notes == [f"samples: 10 rows run again, tolerance {TOLERANCE:g}"]
