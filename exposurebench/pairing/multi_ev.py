"""One scene at several exposures, through a camera's response (paper 1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from exposurebench.camera import Camera, expose
from exposurebench.images import Image
from exposurebench.pairing import Scale, finished_picture, renders
from exposurebench.scene import Pair, Scene

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
    seed: int = 0,
) -> Iterator[Pair]:
    """Render a scene's light at several exposures; the target is a finished picture of it, or the plain 0-EV render.

    ``input = camera(light * 2 ** ev)``; without a finished picture ``target = crf(light)``, quantised.

    Args:
        scene: frames of linear light, read (and resized) already, and finished pictures (display-encoded frames
            with a role) where the data set has some.
        ev: relative exposures, plus is brighter.
        crf: camera response functions (:mod:`exposurebench.crf`); a list makes pairs with each.
        target: ``render``, the role of a finished picture such as ``expert_c``, or ``auto``: the scene's only
            finished picture, else ``render``.
        scale: what light is 1 at 0 EV.
        noise_signal: standard deviation of the noise of light 1, in proportion to the light; ``low:high`` draws it.
        noise_constant: standard deviation of the noise of all light.
        jpeg_quality: write the input as a camera's JPEG of this quality.
        seed: for what is drawn.

    Yields:
        One pair per frame, response and exposure; its settings rebuild it.

    Raises:
        ValueError: a setting out of its range, no such finished picture, or one of another size.

    Source: paper 1 (relative exposures -1.5, -1, 0, 1 and 1.5 of MSEC).

    >>> from pathlib import Path
    >>> from exposurebench.scene import Frame
    >>> light = Image(np.full((2, 2, 3), 0.18, np.float32), 16, "linear")
    >>> scene = Scene("gray", (Frame(Path("gray.exr"), image=light, encoding="linear"),))
    >>> [(p.name, int(p.input.pixels[0, 0, 0]), int(p.target.pixels[0, 0, 0])) for p in multi_ev(scene, ev=[-1, 0])]
    [('ev-1', 85, 118), ('ev0', 118, 118)]
    """
    role, finished = finished_picture(scene, target, otherwise="render")
    plain: dict[tuple[int, str], Image] = {}
    for render in renders(
        scene, "multi_ev", ev=ev, crf=crf, scale=scale, noise_signal=noise_signal, noise_constant=noise_constant,
        jpeg_quality=jpeg_quality, seed=seed,
    ):  # fmt: skip
        key = (id(render.light), render.camera.curve.text)
        if finished is None and key not in plain:
            plain[key] = expose(render.light, Camera(render.camera.curve))
        picture = plain[key] if finished is None else finished
        if picture.pixels.shape != render.image.pixels.shape:
            raise ValueError(
                f"the finished picture {role!r} is {picture.pixels.shape[1]} x {picture.pixels.shape[0]} and the light "
                f"{render.light.shape[1]} x {render.light.shape[0]}: give --size and --crop, or --set target=render"
            )
        same = np.array_equal(render.image.as_levels(), picture.as_levels())
        yield Pair(
            name=render.name,
            input=render.image,
            target=picture,
            settings={**render.settings, "target": role},
            facts={**render.facts, "input_is_target": same},
            shared_names={"target": "" if finished else render.frame_name},
        )
