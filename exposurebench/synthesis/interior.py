"""A room with windows to a bright outside: light falls off from them, the sun lies on the floor, a lamp burns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exposurebench.synthesis.noise import Field, Shade, drawn, mix, rgb, sample, step, tile

FOCAL = 0.75
"""In picture heights: 67 degrees from top to bottom."""
PLACES = ((0.25, 0.3), (0.75, 0.3), (0.5, 0.75))
"""Where in a window the sky's light is taken to come from."""


class _Box(NamedTuple):
    """A piece of furniture between two corners, of one colour."""

    low: Field
    high: Field
    colour: Field


class _Window(NamedTuple):
    """A hole in the plane ``axis = at`` (0: the right or left wall, 2: the back wall), split by bars."""

    axis: int
    at: float
    low: tuple[float, float]
    high: tuple[float, float]
    panes: tuple[int, int]

    def across(self, point: Field) -> tuple[Field, Field]:
        """Where a point lies in the window, 0 to 1 from side to side and from bottom to top."""
        along = point[2 - self.axis]
        return (along - self.low[0]) / (self.high[0] - self.low[0]), (point[1] - self.low[1]) / (
            self.high[1] - self.low[1]
        )

    def glass(self, point: Field) -> Field:
        """1 where a point of its plane is glass, 0 on the bars and beside it."""
        u, v = self.across(point)
        inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
        bar_u = abs(np.mod(u * self.panes[0] + 0.5, 1) - 0.5) / self.panes[0] * (self.high[0] - self.low[0])
        bar_v = abs(np.mod(v * self.panes[1] + 0.5, 1) - 0.5) / self.panes[1] * (self.high[1] - self.low[1])
        return (inside & (np.minimum(bar_u, bar_v) > 0.03)).astype(np.float32)


