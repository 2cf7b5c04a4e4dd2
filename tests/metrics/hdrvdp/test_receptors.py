import numpy as np
import pytest
import torch

from exposurebench.metrics import hdrvdp2, hdrvdp3
from exposurebench.metrics.hdrvdp.receptors import local_adaptation, pupil_gain, response, response_tables

LIGHTS = (0.01, 1, 100, 10000)


@pytest.mark.parametrize(
    ("receptors", "cones", "rods"),
    [
        (hdrvdp2._RECEPTORS, (1.368786, 5.968146, 104.489761, 224.760703), (5.00775, 54.135378, 98.393735, 98.393741)),
        (
            hdrvdp3._QUALITY.receptors,
            (24.495741, 199.271567, 1185.206429, 2348.668290),
            (44.356779, 270.861226, 457.017008, 457.017036),
        ),
    ],
    ids=["2.2.2", "3.0.7"],
)
def test_original_responses(receptors, cones, rods):
    at = (np.log10(LIGHTS) + 5) / 10 * 2047
    for found, expected in zip(response_tables(receptors), (cones, rods), strict=True):
        np.testing.assert_allclose(np.interp(at, np.arange(2048), found), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-4)])
def test_response_reads_the_tables(dtype, tolerance):
    cone, rod = response_tables(hdrvdp2._RECEPTORS)
    grid = np.linspace(-5, 5, 2048)
    catch = 10 ** np.random.default_rng(3).uniform(-6, 6, (2, 3, 9, 7))
    found = response(torch.from_numpy(catch).to(dtype), hdrvdp2._RECEPTORS).numpy()[:, 0]
    logs = np.log10(catch)
    expected = np.interp(logs[:, 0], grid, cone) + np.interp(logs[:, 1], grid, cone) + np.interp(logs[:, 2], grid, rod)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_adaptation_to_even_light_is_that_light():
    even = torch.full((1, 1, 20, 30), 37.0, dtype=torch.float64)
    torch.testing.assert_close(local_adaptation(even, 30.0), even.log())


def test_a_younger_pupil_lets_in_more():
    """At the standard observer of 5.1 mm (1 cd/m2 over 60 degrees square, age 28.58) age changes little."""
    dim, bright = (torch.full((1, 1, 4, 4), value, dtype=torch.float64).log() for value in (0.1, 1000.0))
    assert 1 < pupil_gain(bright, 100.0).item() < pupil_gain(dim, 100.0).item() + 0.1 < 1.2
