"""Radiance maps: what holds light, not display values."""

from __future__ import annotations

from exposurebench.errors import ImageError
from exposurebench.images.exr import MAGIC, read_exr
from exposurebench.images.image import Image
from exposurebench.images.rgbe import read_rgbe


def read_radiance(data: bytes, pixel_limit: int) -> Image:
    """Read a radiance map as linear Rec. 709, by content: a Radiance picture (.hdr) or OpenEXR.

    Every kind ends alike: float32 at or above 0, other primaries and whites converted (Bradford), NaN,
    infinite and negative values replaced and counted (:mod:`exposurebench.images.light`).

    Args:
        data: the whole file.
        pixel_limit: refuse larger pictures, from the header.

    Returns:
        Pixels ``(H, W, 3)`` float32, ``linear``; ``bit_depth`` is 16 where the file holds halves, else 32.
        Notes say what was done; facts hold ``negative_pixels``, ``nan_pixels``, ``infinite_pixels`` and,
        where the file says so, ``exposure_ev`` and ``nits_per_unit``.

    Raises:
        ImageError: the file cannot be read as such a picture; the message is the reason.
    """
    if data.startswith(MAGIC):
        return read_exr(data, pixel_limit)
    if data.startswith((b"#?RADIANCE", b"#?RGBE")):
        return read_rgbe(data, pixel_limit)
    raise ImageError("is not a radiance map: expected OpenEXR or a Radiance picture (.hdr)")
