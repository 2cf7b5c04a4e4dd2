"""Light of one scale beside what a camera shows of it (paper 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from exposurebench.images import Image
from exposurebench.pairing import renders
from exposurebench.scene import Pair, Scene

TITLE = "what a camera shows of the light, and the light itself"
TAKES = "linear"
GIVES = "linear"
REFERENCE = "Paper 3, data normalisation and figure 5"
VARIANTS = {"absolute": {"luminance": "absolute"}}
REMARKS = (
    "Light is scaled so that the brightest channel of 95 % of a photograph's pixels is at most 1; the targets are half "
    "floats in `target_exr`, and `preview_file_name` names an 8-bit picture of them to look at, not to measure with.",
)


def relative_luminance(
    scene: Scene,
    *,
    ev: float | str | list[float] = "-3,0,3",
    crf: str | list[str] = "sqrt",
    luminance: Literal["relative", "absolute"] = "relative",
    noise_signal: float | str = 0.0,
    noise_constant: float | str = 0.0,
    jpeg_quality: int | str | None = None,
    seed: int = 0,
) -> Iterator[Pair]:
    """Render a scene's light at several exposures; the target is the light at that exposure.

    With ``H`` the light, divided by the value that the brightest channel of 95 % of the pixels does not exceed:
    ``(camera(H * 2 ** ev), H * 2 ** ev)``. The variant ``absolute`` pairs every exposure with ``H`` itself, which
    paper 3 argues against.

    Args:
        scene: frames of linear light, read (and resized) already.
        ev: relative exposures, plus is brighter.
        crf: camera response functions (:mod:`exposurebench.crf`); a list makes pairs with each.
        luminance: ``relative`` or ``absolute``.
        noise_signal: standard deviation of the noise of light 1, in proportion to the light; ``low:high`` draws it.
        noise_constant: standard deviation of the noise of all light.
        jpeg_quality: write the input as a camera's JPEG of this quality.
        seed: for what is drawn.

    Yields:
        One pair per frame, response and exposure; its settings rebuild it. Responses share their targets.

    Raises:
        ValueError: a setting out of its range, or a frame that holds no linear light.

    Source: paper 3, figure 5.

    >>> from pathlib import Path
    >>> from exposurebench.scene import Frame
    >>> light = Image(np.full((2, 2, 3), 8, np.float32), 16, "linear")
    >>> scene = Scene("gray", (Frame(Path("gray.exr"), image=light, encoding="linear"),))
    >>> [(int(p.input.pixels[0, 0, 0]), float(p.target.pixels[0, 0, 0])) for p in relative_luminance(scene, ev="-2,0,3")]
    [(128, 0.25), (255, 1.0), (255, 8.0)]
    """
    if luminance not in get_args(Literal["relative", "absolute"]):
        raise ValueError(f"luminance must be relative or absolute, not {luminance!r}")
    targets: dict[tuple[int, float], Image] = {}
    for render in renders(
        scene, "relative_luminance", ev=ev, crf=crf, scale="white", noise_signal=noise_signal,
        noise_constant=noise_constant, jpeg_quality=jpeg_quality, seed=seed,
    ):  # fmt: skip
        shift = render.ev if luminance == "relative" else 0.0
        key = (render.frame, shift)
        if key not in targets:
            targets[key] = Image(render.light * np.float32(2**shift), 16, "linear", facts={"white_level": 2.0**shift})
        settings = {name: value for name, value in render.settings.items() if name != "scale"}
        yield Pair(
            name=render.name,
            input=render.image,
            target=targets[key],
            settings={**settings, "luminance": luminance},
            facts=render.facts,
            shared_names={"target": render.exposure_name if luminance == "relative" else render.frame_name},
        )
