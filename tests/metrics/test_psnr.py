import functools
import math

import piq
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from exposurebench.metrics.psnr import VARIANTS, psnr


def test_closed_form():
    target = torch.full((1, 3, 5, 7), 0.25, dtype=torch.float64)
    prediction = target.clone()
    prediction[0, 1, 2, 3] += 0.5
    assert psnr(prediction, target).item() == pytest.approx(10 * math.log10(105 / 0.25), abs=1e-12)


def test_levels_do_not_wrap():
    """Uniform levels differ by 7.782 dB in the mean of squares; squared in 8 bits they would give 27.9 dB."""
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 256, (2, 1, 3, 256, 256), generator=generator, dtype=torch.uint8)
    wrapped = ((levels[0] - levels[1]) ** 2).double().mean()
    assert 10 * math.log10(255**2 / wrapped) == pytest.approx(27.9, abs=0.1)
    prediction, target = levels.double() / 255
    # the mean squared difference of two independent uniform levels is (256 ** 2 - 1) / 6
    assert psnr(prediction, target).item() == pytest.approx(10 * math.log10(255**2 * 6 / 65535), abs=0.05)


def test_paper_2s_reference_is_the_wrap():
    """Uniform 8-bit differences squared in 8 bits have the mean 105.5, whatever the pictures: 27.898 dB."""
    differences = torch.arange(256, dtype=torch.uint8)
    wrapped = (differences * differences).double().mean().item()
    assert wrapped == 105.5
    assert 10 * math.log10(255**2 / wrapped) == pytest.approx(27.898, abs=5e-4)
    # the same pictures, differences 0 to 255 above black, as we score them
    prediction = (differences.double() / 255).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    right = 10 * math.log10(255**2 / (differences.double() ** 2).mean().item())
    assert right == pytest.approx(4.763, abs=5e-4)
    target = torch.zeros_like(prediction)
    assert psnr(prediction, target).item() == pytest.approx(right, abs=1e-12)
    assert psnr(prediction, target, **VARIANTS["paper2_literal"]).item() == pytest.approx(27.898, abs=5e-4)


def test_the_literal_variant_knows_no_pictures(images):
    """Pictures that differ by much score 27.9 dB, the same picture in reverse order as the very opposite."""
    literal = functools.partial(psnr, **VARIANTS["paper2_literal"])
    generator = torch.Generator().manual_seed(1)
    levels = torch.randint(0, 256, (2, 4, 3, 93, 121), generator=generator).double() / 255
    assert ((literal(*levels) - 27.898).abs() < 0.1).all()
    small = (images * 0.9).mul(255).round() / 255
    assert literal(small + 15 / 255, small).tolist() == pytest.approx([10 * math.log10(255**2 / 225)] * 4)
    assert literal(small + 16 / 255, small).tolist() == [math.inf] * 4


def test_a_mask_weighs_pixels():
    target = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    prediction = torch.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=torch.float64).expand(1, 3, 2, 2)
    mask = torch.tensor([[[[1, 0], [0, 1]]]], dtype=torch.float64)
    assert psnr(prediction, target, mask=mask).item() == pytest.approx(10 * math.log10(2 / (0.01 + 0.16)))
    assert psnr(prediction, target, mask=mask, peak=2.0).item() == pytest.approx(10 * math.log10(8 / (0.01 + 0.16)))


def test_an_unknown_precision_is_refused(images):
    with pytest.raises(ValueError, match="precision"):
        psnr(images, images, precision="float16")


def test_agrees_with_scikit_image(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    for i, score in enumerate(psnr(prediction, images)):
        pair = images[i].numpy(), prediction[i].numpy()
        assert score.item() == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1.0), abs=1e-10)


def test_agrees_with_piq(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    scores = piq.psnr(prediction, images, data_range=1.0, reduction="none")
    torch.testing.assert_close(psnr(prediction, images), scores, atol=1e-3, rtol=0)  # piq adds 1e-8 to the error


def test_equal_images_are_infinite(images):
    assert psnr(images, images).isposinf().all()


def test_opposite_images_are_zero():
    black = torch.zeros(1, 3, 1, 1)
    assert psnr(black, black + 1).item() == 0


def test_symmetric(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    assert torch.equal(psnr(prediction, images), psnr(images, prediction))


def test_peak_scales(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    torch.testing.assert_close(psnr(255 * prediction, 255 * images, peak=255), psnr(prediction, images))


def test_falls_as_noise_grows(images, noise):
    scores = torch.stack([psnr((images + s * noise).clamp(0, 1), images) for s in (0.01, 0.03, 0.1, 0.3)])
    assert (scores.diff(dim=0) < 0).all()


def test_float32_is_nearly_as_good(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    single = psnr(prediction.float(), images.float())
    assert single.dtype == torch.float64
    torch.testing.assert_close(single, psnr(prediction, images), atol=1e-4, rtol=0)


def test_gradient(images):
    prediction = images[:1, :, :3, :4].clone().mul(0.9).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: psnr(x, images[:1, :, :3, :4]), (prediction,))


def test_inputs_stay(images):
    before = images.clone()
    psnr(images, images * 0.5)
    assert torch.equal(images, before)


@pytest.mark.parametrize("peak", [0, -1.0, math.nan])
def test_refuses_a_peak(images, peak):
    with pytest.raises(ValueError, match="peak"):
        psnr(images, images, peak=peak)
