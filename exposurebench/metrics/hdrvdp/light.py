"""What the numbers of an image stand for: encodings to light, light to the receptors' share of it."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Collection
from importlib.resources import files
from typing import Any

import torch

from exposurebench.color import gamma22_to_light, srgb_to_light

Matrix = tuple[tuple[float, ...], ...]

DISPLAY = ("sRGB-display", "luma-display")
"""Encodings in [0, 1] that are shown on a display of 1 to 100 cd/m2."""
GRAY = ("luminance", "luma-display")
"""Encodings of one channel."""
SMALLEST_PX = 8
"""Half the pyramid's largest filter, which a border must be able to mirror."""

_PEAK, _BLACK = 99.0, 1.0


@functools.cache
def receptor_facts(version: str, spectrum: str) -> dict[str, Matrix]:
    """The matrices of one display: ``receptors`` (a row a channel: L cones, M cones, rods) and colour spaces."""
    matrices = constants("receptors.json")[version][spectrum]
    return {name: tuple(map(tuple, rows)) for name, rows in matrices.items()}


def absolute(
    batch: torch.Tensor, name: str, encoding: str, luminance_scale: float, encodings: Collection[str]
) -> torch.Tensor:
    """A batch in cd/m2 (or XYZ with Y in cd/m2) and double precision, or why it is no light.

    ``luma-display``: ``L = 99 V ** 2.2 + 1``; ``sRGB-display``: ``99 to_light(V) + 1`` in every channel;
    everything else is light already and times ``luminance_scale``.

    Args:
        batch: ``(N, C, H, W)`` with one channel for ``luminance`` and ``luma-display``, else three.
        name: what it is called in messages.
        encoding: what the numbers are.
        luminance_scale: cd/m2 for a value of 1.
        encodings: those that the caller knows.

    Raises:
        TypeError: integers or half precision.
        ValueError: a wrong shape, NaN, infinity, light that is not above 0 or nowhere above 1 cd/m2, display
            values outside [0, 1], a side under 8 px, an unknown encoding, no positive scale.

    >>> gray = torch.full((1, 1, 8, 8), 0.5)
    >>> absolute(gray, "prediction", "luminance", 1.0, ["luminance"])
    Traceback (most recent call last):
    ValueError: prediction must be light in cd/m2 and is nowhere above 1 (at most 0.5 in image 0): scale it to \
absolute light, for example with luminance_scale=100 where 1 is a display's white
    """
    if encoding not in encodings:
        raise ValueError(f"encoding must be one of {', '.join(encodings)}, not {encoding!r}")
    if not (luminance_scale > 0 and math.isfinite(luminance_scale)):
        raise ValueError(f"luminance_scale must be positive, not {luminance_scale}")
    if encoding in DISPLAY and luminance_scale != 1:
        raise ValueError(f"luminance_scale is of light; {encoding} says its own light: leave it at 1")
    return _light(_checked(batch, name, encoding).double(), name, encoding, luminance_scale)


def _checked(batch: torch.Tensor, name: str, encoding: str) -> torch.Tensor:
    kind = batch.dtype if isinstance(batch, torch.Tensor) else type(batch).__name__
    if kind not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be a float32 or float64 tensor, not {kind}")
    channels = 1 if encoding in GRAY else 3
    if batch.ndim != 4 or batch.shape[1] != channels or batch.numel() == 0:
        raise ValueError(f"{name} in {encoding} must have the shape (N, {channels}, H, W), not {tuple(batch.shape)}")
    if min(batch.shape[2:]) < SMALLEST_PX:
        height, width = batch.shape[2:]
        raise ValueError(f"HDR-VDP needs sides of at least {SMALLEST_PX} px, and {name} has {width} x {height}")
    return batch


def _light(batch: torch.Tensor, name: str, encoding: str, scale: float) -> torch.Tensor:
    flat = batch.detach().flatten(1)
    highest = flat.amax(1)
    low, high = float(flat.min()), float(highest.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values: mend them before they are scored")
    if encoding in DISPLAY:
        if low < 0 or high > 1:
            raise ValueError(f"{name} in {encoding} must lie in [0, 1], not in [{low:g}, {high:g}]")
        linear: torch.Tensor = (gamma22_to_light if encoding == "luma-display" else srgb_to_light)(batch)
        return _PEAK * linear + _BLACK
    if low <= 0:
        raise ValueError(
            f"{name} must be light in cd/m2 and lie above 0, not in [{low:g}, {high:g}]: "
            "lift it to the display's black, for example 0.005 cd/m2"
        )
    dimmest, image = (value.item() for value in highest.min(0))
    if scale == 1 and dimmest <= 1:  # whoever states a scale has thought about the unit
        raise ValueError(
            f"{name} must be light in cd/m2 and is nowhere above 1 (at most {dimmest:g} in image {image:g}): scale it "
            "to absolute light, for example with luminance_scale=100 where 1 is a display's white"
        )
    return batch * scale if scale != 1 else batch


def through(channels: torch.Tensor, matrix: Matrix) -> torch.Tensor:
    """``(N, C, H, W)`` channels mixed by a matrix of a row an output channel: ``out_i = sum_j m_ij in_j``.

    >>> through(torch.ones(1, 2, 1, 1), ((1.0, 2.0), (3.0, 4.0))).flatten().tolist()
    [3.0, 7.0]
    """
    mixed = torch.empty((len(channels), len(matrix), *channels.shape[2:]), dtype=channels.dtype, device=channels.device)
    for i, row in enumerate(matrix):
        torch.mul(channels[:, 0], row[0], out=mixed[:, i])
        for j, weight in enumerate(row[1:], start=1):
            mixed[:, i].add_(channels[:, j], alpha=weight)
    return mixed


def catches(channels: torch.Tensor, version: str, spectrum: str) -> torch.Tensor:
    """What L cones, M cones and rods catch of light, ``(N, 3, H, W)``, on a display of a spectrum."""
    by_channel = receptor_facts(version, spectrum)["receptors"]
    return through(channels, tuple(zip(*by_channel, strict=True)))


def differs(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 where a pixel differs by more than 0.1 % of the target in any channel, else 0: ``(N, 1, H, W)``."""
    return ((prediction - target).abs() > 0.001 * target).any(1, keepdim=True).to(prediction.dtype)


def constants(name: str) -> Any:
    """One of the files of numbers that lie beside this one."""
    return json.loads(files("exposurebench.metrics.hdrvdp").joinpath(name).read_text("utf-8"))
