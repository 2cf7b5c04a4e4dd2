"""A virtual camera: light in, the picture that a camera with a given response would have stored out.

In this order: exposure, sensor noise, clipping, response, one quantisation, JPEG.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from exposurebench.crf import Curve, Seed, parse_curve
from exposurebench.images import Image, encode_image, quantize
from exposurebench.recipe import parse_range
from exposurebench.tonemapping import white_level

BitDepth = Literal[8, 16]

_SIGNAL, _CONSTANT, _QUALITY, _FIELD = range(2, 6)
"""The streams of random numbers; the response draws from stream 1."""
_BLOCK = 1 << 16
"""So many values at a time stay in the processor's cache."""
_INFINITE = 0x7F80
"""The upper 16 bits of infinity."""
_UPPER = 1 if sys.byteorder == "little" else 0


@dataclass(frozen=True)
class Camera:
    """A camera of which nothing is left to draw.

    Attributes:
        curve: the response.
        noise_signal: standard deviation of the noise that grows with the light, as a share of it.
        noise_constant: standard deviation of the noise that is the same everywhere, in light.
        bit_depth: 8 or 16.
        jpeg_quality: 1 to 100; None stores the levels as they are.
    """

    curve: Curve
    noise_signal: float = 0.0
    noise_constant: float = 0.0
    bit_depth: BitDepth = 8
    jpeg_quality: int | None = None

    @property
    def settings(self) -> dict[str, float | int | str]:
        """What :func:`draw_camera` makes this camera of again, whatever the seed: text and numbers."""
        settings: dict[str, float | int | str] = {
            "crf": self.curve.text,
            "noise_signal": self.noise_signal,
            "noise_constant": self.noise_constant,
            "bit_depth": self.bit_depth,
        }
        return settings if self.jpeg_quality is None else {**settings, "jpeg_quality": self.jpeg_quality}


def draw_camera(
    *,
    crf: str = "sqrt",
    noise_signal: float | str = 0.0,
    noise_constant: float | str = 0.0,
    bit_depth: BitDepth = 8,
    jpeg_quality: int | str | None = None,
    seed: Seed = 0,
) -> Camera:
    """A camera by its settings; ranges and open curves are drawn from the seed, each from a stream of its own.

    ``noise_signal="0:0.0133"``, ``noise_constant="0:0.005"`` and ``jpeg_quality="90:100"`` with ``crf="dorf:FILE"``
    is the camera of Liu et al. 2020 (0.08 / 6 = 0.0133); ``crf="sigmoid"``, ``noise_constant="0:0.01"`` and
    ``jpeg_quality="30:100"`` is that of Eilertsen et al. 2017.

    Args:
        crf: the response, as :func:`exposurebench.crf.parse_curve` takes it.
        noise_signal: in [0, 1], a number or a range ``low:high``, drawn uniformly.
        noise_constant: in [0, 1], a number or a range.
        bit_depth: 8 or 16.
        jpeg_quality: 1 to 100, a whole number or a range of them (both ends included), or None.
        seed: for what is drawn.

    Raises:
        ValueError: a setting outside its range, or JPEG with 16 bits.
        InputError: the response's table cannot be read.

    >>> drawn = draw_camera(crf="sigmoid", noise_signal="0:0.0133", jpeg_quality="90:100", seed=5)
    >>> drawn.jpeg_quality, draw_camera(**drawn.settings) == drawn
    (97, True)
    """
    if bit_depth not in get_args(BitDepth):
        raise ValueError(f"bit_depth must be 8 or 16, not {bit_depth}")
    if bit_depth != 8 and jpeg_quality is not None:
        raise ValueError("JPEG holds 8 bits: leave out jpeg_quality or set bit_depth to 8")
    return Camera(
        curve=parse_curve(crf, seed=seed),
        noise_signal=_drawn("noise_signal", noise_signal, (*_key(seed), _SIGNAL)),
        noise_constant=_drawn("noise_constant", noise_constant, (*_key(seed), _CONSTANT)),
        bit_depth=bit_depth,
        jpeg_quality=None if jpeg_quality is None else _drawn_quality(jpeg_quality, (*_key(seed), _QUALITY)),
    )


