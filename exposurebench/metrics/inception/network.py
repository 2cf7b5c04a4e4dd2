"""Inception v3 as torchvision builds it, and its older self of December 2015, which pools otherwise."""

from __future__ import annotations

import functools
import threading
from typing import Any

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, linear, max_pool2d

from exposurebench.errors import MissingError
from exposurebench.pretrained import read_state

_loading = threading.Lock()


class Inception(nn.Module):
    """The network without its auxiliary head, giving logits and the features that they are made of.

    Attributes:
        body: everything below the classes.
        weight: of the classes.
        bias: of the classes; zero where the protocol leaves it out.
    """

    def __init__(self, body: nn.Module, head: nn.Linear, biased: bool) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("weight", head.weight.detach())
        self.register_buffer("bias", head.bias.detach() if biased else torch.zeros_like(head.bias))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(N, 3, 299, 299)`` in [-1, 1] to ``(N, C)`` logits and ``(N, 2048)`` features."""
        features = self.body(images)
        return linear(features, self.get_buffer("weight"), self.get_buffer("bias")), features


def loaded(network: str, path: str, device: str) -> Inception:
    """The network with the weights of a file, loaded once.

    Raises:
        InputError: the file holds no such weights.
        MissingError: torchvision cannot be imported.
    """
    with _loading:
        return _loaded(network, path, device)


@functools.lru_cache(maxsize=2)
def _loaded(network: str, path: str, device: str) -> Inception:
    whole = build(network)
    what = f"{network}'s Inception v3"
    whole.load_state_dict(read_state(path, whole.state_dict(), what=what, besides="AuxLogits."))
    head, whole.fc = whole.fc, nn.Identity()
    return Inception(whole, head, biased=network == "torchvision").requires_grad_(False).eval().to(device)


def build(network: str) -> Any:
    """torchvision's Inception v3 with 1000 classes, or with 1008 and the pooling of 2015.

    TensorFlow's average pools leave the padding out of their averages, and the last block takes the largest
    value instead.

    Raises:
        MissingError: torchvision cannot be imported.
    """
    try:
        from torchvision.models import inception
    except (ImportError, RuntimeError) as error:
        raise MissingError(
            f"torchvision cannot be imported ({error}): install the torch and torchvision that belong together"
        ) from error
    if network == "torchvision":
        return inception.Inception3(num_classes=1000, aux_logits=False, init_weights=False)
    blocks = [getattr(inception, f"Inception{letter}") for letter in "ABCDE"]
    patched = [_pooling_otherwise(block) if i in (0, 2, 4) else block for i, block in enumerate(blocks)]
    blocks = [inception.BasicConv2d, *patched, inception.InceptionAux]
    whole = inception.Inception3(num_classes=1008, aux_logits=False, inception_blocks=blocks, init_weights=False)
    whole.Mixed_7c.largest = True
    return whole


def _pooling_otherwise(block: Any) -> Any:
    class Block(block):  # type: ignore[misc]
        largest = False

        def _forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            *others, _ = super()._forward(x)
            averaged = functools.partial(avg_pool2d, count_include_pad=False)
            pooled = (max_pool2d if self.largest else averaged)(x, kernel_size=3, stride=1, padding=1)
            return [*others, self.branch_pool(pooled)]

    return Block
