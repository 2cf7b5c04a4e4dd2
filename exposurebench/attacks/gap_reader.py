"""Reads the clipping threshold out of the gaps that a table left in the input's histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.baselines.inverse_clip import BLIND_TAU, inverse_clip
from exposurebench.baselines.inverse_comb import inverse_comb
from exposurebench.scene import Evidence, Spoils

TITLE = "the inverse at the threshold that the histogram's gaps betray"
EXPLOITS = (
    "the comb that a table applied to 8-bit levels leaves in the histogram, a function of the setting that was drawn"
)
REFERENCE = "ours: where clipping is a table, the comb gives tau to 0.0003"
GIVES = ("srgb",)
NEEDS = ("input",)
HONEST = "inverse_clip/blind, the inverse at one threshold"
HONEST_NEEDS = ("input",)
ALLOWED = {"dB": 1.0}
"""A comb that is read by accident may gain this much; one that is there gains 9 dB or more."""


def gap_reader(spoils: Spoils) -> NDArray[np.float32]:
    """The baseline ``inverse_comb``: tau from the empty levels of the histogram.

    >>> gap_reader(Spoils(np.zeros((2, 2, 3), np.float32))).max().item()
    0.0
    """
    return inverse_comb(Evidence(spoils.input))


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """The same without reading: every threshold is taken for the middle one."""
    return inverse_clip(Evidence(spoils.input), tau=BLIND_TAU, transfer="gamma22")