def interior(rng: np.random.Generator) -> Shade:
    """Draw a room.

    Rays meet the walls of a box and a few smaller boxes; each point is lit by the sun through the glass,
    by the sky through a few points of each window (cosines and the inverse square, shaded by the boxes), by
    a hanging lamp, and by an even light from the walls.
    """
    half, deep, tall = drawn(rng, 1.8, 2.7), drawn(rng, 4.5, 6.5), drawn(rng, 2.5, 3.1)
    eye = rgb(drawn(rng, -0.4, 0.4) * half, drawn(rng, 1.35, 1.6), 0.0)
    side = 1.0 if rng.random() < 0.5 else -1.0
    sill, head = drawn(rng, 0.5, 0.95), tall - drawn(rng, 0.25, 0.5)
    windows = [_Window(0, side * half, (deep - drawn(rng, 2.6, 3.2), sill), (deep - 0.7, head), (2, 2))]
    middle, wide = drawn(rng, -0.35, 0.35) * half, drawn(rng, 0.7, 1.1)
    windows.append(_Window(2, deep, (middle - wide, sill), (middle + wide, head), (int(rng.integers(2, 4)), 2)))
    sun = np.array((side * drawn(rng, 0.5, 0.9), drawn(rng, 0.5, 0.8), drawn(rng, 0.1, 0.6)), np.float32)
    sun /= np.sqrt((sun * sun).sum())
    outside, direct = drawn(rng, 25, 45), drawn(rng, 60, 110)
    walls = mix(rgb(0.75, 0.72, 0.65), rgb(*rng.uniform(0.25, 0.7, 3)), np.full(1, drawn(rng, 0.1, 0.6), np.float32))[0]
    wood = rgb(0.34, 0.2, 0.1) * drawn(rng, 0.7, 1.5)
    boxes = _furniture(rng, half, deep, side)
    lamp = rgb(drawn(rng, -0.3, 0.3) * half, tall - drawn(rng, 0.6, 0.9), drawn(rng, 0.45, 0.7) * deep)
    lamplight = rgb(1.0, 0.68, 0.36) * drawn(rng, 0.5, 2.0)
    grain, rough = tile(rng, 0.8), tile(rng, 0.9)
    tones = rng.uniform(0.75, 1.25, 64).astype(np.float32)
    palette = rng.uniform(0.04, 0.7, (5, 3)).astype(np.float32)
    picture = (0.6 * palette + 0.4 * palette[:, :1])[rng.integers(5, size=(5, 7))]
    low = np.array((-half, 0, -1.0), np.float32)
    high = np.array((half, tall, deep), np.float32)

    def view(x: Field, up: Field) -> Field:
        """What is outside: sky over trees over a lawn."""
        edge = 0.05 + 0.07 * sample(grain, x * 0.3, np.full_like(x, 0.3)) + 0.03 * sample(rough, x * 0.6, up * 0.6)
        air = mix(rgb(1.5, 1.55, 1.6), rgb(0.8, 1.15, 1.7), up.clip(0, 1))
        air = air * (1 + 0.5 * step(0.3, 1.6, sample(grain, x * 0.4, up * 0.8)))[:, None]
        leaf = rgb(0.1, 0.16, 0.05) * (1 + 0.5 * sample(rough, x * 1.3, up * 1.3)).clip(0.2, None)[:, None]
        lawn = (
            rgb(0.3, 0.42, 0.13)
            * (1 + 0.25 * sample(rough, x / 2, 0.1 / up.clip(None, -0.01))).clip(0.2, None)[:, None]
        )
        scene = mix(leaf, air, step(-0.01, 0.01, up - edge))
        return outside * mix(lawn, scene, step(-0.05, -0.03, up))

    def paint(point: Field, face: Field) -> Field:
        """The reflectance of the walls: plaster, boards below, a white ceiling, a picture, a skirting."""
        px, py, pz = point
        sideways, floor, ceiling = face == 0, (face == 1) & (py < 1), (face == 1) & (py >= 1)
        along = np.where(sideways, pz, px)
        plaster = walls * (1 + 0.035 * sample(grain, along * 0.3, py * 0.3))[:, None]
        plank = np.floor(px / 0.16)
        tone = tones[plank.astype(int) % 64]
        streaks = 1 + 0.16 * sample(rough, px * 2.1 + plank * 0.37, pz * 0.17)
        gap = np.where(np.mod(px / 0.16, 1) > 0.04, np.float32(1), np.float32(0.25))
        boards = wood * (tone * streaks * gap)[:, None]
        colour = np.where(floor[:, None], boards, plaster)
        colour = np.where(ceiling[:, None], rgb(0.84, 0.83, 0.8), colour)
        colour = np.where(((py < 0.09) & ~floor)[:, None], rgb(0.8, 0.79, 0.76), colour)
        hung = sideways & (px * side < 0)
        u, v = (pz - 0.5 * deep) / 1.1 + 0.5, (py - 1.65) / 0.75 + 0.5
        framed = hung & (abs(u - 0.5) < 0.56) & (abs(v - 0.5) < 0.58)
        inner = hung & (abs(u - 0.5) < 0.5) & (abs(v - 0.5) < 0.5)
        cells = picture[(v.clip(0, 0.999) * 5).astype(int), (u.clip(0, 0.999) * 7).astype(int)]
        colour = np.where(framed[:, None], rgb(0.05, 0.035, 0.025), colour)
        return np.where(inner[:, None], cells, colour)

    def skylight(point: Field, normal: Field) -> Field:
        """Irradiance by the sky through the windows, over pi, in units of the outside."""
        total = np.zeros(point.shape[1], np.float32)
        for window in windows:
            (left, bottom), (right, top) = window.low, window.high
            weight = (right - left) * (top - bottom) / len(PLACES) / np.pi
            for u, v in PLACES:
                source = np.empty((3, 1), np.float32)
                source[window.axis] = window.at * (1 - 1e-3)
                source[2 - window.axis], source[1] = left + u * (right - left), bottom + v * (top - bottom)
                to = source - point
                square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2]
                facing = (to[0] * normal[0] + to[1] * normal[1] + to[2] * normal[2]).clip(0, None)
                light = facing * abs(to[window.axis]) / (square * square + 0.15)
                light[_blocked(point, to, boxes[:2], 1.0)] = 0
                total += weight * light
        return total

    def sunlight(point: Field, normal: Field) -> Field:
        """1 where the sun comes through the glass of a window, times the cosine."""
        total = np.zeros(point.shape[1], np.float32)
        for window in windows:
            if sun[window.axis] * window.at > 0:
                t = (window.at - point[window.axis]) / sun[window.axis]
                total += window.glass(point + sun[:, None] * t)
        lit = np.flatnonzero(total)
        if len(lit):
            total[lit] *= ~_blocked(point[:, lit], np.broadcast_to(sun[:, None], (3, len(lit))), boxes, 99.0)
        light: Field = total * (normal * sun[:, None]).sum(axis=0).clip(0, None)
        return light

    def shade(x: Field, y: Field) -> Field:
        ray = np.stack((x / FOCAL, y / FOCAL, np.ones_like(x)))
        distance, face, colour = _hit(eye, ray, low, high, boxes)
        point = eye[:, None] + ray * distance
        normal = -np.sign(ray) * (face == np.arange(3)[:, None])
        room = colour[:, 0] < 0
        colour[room] = paint(point[:, room], face[room])
        one, two, three = np.minimum(point - low[:, None], high[:, None] - point)  # the middle one: to the next corner
        near = np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
        corner = 1 - 0.45 * np.exp(-near.clip(0, 1) / 0.25)
        light = rgb(0.95, 0.97, 1.0) * (outside * 0.8 * skylight(point, normal))[:, None]
        light += rgb(1.0, 0.9, 0.74) * (direct * sunlight(point, normal))[:, None]
        to = lamp[:, None] - point
        square = (to * to).sum(axis=0)
        facing = (to * normal).sum(axis=0).clip(0, None) / np.sqrt(square)
        light += lamplight * (facing / (square + 0.02))[:, None]
        light += rgb(1.0, 0.94, 0.85) * (0.007 * outside * corner * (0.6 + 0.4 * point[1] / tall))[:, None]
        light *= colour
        for window in windows:
            on = np.flatnonzero(room & (face == window.axis) & (abs(point[window.axis] - window.at) < 1e-2))
            glass = window.glass(point[:, on])
            u, v = window.across(point[:, on])
            frame = (abs(u - 0.5) < 0.54) & (abs(v - 0.5) < 0.54)
            light[on] = mix(light[on], light[on] / colour[on] * 0.8, frame.astype(np.float32))
            light[on] = mix(light[on], view(ray[0, on] / ray[2, on] * 2, ray[1, on]), glass)
        bulb = lamp - eye
        off = np.hypot(ray[0] - bulb[0] / bulb[2], ray[1] - bulb[1] / bulb[2]) * bulb[2]
        seen = (off < 0.11) & (distance > bulb[2])
        light[seen] = lamplight * 4000 * (1 - (off[seen, None] / 0.13) ** 2)
        cord = (abs(ray[0] - bulb[0] / bulb[2]) * bulb[2] < 0.012) & (ray[1] > bulb[1] / bulb[2]) & ~seen
        light[cord & (distance > bulb[2])] *= 0.15
        return light

    return shade


