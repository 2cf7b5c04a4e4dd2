"""A bracket's frames into one picture: response functions, radiance, and fusion without either.

Exposures are ``exposure_ev``, the base-2 logarithm of time times sensitivity over the squared f-number; plus
means brighter. What comes out as light is relative to ``exposure_ev`` 0: ``light * 2 ** exposure_ev`` is what a
frame's sensor saw.

Response and radiance are computed here rather than by OpenCV, which takes 8-bit frames for a response and deviates from
the articles: Debevec's weight never falls to zero (so that clipped pixels count), one weight serves all three channels,
pictures of a few pixels or of an extreme shape are refused, and Robertson's response is NaN at levels that no pixel has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC601, weighted

Levels = NDArray[np.uint8]
Table = NDArray[np.float64]
Method = Literal["debevec", "robertson"]

SAMPLES: dict[str, int] = {"debevec": 256, "robertson": 16384}
"""How many pixels a response is estimated from: Debevec's system is dense, Robertson's iteration is not."""
HAT: Table = np.minimum(np.arange(256.0), np.arange(255.0, -1, -1))
"""Debevec's weight of a level: its distance from the nearer end, so nothing for what may be clipped."""
BELL: Table = (np.exp(-4 * ((np.arange(256) - 127.5) / 127.5) ** 2) - np.exp(-4.0)) / (1 - np.exp(-4.0))
"""Robertson's weight of a level: ``exp(-4 ((z - 127.5) / 127.5) ** 2)``, moved so that both ends weigh nothing."""
ROUNDS = 500
"""Robertson's iteration ends here if its response still moves."""
STILL = 1e-5
"""Robertson's response is done when no level moves by more than this share of the middle level's in one round."""


def exposure_times(frames: Sequence[NDArray[Any]], exposure_ev: Sequence[float | None]) -> Table:
    """The exposures as factors, ``2 ** exposure_ev``, once frames and exposures are known to fit together.

    Raises:
        ValueError: no frames, sizes that differ, exposures that are unknown or of another number.

    >>> exposure_times([np.zeros((1, 1, 3), np.uint8)] * 2, (-1, 0)).tolist()
    [0.5, 1.0]
    """
    _sizes(frames)
    if len(exposure_ev) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many values of exposure_ev, not {len(exposure_ev)}")
    known = [math.nan if ev is None else float(ev) for ev in exposure_ev]
    if not np.isfinite(known).all():
        raise ValueError(
            f"the exposure of frame {int(np.argmin(np.isfinite(known)))} is unknown: give exposure_ev for every frame, or "
            "fuse them with mertens, which needs none"
        )
    return np.exp2(known)


