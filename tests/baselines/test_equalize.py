import numpy as np

from exposurebench.baselines.equalize import equalize
from exposurebench.scene import Evidence


def gray(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[..., None].repeat(3, axis=2)


def test_flattens_the_histogram() -> None:
    crowded = gray(0.7 + 0.25 * np.random.default_rng(0).random((64, 64)) ** 1.3)
    output = equalize(Evidence(crowded))[..., 0]
    shares = np.histogram(output, bins=8, range=(0, 1))[0] / output.size
    assert np.histogram(crowded[..., 0], bins=8, range=(0, 1))[0].max() > 0.3 * output.size
    assert np.abs(shares - 1 / 8).max() < 0.04


def test_keeps_the_order_of_grays() -> None:
    image = gray(np.sort(np.random.default_rng(1).uniform(0.5, 1, (1, 300)), axis=1))
    assert (np.diff(equalize(Evidence(image))[0, :, 0]) > -1e-6).all()


def test_keeps_the_chroma_of_colours_in_gamut() -> None:
    light = np.random.default_rng(2).uniform(-0.1, 0.1, (20, 20, 1)).astype(np.float32)
    image = np.float32([0.45, 0.5, 0.55]) + light
    output = equalize(Evidence(image))
    inside = ((output > 0.01) & (output < 0.99)).all(axis=2)
    assert inside.mean() > 0.7
    difference = output[..., 2] - output[..., 0]
    assert np.allclose(difference[inside], 0.1, atol=0.01)


def test_a_flat_image_is_left_within_a_level() -> None:
    image = np.full((9, 9, 3), 0.7, np.float32)
    assert np.abs(equalize(Evidence(image)) - image).max() < 0.5 / 255 + 1e-4
