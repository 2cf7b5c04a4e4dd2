"""exposurebench explain-gap"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exposurebench.protocols import PROTOCOLS


@pytest.fixture
def results(run: Callable[..., Any], samples: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two results in the folder where commands run; without the protocols that enlarge, which take their time."""
    for name in ("resize_1200x900", "resize_512"):
        monkeypatch.delitem(PROTOCOLS, name)
    for name in ("identity", "gamma"):
        run("eval", f"baseline:{name}", "--dataset", samples, "--metric", "psnr", "--metric", "ssim", "--out", name)
    return ["identity", "gamma"]


def test_a_gap_in_words_and_as_files(
    run: Callable[..., Any], results: list[str], samples: Path, tmp_path: Path
) -> None:
    shown = run("explain-gap", *results, "psnr=99.9", "--dataset", samples, "--out", "g")
    assert shown.out.startswith("identity: published psnr 99.9 dB, ")
    assert "no way gives it" in shown.out
    assert "ways to measure give this order" in shown.out
    assert (tmp_path / "g" / "ranks.png").is_file()
    table = pd.read_csv(tmp_path / "g" / "protocols.csv")
    assert list(table) == ["method", "protocol", "part", "metric", "value"]
    assert set(table["protocol"]) == set(PROTOCOLS)


def test_json(run: Callable[..., Any], results: list[str], samples: Path) -> None:
    told = run("explain-gap", results[0], "psnr=12", "ssim=0.5", "--dataset", samples, "--json").document
    assert set(told["claims"]) == {"psnr=12", "ssim=0.5"}
    offs = [abs(row["off"]) for row in told["claims"]["psnr=12"]]
    assert offs == sorted(offs)
    assert told["methods"] == ["identity"]


def test_one_line_says_why_not(refused: Callable[..., str], results: list[str], samples: Path) -> None:
    assert "expected the folder of a result" in refused("explain-gap", "psnr=23", "--dataset", samples, code=2)
    assert "such as psnr=23.1" in refused("explain-gap", results[0], "psnr=high", "--dataset", samples, code=2)
    assert "--dataset" in refused("explain-gap", results[0], code=2)
