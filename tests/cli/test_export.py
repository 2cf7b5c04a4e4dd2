"""exposurebench export"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_data_set_is_exported(run: Callable[..., Any], samples: Path, tmp_path: Path) -> None:
    shown = run("export", samples, "--format", "webdataset", "--out", "tars", "--per-file", 4)
    assert (shown.out, shown.err) == ("tars: 6 test pairs as webdataset\n", "")
    assert sorted(path.name for path in (tmp_path / "tars").glob("*.tar")) == ["test-000000.tar", "test-000001.tar"]
    document = run("export", samples, "--format", "pix2pix", "--out", "sides", "--json").document
    assert (document["out"], document["layout"], document["remarks"]) == ("sides", "pix2pix", [])


def test_mistakes_are_told_in_a_line(refused: Callable[..., str], samples: Path) -> None:
    assert "did you mean 'parquet'?" in refused("export", samples, "--format", "parket", "--out", "a", code=2)
    assert "no data set in 'nowhere'" in refused("export", "nowhere", "--format", "basicsr", "--out", "a", code=4)
    assert "is not empty" in refused("export", samples, "--format", "basicsr", "--out", samples, code=2)
