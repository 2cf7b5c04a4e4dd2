"""ICC profiles: what is not sRGB is converted to it, what is broken is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from exposurebench.color import REC709_PRIMARIES, adapt_white, rgb_to_xyz, srgb_to_display
from exposurebench.errors import ImageError

_D50 = (0.9642 / 2.7891, 1 / 2.7891)
"""The white of the profile connection space, X 0.9642, Y 1, Z 0.8249 (ICC.1:2022, 7.2.16)."""

SAME_LEVELS = 2
"""A profile whose colours all stay within this many of 255 levels is sRGB under another name."""


def is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile leaves a grid of 17 x 17 x 17 colours where sRGB has them.

    Raises:
        ImageError: the profile is broken.
    """
    return _description(profile)[1]


def describe(profile: bytes) -> str:
    """The profile's own name.

    Raises:
        ImageError: the profile is broken.
    """
    return _description(profile)[0]


def convert_to_srgb(image: PIL.Image.Image, profile: bytes) -> PIL.Image.Image:
    """An 8-bit gray, RGB or CMYK picture to sRGB, relative colorimetric with black point compensation.

    Raises:
        ImageError: the profile is broken or is for another kind of picture.
    """
    try:
        return _transform(profile, image.mode).apply(image)
    except (ImageCms.PyCMSError, ValueError) as error:
        raise ImageError(
            f"its ICC profile does not fit a {image.mode} picture ({error}): convert it to sRGB"
        ) from error


def convert_deep_to_srgb(pixels: NDArray[Any], profile: bytes) -> NDArray[np.uint16]:
    """16-bit RGB levels to sRGB by the profile's own curves and matrix, in float64, rounded once.

    Relative colorimetric: white to white, colours outside sRGB are clipped. (Black point compensation moves nothing:
    a matrix profile's black is 0.)

    Args:
        pixels: ``(H, W, 3)`` uint16, RGB.
        profile: an ICC profile of the matrix and curves kind, RGB or gray.

    Raises:
        ImageError: the profile is broken, or is made of tables.
    """
    curves, matrix = _matrix_profile(profile)
    light = np.stack([curve[pixels[..., channel]] for channel, curve in enumerate(curves)], axis=-1) @ matrix.T
    levels: NDArray[np.uint16] = np.rint(srgb_to_display(light.clip(0, 1)) * 65535).astype(np.uint16)
    return levels


@lru_cache(maxsize=16)
def _matrix_profile(profile: bytes) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Light of each of 65,536 levels, channel by channel, and the matrix to linear Rec. 709."""
    try:
        tags = dict(_tags(profile))
        if profile[16:20] == b"GRAY":
            return [_curve(tags[b"kTRC"])] * 3, np.eye(3)
        to_xyz = np.stack([_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        from_xyz = np.linalg.inv(adapt_white(REC709_PRIMARIES.white, _D50) @ rgb_to_xyz())
        return [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")], from_xyz @ to_xyz
    except KeyError as error:
        raise ImageError(
            f"has 16 bits and the ICC profile '{describe(profile)}', which has no matrix and curves: convert it to sRGB"
        ) from error
    except (struct.error, ValueError, IndexError) as error:
        raise ImageError("its ICC profile is broken: remove it or convert the picture to sRGB") from error


def _tags(profile: bytes) -> Iterator[tuple[bytes, bytes]]:
    (count,) = struct.unpack_from(">I", profile, 128)
    for number in range(min(count, 1000)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        yield name, profile[offset : offset + size]


def _fixed(tag: bytes, offset: int, count: int) -> NDArray[np.float64]:
    """Numbers with 16 bits behind the point."""
    return np.array(struct.unpack_from(f">{count}i", tag, offset)) / 65536


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Light of every 16-bit level, by a curve of type ``curv`` (table or gamma) or ``para`` (ICC.1:2022, 10.6 and 10.18)."""
    levels = np.arange(65536) / 65535
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return levels
        table = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        if count == 1:
            return levels ** float(table[0] / 256)
        return np.interp(levels, np.linspace(0, 1, count), table / 65535)
    (kind,) = struct.unpack_from(">H", tag, 8)
    if tag[:4] != b"para" or kind > 4:
        raise ValueError("an unknown kind of curve")
    g, a, b, c, d, e, f = (*_fixed(tag, 12, (1, 3, 4, 5, 7)[kind]), *[0.0] * 6)[:7]
    light: NDArray[np.float64] = levels**g
    if kind in (1, 2):  # a power from -b/a on, and c below (0 in kind 1)
        light = np.where(levels >= -b / a, (a * levels + b).clip(0, None) ** g, 0) + c
    elif kind > 2:
        light = np.where(levels >= d, (a * levels + b).clip(0, None) ** g + e, c * levels + f)
    return light


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        _opened(profile),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


@lru_cache(maxsize=64)
def _description(profile: bytes) -> tuple[str, bool]:
    opened = _opened(profile)
    name = (ImageCms.getProfileDescription(opened) or "").strip() or "unnamed"
    if opened.profile.xcolor_space.strip() != "RGB":
        return name, False
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(17, -1, 3)
    there = np.asarray(convert_to_srgb(PIL.Image.fromarray(grid), profile))
    return name, int(np.abs(there.astype(int) - grid).max()) <= SAME_LEVELS


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ImageCms.PyCMSError) as error:
        raise ImageError("its ICC profile is broken: remove it or convert the picture to sRGB") from error
