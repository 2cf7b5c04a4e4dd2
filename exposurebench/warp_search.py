"""The search for the warp between two exposures of one scene, and how sure its corners are."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Motion = Literal["translation", "euclidean", "affine", "homography"]
Matrix = NDArray[np.floating[Any]]
Plane = NDArray[np.floating[Any]]
Levels = NDArray[np.uint8]

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
_ROUNDS, _CLOSE_PX, _SETTLED_PX = 16, 0.2, 0.01
"""The last level is near its end when no corner moves further than the first, and ends when none does than the second."""
_BLOCK_PX = 16
"""Pixels so near to each other are weighed alike, and err alike."""
_LEAST = 0.2
"""No block weighs more than if its mean square were this share of the median one's: flat ones agree by chance."""
_STEP_PX = 1.0
"""Where nothing holds a corner, a step moves it by much less than this."""
_NEAR_PX = 3
"""So near to the moving image's edge nothing is compared: interpolation and gradients reach over it."""


class Found(NamedTuple):
    """A warp ``(3, 3)``, how far the corner of which least is known may be off, and the ranks that were compared."""

    warp: Matrix
    corner_error_px: float
    planes: tuple[Plane, Plane]


def find_warp(fixed: Levels, moving: Levels, start: Matrix, motion: Motion) -> Found:
    """The warp that lays one image's ranks on the other's, from coarse to fine.

    Down to half the size the enhanced correlation coefficient is maximised, from the shift alone at the coarsest
    level to the whole motion. At full size, over what both images show and with blurred copies subtracted, blocks of
    pixels are fitted by weighted least squares: with the difference ``r`` of the images, their mean's gradient ``g``
    and the motion's fields ``P``, a step is::

        (sum over blocks w P' (g_fixed g_moving') P) ** -1  (sum over blocks w P' g r),  w = 1 / mean(r ** 2)

    The product of both images' gradients, not one image's square, so that noise does not pass for texture; weights,
    because ranks stretch the noise of what is dark. The error is ``sqrt(4 sum)`` of the corner's covariance as the
    blocks' own scatter about the fit gives it (the sandwich estimate), which counts noise and whatever the motion
    cannot follow.

    Args:
        fixed: ``(H, W, 3)``.
        moving: of any size.
        start: ``(3, 3)``, from fixed to moving.
        motion: what the warp may be.

    Raises:
        cv2.error: the search does not converge.

    Source: Evangelidis and Psarakis 2008 (the criterion, as OpenCV maximises it); Huber 1967 (the covariance); the
    normalisation is ours.
    """
    levels: list[tuple[Plane, Plane]] = [ranks(fixed, moving)]
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
    seen = (
        _quadrangle(moved(corners(moving.shape), np.linalg.inv(warp)), fixed.shape),
        _quadrangle(moved(corners(fixed.shape), warp), moving.shape),
    )
    planes = ranks(fixed, moving, seen)
    # The blur makes up what lies beyond the edge, and the edge would stick to the edge: it is cut off both.
    edge = min(_DETAIL_PX, (min(*planes[0].shape, *planes[1].shape) - 1) // 4)
    finest = [(p - cv2.blur(p, (_DETAIL_PX, _DETAIL_PX)))[edge:-edge, edge:-edge] for p in planes]
    warp, error = _fitted(finest[0], finest[1], shift(-edge, -edge) @ warp @ shift(edge, edge), motion)
    return Found(shift(edge, edge) @ warp @ shift(-edge, -edge), error, planes)


def ranks(
    fixed: Levels, moving: Levels, seen: tuple[Levels | None, Levels | None] = (None, None)
) -> tuple[Plane, Plane]:
    """Both images as the sum of their channels' ranks, cut where either has none to tell.

    A pixel's rank is its place in the histogram of its channel, so that two exposures of one scene are the same
    picture.

    Args:
        fixed: ``(H, W, 3)``.
        moving: of any size.
        seen: where each image's pixels count (not 0) for its histogram.
    """
    planes = np.zeros(fixed.shape[:2], np.float32), np.zeros(moving.shape[:2], np.float32)
    for sides in zip(cv2.split(fixed), cv2.split(moving), strict=True):
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


def warped(values: NDArray[Any], warp: Matrix, size: tuple[int, ...], way: int) -> NDArray[Any]:
    """What the warp finds in ``values`` for each pixel of an image of ``size`` (width, height)."""
    flags = way | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(values, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def shift(x: float, y: float) -> Matrix:
    """The warp by ``(x, y)``."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def corners(shape: tuple[int, ...]) -> Matrix:
    """Clockwise from the top left, ``(4, 2)``."""
    x, y = shape[1] - 1.0, shape[0] - 1.0
    return np.array([[0, 0], [x, 0], [x, y], [0, y]], np.float64)


def moved(points: Matrix, warp: Matrix) -> Matrix:
    """Where a warp takes points ``(N, 2)``."""
    found = np.c_[points, np.ones(len(points))] @ warp.T
    return np.asarray(found[:, :2] / found[:, 2:])


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


def _scaled(warp: Matrix, factor: float) -> Matrix:
    """A warp between images that are so many times larger; pyramids keep pixel 0 where it is."""
    return np.asarray(np.diag([factor, factor, 1]) @ warp @ np.diag([1 / factor, 1 / factor, 1]))


# ------------------------------------------------------------------------------------------- the last level


def _fitted(fixed: Plane, moving: Plane, warp: Matrix, motion: Motion) -> tuple[Matrix, float]:
    """The warp when its corners have settled, and how far the worst of them may be off."""
    height, width = fixed.shape
    size = max(height, width) / 2
    unit = np.diag([1 / size, 1 / size, 1]) @ shift((1 - width) / 2, (1 - height) / 2)  # fields are of about 1
    fields = size * _fields(moved(_block_centres(fixed.shape), unit), motion)
    ends = size * _fields(moved(corners(fixed.shape), unit), motion)
    held = np.einsum("cki,ckj->ij", ends, ends) / _STEP_PX**2
    slopes = _slopes(fixed)
    error, near = math.inf, False
    for _ in range(_ROUNDS):
        scores, texture = _block_sums(fixed, moving, slopes, warp, near)
        weighed = np.einsum("bki,bkl->bil", fields, texture)
        matrix = np.einsum("bil,blj->ij", weighed, fields)
        pulls = np.einsum("bki,bk->bi", fields, scores)
        step = np.linalg.solve(matrix + held, pulls.sum(0))
        warp = warp @ np.linalg.inv(unit) @ _small(step, motion) @ unit
        warp /= warp[2, 2]
        if not np.isfinite(warp).all():
            raise cv2.error("the warp is not finite")
        went = np.hypot(*(ends @ step).T).max()
        if near and went < _SETTLED_PX:
            break
        near = near or went < _CLOSE_PX
    if near and np.linalg.eigvalsh(matrix)[0] > 0:
        scatter = np.linalg.solve(matrix, (pulls - np.einsum("bil,blj,j->bi", weighed, fields, step)).T)
        error = 2 * math.sqrt((np.einsum("cki,ib->ckb", ends, scatter) ** 2).sum((1, 2)).max())
    return warp, error


def _block_centres(shape: tuple[int, ...]) -> Matrix:
    """``(B, 2)``, row by row."""
    y, x = np.mgrid[: shape[0] // _BLOCK_PX, : shape[1] // _BLOCK_PX].reshape(2, -1) * float(_BLOCK_PX)
    return np.stack([x, y], 1) + (_BLOCK_PX - 1) / 2


def _block_sums(fixed: Plane, moving: Plane, slopes: list[Plane], warp: Matrix, near: bool) -> tuple[Matrix, Matrix]:
    """Of each block, weighted: gradient times difference ``(B, 2)``, and gradient times gradient ``(B, 2, 2)``.

    The gradients are the mean of both images', except that those of ``near`` images are multiplied one by the other:
    then noise does not pass for texture, but further apart their product may be anything.

    Raises:
        cv2.error: no block lies inside the moving image, or either image is flat.
    """
    inner = corners(moving.shape) + _NEAR_PX * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    inside = _quadrangle(moved(inner, np.linalg.inv(warp)), fixed.shape)
    counted = _sums(inside) == 255 * _BLOCK_PX**2
    laid = warped(moving, warp, fixed.shape[::-1], cv2.INTER_CUBIC)
    spreads = [cv2.norm(plane, cv2.NORM_L2, inside) for plane in (fixed, laid)]
    if not counted.any() or min(spreads) < 1e-6:
        raise cv2.error("there is nothing to compare")
    laid *= np.float32(spreads[0] / spreads[1])
    difference = fixed - laid
    others = _slopes(laid)
    means = [(a + b) / 2 for a, b in zip(slopes, others, strict=True)]
    scores = [_sums(mean * difference) for mean in means]
    one, other = (slopes, others) if near else (means, means)
    xx, yy = (_sums(a * b) for a, b in zip(one, other, strict=True))
    xy = _sums(one[0] * other[1] + one[1] * other[0]) / 2
    variance = _sums(difference * difference) / _BLOCK_PX**2
    weight = counted / (variance + _LEAST * np.median(variance[counted]) + 1e-12)
    texture = np.stack([xx, xy, xy, yy], 1).reshape(-1, 2, 2)
    return np.stack(scores, 1) * weight[:, None], texture * weight[:, None, None]


def _quadrangle(ends: Matrix, shape: tuple[int, ...]) -> Levels:
    """A mask of that shape, 255 from corner to corner and 0 outside."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, ends.round().astype(np.int32), 255)
    return mask


def _slopes(plane: Plane) -> list[Plane]:
    kernel = np.array([[-0.5, 0, 0.5]], np.float32)
    return [np.asarray(cv2.filter2D(plane, -1, k)) for k in (kernel, kernel.T)]


def _sums(plane: NDArray[Any]) -> Matrix:
    rows, columns = (length // _BLOCK_PX for length in plane.shape)
    whole = plane[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means.astype(np.float64).ravel() * _BLOCK_PX**2)


def _fields(points: Matrix, motion: Motion) -> Matrix:
    """How points ``(N, 2)`` move with each of the motion's parameters, from where they are: ``(N, 2, parameters)``."""
    x, y = points.T
    one, none = np.ones_like(x), np.zeros_like(x)
    across = {
        "translation": [one, none],
        "euclidean": [-y, one, none],
        "affine": [x, y, one, none, none, none],
        "homography": [x, y, one, none, none, none, -x * x, -x * y],
    }
    down = {
        "translation": [none, one],
        "euclidean": [x, none, one],
        "affine": [none, none, none, x, y, one],
        "homography": [none, none, none, x, y, one, -x * y, -y * y],
    }
    return np.stack([np.stack(across[motion], 1), np.stack(down[motion], 1)], 1)


def _small(step: Matrix, motion: Motion) -> Matrix:
    """The warp of the motion's kind that moves points as :func:`_fields` says."""
    if motion == "translation":
        return shift(*step)
    if motion == "euclidean":
        turn = np.array([[math.cos(step[0]), -math.sin(step[0])], [math.sin(step[0]), math.cos(step[0])]])
        return np.block([[turn, step[1:, None]], [np.zeros((1, 2)), np.ones((1, 1))]])
    small: Matrix = np.eye(3) + np.append(step, [0.0] * (9 - len(step))).reshape(3, 3)
    return small
