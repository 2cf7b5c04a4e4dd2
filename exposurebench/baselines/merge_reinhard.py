"""Paper 2's reference: the bracket merged into radiance and tone-mapped by a photoreceptor model."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import quantize
from exposurebench.merging import exposure_times
from exposurebench.scene import Evidence
from exposurebench.tonemapping import reinhard_devlin_2005

TITLE = "the bracket's frames merged into radiance (Debevec) and tone-mapped (Reinhard and Devlin)"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "paper 2's multi-exposure baseline: Debevec and Malik 1997, Reinhard and Devlin 2005"
NEEDS = ("frames",)
ORACLE = True

ROOM_PX, ROOM_ASPECT = 16, 64
"""The smallest side and the longest shape that OpenCV's calibration takes, with something to spare."""


def merge_reinhard(evidence: Evidence, *, gamma: float = 1.5, intensity: float = 0.0) -> NDArray[np.float32]:
    """Estimate the response of the bracket, merge its radiance, tone-map that; the input itself is not looked at.

    ``y = reinhard_devlin_2005(light)`` with paper 2's settings: gamma 1.5, intensity 0, both adaptations 0 (to
    the mean luma). The light is OpenCV's (``createCalibrateDebevec``, ``createMergeDebevec``) as in the
    paper, not that of :func:`exposurebench.merging.merge_debevec`: the two differ most where the frames are
    clipped, and since all is scaled by the largest radiance, they give pictures of different brightness.

    Args:
        evidence: the frames, ``(H, W, 3)`` float32, display-encoded, [0, 1], two or more, with their exposures.
        gamma: of the encoding, above 0.
        intensity: larger is brighter, in [-8, 8].

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: no frames, or all of one exposure; an exposure that is unknown, sizes that differ.

    Source: paper 2, section 4.4, and its program.

    >>> from exposurebench.scene import ExposedFrame
    >>> ramp = np.linspace(0, 1, 300, dtype=np.float32).reshape(10, 10, 3)
    >>> frames = tuple(ExposedFrame((ramp * 2.0 ** (ev / 2.2)).clip(0, 1).astype(np.float32), ev) for ev in (-1.0, 0.0))
    >>> merge_reinhard(Evidence(ramp, frames=frames)).shape
    (10, 10, 3)
    """
    frames = evidence.frames or ()
    levels = [quantize(frame.pixels) for frame in frames]
    times = exposure_times(levels, [frame.exposure_ev for frame in frames]).astype(np.float32)
    if len(set(times.tolist())) < 2:
        raise ValueError("merge_reinhard needs frames of at least two different exposures")
    response = cv2.createCalibrateDebevec().process(_roomy(levels), times)
    light = np.asarray(cv2.createMergeDebevec().process(levels, times, response), np.float32)
    return reinhard_devlin_2005(light, intensity=intensity, light_adaptation=0, color_adaptation=0, gamma=gamma)


def _roomy(levels: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Small and narrow pictures repeated until OpenCV's grid of samples fits; to a response that is the same."""
    height, width = levels[0].shape[:2]
    rows = math.ceil(max(ROOM_PX, width / ROOM_ASPECT) / height)
    columns = math.ceil(max(ROOM_PX, height / ROOM_ASPECT) / width)
    return [np.tile(frame, (rows, columns, 1)) for frame in levels] if rows * columns > 1 else levels