def expose(
    light: NDArray[Any], camera: Camera, *, ev: float = 0.0, seed: Seed = 0, peak: NDArray[np.float32] | None = None
) -> Image:
    """Take a picture of light.

    ``H = light * 2 ** ev``; ``H + N(0, 1) * sqrt((noise_signal * H) ** 2 + noise_constant ** 2)``, both kinds of
    noise being independent and so drawn as one; clipped to [0, 1]; through the response; rounded once. A JPEG
    has no chroma subsampling (4:4:4), and the pixels are what decoding it gives.

    Without noise the levels are those of the formula in float64, every single one.

    Args:
        light: ``(H, W, 3)``, linear and finite; 1 is where the sensor clips at ``ev`` 0.
        camera: what takes the picture.
        ev: exposure relative to the light as given; plus is brighter.
        seed: for the noise. Pictures of one scene want different ones, such as ``(seed, number)``.
        peak: :func:`peak_of` the light, where several pictures are taken of it.

    Returns:
        Display-encoded levels; with ``file`` when they come from a JPEG; and, in ``facts``, ``clipped_share``: the
        share of pixels of which a channel reaches 1 before the response.

    Raises:
        ValueError: light of another shape or kind, or an exposure beyond 64 EV.

    Source: the order and the noise are those of Liu et al. 2020, Single-image HDR reconstruction by learning to
    reverse the camera pipeline.

    >>> gray = np.full((1, 2, 3), 0.25, np.float32)
    >>> picture = expose(gray, draw_camera(crf="sqrt"), ev=1)
    >>> picture.pixels[0, 0].tolist(), picture.facts
    ([180, 180, 180], {'clipped_share': 0.0})
    """
    if light.ndim != 3 or light.shape[2] != 3 or not np.issubdtype(light.dtype, np.floating):
        raise ValueError(f"light must be (H, W, 3) of floats, not {light.shape} {light.dtype}")
    if not abs(ev) <= 64:
        raise ValueError(f"ev must be within 64 stops, not {ev}")
    light, gain = np.ascontiguousarray(light, np.float32), 2.0**ev
    if camera.noise_signal or camera.noise_constant:
        light, gain = _noisy(light * np.float32(gain), camera, np.random.default_rng((*_key(seed), _FIELD))), 1.0
        peak = None
    if camera.bit_depth == 8:
        levels = _look_up(light, *_level_table(camera.curve, gain))
    else:
        levels = _computed(light, camera.curve, gain)
    file = None
    if camera.jpeg_quality is not None:
        data = encode_image(levels, "jpg", camera.jpeg_quality)
        levels, file = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True), (data, ".jpg")
    return Image(
        levels,
        camera.bit_depth,
        file=file,
        facts={"clipped_share": _clipped_share(peak_of(light) if peak is None else peak, gain)},
    )


