"""Pairs that a data set already holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from exposurebench.images import Encoding, Image
from exposurebench.pairing import finished_picture, numbers, pair_name
from exposurebench.scene import Frame, Pair, Scene

TITLE = "what the camera took beside a finished picture, as the data set has them"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "the data set's own"
VARIANTS = {"light": {"light": True}}
VARIANT_FACTS = {"light": {"TITLE": "a photograph beside the light, as the data set has them", "GIVES": "linear"}}
REMARKS = (
    "Photographs that are stored as they were are links to the source's files where the file system has links: nothing is "
    "copied, and manifest and fingerprints are those of a copy (`--set copy=true`). Where the source was moved, "
    "`verify` says which files are missing, and the same make-dataset command with the new --root sets the links anew; "
    "`cp -rL` or `rsync -L` makes a copy that stands alone.",
)


def paired(
    scene: Scene,
    *,
    target: str = "auto",
    ev: float | str | list[float] | None = None,
    copy: bool = False,
    light: bool = False,
) -> Iterator[Pair]:
    """Every photograph of a scene against its finished picture.

    Args:
        scene: display-encoded frames, read (and resized) already, and finished pictures (frames with a role).
        target: the role of the finished picture, such as ``expert_c``, or ``auto``: the scene's only one.
        ev: take the photographs of these exposures alone, where the data set states them.
        copy: store copies; else a photograph that is stored as its file's own bytes is a link to that file.
        light: the finished picture is light, not display-encoded; the variant ``paired/light``.

    Yields:
        One pair per photograph.

    Raises:
        ValueError: no such finished picture, one of another kind or size, or no photograph of that exposure.

    >>> from pathlib import Path
    >>> gray = [Image(np.full((2, 2, 3), level, np.uint8)) for level in (50, 118)]
    >>> frames = (Frame(Path("a_N1.jpg"), -1.0, gray[0]), Frame(Path("a.jpg"), image=gray[1], role="expert_c"))
    >>> [(p.name, int(p.input.pixels[0, 0, 0]), p.settings) for p in paired(Scene("a", frames))]
    [('', 50, {'target': 'expert_c', 'light': False})]
    """
    taken = [frame for frame in scene.frames if not frame.role and frame.pixels.encoding == TAKES]
    if not taken:
        raise ValueError(f"paired takes {TAKES} images, and {scene.name!r} has none beside its finished pictures")
    if ev is not None:
        wanted = numbers("ev", ev)
        taken = [frame for frame in taken if frame.exposure_ev in wanted]
        if not taken:
            raise ValueError(f"{scene.name!r} has no photograph at {ev} EV: see its other frames, or leave ev out")
    role, finished = finished_picture(scene, target)
    goal: Encoding = "linear" if light else "srgb"
    if finished is None or finished.encoding != goal:
        other = "paired" if light else "paired/light"
        raise ValueError(
            f"the picture {role!r} of {scene.name!r} is not {goal}: choose --pair {other} or another target"
        )
    place = next(frame for frame in scene.frames if frame.role == role)
    finished = _stored(place, copy)
    for number, frame in enumerate(taken):
        if frame.pixels.pixels.shape != finished.pixels.shape:
            (height, width), (rows, columns) = frame.pixels.pixels.shape[:2], finished.pixels.shape[:2]
            raise ValueError(
                f"{Path(frame.path).name!r} is {width} x {height} and the picture {role!r} {columns} x {rows}: a pair must be of "
                "one size"
            )
        known = {} if frame.exposure_ev is None else {"exposure_ev": frame.exposure_ev}
        same = not light and np.array_equal(frame.pixels.as_levels(), finished.as_levels())
        yield Pair(
            name=_name(frame, number) if len(taken) > 1 else "",
            input=_stored(frame, copy),
            target=finished,
            settings={"target": role, "light": light},
            facts={**known, "input_from": _from(frame), "target_from": _from(place), "input_is_target": same},
        )


def _name(frame: Frame, number: int) -> str:
    return f"frame{number}" if frame.exposure_ev is None else pair_name(f"ev{frame.exposure_ev!r}")


def _from(frame: Frame) -> str:
    """The file and its folder, which often tell what it is (``clip_95/001.png``)."""
    return "/".join(Path(frame.path).parts[-2:])


def _stored(frame: Frame, copy: bool) -> Image:
    """The frame's image, and where its bytes lie if those are what will be stored."""
    linked = not copy and frame.pixels.file and not frame.make and not frame.view
    return replace(frame.pixels, origin=Path(frame.path)) if linked else frame.pixels
