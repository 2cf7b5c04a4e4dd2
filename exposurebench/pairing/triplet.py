"""A camera's picture, the light, and the light tone-mapped for a display (paper 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from exposurebench.images import Image
from exposurebench.pairing import Scale, renders
from exposurebench.scene import Pair, Scene
from exposurebench.tonemapping import reinhard_2002

TITLE = "what a camera shows of the light, the light, and the light tone-mapped"
TAKES = "linear"
GIVES = "srgb"
REFERENCE = "Paper 4, training data; Yang et al. 2018, Image correction via deep reciprocating HDR transformation"
ALPHA, GAMMA = 1 / 30, 1 / 2.2
"""Paper 4's first stage predicts ``ALPHA * light ** GAMMA``."""
REMARKS = (
    "Paper 4's targets were made by hand in an image editor and cannot be made again; these are tone-mapped by a fixed "
    "operator, so scores against them are not comparable with the published ones.",
    "The light between input and target is half floats in `radiance_exr`, at the exposure of the input: where the input "
    "is not clipped, it is the light that the camera saw. Paper 4's network learns `alpha * light ** gamma` of it, with the "
    "two constants in the columns of that name.",
)


def triplet(
    scene: Scene,
    *,
    ev: float | str | list[float] = "-2,0,2",
    crf: str | list[str] = "gamma:2.2",
    operator: Literal["reinhard_2002"] = "reinhard_2002",
    scale: Scale = "white",
    noise_signal: float | str = 0.0,
    noise_constant: float | str = 0.0,
    jpeg_quality: int | str | None = None,
    seed: int = 0,
) -> Iterator[Pair]:
    """Render a scene's light at several exposures, with the light and its tone-mapped picture.

    ``(camera(H * 2 ** ev), H * 2 ** ev, operator(H))`` with ``H`` the scaled light.

    Args:
        scene: frames of linear light, read (and resized) already, such as views of a panorama.
        ev: relative exposures, plus is brighter.
        crf: camera response functions (:mod:`exposurebench.crf`); a list makes triplets with each.
        operator: of :mod:`exposurebench.tonemapping`, for the targets.
        scale: what light is 1 at 0 EV.
        noise_signal: standard deviation of the noise of light 1, in proportion to the light; ``low:high`` draws it.
        noise_constant: standard deviation of the noise of all light.
        jpeg_quality: write the input as a camera's JPEG of this quality.
        seed: for what is drawn.

    Yields:
        One pair with its radiance per frame, response and exposure; its settings rebuild it. Exposures share targets.

    Raises:
        ValueError: a setting out of its range, or a frame that holds no linear light.

    Source: paper 4, sections on data and networks.

    >>> from pathlib import Path
    >>> from exposurebench.scene import Frame
    >>> light = Image(np.full((2, 2, 3), 8, np.float32), 16, "linear")
    >>> pairs = list(triplet(Scene("gray", (Frame(Path("gray.exr"), image=light, encoding="linear"),))))
    >>> [float(pair.radiance.pixels[0, 0, 0]) for pair in pairs], pairs[0].target is pairs[2].target
    ([0.25, 1.0, 4.0], True)
    """
    if operator != "reinhard_2002":
        raise ValueError(f"operator must be reinhard_2002, not {operator!r}")
    targets: dict[int, Image] = {}
    lights: dict[tuple[int, float], Image] = {}
    for render in renders(
        scene, "triplet", ev=ev, crf=crf, scale=scale, noise_signal=noise_signal, noise_constant=noise_constant,
        jpeg_quality=jpeg_quality, seed=seed,
    ):  # fmt: skip
        frame, key = render.frame, (render.frame, render.ev)
        if frame not in targets:
            targets[frame] = Image(reinhard_2002(render.light), 8)
        if key not in lights:
            lights[key] = Image(render.light * np.float32(2**render.ev), 16, "linear")
        yield Pair(
            name=render.name,
            input=render.image,
            target=targets[frame],
            settings={**render.settings, "operator": operator},
            facts={**render.facts, "alpha": ALPHA, "gamma": GAMMA},
            radiance=lights[key],
            shared_names={"target": render.frame_name, "radiance": render.exposure_name},
        )
