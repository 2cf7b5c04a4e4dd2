"""Consistency: does a method make one picture of all exposures of a scene?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.color import REC709, srgb_to_lab, weighted
from exposurebench.metrics.delta_e2000 import ciede2000
from exposurebench.tensors import checked_batch

TITLE = "consistency over the exposures of a scene, for which no ground truth is needed"
TAKES = "srgb"
UNIT = {"luma_spread": "", "delta_e2000": "delta E"}
RANGE = {"luma_spread": (0.0, 0.5), "delta_e2000": (0.0, None)}
BETTER = {"luma_spread": "lower", "delta_e2000": "lower"}
REFERENCE = "definition of this project: the spread of what is made of one scene's exposures"
VERSION = 1
GROUP = "scene"
COLUMNS = ("luma", "delta_e2000")
PROTOCOL = {
    "group": "the outputs of a scene, of all its exposures (one that was right already is among them)",
    "luma": "mean of the rec. 709 luma of display values; population standard deviation over a scene",
    "delta_e2000": "mean over pixels of CIEDE2000 under D65, then over every two outputs of a scene",
    "border_px": 0,
    "pooling": "mean over scenes of two or more exposures",
}


def statistics(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the table keeps of each output of one scene.

    Args:
        images: ``(K, 3, H, W)``, what was made of the K exposures of a scene, sRGB, in [0, 1], float32 or float64.

    Returns:
        ``luma`` ``(K,)``, the mean luma of each, in [0, 1]; ``delta_e2000`` ``(K,)``, the mean over the K - 1
        others of the mean colour difference between the two, from 0 up, NaN where there is no other.

    Raises:
        TypeError: integers or half precision.
        ValueError: a wrong shape, NaN, infinity, values outside [0, 1].

    >>> gray = torch.tensor([0.4, 0.5, 0.5], dtype=torch.float64).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    >>> {name: column.numpy().round(2).tolist() for name, column in statistics(gray).items()}
    {'luma': [0.4, 0.5, 0.5], 'delta_e2000': [10.1, 5.05, 5.05]}
    """
    checked_batch(images)
    red, green, blue = images.double().unbind(1)
    luma = weighted(red, green, blue, REC709).mean((1, 2))
    colors = [srgb_to_lab(image[0], image[1], image[2]) for image in images]
    number = len(colors)
    apart = torch.zeros(number, number, dtype=torch.float64, device=images.device)
    for i, j in combinations(range(number), 2):
        apart[i, j] = apart[j, i] = ciede2000(colors[i], colors[j]).mean(dtype=torch.float64)
    return {"luma": luma, "delta_e2000": apart.sum(1) / (number - 1)}


def consistency(
    prediction_columns: Mapping[str, torch.Tensor | NDArray[Any]], groups: Sequence[Hashable] | NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """How much the outputs differ that a method makes of one scene, scene by scene.

    Two methods of 0 are not equally good: one that answers every photograph with the same gray is as consistent
    as one that is right. Set it beside a score of fidelity.

    Args:
        prediction_columns: what :func:`statistics` gives, of all outputs.
        groups: the scene of each output.

    Returns:
        A value for each scene, in the order of their names: ``luma_spread``, the population standard deviation of
        the outputs' mean lumas, in [0, 0.5], and ``delta_e2000``, the mean colour difference of every two outputs.

    Raises:
        KeyError: a column is missing.
        ValueError: lengths that differ, no outputs, or a scene with one output.

    >>> found = consistency({"luma": np.array([0.4, 0.6]), "delta_e2000": np.array([8.0, 8.0])}, ["a", "a"])
    >>> {name: values.round(3).tolist() for name, values in found.items()}
    {'luma_spread': [0.1], 'delta_e2000': [8.0]}
    """
    luma, apart = (_values(prediction_columns[name], name, len(groups)) for name in COLUMNS)
    names = np.asarray(groups)
    scenes = [names == scene for scene in np.unique(names)]
    if not scenes or min(outputs.sum() for outputs in scenes) < 2:
        raise ValueError("consistency compares several exposures of a scene: give at least two of each")
    return {
        "luma_spread": np.array([luma[outputs].std() for outputs in scenes]),
        "delta_e2000": np.array([apart[outputs].mean() for outputs in scenes]),
    }


def _values(column: torch.Tensor | NDArray[Any], name: str, number: int) -> NDArray[np.float64]:
    array = column.detach().cpu().numpy() if isinstance(column, torch.Tensor) else column
    values = np.asarray(array, np.float64)
    if values.shape != (number,):
        raise ValueError(f"{name} must have one value for each of {number} outputs, not the shape {values.shape}")
    return values
