import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from exposurebench.metrics.delta_e2000 import ciede2000, delta_e2000

# Sharma, Wu and Dalal 2005, table 1: two colours and their difference.
PAIRS = """
50.0000   2.6772 -79.7751 50.0000   0.0000 -82.7485  2.0425
50.0000   3.1571 -77.2803 50.0000   0.0000 -82.7485  2.8615
50.0000   2.8361 -74.0200 50.0000   0.0000 -82.7485  3.4412
50.0000  -1.3802 -84.2814 50.0000   0.0000 -82.7485  1.0000
50.0000  -1.1848 -84.8006 50.0000   0.0000 -82.7485  1.0000
50.0000  -0.9009 -85.5211 50.0000   0.0000 -82.7485  1.0000
50.0000   0.0000   0.0000 50.0000  -1.0000   2.0000  2.3669
50.0000  -1.0000   2.0000 50.0000   0.0000   0.0000  2.3669
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0009  7.1792
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0010  7.1792
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0011  7.2195
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0012  7.2195
50.0000  -0.0010   2.4900 50.0000   0.0009  -2.4900  4.8045
50.0000  -0.0010   2.4900 50.0000   0.0010  -2.4900  4.8045
50.0000  -0.0010   2.4900 50.0000   0.0011  -2.4900  4.7461
50.0000   2.5000   0.0000 50.0000   0.0000  -2.5000  4.3065
50.0000   2.5000   0.0000 73.0000  25.0000 -18.0000 27.1492
50.0000   2.5000   0.0000 61.0000  -5.0000  29.0000 22.8977
50.0000   2.5000   0.0000 56.0000 -27.0000  -3.0000 31.9030
50.0000   2.5000   0.0000 58.0000  24.0000  15.0000 19.4535
50.0000   2.5000   0.0000 50.0000   3.1736   0.5854  1.0000
50.0000   2.5000   0.0000 50.0000   3.2972   0.0000  1.0000
50.0000   2.5000   0.0000 50.0000   1.8634   0.5757  1.0000
50.0000   2.5000   0.0000 50.0000   3.2592   0.3350  1.0000
60.2574 -34.0099  36.2677 60.4626 -34.1751  39.4387  1.2644
63.0109 -31.0961  -5.8663 62.8187 -29.7946  -4.0864  1.2630
61.2901   3.7196  -5.3901 61.4292   2.2480  -4.9620  1.8731
35.0831 -44.1164   3.7933 35.0232 -40.0716   1.5901  1.8645
22.7233  20.0904 -46.6940 23.0331  14.9730 -42.5619  2.0373
36.4612  47.8580  18.3852 36.2715  50.5065  21.2231  1.4146
90.8027  -2.0831   1.4410 91.1528  -1.6435   0.0447  1.4441
90.9257  -0.5406  -0.9208 88.6381  -0.8985  -0.7239  1.5381
 6.7747  -0.2908  -2.4247  5.8714  -0.0985  -2.2286  0.6377
 2.0776   0.0795  -1.1350  0.9033  -0.0636  -0.5514  0.9082
"""


def lab(colors):
    return tuple(torch.as_tensor(colors, dtype=torch.float64).unbind(-1))


def test_the_published_pairs():
    table = np.array([line.split() for line in PAIRS.strip().splitlines()], float)
    assert len(table) == 34
    found = ciede2000(lab(table[:, :3]), lab(table[:, 3:6])).numpy()
    np.testing.assert_array_equal(found.round(4), table[:, 6])
    turned = ciede2000(lab(table[:, 3:6]), lab(table[:, :3])).numpy()
    np.testing.assert_allclose(turned, found, atol=1e-13)


def test_agrees_with_scikit_image_on_colors():
    rng = np.random.default_rng(0)
    first = rng.uniform([0, -128, -128], [100, 128, 128], (20000, 3))
    near, far = first + rng.normal(0, 3, first.shape), rng.permutation(first)
    for second in (near, far):
        expected = deltaE_ciede2000(first, second)
        np.testing.assert_allclose(ciede2000(lab(first), lab(second)).numpy(), expected, atol=1e-11)


def test_agrees_with_scikit_image_on_images(images, noise):
    """Its XYZ is rounded, which cancels in differences."""
    prediction = (images + 0.05 * noise).clamp(0, 1)
    for ours, theirs, found in zip(prediction, images, delta_e2000(prediction, images), strict=True):
        sides = (rgb2lab(side.permute(1, 2, 0).numpy()) for side in (ours, theirs))
        assert found.item() == pytest.approx(deltaE_ciede2000(*sides).mean(), abs=2e-3)


def test_black_and_white_are_a_hundred_apart():
    black = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    assert delta_e2000(black + 1, black).item() == pytest.approx(100, abs=1e-9)


def test_symmetric(images, noise):
    prediction = (images + 0.05 * noise).clamp(0, 1)
    torch.testing.assert_close(delta_e2000(images, prediction), delta_e2000(prediction, images), atol=1e-13, rtol=0)


def test_falls_as_noise_shrinks(images, noise):
    scores = torch.stack([delta_e2000((images + s * noise).clamp(0, 1), images) for s in (0, 0.01, 0.03, 0.1, 0.3)])
    assert (scores[0] == 0).all()
    assert (scores.diff(dim=0) > 0).all()


def test_gradient(images):
    target = images[:1, :, :3, :4]
    prediction = (0.8 * target + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: delta_e2000(x, target), (prediction,))


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradient_of_equal_grays_is_finite(level):
    gray = torch.full((1, 3, 2, 2), level)
    prediction = gray.clone().requires_grad_()
    delta_e2000(prediction, gray).sum().backward()
    assert prediction.grad.isfinite().all()
    apart = (gray * 0.9 + 0.02).requires_grad_()
    delta_e2000(apart, gray).sum().backward()
    assert apart.grad.isfinite().all()
