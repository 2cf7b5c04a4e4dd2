"""Losses by hand and through a VGG with seeded weights."""

import math

import pytest
import torch

from exposurebench.losses import IMAGENET_MEAN, IMAGENET_STD, bce, features, hinge, lsgan, perceptual
from exposurebench.pretrained import vgg


def test_adversarial_losses_by_hand():
    scores = torch.tensor([[-1.0, 0.5]])
    assert lsgan(scores, 1).item() == pytest.approx((4 + 0.25) / 4)
    assert lsgan(scores, 0).item() == pytest.approx((1 + 0.25) / 4)
    softplus = [math.log1p(math.exp(value)) for value in (-1.0, 0.5)]
    assert bce(scores, 0).item() == pytest.approx(sum(softplus) / 2)
    assert bce(scores, 1).item() == pytest.approx((sum(softplus) - (-1.0 + 0.5)) / 2)
    assert hinge(scores, -scores).item() == pytest.approx(2 * (2 + 0.5) / 2)


def test_features_are_the_layers_answers_to_normed_images(vggs):
    network, images = vgg("vgg19"), torch.rand(2, 3, 32, 48)
    seen = (images - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    first, third = features(network, images, ["conv1_1", "conv3_4"])
    assert torch.equal(first, network[:2](seen))
    assert torch.equal(third, network[:18](seen))
    assert third.shape == (2, 256, 8, 12)
    before = features(network, images, ["conv3_4"], before_relu=True)[0]
    assert before.min() < 0
    assert torch.equal(before.relu(), third)


def test_perceptual_is_the_papers_sum(vggs):
    network = vgg("vgg19")
    output, target = torch.rand(2, 2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    layers = ["conv1_1", "conv4_4"]
    ours, theirs = (features(network, images, layers) for images in (output, target))
    by_hand = sum(
        (a - b).abs()[n].sum() / (a.shape[2] * a.shape[3]) / 2
        for a, b in zip(ours, theirs, strict=True)
        for n in (0, 1)
    )
    found = perceptual(network, output, target, layers=layers)
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-5)
    per_element = perceptual(network, output, target, layers=["conv4_4"], per="element")
    assert per_element.item() * 512 == pytest.approx(
        perceptual(network, output, target, layers=["conv4_4"]).item(), rel=1e-5
    )
    assert perceptual(network, target, target, layers=layers).item() == 0


def test_gradients_reach_the_output_alone(vggs):
    network = vgg("vgg16")
    output, target = (torch.rand(1, 3, 16, 16, requires_grad=True) for _ in range(2))
    perceptual(network, output, target, layers=["conv3_3"], before_relu=True).backward()
    assert output.grad.abs().max() > 0
    assert target.grad is None
    assert all(parameter.grad is None for parameter in network.parameters())
