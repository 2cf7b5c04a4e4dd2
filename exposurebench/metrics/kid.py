"""Kernel Inception distance: do two sets of images look alike to a network?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from exposurebench.metrics.inception import statistics as statistics
from exposurebench.metrics.inception import weights_facts as weights_facts

TITLE = "kernel Inception distance"
TAKES = "srgb"
UNIT = ""
RANGE = {"distance": (None, None), "spread": (0.0, None)}
BETTER = {"distance": "lower", "spread": "neither"}
REFERENCE = "Binkowski et al. 2018, Demystifying MMD GANs"
VERSION = 1
COLUMNS = ("features",)
PROTOCOL = {
    "network": "torchvision",
    "torchvision": "Inception v3 of torchvision, 1000 classes; bilinear with antialiasing to 299 x 299; 2 x - 1",
    "tf2015": "Inception of 2015-12-05, 1008 classes, logits without bias; 8 bits; TensorFlow 1 bilinear to 299 x 299; "
    "(x - 128) / 128",
    "answers": "network in float32, log-softmax in float64, kept as float32",
    "kernel": "(x . y / 2048 + 1) ** 3",
    "block": 1000,
    "order": "as given; block i of B = max(1, N // block) is images iN//B to (i + 1)N//B of both sets",
    "pooling": "mean and population standard deviation of the unbiased estimate over blocks",
}
VARIANTS = {"tf2015": {"network": "tf2015"}}
VARIANT_FACTS = {"tf2015": {"TITLE": "kernel Inception distance with the network of December 2015"}}


def kid(
    prediction_columns: Mapping[str, torch.Tensor | NDArray[Any]],
    target_columns: Mapping[str, torch.Tensor | NDArray[Any]],
    *,
    block: int = 1000,
) -> dict[str, float]:
    """How far apart two sets of images lie in a network's features.

    The squared maximum mean discrepancy under the kernel ``k(x, y) = (x . y / d + 1) ** 3``, estimated without
    bias in each block of images: ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j)``.

    Args:
        prediction_columns: ``features`` ``(N, d)``, as ``statistics`` gives them.
        target_columns: the same of the targets.
        block: about how many images are compared with each other at once.

    Returns:
        ``distance``, the mean over the blocks, around 0 for sets of one law (the estimate of equal sets is
        below 0, since an image is nearest to itself), and its population standard deviation, ``spread``.

    Raises:
        KeyError: a column is missing.
        ValueError: a wrong shape, sets of different sizes, NaN, fewer than two images in a block.

    Source: Binkowski et al. 2018, section 2 and eq. 4; Gretton et al. 2012, A kernel two-sample test, eq. 3.

    >>> here, there = ({"features": np.full((3, 2), value)} for value in (0.0, 1.0))
    >>> kid(here, there)
    {'distance': 7.0, 'spread': 0.0}
    """
    ours, theirs = (_features(columns["features"]) for columns in (prediction_columns, target_columns))
    if ours.shape != theirs.shape:
        raise ValueError(f"the two sets must have one size, not {ours.shape} and {theirs.shape}")
    if block < 2:
        raise ValueError(f"a block must have at least 2 images, not {block}")
    blocks = max(1, len(ours) // block)
    edges = [i * len(ours) // blocks for i in range(blocks + 1)]
    parts = [slice(low, high) for low, high in pairwise(edges)]
    distances = np.array([discrepancy(ours[part], theirs[part]) for part in parts])
    return {"distance": float(distances.mean()), "spread": float(distances.std())}


def discrepancy(ours: ArrayLike, theirs: ArrayLike) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy of two sets of features; see :func:`kid`.

    Args:
        ours: ``(M, d)``.
        theirs: ``(N, d)``.

    Raises:
        ValueError: fewer than two of either.
    """
    x, y = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a kernel distance needs at least 2 images of each set, not {len(x)} and {len(y)}")
    within = sum(_without_itself(_kernel(side, side)) for side in (x, y))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _without_itself(kernel: NDArray[np.float64]) -> float:
    number = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (number * (number - 1)))


def _features(column: torch.Tensor | NDArray[Any]) -> NDArray[np.float64]:
    values = column.detach().cpu().numpy() if isinstance(column, torch.Tensor) else column
    features = np.asarray(values, np.float64)
    if features.ndim != 2 or not features.size or not np.isfinite(features).all():
        raise ValueError(f"features must be finite and have the shape (N, d), not {features.shape}")
    return features