def estimate_response(
    frames: Sequence[Levels],
    exposure_ev: Sequence[float | None],
    *,
    method: Method = "debevec",
    samples: int | None = None,
    smoothness: float = 10.0,
) -> Table:
    """The light that each of the 256 levels stands for, estimated from the frames of a still bracket.

    ``debevec`` solves for ``g = ln response`` and the samples' radiances ``E`` by least squares::

        sum over pixels i, frames j of (w(z_ij) (g(z_ij) - ln E_i - ln t_j)) ** 2
          + (smoothness w(z) g''(z)) ** 2 summed over levels

    with the hat ``w(z) = min(z, 255 - z)``. ``robertson`` starts from a straight line and alternates between
    the radiances, ``E = sum(w t response(z)) / sum(w t ** 2)``, and the response, ``response(z) = mean(t E)`` over the
    pixels that have the level; levels that no pixel has are interpolated, 0 and 255 (of which a bound is all that
    is known) continue the line of their neighbours. Nothing ties its levels together, so few frames at even steps
    leave it loose: of an sRGB bracket at -2, 0, 2 EV it missed the curve by up to 0.31 EV, Debevec's by 0.03.

    Args:
        frames: two or more of one size, ``(H, W, 3)`` uint8, registered.
        exposure_ev: of each frame, not all equal.
        method: ``debevec`` or ``robertson``.
        samples: about how many pixels to look at, on a grid; by default :data:`SAMPLES` of the method.
        smoothness: the weight of the second differences (Debevec's lambda).

    Returns:
        ``(256, 3)`` float64, level 128 being 1 in every channel.

    Raises:
        TypeError: frames that are not 8-bit.
        ValueError: fewer than two frames, sizes or exposures that differ or are unknown, a setting out of range.

    Source: Debevec and Malik 1997, eq. 3 with the weights of eq. 4; Robertson, Borman and Stevenson 2003,
    Estimation-theoretic approach to dynamic range enhancement using multiple exposures.

    >>> light = np.linspace(0.01, 1, 300).reshape(10, 30, 1).repeat(3, axis=2)
    >>> frames = [np.rint(255 * (light * 2.0**ev).clip(0, 1) ** 0.5).astype(np.uint8) for ev in (-1, 0, 1)]
    >>> response = estimate_response(frames, (-1, 0, 1))
    >>> bool(np.allclose(response[32::64, 1], (np.arange(32, 256, 64) / 128) ** 2, rtol=0.05))
    True
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, not {method!r}")
    if samples is not None and samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    if not smoothness > 0:
        raise ValueError(f"smoothness must be above 0, not {smoothness}")
    times = exposure_times(frames, exposure_ev)
    if len(set(times)) < 2:
        raise ValueError("a response needs frames of at least two different exposures: give the response instead")
    grid = _grid(frames[0].shape, samples or SAMPLES[method])
    levels = np.stack([frame[grid] for frame in map(_checked, frames)]).reshape(len(frames), -1, 3)
    channels = (levels[..., channel] for channel in range(3))
    curves = (_debevec(c, times, smoothness) if method == "debevec" else _robertson(c, times) for c in channels)
    return np.stack(list(curves), axis=1)


def merge_debevec(
    frames: Sequence[Levels], exposure_ev: Sequence[float | None], response: Table | None = None
) -> NDArray[np.float32]:
    """The radiance of a bracket as the weighted mean of the frames' logarithms.

    ``ln light = sum(w(z_j) (ln response(z_j) - ln t_j)) / sum(w(z_j))``, channel by channel, with the hat
    ``w(z) = min(z, 255 - z)`` and ``t = 2 ** exposure_ev``. A channel that no frame shows between the ends takes the
    shortest exposure's white, where it is white, and the longest exposure's value elsewhere.

    Args:
        frames: of one size, ``(H, W, 3)`` uint8, registered.
        exposure_ev: of each frame.
        response: ``(256, 3)``, the light of each level; by default :func:`estimate_response` of these frames.

    Returns:
        ``(H, W, 3)`` float32, linear light relative to ``exposure_ev`` 0 and to the response's scale, at or above 0.

    Raises:
        TypeError: frames that are not 8-bit.
        ValueError: sizes that differ, exposures that are missing, a response of another shape or with negatives.

    Source: Debevec and Malik 1997, eq. 6.

    >>> straight = np.repeat(np.arange(256.0)[:, None] / 255, 3, axis=1)
    >>> frames = [np.full((1, 1, 3), level, np.uint8) for level in (50, 100, 200)]
    >>> merge_debevec(frames, (-1, 0, 1), straight).astype(float).round(4)[0, 0].tolist()
    [0.3922, 0.3922, 0.3922]
    """
    times = exposure_times(frames, exposure_ev)
    light = _response(frames, exposure_ev, response, "debevec")
    logarithm = np.log(light.clip(np.finfo(float).tiny, None))
    tops = [HAT[:, None] * (logarithm - np.log(time)) for time in times]
    merged = _mean(frames, tops, [HAT[:, None]] * len(tops))
    return _filled(np.exp(merged, out=merged), frames, times, light)


def merge_robertson(
    frames: Sequence[Levels], exposure_ev: Sequence[float | None], response: Table | None = None
) -> NDArray[np.float32]:
    """The radiance of a bracket as Robertson's maximum-likelihood mean: longer exposures count for more.

    ``light = sum(w(z_j) t_j response(z_j)) / sum(w(z_j) t_j ** 2)``, channel by channel, with the bell
    :data:`BELL` for ``w``. What is clipped in every frame is treated as in :func:`merge_debevec`, which has the same
    arguments, errors and result; the response's default is that of ``method="robertson"``.

    Source: Robertson, Borman and Stevenson 2003.

    >>> straight = np.repeat(np.arange(256.0)[:, None] / 255, 3, axis=1)
    >>> frames = [np.full((1, 1, 3), level, np.uint8) for level in (50, 100, 200)]
    >>> merge_robertson(frames, (-1, 0, 1), straight).astype(float).round(4)[0, 0].tolist()
    [0.3922, 0.3922, 0.3922]
    """
    times = exposure_times(frames, exposure_ev)
    light = _response(frames, exposure_ev, response, "robertson")
    tops = [BELL[:, None] * time * light for time in times]
    return _filled(_mean(frames, tops, [BELL[:, None] * time**2 for time in times]), frames, times, light)


def merge_linear(
    frames: Sequence[NDArray[np.float32]],
    exposure_ev: Sequence[float | None],
    saturated: Sequence[NDArray[np.bool_] | None] | None = None,
) -> NDArray[np.float32]:
    """The radiance of a bracket of linear frames, such as decoded RAW files.

    ``light = sum(frame_j) / sum(t_j)`` over the frames that are not saturated at the pixel, with
    ``t = 2 ** exposure_ev``: every frame's ``frame_j / t_j`` weighted by its exposure, which is the maximum-likelihood
    estimate where photon noise rules. A pixel that is saturated in all frames takes the shortest exposure's value, a
    lower bound.

    Args:
        frames: of one size, ``(H, W, 3)`` float32, linear and on one scale (white balance and white level alike).
        exposure_ev: of each frame.
        saturated: of each frame ``(H, W)``, true where the sensor was at its limit, or None where it nowhere was.

    Returns:
        ``(H, W, 3)`` float32, linear light relative to ``exposure_ev`` 0.

    Raises:
        TypeError: frames of integers, which have a response to be undone: see :func:`merge_debevec`.
        ValueError: sizes that differ, exposures that are missing.

    Source: the mean of Poisson variables of known exposure; Hanji, Zhong and Mantiuk 2020 for its use on brackets.

    >>> dark, bright = (np.full((1, 2, 3), value, np.float32) for value in (0.2, 1.0))
    >>> clipped = np.array([[False, True]])
    >>> merge_linear([dark, bright], (0, 2), [None, clipped])[0, :, 0].astype(float).round(3).tolist()
    [0.24, 0.2]
    """
    times = exposure_times(frames, exposure_ev)
    masks = [None] * len(frames) if saturated is None else list(saturated)
    if len(masks) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many masks of saturation, not {len(masks)}")
    shape = frames[0].shape
    light, exposure = np.zeros(shape), np.zeros((*shape[:2], 1))
    for frame, mask, time in zip(frames, masks, times, strict=True):
        if not np.issubdtype(frame.dtype, np.floating):
            raise TypeError(f"expected linear frames as floats, not {frame.dtype}: merge levels with merge_debevec")
        if mask is not None and mask.shape != shape[:2]:
            raise ValueError(f"a mask of saturation has the shape {mask.shape}, its frame {shape[:2]}")
        kept = np.ones((*shape[:2], 1)) if mask is None else ~mask[..., None]
        light += frame * kept
        exposure += time * kept
    shortest = int(np.argmin(times))
    blind = exposure == 0
    light += blind * frames[shortest]
    light /= exposure + blind * times[shortest]
    return light.astype(np.float32)


def mertens(
    frames: Sequence[NDArray[Any]], *, contrast: float = 1.0, saturation: float = 1.0, exposure: float = 1.0
) -> NDArray[np.float32]:
    """Fuse the frames of a bracket into one display picture, without exposures and without radiance.

    Every pixel of a frame weighs ``C ** contrast * S ** saturation * E ** exposure``: ``C`` the absolute Laplacian
    of the gray picture, ``S`` the spread of the channels, ``E`` the product over the channels of
    ``exp(-(x - 0.5) ** 2 / 0.08)``. The weights are normalised over the frames and the frames' Laplacian pyramids
    blended by the weights' Gaussian ones. The blend overshoots at edges, so the result is clipped to [0, 1].

    The article's exponents are 1, 1, 1, and so are these; OpenCV's default leaves exposure out (1, 1, 0). With the same
    exponents the two agree to rounding, except that in flat or gray areas, where both measures are 0, OpenCV's rounding
    decides what is shown and here the frames count alike; and OpenCV's last digits vary with its threads.

    Args:
        frames: of one size, ``(H, W, 3)`` RGB, display-encoded: float32 in [0, 1] or uint8.
        contrast: the exponent of the contrast measure, at or above 0.
        saturation: the exponent of the saturation measure.
        exposure: the exponent of the well-exposedness measure.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        TypeError: frames that are neither float32 nor uint8.
        ValueError: no frames, or sizes that differ; a negative exponent.

    Source: Mertens, Kautz and Van Reeth 2007, section 3.

    >>> frame = np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3)
    >>> bool(np.allclose(mertens([frame, frame, frame]), frame, atol=1e-6))
    True
    """
    if min(contrast, saturation, exposure) < 0:
        raise ValueError(f"exponents must be at or above 0, not {contrast}, {saturation}, {exposure}")
    _sizes(frames)
    if any(frame.dtype not in (np.float32, np.uint8) for frame in frames):
        raise TypeError(f"expected frames as float32 or uint8, not {', '.join(str(f.dtype) for f in frames)}")
    displays = [_display(frame) for frame in frames]
    weights = [_quality(display, contrast, saturation, exposure) for display in displays]
    total = np.sum(weights, axis=0)
    blended: list[NDArray[np.float32]] = []
    for display, weight in zip(displays, weights, strict=True):
        share = weight / total
        for level, detail in enumerate(_laplacian_pyramid(display)):
            if level:
                share = cv2.pyrDown(share)
            if level == len(blended):
                blended.append(np.zeros_like(detail))
            blended[level] += detail * share[..., None]
    fused: NDArray[Any] = blended.pop()
    while blended:
        detail = blended.pop()
        detail += cv2.pyrUp(fused, dstsize=(detail.shape[1], detail.shape[0]))
        fused = detail
    return fused.clip(0, 1)


def _display(frame: NDArray[Any]) -> NDArray[np.float32]:
    display: NDArray[np.float32] = np.divide(frame, 255, dtype=np.float32) if frame.dtype == np.uint8 else frame
    return display


def _quality(display: NDArray[np.float32], contrast: float, saturation: float, exposure: float) -> NDArray[np.float32]:
    """How much every pixel of a frame weighs; never nothing, so that the shares are defined."""
    red, green, blue = (display[..., channel] for channel in range(3))
    edges = np.abs(cv2.Laplacian(weighted(red, green, blue, REC601), cv2.CV_32F))
    # the variance by differences, so that a gray pixel has exactly none and no rounding decides what is shown
    spread = np.sqrt((red - green) ** 2 + (green - blue) ** 2 + (blue - red) ** 2) / np.float32(3)
    middle = np.exp(((display - np.float32(0.5)) ** 2).sum(axis=2) / np.float32(-0.08))
    weight: NDArray[np.float32] = edges**contrast * spread**saturation * middle**exposure
    return weight + np.float32(1e-12)


def _laplacian_pyramid(image: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """What every octave adds to the next coarser one, finest first; the coarsest as it is."""
    for _ in range(int(math.log2(min(image.shape[:2])))):
        coarser: NDArray[Any] = cv2.pyrDown(image)
        yield image - cv2.pyrUp(coarser, dstsize=(image.shape[1], image.shape[0]))
        image = coarser
    yield image


# ---- what the merges share ---------------------------------------------------------------------------------


def _sizes(frames: Sequence[NDArray[Any]]) -> None:
    if not len(frames):
        raise ValueError("expected the frames of a bracket, not none")
    for frame in frames:
        if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(f"expected (H, W, 3) frames, not {frame.shape}")
        if frame.shape != frames[0].shape:
            first, other = (f"{f.shape[1]} x {f.shape[0]}" for f in (frames[0], frame))
            raise ValueError(
                f"the frames of a bracket must have one size, not {first} and {other}: register them first"
            )


def _checked(frame: NDArray[Any]) -> Levels:
    if frame.dtype != np.uint8:
        raise TypeError(f"expected 8-bit frames, not {frame.dtype}: a response has 256 levels")
    return frame


def _response(
    frames: Sequence[Levels], exposure_ev: Sequence[float | None], response: Table | None, method: Method
) -> Table:
    if response is None:
        return estimate_response(frames, exposure_ev, method=method)
    light = np.asarray(response, np.float64)
    if light.shape != (256, 3) or not (np.isfinite(light) & (light >= 0)).all():
        raise ValueError(f"expected a response of (256, 3) finite values at or above 0, not {light.shape}")
    return light


def _grid(shape: tuple[int, ...], samples: int) -> tuple[NDArray[Any], ...]:
    """The pixels of an even grid of about so many, each in the middle of its cell."""
    height, width = shape[:2]
    columns = min(width, max(1, round((samples * width / height) ** 0.5)))
    rows = min(height, max(1, round(samples / columns)))
    return np.ix_(*(((np.arange(n) + 0.5) * size / n).astype(int) for n, size in ((rows, height), (columns, width))))


def _mean(frames: Sequence[Levels], tops: Sequence[Table], bottoms: Sequence[Table]) -> Table:
    """The sum of one table's entries at the frames' levels over that of another's; NaN where the latter is zero."""
    top, bottom = np.zeros(frames[0].shape), np.zeros(frames[0].shape)
    for frame, above, below in zip(map(_checked, frames), tops, bottoms, strict=True):
        for channel in range(3):
            top[..., channel] += above[:, channel][frame[..., channel]]
            bottom[..., channel] += below[:, 0][frame[..., channel]]
    mean: Table = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return mean


