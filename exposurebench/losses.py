"""Losses that more than one paper uses: adversarial ones, and what a VGG sees of a difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from exposurebench.pretrained import place

Per = Literal["position", "element"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of display values in [0, 1]: what torchvision's weights were trained on."""


def lsgan(scores: torch.Tensor, label: float) -> torch.Tensor:
    """Least squares adversarial loss, ``mean((score - label)^2) / 2``.

    Source: Mao et al. 2017, Least squares generative adversarial networks, eq. 9.

    >>> lsgan(torch.tensor([0.0, 1.0]), 1).item()
    0.25
    """
    return (scores - label).square().mean() / 2


def bce(scores: torch.Tensor, label: float) -> torch.Tensor:
    """Binary cross-entropy of logits, ``mean(-label log s - (1 - label) log(1 - s))`` with ``s = sigmoid(score)``.

    >>> bce(torch.zeros(2), 1).item()  # doctest: +ELLIPSIS
    0.6931...
    """
    return binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def hinge(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Hinge loss of a discriminator, ``mean(max(0, 1 - real)) + mean(max(0, 1 + fake))``.

    The network's side is ``-mean(fake)``.

    Source: Miyato et al. 2018, Spectral normalization for generative adversarial networks, eq. 16.

    >>> hinge(torch.tensor([2.0]), torch.tensor([0.5])).item()
    1.5
    """
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def perceptual(
    vgg: nn.Sequential,
    output: torch.Tensor,
    target: torch.Tensor,
    *,
    layers: Sequence[str],
    before_relu: bool = False,
    per: Per = "position",
) -> torch.Tensor:
    """How far apart two batches are in a VGG's features, ``sum_l mean_n |f_l(output) - f_l(target)|_1 / size_l``.

    Args:
        vgg: the features, :func:`exposurebench.pretrained.vgg`.
        output: ``(N, 3, H, W)``, display-encoded, in [0, 1].
        target: the same shape; no gradient flows into it.
        layers: convolutions by name, such as ``conv3_4``.
        before_relu: look at a convolution's own values, not at what its ReLU lets through.
        per: what size_l is: ``position`` divides by a layer's width times height, so that its channels add up;
            ``element`` divides by the channels too.

    Raises:
        ValueError: no such layer.

    Source: paper 0, eq. 5 (``position``, five layers of VGG-19).
    """
    with torch.no_grad():
        expected = features(vgg, target, layers, before_relu=before_relu)
    found = features(vgg, output, layers, before_relu=before_relu)
    terms = [(ours - theirs).abs() for ours, theirs in zip(found, expected, strict=True)]
    return torch.stack([t.mean() if per == "element" else t.sum(1).mean() for t in terms]).sum()


def features(
    vgg: nn.Sequential, images: torch.Tensor, layers: Iterable[str], *, before_relu: bool = False
) -> list[torch.Tensor]:
    """What some of a VGG's layers say of display-encoded images, brought to ImageNet's mean and deviation first.

    Returns:
        A ``(N, C, h, w)`` tensor for each layer, in the order of the network.

    Raises:
        ValueError: no such layer.
    """
    wanted = {place(vgg, layer) + (not before_relu) for layer in layers}
    mean, deviation = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    seen, kept = (images - mean) / deviation, []
    for index, layer in enumerate(vgg[: max(wanted) + 1]):
        seen = layer(seen)
        if index in wanted:
            kept.append(seen)
    return kept
