"""Perspective views cut from equirectangular panoramas.

A panorama of ``H x W`` pixels (``W = 2 H``) looks around once from left to right and from straight up to
straight down: the middle of column ``c`` has the longitude ``((c + 0.5) / W - 0.5) * 360`` degrees, that of
row ``r`` the latitude ``(0.5 - (r + 0.5) / H) * 180``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def perspective(
    panorama: Array,
    *,
    yaw_deg: float,
    pitch_deg: float,
    fov_deg: float,
    height: int,
    width: int,
    roll_deg: float = 0.0,
) -> Array:
    """What a pinhole camera in the middle of a panorama sees.

    A pixel at ``(x, y)`` from the picture's middle (right, up) looks along ``(x, y, f)`` with
    ``f = width / 2 / tan(fov / 2)``, rolled, pitched and then turned. Where that is coarser than the panorama,
    each pixel is the mean of ``n x n`` rays, so many that rays lie no farther apart than the panorama's pixels
    at its equator; each ray is blended from four pixels, across the seam and the poles too. Blending and
    averaging never leave the range of the panorama's values, so light stays light.

    Args:
        panorama: ``(H, 2 H, 3)`` float32, light of any range.
        yaw_deg: where the camera looks, to the right of the panorama's middle.
        pitch_deg: above the horizon, in [-90, 90].
        fov_deg: the horizontal angle of view, from edge to edge, in (0, 180).
        height: of the view, in pixels.
        width: of the view, in pixels.
        roll_deg: turns the camera clockwise, so that the picture turns the other way.

    Returns:
        ``(height, width, 3)`` float32.

    Raises:
        ValueError: not a panorama, or an angle or size out of its range.

    >>> around = np.full((8, 16, 3), 2.5, np.float32)
    >>> float(perspective(around, yaw_deg=170, pitch_deg=30, fov_deg=90, height=4, width=6).min())
    2.5
    """
    if panorama.ndim != 3 or panorama.shape[1] != 2 * panorama.shape[0] or panorama.shape[2] != 3:
        raise ValueError(f"a panorama is (H, 2 H, 3), not {panorama.shape}")
    if not (0 < fov_deg < 180 and -90 <= pitch_deg <= 90):
        raise ValueError(f"fov_deg must be in (0, 180) and pitch_deg in [-90, 90], not {fov_deg} and {pitch_deg}")
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1, not {height} and {width}")
    rays = max(1, math.ceil(panorama.shape[1] / (2 * math.pi * focal_px(width, fov_deg))))
    longitude, latitude = _directions(pitch_deg, roll_deg, fov_deg, height * rays, width * rays)
    rows, columns = panorama.shape[:2]
    middle = (yaw_deg / 360 + 0.5) * columns - 0.5
    across = longitude * np.float32(columns / (2 * np.pi)) + np.float32(middle - math.floor(middle))
    down = (np.float32(0.5) - latitude / np.float32(np.pi)) * rows - np.float32(0.5)
    left, top = math.floor(across.min()), math.floor(down.min())
    part = _part(
        panorama,
        np.arange(top, math.floor(down.max()) + 2),
        np.arange(left, math.floor(across.max()) + 2) + math.floor(middle),
    )
    seen = cv2.remap(part, across - left, down - top, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rays > 1:
        seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA)  # whole boxes: their means
    return np.ascontiguousarray(seen, dtype=np.float32)


def focal_px(width: int, fov_deg: float) -> float:
    """The distance of the picture from the pinhole, ``f = width / 2 / tan(fov / 2)``, in its pixels.

    >>> round(focal_px(100, 90), 9)
    50.0
    """
    return width / 2 / math.tan(math.radians(fov_deg) / 2)


def views(
    seed: int,
    count: int,
    *,
    max_pitch_deg: float = 20.0,
    min_fov_deg: float = 60.0,
    max_fov_deg: float = 90.0,
) -> Iterator[dict[str, float]]:
    """Draw where to look: settings of :func:`perspective`, to a thousandth of a degree.

    Args:
        seed: for everything that is drawn; a longer list begins with the shorter one.
        count: how many views.
        max_pitch_deg: up or down; the yaw is even all around.
        min_fov_deg: the narrowest horizontal angle of view.
        max_fov_deg: the widest.

    Raises:
        ValueError: a range that is none.

    >>> [sorted(view) for view in views(0, 1)]
    [['fov_deg', 'pitch_deg', 'yaw_deg']]
    """
    if not (0 <= max_pitch_deg <= 90 and 0 < min_fov_deg <= max_fov_deg < 180):
        raise ValueError(
            "max_pitch_deg must be in [0, 90] and 0 < min_fov_deg <= max_fov_deg < 180, not "
            f"{max_pitch_deg}, {min_fov_deg} and {max_fov_deg}"
        )
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            "yaw_deg": round(rng.uniform(-180, 180), 3),
            "pitch_deg": round(rng.uniform(-max_pitch_deg, max_pitch_deg), 3),
            "fov_deg": round(rng.uniform(min_fov_deg, max_fov_deg), 3),
        }


def _directions(pitch_deg: float, roll_deg: float, fov_deg: float, height: int, width: int) -> tuple[Array, Array]:
    """Longitude from the yaw and latitude of each pixel's ray, in radians; x is right, y up, z ahead."""
    pitch, roll = math.radians(pitch_deg), math.radians(roll_deg)
    x = ((np.arange(width) + 0.5 - width / 2) / focal_px(width, fov_deg)).astype(np.float32)[None, :]
    y = ((height / 2 - 0.5 - np.arange(height)) / focal_px(width, fov_deg)).astype(np.float32)[:, None]
    right, up = x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll)
    ahead, rise = math.cos(pitch) - up * math.sin(pitch), up * math.cos(pitch) + math.sin(pitch)
    return np.arctan2(right, ahead), np.arctan2(rise, np.hypot(right, ahead))


def _part(panorama: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """Some rows and columns; columns go on around the seam, a row beyond a pole comes down its other side."""
    height, width = panorama.shape[:2]
    part = panorama[max(rows[0], 0) : rows[-1] + 1][:, columns % width]
    beyond = (columns + width // 2) % width
    above, below = panorama[:1, beyond][: int(rows[0] < 0)], panorama[-1:, beyond][: int(rows[-1] >= height)]
    return np.concatenate((above, part, below)) if len(above) + len(below) else part
