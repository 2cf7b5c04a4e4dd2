"""Reads the setting from everything about a pair's files but their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import to_display, to_light
from exposurebench.scene import Spoils

TITLE = "the inverse at the exposure that names, embedded text, order or times betray"
EXPLOITS = "names, text and headers of files, their order within a scene and when they were written"
REFERENCE = "ours: what is learned of a setting from other photographs' files, without looking at a pixel"
GIVES = ("srgb", "linear")
NEEDS = ("input", "gives", "transfer", "clues", "known")
HONEST = "the same inverse at the middle exposure of the other photographs, which everybody knows"
HONEST_NEEDS = ("input", "gives", "transfer", "known")


def metadata_reader(spoils: Spoils) -> NDArray[np.float32]:
    """Undo the exposure of the most alike pair of another photograph, as the most telling clue has it.

    A clue is as telling as it finds the exposures of the other pairs, each by the nearest of the rest. One that does
    no better than the middle exposure is not believed, so that a track of one setting gives nothing to read.

    >>> known = (np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0]))
    >>> light = np.full((1, 1, 3), 0.5, np.float32)
    >>> metadata_reader(Spoils(light, transfer="gamma22", clues=np.array([1.0]), known=known))[0, 0, 0].item()
    0.3648...
    """
    if spoils.clues is None or spoils.known is None:
        raise ValueError("metadata_reader needs clues and what they meant elsewhere")
    theirs, exposures = spoils.known
    chosen = float(np.median(exposures))
    least = float(np.abs(exposures - chosen).mean())
    for clue, column in zip(spoils.clues, theirs.T, strict=True):
        apart = np.abs(column[:, None] - column)
        np.fill_diagonal(apart, np.inf)
        wrong = float(np.abs(exposures - _nearest(apart, exposures)).mean()) if len(column) > 1 else np.inf
        if wrong < least:
            least, chosen = wrong, float(_nearest(np.abs(clue - column)[None], exposures)[0])
    return _undone(spoils, chosen)


def honest(spoils: Spoils) -> NDArray[np.float32]:
    """Undo the middle exposure of the other photographs."""
    if spoils.known is None:
        raise ValueError("the middle exposure needs those of the other photographs")
    return _undone(spoils, float(np.median(spoils.known[1])))


def _nearest(apart: NDArray[np.float64], exposures: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row of distances the mean exposure of those that are nearest."""
    near = apart == apart.min(axis=1, keepdims=True)
    return (near * exposures).sum(axis=1) / near.sum(axis=1)  # type: ignore[no-any-return]


def _undone(spoils: Spoils, exposure_ev: float) -> NDArray[np.float32]:
    light = to_light(spoils.input, spoils.transfer) * np.float32(2.0**-exposure_ev)
    if spoils.gives != "srgb":
        return light  # type: ignore[no-any-return]
    return to_display(light.clip(0, 1), spoils.transfer).clip(0, 1)  # type: ignore[no-any-return]
