"""exposurebench quickstart"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exposurebench import quickstart
from exposurebench.recipe import read_recipe


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows on small photographs; the whole of it is walked end to end elsewhere."""
    monkeypatch.setattr(quickstart, "read_recipe", lambda *a: {**read_recipe(*a), "size": 80})
    monkeypatch.setattr(quickstart, "BASELINES", ("identity", "inverse_clip"))


def test_a_table_best_first_and_a_page(run: Callable[..., Any], tmp_path: Path) -> None:
    shown = run("quickstart")
    head, *rows = shown.out.splitlines()[:3]
    assert head.startswith("method")
    values = {row.split()[0]: float(row.split()[1]) for row in rows}
    assert values.keys() == {"identity", "inverse_clip*"}
    assert list(values.values()) == sorted(values.values(), reverse=True)
    assert "6 photographs: a smoke test, not a ranking" in shown.out
    assert shown.out.endswith("Page with pictures: exposurebench-quickstart/report.html\n")
    assert "smoke test" in (tmp_path / "exposurebench-quickstart" / "report.html").read_text()
    assert shown.err == "", "no bar where there is no terminal"


def test_json_is_one_document_and_a_second_run_the_same(run: Callable[..., Any], tmp_path: Path) -> None:
    told = run("quickstart", "--json", "--out", "q")
    assert told.err == ""
    assert told.document.keys() == {"identity", "inverse_clip", "page"}
    assert {row["metric"] for row in told.document["identity"]} >= {"psnr", "ssim", "histogram_similarity.mean"}
    page = (tmp_path / "q" / "report.html").read_bytes()
    assert run("quickstart", "--json", "--out", "q").document == told.document
    assert (tmp_path / "q" / "report.html").read_bytes() == page


def test_a_folder_that_cannot_be_used(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "q").write_text("mine")
    assert "choose another folder" in refused("quickstart", "--out", "q", code=74)
    (tmp_path / "r" / "samples-tau50-v1").mkdir(parents=True)
    (tmp_path / "r" / "samples-tau50-v1" / "thesis.txt").write_text("mine")
    assert "is not empty and holds no data set" in refused("quickstart", "--out", "r", code=2)
