"""What an Inception v3 answers to images: the class log-probabilities and the features below them.

Two networks go by that name and give other scores, so they are protocols of their own: torchvision's (1000
classes), and the one of December 2015 (1008 classes), for which the Inception score was defined.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch.nn.functional import interpolate

from exposurebench.metrics.inception.network import Inception, loaded
from exposurebench.metrics.inception.weights import NETWORKS, find
from exposurebench.pretrained import file_sha256
from exposurebench.tensors import checked_batch

Network = Literal["torchvision", "tf2015"]

SIDE_PX = 299


def statistics(
    images: torch.Tensor, *, network: Network = "torchvision", weights: str | None = None
) -> dict[str, torch.Tensor]:
    """What the network answers to each image.

    Args:
        images: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64, any size; each is resized to
            299 x 299 and seen by itself, in float32, where it lies.
        network: ``torchvision``, or ``tf2015`` for the network of December 2015.
        weights: the file; by default torch's cache; ``download`` fetches it there.

    Returns:
        ``log_probabilities`` ``(N, C)``, natural logarithms, and ``features`` ``(N, 2048)``, both float32.

    Raises:
        TypeError: integers or half precision.
        ValueError: a wrong shape, NaN, infinity, values outside [0, 1], an unknown network.
        MissingError: the weights are not there; the message says what to get and where to put it.
        InputError: the file is not those weights.

    Source: Szegedy et al. 2016, Rethinking the Inception architecture for computer vision.
    """
    checked_batch(images)
    answering = loaded(network, str(find(network, weights)), str(images.device))
    with torch.inference_mode():
        answers = [_answer(answering, image[None], network) for image in images]
    return {name: torch.cat([answer[name] for answer in answers]) for name in ("log_probabilities", "features")}


def weights_facts(*, network: Network = "torchvision", weights: str | None = None) -> dict[str, Any]:
    """Which file the weights are, and its hash, for the protocol.

    Raises:
        MissingError: they are not there.
        InputError: the file is not those weights.
    """
    path = find(network, weights)
    return {"weights_file": NETWORKS[network].file, "weights_sha256": file_sha256(str(path))}


def _answer(inception: Inception, image: torch.Tensor, network: Network) -> dict[str, torch.Tensor]:
    pixels = image.float()
    if network == "torchvision":
        # Antialiasing is a kernel of its own size in each direction, which keeps values in range.
        seen = interpolate(pixels, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True, align_corners=False) * 2 - 1
    else:
        seen = (tensorflow_resized(torch.round(pixels * 255), SIDE_PX) - 128) / 128
    logits, features = inception(seen)
    return {"log_probabilities": logits.double().log_softmax(1).float(), "features": features}


def tensorflow_resized(images: torch.Tensor, side_px: int = SIDE_PX) -> torch.Tensor:
    """Bilinear as TensorFlow 1 had it: output pixel i lies at ``i * size / side``, without antialiasing.

    >>> tensorflow_resized(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]), 4)[0, 0, 0].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    for axis in (2, 3):
        size = images.shape[axis]
        places = torch.arange(side_px, device=images.device, dtype=images.dtype) * (size / side_px)
        below = places.floor().long().clamp(max=size - 1)
        share = (places - below).view((-1, 1) if axis == 2 else (-1,))
        low, high = images.index_select(axis, below), images.index_select(axis, (below + 1).clamp(max=size - 1))
        images = low + (high - low) * share
    return images
