"""Any folder of exposure brackets: JPEG or RAW, a folder a scene or series one after the other, renders beside."""

from __future__ import annotations

import filecmp
import functools
import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from exposurebench.color import srgb_to_light
from exposurebench.crf import parse_curve
from exposurebench.errors import ImageError, InputError, MissingError, RecipeError
from exposurebench.exposure_ratio import estimate_exposure_ev
from exposurebench.images import RAW_SUFFIXES, Image, read_image, read_raw, resize
from exposurebench.images.exif import Exposure, read_exposure, relative_exposures
from exposurebench.images.raw import camera_multipliers, check_settings
from exposurebench.scene import Frame, Scene
from exposurebench.sources import PICTURES
from exposurebench.sources.folder import scene_name, walk

TITLE = "any folder of exposure brackets"
URL = ""
LICENSE = "not stated"
CITATION = ""
LAYOUT = (
    "a folder a bracket, or one folder with series one after the other (JPEG, PNG, TIFF or RAW with EXIF times and "
    "exposures; frames of no series are passed over, as is one frame without a render); a RAW file wins over a JPEG of "
    "its stem; SCENERendered.jpg, SCENE_render.png or render.jpg beside the frames is the finished picture"
)
COMMAND = "--pair bracket"

Group = Literal["auto", "folder", "time"]
PAUSE_S = 60.0
"""A folder whose frames lie further apart than this is no one bracket."""
SAME_EV = 0.1
"""Exposures that differ less are the same: a series ends where one comes again."""
ESTIMATE_PX = 512
_RENDER = re.compile(r"(.*?)render(?:ed|ing)?")


def brackets(
    root: str | Path,
    *,
    group: Group = "auto",
    gap_s: float = 2.0,
    exposures: str | list[float] = "exif",
    white_balance: str | list[float] = "camera",
    curve: str = "srgb",
    license: str = LICENSE,  # noqa: A002 - the setting's name
) -> Iterator[Scene]:
    """One scene per bracket, in the order of folders and names.

    A series is what one camera took without a pause, every exposure once, ISO and aperture counted as well as the
    time: it ends where an exposure comes again, so one that was cut short is a scene of its own if it has two
    frames. Copies of a file count once. RAW files are developed here: one white balance for the whole bracket, one curve, no automatic brightness.

    Args:
        root: the top of the tree.
        group: ``folder`` takes all frames of a folder for one scene, ``time`` cuts it into series, ``auto`` cuts it
            where an exposure comes twice, the camera changes or a minute passes between two frames.
        gap_s: the longest pause within a series, from the end of an exposure to the next begin, at 1 s resolution.
        exposures: ``exif`` as the files tell (unknown where they do not), ``pixels`` estimated from pictures taken
            as sRGB (reads every frame while listing; hand-held frames and camera JPEGs make it rough), or a number for
            each frame of every bracket, in EV, in the order of names.
        white_balance: of RAW files: ``camera`` as the first frame of the bracket was set, ``daylight``, or
            multipliers ``[r, g, b]``.
        curve: from a RAW file's light to display values, by :func:`exposurebench.crf.parse_curve`.
        license: the terms of the photographs, for the manifest.

    Raises:
        MissingError: there is no such folder.
        InputError: a folder cannot be listed, a scene has two renders, or other than the given number of frames.
        RecipeError: an unknown setting.
    """
    root = Path(root)
    _check(group, gap_s, exposures, white_balance, curve)
    if not root.is_dir():
        raise MissingError(f"no folder {str(root)!r}: give the brackets' folder with --root")
    for found in _brackets(root, group, gap_s):
        evs = _exposures(found, exposures)
        frames = tuple(
            _frame(path, ev, found.paths[0], white_balance, curve) for path, ev in zip(found.paths, evs, strict=True)
        )
        finished = (Frame(found.render, role="render"),) if found.render else ()
        yield Scene(found.name, frames + finished, license=license)


