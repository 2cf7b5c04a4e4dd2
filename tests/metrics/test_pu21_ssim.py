import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from exposurebench.alignment import align, to_nits
from exposurebench.metrics.pu21_ssim import VARIANTS, pu21_ssim
from exposurebench.perception import pu21_luminance


def aligned(**steps):
    """The metric behind the steps of a protocol."""
    return lambda prediction, target: pu21_ssim(*align(prediction, target, **steps))


plain = aligned(**VARIANTS["plain"])


@pytest.mark.parametrize(
    ("params", "border"),
    [
        ("banding_glare, range=256, gaussian11-1.5, valid", "valid"),
        ("banding_glare, range=256, gaussian11-1.5, replicate-border,full", "replicate"),
    ],
    ids=["valid", "replicate"],
)
def test_reference_scores(references, params, border):
    rows = references.light_scores("PU21-SSIM", params)
    assert len(rows) == 11
    for pair, score in rows:
        assert pu21_ssim(*references.light(pair), border=border).item() == pytest.approx(score, abs=1e-9), pair
        single = (side.float() for side in references.light(pair))
        assert pu21_ssim(*single, border=border).item() == pytest.approx(score, abs=1e-5), pair


def test_agrees_with_scikit_image(light):
    prediction, target = to_nits(light.flip(3), light)
    for i, score in enumerate(pu21_ssim(prediction, target)):
        ours, theirs = (pu21_luminance(side[i : i + 1])[0, 0].numpy() for side in (prediction, target))
        expected = structural_similarity(
            ours, theirs, data_range=256.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert score.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_images_are_exactly_one(light, dtype):
    target = to_nits(light, light)[1].to(dtype)
    for border in ("valid", "replicate"):
        assert (pu21_ssim(target, target, border=border) == 1).all()


def test_sparkle_gains_nothing_in_the_headline(light, unclipped, sparkling):
    honest, cheat = (to_nits(side, light) for side in (light.clamp(max=1), sparkling))
    headline = aligned(unclipped=unclipped)
    legacy = aligned(**VARIANTS["percentile"])
    assert (headline(*cheat) < headline(*honest)).all()
    assert (legacy(*cheat) - legacy(*honest) > 0.4).all()


def test_exposure_of_the_prediction_does_not_count(light, unclipped):
    clipped = light.clamp(max=1)
    scores = [aligned(unclipped=unclipped)(*to_nits(gain * clipped, light)) for gain in (1.0, 0.3)]
    torch.testing.assert_close(*scores, atol=1e-9, rtol=0)


def test_refuses(light):
    target = to_nits(light, light)[1]
    with pytest.raises(ValueError, match="valid or replicate"):
        pu21_ssim(target, target, border="reflect")
    with pytest.raises(ValueError, match="11 px"):
        pu21_ssim(target[..., :10], target[..., :10])


def test_gradient(light):
    target = to_nits(light, light)[1][:1, :, :12, :13].contiguous()
    prediction = (0.8 * target + np.float64(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: plain(x, target), (prediction,), atol=1e-5)
