"""Published weights: where the file is, that it is the right one, and the VGG features that losses look through."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from exposurebench.download import download
from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file


class Published(NamedTuple):
    """A file of weights as its publisher names it; the digits in its name begin its SHA-256."""

    file: str
    url: str
    sha256: str
    also: tuple[str, ...] = ()


ORIGIN = "https://download.pytorch.org/models/"
VGG = {
    "vgg16": Published("vgg16-397923af.pth", f"{ORIGIN}vgg16-397923af.pth", "397923af"),
    "vgg19": Published("vgg19-dcbb9e9d.pth", f"{ORIGIN}vgg19-dcbb9e9d.pth", "dcbb9e9d"),
}
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks, which have 64, 128, 256, 512 and 512 channels and end in a pooling."""
CHANNELS = (64, 128, 256, 512, 512)


def find(known: Published, weights: str | None = None, *, what: str, otherwise: str) -> Path:
    """A published file of weights, its hash checked.

    Args:
        known: the file.
        weights: a path; None or nothing looks into torch's cache; ``download`` fetches what is not there.
        what: the network, for messages.
        otherwise: what else a person can do where the file is missing.

    Raises:
        MissingError: the file is not there, or cannot be fetched.
        InputError: it is another file.
    """
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    cached = [cache / name for name in (known.file, *known.also)]
    path = next((file for file in cached if file.is_file()), cached[0])
    if weights == "download":
        download(known.url, path, sha256=known.sha256, progress=True)
    elif weights:
        path = Path(weights)
    if not path.is_file():
        raise MissingError(
            f"the weights of {what} are missing: get {known.url} and put it at {str(path)!r}, or {otherwise}"
        )
    digits = file_sha256(str(path))[: len(known.sha256)]
    if digits != known.sha256:
        raise InputError(
            f"{str(path)!r} is not {known.file}: its SHA-256 begins with {digits}, expected {known.sha256}; get {known.url}"
        )
    return path


def file_sha256(path: str) -> str:
    """SHA-256 of a file, computed once as long as it does not change."""
    status = os.stat(path)
    return _hashed(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=8)
def _hashed(path: str, _time: int, _size: int) -> str:
    return sha256_file(path)


def read_state(
    path: str | Path, wanted: Mapping[str, torch.Tensor], *, what: str, besides: str
) -> dict[str, torch.Tensor]:
    """The weights in a file, if they are those of a network; nothing in the file is run.

    Args:
        path: the file.
        wanted: the network's weights by name; counters of batch norm may be missing in the file.
        what: the network, for messages.
        besides: how the names of weights begin that the file may hold and nobody wants.

    Raises:
        InputError: it cannot be read, or holds other weights.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for a foreign file has many types
        reason = str(error).partition("\n")[0]
        raise InputError(f"{str(path)!r} cannot be read as weights of {what}: {reason}") from error
    if wrong := _mistakes(state, wanted, besides):
        raise InputError(f"{str(path)!r} holds other weights than {what}: {wrong}")
    return {name: state.get(name, wanted[name]) for name in wanted}


def _mistakes(state: Any, wanted: Mapping[str, torch.Tensor], besides: str) -> str:
    """What a file's weights lack, have too much or have in another shape, in a few words."""
    if not isinstance(state, Mapping):
        return f"a {type(state).__name__}, not names and tensors"
    needed = {name: tensor.shape for name, tensor in wanted.items() if not name.endswith("num_batches_tracked")}
    wrong = [name for name, shape in needed.items() if getattr(state.get(name), "shape", None) != shape]
    wrong += [name for name in state if name not in wanted and not str(name).startswith(besides)]
    return ", ".join(map(str, wrong[:3])) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def vgg(name: Literal["vgg16", "vgg19"], weights: str = "", *, otherwise: str = "") -> nn.Sequential:
    """The convolutional part of a VGG with its ImageNet weights, frozen.

    Its modules stand in torchvision's order, so that ``vgg("vgg19")[16]`` is ``conv3_4``, see :func:`place`. It takes
    ``(N, 3, H, W)``; what losses do to display values first is in :func:`exposurebench.losses.features`.

    Args:
        name: ``vgg16`` or ``vgg19``.
        weights: the file; by default torch's cache; ``download`` fetches it there.
        otherwise: what a person can do without the file, for the message.

    Raises:
        ValueError: no such network.
        MissingError: the file is not there; the message says what to get and where to put it.
        InputError: it is another file.

    Source: Simonyan and Zisserman 2015, Very deep convolutional networks for large-scale image recognition, table 1,
    columns D and E.
    """
    if name not in VGG:
        raise ValueError(f"expected one of {', '.join(VGG)}, not {name!r}")
    path = find(VGG[name], weights, what=name.upper().replace("VGG", "VGG-"), otherwise=otherwise or "give its path")
    with torch.device("meta"):
        network = nn.Sequential(*vgg_layers(name))
    wanted = {f"features.{key}": tensor for key, tensor in network.state_dict().items()}
    state = read_state(path, wanted, what=name.upper().replace("VGG", "VGG-"), besides="classifier.")
    network.load_state_dict({key.partition(".")[2]: tensor for key, tensor in state.items()}, assign=True)
    return network.requires_grad_(False).eval()


def vgg_layers(name: str) -> list[nn.Module]:
    """The modules of a VGG's convolutional part, with weights as torch draws them.

    >>> len(vgg_layers("vgg16")), len(vgg_layers("vgg19"))
    (31, 37)
    """
    layers: list[nn.Module] = []
    channels = 3
    for count, width in zip(CONVOLUTIONS[name], CHANNELS, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return layers


def place(layers: nn.Sequential, convolution: str) -> int:
    """Where a convolution stands among a VGG's modules; its ReLU is the next one.

    Raises:
        ValueError: it has no such convolution.

    >>> with torch.device("meta"):
    ...     place(nn.Sequential(*vgg_layers("vgg19")), "conv3_4")
    16
    """
    block, number, found = 1, 0, []
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 0
        elif isinstance(layer, nn.Conv2d):
            number += 1
            found.append(f"conv{block}_{number}")
            if found[-1] == convolution:
                return index
    raise ValueError(f"no layer is called {convolution!r}; there are {', '.join(found)}")
