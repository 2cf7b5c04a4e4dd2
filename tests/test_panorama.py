"""Views of panoramas look where they say, and leave light as it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from exposurebench.panorama import focal_px, perspective, views

Array = NDArray[np.float32]


def directions(height: int) -> Array:
    """A panorama whose colour is the direction that it is seen in: right, up, ahead."""
    longitude = ((np.arange(2 * height) + 0.5) / (2 * height) - 0.5) * 2 * np.pi
    latitude = (0.5 - (np.arange(height) + 0.5) / height)[:, None] * np.pi
    parts = (
        np.cos(latitude) * np.sin(longitude),
        np.sin(latitude) + 0 * longitude,
        np.cos(latitude) * np.cos(longitude),
    )
    return np.stack(parts, axis=-1).astype(np.float32)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """From the camera's right, up, ahead to the panorama's, by matrices about the axes."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians((yaw, pitch, roll))) for f in (np.cos, np.sin))
    about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_right = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_ahead = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    turned: NDArray[np.float64] = about_up @ about_right @ about_ahead
    return turned


def rays(fov: float, height: int, width: int) -> NDArray[np.float64]:
    focal = width / 2 / math.tan(math.radians(fov) / 2)
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, height / 2 - np.arange(height) - 0.5)
    ray = np.stack((x, y, np.full_like(x, focal)), axis=-1)
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True)


def apart_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine = (one * other).sum(axis=-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    return np.degrees(np.arccos(cosine.clip(-1, 1)))


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [
        *((0, 0, 0), (180, 0, 0), (-180, 0, 0), (540, 0, 0), (179.3, 10, 0)),
        *((90, 20, 0), (-35, -20, 15), (12, 60, -40), (0, 90, 0), (77, -90, 30), (200, 89, 0)),
    ],
)
@pytest.mark.parametrize("size", [(60, 80), (257, 255), (300, 500)], ids=["coarse", "odd", "fine"])
def test_every_pixel_sees_its_direction(yaw: float, pitch: float, roll: float, size: tuple[int, int]) -> None:
    """Averaged (coarse) and enlarged (fine) alike, across the seam and over the poles."""
    seen = perspective(
        directions(256), yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, fov_deg=80, height=size[0], width=size[1]
    )
    expected = rays(80, *size) @ rotation(yaw, pitch, roll).T
    assert apart_deg(seen.astype(np.float64), expected).max() < 0.1


@pytest.mark.parametrize("fov", [20, 60, 90, 120])
def test_the_horizontal_field_of_view_is_exact(fov: float) -> None:
    """The outermost pixels' middles lie half a pixel inside the edges."""
    width = 640
    row = perspective(directions(512), yaw_deg=0, pitch_deg=0, fov_deg=fov, height=1, width=width)[0]
    longitude = np.degrees(np.arctan2(row[:, 0], row[:, 2]))
    inside = np.degrees(np.arctan((width / 2 - 0.5) / (width / 2) * math.tan(math.radians(fov / 2))))
    assert longitude[[0, -1]] == pytest.approx([-inside, inside], abs=0.02)
    assert focal_px(width, fov) * math.tan(math.radians(fov / 2)) == pytest.approx(width / 2)


def test_a_quarter_turn_is_a_roll_of_the_panorama() -> None:
    panorama = np.random.default_rng(0).lognormal(0, 2, (64, 128, 3)).astype(np.float32)
    for yaw, pitch in ((0, 0), (31, 40), (-170, -85)):
        look = {"pitch_deg": pitch, "fov_deg": 75, "height": 33, "width": 47}
        turned = perspective(panorama, yaw_deg=yaw + 90, **look)
        rolled = perspective(np.roll(panorama, -32, axis=1), yaw_deg=yaw, **look)
        assert np.array_equal(turned, rolled)


def test_level_lines_stay_level_and_plumb_lines_plumb() -> None:
    """The horizon is a row; a plane straight up (one longitude) is a column; both bend in the panorama."""
    up = perspective(directions(256), yaw_deg=40, pitch_deg=0, fov_deg=90, height=201, width=201)[..., 1]
    assert abs(up[100]).max() < 1e-3
    assert (up[:100] > 0).all()
    assert (up[101:] < 0).all()
    seen = perspective(directions(256), yaw_deg=0, pitch_deg=0, fov_deg=90, height=201, width=201)
    longitude = np.degrees(np.arctan2(seen[..., 0], seen[..., 2]))
    assert np.ptp(longitude, axis=0).max() < 0.1


def test_roll_turns_the_camera_clockwise() -> None:
    """What was straight up then lies to the left of the picture's top."""
    seen = perspective(directions(128), yaw_deg=0, pitch_deg=0, roll_deg=20, fov_deg=90, height=101, width=101)
    x = np.arange(101) - 50
    zenith_side = seen[0, :, 1]
    assert x[zenith_side.argmax()] < 0
    expected = rays(90, 101, 101) @ rotation(0, 0, 20).T
    assert apart_deg(seen.astype(np.float64), expected).max() < 0.2


