"""Align the two sides of a captured pair, with numbers that say how well, and gates on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.images import Image, quantize

Motion = Literal["translation", "euclidean", "affine", "homography"]
Matrix = NDArray[np.floating[Any]]
Plane = NDArray[np.floating[Any]]

_MOTIONS = {
    "translation": cv2.MOTION_TRANSLATION,
    "euclidean": cv2.MOTION_EUCLIDEAN,
    "affine": cv2.MOTION_AFFINE,
    "homography": cv2.MOTION_HOMOGRAPHY,
}
_COARSEST_PX = 64
"""The pyramid ends above this short side: 20 px of 384 are then 2."""
_CLIPPED, _BLACK = 253, 2
"""Levels (of 255) from which and up to which a frame says nothing."""
_DETAIL_PX = 7
"""The last level compares what is finer than this, so that flare and local tone mapping do not pull."""
_ROUNDS, _SETTLED_PX = 8, 0.02
"""The last level goes on, two steps a round, until no corner moves further than this."""
_TILE_PX = 64
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
        corner_shift_px: how far the warp moves the corner that it moves most, from centre on centre.
        problem: which gate it fails, with the numbers; empty where it fails none.
    """

    warp: Matrix
    area: Area
    correlation: float
    residual_px: float
    corner_shift_px: float
    problem: str = ""


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
    maximised from coarse to fine, from the shift alone at the coarsest level to the whole motion; before the last
    level the ranks are taken again over what both images show, and blurred copies subtracted. Every call starts from
    centre on centre.

    Args:
        moving: display-encoded, the image to be warped.
        fixed: display-encoded, the image to lie on; sizes may differ where the scale hardly does.
        motion: what the warp may be.
        min_correlation: a gate, in [-1, 1].
        max_residual_px: a gate, in pixels.
        max_shift: a gate on the corner shift, as a share of the fixed image's diagonal.

    Returns:
        The warp and its numbers; where a gate fails (or nothing is found) ``problem`` says which.

    Raises:
        ValueError: an unknown motion, or an image of light.

    Source: Evangelidis and Psarakis 2008 (the criterion, as OpenCV maximises it); the normalisation is ours.

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
        warp, planes = _coarse_to_fine(*levels, start, motion)
    except cv2.error:
        return dataclasses.replace(
            unregistered(moving, fixed), problem="no warp was found: the numbers are without one"
        )
    area = _area(warp, *shapes)
    found = Registration(warp, area, *_agreement(*planes, warp, area), _corner_shift(warp, start, shapes[0]))
    diagonal = math.hypot(*shapes[0])
    problems = [
        f"correlation {found.correlation:.3f} below {min_correlation:g}"
        if not found.correlation >= min_correlation
        else "",
        f"residual {found.residual_px:.2f} px above {max_residual_px:g}"
        if not found.residual_px <= max_residual_px
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
    planes = _ranks(_levels(fixed), _levels(moving))
    return Registration(warp, area, *_agreement(*planes, warp, area), 0.0)


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
    if np.array_equal(here, _shift(*here[:2, 2].round())):
        left, top = (int(value) for value in here[:2, 2])
        return crop(moving, Area(top, left, top + shape[1], left + shape[0]))
    values = _warped(moving.as_float(), here, shape, cv2.INTER_CUBIC)
    values = values.clip(0, 1 if moving.encoding == "srgb" else None)
    saturated = moving.saturated
    if saturated is not None:
        saturated = _warped(saturated.astype(np.float32), here, shape, cv2.INTER_LINEAR) > 0
    return dataclasses.replace(moving, pixels=values, file=None, saturated=saturated)


def crop(image: Image, area: Area) -> Image:
    """A rectangle of an image; the image itself where that is all of it."""
    if area == Area(0, 0, *image.pixels.shape[:2]):
        return image
    window = np.s_[area.top : area.bottom, area.left : area.right]
    saturated = None if image.saturated is None else np.ascontiguousarray(image.saturated[window])
    return dataclasses.replace(image, pixels=np.ascontiguousarray(image.pixels[window]), file=None, saturated=saturated)


# ------------------------------------------------------------------------------------------ the same picture


def _levels(image: Image) -> NDArray[np.uint8]:
    if image.encoding != "srgb":
        raise ValueError(f"registration takes display-encoded (srgb) images, not {image.encoding}: develop them first")
    return image.pixels if image.pixels.dtype == np.uint8 else quantize(image.as_float())


def _ranks(
    fixed: NDArray[np.uint8],
    moving: NDArray[np.uint8],
    seen: tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None] = (None, None),
) -> tuple[Plane, Plane]:
    """Both images as the sum of their channels' ranks, cut where either has none to tell."""
    planes = np.zeros(fixed.shape[:2], np.float32), np.zeros(moving.shape[:2], np.float32)
    for channel in range(3):
        sides = [cv2.extractChannel(image, channel) for image in (fixed, moving)]
        shares = [
            cv2.calcHist([side], [0], mask, [256], [0, 256]).ravel() for side, mask in zip(sides, seen, strict=True)
        ]
        shares = [counts / max(counts.sum(), 1) for counts in shares]
        low = max(share[: _BLACK + 1].sum() for share in shares)
        high = max(low, min(1 - share[_CLIPPED:].sum() for share in shares))
        for plane, side, share in zip(planes, sides, shares, strict=True):
            table = (share.cumsum() - share / 2).clip(low, high).astype(np.float32)
            plane += cv2.LUT(side, table)
    return planes


