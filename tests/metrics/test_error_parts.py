"""What each part holds, and that they are the whole."""

import numpy as np
import pytest
import torch

from exposurebench.catalog import load
from exposurebench.evaluate import evaluate
from exposurebench.exposure import overexpose, underexpose
from exposurebench.metrics.error_parts import COLUMNS, error_parts

PARTS = COLUMNS[1:]


def scene(seed: int = 0, top: float = 1.0) -> torch.Tensor:
    """One colourful picture with texture, in [0.02, top]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 7, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (96, 112), mode="bicubic").clamp(0.05, 0.95)
    return (smooth + 0.03 * torch.randn(smooth.shape, generator=generator, dtype=torch.float64)).clamp(0.02, 1) * top


def hole(target: torch.Tensor) -> torch.Tensor:
    """An area that was clipped: a quarter of the picture; 1 outside it."""
    area = torch.ones_like(target[:, :1])
    area[..., 20:68, 30:86] = 0
    return area


def shares(prediction: torch.Tensor, target: torch.Tensor, area: torch.Tensor | None = None) -> dict[str, float]:
    found = error_parts(prediction, target, unclipped=area)
    return {name: float(found[name] / found["total"]) for name in PARTS}


@pytest.mark.parametrize("baseline", ["identity", "gray", "noise", "curve", "swap"])
@pytest.mark.parametrize("clipped", ["nothing", "a hole", "everything"])
def test_parts_are_the_whole_error_and_none_is_negative(baseline: str, clipped: str) -> None:
    target = scene(1)
    noise = torch.rand(target.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    prediction = {
        "identity": (target / 0.7).clamp(max=1),
        "gray": torch.full_like(target, 0.5),
        "noise": noise,
        "curve": target**0.6,
        "swap": target[:, [2, 0, 1]] * 0.9,
    }[baseline]
    area = {"nothing": None, "a hole": hole(target), "everything": 0 * hole(target)}[clipped]
    parts = error_parts(prediction, target, unclipped=area)
    error = 255**2 * (prediction - target).square().mean()
    assert parts["total"].item() == pytest.approx(error.item(), rel=1e-12)
    assert sum(parts[name] for name in PARTS).item() == pytest.approx(error.item(), rel=1e-12)
    assert all(parts[name] >= 0 for name in PARTS)
    if clipped == "everything":
        assert parts["invented"] == parts["total"], "of an input without information, all is invented"
    if clipped == "nothing":
        assert parts["invented"] == 0


@pytest.mark.parametrize("gain", [0.5, 0.95, 1.3])
def test_a_gain_is_all_gain(gain: float) -> None:
    target = scene(top=0.7)
    for area in (None, hole(target)):
        assert shares(gain * target, target, area)["gain"] == pytest.approx(1, abs=1e-12)


def test_a_curve_is_gain_and_tone_alone() -> None:
    target = scene()
    for area in (None, hole(target)):
        found = shares(target**0.7, target, area)
        assert found["gain"] + found["tone"] == pytest.approx(1, abs=1e-3)
        assert found["tone"] > 0.2


def test_a_curve_that_is_no_gain_is_all_tone() -> None:
    """What is brighter below and darker above, as much as to leave the best gain at 1."""
    target = scene()
    bend = target * (1 - target) * (0.5 - target)

    def gain_of(middle: float) -> float:
        ours = (target + 0.6 * (bend + (0.5 - middle) * target * (1 - target))).sum(1)
        return float((ours * target.sum(1)).sum() / ours.square().sum())

    low, high = -1.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if gain_of(middle) > 1 else (middle, high)
    prediction = target + 0.6 * (bend + (0.5 - low) * target * (1 - target))
    assert gain_of(low) == pytest.approx(1, abs=1e-9)
    found = shares(prediction, target)
    assert found["tone"] == pytest.approx(1, abs=0.01)
    assert found["gain"] < 1e-9


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_exchanged_channels_are_color(order: tuple[int, int, int]) -> None:
    target = scene()
    for area in (None, hole(target)):
        assert shares(target[:, order], target, area)["color"] == pytest.approx(1, abs=1e-9)


def test_noise_where_the_input_was_clipped_is_invented() -> None:
    target = scene(top=0.9)
    area = hole(target)
    noise = 0.3 * torch.randn(target.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    prediction = torch.where(area > 0, target, (target + noise).clamp(0, 1))
    assert shares(prediction, target, area)["invented"] == pytest.approx(1, abs=1e-12)


def test_noise_where_it_was_not_could_be_recovered() -> None:
    target = scene(top=0.9)
    area = hole(target)
    noise = 0.02 * torch.randn(target.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    prediction = torch.where(area > 0, (target + noise).clamp(0, 1), target)
    assert shares(prediction, target, area)["recoverable"] > 0.97


def test_light_clipped_and_scaled() -> None:
    """The input's error is its gain and what was clipped; its inverse leaves what was clipped alone."""
    target = scene()
    given = overexpose(target, 0.5)
    area = (given.amax(1, keepdim=True) < 250 / 255).double()
    as_it_is, inverted = shares(given, target, area), shares(underexpose(given, 0.5), target, area)
    assert as_it_is["gain"] > 0.6
    assert as_it_is["gain"] + as_it_is["invented"] > 0.97
    assert inverted["invented"] > 0.999


def test_a_table_has_the_parts_and_knows_the_inputs_clipped_area(samples) -> None:
    result = evaluate("baseline:inverse_clip", samples, metrics=["psnr", "error_parts"])
    rows = result.summary.set_index("metric")["value"]
    parts = [rows[f"error_parts.{name}"] for name in PARTS]
    assert sum(parts) == pytest.approx(rows["error_parts.total"], rel=1e-8)
    assert rows["error_parts.invented"] > 0.9 * rows["error_parts.total"]
    total = result.per_image["error_parts:total"].to_numpy()
    assert 10 * np.log10(255**2 / total) == pytest.approx(result.per_image["psnr"].to_numpy(), abs=1e-6)


def test_refuses_an_area_of_another_shape() -> None:
    target = scene()
    with pytest.raises(ValueError, match="unclipped"):
        load("metrics", "error_parts").function()(target, target, unclipped=hole(target)[..., :50])
