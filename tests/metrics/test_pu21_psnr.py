import math

import numpy as np
import pytest
import torch

from exposurebench.alignment import align, to_nits
from exposurebench.images import read_image
from exposurebench.metrics.pu21_psnr import VARIANTS, pu21_psnr
from exposurebench.perception import pu21_encode


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: pu21_psnr(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])
percentile = aligned(**VARIANTS["percentile"])


@pytest.mark.parametrize(
    ("metric", "params", "settings"),
    [
        ("PU21-PSNR", "banding_glare, peak=256, all channels", {}),
        ("PU21-PSNRY", "banding_glare, peak=256, luminance", {"color": "luminance"}),
    ],
    ids=["rgb", "luminance"],
)
def test_reference_scores(references, metric, params, settings):
    rows = references.light_scores(metric, params)
    assert len(rows) == 11
    for pair, score in rows:
        assert pu21_psnr(*references.light(pair), **settings).item() == pytest.approx(score, abs=1e-9), pair
        single = (side.float() for side in references.light(pair))
        assert pu21_psnr(*single, **settings).item() == pytest.approx(score, abs=1e-3), pair


def test_closed_form():
    target = torch.full((1, 3, 5, 7), 100.0, dtype=torch.float64)
    prediction = target.clone()
    prediction[0, 1, 2, 3] = 1.0
    error = (pu21_encode(target) - pu21_encode(prediction)).square().sum().item() / 105
    assert plain(prediction, target).item() == pytest.approx(10 * math.log10(256**2 / error), abs=1e-12)


def test_equal_images_are_infinite(light, unclipped):
    target = to_nits(light, light)[1]
    for score in (pu21_psnr, plain, aligned(unclipped=unclipped)):
        assert score(target, target).isposinf().all()


def test_exposure_and_curve_of_the_prediction_do_not_count_in_the_headline(light, unclipped):
    """A method is not asked for the scene's brightness or the camera's curve; without alignment it is."""
    clipped = light.clamp(max=1)
    scores = {}
    for name, prediction in {"as is": clipped, "darker": clipped / 3, "bent": clipped**1.15}.items():
        sides = to_nits(prediction, light)
        scores[name] = aligned(unclipped=unclipped)(*sides), plain(*sides)
    for name, within in {"darker": 1e-6, "bent": 0.5}.items():
        assert (scores[name][0] - scores["as is"][0]).abs().max() < within, name
        assert (scores[name][1] - scores["as is"][1]).min() < -1, name


def test_light_beyond_the_display_does_not_count(light, unclipped):
    """White at 100 and the peak at 1000 cd/m2: what is ten times as bright as white, or more, looks alike."""
    capped = light.clamp(max=10)
    assert plain(*to_nits(capped, light)).isposinf().all()
    assert pu21_psnr(*to_nits(capped, light)).isfinite().all()


# ------------------------------------------------------------------------------------------------ cheats


def test_sparkle_gains_under_percentiles_and_nothing_in_the_headline(light, unclipped, sparkling):
    """A few pixels set thirty times as bright turn the alignment by extremes, and not the one by a gain."""
    clipped = light.clamp(max=1)
    honest, cheat = ((to_nits(side, light)) for side in (clipped, sparkling))
    assert (percentile(*cheat) - percentile(*honest) > 12).all()
    for headline in (aligned(unclipped=unclipped), aligned()):
        assert (headline(*cheat) - headline(*honest) < 0).all()


def relative_light(references, name: str, share: float) -> torch.Tensor:
    """A reference picture as relative light: so large a share of its pixels lies below white."""
    folder = references.folder / "hdr" / f"{name}_ref.npy"
    pixels = np.load(folder).astype(np.float64)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, 2)
    return torch.from_numpy(pixels / np.quantile(pixels.max(2), share)).permute(2, 0, 1)[None]


