import numpy as np
import pytest
import torch

from exposurebench.metrics.hdrvdp.blurring import blurred, box3


def by_spectrum(image, sigma, border):
    """The product of spectra on the sheet of twice the size."""
    height, width = image.shape
    mode = {"mode": "edge"} if border == "replicate" else {"mode": "constant"}
    sheet = np.pad(image, ((0, height), (0, width)), **mode)
    square = np.fft.fftfreq(2 * height)[:, None] ** 2 + np.fft.fftfreq(2 * width) ** 2
    return np.fft.ifft2(np.fft.fft2(sheet) * np.exp(-0.5 * (2 * np.pi * sigma) ** 2 * square)).real[:height, :width]


@pytest.mark.parametrize("border", ["replicate", "zero"])
@pytest.mark.parametrize("size", [(8, 9), (33, 64), (50, 31)])
@pytest.mark.parametrize("sigma", [4.3, 4.96, 9.44])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_wide_blur_is_the_product_of_spectra(size, sigma, border, dtype, tolerance):
    images = np.random.default_rng(5).normal(size=(2, 1, *size))
    found = blurred(torch.from_numpy(images).to(dtype), sigma, border).numpy()
    expected = np.array([[by_spectrum(image[0], sigma, border)] for image in images])
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_narrow_blur_has_the_border_on_both_sides():
    ramp = torch.arange(30.0).expand(1, 1, 30, 30)
    smooth = blurred(ramp, 2.0, "replicate")
    assert smooth[0, 0, 15, 15].item() == pytest.approx(15)
    assert smooth[0, 0, 0, 0].item() == pytest.approx(29 - smooth[0, 0, 0, 29].item(), abs=1e-5)
    assert blurred(torch.ones(1, 1, 40, 40), 2.0, "zero")[0, 0, 0, 20].item() == pytest.approx(
        0.5 + 0.5 * 0.1995, abs=2e-3
    )


def test_box_counts_nothing_outside():
    image = torch.rand(1, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(box3(image), torch.nn.functional.avg_pool2d(image, 3, 1, 1))