def _furniture(rng: np.random.Generator, half: float, deep: float, side: float) -> list[_Box]:
    """A cupboard by the dark wall, a table with things on it."""

    def box(x: float, y: float, z: float, w: float, h: float, d: float, colour: Field) -> _Box:
        return _Box(rgb(x - w / 2, y, z - d / 2), rgb(x + w / 2, y + h, z + d / 2), colour)

    def colour() -> Field:
        red, green, blue = rng.uniform(0.04, 0.5, 3)
        return 0.5 * rgb(red, green, blue) + 0.5 * rgb(red, 0.85 * red, 0.7 * red)

    x, z, height = drawn(rng, -0.3, 0.3) * half, drawn(rng, 0.55, 0.7) * deep, drawn(rng, 0.45, 0.75)
    wood = rgb(0.3, 0.17, 0.08) * drawn(rng, 0.4, 1.4)
    legs = [box(x + i * 0.55, 0, z + j * 0.35, 0.07, height, 0.07, wood) for i in (-1, 1) for j in (-1, 1)]
    things = []
    for _ in range(2):
        w, h, d = rng.uniform(0.08, 0.22, 3).tolist()
        things.append(box(x + drawn(rng, -0.5, 0.5), height + 0.05, z + drawn(rng, -0.25, 0.25), w, h, d, colour()))
    tallness = drawn(rng, 0.8, 1.9)
    cupboard = box(-side * (half - 0.25), 0, deep - drawn(rng, 0.7, 1.2), 0.5, tallness, 1.0, colour())
    return [box(x, height, z, 1.3, 0.05, 0.85, wood), cupboard, *legs, *things]


