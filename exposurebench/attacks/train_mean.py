"""Answers with the mean of other photographs' targets, whatever the input shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.brightness import brightness
from exposurebench.baselines.identity import identity
from exposurebench.scene import Evidence, Spoils

TITLE = "the mean image of the training targets, for every input"
EXPLOITS = "metrics that are kind to the mean, and so to who learned the data set and looked at nothing"
REFERENCE = "the constant predictor: the least that a score must tell from a correction"
GIVES = ("srgb", "linear")
NEEDS = ("input", "others")
HONEST = "identity, the input as it is (of light: brightness, the input taken for light)"
HONEST_NEEDS = ("input", "gives")


def train_mean(spoils: Spoils) -> NDArray[np.float32]:
    """The mean of the others' targets, stretched to the input's size.

    >>> others = np.stack([np.full((4, 4, 3), level, np.float32) for level in (0.25, 0.75)])
    >>> train_mean(Spoils(np.zeros((2, 3, 3), np.float32), others=others)).round(3)[0, 0].tolist()
    [0.5, 0.5, 0.5]
    """
    if spoils.others is None:
        raise ValueError("train_mean needs the targets of other photographs")
    height, width = spoils.input.shape[:2]
    mean = spoils.others.mean(axis=0, dtype=np.float64).astype(np.float32)
    found: NDArray[np.float32] = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR)
    return found


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """What looks at the input and does nothing."""
    given = Evidence(spoils.input)
    return identity(given) if spoils.gives == "srgb" else brightness(given)
