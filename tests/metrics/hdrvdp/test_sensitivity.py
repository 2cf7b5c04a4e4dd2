import numpy as np
import pytest
import torch

from exposurebench.metrics import hdrvdp2, hdrvdp3
from exposurebench.metrics.hdrvdp.sensitivity import filtered, noises, residual_noise, sensitivity, strongest_frequency

AT = ((1, 1), (3.75, 10), (7.5, 100), (15, 1000))


@pytest.mark.parametrize(
    ("rows", "without_optics", "expected"),
    [
        (hdrvdp2._SENSITIVITY, False, (0.979917, 1.488836, 1.187128, 0.626360)),
        (hdrvdp3._SENSITIVITY, True, (1.104637, 1.310033, 1.093745, 0.460467)),
    ],
    ids=["2.2.2", "3.0.7"],
)
def test_original_values(rows, without_optics, expected):
    assert [float(sensitivity(f, L, rows, without_optics)) for f, L in AT] == pytest.approx(expected, abs=1e-6)
    assert sensitivity(0, 10, rows, without_optics) == 0


def test_noise_reads_a_table_of_256_lights():
    adapted = torch.linspace(-6, 6, 70, dtype=torch.float64).view(1, 1, 7, 10)
    (found,) = noises(adapted, [torch.empty(1, 4, 7, 10)], [7.5], hdrvdp2._SENSITIVITY, False)
    grid = np.linspace(-5, 5, 256)
    table = sensitivity(7.5, 10**grid, hdrvdp2._SENSITIVITY, False)
    np.testing.assert_allclose(found.numpy(), 1 / np.interp(adapted.numpy(), grid, table), rtol=1e-12)


def test_filter_removes_what_is_even():
    even = torch.full((2, 1, 9, 8), 3.0, dtype=torch.float64)
    outside = torch.full((1, 1, 1, 1), 3.0, dtype=torch.float64)
    light = torch.tensor([1.0, 100.0], dtype=torch.float64)
    assert filtered(even, light, outside, 5.0, hdrvdp2._SENSITIVITY).abs().max() < 1e-12


def test_strongest_frequency():
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    waves = torch.stack((5 + torch.cos(2 * torch.pi * x * 3 / 20), torch.cos(2 * torch.pi * y * 2 / 16)))[:, None]
    assert strongest_frequency(waves.double(), 10.0).tolist() == pytest.approx([1.5, 1.25])


def test_an_even_residual_is_hidden():
    flat = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    assert residual_noise(flat, flat, 4.0, hdrvdp3._SENSITIVITY).isposinf().all()
