"""Registration is held by warps that are known: how far its corners are off, and what its gates let through."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import ProjectiveTransform, warp

from exposurebench.color import srgb_to_display, srgb_to_light
from exposurebench.images import Image, quantize, read_image
from exposurebench.registration import Area, align, common, crop, register, unregistered
from exposurebench.warp_search import Motion

MARGIN = 64
MOTIONS: tuple[Motion, ...] = ("translation", "euclidean", "affine", "homography")


def photographs(shared: Path) -> list[Path]:
    """The shared photographs and those that ship with scikit-image."""
    from importlib.resources import files

    shipped = Path(str(files("skimage.data")))
    return [
        *sorted((shared / "data" / "ldr").glob("*.*")),
        *(shipped / name for name in ("astronaut.png", "chelsea.png", "coffee.png")),
    ]


def drawn_warp(rng: np.random.Generator, motion: Motion, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Up to 20 px, 3 degrees and 3 %, about the centre, with some pixels of perspective; from fixed to moving."""
    angle = 0.0 if motion == "translation" else math.radians(rng.uniform(-3, 3))
    scale = 1.0 if motion in ("translation", "euclidean") else 1 + rng.uniform(-0.03, 0.03)
    length, direction = rng.uniform(0, 20), rng.uniform(0, 2 * math.pi)
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = np.array([shape[1] - 1, shape[0] - 1]) / 2
    found = np.eye(3)
    found[:2, :2] = turn
    found[:2, 2] = centre - turn @ centre + length * np.array([math.cos(direction), math.sin(direction)])
    if motion == "homography":
        tilt = np.eye(3)
        tilt[2, :2] = rng.uniform(-1, 1, 2) * 12 / (np.array([shape[1], shape[0]]) * max(shape))
        there, back = np.eye(3), np.eye(3)
        there[:2, 2], back[:2, 2] = -centre, centre
        found = found @ back @ tilt @ there
    return found / found[2, 2]


def shot(light: NDArray[np.float32], ev: float, rng: np.random.Generator) -> Image:
    """A camera: exposure, noise (1 % of white, 0.2 % of black), clipping, sRGB, 8 bits."""
    exposed = light.clip(0, None) * np.float32(2**ev)
    exposed = exposed + rng.standard_normal(exposed.shape) * np.sqrt(0.01**2 * exposed + 0.002**2)
    return Image(quantize(srgb_to_display(exposed.clip(0, 1))))


def captured(
    path: Path, rng: np.random.Generator, motion: Motion, ev: float
) -> tuple[Image, Image, NDArray[np.float64]]:
    """Two exposures of a photograph's light, one warped; and the warp. What is beyond the edge is the scene's own."""
    light = srgb_to_light(read_image(path).as_float()).astype(np.float32)
    shape = (light.shape[0] - 2 * MARGIN, light.shape[1] - 2 * MARGIN)
    truth = drawn_warp(rng, motion, shape)
    place = np.array([[1, 0, MARGIN], [0, 1, MARGIN], [0, 0, 1.0]]) @ np.linalg.inv(truth)
    planes = [
        warp(
            plane, ProjectiveTransform(place), order=3, mode="edge", output_shape=shape, clip=False, preserve_range=True
        )
        for plane in np.moveaxis(light, 2, 0)
    ]
    moved = np.stack(planes, axis=2).astype(np.float32)
    return shot(moved, ev, rng), shot(light[MARGIN:-MARGIN, MARGIN:-MARGIN], 0, rng), truth


