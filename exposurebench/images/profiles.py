"""ICC profiles: what is not sRGB is converted to it, what is broken is refused."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import PIL.Image
from PIL import ImageCms

from exposurebench.errors import ImageError

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
