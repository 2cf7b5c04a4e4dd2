"""A wall of test fields: noise, gratings, checks, a star, a zone plate and colour patches under uneven light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exposurebench.synthesis.noise import Field, Shade, drawn, mix, rgb, sample, step, tile

DARKEST, BRIGHTEST = 0.03, 0.9
"""Reflectances: black and white paint."""


def texture(rng: np.random.Generator) -> Shade:
    """Draw a wall.

    Panels of one size or of half that hang in rows on a plastered wall, each a pattern of two reflectances in [0.03, 0.9];
    a lamp from a corner and a hard-edged shade across spread their light over two to three orders.
    """
    rows, phase = int(rng.integers(3, 5)), drawn(rng, 0, 1)
    kinds, turns = rng.permutation(256).reshape(16, 16) % 8, rng.uniform(0, np.pi, (16, 16)).astype(np.float32)
    scales = np.exp2(rng.uniform(1.5, 5.0, (16, 16))).astype(np.float32)
    small = (rng.random((16, 16)) < 0.25).astype(np.float32)
    dark = _paints(rng, DARKEST, 0.25)
    bright = _paints(rng, 0.35, BRIGHTEST)
    patches = np.exp(rng.uniform(np.log(DARKEST), np.log(BRIGHTEST), (64, 3))).astype(np.float32)
    patches = 0.6 * patches + 0.4 * patches[:, 1:2]
    patches[::4] = np.geomspace(DARKEST, BRIGHTEST, 16, dtype=np.float32)[:, None]
    pink, smooth = tile(rng, 1.0), tile(rng, 0.6)
    wall = rgb(*rng.uniform(0.2, 0.5, 3))
    lamp, height = rgb(drawn(rng, -0.8, 0.8), drawn(rng, 0.1, 0.45), 0), drawn(rng, 0.4, 0.6)
    edge, slope, shadow = drawn(rng, -0.35, 0.35), drawn(rng, -0.5, 0.5), drawn(rng, 0.1, 0.2)

    # The share of the brighter paint at (u, v) of a panel, -1 to 1 from edge to edge.
    patterns: tuple[Callable[[Field, Field, Field, Field], Field], ...] = (
        lambda u, v, turn, scale: 0.5 + 0.5 * np.sin(2 * np.pi * scale * (u * np.cos(turn) + v * np.sin(turn))),
        lambda u, v, turn, scale: np.mod(np.floor((u + 1) * scale / 2) + np.floor((v + 1) * scale / 2), 2),
        lambda u, v, turn, scale: 0.5 + 0.5 * np.cos(14 * np.pi * (u * u + v * v)),  # zone plate
        lambda u, v, turn, scale: np.sin(np.arctan2(v, u) * 24) > 0,  # star
        lambda u, v, turn, scale: (0.5 + 0.26 * sample(pink, u * 0.16 + turn, v * 0.16 - turn)).clip(0, 1),
        lambda u, v, turn, scale: step(-0.05, 0.05, np.sin(2 * np.pi * np.exp2(1.5 * u + 2.6))),  # sweep
    )

    def reflectance(x: Field, y: Field) -> Field:
        column, row = x * rows + phase, y * rows + 0.5 * rows
        halves = 1 + small[np.floor(row).astype(int) % 16, np.floor(column).astype(int) % 16]
        column, row = column * halves, row * halves
        left, low = np.floor(column), np.floor(row)
        i, j = low.astype(int) % 16, left.astype(int) % 16
        u, v = ((column - left) * 2 - 1) / 0.86, ((row - low) * 2 - 1) / 0.86
        place = (np.floor((u + 1) * 2).clip(0, 3) + 4 * np.floor((v + 1) * 2).clip(0, 3)).astype(int)
        kind, colour = kinds[i, j], patches[place + 16 * (j % 4)]
        for number, pattern in enumerate(patterns):
            on = np.flatnonzero(kind == number)
            ion, jon = i[on], j[on]
            share = pattern(u[on], v[on], turns[ion, jon], scales[ion, jon])
            colour[on] = mix(dark[ion, jon], bright[ion, jon], share)
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
