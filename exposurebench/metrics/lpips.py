"""Learned perceptual image patch similarity, by its authors' package (the extra ``lpips``)."""

from __future__ import annotations

import functools
import warnings
from typing import Any, Literal

import torch

from exposurebench.errors import InputError, MissingError
from exposurebench.pretrained import ORIGIN, Published, find
from exposurebench.tensors import checked_pair

TITLE = "learned perceptual image patch similarity (LPIPS), AlexNet"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, None)
BETTER = "lower"
REFERENCE = "Zhang et al. 2018, The unreasonable effectiveness of deep features as a perceptual metric"
VERSION = 1
PROTOCOL = {
    "color": "rgb",
    "encoding": "display, scaled to [-1, 1]",
    "network": "alex",
    "backbones": "alexnet-owt-7be5be79, vgg16-397923af, squeezenet1_1-b8a52dc0 (SHA-256 begins so)",
    "linear_layers": "the package's, version 0.1",
    "size": "full",
    "pooling": "mean over pixels of each layer, sum over layers",
    "precision": "input",
}
VARIANTS = {"vgg": {"network": "vgg"}, "squeeze": {"network": "squeeze"}}
VARIANT_FACTS = {
    "vgg": {"TITLE": "learned perceptual image patch similarity (LPIPS), VGG-16"},
    "squeeze": {"TITLE": "learned perceptual image patch similarity (LPIPS), SqueezeNet 1.1"},
}

Network = Literal["alex", "vgg", "squeeze"]

BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""torchvision's ImageNet weights; the digits in a name begin the file's SHA-256."""
SMALLEST_PX = 32


def lpips(
    prediction: torch.Tensor, target: torch.Tensor, *, network: Network = "alex", weights: str | None = None
) -> torch.Tensor:
    """How far apart two images are in the features of a network that was trained to name things.

    ``sum over layers of mean over pixels of w . (f - f_target)^2`` with features f of unit length and weights w
    fitted to people's judgements. The network runs in the authors' package, which brings w; the backbone's
    weights are torchvision's and are never downloaded here.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        network: ``alex`` (the authors' choice for scores), ``vgg`` or ``squeeze``.
        weights: the backbone's file; None looks for it in torch's cache.

    Returns:
        ``(N,)`` in the input's dtype, without unit, from 0 (equal images) up.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, a side under 32 px, NaN, infinity, values outside [0, 1], an
            unknown network.
        MissingError: the package is not installed, or the backbone's weights are not there.
        InputError: the file holds other weights.

    Source: Zhang et al. 2018, eq. 1.

    >>> lpips(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    Traceback (most recent call last):
    ValueError: LPIPS needs 32 px, and 8 x 8 px is smaller
    """
    if network not in BACKBONES:
        raise ValueError(f"network must be one of {', '.join(BACKBONES)}, not {network!r}")
    checked_pair(prediction, target)
    if min(prediction.shape[2:]) < SMALLEST_PX:
        height, width = prediction.shape[2:]
        raise ValueError(f"LPIPS needs {SMALLEST_PX} px, and {width} x {height} px is smaller")
    model = _model(network, weights, prediction.dtype, prediction.device)
    distance: torch.Tensor = model(2 * prediction - 1, 2 * target - 1)
    return distance.flatten()


@functools.lru_cache(maxsize=4)
def _model(network: str, weights: str | None, dtype: torch.dtype, device: torch.device) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from lpips import LPIPS
    except ImportError as error:
        raise MissingError(f"LPIPS needs its own package ({error}): pip install 'exposurebench[lpips]'") from error
    except RuntimeError as error:
        raise MissingError(
            f"LPIPS needs a torchvision that fits this torch ({error}): reinstall the two together"
        ) from error
    state = _backbone(network, weights)
    # Asked for a backbone without weights, which draws random ones: not from the caller's generator.
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LPIPS(net=network, pnet_rand=True, verbose=False)
        names = [name.partition(".")[2] for name in model.net.state_dict()]
        try:
            found = [state[f"features.{name}"] for name in names]
            model.net.load_state_dict(dict(zip(model.net.state_dict(), found, strict=True)))
        except (KeyError, RuntimeError) as error:
            raise InputError(f"the weights given for LPIPS are not those of {BACKBONES[network]}: {error}") from error
        return model.requires_grad_(False).eval().to(device, dtype)


def _backbone(network: str, weights: str | None) -> dict[str, torch.Tensor]:
    name = BACKBONES[network]
    known = Published(name, ORIGIN + name, name.removesuffix(".pth").rpartition("-")[2])
    path = find(known, weights, what="LPIPS's backbone", otherwise="say weights=PATH")
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
