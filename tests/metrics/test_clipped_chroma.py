import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from exposurebench.metrics.clipped_chroma import clipped_chroma


@pytest.fixture
def mask(images):
    return (images.amax(1, keepdim=True) > 0.7).double()


def test_agrees_with_scikit_image(images, noise, mask):
    """Its XYZ is rounded, by up to 0.015 of a unit of a* or b*."""
    prediction = (images + 0.1 * noise).clamp(0, 1)
    found = clipped_chroma(prediction, images, mask=mask)
    for ours, theirs, where, value in zip(prediction, images, mask, found, strict=True):
        a, b = (rgb2lab(side.permute(1, 2, 0).numpy())[where[0].bool().numpy()] for side in (ours, theirs))
        assert value.item() == pytest.approx(np.hypot(*(a - b)[:, 1:].T).mean(), abs=5e-3)


def test_sees_a_sky_where_the_input_was_clipped_and_nowhere_else(images, mask):
    sky = torch.tensor([0.6, 0.8, 1.0], dtype=torch.float64).view(1, 3, 1, 1)
    filled = torch.where(mask.bool(), sky, images)
    assert (clipped_chroma(filled, images, mask=mask) > 5).all()
    assert (clipped_chroma(filled, images, mask=1 - mask) == 0).all()


def test_brightness_does_not_count():
    gray = torch.full((1, 3, 4, 4), 0.4, dtype=torch.float64)
    assert clipped_chroma(2 * gray, gray, mask=torch.ones(1, 1, 4, 4)).item() == pytest.approx(0, abs=1e-10)


def test_nothing_clipped_has_no_score(images, mask):
    mask[2] = 0
    assert clipped_chroma(images, images, mask=mask).isnan().tolist() == [False, False, True, False]


def test_refuses_to_score_without_a_mask(images):
    with pytest.raises(ValueError, match="mask of the input's clipped pixels"):
        clipped_chroma(images, images)


def test_symmetric(images, mask):
    other = images.flip(1)
    assert torch.equal(clipped_chroma(images, other, mask=mask), clipped_chroma(other, images, mask=mask))


def test_gradient(images):
    target = images[:1, :, :3, :4]
    prediction = (0.8 * target + 0.05).requires_grad_()
    ones = torch.ones(1, 1, 3, 4)
    assert torch.autograd.gradcheck(lambda x: clipped_chroma(x, target, mask=ones), (prediction,))
    equal = target.clone().requires_grad_()
    clipped_chroma(equal, target, mask=ones).sum().backward()
    assert (equal.grad == 0).all()
