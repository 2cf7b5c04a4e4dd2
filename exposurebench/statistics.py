"""How sure a number over a set of images is: intervals and the noise floor, on columns of numbers.

What is drawn again and again are groups (the source photographs), never pairs: the exposures of one
photograph and the patches of one image say nearly the same thing, and counting them as independent makes
every interval too short.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]

_CHUNK = 4_000_000
"""How many weights are held at once."""


def mean_interval(
    values: ArrayLike,
    groups: Sequence[Hashable] | NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """A confidence interval of the mean of scores that come in groups.

    Expanded percentile bootstrap: whole groups are drawn with replacement, and the percentiles are moved
    out from ``z`` to ``t * sqrt(G / (G - 1))``, for the plain ones are too narrow for few groups G.

    Args:
        values: ``(N,)`` finite scores.
        groups: ``(N,)`` names, equal for scores of one source photograph.
        level: the share of such intervals that should hold the true mean.
        resamples: how many times the groups are drawn.
        seed: of those draws.

    Returns:
        The lower and the upper end, in the unit of the values; ``(nan, nan)`` with fewer than two groups,
        from which nothing about the spread can be learned. Coverage measured at a level of 0.95: 0.93 to
        0.95 from 20 groups on, 0.90 with 10 groups of a skewed law.

    Raises:
        ValueError: lengths that differ, no values, NaN or infinity, a level outside (0, 1), no resamples.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; Hesterberg 2015,
    What teachers should know about the bootstrap (the expansion).

    >>> low, high = mean_interval([1.0, 2.0, 3.0, 4.0], ["a", "b", "c", "d"])
    >>> low < 2.5 < high
    True
    >>> mean_interval([1.0, 2.0], ["a", "a"])
    (nan, nan)
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1:
        raise ValueError("values must be one column of finite numbers")
    [ends] = mean_intervals(scores[None], groups, level=level, resamples=resamples, seed=seed)
    return ends


