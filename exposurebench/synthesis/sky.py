"""Open country against the sun: sky, clouds, hills, trees, and the shade they cast."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from exposurebench.synthesis.noise import Field, Shade, drawn, mix, rgb, sample, step, tile

FOCAL = 0.9
"""In picture heights: 58 degrees from top to bottom."""
EYE = 1.7
"""Height of the eye above the ground in metres."""


def sky(rng: np.random.Generator) -> Shade:
    """Draw a landscape.

    The sky is the CIE's clear one (gradation -1, -0.32; indicatrix 10, -3, 0.45) with a warmer haze; clouds
    lie on a plane; trees and a barn stand on two planes across the view, and shade is found by following
    the ray to the sun back to them.
    """
    horizon = drawn(rng, -0.2, -0.04)
    high, aside = float(np.radians(drawn(rng, 9, 22))), float(np.radians(drawn(rng, -24, 24)))
    sun = rgb(np.sin(aside) * np.cos(high), np.sin(high), np.cos(aside) * np.cos(high))
    warm = float(np.exp(-high / 0.2))
    sunlight = rgb(1.0, 0.92 - 0.3 * warm, 0.8 - 0.55 * warm)
    disc = drawn(rng, 1000, 3000)
    cloudiness, wind = drawn(rng, -0.9, 0.7), drawn(rng, 0.6, 1.6)
    smooth, rough = tile(rng, 0.55), tile(rng, 0.85)
    planes = [_plane(rng, drawn(rng, low, top), np.tan(aside), rough) for low, top in ((14, 24), (34, 70))]
    grass = rgb(drawn(rng, 0.07, 0.14), drawn(rng, 0.12, 0.17), drawn(rng, 0.03, 0.06))
    soil = rgb(drawn(rng, 0.22, 0.34), drawn(rng, 0.16, 0.24), drawn(rng, 0.09, 0.15))
    direct, path = drawn(rng, 4, 7) * float(np.sin(high) + 0.15), drawn(rng, -3, 3)

    def heaven(x: Field, up: Field) -> Field:
        length = np.sqrt(x * x + up * up + 1)
        cosine = ((x * sun[0] + up * sun[1] + sun[2]) / length).clip(-1, 1)
        angle = np.arccos(cosine)
        rise = (up / length).clip(0.01, None)
        gradation = 1 - np.exp(-0.32 / rise)
        glow = 10 * np.exp(-3 * angle) + 40 * np.exp(-angle / 0.035) + 0.45 * cosine * cosine
        haze = np.exp(-rise / 0.16)
        blue = mix(rgb(0.2, 0.48, 1.15), rgb(0.8, 0.95, 1.15) * (1 - 0.3 * warm), haze)
        light = blue * (0.6 * gradation)[:, None] + sunlight * (0.04 * glow * gradation)[:, None]
        far = 1 / (rise + 0.07)
        u, v = x / length * far * 0.11, far * 0.11 * wind
        thick = sample(smooth, u, v) + 0.16 * sample(rough, 5 * u, 5 * v)
        relief = thick - sample(smooth, u + np.float32(0.02) * sun[0], v + np.float32(0.035))
        cover = step(0.1 - cloudiness, 0.9 - cloudiness, thick) * step(0.0, 0.1, rise)
        body = (0.34 - 0.14 * step(0.2, 2.2, thick + cloudiness) + 0.2 * relief).clip(0.08, None)
        lining = 1.6 * np.exp(-3.2 * angle) * (1.15 - cover)
        cloud = rgb(0.93, 0.96, 1.0) * body[:, None] + sunlight * (lining * (0.5 + body))[:, None]
        light = mix(light, cloud, cover * 0.94)
        seen: Field = light + sunlight * (disc * np.exp(-2.5 * cover) * (angle < 0.0052))[:, None]
        return seen

    def hills(light: Field, x: Field, up: Field) -> Field:
        for far, tall in ((0.75, 0.16), (0.45, 0.08)):
            ridge = tall * (0.45 + 0.3 * sample(smooth, x * 0.12 + far, np.full_like(x, far)))
            haze = rgb(0.34, 0.42, 0.52) * far
            rock = (
                haze + rgb(0.05, 0.06, 0.04) * (1 - far) * (1 + 0.5 * sample(rough, x, up * 2)).clip(0.2, None)[:, None]
            )
            light = mix(light, rock, step(-0.002, 0.002, ridge - up))
        return light

    def ground(x: Field, z: Field) -> Field:
        fine = np.exp(-z / 25)
        spots = sample(smooth, x * 0.03, z * 0.03)
        blades = fine * sample(rough, x * 0.23, z * 0.23) + 0.6 * np.exp(-z / 7) * sample(rough, x * 1.7, z * 1.7)
        track = step(0.9, 0.3, abs(abs(x - path - 3 * np.sin(z / 17)) - 0.9) + 0.12 * blades)
        bare = (step(0.6, 1.6, spots + 0.3 * blades) + track).clip(0, 1)
        albedo = mix(grass, soil, bare) * (1 + 0.42 * blades)[:, None].clip(0.25, 2.2)
        lit = np.ones_like(x)
        for plane in planes:
            back = plane.z - z
            t = back.clip(0, None) / sun[2]
            lit *= 1 - plane.cover(x + sun[0] * t, sun[1] * t) * (back > 0)
        seen: Field = albedo * (rgb(0.3, 0.36, 0.46) + sunlight * (direct * lit)[:, None])
        return seen

    def shade(x: Field, y: Field) -> Field:
        x, up = x / FOCAL, (y - horizon) / FOCAL
        light = np.empty((len(x), 3), np.float32)
        over = up > 0
        light[over] = hills(heaven(x[over], up[over]), x[over], up[over])
        z = EYE / (-up[~over]).clip(0.004, None)
        air = np.exp(-z / 160)
        light[~over] = mix(rgb(0.3, 0.36, 0.42), ground(x[~over] * z, z), air)
        for plane in reversed(planes):
            at_x, at_y = x * plane.z, up * plane.z + EYE
            near = np.flatnonzero((at_y > 0) & (at_y < plane.tall))
            cover = plane.cover(at_x[near], at_y[near])
            light[near] = mix(light[near], plane.look(at_x[near], at_y[near]), cover)
        return light

    return shade


class _Plane(NamedTuple):
    """Trees, and perhaps a barn, at one distance: how much of the view they cover, and their light."""

    z: float
    tall: float
    cover: Callable[[Field, Field], Field]
    look: Callable[[Field, Field], Field]


def _plane(rng: np.random.Generator, z: float, sun_x: float, rough: Field) -> _Plane:

    def place(clear: float) -> float:
        """Somewhere along the plane, but not before the sun."""
        x, sun = drawn(rng, -0.85, 0.85) * z, sun_x * z
        return x if abs(x - sun) > clear else sun + float(np.copysign(clear, x - sun)) * drawn(rng, 1.0, 1.6)

    trees = [(place(4.5), drawn(rng, 4, 9), drawn(rng, 0.28, 0.42)) for _ in range(int(rng.integers(2, 5)))]
    barn = (place(6.0), drawn(rng, 3.0, 5.0), drawn(rng, 2.6, 3.4)) if rng.random() < 0.6 else None
    paint = rgb(drawn(rng, 0.25, 0.5), drawn(rng, 0.08, 0.2), drawn(rng, 0.05, 0.12))

    def wall(x: Field, y: Field) -> Field:
        if barn is None:
            return np.zeros_like(x)
        middle, half, eaves = barn
        return ((abs(x - middle) < half) & (y < eaves + 0.6 * (half - abs(x - middle)))).astype(np.float32)

    def cover(x: Field, y: Field) -> Field:
        ragged = 0.22 * sample(rough, x * 0.13, y * 0.13) + 0.16 * sample(rough, x * 0.71, y * 0.71)
        covered = wall(x, y)
        for middle, height, slim in trees:
            across, above = (x - middle) / (slim * height), (y - 0.62 * height) / (0.4 * height)
            crown = step(0.0, 0.15, 1 - across * across - above * above + ragged)
            trunk = (abs(x - middle - 0.1 * np.sin(y)) < 0.045 * height * (1.1 - y / height)) & (y < 0.6 * height)
            covered = np.maximum(covered, np.maximum(crown, trunk))
        return covered

    def look(x: Field, y: Field) -> Field:
        leaves = 0.55 + 0.3 * sample(rough, x * 0.35, y * 0.35) + 0.2 * sample(rough, x * 1.3, y * 1.3)
        light: Field = rgb(0.028, 0.036, 0.016) * leaves.clip(0.12, None)[:, None]
        if barn is not None:
            boards = np.where(np.mod(x * 3.1, 1) < 0.12, np.float32(0.45), np.float32(1))
            door = (abs(x - barn[0]) < 0.9) & (y < 2.2)
            tone = (boards * np.where(door, np.float32(0.2), np.float32(1)) * (1 + 0.2 * leaves))[:, None]
            light = mix(light, paint * rgb(0.16, 0.18, 0.22) * tone, wall(x, y))
        return light

    return _Plane(z, 13.0, cover, look)
