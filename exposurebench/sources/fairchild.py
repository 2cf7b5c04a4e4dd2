"""The HDR Photographic Survey (paper 2's data), from its folders or straight out of its zip."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from exposurebench.archives import Member, read_member, zip_members
from exposurebench.errors import InputError, RecipeError
from exposurebench.images import Image, read_raw
from exposurebench.images.raw import Demosaic, HighlightMode, check_settings
from exposurebench.scene import Frame, Scene
from exposurebench.sources import absent, check_whole, nothing
from exposurebench.sources.folder import walk

TITLE = "HDR Photographic Survey: about 105 scenes as Nikon RAW series one stop apart, light (EXR) and finished renders"
URL = "http://markfairchild.org/HDR.html"
LICENSE = "research and non-commercial publication with acknowledgement; not to be passed on"
CITATION = "Fairchild 2007, The HDR Photographic Survey, 15th Color and Imaging Conference, 233-238"
LAYOUT = (
    "HDRPS_Raws.zip as it is, or unpacked (a folder a scene, with _MDF0001.NEF, ...); beside it, in any folders, "
    "LuxoDoubleChecker.exr and LuxoDoubleCheckerRendered.jpg for the scene 'Luxo Double Checker': spaces, apostrophes, "
    "hyphens, brackets and case do not count"
)
COMMAND = "--pair relative_luminance --set light=exr"

GET = (
    "get http://markfairchild.org/files/HDRPS_Raws.zip (14,296,416,907 bytes, over http alone) and put it there, and each "
    f"scene's EXR and render from its page below {URL} ({LICENSE})"
)
Light = Literal["raw", "exr"]
_ARCHIVE = "HDRPS_Raws.zip"
_RENDERED = "rendered"


def fairchild(
    root: str | Path,
    *,
    light: Light = "raw",
    white_balance: str | list[float] = "camera",
    highlight_mode: HighlightMode = "clip",
    demosaic: Demosaic = "ahd",
    half_size: bool = False,
) -> Iterator[Scene]:
    """One scene per series: its RAW files, or its EXR, as linear light, and its render where renders are there.

    The zip was written without ZIP64, so that its positions wrapped; it is read as it is, and nothing is unpacked.

    Args:
        root: the folder with the zip or the scenes' folders.
        light: what the camera took (``raw``) or the survey's merge (``exr``). They have different fields of view.
        white_balance: ``camera``, ``daylight``, or multipliers ``[r, g, b]`` for all.
        highlight_mode: see :func:`exposurebench.images.read_raw`.
        demosaic: see there.
        half_size: one pixel for each 2 x 2 photosites: four times faster.

    Raises:
        MissingError: no such folder, or one in which some scenes have a render (or light) and others do not; the
            message counts and names them.
        InputError: the zip is damaged, or two scenes differ only in what does not count.
        RecipeError: an unknown setting.
    """
    if light not in get_args(Light):
        raise RecipeError(f"light must be raw or exr, not {light!r}")
    settings: dict[str, Any] = {"white_balance": white_balance, "highlight_mode": highlight_mode, "demosaic": demosaic}
    try:
        check_settings(output_color="srgb", **settings)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    root = Path(root)
    series, maps, renders = _found(root, {**settings, "half_size": half_size})
    taken = series if light == "raw" else maps
    if not taken:
        raise nothing(root, f"scenes of the HDR Photographic Survey (light={light})", GET)
    known = sorted({*taken, *renders})
    lacking = {
        "RAW series" if light == "raw" else "EXR files": absent(known, taken),
        "renders": absent(known, renders) if renders else [],
    }
    check_whole(root, lacking, len(known), GET)
    for key in known:
        name, frames = taken[key]
        finished = [Frame(renders[key], role="render")] if renders else []
        yield Scene(name, (*frames, *finished), license=LICENSE)


def scene_key(name: str) -> str:
    """What of a scene's name counts: letters and digits.

    >>> scene_key("Tunnel View (1)") == scene_key("TunnelView(1)")
    True
    """
    return re.sub(r"[\s'\u2019()_-]", "", name).lower()


Named = dict[str, tuple[str, list[Frame]]]


def _found(root: Path, settings: dict[str, Any]) -> tuple[Named, Named, dict[str, Path]]:
    series: Named = {}
    maps: Named = {}
    renders: dict[str, Path] = {}
    archive = root / _ARCHIVE
    if archive.is_file():
        for member in zip_members(archive):
            make = functools.partial(read_zipped, archive, member, **settings)
            _add_raw(series, PurePosixPath(member.name), Frame(archive / member.name, encoding="linear", make=make))
    for path in walk(root) if root.is_dir() else ():
        kind, stem = path.suffix.lower(), path.stem
        if kind == ".nef" and not archive.is_file():
            frame = Frame(path, encoding="linear", make=functools.partial(read_raw, path, **settings))
            _add_raw(series, PurePosixPath(path.relative_to(root).as_posix()), frame)
        elif kind == ".exr":
            maps[scene_key(stem)] = (stem, [Frame(path, encoding="linear")])
        elif kind in (".jpg", ".jpeg") and scene_key(stem).endswith(_RENDERED):
            renders[scene_key(stem).removesuffix(_RENDERED)] = path
    return series, maps, renders


def _add_raw(series: Named, path: PurePosixPath, frame: Frame) -> None:
    """Put a RAW file to its scene, which is the folder that it lies in; what a Mac leaves beside files is none."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    if path.suffix.lower() == ".nef" and not hidden:
        name, frames = series.setdefault(scene_key(path.parent.name), (path.parent.name, []))
        if name != path.parent.name:
            raise InputError(f"the scenes {name!r} and {path.parent.name!r} cannot be told apart: rename one")
        frames.append(frame)


def read_zipped(archive: Path, member: Member, **settings: Any) -> Image:
    """One RAW file out of a zip.

    Raises:
        InputError: the archive cannot be read, or the member is damaged.
        ImageError: it is no RAW file.
    """
    return read_raw(read_member(archive, member), **settings)
