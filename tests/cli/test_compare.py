"""exposurebench compare"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exposurebench.images import encode_image, encode_radiance


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


@pytest.fixture
def light(tmp_path: Path) -> None:
    ramp = np.linspace(0.01, 4, 40 * 40 * 3, dtype=np.float32).reshape(40, 40, 3)
    for name, image in (("a", ramp.clip(None, 2)), ("b", ramp)):
        (tmp_path / f"{name}.exr").write_bytes(encode_radiance(image, "exr32"))


@pytest.mark.usefixtures("light")
def test_a_display_is_said_once_for_every_metric(run: Callable[..., Any]) -> None:
    metrics = ("--metric", "hdrvdp3", "--metric", "pu21_psnr")
    words = ("compare", "a.exr", "b.exr", *metrics, "--peak", "300", "--json")
    told = run(*words, "--pixels-per-degree", "45", "--metric-set", "pu21_psnr.peak_nits=200").document["protocols"]
    assert [told["hdrvdp3"][name] for name in ("pixels_per_degree", "peak_nits")] == [45, 300]
    assert told["pu21_psnr"]["peak_nits"] == 200, "what is said of one metric wins"
    assert "pixels_per_degree" not in told["pu21_psnr"]
    seen = run(*words, "--display", "3840x2160,30,0.6").document["protocols"]["hdrvdp3"]["pixels_per_degree"]
    assert seen == pytest.approx(62.46, abs=0.01), "2160 rows of 0.3736 m in all are 34.58 degrees"


@pytest.mark.usefixtures("light", "pictures")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("a.exr", "b.exr", "--metric", "pu21_psnr", "--pixels-per-degree", "30"),
            2,
            "none of pu21_psnr has pixels_per",
        ),
        (("a/x.png", "b/x.png", "--peak", "300"), 2, "none of psnr, ssim has peak_nits"),
        (("a.exr", "b.exr", "--display", "4k"), 2, "'4k': expected a display as COLUMNSxROWS,INCHES,METRES"),
        (("a.exr", "b.exr", "--display", "8x8,0,1"), 2, "all positive"),
        (("a.exr", "b.exr", "--display", "8x8,1,1", "--pixels-per-degree", "30"), 2, "leave out --pixels-per-degree"),
        (("a.exr", "b.exr", "--pixels-per-degree", "-3"), 3, "pixels_per_degree must be positive"),
    ],
)
def test_a_display_that_is_none(refused: Callable[..., str], words: tuple[str, ...], code: int, said: str) -> None:
    assert said in refused("compare", *words, code=code)
