"""Overexposure by clipping a photograph's light at a threshold (paper 0)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import Transfer
from exposurebench.exposure import display_threshold, exposure_ev, overexpose, overexpose_dithered
from exposurebench.images import Image, look_up, quantize
from exposurebench.scene import Pair, Scene

TITLE = "display value to light, clip above tau, rescale, back"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Le Jeune 2019, Image enhancement with generative adversarial networks, section 3.5 and figure 4"
VARIANTS = {"literal": {"form": "literal"}, "camera": {"form": "camera"}}

Form = Literal["auto", "literal", "camera"]


def gamma_clip(
    scene: Scene,
    *,
    tau: float | str | list[float] = 0.5,
    transfer: Transfer = "gamma22",
    form: Form = "auto",
    noise: float = 0.0,
    seed: int = 0,
) -> Iterator[Pair]:
    """Overexpose every photograph of a scene; the target is the photograph.

    ``x = (min(y ** 2.2, tau) / tau) ** (1 / 2.2)``, quantised once.

    ``literal`` is the paper on 8 bits: one 256-entry table. It leaves a comb of empty levels in the
    histogram from which tau can be read, so ``camera`` works in float: half a level of uniform dither
    undoes the source's own quantisation (seeded), optional noise is added after the clipping, and the
    result is quantised once. ``auto`` is literal for fixed thresholds and camera for drawn ones.

    Args:
        scene: display-encoded frames, read (and resized) already.
        tau: the light that becomes white, in (0, 1]; ``"0.5:1"`` draws one per photograph, a list (or
            ``"0.2,0.5,1"``) makes one pair for each.
        transfer: how display values and light relate: ``gamma22`` or ``srgb``.
        form: ``auto``, ``literal`` or ``camera``.
        noise: standard deviation of Gaussian display noise on the input, in [0, 1] (camera alone).
        seed: for the threshold, the dither and the noise.

    Yields:
        One pair per frame and threshold; its settings rebuild it.

    Raises:
        ValueError: a threshold or noise out of its range, an unknown form, or noise with ``literal``.

    Source: paper 0, section 3.5; the camera form is ours.

    >>> from pathlib import Path
    >>> from exposurebench.scene import Frame
    >>> ramp = np.repeat(np.arange(0, 256, 85, dtype=np.uint8)[None, :, None], 3, axis=2)
    >>> pair, = gamma_clip(Scene("ramp", (Frame(Path("ramp.png"), image=Image(ramp)),)), tau=0.5)
    >>> pair.input.pixels[0, :, 0].tolist()
    [0, 116, 233, 255]
    """
    used, values = form_used(tau, form, noise), thresholds(tau, seed)
    for number, frame in enumerate(scene.frames):
        image = frame.pixels
        if image.encoding != TAKES:
            raise ValueError(f"gamma_clip takes {TAKES} images, not {image.encoding}")
        levels = image.as_levels()
        target = image if levels is image.pixels else Image(levels, image.bit_depth, notes=image.notes)
        for value in values:
            if used == "literal":
                clipped = look_up(overexposure_table(value, transfer, image.bit_depth), levels)
            else:
                clipped = _camera(image, value, transfer, noise, np.random.default_rng((seed, number, 1)))
            name = "_".join(
                part for part in (f"frame{number}" if len(scene.frames) > 1 else "", _suffix(value, values)) if part
            )
            yield Pair(
                name=name,
                input=Image(clipped, image.bit_depth),
                target=target,
                settings={"tau": value, "transfer": transfer, "form": used, "noise": noise, "seed": seed},
                facts={
                    "exposure_ev": exposure_ev(value),
                    "display_threshold": display_threshold(value, transfer),
                    "clipped_share": _share_above(target, display_threshold(value, transfer)),
                },
            )


def overexposure_table(tau: float, transfer: Transfer = "gamma22", bit_depth: int = 8) -> NDArray[Any]:
    """What every level of an image becomes: the literal form, computed in float64 and rounded once.

    >>> len(set(overexposure_table(0.5).tolist()))
    187
    """
    top = (1 << bit_depth) - 1
    return quantize(overexpose(np.arange(top + 1, dtype=np.float64) / top, tau, transfer), bit_depth)


def _camera(image: Image, tau: float, transfer: Transfer, noise: float, rng: np.random.Generator) -> NDArray[Any]:
    shape, top = image.pixels.shape, (1 << image.bit_depth) - 1
    draws = [functools.partial(draw, shape, dtype=np.float32) for draw in (rng.random, rng.standard_normal)]
    clipped = overexpose_dithered(
        image.as_float(), tau, transfer, uniform=draws[0], levels=top, noise=noise, normal=draws[1]
    )
    return quantize(clipped, image.bit_depth)


def form_used(tau: float | str | list[float], form: Form, noise: float) -> Literal["literal", "camera"]:
    """The form that is meant: ``auto`` is the camera's for drawn thresholds, else the table.

    Raises:
        ValueError: an unknown form, noise out of its range, or noise with ``literal``.

    >>> form_used("0.5:1", "auto", 0.0)
    'camera'
    """
    if form not in get_args(Form):
        raise ValueError(f"form must be one of {', '.join(get_args(Form))}, not {form!r}")
    drawn = isinstance(tau, str) and ":" in tau
    used: Literal["literal", "camera"] = ("camera" if drawn else "literal") if form == "auto" else form
    if noise and used == "literal":
        raise ValueError("noise needs form=camera: the literal form is a table")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be in [0, 1], not {noise}")
    return used


def thresholds(tau: float | str | list[float], seed: int) -> list[float]:
    """The thresholds of one photograph: one drawn of a range ``"low:high"``, else all that are named.

    Raises:
        ValueError: one is no number or out of (0, 1], a range is the wrong way round, or something stands twice.

    >>> thresholds("0.2,0.5,1", 0)
    [0.2, 0.5, 1.0]
    """
    if isinstance(tau, str) and ":" in tau:
        low, high = (_number(part) for part in tau.split(":", 1))
        if not 0 < low < high <= 1:
            raise ValueError(f"tau {tau!r} must be a range low:high within (0, 1]")
        return [float(np.random.default_rng((seed, 0)).uniform(low, high))]
    values = tau.split(",") if isinstance(tau, str) else tau if isinstance(tau, list) else [tau]
    found = [_number(value) for value in values]
    for value in found:
        if not 0 < value <= 1:
            raise ValueError(f"tau must be in (0, 1], not {value}")
    if len(set(found)) != len(found) or not found:
        raise ValueError(f"tau {tau!r} names a threshold twice or none at all")
    return found


def _number(text: float | str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"tau must be a number, a range such as 0.5:1, or a list, not {text!r}") from error


def _suffix(value: float, among: list[float]) -> str:
    return f"tau{value!r}".removesuffix(".0").replace(".", "p") if len(among) > 1 else ""


def _share_above(image: Image, threshold: float) -> float:
    """The share of pixels with a channel above the display threshold: those that lose something."""
    height, width = image.pixels.shape[:2]
    lost = image.count_above(math.floor(threshold * ((1 << image.bit_depth) - 1)))
    return lost / float(height * width)