def _slab(point: Field, ray: Field, box: _Box) -> tuple[list[Field], Field]:
    """Where rays enter a box through each axis (in it after the last), and where they leave it."""
    enter, leave = [], []
    for axis in range(3):
        safe = np.where(abs(ray[axis]) < 1e-9, np.float32(1e-9), ray[axis])
        one, other = (box.low[axis] - point[axis]) / safe, (box.high[axis] - point[axis]) / safe
        enter.append(np.minimum(one, other))
        leave.append(np.maximum(one, other))
    return enter, np.minimum(np.minimum(leave[0], leave[1]), leave[2])


def _hit(eye: Field, ray: Field, low: Field, high: Field, boxes: list[_Box]) -> tuple[Field, NDArray[np.intp], Field]:
    """How far each ray goes, through which axis it meets a surface, and the colour there (-1: the room's own)."""
    side, up, ahead = np.where(ray > 0, (high - eye)[:, None], (low - eye)[:, None]) / np.where(
        ray == 0, np.float32(1e-9), ray
    )
    distance = np.minimum(np.minimum(abs(side), abs(up)), ahead)
    face = np.where(distance == ahead, 2, (distance == abs(up)).astype(np.intp))
    colour = np.full((len(distance), 3), -1, np.float32)
    for box in boxes:
        corners = np.stack(np.meshgrid(*zip(box.low - eye, box.high - eye, strict=True))).reshape(3, -1)
        edges = corners[:2] / corners[2]
        (left, bottom), (right, top) = edges.min(axis=1), edges.max(axis=1)
        near = np.flatnonzero((ray[0] >= left) & (ray[0] <= right) & (ray[1] >= bottom) & (ray[1] <= top))
        entries, leave = _slab(eye[:, None], ray[:, near], box)
        axes = np.stack(entries)
        enter = axes.max(axis=0)
        met = (enter < leave) & (enter < distance[near])
        near = near[met]
        distance[near], face[near], colour[near] = enter[met], axes.argmax(axis=0)[met], box.colour
    return distance, face, colour


def _blocked(point: Field, to: Field, boxes: list[_Box], end: float) -> NDArray[np.bool_]:
    """Whether a box lies between points and ``point + end * to``; boxes shade what is within two metres."""
    found = np.zeros(point.shape[1], bool)
    for box in boxes:
        near = np.flatnonzero(
            (point[1] < box.high[1])
            & (abs(point[0] - 0.5 * (box.low[0] + box.high[0])) < 2.5)
            & (abs(point[2] - 0.5 * (box.low[2] + box.high[2])) < 2.5)
        )
        enter, leave = _slab(point[:, near], to[:, near], box)
        last = np.maximum(np.maximum(enter[0], enter[1]), np.maximum(enter[2], np.float32(1e-3)))
        found[near] |= last < np.minimum(leave - np.float32(1e-3), np.float32(end))
    return found
