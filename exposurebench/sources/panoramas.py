"""Any tree of equirectangular radiance maps, looked at through a camera in their middle."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exposurebench import panorama
from exposurebench.errors import ImageError, RecipeError
from exposurebench.images import Image
from exposurebench.recipe import draw
from exposurebench.scene import Scene
from exposurebench.sources.folder import tree

TITLE = "perspective views of any tree of HDR panoramas"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = (
    "any equirectangular .hdr and .exr files, twice as wide as high, below the folder; hidden ones are passed over, "
    "links to folders are followed once"
)
COMMAND = "--root maps --pair multi_ev"


def panoramas(
    root: str | Path,
    *,
    views: int = 7,
    height: int = 256,
    width: int = 256,
    max_pitch_deg: float = 20.0,
    min_fov_deg: float = 60.0,
    max_fov_deg: float = 90.0,
    seed: int = 0,
    license: str = LICENSE,  # noqa: A002 - the setting's name
) -> Iterator[Scene]:
    """Every panorama below a folder, one scene each, whose frames are its views.

    So all views of a panorama fall into one split. Each is drawn from the seed and the panorama's name;
    the panorama is decoded once. What is no panorama, or so small that a view would be enlarged, is listed
    as rejected on reading.

    Args:
        root: the top of the tree.
        views: how many a panorama.
        height: of a view, in pixels.
        width: of a view, in pixels.
        max_pitch_deg: how far the camera looks up or down.
        min_fov_deg: the narrowest horizontal angle of view.
        max_fov_deg: the widest.
        seed: for where the camera looks.
        license: the terms of the panoramas, for the manifest.

    Raises:
        MissingError: there is no such folder.
        InputError: a folder in it cannot be listed.
        RecipeError: an angle or a number out of its range.
    """
    for name, value in (("views", views), ("height", height), ("width", width)):
        if value < 1:
            raise RecipeError(f"{name} must be at least 1, not {value}")
    look = functools.partial(
        panorama.views, max_pitch_deg=max_pitch_deg, min_fov_deg=min_fov_deg, max_fov_deg=max_fov_deg
    )
    try:
        list(look(0, 1))
    except ValueError as error:
        raise RecipeError(str(error)) from error
    for scene in tree(root, license, "panoramas", "linear"):
        (whole,) = scene.frames
        drawn = look(draw(seed, "panoramas", scene.name), views)
        cuts = (functools.partial(cut, **view, height=height, width=width) for view in drawn)
        yield replace(scene, frames=tuple(replace(whole, view=each) for each in cuts))


def cut(image: Image, /, *, yaw_deg: float, pitch_deg: float, fov_deg: float, height: int, width: int) -> Image:
    """One view of a panorama, with where the camera looked among its facts.

    Raises:
        ImageError: the image is no panorama, or has fewer pixels in the view than asked.
    """
    rows, columns = image.pixels.shape[:2]
    if columns != 2 * rows:
        raise ImageError(f"is {columns} x {rows}; expected an equirectangular panorama, twice as wide as high")
    enough = math.ceil(2 * math.pi * panorama.focal_px(width, fov_deg))
    if columns < enough:
        raise ImageError(
            f"is {columns} x {rows}, which a view of {fov_deg:g} degrees in {width} columns would enlarge: it takes "
            f"{enough} columns; lower width or raise min_fov_deg"
        )
    view = {"yaw_deg": yaw_deg, "pitch_deg": pitch_deg, "fov_deg": fov_deg}
    pixels = panorama.perspective(image.as_float(), **view, height=height, width=width)
    return replace(image, pixels=pixels, file=None, saturated=None, facts={**image.facts, **view})