@pytest.mark.parametrize("level", [0.0, 1e-5, 2.5, 60000.0])
def test_constant_in_constant_out(level: float) -> None:
    panorama = np.full((50, 100, 3), level, np.float32)
    for pitch in (0, 88):
        seen = perspective(panorama, yaw_deg=177, pitch_deg=pitch, fov_deg=70, height=20, width=30)
        assert np.allclose(seen, level, rtol=1e-6, atol=0)


def test_light_stays_within_its_range() -> None:
    """A sun beside the dark: nothing is clipped, nothing rings below zero."""
    panorama = np.full((128, 256, 3), 1e-3, np.float32)
    panorama[60:64, 126:130] = 50000
    before = panorama.copy()
    for size in (16, 64, 400):
        seen = perspective(panorama, yaw_deg=0, pitch_deg=0, fov_deg=60, height=size, width=size)
        assert seen.dtype == np.float32
        assert seen.min() >= np.float32(1e-3) * (1 - 1e-6)
        assert 1000 < seen.max() <= 50000 * (1 + 1e-6)
    assert np.array_equal(panorama, before)


def test_a_coarse_view_averages() -> None:
    """Columns in turn black and white become gray, not moire; so does noise near a pole."""
    stripes = np.zeros((256, 512, 3), np.float32)
    stripes[:, ::2] = 1
    for pitch in (0, 50):
        seen = perspective(stripes, yaw_deg=3, pitch_deg=pitch, fov_deg=90, height=12, width=12)
        assert abs(seen - 0.5).max() < 0.12
    point = perspective(stripes, yaw_deg=3, pitch_deg=0, fov_deg=60, height=400, width=400)
    assert point.std() > 0.25, "a fine view keeps them"


def test_bands_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    panorama = np.random.default_rng(0).lognormal(0, 1, (128, 256, 3)).astype(np.float32)
    look = {"yaw_deg": 170.0, "pitch_deg": 70.0, "roll_deg": 5.0, "fov_deg": 90.0, "height": 13, "width": 11}
    whole = perspective(panorama, **look)  # type: ignore[arg-type]
    monkeypatch.setattr("exposurebench.panorama.RAYS_AT_ONCE", 300)
    assert np.allclose(perspective(panorama, **look), whole, rtol=1e-5)  # type: ignore[arg-type]


def turn_by_opencv(panorama: Array, yaw: float, pitch: float, fov: float, size: int) -> Array:
    ray = rays(fov, size, size) @ rotation(yaw, pitch, 0).T
    longitude, latitude = np.arctan2(ray[..., 0], ray[..., 2]), np.arcsin(ray[..., 1])
    height, width = panorama.shape[:2]
    columns, rows = (longitude / 2 / np.pi + 0.5) * width - 0.5, (0.5 - latitude / np.pi) * height - 0.5
    maps = [m.astype(np.float32) for m in (columns, rows)]
    turned: Array = cv2.remap(panorama, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return turned


def test_a_fine_view_is_a_plain_look_up() -> None:
    panorama = cv2.GaussianBlur(np.random.default_rng(1).random((256, 512, 3), np.float32), (0, 0), 2)
    ours = perspective(panorama, yaw_deg=25, pitch_deg=-10, fov_deg=70, height=200, width=200)
    assert abs(ours - turn_by_opencv(panorama, 25, -10, 70, 200)).max() < 5e-3


def test_drawn_views() -> None:
    drawn = list(views(7, 2000, max_pitch_deg=15, min_fov_deg=50, max_fov_deg=80))
    assert drawn[:5] == list(views(7, 5, max_pitch_deg=15, min_fov_deg=50, max_fov_deg=80))
    assert drawn[:5] != list(views(8, 5, max_pitch_deg=15, min_fov_deg=50, max_fov_deg=80))
    low_high = {"yaw_deg": (-180, 180), "pitch_deg": (-15, 15), "fov_deg": (50, 80)}
    for name, (low, high) in low_high.items():
        values = np.array([view[name] for view in drawn])
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert list(views(0, 0)) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda p: perspective(p[:, :10], yaw_deg=0, pitch_deg=0, fov_deg=60, height=4, width=4),
        lambda p: perspective(p[..., 0], yaw_deg=0, pitch_deg=0, fov_deg=60, height=4, width=4),
        lambda p: perspective(p, yaw_deg=0, pitch_deg=91, fov_deg=60, height=4, width=4),
        lambda p: perspective(p, yaw_deg=0, pitch_deg=0, fov_deg=151, height=4, width=4),
        lambda p: perspective(p, yaw_deg=0, pitch_deg=0, fov_deg=60, height=0, width=4),
        lambda p: list(views(0, 1, max_pitch_deg=91)),
        lambda p: list(views(0, 1, min_fov_deg=90, max_fov_deg=60)),
    ],
    ids=["shape", "gray", "pitch", "fov", "size", "range of pitch", "range of fov"],
)
def test_misuse(call: Callable[[Array], object]) -> None:
    with pytest.raises(ValueError, match="not"):
        call(np.zeros((8, 16, 3), np.float32))