def corner_error(found: NDArray[np.floating], truth: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    corners = np.array([(x, y, 1) for x in (0, shape[1] - 1) for y in (0, shape[0] - 1)], np.float64).T
    ends = [matrix @ corners for matrix in (found, truth)]
    return float(np.hypot(*(ends[0][:2] / ends[0][2] - ends[1][:2] / ends[1][2])).max())


def errors(paths: list[Path], motion: Motion, tries: int, seed: int) -> Iterator[tuple[float, float, bool]]:
    """The true and the stated corner error of every pair, and whether it passed the gates."""
    rng = np.random.default_rng(seed)
    for path in paths:
        for _ in range(tries):
            moving, fixed, truth = captured(path, rng, motion, rng.uniform(-3, 3))
            found = register(moving, fixed, motion=motion)
            yield corner_error(found.warp, truth, fixed.pixels.shape), found.corner_error_px, not found.problem


@pytest.mark.slow
def test_real_raw_and_camera_jpeg_at_full_size(shared: Path) -> None:
    from exposurebench.images import read_raw

    for name in ("g2_full", "g2_close"):
        folder = shared / "data" / "raw_pairs" / name
        raw = read_raw(next(folder.glob("*.CRW")))
        found = register(
            Image(srgb_to_display(raw.pixels.clip(0, 1)).astype(np.float32)), read_image(next(folder.glob("*.JPG")))
        )
        assert not found.problem
        assert found.residual_px < 0.25
        assert found.corner_error_px < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("motion", MOTIONS)
def test_corners_under_known_warps_and_3_ev(motion: Motion, shared: Path) -> None:
    pairs = list(errors(photographs(shared), motion, 2, 20))
    off, stated = (np.array([pair[n] for pair in pairs]) for n in (0, 1))
    passed = np.array([ok for *_, ok in pairs])
    assert np.median(off) <= 0.05
    assert np.quantile(off, 0.9) <= 0.1
    assert off[passed].max() <= 0.3
    assert passed.mean() > 0.97, "the gates let good pairs through"
    if motion != "translation":  # whose errors are those of interpolation, some hundredths of a pixel
        # The blocks do not see what interpolation adds, about 0.01 px: without it the share is 0.75 for euclidean.
        assert (off < stated + 0.01).mean() > 0.8, "what is said of the corners is about true"
        assert (off < 3 * stated + 0.02)[passed].mean() > 0.98


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("ev", [-2.5, 2.5])
def test_a_known_warp(motion: Motion, ev: float) -> None:
    from importlib.resources import files

    path = Path(str(files("skimage.data"))) / "coffee.png"
    moving, fixed, truth = captured(path, np.random.default_rng(4), motion, ev)
    found = register(moving, fixed, motion=motion)
    assert not found.problem
    assert corner_error(found.warp, truth, fixed.pixels.shape) < 0.2
    assert found.residual_px < 0.25
    assert found.corner_shift_px == pytest.approx(corner_error(truth, np.eye(3), fixed.pixels.shape), abs=0.2)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Smooth random colours with edges."""
    rng = np.random.default_rng(seed)
    found = cv2.GaussianBlur(rng.random((height, width, 3), np.float32), (0, 0), 3)
    found = (found - found.min()) / np.ptp(found)
    return np.asarray(np.where(found > 0.6, found, found * 0.7).astype(np.float32))


def test_both_sides_end_where_the_other_does() -> None:
    scene = picture(200, 260)
    fixed, moving = Image(scene[20:180, 20:240]), Image(scene[12:172, 25:245])
    found = register(moving, fixed, motion="translation")
    np.testing.assert_allclose(found.warp[:2, 2], (-5, 8), atol=0.02)
    assert found.area in (Area(0, 5, 152, 220), Area(0, 6, 152, 220), Area(0, 5, 151, 220), Area(0, 6, 151, 220))
    sides = align(moving, found.warp, found.area), crop(fixed, found.area)
    assert sides[0].pixels.shape == sides[1].pixels.shape
    np.testing.assert_allclose(sides[0].pixels, sides[1].pixels, atol=0.02)


def test_every_pixel_of_the_area_is_inside_the_moving_image() -> None:
    rng = np.random.default_rng(0)
    scene = picture(220, 300)
    for _ in range(5):
        truth = drawn_warp(rng, "affine", scene.shape[:2])
        planes = [
            warp(p, ProjectiveTransform(np.linalg.inv(truth)), order=3, mode="edge") for p in np.moveaxis(scene, 2, 0)
        ]
        found = register(Image(np.stack(planes, 2).astype(np.float32)), Image(scene))
        area = found.area
        corners = np.array([(x, y, 1) for x in (area.left, area.right - 1) for y in (area.top, area.bottom - 1)])
        x, y, _ = found.warp @ corners.T
        assert min(x.min(), y.min()) >= -1e-5
        assert x.max() <= 299 + 1e-5
        assert y.max() <= 219 + 1e-5
        assert (area.bottom - area.top) * (area.right - area.left) > 0.7 * 220 * 300


def test_whole_pixels_keep_their_levels() -> None:
    levels = quantize(picture(60, 80))
    moved = align(Image(levels), np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1.0]]), Area(2, 0, 50, 70))
    np.testing.assert_array_equal(moved.pixels, levels[0:48, 3:73])
    image = Image(levels, file=(b"bytes", ".png"))
    assert crop(image, Area(0, 0, 60, 80)) is image
    assert crop(image, Area(0, 1, 60, 80)).file is None


def test_light_is_warped_as_light_with_its_saturation() -> None:
    light = np.zeros((40, 40, 3), np.float32)
    light[:, 20:] = 8
    saturated = light[..., 0] > 0
    half = np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1.0]])
    moved = align(Image(light, 16, "linear", saturated=saturated), half, Area(0, 0, 40, 39))
    assert moved.pixels[20, 19, 0] == pytest.approx(4, abs=0.01)
    assert moved.pixels.min() >= 0
    assert moved.saturated is not None
    assert moved.saturated[20].tolist() == [False] * 19 + [True] * 20


def test_one_call_leaves_nothing_to_the_next() -> None:
    scene = picture(150, 190)
    moving, fixed = Image(scene[10:, 10:]), Image(scene[:-10, :-10])
    alone = register(moving, fixed)
    register(Image(picture(140, 180, seed=1)), fixed)
    again = register(moving, fixed)
    np.testing.assert_array_equal(alone.warp, again.warp)
    assert alone.correlation == again.correlation


def test_inputs_are_untouched() -> None:
    scene = quantize(picture(100, 120))
    before = scene.copy()
    register(Image(scene[4:, 4:]), Image(scene[:-4, :-4]))
    np.testing.assert_array_equal(scene, before)


def test_other_scenes_flat_ones_and_long_ways_are_gated() -> None:
    fixed = Image(picture(160, 200))
    assert register(Image(picture(160, 200, seed=7)), fixed).problem
    flat = register(Image(np.full((160, 200, 3), 0.5, np.float32)), fixed)
    assert "no warp" in flat.problem
    assert (flat.correlation, flat.residual_px) == (0, math.inf)
    scene = picture(260, 320)
    near, far = Image(scene[:200, :240]), Image(scene[6:206, 12:252])
    assert not register(far, near).problem
    assert "corner shift 13.4 px above 6.2" in register(far, near, max_shift=0.02).problem


def test_a_corner_without_texture_is_not_known() -> None:
    """A cloudless sky: a homography may do there what it likes, and the tiles that have texture all agree."""
    rng = np.random.default_rng(0)
    scene = picture(300, 400)
    scene[:200, 160:] = 0.8
    sides = [Image((scene + 0.008 * rng.standard_normal(scene.shape).astype(np.float32)).clip(0, 1)) for _ in range(2)]
    found = register(*sides, motion="homography")
    assert found.residual_px < 0.3
    assert found.corner_error_px > 0.3
    assert "corner error" in found.problem
    assert not register(*sides, motion="translation").problem


def test_nearly_nothing_is_nothing() -> None:
    """What no interpolation can tell from whole pixels leaves the levels as they are."""
    levels = quantize(picture(160, 200))
    found = register(Image(levels[:, 2:]), Image(levels[:, :-2]))
    np.testing.assert_array_equal(found.warp, [[1, 0, -2], [0, 1, 0], [0, 0, 1]])
    assert align(Image(levels[:, 2:]), found.warp, found.area).pixels.dtype == np.uint8


def test_the_residual_of_a_large_picture_is_no_noise_of_small_tiles() -> None:
    rng = np.random.default_rng(0)
    scene = cv2.resize(picture(200, 260), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    sides = [Image(quantize(scene + 0.004 * rng.standard_normal(scene.shape).astype(np.float32))) for _ in range(2)]
    assert unregistered(*sides).residual_px < 0.1


@pytest.mark.parametrize("side", [61, 150, 454, 459])
def test_the_residual_of_two_equal_pictures_is_nothing_at_any_size(side: int) -> None:
    image = Image(quantize(picture(side, side + 30)))
    assert unregistered(image, image).residual_px < 0.01


def test_unregistered_says_how_far_off() -> None:
    scene = picture(200, 260)
    same = unregistered(Image(scene), Image(scene))
    assert same.correlation == pytest.approx(1)
    assert same.residual_px < 0.01
    off = unregistered(Image(scene[:, 3:]), Image(scene[:, :-3]))
    assert off.residual_px == pytest.approx(3, abs=0.1)
    np.testing.assert_array_equal(off.warp, np.eye(3))


def test_sizes_may_differ() -> None:
    scene = picture(200, 260)
    found = register(Image(scene[:, 6:-2]), Image(scene[2:-2]))
    np.testing.assert_allclose(found.warp[:2, 2], (-6, 2), atol=0.05)
    assert found.corner_shift_px == pytest.approx(2, abs=0.1), "counted from centre on centre"
    assert common([found]) == found.area


def test_misuse_is_refused() -> None:
    image = Image(picture(64, 64))
    with pytest.raises(ValueError, match="motion must be one of"):
        register(image, image, motion="similarity")  # type: ignore[arg-type]
    light = Image(image.pixels, 16, "linear")
    with pytest.raises(ValueError, match="display-encoded"):
        register(light, image)


def test_real_raw_and_camera_jpeg(shared: Path) -> None:
    from exposurebench.images import read_raw, resize

    folder = shared / "data" / "raw_pairs" / "g2_full"
    raw = read_raw(folder / "CRW_0304.CRW", half_size=True)
    developed = resize(Image(srgb_to_display(raw.pixels.clip(0, 1)).astype(np.float32)), 512)
    jpeg = resize(read_image(folder / "IMG_0303.JPG"), 512)
    found = register(developed, jpeg)
    assert not found.problem
    scale = math.sqrt(np.linalg.det(found.warp[:2, :2]))
    assert scale == pytest.approx(1 / 1.0175 * 1720 / 1704 * 1.0175, abs=0.02)
    assert found.residual_px < 0.25
    assert unregistered(developed, jpeg).residual_px > 1
