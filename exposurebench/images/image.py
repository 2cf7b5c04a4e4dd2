"""What an image is once it is in memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

PIXEL_LIMIT = 200_000_000
"""Larger images are refused from their header, before anything is decoded."""
BYTE_LIMIT = 2 << 30

Encoding = Literal["srgb", "linear", "nits"]
"""``srgb``: display-encoded, [0, 1]; ``linear``: relative light; ``nits``: absolute light in cd/m2."""


@dataclass(frozen=True, eq=False)
class Image:
    """RGB pixels and what they mean.

    Attributes:
        pixels: ``(H, W, 3)``; uint8 or uint16 as the file has them, or float32: in [0, 1] after a resize, at
            or above 0 for light.
        bit_depth: the depth of the file, and of what is written from it.
        encoding: what the numbers stand for.
        file: the file's own bytes and suffix, as long as any decoder gives exactly these pixels from them.
        notes: what was done on reading (rotated, converted from a profile, alpha dropped, ...).
        saturated: ``(H, W)``, where the sensor was at its limit, as far as the file tells (RAW).
        facts: what else the file says, for the manifest (exposure_ev, the decoder's version, ...).
        origin: where the file lies, if a data set is to link to it instead of holding a copy.
    """

    pixels: NDArray[Any]
    bit_depth: int = 8
    encoding: Encoding = "srgb"
    file: tuple[bytes, str] | None = None
    notes: tuple[str, ...] = ()
    saturated: NDArray[np.bool_] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    origin: Path | None = None

    def as_float(self) -> NDArray[np.float32]:
        """The pixels as float32: in [0, 1], or light as it is."""
        if self.pixels.dtype == np.float32:
            return self.pixels
        return self.pixels.astype(np.float32) / np.float32(np.iinfo(self.pixels.dtype).max)

    def as_levels(self) -> NDArray[Any]:
        """The pixels as integers of ``bit_depth``: what a file of that depth would hold.

        Raises:
            ValueError: the image holds light, which has no largest level.
        """
        if self.encoding != "srgb":
            raise ValueError(f"only display-encoded images have levels, not {self.encoding} ones")
        return self._levels

    def count_above(self, level: int) -> int:
        """How many pixels have a channel above a level."""
        return int(np.count_nonzero(self._brightest > level))

    @functools.cached_property
    def _brightest(self) -> NDArray[Any]:
        red, green, blue = cv2.split(self.as_levels())
        return cv2.max(cv2.max(red, green), blue)

    @functools.cached_property
    def _levels(self) -> NDArray[Any]:
        return self.pixels if self.pixels.dtype != np.float32 else quantize(self.pixels, self.bit_depth)


def look_up(table: NDArray[Any], levels: NDArray[Any]) -> NDArray[Any]:
    """What a table of one entry a level makes of an image.

    >>> look_up(np.arange(255, -1, -1, dtype=np.uint8), np.array([[[0, 5, 255]]], np.uint8)).tolist()
    [[[255, 250, 0]]]
    """
    return cv2.LUT(levels, table) if levels.dtype == np.uint8 else np.take(table, levels)


def quantize(values: NDArray[Any], bit_depth: int = 8) -> NDArray[Any]:
    """Values in [0, 1] to the nearest of ``2 ** bit_depth - 1`` steps; outside values saturate.

    >>> quantize(np.array([-0.1, 0.5, 1.0], dtype=np.float32)).tolist()
    [0, 128, 255]
    """
    top = (1 << bit_depth) - 1
    levels = values * values.dtype.type(top)
    np.rint(levels, out=levels)
    np.clip(levels, 0, top, out=levels)
    whole: NDArray[Any] = levels.astype(np.uint8 if bit_depth == 8 else np.uint16)
    return whole
