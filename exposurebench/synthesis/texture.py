"""A wall of test fields: noise, gratings, checks, a star, a zone plate and colour patches under uneven light."""

from __future__ import annotations

import numpy as np

from exposurebench.synthesis.noise import Field, Shade, drawn, mix, rgb, sample, step, tile

DARKEST, BRIGHTEST = 0.03, 0.9
"""Reflectances: black and white paint."""


def texture(rng: np.random.Generator) -> Shade:
    """Draw a wall.

    Panels of one size or of half that hang in rows on a plastered wall, each a pattern of two reflectances in [0.03, 0.9];
    a lamp from a corner and a hard-edged shade across spread their light over two to three orders.
    """
    rows, phase = int(rng.integers(3, 5)), rng.random(2)
    kinds, turns = rng.permutation(256).reshape(16, 16) % 8, rng.uniform(0, np.pi, (16, 16)).astype(np.float32)
    scales = np.exp2(rng.uniform(1.5, 5.0, (16, 16))).astype(np.float32)
    small = rng.random((16, 16)) < 0.25
    dark = _paints(rng, DARKEST, 0.25)
    bright = _paints(rng, 0.35, BRIGHTEST)
    patches = np.exp(rng.uniform(np.log(DARKEST), np.log(BRIGHTEST), (64, 3))).astype(np.float32)
    patches = 0.6 * patches + 0.4 * patches[:, 1:2]
    patches[::4] = np.geomspace(DARKEST, BRIGHTEST, 16, dtype=np.float32)[:, None]
    pink, smooth = tile(rng, 1.0), tile(rng, 0.6)
    wall = rgb(*rng.uniform(0.2, 0.5, 3))
    lamp, height = rgb(drawn(rng, -0.8, 0.8), drawn(rng, 0.1, 0.45), 0), drawn(rng, 0.4, 0.6)
    edge, slope, shadow = drawn(rng, -0.35, 0.35), drawn(rng, -0.5, 0.5), drawn(rng, 0.1, 0.2)

    def panel(kind: Field, u: Field, v: Field, turn: Field, scale: Field, row: Field) -> tuple[Field, Field]:
        """A pattern's share of the brighter paint, and which of the patches stands there (or none: -1)."""
        along = u * np.cos(turn) + v * np.sin(turn)
        radius = np.hypot(u, v)
        share = np.select(
            [kind == 0, kind == 1, kind == 2, kind == 3, kind == 4, kind == 5],
            [
                0.5 + 0.5 * np.sin(2 * np.pi * scale * along),
                ((np.floor((u + 1) * scale / 2) + np.floor((v + 1) * scale / 2)) % 2),
                0.5 + 0.5 * np.cos(np.pi * 14 * radius * radius),
                (np.sin(np.arctan2(v, u) * 24) > 0).astype(np.float32),
                0.5 + 0.26 * sample(pink, u * 0.16 + turn, v * 0.16 + row),
                step(-0.05, 0.05, np.sin(2 * np.pi * np.exp2(1.5 * u + 2.6))),
            ],
            default=0.5,
        )
        return share.clip(0, 1).astype(np.float32), np.floor((u + 1) * 2.0).clip(0, 3) + 4 * np.floor(
            (v + 1) * 2.0
        ).clip(0, 3)

    def reflectance(x: Field, y: Field) -> Field:
        column, row = x * rows + phase[0], y * rows + 0.5 * rows
        i, j = np.floor(row).astype(int) % 16, np.floor(column).astype(int) % 16
        halved = small[i, j]
        column, row = np.where(halved, 2 * column, column), np.where(halved, 2 * row, row)
        i, j = np.floor(row).astype(int) % 16, np.floor(column).astype(int) % 16
        u, v = (np.mod(column, 1) * 2 - 1) / 0.86, (np.mod(row, 1) * 2 - 1) / 0.86
        u, v = u.astype(np.float32), v.astype(np.float32)
        share, place = panel(kinds[i, j], u, v, turns[i, j], scales[i, j], i)
        colour = mix(dark[i, j], bright[i, j], share)
        swatch = patches[(place + 16 * (j % 4)).astype(int)]
        colour = np.where((kinds[i, j] >= 6)[:, None], swatch, colour)
        framed = np.maximum(abs(u), abs(v))
        plaster = wall * (1 + 0.14 * sample(pink, x * 0.7, y * 0.7))[:, None]
        colour = mix(colour, np.full_like(wall, 0.04), step(1.0, 1.005, framed))
        return mix(colour, plaster, step(1.06, 1.065, framed)).clip(DARKEST, BRIGHTEST)

    def shade(x: Field, y: Field) -> Field:
        square = (x - lamp[0]) ** 2 + (y - lamp[1]) ** 2 + height * height
        light = (height * height / square) ** 1.5
        ragged = 0.02 * sample(smooth, x, y)
        veil = step(-0.012, 0.012, y - edge - slope * x + ragged)
        light = light * (shadow + (1 - shadow) * veil) + 0.002
        seen: Field = reflectance(x, y) * (rgb(1.0, 0.93, 0.82) * light[:, None] + rgb(0.7, 0.85, 1.1) * 0.004)
        return seen

    return shade


def _paints(rng: np.random.Generator, low: float, high: float) -> Field:
    paints = np.exp(rng.uniform(np.log(low), np.log(high), (16, 16, 3))).astype(np.float32)
    return 0.65 * paints + 0.35 * paints[..., 1:2]
