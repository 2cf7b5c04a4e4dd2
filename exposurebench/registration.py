"""Align the two sides of a captured pair, with numbers that say how well, and gates on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import Image, quantize, resize
from exposurebench.warp_search import Matrix, Motion, Plane, corners, find_warp, moved, ranks, shift, warped

Register = Literal["ecc", "none"]
"""Whether a captured pair is aligned, or left as it lies."""
NUMBERS = ("correlation", "residual_px", "corner_error_px", "corner_shift_px")
"""The numbers of a registration, in the order of their columns."""
GATES = ("motion", "min_correlation", "max_residual_px", "max_shift")
"""The settings of :func:`register`."""
_SAME_SCALE = 1.03
"""Short sides that differ by more are of two scales, not of two fields of view."""
_LEAST_SHIFT_PX = 1 / 64
"""Interpolation knows positions to 1/32 px: a warp that is nearer than half of that to whole pixels is by whole pixels."""
_TILE_PX = 64
"""No tile is smaller; those of large images are larger, so that they cover it and hold as much of the scene."""
_TILES = 6
_TEXTURE = 0.01


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def empty(self) -> bool:
        """Whether nothing is left of it."""
        return self.top >= self.bottom or self.left >= self.right


@dataclass(frozen=True, eq=False)
class Registration:
    """How one image lies on another, and how sure that is.

    Attributes:
        warp: ``(3, 3)``, takes ``(x, y, 1)`` of the fixed image to the moving one; pixel centres are whole numbers.
        area: the largest upright rectangle of the fixed image whose sides the moving image's corners allow.
        correlation: of the exposure-normalised images after the warp, at most 1.
        residual_px: the median shift that phase correlation still finds between tiles of the two, an estimate of its
            own; some 0.1 where nothing is left to find.
        corner_error_px: how far the corner of which least is known may still be off: two standard errors, as the blocks
            of pixels that the warp was fitted to disagree about it; infinite where no warp was fitted.
        corner_shift_px: how far the warp moves the corner that it moves most, from centre on centre.
        problem: which gate it fails, with the numbers; empty where it fails none.
    """

    warp: Matrix
    area: Area
    correlation: float
    residual_px: float
    corner_error_px: float
    corner_shift_px: float
    problem: str = ""

    @property
    def numbers(self) -> dict[str, float]:
        """Those of :data:`NUMBERS` that are finite, to a millionth, by name."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return {name: round(value, 6) for name, value in numbers.items() if math.isfinite(value)}