# ---------------------------------------------------------------------------------------------- the warp


def _coarse_to_fine(
    fixed: NDArray[np.uint8], moving: NDArray[np.uint8], start: Matrix, motion: Motion
) -> tuple[Matrix, tuple[Plane, Plane]]:
    """The warp, and the ranks that it was found with.

    Raises:
        cv2.error: the search does not converge.
    """
    levels: list[tuple[Plane, Plane]] = [_ranks(fixed, moving)]
    while min(*levels[-1][0].shape, *levels[-1][1].shape) > _COARSEST_PX:
        levels.append((np.asarray(cv2.pyrDown(levels[-1][0])), np.asarray(cv2.pyrDown(levels[-1][1]))))
    warp = _scaled(start, 0.5 ** (len(levels) - 1))
    warp = _maximised(*levels[-1], warp, "translation", 30, 1e-4)
    if motion != "translation":
        warp = _maximised(*levels[-1], warp, "euclidean", 30, 1e-4)
    for planes in reversed(levels[1:-1]):
        warp = _maximised(*planes, _scaled(warp, 2), motion, 20, 1e-5)
    if len(levels) > 1:
        warp = _scaled(warp, 2)
    full = [np.full(image.shape[:2], 255, np.uint8) for image in (fixed, moving)]
    seen = (
        _warped(full[1], warp, fixed.shape[1::-1], cv2.INTER_NEAREST, cv2.BORDER_CONSTANT),
        _warped(full[0], np.linalg.inv(warp), moving.shape[1::-1], cv2.INTER_NEAREST, cv2.BORDER_CONSTANT),
    )
    planes = _ranks(fixed, moving, seen)
    # The blur makes up what lies beyond the edge, and the edge would stick to the edge: it is cut off both.
    edge = min(_DETAIL_PX, (min(*planes[0].shape, *planes[1].shape) - 1) // 4)
    finest = [(p - cv2.blur(p, (_DETAIL_PX, _DETAIL_PX)))[edge:-edge, edge:-edge] for p in planes]
    warp = _shift(-edge, -edge) @ warp @ _shift(edge, edge)
    for _ in range(_ROUNDS):
        before, warp = warp, _maximised(finest[0], finest[1], warp, motion, 2, -1)
        if _corner_shift(warp, before, fixed.shape) < _SETTLED_PX:
            break
    warp = _shift(edge, edge) @ warp @ _shift(-edge, -edge)
    return warp, planes


def _maximised(fixed: Plane, moving: Plane, warp: Matrix, motion: Motion, steps: int, enough: float) -> Matrix:
    rows = 3 if motion == "homography" else 2
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, enough)
    begin = warp[:rows].astype(np.float32)
    _, found = cv2.findTransformECC(fixed, moving, begin, _MOTIONS[motion], ends, None, 3)  # type: ignore[call-overload]
    whole = np.eye(3)
    whole[:rows] = found
    if not np.isfinite(whole).all():
        raise cv2.error("the warp is not finite")
    return whole


