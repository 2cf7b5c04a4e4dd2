"""The gap reader: takes the clipping threshold out of the histogram, where a table left it to be read."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.inverse_clip import BLIND_TAU, inverse_clip
from exposurebench.color import gamma22_to_light
from exposurebench.images import quantize
from exposurebench.pairing.gamma_clip import overexposure_table
from exposurebench.scene import Evidence

TITLE = "light scaled back by the threshold that the histogram's gaps betray"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "ours: a data set whose random thresholds this row reads off is no test of anything else"
NEEDS = ("input",)
ORACLE = False

LOWEST = 0.1
"""The lowest threshold that is tried: tables of fewer levels fit too many pictures of few colours."""
CHANCE = 1e-6
"""A comb is believed when a histogram without one would fit some table by accident this rarely."""
FILLED = 0.7
"""A comb is believed when the picture uses this share of the levels it could: a palette uses few."""


def inverse_comb(evidence: Evidence) -> NDArray[np.float32]:
    """Read tau from the empty levels of the histogram and scale the light back by it.

    ``y = t * x`` with ``t = tau ** (1 / 2.2)``, tau from :func:`read_tau`. Where there is no comb of gamma22,
    or the input is not made of 8-bit levels, the blind threshold (0.75) stands in.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    >>> table = overexposure_table(0.6).astype(np.float32) / 255
    >>> image = np.repeat(table.reshape(16, 16, 1), 3, axis=2)
    >>> round(float(inverse_comb(Evidence(image)).max()), 3) == round(0.6 ** (1 / 2.2), 3)
    True
    """
    levels = quantize(evidence.input)
    tau = 1.0
    if np.allclose(evidence.input * np.float32(255), levels, rtol=0, atol=1e-3):
        tau = read_tau(levels)
    return inverse_clip(evidence, tau=tau if tau < 1 else BLIND_TAU, transfer="gamma22")


def read_tau(levels: NDArray[np.uint8]) -> float:
    """The threshold of the smallest table that could have made these levels, 1 if none is believable.

    Of the ``R`` levels between the darkest and the brightest one in use, ``n`` are in use and a table
    leads to ``S``. That it leads to all ``n`` is an accident with the chance ``C(S, n) / C(R, n)``, which
    times the number of tables has to stay below :data:`CHANCE`. Of the tables with the smallest ``S`` the
    middle one counts. Full combs are read from tau 0.1 to 0.95; above, a handful of gaps proves nothing.

    Args:
        levels: 8-bit values, any shape; the channels share one table, so they are pooled.

    Returns:
        tau in [0.1, 1].

    >>> abs(read_tau(overexposure_table(0.6)) - 0.6) < 0.001
    True
    >>> read_tau(np.arange(256, dtype=np.uint8))
    1.0
    """
    thresholds, tables = _candidates()
    used = np.bincount(levels.reshape(-1), minlength=256) > 0
    first, last = np.flatnonzero(used)[[0, -1]]
    inside = slice(first + 1, last)  # both ends are in use whatever the table: they prove nothing
    room, count = int(last - first - 1), int(used[inside].sum())
    possible = np.flatnonzero((tables | ~used).all(axis=1))
    sizes = tables[possible, inside].sum(axis=1)
    size = int(sizes.min(initial=room))
    if size >= room or count < FILLED * size:
        return 1.0
    chance = math.log(len(tables)) + _log_choose(size, count) - _log_choose(room, count)
    if chance > math.log(CHANCE):
        return 1.0
    smallest = possible[sizes == size]
    return float(thresholds[smallest[smallest.size // 2]])


@functools.cache
def _candidates() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Every table there is: a threshold for each, and ``(tables, 256)`` the levels it leads to.

    Level ``i`` becomes ``i / t`` rounded, so that a table changes where some ``i / t = k - 1/2``, only there.
    """
    level = np.arange(1.0, 256)
    changes = np.unique(level[:, None] / (level - 0.5))
    changes = np.append(changes[(changes > LOWEST ** (1 / 2.2)) & (changes < 1)], 1)
    thresholds = gamma22_to_light((changes[:-1] + changes[1:]) / 2)
    reachable = np.zeros((thresholds.size, 256), dtype=bool)
    for row, tau in zip(reachable, thresholds, strict=True):
        row[overexposure_table(float(tau))] = True
    return thresholds, reachable


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
