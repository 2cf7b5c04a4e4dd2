"""One scene at several exposures, through a camera's response (paper 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from exposurebench.camera import Camera, expose
from exposurebench.crf import parse_curve
from exposurebench.images import Image
from exposurebench.pairing import Scale, finished_picture, renders, scaled
from exposurebench.registration import Register, Registration, align, crop, same_scale, unregistered
from exposurebench.registration import register as find_warp
from exposurebench.scene import Pair, Rejected, Scene
from exposurebench.warp_search import Motion

TITLE = "light rendered at several exposures through a camera's response"
TAKES = "linear"
GIVES = "srgb"
REFERENCE = "Paper 1, section on data; Afifi et al. 2021, Learning multi-scale photo exposure correction (MSEC)"
REMARKS = (
    "The exposures are a linear gain on the light, not Camera Raw: the published MSEC inputs went through Adobe's tone "
    "mapping as well, and differ from these most in the highlights.",
    "Where `input_is_target` is true the input is the target to the last bit: such a pair says nothing of correction; "
    "evaluations keep it out of their means and report it apart.",
)


def multi_ev(
    scene: Scene,
    *,
    ev: float | str | list[float] = "-1.5,-1,0,1,1.5",
    crf: str | list[str] = "srgb",
    target: str = "auto",
    scale: Scale = "auto",
    noise_signal: float | str = 0.0,
    noise_constant: float | str = 0.0,
    jpeg_quality: int | str | None = None,
    register: Register = "ecc",
    motion: Motion = "affine",
    min_correlation: float = 0.8,
    max_residual_px: float = 0.3,
    max_shift: float = 0.1,
    seed: int = 0,
) -> Iterator[Pair | Rejected]:
    """Render a scene's light at several exposures; the target is a finished picture of it, or the plain 0-EV render.

    ``input = camera(light * 2 ** ev)``; without a finished picture ``target = crf(light)``, quantised.

    A finished picture was made by another program, which cuts the sensor's edge elsewhere and may have made it smaller:
    the larger of the two is shrunk to the other's short side, the light is laid on the picture by registration, and both
    end where the other does. The picture's own pixels are the target; the light is warped once, before it is exposed.

    Args:
        scene: frames of linear light, read (and resized) already, and finished pictures (display-encoded frames
            with a role) where the data set has some.
        ev: relative exposures, plus is brighter.
        crf: camera response functions (:mod:`exposurebench.crf`); a list makes pairs with each.
        target: the role of a finished picture such as ``expert_c``, or ``render``: the finished picture of that
            name where there is one, else the plain render; or ``auto``: the scene's only finished picture, else
            ``render``.
        scale: what light is 1 at 0 EV.
        noise_signal: standard deviation of the noise of light 1, in proportion to the light; ``low:high`` draws it.
        noise_constant: standard deviation of the noise of all light.
        jpeg_quality: write the input as a camera's JPEG of this quality.
        register: ``ecc``; or ``none`` for light and finished pictures of one size that lie on each other already.
        motion: see :func:`exposurebench.registration.register`; this and what follows is for finished pictures alone.
        min_correlation: see there.
        max_residual_px: see there.
        max_shift: see there.
        seed: for what is drawn.

    Yields:
        One pair per frame, response and exposure; its settings rebuild it. In place of pairs whose finished picture
        cannot be laid on the light, why.

    Raises:
        ValueError: a setting out of its range, no such finished picture, one that is light; or one of another size,
            without registration.

    Source: paper 1 (relative exposures -1.5, -1, 0, 1 and 1.5 of MSEC).

    >>> from pathlib import Path
    >>> from exposurebench.scene import Frame
    >>> light = Image(np.full((2, 2, 3), 0.18, np.float32), 16, "linear")
    >>> scene = Scene("gray", (Frame(Path("gray.exr"), image=light, encoding="linear"),))
    >>> [(p.name, int(p.input.pixels[0, 0, 0]), int(p.target.pixels[0, 0, 0])) for p in multi_ev(scene, ev=[-1, 0])]
    [('ev-1', 85, 118), ('ev0', 118, 118)]
    """
    if register not in get_args(Register):
        raise ValueError(f"register must be one of {', '.join(get_args(Register))}, not {register!r}")
    role, finished = finished_picture(scene, target, otherwise="render")
    if finished and finished.encoding != GIVES:
        raise ValueError(
            f"the picture {role!r} of {scene.name!r} is light: give --set target=render, or another pairing"
        )
    gates: dict[str, Any] = {
        "motion": motion, "min_correlation": min_correlation, "max_residual_px": max_residual_px, "max_shift": max_shift,
    }  # fmt: skip
    laid: list[Laid] = []
    if finished:
        taken = [frame for frame in scene.frames if not frame.role]
        laid = [_laid(frame.pixels, finished, register, gates) for frame in taken]
        scene = replace(scene, frames=tuple(replace(f, image=on.light) for f, on in zip(taken, laid, strict=True)))
    plain: dict[tuple[int, str], Image] = {}
    for render in renders(
        scene, "multi_ev", ev=ev, crf=crf, scale=scale, noise_signal=noise_signal, noise_constant=noise_constant,
        jpeg_quality=jpeg_quality, seed=seed,
    ):  # fmt: skip
        on = laid[render.frame] if laid else None
        if on and on.found.problem:
            yield Rejected(render.name, on.found.problem, on.found.numbers)
            continue
        key = (render.frame, render.camera.curve.text)
        if on is None and key not in plain:
            plain[key] = expose(render.light, Camera(render.camera.curve), peak=render.peak)
        picture = on.picture if on else plain[key]
        same = np.array_equal(render.image.as_levels(), picture.as_levels())
        yield Pair(
            name=render.name,
            input=render.image,
            target=picture,
            settings={**render.settings, "target": role, **({"register": register, **gates} if on else {})},
            facts={**render.facts, **(on.found.numbers if on else {}), "input_is_target": same},
            shared_names={"target": render.frame_name},
        )


def targets(light: bool) -> list[str]:
    """What may be a target without a finished picture."""
    return [] if light else ["render"]


@dataclass(frozen=True, eq=False)
class Laid:
    """Light and a finished picture that show the same, and how they were laid on each other."""

    light: Image
    picture: Image
    found: Registration


def _laid(light: Image, picture: Image, register: Register, gates: dict[str, Any]) -> Laid:
    if light.encoding != TAKES:
        raise ValueError(f"multi_ev takes {TAKES} images, not {light.encoding}")
    if register == "none":
        if light.pixels.shape != picture.pixels.shape:
            (height, width), (rows, columns) = light.pixels.shape[:2], picture.pixels.shape[:2]
            raise ValueError(
                f"the finished picture is {columns} x {rows} and the light {width} x {height}: leave out --set register=none"
            )
        return Laid(light, picture, unregistered(_shown(light), picture))
    light, picture = same_scale(light, picture)
    found = find_warp(_shown(light), picture, **gates)
    if found.problem:
        return Laid(light, picture, found)
    return Laid(align(light, found.warp, found.area), crop(picture, found.area), found)


def _shown(light: Image) -> Image:
    """Light as a picture that registration can compare: middle gray in the middle, whatever its own scale."""
    return expose(scaled(light, "gray")[0], Camera(parse_curve("srgb")))