def mean_intervals(
    columns: ArrayLike,
    groups: Sequence[Hashable] | NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """What :func:`mean_interval` gives for each of several columns, whose groups are drawn once: most of the time.

    Args:
        columns: ``(M, N)`` finite scores, M metrics of the same N pairs.
        groups: ``(N,)`` names, as there; so are the other settings.

    Returns:
        Lower and upper end of each, to the last digit those of the column by itself.

    Raises:
        ValueError: as there.

    >>> columns = [[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]
    >>> first, second = mean_intervals(columns, list("abc"))
    >>> first == mean_interval(columns[0], list("abc")), second
    (True, (5.0, 5.0))
    """
    scores = np.asarray(columns, np.float64)
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise ValueError("values must be columns of finite numbers")
    codes, number = group_codes(groups, scores.shape[1])
    check_draws(level, resamples)
    if number < 2:
        return [(math.nan, math.nan)] * len(scores)
    sizes = np.bincount(codes, minlength=number)
    centers = [column.mean() for column in scores]  # equal values must give exactly themselves: deviations are summed
    sums = [np.bincount(codes, c - center, minlength=number) for c, center in zip(scores, centers, strict=True)]
    means = [[w @ column / drawn for column in sums] for w in weights(number, resamples, seed) for drawn in [w @ sizes]]
    tail = NormalDist().cdf(-_critical(level, number - 1) * math.sqrt(number / (number - 1)))
    found = []
    for center, parts in zip(centers, zip(*means, strict=True), strict=True):
        low, high = center + np.quantile(np.concatenate(parts), (tail, 1 - tail))
        found.append((float(low), float(high)))
    return found


@dataclass(frozen=True)
class SimilarityEstimate:
    """A similarity of two histograms and what it is worth.

    ``value`` is the similarity of the two sets as they are, over ``n`` images. It is too low by nature:
    even two sets of one law reach only about ``noise_floor`` at this n. ``low`` and ``high`` enclose the
    similarity of the two laws, freed of that, so they can lie above the value.
    """

    value: float
    low: float
    high: float
    noise_floor: float
    n: int


def similarity_interval(
    prediction_columns: Mapping[str, ArrayLike],
    target_columns: Mapping[str, ArrayLike],
    groups: Sequence[Hashable] | NDArray[Any],
    *,
    bins: int = 32,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> dict[str, SimilarityEstimate]:
    """The histogram similarity of paired columns, with its noise floor and an interval freed of its bias.

    ``S = sum_i min(p_i, q_i) = 1 - sum_i |d_i| / 2`` with ``d = p - q``. Noise of standard deviation
    ``s_i`` in ``d_i`` makes every ``|d_i|`` too large, and resampling adds the same noise once more. So each
    bin gives ``|d_i| - 1.3 s_i exp(-2 (d_i / s_i) ** 2)`` instead, whose expectation is within ``0.22 s_i``
    of the true ``|d_i|`` wherever that lies. The interval is ``t`` standard errors to each side, where the
    squared error is the bootstrap's over groups plus a third of the square of the bias that is left at
    most. It reaches up to 1 as long as the set cannot be told from one in which prediction and target are
    swapped, group by group, at random; the mean of S over such swaps is the noise floor.

    Args:
        prediction_columns: by name, ``(N,)`` or ``(N, K)`` values in [0, 1], K patches of one image.
        target_columns: the same names and shapes, row by row of the same images.
        groups: ``(N,)`` names, equal for images of one source photograph.
        bins: how many bins on [0, 1].
        level: the share of such intervals that should hold the similarity of the two laws.
        resamples: how many times the groups are drawn, and how many times they are swapped.
        seed: of the draws.

    Returns:
        An estimate for each column and for their ``mean``, as shares in [0, 1]. Equal sets have the interval
        (1, 1); with fewer than two groups the ends are NaN.

    Coverage measured at a level of 0.95, on nine pairs of laws with 60 to 1000 groups: 0.90 to 0.995. It is
    lowest where half of the bins agree exactly and the rest differ, highest in the middle (S from 0.8 to
    0.95), and more than asked for the mean (0.955 to 1), for the biases left in its columns are taken to
    add up. Plain percentiles cover nothing at all near 1.

    Raises:
        ValueError: names, shapes or lengths that differ, values outside [0, 1], a level outside (0, 1).

    Source: ours; the similarity is that of Hu et al. 2018, Exposure: a white-box photo post-processing
    framework.

    >>> same = {"luminance": np.linspace(0, 1, 50)}
    >>> similarity_interval(same, same, range(50))["mean"]
    SimilarityEstimate(value=1.0, low=1.0, high=1.0, noise_floor=1.0, n=50)
    """
    differences, sizes, n = _grouped_differences(prediction_columns, target_columns, groups, bins)
    check_draws(level, resamples)
    number, total = len(sizes), sizes.sum()
    flat = differences.reshape(number, -1)
    swaps = [_overlap(np.abs(w @ flat), total, bins) for w in weights(number, resamples, seed, swaps=True)]
    floors = _with_mean(np.concatenate(swaps))
    values = _with_mean(_overlap(np.abs(flat.sum(0)), total, bins))
    lows, highs = _interval(flat, sizes, bins, level, resamples, seed)
    if number > 1:
        highs = np.where(values < np.quantile(floors, (1 - level) / 2, axis=0), highs, 1.0)
    return {
        name: SimilarityEstimate(float(value), float(low), float(high), float(floor), n)
        for name, value, low, high, floor in zip(
            [*prediction_columns, "mean"], values, lows, highs, floors.mean(0), strict=True
        )
    }


def bin_numbers(values: ArrayLike, bins: int) -> NDArray[np.int64]:
    """The bin of each value when [0, 1] is cut into equal bins, closed below; 1 is in the last one.

    Raises:
        ValueError: NaN, a value outside [0, 1], or no bins.

    >>> bin_numbers([0.0, 0.49, 0.5, 1.0], 2).tolist()
    [0, 0, 1, 1]
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    array = np.asarray(values, np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError("values to be binned must lie in [0, 1]")
    return np.minimum((array * bins).astype(np.int64), bins - 1)


def _interval(flat: Floats, sizes: Floats, bins: int, level: float, resamples: int, seed: int) -> tuple[Floats, Floats]:
    number, total = len(sizes), sizes.sum()
    if number < 2:
        nothing = np.full(flat.shape[1] // bins + 1, math.nan)
        return nothing, nothing
    shares = flat.sum(0) / total
    spread = np.sqrt(((flat - sizes[:, None] * shares) ** 2).sum(0) * number / (number - 1)) / total
    replicates = [_corrected(w @ flat / (w @ sizes)[:, None], spread, bins) for w in weights(number, resamples, seed)]
    error = _with_mean(np.concatenate(replicates)).std(0)
    unsure = np.where(np.abs(shares) < 4 * spread, 0.22 * spread, 0.0).reshape(-1, bins).sum(-1) / 2
    reach = _critical(level, number - 1) * np.sqrt(error**2 + _with_mean(unsure) ** 2 / 3)
    center = _with_mean(_corrected(shares, spread, bins))
    return np.clip(center - reach, 0, 1), np.clip(center + reach, 0, 1)


def _corrected(shares: Floats, spread: Floats, bins: int) -> Floats:
    steps = shares / np.where(spread > 0, spread, 1)
    return _overlap(np.abs(shares) - 1.3 * spread * np.exp(-2 * steps**2), 1.0, bins)


def _overlap(differences: Floats, total: float, bins: int) -> Floats:
    """``1 - sum(differences) / 2`` in units of the total, for each of the columns that lie side by side."""
    distances: Floats = differences.reshape(*differences.shape[:-1], -1, bins).sum(-1) / 2
    return (total - distances) / total


def _with_mean(columns: Floats) -> Floats:
    """The columns and, behind them, their mean."""
    return np.concatenate((columns, columns.mean(-1, keepdims=True)), -1)


def _grouped_differences(
    prediction_columns: Mapping[str, ArrayLike],
    target_columns: Mapping[str, ArrayLike],
    groups: Sequence[Hashable] | NDArray[Any],
    bins: int,
) -> tuple[Floats, Floats, int]:
    """Per group, column and bin: prediction's count less target's; the values per group; the images."""
    if list(prediction_columns) != list(target_columns) or not prediction_columns:
        raise ValueError(f"the columns differ: {list(prediction_columns)} and {list(target_columns)}")
    sides = [
        [np.asarray(side[name], np.float64) for name in prediction_columns]
        for side in (prediction_columns, target_columns)
    ]
    shapes = {column.shape for side in sides for column in side}
    if len(shapes) != 1:
        raise ValueError(f"the columns must be paired and of one shape, not {sorted(shapes)}")
    (shape,) = shapes
    codes, number = group_codes(groups, shape[0] if shape else 0)
    per_image = math.prod(shape[1:])
    rows = np.repeat(codes, per_image) * bins

    def counts(column: Floats) -> NDArray[np.int64]:
        places = rows + bin_numbers(column, bins).ravel()
        return np.bincount(places, minlength=number * bins).reshape(number, bins)

    differences = [counts(ours) - counts(theirs) for ours, theirs in zip(*sides, strict=True)]
    sizes = np.bincount(codes, minlength=number) * float(per_image)
    return np.stack(differences, 1).astype(np.float64), sizes, shape[0]


def group_codes(groups: Sequence[Hashable] | NDArray[Any], length: int) -> tuple[NDArray[np.intp], int]:
    """A number from 0 for each value's group, and how many groups there are.

    Raises:
        ValueError: no values, or another number of groups than of values.

    >>> group_codes(["b", "a", "b"], 3)
    (array([0, 1, 0]), 2)
    """
    if length == 0 or len(groups) != length:
        raise ValueError(f"expected one group for each of at least one value, not {len(groups)} for {length}")
    codes, names = pd.factorize(pd.Index(groups, tupleize_cols=False), use_na_sentinel=False)
    return codes, len(names)


def check_draws(level: float, resamples: int) -> None:
    """Refuse settings by which nothing can be drawn.

    Raises:
        ValueError: a level outside (0, 1), or no resamples.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")


def weights(groups: int, resamples: int, seed: int, swaps: bool = False) -> Iterator[Floats]:
    """Rows of weights, one per group: how often it is drawn, or (for swaps) its sign.

    As many groups are drawn as there are; rows come in chunks, in all one for each resample.

    >>> [rows.sum(1).tolist() for rows in weights(3, 2, seed=0)]
    [[3.0, 3.0]]
    """
    rng = np.random.default_rng((seed, int(swaps)))
    chunk = max(1, _CHUNK // groups)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        if swaps:
            yield 2.0 * rng.integers(0, 2, (rows, groups)) - 1.0
        else:
            drawn = rng.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
            yield np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def _critical(level: float, freedom: int) -> float:
    """The two-sided quantile of Student's t, by the expansion around the normal quantile.

    Source: Abramowitz and Stegun 1964, eq. 26.7.5.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