def _filled(merged: Table, frames: Sequence[Levels], times: Table, response: Table) -> NDArray[np.float32]:
    """Radiance with the places that no frame shows between the ends."""
    where = np.nonzero(np.isnan(merged))
    channel = where[2]
    short, long = int(np.argmin(times)), int(np.argmax(times))
    dark = response[frames[long][where], channel] / times[long]
    merged[where] = np.where(frames[short][where] == 255, response[255, channel] / times[short], dark)
    return merged.astype(np.float32)


# ---- the two responses, one channel at a time: levels (frames, pixels) -------------------------------------


def _debevec(levels: NDArray[Any], times: Table, smoothness: float) -> Table:
    frames, pixels = levels.shape
    system, right = np.zeros((frames * pixels + 255, 256 + pixels)), np.zeros(frames * pixels + 255)
    seen, rows = levels.ravel(), np.arange(frames * pixels)
    system[rows, seen] = HAT[seen]
    system[rows, 256 + np.tile(np.arange(pixels), frames)] = -HAT[seen]
    right[rows] = HAT[seen] * np.repeat(np.log(times), pixels)
    inner = np.arange(1, 255)
    for step, factor in ((-1, 1), (0, -2), (1, 1)):
        system[len(rows) + inner - 1, inner + step] = factor * smoothness * HAT[inner]
    system[-1, 128] = 1
    response: Table = np.exp(np.linalg.lstsq(system, right, rcond=None)[0][:256])
    return response


def _robertson(levels: NDArray[Any], times: Table) -> Table:
    response: Table = np.arange(256) / 128
    weight = BELL[levels]
    top, bottom = weight * times[:, None], (weight * times[:, None] ** 2).sum(axis=0)
    shown = bottom > 0  # the rest is clipped in every frame
    if not shown.any():
        return response
    levels, top, bottom = levels[:, shown], top[:, shown], bottom[shown]
    counts = np.bincount(levels.ravel(), minlength=256)
    known = np.flatnonzero(counts[1:255]) + 1
    for _ in range(ROUNDS):
        light = (top * response[levels]).sum(axis=0) / bottom
        sums = np.bincount(levels.ravel(), weights=np.outer(times, light).ravel(), minlength=256)
        found: Table = np.interp(np.arange(256), known, sums[known] / counts[known])
        found[[0, 255]] = 2 * found[1] - found[2], 2 * found[254] - found[253]
        found = found.clip(0, None) / found[128]
        moved = np.abs(found - response).max()
        response = found
        if moved < STILL:
            break
    return response
