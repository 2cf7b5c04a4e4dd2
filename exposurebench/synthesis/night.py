"""A street at night: lit windows, lamps with halos and pools of light, the trails of cars."""

from __future__ import annotations

import numpy as np

from exposurebench.synthesis.noise import Field, Shade, drawn, mix, rgb, sample, step, tile

FOCAL = 0.85
"""In picture heights: 61 degrees from top to bottom."""
SODIUM = rgb(1.0, 0.5, 0.12)
LED = rgb(1.0, 0.9, 0.78)
LAMP_HEIGHT = 6.0


def night(rng: np.random.Generator) -> Shade:
    """Draw a street.

    Two rows of houses, a road and two pavements are planes that rays meet; each point is lit by the lamps
    by its cosine and the inverse square of its distance. Lamps shine through the eye's own veil, which
    falls as the inverse square of the angle, and again from the wet road.
    """
    eye_x, eye_y, horizon = drawn(rng, -1.2, 1.2), drawn(rng, 1.5, 2.4), drawn(rng, -0.14, 0.0)
    half, kerb = drawn(rng, 7.0, 10.0), drawn(rng, 3.6, 4.6)
    smooth, rough = tile(rng, 0.6), tile(rng, 0.9)
    roofs = rng.uniform(8, 22, (2, 32)).astype(np.float32)
    facades = rng.uniform(0.06, 0.45, (2, 32, 1)).astype(np.float32) * rng.uniform(0.6, 1.0, (2, 32, 3)).astype(
        np.float32
    )
    lit = (rng.random((2, 64, 16)) < drawn(rng, 0.18, 0.4)).astype(np.float32)
    lit *= np.exp(rng.normal(0.3, 0.8, lit.shape)).astype(np.float32)
    warmth = rng.random((2, 64, 16)).astype(np.float32)
    spacing, first = drawn(rng, 13, 20), drawn(rng, 8, 12)
    glow = SODIUM if rng.random() < 0.6 else LED
    number, power, wet = int(rng.integers(4, 7)), drawn(rng, 12, 20), drawn(rng, 0.2, 1.0)
    lamps = [(side * (kerb - 0.3), first + spacing * (i + 0.5 * (side > 0))) for i in range(number) for side in (-1, 1)]
    trails = [
        (drawn(rng, 0.9, 2.9), 0.65, rgb(1.0, 0.07, 0.03) * drawn(rng, 1.5, 5)) for _ in range(int(rng.integers(1, 4)))
    ] + [
        (-drawn(rng, 0.9, 2.9), 0.65, rgb(1.0, 0.95, 0.85) * drawn(rng, 3, 10)) for _ in range(int(rng.integers(1, 4)))
    ]
    town = rgb(0.011, 0.008, 0.006) * drawn(rng, 0.4, 1.2)

    def lamplight(px: Field, py: Field, pz: Field, normal: tuple[float, float, float]) -> Field:
        total = np.zeros_like(px)
        for lx, lz in lamps:
            dx, dy, dz = lx - px, LAMP_HEIGHT - py, lz - pz
            square = dx * dx + dy * dy + dz * dz
            down = dy.clip(0, None)  # shades send the light downwards
            facing = (dx * normal[0] + dy * normal[1] + dz * normal[2]).clip(0, None)
            total += facing * down / (square * square + 1)
        return total[:, None] * glow * power

    def houses(side: int, py: Field, pz: Field) -> tuple[Field, Field]:
        """Light of a row of houses, and where it stands against the sky."""
        plot = np.floor(pz / 9).clip(0, 31).astype(int)
        top = roofs[side, plot]
        wall = facades[side, plot] * (1 + 0.2 * sample(rough, pz * 0.21, py * 0.21))[:, None]
        wall = wall * np.where(np.mod(py / 3.1, 1) < 0.05, np.float32(0.7), np.float32(1))[:, None]
        column, storey = np.floor(pz / 2.25).astype(int) % 64, np.floor(py / 3.1).astype(int) % 16
        u, v = np.mod(pz / 2.25, 1), np.mod(py / 3.1, 1)
        open_ = (abs(u - 0.5) < 0.27) & (abs(v - 0.52) < 0.27) & (py < top - 0.8) & (py > 0.4)
        bars = (abs(u - 0.5) > 0.02) & (abs(v - 0.62) > 0.012)
        tint = mix(rgb(1.0, 0.62, 0.28), rgb(0.8, 0.9, 1.0), step(0.75, 0.8, warmth[side, column, storey]))
        curtain = (
            0.35 + 0.65 * step(0.0, 0.16, abs(u - 0.5)) * (0.75 + 0.4 * np.sin(u * 60)) + np.float32(0.3) * (v > 0.6)
        )
        pane = tint * (lit[side, column, storey] * curtain * bars * 0.8)[:, None]
        light = wall * (lamplight(np.full_like(py, (side * 2 - 1) * half), py, pz, (1.0 - 2 * side, 0, 0)) + town)
        light = mix(light, pane + light * 0.15, open_.astype(np.float32))
        return light, (py < top).astype(np.float32)

    def street(px: Field, pz: Field) -> Field:
        zero = np.zeros_like(px)
        fade = np.exp(-pz / 30)
        speckle = fade * sample(rough, px * 0.9, pz * 0.9)
        tone = 0.075 * (1 + 0.35 * speckle + 0.25 * sample(smooth, px * 0.04, pz * 0.015))
        slabs = 0.2 * (1 + 0.2 * speckle) * (1 - 0.4 * fade * ((np.mod(px, 0.6) < 0.04) | (np.mod(pz, 0.6) < 0.04)))
        edge = step(0.0, 0.04, abs(px) - kerb)
        tone = tone + edge * (slabs - tone)
        dashes = (abs(px) < 0.08) & (np.mod(pz, 6) < 3)
        tone = np.where(dashes | (abs(abs(px) - kerb + 0.35) < 0.06), 0.5 + 0.1 * speckle, tone)
        return tone.clip(0.02, None)[:, None] * (lamplight(px, zero, pz, (0, 1, 0)) + town)

    def flare(x: Field, up: Field) -> Field:
        """Lamps and the veil around them."""
        light = np.zeros_like(x)
        for lx, lz in lamps:
            size = 0.13 / lz
            square = (x - (lx - eye_x) / lz) ** 2 + (up - (LAMP_HEIGHT - eye_y) / lz) ** 2
            light += size * size * (0.3 / (square + size * size) + 0.004 / (square * square + 1e-4))
            light += 130 * (square < size * size)
        return light[:, None] * (glow * power)

    def mirrored(x: Field, up: Field) -> Field:
        """The lamps again in the wet road, drawn out downwards."""
        light = np.zeros_like(x)
        for lx, lz in lamps:
            below = up + (LAMP_HEIGHT + eye_y) / lz
            spread = 0.004 + 0.065 / lz + 0.012 * abs(below)
            light += np.exp(-(((x - (lx - eye_x) / lz) / spread) ** 2) - (below / 0.16) ** 2) / lz
        return light[:, None] * (glow * (2.2 * power))

    def streaks(x: Field, up: Field) -> Field:
        """Cars drew these while the shutter was open: bright lines that run to the vanishing point."""
        light = np.zeros((len(x), 3), np.float32)
        for middle, high, colour in trails:
            z = (high - eye_y) / up.clip(None, -1e-4)
            bent = x * z - 0.25 * np.sin(z / 11 + middle) + (eye_x - middle)
            off = (abs(bent) - 0.6) ** 2  # two lamps a car
            light += (np.exp(-off / 0.0025) + 0.012 / (1 + off / 0.04))[:, None] * colour
        return light

    def shade(x: Field, y: Field) -> Field:
        x, up = x / FOCAL, (y - horizon) / FOCAL
        side = (x > 0).astype(int)
        to_wall = np.where(x > 0, np.float32(half - eye_x), np.float32(half + eye_x)) / abs(x).clip(1e-5, None)
        to_road = np.where(up < 0, eye_y / (-up).clip(1e-5, None), np.float32(1e9))
        light = (
            town
            * (
                1.2 + 2.2 * np.exp(-up.clip(0, None) / 0.25) + 0.4 * sample(smooth, x * 0.2, up * 0.35).clip(-2.5, None)
            )[:, None]
        )
        on = np.flatnonzero(to_road < to_wall)
        px, pz = eye_x + x[on] * to_road[on], to_road[on]
        puddle = wet * (abs(px) < kerb) * (0.45 + 0.3 * sample(smooth, px * 0.05, pz * 0.02)).clip(0.05, None)
        seen = street(px, pz) + puddle[:, None] * mirrored(x[on], up[on])
        light[on] = mix(light[on], seen, np.exp(-pz / 120))
        for number in (0, 1):
            on = np.flatnonzero((to_wall <= to_road) & (side == number) & (to_wall < 280))
            seen, there = houses(number, eye_y + up[on] * to_wall[on], to_wall[on])
            light[on] = mix(light[on], seen, there * np.exp(-to_wall[on] / 400))
        for lx, lz in lamps:
            pole = (abs(x - (lx - eye_x) / lz) * lz < 0.07) & (up * lz + eye_y > 0) & (up * lz + eye_y < LAMP_HEIGHT)
            light[pole] *= 0.3
        below = np.flatnonzero(up < 0)
        light[below] += streaks(x[below], up[below])
        return light + flare(x, up)

    return shade
