import numpy as np
import pytest
import torch

from exposurebench.metrics.hdrvdp.optics import mtf, on_retina, pixels_per_degree


def by_definition(light, ppd, surround):
    """The whole sheet of twice the size, as the definition has it."""
    height, width = light.shape
    if surround is None:
        sheet = np.pad(light, ((0, height), (0, width)), mode="symmetric")
    else:
        sheet = np.full((2 * height, 2 * width), surround)
        sheet[:height, :width] = light
    rho = np.hypot(np.fft.fftfreq(2 * height)[:, None], np.fft.fftfreq(2 * width)) * ppd
    return np.fft.ifft2(np.fft.fft2(sheet) * mtf(rho)).real[:height, :width]


@pytest.mark.parametrize("surround", [None, 1e-5, 40.0])
@pytest.mark.parametrize("size", [(8, 8), (9, 14), (31, 27), (12, 260)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_sheet_of_twice_the_size(size, surround, dtype, tolerance):
    rng = np.random.default_rng(2)
    light = rng.uniform(0.1, 500, (2, 3, *size))
    around = None if surround is None else torch.full((1, 1, 1, 1), surround, dtype=dtype)
    found = on_retina(torch.from_numpy(light).to(dtype), 30.0, around).numpy()
    expected = np.array([[by_definition(channel, 30.0, surround) for channel in image] for image in light])
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_original_values(references):
    """A Gabor pattern on 50 cd/m2 in the dark: the glare that is missing darkens its corner."""
    reference = references.pixels("hdr/gabor50_ref.npy")
    seen = on_retina(reference, 30.0, torch.full((1, 1, 1, 1), 1e-5, dtype=torch.float64))[0, 0]
    assert seen[0, 0].item() == pytest.approx(27.978704739, abs=1e-8)
    assert seen[128, 127].item() == pytest.approx(49.562477351, abs=1e-8)


def test_glare_spreads_light_and_keeps_it():
    point = torch.full((1, 1, 65, 65), 1.0, dtype=torch.float64)
    point[..., 32, 32] = 1e4
    seen = on_retina(point, 30.0, None)
    assert seen.sum().item() == pytest.approx(point.sum().item())
    assert seen[0, 0, 32, 30] > 2
    assert seen.argmax() == point.argmax()


def test_pixels_per_degree():
    height_m = 2 * 0.5 * np.tan(np.radians(15))  # 30 degrees at half a metre
    assert pixels_per_degree((900, 900), height_m * np.sqrt(2) / 0.0254, 0.5) == pytest.approx(30)
    with pytest.raises(ValueError, match="positive"):
        pixels_per_degree((900, 0), 24.0, 0.5)
