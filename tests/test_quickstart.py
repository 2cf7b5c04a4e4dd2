"""Everything once: which rows there are, and that a second run finds what the first one built."""

from __future__ import annotations

from pathlib import Path

import pytest

from exposurebench import catalog, quickstart
from exposurebench.dataset import load_dataset
from exposurebench.errors import StorageError
from exposurebench.evaluate import read_result
from exposurebench.recipe import read_recipe

ROWS = quickstart.BASELINES


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded data set at 96 pixels, two rows, and a cache of its own."""
    monkeypatch.setattr(quickstart, "read_recipe", lambda *a: {**read_recipe(*a), "size": 96})
    monkeypatch.setattr(quickstart, "BASELINES", ("identity", "inverse_clip/blind"))
    monkeypatch.setenv("EXPOSUREBENCH_CACHE", str(tmp_path / "cache"))


def test_the_rows_are_baselines_that_need_no_training_data() -> None:
    assert len(set(ROWS)) == len(ROWS) == 9, "the README says nine"
    assert set(ROWS) <= set(catalog.names("baselines"))
    assert all("training_targets" not in catalog.load("baselines", row).fact("NEEDS") for row in ROWS)


def test_results_come_one_at_a_time_and_are_on_disk(tmp_path: Path) -> None:
    results = quickstart.quickstart(tmp_path / "out")
    first = next(results)
    assert first.name == "identity"
    assert [p.name for p in (tmp_path / "out" / "results").iterdir()] == ["identity"]
    assert [result.name for result in results] == ["inverse_clip/blind"]
    for result, folder in ((first, "identity"), (None, "inverse_clip-blind")):
        read = read_result(tmp_path / "out" / "results" / folder)
        assert read.per_image["scene"].nunique() == 6
        assert result is None or read.summary.equals(result.summary)


def test_the_embedded_data_set_is_built_once_in_the_cache(tmp_path: Path) -> None:
    folder = quickstart.samples_dataset()
    assert folder.is_relative_to(tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert quickstart.samples_dataset() == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")} == before
    assert load_dataset(folder).document["counts"] == {"test": {"pairs": 6, "photographs": 6}}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StorageError, match="choose another folder"):
        next(quickstart.quickstart(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"