def register(
    moving: Image,
    fixed: Image,
    *,
    motion: Motion = "affine",
    min_correlation: float = 0.8,
    max_residual_px: float = 0.3,
    max_shift: float = 0.1,
) -> Registration:
    """Find the warp that lays one photograph on another of the same scene, however differently both were exposed.

    Both become ranks first: a pixel's place in the histogram of its channel, cut where either image is clipped or
    black, so that two exposures of one scene are the same picture. The enhanced correlation coefficient is then
    maximised from coarse to fine (:func:`exposurebench.warp_search.find_warp`). Every call starts from centre on centre.

    Args:
        moving: display-encoded, the image to be warped.
        fixed: display-encoded, the image to lie on; sizes may differ where the scale hardly does.
        motion: what the warp may be.
        min_correlation: a gate, in [-1, 1].
        max_residual_px: a gate on the residual and on the corner error, in pixels.
        max_shift: a gate on the corner shift, as a share of the fixed image's diagonal.

    Returns:
        The warp and its numbers; where a gate fails (or nothing is found) ``problem`` says which.

    Raises:
        ValueError: an unknown motion, or an image of light.

    Source: Evangelidis and Psarakis 2008 (the criterion); the normalisation and the gates are ours.

    >>> rng = np.random.default_rng(0)
    >>> scene = cv2.GaussianBlur(rng.random((140, 140, 3), np.float32), (0, 0), 2)
    >>> scene = (scene - scene.min()) / np.ptp(scene)
    >>> fixed, moving = scene[8:-8, 8:-8], (1.7 * scene[5:-11, 10:-6]).clip(0, 1)
    >>> found = register(Image(moving), Image(fixed), motion="translation")
    >>> found.warp.round(1)[:2, 2].tolist(), found.problem
    ([-2.0, 3.0], '')
    """
    if motion not in get_args(Motion):
        raise ValueError(f"motion must be one of {', '.join(get_args(Motion))}, not {motion!r}")
    levels = _levels(fixed), _levels(moving)
    shapes = fixed.pixels.shape[:2], moving.pixels.shape[:2]
    start = _centred(*shapes)
    try:
        warp, error, planes = find_warp(*levels, start, motion)
    except cv2.error:
        return dataclasses.replace(
            unregistered(moving, fixed), problem="no warp was found: the numbers are without one"
        )
    whole = shift(*warp[:2, 2].round())
    if _corner_shift(warp, whole, shapes[0]) < _LEAST_SHIFT_PX:
        warp = whole
    area = _area(warp, *shapes)
    found = Registration(warp, area, *_agreement(*planes, warp, area), error, _corner_shift(warp, start, shapes[0]))
    diagonal = math.hypot(*shapes[0])
    problems = [
        f"correlation {found.correlation:.3f} below {min_correlation:g}"
        if not found.correlation >= min_correlation
        else "",
        f"residual {found.residual_px:.2f} px above {max_residual_px:g}"
        if not found.residual_px <= max_residual_px
        else "",
        f"corner error {found.corner_error_px:.2f} px above {max_residual_px:g}"
        if not found.corner_error_px <= max_residual_px
        else "",
        f"corner shift {found.corner_shift_px:.1f} px above {max_shift * diagonal:.1f}"
        if not found.corner_shift_px <= max_shift * diagonal
        else "",
    ]
    return dataclasses.replace(found, problem=", ".join(filter(None, problems)))


def unregistered(moving: Image, fixed: Image) -> Registration:
    """The two images as they are, centre on centre without interpolation, and the numbers of that.

    Raises:
        ValueError: an image of light.
    """
    shapes = fixed.pixels.shape[:2], moving.pixels.shape[:2]
    warp = _centred(*shapes).round()
    area = _area(warp, *shapes)
    planes = ranks(_levels(fixed), _levels(moving))
    return Registration(warp, area, *_agreement(*planes, warp, area), math.inf, 0.0)


def same_scale(first: Image, second: Image) -> tuple[Image, Image]:
    """Two images of one scene, the larger shrunk to the other's short side where they are of two scales.

    >>> large, small = (Image(np.zeros((n, 2 * n, 3), np.uint8)) for n in (100, 50))
    >>> [image.pixels.shape[:2] for image in same_scale(large, small)]
    [(50, 100), (50, 100)]
    """
    sides = [min(image.pixels.shape[:2]) for image in (first, second)]
    if max(sides) <= _SAME_SCALE * min(sides):
        return first, second
    return resize(first, min(sides)), resize(second, min(sides))


def common(registrations: Iterable[Registration]) -> Area:
    """The rectangle of the fixed image that every moving image covers."""
    areas = [found.area for found in registrations]
    return Area(
        max(area.top for area in areas),
        max(area.left for area in areas),
        min(area.bottom for area in areas),
        min(area.right for area in areas),
    )


def align(moving: Image, warp: Matrix, area: Area) -> Image:
    """The moving image as the fixed one's area shows it: warped once, in float, quantised by whoever writes it.

    Cubic interpolation of whatever the numbers stand for (display values stay display values), at positions rounded
    to 1/32 px; display values end at 0 and 1, light at 0. A warp by whole pixels changes no value, and keeps integers.
    A pixel with any saturated part is saturated.

    Args:
        moving: any image.
        warp: of :class:`Registration`.
        area: of the fixed image.

    Returns:
        The area, without the bytes of a file.
    """
    here = warp @ np.array([[1, 0, area.left], [0, 1, area.top], [0, 0, 1]], np.float64)
    shape = (area.right - area.left, area.bottom - area.top)
    if np.array_equal(here, shift(*here[:2, 2].round())):
        left, top = (int(value) for value in here[:2, 2])
        return crop(moving, Area(top, left, top + shape[1], left + shape[0]))
    values = warped(moving.as_float(), here, shape, cv2.INTER_CUBIC)
    values = values.clip(0, 1 if moving.encoding == "srgb" else None)
    saturated = moving.saturated
    if saturated is not None:
        saturated = warped(saturated.astype(np.float32), here, shape, cv2.INTER_LINEAR) > 0
    return dataclasses.replace(moving, pixels=values, file=None, saturated=saturated)


