"""A three-convolution residual network: the smallest thing that trains, saves and predicts like the others.

It follows no paper. It is the example of how a model is added, what the tests of the training loop and the
checkpoint run on, and a row that says what 3,203 weights can do about clipping: rescale, and little else.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

TITLE = "residual network of three 3 x 3 convolutions"
PAPER = "none"
TAKES = "srgb"
GIVES = "srgb"
PARAMETERS = 3203
FIELD_OF_VIEW = 7
OUTPUT_FIELD_OF_VIEW = 7
MULTIPLE = 1


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1, padding_mode="replicate"),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.layers(images)
        return images + change


def network(*, width: int = 16) -> nn.Module:
    """The network, ``y = x + conv(relu(conv(relu(conv(x)))))``.

    Args:
        width: channels between the convolutions.

    Returns:
        A module from (N, 3, H, W) display-encoded images in [0, 1] to the same shape, any H and W.

    Raises:
        ValueError: the width is not positive.

    >>> network()(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """
    if not 1 <= width <= 4096:
        raise ValueError(f"width must be in 1 to 4096, not {width}")
    return _Residual(width)


def loss(network: nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Mean absolute difference between the prediction and the target, in display values.

    Args:
        network: what :func:`network` gave.
        batch: ``input`` and ``target``, (N, 3, H, W).

    Returns:
        The terms of the loss by name; their sum is minimised.
    """
    return {"l1": (network(batch["input"]) - batch["target"]).abs().mean()}
