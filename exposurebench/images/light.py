"""Decoded light to an image: one policy for what radiance maps carry besides plain Rec. 709 values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC709_PRIMARIES, XYZ_PRIMARIES, Chromaticity, Primaries, to_rec709
from exposurebench.errors import ImageError
from exposurebench.images.image import Image

SAME_CHROMATICITY = 2e-4
"""Chromaticities this near are the same ones, written with fewer digits."""
_TOP = np.finfo(np.float32).max


def check_size(width: int, height: int, pixel_limit: int) -> None:
    """Refuse a size that no picture has, or that is over the limit, before anything is decoded.

    Raises:
        ImageError: the reason.
    """
    if width < 1 or height < 1:
        raise ImageError(f"is damaged: its header gives a size of {width} x {height} pixels")
    if width * height > pixel_limit:
        raise ImageError(f"would decode to {width} x {height} pixels, over the limit of {pixel_limit:,}")


def to_image(
    pixels: NDArray[np.float32],
    bit_depth: int,
    primaries: Primaries | None = None,
    neutral: Chromaticity | None = None,
    *,
    facts: Mapping[str, Any],
    notes: Iterable[str],
) -> Image:
    """Light as decoded to linear Rec. 709 at or above 0: mended, converted, clipped, counted.

    NaN becomes 0, +Inf the largest finite value of the picture, -Inf 0; then other primaries and whites are
    converted (Bradford); then what is negative (colours outside Rec. 709, ringing of a resize) becomes 0.

    Args:
        pixels: ``(H, W, 3)`` float32, C-contiguous; changed in place.
        bit_depth: the depth of the file.
        primaries: what its RGB stands for; None is Rec. 709.
        neutral: the colour that should look neutral; None is the white of the primaries, and for CIE XYZ
            that of Rec. 709.
        facts: what else the file says; how many pixels were touched is added: ``nan_pixels``,
            ``infinite_pixels``, ``negative_pixels``.
        notes: what the decoder did.

    Raises:
        ImageError: the primaries span no colour space.
    """
    said = list(notes)
    broken = _mend(pixels, said)
    if primaries is not None:
        neutral = neutral or _neutral(primaries)
        matrix = _conversion(primaries, neutral)
        if matrix is not None:
            exact = pixels.astype(np.float64) if pixels.max() > 1e30 else pixels  # sums may pass float32's end
            pixels = np.minimum(cv2.transform(exact, matrix), _TOP).astype(np.float32, copy=False)
            corners = " ".join(f"({x:.4g}, {y:.4g})" for x, y in (*primaries[:3], neutral))
            said.append(f"converted to Rec. 709 from the primaries and neutral {corners}")
    negative = _count(pixels < 0) if pixels.min() < 0 else (0, 0)
    if negative[0]:
        np.maximum(pixels, 0, out=pixels)
        said.append("{:,} negative values in {:,} pixels set to 0".format(*negative))
    return Image(
        pixels=pixels,
        bit_depth=bit_depth,
        encoding="linear",
        notes=tuple(said),
        facts={**facts, **broken, "negative_pixels": negative[1]},
    )


def _mend(pixels: NDArray[np.float32], notes: list[str]) -> dict[str, int]:
    """Give every value a finite one, in place."""
    if np.isfinite(pixels.min()) and np.isfinite(pixels.max()):  # both are NaN when anything is
        return {"nan_pixels": 0, "infinite_pixels": 0}
    void, endless = np.isnan(pixels), np.isinf(pixels)
    largest = pixels.max(initial=0, where=~(void | endless))
    counts = _count(void), _count(endless)
    if counts[0][0]:
        notes.append("{:,} NaN values in {:,} pixels set to 0".format(*counts[0]))
    if counts[1][0]:
        notes.append("{:,} infinite values in {:,} pixels set to ".format(*counts[1]) + f"{largest:g} (negative: 0)")
    np.nan_to_num(pixels, copy=False, nan=0, posinf=largest, neginf=0)
    return {"nan_pixels": counts[0][1], "infinite_pixels": counts[1][1]}


def _count(where: NDArray[np.bool_]) -> tuple[int, int]:
    """How many values, in how many pixels."""
    pixels = where[..., 0] | where[..., 1] | where[..., 2]
    return int(np.count_nonzero(where)), int(np.count_nonzero(pixels))


def _conversion(primaries: Primaries, neutral: Chromaticity) -> NDArray[np.float64] | None:
    wanted = (*REC709_PRIMARIES, REC709_PRIMARIES.white)
    if np.allclose((*primaries, neutral), wanted, rtol=0, atol=SAME_CHROMATICITY):
        return None
    try:
        return to_rec709(primaries, neutral)
    except ValueError as error:
        raise ImageError(f"cannot be converted to Rec. 709: {error}") from error


def _neutral(primaries: Primaries) -> Chromaticity:
    """The white of the primaries; but that of CIE XYZ only scales its axes, so its colours stay as measured."""
    measured = np.allclose(primaries[:3], XYZ_PRIMARIES[:3], rtol=0, atol=SAME_CHROMATICITY)
    return REC709_PRIMARIES.white if measured else primaries.white
