"""Perspective views cut from equirectangular panoramas.

A panorama of ``H x W`` pixels (``W = 2 H``) looks around once from left to right and from straight up to
straight down: the middle of column ``c`` has the longitude ``((c + 0.5) / W - 0.5) * 360`` degrees, that of
row ``r`` the latitude ``(0.5 - (r + 0.5) / H) * 180``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
WIDEST_DEG = 150.0
"""Wider views are no pinhole camera's: their edges are drawn out more than fifteen times."""
RAYS_AT_ONCE = 1 << 22
"""Coarse views of large panoramas are cut band by band, so that memory stays bounded."""


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
        fov_deg: the horizontal angle of view, from edge to edge, in (0, 150].
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
    if not (0 < fov_deg <= WIDEST_DEG and -90 <= pitch_deg <= 90):
        raise ValueError(
            f"fov_deg must be in (0, {WIDEST_DEG:g}] and pitch_deg in [-90, 90], not {fov_deg} and {pitch_deg}"
        )
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1, not {height} and {width}")
    focal = focal_px(width, fov_deg)
    rays = max(1, math.ceil(panorama.shape[1] / (2 * math.pi * focal)))
    x = (np.arange(width * rays) + 0.5 - width * rays / 2) / (focal * rays)
    y = (height * rays / 2 - 0.5 - np.arange(height * rays)) / (focal * rays)
    view = np.empty((height, width, 3), np.float32)
    band = max(1, RAYS_AT_ONCE // (width * rays * rays))
    for top in range(0, height, band):
        rows = y[top * rays : (top + band) * rays]
        longitude, latitude = _directions(x[None, :], rows[:, None], pitch_deg, roll_deg)
        seen = _look_up(panorama, longitude, latitude, yaw_deg)
        if rays > 1:  # boxes of rays and rays: their means
            view[top : top + band] = cv2.resize(seen, (width, len(rows) // rays), interpolation=cv2.INTER_AREA)
        else:
            view[top : top + band] = seen
    return view


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
    if not (0 <= max_pitch_deg <= 90 and 0 < min_fov_deg <= max_fov_deg <= WIDEST_DEG):
        raise ValueError(
            f"max_pitch_deg must be in [0, 90] and 0 < min_fov_deg <= max_fov_deg <= {WIDEST_DEG:g}, not "
            f"{max_pitch_deg}, {min_fov_deg} and {max_fov_deg}"
        )
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            "yaw_deg": round(rng.uniform(-180, 180), 3),
            "pitch_deg": round(rng.uniform(-max_pitch_deg, max_pitch_deg), 3),
            "fov_deg": round(rng.uniform(min_fov_deg, max_fov_deg), 3),
        }


def _directions(x: NDArray[Any], y: NDArray[Any], pitch_deg: float, roll_deg: float) -> tuple[Array, Array]:
    """Longitude from the yaw and latitude of rays ``(x, y, 1)``, in radians; x is right, y up, z ahead."""
    pitch, roll = math.radians(pitch_deg), math.radians(roll_deg)
    x, y = x.astype(np.float32), y.astype(np.float32)
    right, up = x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll)
    ahead, rise = math.cos(pitch) - up * math.sin(pitch), up * math.cos(pitch) + math.sin(pitch)
    return np.arctan2(right, ahead), np.arctan2(rise, np.hypot(right, ahead))


def _look_up(panorama: Array, longitude: Array, latitude: Array, yaw_deg: float) -> Array:
    """The panorama's light in some directions, blended from the four nearest pixels."""
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
    # The maps end inside the part, but for rounding.
    seen = cv2.remap(part, across - left, down - top, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _part(panorama: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """Some rows and columns; columns go on around the seam, a row beyond a pole comes down its other side."""
    height, width = panorama.shape[:2]
    part = panorama[max(rows[0], 0) : rows[-1] + 1][:, columns % width]
    beyond = (columns + width // 2) % width
    above, below = panorama[:1, beyond][: int(rows[0] < 0)], panorama[-1:, beyond][: int(rows[-1] >= height)]
    return np.concatenate((above, part, below)) if len(above) + len(below) else part