def _check(
    group: str, gap_s: float, exposures: str | list[float], white_balance: str | list[float], curve: str
) -> None:
    if group not in get_args(Group):
        raise RecipeError(f"group must be one of {', '.join(get_args(Group))}, not {group!r}")
    if not gap_s >= 0:
        raise RecipeError(f"gap_s must be at or above 0, not {gap_s}")
    if isinstance(exposures, str) and exposures not in ("exif", "pixels"):
        raise RecipeError(f"exposures must be exif, pixels or a list of EVs, not {exposures!r}")
    try:
        parse_curve(curve)
        check_settings(white_balance, "srgb", "clip", "ahd")  # type: ignore[arg-type]
    except ValueError as error:
        raise RecipeError(str(error)) from error


# -------------------------------------------------------------------------------------- what belongs together


@dataclass(frozen=True)
class Bracket:
    """The files of one scene: frames in the order of their names, and the finished picture where there is one."""

    name: str
    paths: tuple[Path, ...]
    exposures: tuple[Exposure, ...]
    render: Path | None


def _brackets(root: Path, group: Group, gap_s: float) -> Iterator[Bracket]:
    folders: dict[Path, list[Path]] = {}
    renders: dict[Path, list[Path]] = {}
    for path in walk(root):
        suffix = path.suffix.lower()
        if suffix in PICTURES and _RENDER.fullmatch(_plain(path.stem)):
            renders.setdefault(path.parent, []).append(path)
        elif suffix in PICTURES or suffix in RAW_SUFFIXES:
            folders.setdefault(path.parent, []).append(path)
    for folder, paths in folders.items():
        frames = _without_copies(_raw_first(paths))
        told = [exposure_of(path) for path in frames]
        whole = group == "folder" or (group == "auto" and _is_one(told))
        series = [list(range(len(frames)))] if whole else in_series(told, gap_s)
        for numbers in series:
            taken = tuple(frames[n] for n in numbers)
            names = [_plain(path.stem) for path in taken] + ([_plain(folder.name), ""] if whole else [])
            beside = renders.get(folder, []) + (renders.get(folder.parent, []) if whole and folder != root else [])
            render = _render(beside, names)
            if len(taken) > 1 or render:
                own = whole and folder != root
                name = scene_name(folder if own else taken[0].with_suffix(""), root)
                yield Bracket(name, taken, tuple(told[n] for n in numbers), render)


def _plain(stem: str) -> str:
    return re.sub(r"[^a-z0-9]", "", stem.lower())


def _raw_first(paths: Sequence[Path]) -> list[Path]:
    raw = {path.stem for path in paths if path.suffix.lower() in RAW_SUFFIXES}
    return [path for path in paths if path.suffix.lower() in RAW_SUFFIXES or path.stem not in raw]


def _without_copies(paths: Sequence[Path]) -> list[Path]:
    """Of files that hold the same bytes the one with the shortest name: a copy is no other exposure."""
    kept: dict[int, list[Path]] = {}
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):
        alike = kept.setdefault(path.stat().st_size, [])
        if not any(filecmp.cmp(path, other, shallow=False) for other in alike):
            alike.append(path)
    return sorted(itertools.chain(*kept.values()), key=paths.index)


def _render(beside: Sequence[Path], names: Sequence[str]) -> Path | None:
    matching = [path for path in beside if (m := _RENDER.fullmatch(_plain(path.stem))) and m[1] in names]
    if len(matching) > 1:
        raise InputError(f"{str(matching[0])!r} and {matching[1].name!r} are renders of one scene: keep one")
    return matching[0] if matching else None


def exposure_of(path: Path) -> Exposure:
    """How a frame was exposed; nothing is known of a file that cannot be read, which is said when it is needed."""
    try:
        status = path.stat()
        return _read_once(path, status.st_size, status.st_mtime_ns)
    except (ImageError, OSError):
        return Exposure()


@functools.lru_cache(maxsize=100_000)
def _read_once(path: Path, _size: int, _changed: int) -> Exposure:
    return read_exposure(path)


def _is_one(told: Sequence[Exposure]) -> bool:
    """Whether the frames of a folder may be one bracket: one camera, no exposure twice, no long pause, as far as is known."""
    known = sorted((e for e in told if e.taken), key=lambda e: e.taken or 0)
    pauses = [_pause(a, b) for a, b in itertools.pairwise(known)]
    evs = [ev for e in told if (ev := e.exposure_ev) is not None]
    twice = any(_same(a, b) for n, a in enumerate(evs) for b in evs[:n])
    cameras = {e.model for e in told if e.model}
    return not ((twice or len(cameras) > 1) and known) and max(pauses, default=0.0) <= PAUSE_S