def crop(image: Image, area: Area) -> Image:
    """A rectangle of an image; the image itself where that is all of it."""
    if area == Area(0, 0, *image.pixels.shape[:2]):
        return image
    window = np.s_[area.top : area.bottom, area.left : area.right]
    saturated = None if image.saturated is None else np.ascontiguousarray(image.saturated[window])
    return dataclasses.replace(image, pixels=np.ascontiguousarray(image.pixels[window]), file=None, saturated=saturated)


def _levels(image: Image) -> NDArray[np.uint8]:
    if image.encoding != "srgb":
        raise ValueError(f"registration takes display-encoded (srgb) images, not {image.encoding}: develop them first")
    return image.pixels if image.pixels.dtype == np.uint8 else quantize(image.as_float())


def _centred(fixed: tuple[int, ...], moving: tuple[int, ...]) -> Matrix:
    return shift((moving[1] - fixed[1]) / 2, (moving[0] - fixed[0]) / 2)


def _corner_shift(warp: Matrix, start: Matrix, shape: tuple[int, ...]) -> float:
    ends = corners(shape)
    return float(np.hypot(*(moved(ends, warp) - moved(ends, start)).T).max())


def _area(warp: Matrix, fixed: tuple[int, ...], moving: tuple[int, ...]) -> Area:
    """What lies inside both: the moving image's corners, laid on the fixed one, end the rectangle."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = moved(corners(moving), np.linalg.inv(warp))
    near = 1e-6
    return Area(
        max(0, math.ceil(max(y0, y1) - near)),
        max(0, math.ceil(max(x0, x3) - near)),
        min(fixed[0], math.floor(min(y2, y3) + near) + 1),
        min(fixed[1], math.floor(min(x1, x2) + near) + 1),
    )


def _agreement(fixed: Plane, moving: Plane, warp: Matrix, area: Area) -> tuple[float, float]:
    """The correlation over the area, and the residual in pixels; 0 and infinite where there is nothing to compare."""
    if area.empty:
        return 0.0, math.inf
    a = np.ascontiguousarray(fixed[area.top : area.bottom, area.left : area.right])
    b = warped(moving, warp @ shift(area.left, area.top), a.shape[::-1], cv2.INTER_LINEAR)
    (mean_a, spread_a), (mean_b, spread_b) = _mean_and_spread(a), _mean_and_spread(b)
    if min(spread_a, spread_b) < 1e-6:
        return 0.0, math.inf
    return (float((a * b).mean(dtype=np.float64)) - mean_a * mean_b) / (spread_a * spread_b), _residual(a, b)


def _residual(a: Plane, b: Plane) -> float:
    """The median length of the shifts between tiles that have texture on both sides; infinite where none has."""
    wanted = max(_TILE_PX, 2 * cv2.getOptimalDFTSize(min(a.shape) // (2 * _TILES)))
    side = min(wanted, *a.shape) // 2 * 2  # of an odd one OpenCV tells shifts that are off by half a pixel
    window = cv2.createHanningWindow((side, side), cv2.CV_32F)
    rows, columns = (
        np.linspace(0, length - side, min(_TILES, max(1, length // side))).astype(int) for length in a.shape
    )
    shifts = []
    for top in rows:
        for left in columns:
            tiles = [plane[top : top + side, left : left + side] for plane in (a, b)]
            if min(_mean_and_spread(tile)[1] for tile in tiles) > _TEXTURE:
                found, _ = cv2.phaseCorrelate(tiles[0], tiles[1], window)
                shifts.append(math.hypot(*found))
    return float(np.median(shifts)) if shifts else math.inf


def _mean_and_spread(plane: Plane) -> tuple[float, float]:
    mean, spread = cv2.meanStdDev(plane)
    return float(mean[0, 0]), float(spread[0, 0])
