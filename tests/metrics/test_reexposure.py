"""Re-exposure: what can be worked out by hand, and who is right about highlights."""

from __future__ import annotations

import math

import pytest
import torch

from exposurebench.metrics.reexposure import EXPOSURES_EV, reexposure


def test_clipped_light_is_wrong_where_it_comes_back() -> None:
    """Light l from 0 to 4 clipped at 1: at k EV the squared error of sqrt renders has a closed form."""
    light = torch.linspace(0, 4, 3 * 400 * 400, dtype=torch.float64).view(1, 3, 400, 400)
    found = reexposure(light.clamp(max=1), light, alignment="none")
    for ev in (-3, -2):  # all of it below white: the integral of (sqrt l - 1)^2 from 1 to 4, over 4
        assert found[f"psnr_{ev}"].item() == pytest.approx(-10 * math.log10(7 / 6 / 4 * 2**ev), abs=1e-3)
    for ev in (1, 2, 3):
        assert found[f"psnr_+{ev}"].item() == math.inf, "brighter, both are white there"


def test_a_factor_alone_is_not_wrong_unless_asked(light: torch.Tensor, unclipped: torch.Tensor) -> None:
    free, plain = (reexposure(0.3 * light, light, alignment=how, unclipped=unclipped) for how in ("gain", "none"))
    for column in free:
        assert (free[column] > (150 if "psnr" in column else 1 - 1e-9)).all()
        assert (plain[column] < free[column]).all()


def test_what_is_put_into_clipped_areas_shows_when_it_gets_darker(
    light: torch.Tensor, unclipped: torch.Tensor, sparkling: torch.Tensor
) -> None:
    """Scaling display values is re-exposing clipped light; half-right highlights are better, and sparkle is no help."""
    clipped, halfway = light.clamp(max=1), torch.where(light > 1, light.clamp(min=1) ** 0.8, light)
    brightness, better, sparkle = (reexposure(p, light, unclipped=unclipped) for p in (clipped, halfway, sparkling))
    for ev in (-3, -2, -1):
        assert (better[f"psnr_{ev}"] > brightness[f"psnr_{ev}"]).all()
    assert (sparkle["psnr_-3"] < brightness["psnr_-3"] + 1).all()


def test_the_response_decides(light: torch.Tensor) -> None:
    values = {
        crf: reexposure(light.clamp(max=1), light, crf=crf)["psnr_-3"][0].item() for crf in ("sqrt", "linear", "srgb")
    }
    assert len(set(values.values())) == 3
    with pytest.raises(ValueError, match="unknown camera response"):
        reexposure(light, light, crf="squirt")
    with pytest.raises(ValueError, match="alignment"):
        reexposure(light, light, alignment="percentile")  # type: ignore[arg-type]


def test_black_light_has_a_score_and_lost_inputs_have_no_gain(light: torch.Tensor) -> None:
    found = reexposure(torch.zeros_like(light), light)
    assert all(torch.isfinite(values).all() for values in found.values())
    assert list(found) == [f"{name}_{ev:+d}" for name in ("psnr", "ssim") for ev in EXPOSURES_EV]
    with pytest.raises(ValueError, match="0 all over"):
        reexposure(light, light, unclipped=torch.zeros(4, 1, *light.shape[2:]))