def _warped(
    values: NDArray[Any], warp: Matrix, size: tuple[int, ...], way: int, border: int = cv2.BORDER_REPLICATE
) -> NDArray[Any]:
    return cv2.warpPerspective(values, warp, size, flags=way | cv2.WARP_INVERSE_MAP, borderMode=border)


def _scaled(warp: Matrix, factor: float) -> Matrix:
    """A warp between images that are so many times larger; pyramids keep pixel 0 where it is."""
    return np.asarray(np.diag([factor, factor, 1]) @ warp @ np.diag([1 / factor, 1 / factor, 1]))


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _centred(fixed: tuple[int, ...], moving: tuple[int, ...]) -> Matrix:
    return _shift((moving[1] - fixed[1]) / 2, (moving[0] - fixed[0]) / 2)


# ------------------------------------------------------------------------------------------- its numbers


def _corners(shape: tuple[int, ...]) -> Matrix:
    """Clockwise from the top left, ``(4, 2)``."""
    x, y = shape[1] - 1.0, shape[0] - 1.0
    return np.array([[0, 0], [x, 0], [x, y], [0, y]], np.float64)


def _moved(points: Matrix, warp: Matrix) -> Matrix:
    found = np.c_[points, np.ones(len(points))] @ warp.T
    return np.asarray(found[:, :2] / found[:, 2:])


def _corner_shift(warp: Matrix, start: Matrix, shape: tuple[int, ...]) -> float:
    corners = _corners(shape)
    return float(np.hypot(*(_moved(corners, warp) - _moved(corners, start)).T).max())


def _area(warp: Matrix, fixed: tuple[int, ...], moving: tuple[int, ...]) -> Area:
    """What lies inside both: the moving image's corners, laid on the fixed one, end the rectangle."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = _moved(_corners(moving), np.linalg.inv(warp))
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
    b = _warped(moving, warp @ _shift(area.left, area.top), a.shape[::-1], cv2.INTER_LINEAR)
    (mean_a, spread_a), (mean_b, spread_b) = (map(float, np.ravel(cv2.meanStdDev(p))) for p in (a, b))
    if min(spread_a, spread_b) < 1e-6:
        return 0.0, math.inf
    return (float((a * b).mean(dtype=np.float64)) - mean_a * mean_b) / (spread_a * spread_b), _residual(a, b)


def _residual(a: Plane, b: Plane) -> float:
    """The median length of the shifts between tiles that have texture on both sides; infinite where none has."""
    side = min(_TILE_PX, *a.shape)
    window = cv2.createHanningWindow((side, side), cv2.CV_32F)
    rows, columns = (
        np.linspace(0, length - side, min(_TILES, max(1, length // side))).astype(int) for length in a.shape
    )
    shifts = []
    for top in rows:
        for left in columns:
            tiles = [plane[top : top + side, left : left + side] for plane in (a, b)]
            if min(float(tile.std()) for tile in tiles) > _TEXTURE:
                shift, _ = cv2.phaseCorrelate(tiles[0], tiles[1], window)
                shifts.append(math.hypot(*shift))
    return float(np.median(shifts)) if shifts else math.inf