def in_series(told: Sequence[Exposure], gap_s: float) -> list[list[int]]:
    """Cut frames into series by camera, time and exposure; a frame that tells no time or exposure is in none.

    The series of two cameras that took turns are told apart.

    Returns:
        The numbers of each series' frames, in the order in which they were given.

    >>> from datetime import datetime
    >>> def at(second, time_s):
    ...     return Exposure(time_s, 100, 4, taken=datetime(2019, 2, 9, 0, 31, second))
    >>> in_series([at(0, 1 / 4), at(0, 1 / 8), at(1, 1 / 2), at(1, 1 / 4), at(2, 1 / 8), at(40, 1 / 4)], 2)
    [[0, 1, 2], [3, 4], [5]]
    """
    order = [n for n, e in enumerate(told) if e.taken and e.exposure_ev is not None]
    order.sort(key=lambda n: (told[n].taken, n))
    series: list[list[int]] = []
    latest: dict[str | None, list[int]] = {}
    for n in order:
        own = latest.get(told[n].model)
        again = any(_same(told[n].exposure_ev or 0, told[k].exposure_ev or 0) for k in own or ())
        if own and not again and _pause(told[own[-1]], told[n]) <= gap_s:
            own.append(n)
        else:
            latest[told[n].model] = [n]
            series.append(latest[told[n].model])
    return [sorted(numbers) for numbers in series]


def _same(a: float, b: float) -> bool:
    return abs(a - b) < SAME_EV


def _pause(before: Exposure, after: Exposure) -> float:
    """Seconds from the end of an exposure to the begin of the next."""
    if before.taken is None or after.taken is None:
        return 0.0
    return (after.taken - before.taken).total_seconds() - (before.time_s or 0)


# ------------------------------------------------------------------------------------------------ frames


def _exposures(found: Bracket, exposures: str | list[float]) -> Sequence[float | None]:
    """The exposure of each frame, relative to the middle one."""
    if isinstance(exposures, list):
        if len(exposures) != len(found.paths):
            raise InputError(f"{found.name!r} has {len(found.paths)} frames and exposures names {len(exposures)}")
        return exposures
    evs = _estimated(found) if exposures == "pixels" else relative_exposures(found.exposures)
    if evs is None:
        return [None] * len(found.paths)
    middle = statistics.median_low(evs)
    return [ev - middle for ev in evs]


def _estimated(found: Bracket) -> list[float]:
    frames = []
    try:
        for path in found.paths:
            image = _light(path, found.paths[0])
            frames.append(resize(image, min(ESTIMATE_PX, *image.pixels.shape[:2])).as_float())
        return estimate_exposure_ev(frames)
    except (ImageError, ValueError) as error:
        raise InputError(f"the exposures of {found.name!r} cannot be estimated: {error}") from error


def _light(path: Path, first: Path) -> Image:
    if path.suffix.lower() in RAW_SUFFIXES:
        return read_raw(path, white_balance=camera_multipliers(first), half_size=True)
    return Image(np.asarray(srgb_to_light(read_image(path).as_float()), np.float32), 16, "linear")


def _frame(path: Path, ev: float | None, first: Path, white_balance: str | list[float], curve: str) -> Frame:
    if path.suffix.lower() not in RAW_SUFFIXES:
        return Frame(path, ev)
    make = functools.partial(developed, path, first, white_balance=white_balance, curve=curve)
    return Frame(path, ev, make=make)


def developed(path: Path, first: Path, *, white_balance: str | list[float], curve: str) -> Image:
    """A RAW file as display values, float32 and not quantised, under the white balance of its bracket's first frame.

    Raises:
        ImageError: one of the two cannot be read.
    """
    fixed = camera_multipliers(first) if white_balance == "camera" else white_balance
    image = read_raw(path, white_balance=fixed)  # type: ignore[arg-type]
    display = np.asarray(parse_curve(curve).to_display(image.pixels), np.float32)
    return replace(image, pixels=display, bit_depth=8, encoding="srgb")
