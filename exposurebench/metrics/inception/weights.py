"""Where the weights of the two Inceptions are, and that they are the right ones."""

from __future__ import annotations

from pathlib import Path

from exposurebench import pretrained
from exposurebench.pretrained import Published

NETWORKS = {
    "torchvision": Published(
        "inception_v3_google-0cc3c7bd.pth",
        f"{pretrained.ORIGIN}inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd",
    ),
    "tf2015": Published(
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
        ("pt_inception-2015-12-05-6726825d.pth",),
    ),
}


def find(network: str, weights: str | None = None) -> Path:
    """The file of a network's weights, its hash checked; see :func:`exposurebench.pretrained.find`.

    Raises:
        ValueError: no such network.
        MissingError: the file is not there, or cannot be fetched.
        InputError: it is another file.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {network!r}")
    otherwise = "say weights=PATH (with eval --metric-set METRIC.weights=PATH; weights=download fetches it)"
    return pretrained.find(NETWORKS[network], weights, what=f"{network}'s Inception v3", otherwise=otherwise)
