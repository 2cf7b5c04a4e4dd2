"""exposurebench compare"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exposurebench.images import encode_image


@pytest.fixture
def pictures(tmp_path: Path) -> None:
    for folder, level in (("a", 110), ("b", 100)):
        for name in ("x", "y"):
            path = tmp_path / folder / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encode_image(np.full((16, 16, 3), level, np.uint8)))


@pytest.mark.usefixtures("pictures")
def test_two_images(run: Callable[..., Any], tmp_path: Path) -> None:
    shown = run("compare", "a/x.png", "b/x.png", "--map", "d.png", "--metric", "psnr").out.splitlines()
    assert shown[0].split() == ["metric", "value", "better"]
    assert shown[1].split() == ["psnr", "dB", "28.13", "higher"]
    assert "1 map, black where equal: d.png" in shown
    assert shown[-1].startswith("psnr version 1: ")
    assert (tmp_path / "d.png").is_file()


@pytest.mark.usefixtures("pictures")
def test_two_folders_as_json(run: Callable[..., Any], tmp_path: Path) -> None:
    told = run("compare", "a", "b", "--map", "maps", "--metric-set", "ssim.color=luma", "--json").document
    assert [row["id"] for row in told["per_image"]] == ["x", "y"]
    assert told["per_image"][0]["psnr"] == pytest.approx(28.131, abs=1e-3)
    assert {row["metric"] for row in told["summary"]} >= {"psnr", "ssim", "histogram_similarity.mean"}
    assert told["protocols"]["ssim"]["color"] == "luma"
    assert told["maps"] == ["maps/x.png", "maps/y.png"]
    assert told["unmatched"] == []


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("a", "nowhere"), 3, "'nowhere': no such file or folder"),
        (("a", "b/x.png"), 3, "expected two images or two folders"),
        (("a", "b", "--metric", "psrn"), 2, "did you mean 'psnr'"),
        (("a", "b", "--metric-set", "color=luma"), 2, "--metric-set 'color': expected METRIC.key=value"),
        (("a", "b", "--metric-set", "ssim.color"), 2, "--metric-set 'ssim.color': expected METRIC.key=value"),
        (("a/x.png", "b/x.png", "--map", "d.jpg"), 2, "ends in .png, not 'd.jpg'"),
    ],
)
def test_mistakes_end_in_one_line(refused: Callable[..., str], words: tuple[object, ...], code: int, said: str) -> None:
    assert said in refused("compare", *words, code=code)
