"""Inception score: do images show clear and various things, to a network that names them?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from exposurebench.metrics.inception import statistics as statistics
from exposurebench.metrics.inception import weights_facts as weights_facts

TITLE = "Inception score, of the predictions and beside it of the targets; it does not tell how they are exposed"
TAKES = "srgb"
UNIT = ""
RANGE = {"score": (1.0, None), "spread": (0.0, None), "target_score": (1.0, None), "target_spread": (0.0, None)}
BETTER = {"score": "higher", "spread": "neither", "target_score": "neither", "target_spread": "neither"}
REFERENCE = "Salimans et al. 2016, Improved techniques for training GANs"
VERSION = 1
COLUMNS = ("log_probabilities",)
PROTOCOL = {
    "network": "torchvision",
    "torchvision": "Inception v3 of torchvision, 1000 classes; bilinear with antialiasing to 299 x 299; 2 x - 1",
    "tf2015": "Inception of 2015-12-05, 1008 classes, logits without bias; 8 bits; TensorFlow 1 bilinear to 299 x 299; "
    "(x - 128) / 128",
    "answers": "network in float32, log-softmax in float64, kept as float32",
    "splits": 10,
    "smallest_split": 50,
    "order": "as given; split i of S is images iN//S to (i + 1)N//S",
    "pooling": "mean and population standard deviation over splits",
}
VARIANTS = {"tf2015": {"network": "tf2015"}}
VARIANT_FACTS = {"tf2015": {"TITLE": "Inception score with the network of December 2015, for which it was defined"}}


def inception_score(
    prediction_columns: Mapping[str, torch.Tensor | NDArray[Any]],
    target_columns: Mapping[str, torch.Tensor | NDArray[Any]],
    *,
    splits: int = 10,
    smallest_split: int = 50,
) -> dict[str, float]:
    """How clear and various the classes are that a network sees in a set of images.

    ``IS = exp(mean_x KL(p(y|x) || p(y)))`` within each split, with ``p(y)`` the mean of ``p(y|x)`` over it; the
    mean over the splits. It is bounded by the number of classes and of a split's images, rises with their number,
    and says what is in a picture, not how it is exposed: set it beside the targets' and rank nothing by it.

    Args:
        prediction_columns: ``log_probabilities`` ``(N, C)``, natural logarithms, as ``statistics`` gives them.
        target_columns: the same of the targets.
        splits: S.
        smallest_split: refuse splits of fewer images.

    Returns:
        ``score`` and its population standard deviation over the splits, ``spread``; ``target_score`` and
        ``target_spread`` of the targets.

    Raises:
        KeyError: a column is missing.
        ValueError: a wrong shape, rows that are no log-probabilities, splits of too few images.

    Source: Salimans et al. 2016, section 4; the splits are those of the authors' program.

    >>> sure = {"log_probabilities": np.log(np.eye(4) + 1e-300)}
    >>> round(inception_score(sure, sure, splits=1, smallest_split=1)["score"], 6)
    4.0
    """
    found: dict[str, float] = {}
    for prefix, columns in (("", prediction_columns), ("target_", target_columns)):
        answers = columns["log_probabilities"]
        answers = answers.detach().cpu().numpy() if isinstance(answers, torch.Tensor) else answers
        check_count(len(answers), splits=splits, smallest_split=smallest_split)
        scores = split_scores(answers, splits=splits)
        found |= {f"{prefix}score": float(scores.mean()), f"{prefix}spread": float(scores.std())}
    return found


def check_count(number: int, *, splits: int = 10, smallest_split: int = 50) -> None:
    """Say whether so many images are enough.

    Raises:
        ValueError: a split would hold too few.
    """
    if splits < 1 or smallest_split < 1:
        raise ValueError(f"splits and smallest_split must be at least 1, not {splits} and {smallest_split}")
    if number // splits < smallest_split:
        raise ValueError(
            f"{number} images in {splits} splits are {number // splits} a split, and an Inception score of fewer than "
            f"{smallest_split} says little: take more images or fewer splits, or ask for it with smallest_split"
        )


def split_scores(log_probabilities: ArrayLike, *, splits: int = 10) -> NDArray[np.float64]:
    """The Inception score of each split.

    Args:
        log_probabilities: ``(N, C)``, natural logarithms, each row of a distribution.
        splits: S; split i is rows ``iN//S`` to ``(i + 1)N//S``.

    Returns:
        ``(S,)`` float64, each from 1 to the smaller of C and the split's images.

    Raises:
        ValueError: a wrong shape, rows that are no log-probabilities, fewer images than splits.

    >>> split_scores(np.log(np.full((4, 5), 0.2)), splits=2).round(12).tolist()
    [1.0, 1.0]
    """
    answers = np.asarray(log_probabilities, np.float64)
    if answers.ndim != 2 or not answers.size:
        raise ValueError(f"log-probabilities must have the shape (N, C), not {answers.shape}")
    if not 1 <= splits <= len(answers):
        raise ValueError(f"splits must be from 1 to the {len(answers)} images, not {splits}")
    chances = np.exp(answers)
    if not np.allclose(chances.sum(1), 1, rtol=0, atol=1e-4):
        raise ValueError("these are no log-probabilities: a row's do not sum to 1")
    edges = [i * len(answers) // splits for i in range(splits + 1)]
    parts = [slice(low, high) for low, high in pairwise(edges)]
    return np.array([_score(chances[part], answers[part]) for part in parts])


def _score(chances: NDArray[np.float64], logarithms: NDArray[np.float64]) -> float:
    overall = chances.mean(0)
    # A class that nobody sees has chance 0 everywhere, and 0 log 0 is 0.
    informative = np.where(chances > 0, logarithms - np.log(np.where(overall > 0, overall, 1)), 0)
    return float(np.exp((chances * informative).sum(1).mean()))
