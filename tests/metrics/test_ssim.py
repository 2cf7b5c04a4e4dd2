import functools

import numpy as np
import piq
import pytest
import torch
from skimage.metrics import structural_similarity

from exposurebench.metrics.ssim import VARIANTS, ssim, ssim_maps

wang = functools.partial(ssim, **VARIANTS["wang"])


def test_recorded_official_scores(references):
    params = "gaussian11-1.5, valid, luma-uint8 (rgb2gray), no downsampling"
    recorded = list(references.scores("SSIM", params, "official MATLAB"))
    assert len(recorded) == 3
    assert [round(ssim(a, b, color="luma8").item(), 4) for a, b, _ in recorded] == [s for _, _, s in recorded]


def test_agrees_with_scikit_image(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    for i, score in enumerate(ssim(prediction, images)):
        expected = structural_similarity(
            images[i].numpy(),
            prediction[i].numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert score.item() == pytest.approx(expected, abs=1e-9)


def test_agrees_with_piq(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    scores = piq.ssim(prediction, images, downsample=False, reduction="none")
    torch.testing.assert_close(ssim(prediction, images), scores, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("size", "factor"), [((383, 400), 1), ((384, 401), 2), ((640, 643), 3), ((900, 901), 4)])
def test_wang_downsamples_like_an_image_filter(size, factor):
    """A running mean with mirrored borders, centred as in MATLAB, of which every f-th value is kept."""
    rng = np.random.default_rng(0)
    target = torch.from_numpy(np.repeat(rng.random((1, 1, *size)), 3, axis=1))
    prediction = 0.8 * target + 0.1
    before = (factor - 1) // 2
    after = factor - 1 - before

    def shrunk(batch):
        mirrored = np.pad(batch[0, 0].numpy(), ((before, after), (before, after)), mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, (factor, factor))
        return torch.from_numpy(windows.mean((2, 3))[::factor, ::factor].copy()).expand(1, 3, -1, -1)

    expected = ssim(shrunk(prediction).clamp(0, 1), shrunk(target).clamp(0, 1))
    assert wang(prediction, target).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("score", [ssim, wang, functools.partial(ssim, color="luma8")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_images_are_exactly_one(images, score, dtype):
    assert (score(images.to(dtype), images.to(dtype)) == 1).all()


def test_symmetric(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    assert torch.equal(ssim(prediction, images), ssim(images, prediction))


def test_falls_as_noise_grows(images, noise):
    scores = torch.stack([ssim((images + s * noise).clamp(0, 1), images) for s in (0.01, 0.03, 0.1, 0.3)])
    assert (scores.diff(dim=0) < 0).all()


def test_inverted_structure_is_negative(images):
    assert (ssim(1 - images, images) < 0).all()


def test_gray_images_score_alike(images):
    gray = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    prediction = 0.9 * gray
    torch.testing.assert_close(ssim(prediction, gray), ssim(prediction, gray, color="luma"))


def test_rounded_luma_differs_a_little(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    gap = (ssim(prediction, images, color="luma8") - ssim(prediction, images, color="luma")).abs()
    assert ((gap > 0) & (gap < 2e-3)).all()


def test_float32_is_nearly_as_good(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    single = ssim(prediction.float(), images.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), ssim(prediction, images), atol=1e-5, rtol=0)


def test_smallest_image_is_one_window(images):
    small = images[..., :11, :11]
    luminance, structure = ssim_maps(small, 0.5 * small)
    assert luminance.shape == structure.shape == (4, 3, 1, 1)
    assert (ssim(0.5 * small, small) < 1).all()


@pytest.mark.parametrize("size", [(10, 40), (40, 10), (1, 1)])
def test_refuses_small_images(size):
    with pytest.raises(ValueError, match="11 px"):
        ssim(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))


def test_refuses_an_unknown_color(images):
    with pytest.raises(ValueError, match="color"):
        ssim(images, images, color="hsv")


def test_gradient(images):
    target = images[:1, :, :12, :13]
    prediction = (0.8 * target + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ssim(x, target), (prediction,))


def test_peak_of_maps_scales(images):
    small = ssim_maps(0.5 * images, images)
    large = ssim_maps(128 * images, 256 * images, peak=256)
    torch.testing.assert_close(large, small)


def test_inputs_stay(images):
    before = images.clone()
    wang(images, images * 0.5)
    assert torch.equal(images, before)


def test_a_mask_is_the_mean_over_windows_centred_in_it(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    mask = torch.zeros(4, 1, 93, 121, dtype=torch.float64)
    mask[..., 5:40, 5:60] = 1
    expected = ssim(prediction[..., :45, :65], images[..., :45, :65])
    torch.testing.assert_close(ssim(prediction, images, mask=mask), expected, atol=1e-12, rtol=0)
    corner = torch.zeros_like(mask)
    corner[..., :5, :5] = 1
    assert ssim(prediction, images, mask=corner).isnan().all(), "no window is centred that near the border"


def test_wang_decimates_the_mask_with_the_images():
    target = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    prediction = 0.5 * target
    mask = torch.zeros(1, 1, 512, 512, dtype=torch.float64)
    mask[..., 10:400, 10:300] = 1
    halves = torch.nn.functional.avg_pool2d(prediction, 2), torch.nn.functional.avg_pool2d(target, 2)
    expected = ssim(halves[0], halves[1], color="luma", mask=mask[..., ::2, ::2])
    torch.testing.assert_close(wang(prediction, target, mask=mask), expected, atol=1e-12, rtol=0)
