"""How a scene becomes pairs, one way a file; what the ways share is here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from exposurebench.camera import Camera, draw_camera, expose, peak_of
from exposurebench.color import REC709, weighted
from exposurebench.images import Image
from exposurebench.scene import Scene
from exposurebench.tonemapping import white_level

Scale = Literal["auto", "none", "gray", "white"]
"""What light is 1: ``none`` as the file has it, ``gray`` the geometric mean of the luminance at 0.18, ``white`` the
brightest channel of 95 % of the pixels at or below 1; ``auto`` is ``none`` for RAW, where the sensor's limit is 1, and
else ``gray``."""
MIDDLE_GRAY = 0.18


def numbers(name: str, value: float | str | list[float]) -> list[float]:
    """One number, a list of them, or ``"-1.5,0,1.5"``.

    Raises:
        ValueError: something is no number, is not finite, or stands there twice.

    >>> numbers("ev", "-1.5,0")
    [-1.5, 0.0]
    """
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    try:
        found = [float(v) for v in values]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number or a list of numbers, not {value!r}") from error
    if not found or len(set(found)) < len(found) or not all(math.isfinite(v) for v in found):
        raise ValueError(f"{name} {value!r} names a number twice, none at all, or one that is not finite")
    return found


def texts(name: str, value: str | list[str]) -> list[str]:
    """One text or a list of them.

    Raises:
        ValueError: one is empty, or stands there twice.
    """
    found = [value] if isinstance(value, str) else list(value)
    if not found or not all(found) or len(set(found)) < len(found):
        raise ValueError(f"{name} {value!r} names something twice or nothing at all")
    return found


def pair_name(*parts: str) -> str:
    """Parts of a name that files can have, those that are empty left out.

    >>> pair_name("", "ev-1.5", "sqrt")
    'ev-1p5_sqrt'
    """
    return "_".join(part.removesuffix(".0").replace(".", "p") for part in parts if part)


def finished_picture(scene: Scene, target: str, *, otherwise: str = "") -> tuple[str, Image | None]:
    """The finished picture of a scene that is to be the target.

    Args:
        scene: frames that have a role are its finished pictures.
        target: a role, or ``auto``: the only one, else ``otherwise``.
        otherwise: a name for what is made where there is no such picture; empty where nothing is.

    Returns:
        The role and the picture; no picture for ``otherwise``.

    Raises:
        ValueError: there is no such picture.
    """
    pictures = {frame.role: frame.pixels for frame in scene.frames if frame.role}
    role = target
    if target == "auto":
        role = next(iter(pictures)) if len(pictures) == 1 else otherwise
    if role not in pictures and (not role or role != otherwise):
        known = [name for name in (otherwise, *pictures) if name]
        raise ValueError(
            f"{scene.name!r} has no picture {target!r}: target must be {' or '.join(known)}"
            if known
            else f"{scene.name!r} has no finished picture: expected one beside what the camera took"
        )
    return role, pictures.get(role)


@dataclass(frozen=True)
class Render:
    """One exposure of a scene's light through a camera.

    Attributes:
        name: tells it apart from the scene's other renders.
        exposure_name: tells its frame and exposure apart, whatever the response; ``frame_name`` its frame alone.
        frame: the number of its frame, of those that the camera took.
        image: what the camera wrote.
        light: ``(H, W, 3)``, scaled, before the exposure; ``peak`` is its brightest channel.
        ev: the exposure.
        camera: what it went through.
        settings: everything that makes it again.
        facts: what else is known of it.
    """

    name: str
    exposure_name: str
    frame_name: str
    frame: int
    image: Image
    light: NDArray[np.float32]
    peak: NDArray[np.float32]
    ev: float
    camera: Camera
    settings: dict[str, Any]
    facts: dict[str, Any]


def renders(
    scene: Scene,
    what: str,
    *,
    ev: float | str | list[float],
    crf: str | list[str],
    scale: Scale,
    noise_signal: float | str,
    noise_constant: float | str,
    jpeg_quality: int | str | None,
    seed: int,
) -> Iterator[Render]:
    """Every frame of a scene at every exposure through every response.

    Args:
        scene: frames of linear light, read already; those with a role are passed over.
        what: the pairing, for messages.
        ev: relative exposures, plus is brighter.
        crf: camera response functions; what one leaves open is drawn once per frame.
        scale: what light is 1 at 0 EV.
        noise_signal: see :func:`exposurebench.camera.draw_camera`.
        noise_constant: see there.
        jpeg_quality: see there.
        seed: for what is drawn.

    Raises:
        ValueError: a setting out of its range, or a frame that holds no linear light.
    """
    exposures, curves = numbers("ev", ev), texts("crf", crf)
    taken = [frame for frame in scene.frames if not frame.role]
    if not taken:
        raise ValueError(f"{what} found only finished pictures in {scene.name!r}: expected light (linear)")
    for number, frame in enumerate(taken):
        if frame.pixels.encoding != "linear":
            raise ValueError(f"{what} takes linear images, not {frame.pixels.encoding}")
        light, gain, used = scaled(frame.pixels, scale)
        peak = peak_of(light)
        for curve in curves:
            camera = draw_camera(
                crf=curve, noise_signal=noise_signal, noise_constant=noise_constant, jpeg_quality=jpeg_quality,
                seed=(seed, number),
            )  # fmt: skip
            settings = {name: value for name, value in camera.settings.items() if name != "bit_depth"}
            for exposure in exposures:
                image = expose(light, camera, ev=exposure, seed=(seed, number), peak=peak)
                frame_name = f"frame{number}" if len(taken) > 1 else ""
                exposure_name = pair_name(frame_name, f"ev{exposure!r}" if len(exposures) > 1 else "")
                yield Render(
                    name=pair_name(exposure_name, curve.partition(":")[0] if len(curves) > 1 else ""),
                    exposure_name=exposure_name,
                    frame_name=frame_name,
                    frame=number,
                    image=image,
                    light=light,
                    peak=peak,
                    ev=exposure,
                    camera=camera,
                    settings={"ev": exposure, "scale": used, **settings, "seed": seed},
                    facts={"exposure_ev": exposure, "gain": gain, **image.facts},
                )


def scaled(image: Image, scale: Scale) -> tuple[NDArray[np.float32], float, Scale]:
    """Light in units of what is 1.

    Returns:
        The scaled light ``(H, W, 3)``, the factor, and the scale that ``auto`` meant.

    Raises:
        ValueError: an unknown scale.
    """
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}, not {scale!r}")
    used: Scale = scale if scale != "auto" else "none" if image.saturated is not None else "gray"
    gain = 1.0
    if used == "white":
        gain = 1 / white_level(image.pixels)
    elif used == "gray":
        luminance: NDArray[Any] = weighted(image.pixels[..., 0], image.pixels[..., 1], image.pixels[..., 2], REC709)
        lit = luminance[luminance > 0].astype(np.float64)
        gain = MIDDLE_GRAY / math.exp(np.log(lit).mean()) if lit.size else 1.0
    return image.pixels if gain == 1 else image.pixels * np.float32(gain), float(np.float32(gain)), used
