"""How far apart two histograms of the same bins are, by four measures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def intersection(ours: ArrayLike, theirs: ArrayLike) -> float:
    """The overlap of two histograms of the same bins: ``sum_i min(p_i, q_i)``.

    Args:
        ours: shares (or counts of sets of one size), at or above 0, any shape.
        theirs: the same shape.

    Returns:
        From 0 (no bin in common) to the sum of the smaller one: 1 for equal shares.

    Raises:
        ValueError: shapes that differ, negative, infinite or no counts.

    Source: Swain and Ballard 1991, Color indexing, eq. 1.

    >>> intersection([0.5, 0.5, 0], [0, 0.75, 0.25])
    0.5
    """
    return float(np.minimum(*_histograms(ours, theirs)).sum())


def correlation(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How the bins of two histograms rise and fall together: Pearson's correlation over the bins.

    Args:
        ours: counts or shares of at least two different values.
        theirs: the same shape.

    Returns:
        From -1 to 1, 1 where one is the other up to scale.

    Raises:
        ValueError: as for :func:`intersection`, or a flat histogram, which correlates with nothing.

    Source: Pearson 1895; what OpenCV calls HISTCMP_CORREL.

    >>> round(correlation([1, 2, 3], [2, 4, 7]), 3)
    0.993
    """
    p, q = (shares - shares.mean() for shares in _histograms(ours, theirs))
    scale = float(np.sqrt((p * p).sum() * (q * q).sum()))
    if not scale:
        raise ValueError("a flat histogram has no correlation")
    return float((p * q).sum() / scale)


def hellinger(ours: ArrayLike, theirs: ArrayLike) -> float:
    """The Hellinger distance of two histograms: ``sqrt(1 - sum_i sqrt(p_i q_i))`` of their shares.

    Args:
        ours: counts or shares.
        theirs: the same shape.

    Returns:
        From 0 (equal) to 1 (no bin in common).

    Raises:
        ValueError: as for :func:`intersection`.

    Source: Hellinger 1909; Bhattacharyya 1943; what OpenCV calls HISTCMP_BHATTACHARYYA.

    >>> hellinger([1, 0], [0, 3]), hellinger([1, 3], [2, 6])
    (1.0, 0.0)
    """
    p, q = (np.sqrt(shares / shares.sum()) for shares in _histograms(ours, theirs))
    # Half the squared distance of the roots is 1 - sum sqrt(p q), without the loss of digits near 0.
    return math.sqrt(((p - q) ** 2).sum() / 2)


def chi_square(ours: ArrayLike, theirs: ArrayLike) -> float:
    """The chi-square distance of two histograms, seen from the first: ``sum_i (p_i - q_i)^2 / p_i``.

    Bins that the first lacks are left out, so the sides are not alike.

    Args:
        ours: shares (or counts of sets of one size).
        theirs: the same shape.

    Returns:
        From 0 (equal) up.

    Raises:
        ValueError: as for :func:`intersection`.

    Source: Pearson 1900; what OpenCV calls HISTCMP_CHISQR.

    >>> chi_square([0.5, 0.5], [0.25, 0.75])
    0.25
    """
    p, q = _histograms(ours, theirs)
    filled = p > 0
    return float(((p - q)[filled] ** 2 / p[filled]).sum())


def _histograms(ours: ArrayLike, theirs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p, q = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if p.shape != q.shape:
        raise ValueError(f"histograms must have the same bins, not {p.shape} and {q.shape}")
    for counts in (p, q):
        if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
            raise ValueError("a histogram must hold finite counts from 0 up, and some above")
    return p, q