@pytest.mark.parametrize(
    ("name", "share", "legacy", "headline"),
    [
        ("nancy", 0.97, 14.6, -2.9),
        ("still", 0.95, 14.4, -1.4),
        ("still", 0.97, 19.2, -1.6),
        ("still", 0.99, 10.4, -1.7),
    ],
)
def test_sparkle_on_real_light(references, name, share, legacy, headline):
    """What the sparkle gains in dB: measured, and held."""
    light = relative_light(references, name, share)
    gains = sparkle_gains(light)
    assert gains[0] == pytest.approx(legacy, abs=0.3)
    assert gains[1] == pytest.approx(headline, abs=0.3)
    assert gains[1] < 0 < 10 < gains[0]


def sparkle_gains(light: torch.Tensor) -> tuple[float, float]:
    unclipped = light.amax(1, keepdim=True) < 1
    clipped = light.clamp(max=1)
    cheat = clipped.clone()
    places = np.random.default_rng(0).choice(np.flatnonzero(~unclipped), round(0.0015 * unclipped.numel()), False)
    cheat.flatten(2)[0][:, places] *= 30
    scores = [
        (percentile(*to_nits(side, light)).item(), aligned(unclipped=unclipped)(*to_nits(side, light)).item())
        for side in (clipped, cheat)
    ]
    return scores[1][0] - scores[0][0], scores[1][1] - scores[0][1]


@pytest.mark.slow
def test_sparkle_on_radiance_maps(shared):
    """Nine radiance maps, clipped at their 90th and 97th percentile: it never gains in the headline."""
    found = []
    for path in sorted((shared / "data" / "hdr").iterdir()):
        pixels = np.asarray(read_image(path, encoding="linear").pixels, np.float64).clip(0, None)
        step = max(1, max(pixels.shape) // 512)
        pixels = pixels[::step, ::step]
        for share in (0.9, 0.97):
            light = torch.from_numpy(pixels / np.quantile(pixels.max(2), share)).permute(2, 0, 1)[None]
            found.append(sparkle_gains(light))
    legacy, headline = zip(*found, strict=True)
    assert len(found) == 18
    assert max(legacy) > 12
    assert max(headline) < -0.4


def test_the_clipped_input_is_beaten_by_whoever_finds_half_of_the_light(light, unclipped):
    clipped = light.clamp(max=1)
    half = clipped * (light / clipped).sqrt()
    headline = aligned(unclipped=unclipped)
    assert (headline(*to_nits(half, light)) - headline(*to_nits(clipped, light)) > 3).all()


@pytest.mark.parametrize(("name", "share", "floor", "gain"), [("nancy", 0.97, 26.6, 8.0), ("still", 0.95, 25.1, 10.3)])
def test_the_clipped_input_on_real_light(references, name, share, floor, gain):
    """The row that every method is held against, and what finding half of the stops beyond white adds."""
    light = relative_light(references, name, share)
    clipped = light.clamp(max=1)
    half = clipped * (light / clipped).sqrt()
    headline = aligned(unclipped=light.amax(1, keepdim=True) < 1)
    scores = [headline(*to_nits(side, light)).item() for side in (clipped, half)]
    assert scores[0] == pytest.approx(floor, abs=0.1)
    assert scores[1] - scores[0] == pytest.approx(gain, abs=0.3)


# ------------------------------------------------------------------------------------------------ misuse


def test_refuses(light):
    target = to_nits(light, light)[1]
    with pytest.raises(ValueError, match="rgb or luminance"):
        pu21_psnr(target, target, color="xyz")
    with pytest.raises(ValueError, match="relative light needs a scale first"):
        pu21_psnr(light / light.max(), target)
    with pytest.raises(ValueError, match="zeros"):
        pu21_psnr(target, target * 0)


def test_gradient(light, unclipped):
    target = to_nits(light, light)[1][:1, :, ::20, ::20].contiguous()
    shown = unclipped[:1, :, ::20, ::20]
    prediction = (0.5 * target.flip(3) + 1).clamp(max=90).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: aligned(unclipped=shown)(x, target), (prediction,), atol=1e-4)
