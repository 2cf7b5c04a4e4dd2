"""The field's protocols, held to what can be computed by hand."""

import math

import cv2
import numpy as np
import pytest
import torch

from exposurebench import catalog, protocols
from exposurebench.metrics.psnr import psnr
from exposurebench.protocols import OURS, PROTOCOLS


def sides(height: int = 30, width: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 2, 3, height, width, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_keeps_values_in_range_and_inputs_as_they_are(name: str) -> None:
    prediction, target = sides()
    copies = prediction.clone(), target.clone()
    ours, theirs = PROTOCOLS[name].before(prediction, target)
    assert ours.shape == theirs.shape
    assert ours.shape[:2] == (2, 3)
    assert all(((side >= 0) & (side <= 1)).all() for side in (ours, theirs))
    assert torch.equal(prediction, copies[0])
    assert torch.equal(target, copies[1])
    same = PROTOCOLS[name].before(target, target)
    torch.testing.assert_close(same[0], same[1])


def test_ours_is_the_first_and_changes_nothing() -> None:
    assert next(iter(PROTOCOLS)) == OURS
    prediction, target = sides()
    assert PROTOCOLS[OURS].before(prediction, target) == (prediction, target)


def test_variants_are_of_the_catalog_and_of_their_metric_alone() -> None:
    for protocol in PROTOCOLS.values():
        assert set(protocol.metrics.values()) <= set(catalog.names("metrics"))
    assert [PROTOCOLS["wang"].variant(metric) for metric in ("ssim", "psnr")] == ["ssim/wang", ""]
    assert PROTOCOLS["crop4"].variant("psnr") == "psnr"


def test_cropping_leaves_out_the_edges() -> None:
    prediction, target = sides()
    prediction[..., 4:-4, 4:-4] = target[..., 4:-4, 4:-4]
    assert (psnr(*protocols.cropped(prediction, target)) == math.inf).all()
    assert protocols.cropped(*sides(8, 40))[0].shape[2:] == (8, 32), "what is too low keeps its height"


@pytest.mark.parametrize(
    ("change", "size"), [(protocols.resized_512, (512, 512)), (protocols.resized_1200x900, (900, 1200))]
)
def test_resizing_is_opencvs(change, size: tuple[int, int]) -> None:
    prediction, target = sides()
    ours, _ = change(prediction, target)
    theirs = cv2.resize(prediction[0].permute(1, 2, 0).numpy(), size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(ours[0].permute(1, 2, 0).numpy(), theirs, atol=1e-6)


def test_a_portrait_is_laid_on_its_side() -> None:
    prediction, target = sides(40, 30)
    turned = protocols.resized_1200x900(prediction.transpose(2, 3), target.transpose(2, 3))
    assert torch.equal(protocols.resized_1200x900(prediction, target)[0], turned[0])


def test_luma_is_that_of_television() -> None:
    colors = torch.eye(3, dtype=torch.float64).view(3, 3, 1, 1)
    found = protocols.luma(colors, colors)[0][:, 0, 0, 0] * 255 - 16
    assert found.tolist() == pytest.approx([65.481, 128.553, 24.966])
    gray = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    gain = psnr(*protocols.luma(gray, gray + 0.1)) - psnr(gray, gray + 0.1)
    assert gain.item() == pytest.approx(20 * math.log10(255 / 219))


def test_gt_mean_forgives_the_exposure() -> None:
    _, target = sides()
    assert (psnr(*protocols.gt_mean(0.5 * target, target)) > 200).all()
    black = torch.zeros_like(target)
    assert torch.equal(protocols.gt_mean(black, target)[0], black)
