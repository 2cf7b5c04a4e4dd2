"""Histogram similarity: do two sets of images have the same exposure, contrast and colourfulness?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from exposurebench.color import HU2018, hls_saturation, weighted
from exposurebench.histograms import intersection
from exposurebench.statistics import SimilarityEstimate, bin_numbers, similarity_interval
from exposurebench.tensors import checked_batch

TITLE = "histogram similarity of luminance, contrast and saturation, whole images"
TAKES = "srgb"
UNIT = ""
RANGE = (0.0, 1.0)
BETTER = {
    "luminance": "higher",
    "contrast": "higher",
    "saturation": "higher",
    "mean": "higher",
    "luminance_w1": "lower",
    "contrast_w1": "lower",
    "saturation_w1": "lower",
}
REFERENCE = "Hu et al. 2018, Exposure: a white-box photo post-processing framework"
VERSION = 1
COLUMNS = ("luminance", "contrast", "saturation")
PROTOCOL = {
    "patches": "image",
    "bins": 32,
    "boxes": "hu2018: 4 seeded squares of the short side, area-averaged to 80 px, 4 crops of 64 px each",
    "encoding": "display",
    "luminance": "mean of L = 0.27 R + 0.67 G + 0.06 B",
    "contrast": "twice the population standard deviation of L",
    "saturation": "mean of the S of HLS",
    "range": "bins of equal width on [0, 1], 1 in the last",
    "pooling": "sum of the smaller shares; mean of the three",
}
VARIANTS = {"hu2018": {"patches": "hu2018"}}
VARIANT_FACTS = {"hu2018": {"TITLE": "histogram similarity over sixteen patches of each image"}}

Patches = Literal["image", "hu2018"]
Column = torch.Tensor | NDArray[Any]

SQUARES = 4
CROPS = 4
SQUARE_PX = 80
CROP_PX = 64


def statistics(
    images: torch.Tensor, *, patches: Patches = "image", seeds: Sequence[int] = ()
) -> dict[str, torch.Tensor]:
    """The three numbers by which an image counts in the histograms.

    With ``L = 0.27 R + 0.67 G + 0.06 B`` on display values: ``luminance = mean(L)``,
    ``contrast = 2 std(L)`` (population), ``saturation = mean(S)`` of HLS.

    Args:
        images: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        patches: ``image`` measures every image as a whole; ``hu2018`` measures 16 patches: four squares of
            the shorter side at random places, averaged down to 80 x 80, and four random 64 x 64 crops of
            each.
        seeds: for ``hu2018``, one per image. An image's seed and size alone decide its boxes: give
            prediction and target of one pair the same.

    Returns:
        ``luminance``, ``contrast`` and ``saturation`` in [0, 1], float64, without unit: ``(N,)`` for
        ``image``, ``(N, 16)`` for ``hu2018``. Every image is measured by itself.

    Raises:
        TypeError: integers or half precision.
        ValueError: a wrong shape, NaN, infinity, values outside [0, 1]; for ``hu2018`` a side under 80 px
            or not one seed per image; an unknown kind of patches.

    Source: Hu et al. 2018; the constants are those of the authors' released program.

    >>> gray = torch.full((1, 3, 8, 8), 0.25)
    >>> {name: round(column.item(), 6) for name, column in statistics(gray).items()}
    {'luminance': 0.25, 'contrast': 0.0, 'saturation': 0.0}
    """
    checked_batch(images)
    if patches == "image":
        rows = [torch.stack([column[0] for column in _measured(image[None])]) for image in images]
    elif patches == "hu2018":
        if len(seeds) != len(images):
            raise ValueError(f"hu2018 needs a seed for each of {len(images)} images, not {len(seeds)} seeds")
        rows = [torch.stack(_measured(_patches(*pair))) for pair in zip(images, seeds, strict=True)]
    else:
        raise ValueError(f"patches must be image or hu2018, not {patches!r}")
    return dict(zip(COLUMNS, torch.stack(rows, 1), strict=True))


def histogram_similarity(
    prediction_columns: Mapping[str, Column],
    target_columns: Mapping[str, Column],
    *,
    patches: Patches = "image",
    bins: int = 32,
) -> dict[str, float]:
    """How much the histograms of two sets overlap, for luminance, contrast and saturation.

    ``S = sum_i min(p_i, q_i)`` over the bins, where p and q are the shares of the two sets' values in bin i
    of [0, 1]; beside it, without bins, the Wasserstein-1 distance ``integral |P(x) - Q(x)| dx`` of the two
    distribution functions. S is too low for small sets even of one law: :mod:`exposurebench.statistics`
    has its noise floor and interval.

    Args:
        prediction_columns: what :func:`statistics` gives, as tensors or as arrays read from a table.
        target_columns: the same for the other set; the sets need not be of one size.
        patches: what the columns were measured on; decides their shape, ``(N,)`` or ``(N, 16)``.
        bins: how many bins.

    Returns:
        ``luminance``, ``contrast``, ``saturation`` and their ``mean``, as shares in [0, 1], 1 for equal
        sets; and ``luminance_w1``, ``contrast_w1``, ``saturation_w1`` in [0, 1], 0 for equal sets.

    Raises:
        KeyError: a column is missing.
        ValueError: a column of another shape than patches says, empty, or with values outside [0, 1].

    Source: Hu et al. 2018; the 32 bins are those of the authors' released program.

    >>> dark, light = ({name: np.array([v, v]) for name in COLUMNS} for v in (0.25, 0.75))
    >>> overlap = histogram_similarity(dark, light)
    >>> overlap["mean"], overlap["luminance_w1"]
    (0.0, 0.5)
    """
    similarities, distances = {}, {}
    for name in COLUMNS:
        ours, theirs = (_values(side[name], name, patches) for side in (prediction_columns, target_columns))
        # In whole numbers, scaled to each other's size, so that equal sets give exactly 1.
        counts = _counts(ours, bins) * theirs.size, _counts(theirs, bins) * ours.size
        similarities[name] = intersection(*counts) / (ours.size * theirs.size)
        distances[f"{name}_w1"] = _wasserstein(ours, theirs)
    return {**similarities, "mean": float(np.mean(list(similarities.values()))), **distances}


def intervals(
    prediction_columns: Mapping[str, ArrayLike],
    target_columns: Mapping[str, ArrayLike],
    groups: Sequence[Hashable] | NDArray[Any],
    *,
    bins: int = 32,
) -> dict[str, SimilarityEstimate]:
    """What the similarities of paired sets are worth: :func:`exposurebench.statistics.similarity_interval`."""
    return similarity_interval(prediction_columns, target_columns, groups, bins=bins)


def _counts(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    return np.bincount(bin_numbers(values, bins), minlength=bins)


def _measured(patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    red, green, blue = patches.unbind(1)
    light = weighted(red, green, blue, HU2018)
    mean = light.mean((1, 2), dtype=torch.float64)
    contrast = 2 * (light - mean[:, None, None]).square().mean((1, 2)).sqrt()
    saturation = hls_saturation(red, green, blue).mean((1, 2), dtype=torch.float64)
    # The three weights add up to 1 but for rounding, which must not push white out of the last bin.
    return mean.clamp(max=1), contrast.clamp(max=1), saturation.clamp(max=1)


def _patches(image: torch.Tensor, seed: int) -> torch.Tensor:
    height, width = image.shape[1:]
    side = min(height, width)
    if side < SQUARE_PX:
        raise ValueError(f"hu2018 needs images of at least {SQUARE_PX} px, not {width} x {height}")
    rng = np.random.default_rng(seed)
    average = _area_average(side).to(image)
    crops = []
    for _ in range(SQUARES):
        top, left = rng.integers(0, (height - side + 1, width - side + 1))
        square = average @ image[:, top : top + side, left : left + side] @ average.T
        for top, left in rng.integers(0, SQUARE_PX - CROP_PX + 1, (CROPS, 2)):
            crops.append(square[:, top : top + CROP_PX, left : left + CROP_PX])
    # Averages of values up to 1 stay there but for rounding.
    return torch.stack(crops).clamp(0, 1)


def _area_average(side: int) -> torch.Tensor:
    """The ``(80, side)`` matrix that averages a line by area: each row spreads over ``side / 80`` pixels."""
    edges = torch.arange(SQUARE_PX + 1, dtype=torch.float64)[:, None] * side / SQUARE_PX
    pixels = torch.arange(side, dtype=torch.float64)[None]
    overlap = torch.minimum(edges[1:], pixels + 1) - torch.maximum(edges[:-1], pixels)
    return overlap.clamp(min=0) * SQUARE_PX / side


def _values(column: Column, name: str, patches: Patches) -> NDArray[np.float64]:
    array = column.detach().cpu().numpy() if isinstance(column, torch.Tensor) else column
    values = np.asarray(array, np.float64)
    expected = {"image": (), "hu2018": (SQUARES * CROPS,)}
    if patches not in expected:
        raise ValueError(f"patches must be image or hu2018, not {patches!r}")
    if values.ndim == 0 or values.shape[1:] != expected[patches] or values.size == 0:
        raise ValueError(f"{name} must have the shape {('N', *expected[patches])}, not {values.shape}")
    return values.ravel()


def _wasserstein(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    every = np.sort(np.concatenate((ours, theirs)))
    below = (np.searchsorted(np.sort(side), every[:-1], "right") / side.size for side in (ours, theirs))
    return float((np.abs(np.subtract(*below)) * np.diff(every)).sum())
