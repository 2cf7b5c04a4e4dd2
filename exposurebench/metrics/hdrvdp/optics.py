"""The glare of the eye: light that the cornea, the lens and the retina scatter."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_DECAY = (0.028, 0.37, 37.0, 360.0)
_COLUMNS = 128
_U, _V = 0.99727370023777070, 0.061466549455263
_SHARE = (_U * 0.426, _U * 0.574, (1 - _U) * _V, (1 - _U) * (1 - _V))


def pixels_per_degree(resolution: tuple[int, int], diagonal_inch: float, distance_m: float) -> float:
    """How many pixels of a display fill a degree of the viewer's field.

    ``rows / (2 atan(h / (2 d)))`` in degrees, with h the height of the screen and d the distance.

    Args:
        resolution: columns and rows of the whole display.
        diagonal_inch: of the screen.
        distance_m: from the eye to the screen.

    Raises:
        ValueError: a number that is not positive.

    >>> round(pixels_per_degree((1920, 1080), 24.0, 0.6), 2)
    38.61
    """
    columns, rows = resolution
    if not min(columns, rows, diagonal_inch, distance_m) > 0:
        raise ValueError(f"expected positive sizes, not {resolution}, {diagonal_inch} inch at {distance_m} m")
    height_m = 0.0254 * diagonal_inch * rows / math.hypot(columns, rows)
    return rows / math.degrees(2 * math.atan(height_m / (2 * distance_m)))


def mtf(frequency: Any) -> NDArray[np.float64]:
    """How much of a pattern's contrast reaches the retina, ``sum_k a_k exp(-b_k f)``.

    Args:
        frequency: in cycles per degree.

    Returns:
        float64, from 1 (no pattern) down to 0.

    >>> mtf([0, 1, 4, 10, 30]).round(8).tolist()
    [1.0, 0.80850869, 0.51013231, 0.33523872, 0.18341594]
    """
    rho = np.asarray(frequency, np.float64)[..., None]
    gain: NDArray[np.float64] = (np.array(_SHARE) * np.exp(-np.array(_DECAY) * rho)).sum(-1)
    return gain


def checked_ppd(pixels_per_degree: float) -> float:
    """Give back a resolution in pixels per degree, or say that it is none."""
    if not 0 < pixels_per_degree < math.inf:
        raise ValueError(f"pixels_per_degree must be positive, not {pixels_per_degree}")
    return pixels_per_degree


def around(target: torch.Tensor, surround: float | str, words: Collection[str]) -> torch.Tensor | None:
    """The light around an image: a number of cd/m2, ``mean`` for each channel's geometric mean, ``none`` to mirror.

    Raises:
        ValueError: a word that is not among those allowed, or a number that is not positive.
    """
    if isinstance(surround, str):
        if surround not in words:
            raise ValueError(f"surround must be {', '.join(words)} or a number of cd/m2, not {surround!r}")
        return target.log().mean((2, 3), keepdim=True).exp() if surround == "mean" else None
    if not 0 < surround < math.inf:
        raise ValueError(f"surround must be positive, not {surround} cd/m2")
    return target.new_full((1, 1, 1, 1), surround)


def on_retina(light: torch.Tensor, ppd: float, surround: torch.Tensor | None) -> torch.Tensor:
    """Light after the glare of the eye, channel by channel.

    The image stands in the top left of a sheet of twice its size, whose rest is the surround or the mirrored
    image; its spectrum times the :func:`mtf` gives what reaches the retina.

    Args:
        light: ``(N, C, H, W)`` in cd/m2.
        ppd: pixels per degree of visual angle.
        surround: ``(1 or N, 1 or C, 1, 1)``, the light around the image; None mirrors it.

    Returns:
        the same shape, held in [1e-5, 1e10].

    >>> even = torch.full((1, 1, 8, 8), 100.0)
    >>> on_retina(even, 30.0, None).allclose(even)
    True
    """
    # Light beyond the surround's is filtered alone: the transfer of a constant is 1.
    beyond = light if surround is None else light - surround
    filtered = _mirrored if surround is None else _in_the_dark
    # One channel after the other, some columns at a time: what lies between the transforms stays near.
    seen = torch.cat([filtered(channel, ppd) for channel in torch.split(beyond, 1, 1)], 1)
    return (seen if surround is None else seen.add_(surround)).clamp_(1e-5, 1e10)


def _in_the_dark(light: torch.Tensor, ppd: float) -> torch.Tensor:
    """The half of the sheet that holds nothing is never transformed: it makes the spectrum finer, and no more.

    Its even frequencies are those of the image, its odd ones those of the image with every pixel's phase turned.
    """
    height, width = light.shape[2:]
    even, odd, turn = _fine_gains(height, width, ppd, light.dtype, light.device)
    spectrum = torch.fft.rfft(light, n=2 * width)
    for first in range(0, spectrum.shape[-1], _COLUMNS):
        some = slice(first, first + _COLUMNS)
        columns = spectrum[..., some].transpose(2, 3).contiguous()
        seen = torch.fft.ifft(torch.fft.fft(columns).mul_(even[some]))
        columns *= turn
        seen += torch.fft.ifft(torch.fft.fft(columns).mul_(odd[some])).mul_(turn.conj())
        spectrum[..., some] = seen.transpose(2, 3)
    seen_rows: torch.Tensor = torch.fft.irfft(spectrum, n=2 * width)[..., :width]
    return seen_rows


def _mirrored(light: torch.Tensor, ppd: float) -> torch.Tensor:
    """A mirrored sheet has a spectrum of cosines alone, as many as the image has pixels."""
    height, width = light.shape[2:]
    gain = _cosine_gain(height, width, ppd, light.dtype, light.device)
    spectrum = _cosines(light)
    for first in range(0, spectrum.shape[-1], _COLUMNS):
        some = slice(first, first + _COLUMNS)
        columns = _cosines(spectrum[..., some].transpose(2, 3).contiguous()).mul_(gain[some])
        spectrum[..., some] = _from_cosines(columns, height).transpose(2, 3)
    return _from_cosines(spectrum, width)


def _cosines(rows: torch.Tensor) -> torch.Tensor:
    """The discrete cosine transform of rows in the order ``0, n, 1, n - 1, 2, n - 2, ...`` (signs and the n-th aside).

    As the spectrum of every second value and the others backwards (Makhoul 1980).
    """
    spectrum = torch.fft.rfft(torch.cat((rows[..., ::2], rows[..., 1::2].flip(-1)), -1))
    spectrum *= _half_pixel(rows.shape[-1], rows.dtype, rows.device)
    return torch.view_as_real(spectrum).flatten(-2)


def _from_cosines(cosines: torch.Tensor, count: int) -> torch.Tensor:
    """The ``count`` values of rows that :func:`_cosines` are of."""
    spectrum = torch.view_as_complex(cosines.view(*cosines.shape[:-1], -1, 2))
    shuffled = torch.fft.irfft(spectrum * _half_pixel(count, cosines.dtype, cosines.device).conj(), n=count)
    rows = torch.empty_like(shuffled)
    rows[..., ::2] = shuffled[..., : (count + 1) // 2]
    rows[..., 1::2] = shuffled[..., (count + 1) // 2 :].flip(-1)
    return rows


@functools.lru_cache(maxsize=8)
def _half_pixel(count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """What the centre of the mirror, half a pixel from the first, turns each frequency's phase by."""
    return _phases(np.arange(count // 2 + 1) / (2 * count), dtype, device)


def _phases(half_turns: NDArray[np.float64], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    phases = torch.from_numpy(np.exp(-1j * np.pi * half_turns))
    return phases.to(device, torch.complex64 if dtype == torch.float32 else torch.complex128)


@functools.lru_cache(maxsize=4)
def _cosine_gain(height: int, width: int, ppd: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The MTF at the frequencies of :func:`_cosines` along rows (the first axis here) and columns."""
    down, across = (
        np.stack((half, count - half), -1).ravel() / (2 * count)
        for count, half in ((count, np.arange(count // 2 + 1)) for count in (height, width))
    )
    return torch.from_numpy(mtf(np.hypot(across[:, None], down) * ppd)).to(device, dtype)


@functools.lru_cache(maxsize=4)
def _fine_gains(
    height: int, width: int, ppd: float, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The MTF at every second frequency of the columns of a sheet of twice the size, halved, and the turn between."""
    down, across = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
    gain = torch.from_numpy(mtf(np.hypot(across[:, None], down) * ppd) / 2).to(device, dtype)
    turn = _phases(np.arange(height) / height, dtype, device)
    return gain[:, ::2].contiguous(), gain[:, 1::2].contiguous(), turn
