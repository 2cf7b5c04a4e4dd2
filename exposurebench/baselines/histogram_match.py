"""Give every photograph the tones of the average training target."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.images import quantize
from exposurebench.scene import Evidence

TITLE = "each channel takes on the pooled histogram of the training targets"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Gonzalez and Woods, Digital Image Processing, histogram specification"
NEEDS = ("input", "training_targets")
ORACLE = False

Targets = Iterable[NDArray[np.float32]]

_pooled: dict[int, tuple[weakref.ref[Any], NDArray[np.int64]]] = {}


def histogram_match(evidence: Evidence) -> NDArray[np.float32]:
    """Map each channel so that its distribution becomes that of the training targets.

    ``y = F_targets^-1(F_input(x))`` in 256 levels, where ``F(v)`` is the share below ``v`` plus half the
    share at ``v`` (so that a flat image goes to the median, not to white), interpolated between the levels
    that the targets use.

    The targets are read once and remembered for as long as they live, if weak references can hold them
    (objects of a class, generators); a list or a tuple is counted anew for every input.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1], and the training targets.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: there are no training targets.

    >>> dark, light = (np.full((2, 2, 3), value, np.float32) for value in (0.2, 0.8))
    >>> bool(np.allclose(histogram_match(Evidence(light, training_targets=[dark])), 0.2))
    True
    """
    levels, wanted = quantize(evidence.input), _target_counts(evidence.training_targets)
    found = _counts(levels)
    result = np.empty(levels.shape, np.float32)
    for channel in range(3):
        used = np.flatnonzero(wanted[channel])
        table = np.interp(_ranks(found[channel]), _ranks(wanted[channel])[used], used / 255)
        result[..., channel] = table[levels[..., channel]]
    return result


def _target_counts(targets: Targets | None) -> NDArray[np.int64]:
    """The targets' pooled histogram, ``(3, 256)``."""
    known = _pooled.get(key := id(targets))
    if known and known[0]() is targets:
        return known[1]
    counts = np.zeros((3, 256), np.int64)
    for target in () if targets is None else targets:
        counts += _counts(quantize(target))
    if not counts.any():
        raise ValueError("histogram_match needs training targets, and there are none")
    with contextlib.suppress(TypeError):  # a list cannot be held weakly
        _pooled[key] = (weakref.ref(targets, lambda _: _pooled.pop(key, None)), counts)
    return counts


def _counts(levels: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.stack([np.bincount(levels[..., channel].reshape(-1), minlength=256) for channel in range(3)])


def _ranks(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of pixels below each level plus half of those at it."""
    below: NDArray[np.int64] = np.cumsum(counts) - counts
    ranks: NDArray[np.float64] = (below + counts / 2) / counts.sum()
    return ranks
