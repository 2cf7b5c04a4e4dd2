"""Any tree of RAW files."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exposurebench.errors import RecipeError
from exposurebench.images import RAW_SUFFIXES, read_raw
from exposurebench.images.raw import Demosaic, HighlightMode, check_settings
from exposurebench.scene import Scene
from exposurebench.sources.folder import tree

TITLE = "any tree of RAW files, as linear light"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = (
    "any RAW files (.arw, .cr2, .crw, .dng, .nef, ...) below the folder; files of other names and hidden ones are passed "
    "over, links to folders are followed once"
)
COMMAND = "--root photos --pair multi_ev"


def raw(
    root: str | Path,
    *,
    white_balance: str | list[float] = "camera",
    highlight_mode: HighlightMode = "clip",
    demosaic: Demosaic = "ahd",
    half_size: bool = False,
    license: str = LICENSE,  # noqa: A002 - the setting's name
) -> Iterator[Scene]:
    """Every RAW file below a folder as linear Rec. 709, one scene each, in the order of their names.

    Args:
        root: the top of the tree.
        white_balance: ``camera``, ``daylight``, or multipliers ``[r, g, b]`` for all.
        highlight_mode: see :func:`exposurebench.images.read_raw`.
        demosaic: see there.
        half_size: one pixel for each 2 x 2 photosites: four times faster.
        license: the terms of the files, for the manifest.

    Raises:
        MissingError: there is no such folder.
        InputError: a folder in it cannot be listed.
        RecipeError: an unknown setting.
    """
    settings = {"white_balance": white_balance, "highlight_mode": highlight_mode, "demosaic": demosaic}
    try:
        check_settings(output_color="srgb", **settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise RecipeError(str(error)) from error
    for scene in tree(root, license, "RAW files", "linear", RAW_SUFFIXES):
        make = functools.partial(read_raw, scene.frames[0].path, half_size=half_size, **settings)  # type: ignore[arg-type]
        yield replace(scene, frames=(replace(scene.frames[0], make=make),))