def peak_of(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The brightest channel of every pixel, ``(H, W)``.

    >>> peak_of(np.array([[[1, 3, 2]]], np.float32)).tolist()
    [[3.0]]
    """
    red, green, blue = cv2.split(light)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)


def preview(light: NDArray[np.float32], white: float | None = None) -> Image:
    """What an 8-bit picture beside a file of light shows: ``srgb(min(1, light / white))``.

    Args:
        light: ``(H, W, 3)``, linear.
        white: the light that is shown as white; by default what the brightest channel of 95 % of the pixels does not
            exceed (:func:`exposurebench.tonemapping.white_level`).

    Raises:
        ValueError: light of another shape or kind.

    >>> light = np.array([0.05, 0.5, 5], np.float32).reshape(1, 3, 1).repeat(3, axis=2)
    >>> preview(light, 0.5).pixels[0, :, 0].tolist()
    [89, 255, 255]
    """
    return expose(light * np.float32(1 / (white or white_level(light))), Camera(parse_curve("srgb")))


def _key(seed: Seed) -> tuple[int, ...]:
    return seed if isinstance(seed, tuple) else (seed,)


def _drawn(name: str, value: float | str, key: tuple[int, ...]) -> float:
    low, high = parse_range(name, value)
    if not 0 <= low <= high <= 1:
        raise ValueError(f"{name} must be in [0, 1], not {value}")
    return low if low == high else float(np.random.default_rng(key).uniform(low, high))


def _drawn_quality(value: int | str, key: tuple[int, ...]) -> int:
    low, high = parse_range("jpeg_quality", value)
    if not 1 <= low <= high <= 100 or low % 1 or high % 1:
        raise ValueError(f"jpeg_quality must be a whole number in 1 to 100 or a range of them, not {value}")
    return int(np.random.default_rng(key).integers(int(low), int(high), endpoint=True))


def _noisy(light: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """Light with its noise, in place."""
    spread = light * np.float32(camera.noise_signal)
    spread *= spread
    spread += np.float32(camera.noise_constant**2)
    np.sqrt(spread, out=spread)
    spread *= rng.standard_normal(light.shape, dtype=np.float32)
    light += spread
    return light


def _clipped_share(peak: NDArray[np.float32], gain: float) -> float:
    below = np.float32(1 / gain)
    if float(below) * gain >= 1:
        below = np.nextafter(below, np.float32(0))
    return int(np.count_nonzero(peak > below)) / peak.size


# -------------------------------------------------------------------------------------------- levels


def _computed(light: NDArray[np.float32], curve: Curve, gain: float) -> NDArray[Any]:
    """16-bit levels by the formula, in float64."""
    levels = np.empty(light.size, np.uint16)
    flat = light.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = np.s_[start : start + _BLOCK]
        levels[block] = quantize(curve.to_display(flat[block].astype(np.float64) * gain), 16)
    return levels.reshape(light.shape)


def _look_up(
    light: NDArray[np.float32], first: NDArray[np.float32], cells: NDArray[np.uint8], steps: int
) -> NDArray[Any]:
    """8-bit levels out of a table: the cell's own level, and one more for each step inside the cell that is reached."""
    levels = np.empty(light.size, np.uint8)
    flat = light.reshape(-1)
    upper = flat.view(np.uint32).view(np.uint16)[_UPPER::2]
    for start in range(0, flat.size, _BLOCK):
        values, found = flat[start : start + _BLOCK], levels[start : start + _BLOCK]
        cells.take(upper[start : start + _BLOCK], out=found, mode="wrap")  # all are inside; wrapping is the fastest
        for _ in range(steps):
            found += values >= cv2.LUT(found[None], first)[0]
    return levels.reshape(light.shape)


@functools.lru_cache(maxsize=64)
def _level_table(curve: Curve, gain: float) -> tuple[NDArray[np.float32], NDArray[np.uint8], int]:
    """Where the 8-bit levels of a curve begin, exactly, and a table by which they are found.

    A curve never falls, so a level begins at one float32: bisection over the floats, which in the order of their
    bits are the integers, finds the 255 of them with the float64 formula itself. A cell is all the floats that
    share their upper 16 bits: 128 cells for each doubling of light. Negative light is level 0.

    Returns:
        The least light of levels 1 to 255, and NaN, which nothing reaches; the level at the start of each cell; and
        how many levels at most begin inside one cell.
    """
    wanted = np.arange(1, 256)
    below = np.zeros(255, np.int64)
    reached = np.full(255, np.float32(np.inf).view(np.int32), np.int64)
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        light = middle.astype(np.int32).view(np.float32).astype(np.float64)
        enough = quantize(curve.to_display(light * gain)) >= wanted
        reached, below = np.where(enough, middle, reached), np.where(enough, below, middle)
    first = reached.astype(np.int32).view(np.float32)
    counts = reached.searchsorted(np.arange(_INFINITE + 1) << 16, side="right")
    cells = np.zeros(1 << 16, np.uint8)
    cells[: _INFINITE + 1] = counts
    return np.append(first, np.float32(np.nan)), cells, int(np.diff(counts).max())
