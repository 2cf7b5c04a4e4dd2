import numpy as np
import pytest
import torch

from exposurebench import phase_congruency as module
from exposurebench.phase_congruency import phase_congruency


def scene(height=60, width=71, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 60, (height, width))
    image[20:40, 25:50] += 150
    return image


def as_the_paper_has_it(image):
    """Kovesi's formulas one orientation, scale and pixel after the other, without any short cut."""
    height, width = image.shape
    spectrum = np.fft.fft2(image)

    def frequencies(length):
        steps = np.arange(length) - length // 2
        return np.fft.ifftshift(steps / (length - 1 if length % 2 else length))

    v, u = np.meshgrid(frequencies(height), frequencies(width), indexing="ij")
    radius = np.hypot(u, v)
    low = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    angle = np.arctan2(-v, u)
    energies, amplitudes = np.zeros(image.shape), np.zeros(image.shape)
    for orientation in range(4):
        direction = orientation * np.pi / 4
        sine = np.sin(angle) * np.cos(direction) - np.cos(angle) * np.sin(direction)
        cosine = np.cos(angle) * np.cos(direction) + np.sin(angle) * np.sin(direction)
        spread = np.exp(-(np.abs(np.arctan2(sine, cosine)) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
        even, odd, kernels, powers = [], [], [], []
        for scale in range(4):
            wavelet = np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * np.log(0.55) ** 2)) * low
            wavelet[0, 0] = 0
            wavelet *= spread
            response = np.fft.ifft2(spectrum * wavelet)
            even.append(response.real)
            odd.append(response.imag)
            kernels.append(np.fft.ifft2(wavelet).real * np.sqrt(image.size))
            powers.append((wavelet**2).sum())
        length = np.sqrt(sum(even) ** 2 + sum(odd) ** 2) + 1e-4
        mean_even, mean_odd = sum(even) / length, sum(odd) / length
        energy = sum(
            e * mean_even + o * mean_odd - np.abs(e * mean_odd - o * mean_even) for e, o in zip(even, odd, strict=True)
        )
        noise_power = np.median(even[0] ** 2 + odd[0] ** 2) / np.log(2) / powers[0]
        squares = sum((k**2).sum() for k in kernels)
        products = sum((kernels[i] * kernels[j]).sum() for i in range(4) for j in range(i + 1, 4))
        tau = np.sqrt((2 * noise_power * squares + 4 * noise_power * products) / 2)
        threshold = (tau * np.sqrt(np.pi / 2) + 2 * tau * np.sqrt(2 - np.pi / 2)) / 1.7
        energies += np.maximum(energy - threshold, 0)
        amplitudes += sum(np.hypot(e, o) for e, o in zip(even, odd, strict=True))
    return energies / amplitudes


@pytest.mark.parametrize("size", [(60, 71), (61, 64), (64, 64), (33, 31)])
def test_is_the_papers_formulas(size):
    image = scene(*size)
    found = phase_congruency(torch.from_numpy(image)[None])[0]
    np.testing.assert_allclose(found.numpy(), as_the_paper_has_it(image), atol=1e-12)


def test_is_high_on_edges_and_nowhere_negative():
    found = phase_congruency(torch.from_numpy(scene())[None])[0]
    assert ((found >= 0) & (found <= 1)).all()
    columns = found[24:36].mean(0)
    assert columns[:37].argmax() in (24, 25), "the square's left side"
    assert columns[38:].argmax() + 38 in (49, 50), "its right side"


def test_contrast_does_not_matter():
    """Twice the contrast moves it only where the responses are as faint as its constant."""
    image = torch.from_numpy(scene())[None]
    torch.testing.assert_close(phase_congruency(image), phase_congruency(2 * image + 10), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 9), (40, 50)])
def test_a_flat_image_has_none(dtype, size):
    assert (phase_congruency(torch.full((2, *size), 200.1, dtype=dtype)) == 0).all()


def test_images_of_a_batch_are_alone():
    batch = torch.from_numpy(np.stack([scene(seed=1), 3 * scene(seed=2), 0 * scene(seed=3)]))
    together = phase_congruency(batch)
    for image, expected in zip(batch, together, strict=True):
        torch.testing.assert_close(phase_congruency(image[None])[0], expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 11])
def test_median_is_that_of_numpy(length):
    values = np.random.default_rng(length).integers(0, 6, (50, length)).astype(float)
    found = module._median(torch.from_numpy(values))
    np.testing.assert_array_equal(found.numpy(), np.median(values, axis=1))
