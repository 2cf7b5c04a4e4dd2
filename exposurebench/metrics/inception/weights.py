"""Where the weights of the two Inceptions are, and that they are the right ones."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

from exposurebench.download import download
from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file


class Weights(NamedTuple):
    """A file of weights as its publisher names it; the digits in its name begin its SHA-256."""

    file: str
    url: str
    sha256: str
    also: tuple[str, ...] = ()


NETWORKS = {
    "torchvision": Weights(
        "inception_v3_google-0cc3c7bd.pth",
        "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd",
    ),
    "tf2015": Weights(
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
        ("pt_inception-2015-12-05-6726825d.pth",),
    ),
}


def find(network: str, weights: str | None = None) -> Path:
    """The file of a network's weights, its hash checked.

    Args:
        network: a name in ``NETWORKS``.
        weights: a path; None looks into torch's cache; ``download`` fetches what is not there.

    Raises:
        ValueError: no such network.
        MissingError: the file is not there, or cannot be fetched.
        InputError: it is another file.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {network!r}")
    known = NETWORKS[network]
    cached = [_cache() / name for name in (known.file, *known.also)]
    path = next((file for file in cached if file.is_file()), cached[0])
    if weights == "download":
        download(known.url, path, sha256=known.sha256, progress=True)
    elif weights is not None:
        path = Path(weights)
    if not path.is_file():
        raise MissingError(
            f"the weights of {network}'s Inception v3 are missing: get {known.url} and put it at {str(path)!r}, or say "
            "weights=PATH (with eval --metric-set METRIC.weights=PATH; weights=download fetches it)"
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


def _cache() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"
