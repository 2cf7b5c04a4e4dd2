"""Noise of every scale, and the eye that looks at a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import weighted

Field: TypeAlias = NDArray[Any]
"""float32, one number or one colour a place."""
Shade: TypeAlias = Callable[[Field, Field], Field]
"""A scene: image coordinates ``(N,)`` (in picture heights from the middle, x right, y up) to light ``(N, 3)``."""

EDGE_EV = 1.0
"""Pixels that differ more from a neighbour are looked at again, in four places."""


def tile(rng: np.random.Generator, persistence: float = 0.6, size: int = 256) -> Field:
    """Periodic noise with octaves from two cells to half the size, of mean 0 and standard deviation 1.

    Every octave adds ``persistence`` times the amplitude of the one below; 1 gives an amplitude spectrum
    that falls as 1/f, smaller numbers smoother fields. Lattice values are drawn, and doubled in size by the
    weights 3/4 and 1/4 (Chaikin's corner cutting), so that all arithmetic is exact to the rounding.

    Returns:
        ``(size + 1, size + 1)``: the last row and column repeat the first.

    >>> noise = tile(np.random.default_rng(0), size=8)
    >>> bool((noise[0] == noise[-1]).all()), noise.shape
    (True, (9, 9))
    """
    field = np.zeros((1, 1), np.float32)
    amplitude = 1.0
    while len(field) < size:
        field = _doubled(_doubled(field, 0), 1)
        if len(field) < size:
            field = field + rng.standard_normal(field.shape, dtype=np.float32) * amplitude
            amplitude *= persistence
    field = (field - field.mean()) / field.std()
    return np.pad(field, (0, 1), mode="wrap")


def _doubled(field: Field, axis: int) -> Field:
    near, before, after = field * np.float32(0.75), np.roll(field, 1, axis), np.roll(field, -1, axis)
    pair = np.stack((near + before * np.float32(0.25), near + after * np.float32(0.25)), axis + 1)
    shape = list(field.shape)
    shape[axis] *= 2
    return pair.reshape(shape)


def sample(noise: Field, u: Field, v: Field) -> Field:
    """Noise at any places, in tiles (whose size is a power of two), between the lattice bilinearly."""
    size = len(noise) - 1
    u, v = u * np.float32(size), v * np.float32(size)
    left, top = np.floor(u), np.floor(v)
    u, v = u - left, v - top
    at = (top.astype(np.int64) & (size - 1)) * (size + 1) + (left.astype(np.int64) & (size - 1))
    flat = noise.reshape(-1)
    upper = flat[at] + u * (flat[at + 1] - flat[at])
    at += size + 1
    lower = flat[at] + u * (flat[at + 1] - flat[at])
    blended: Field = upper + v * (lower - upper)
    return blended


def step(low: float, high: float, value: Field) -> Field:
    """0 below, 1 above, smooth between: ``3 t ** 2 - 2 t ** 3``."""
    t: Field = ((value - low) / (high - low)).clip(0, 1)
    smooth: Field = t * t * (3 - 2 * t)
    return smooth


def mix(one: Field, other: Field, share: Field) -> Field:
    """Colours ``(N, 3)`` or ``(3,)`` blended by a share ``(N,)``."""
    blended: Field = one + share[:, None] * (other - one)
    return blended


def rgb(red: float, green: float, blue: float) -> Field:
    """A colour."""
    return np.array((red, green, blue), np.float32)


def drawn(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two, as Python's own, so that fields stay float32."""
    return float(rng.uniform(low, high))


def render(shade: Shade, height: int, width: int) -> Field:
    """Look at a scene: once through the middle of each pixel, four times where the picture has an edge."""
    x = np.tile((np.arange(width, dtype=np.float32) + np.float32(0.5 - width / 2)) / height, height)
    y = np.repeat((np.float32(height / 2 - 0.5) - np.arange(height, dtype=np.float32)) / height, width)
    light = shade(x, y)
    value = np.log2(weighted(*light.T) + np.float32(1e-6)).reshape(height, width)
    edge = np.zeros((height, width), bool)
    across, down = abs(np.diff(value, axis=1)) > EDGE_EV, abs(np.diff(value, axis=0)) > EDGE_EV
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    again = np.flatnonzero(edge)
    places = np.array([(1, 3), (3, -1), (-1, -3), (-3, 1)], np.float32) / np.float32(8 * height)
    seen = shade((x[again] + places[:, :1]).reshape(-1), (y[again] + places[:, 1:]).reshape(-1))
    light[again] = seen.reshape(4, -1, 3).mean(axis=0)
    return light.reshape(height, width, 3)
