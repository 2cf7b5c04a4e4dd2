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
    transfer = _transfer(light.shape[2], light.shape[3], ppd, light.dtype, light.device)
    # Light beyond the surround's is filtered alone: the transfer of a constant is 1.
    beyond = light if surround is None else light - surround
    filtered = _mirrored if surround is None else _in_the_dark
    # One channel after the other: what lies between the transforms stays near.
    seen = torch.cat([filtered(channel, transfer) for channel in torch.split(beyond, 1, 1)], 1)
    return (seen if surround is None else seen.add_(surround)).clamp_(1e-5, 1e10)


def _in_the_dark(light: torch.Tensor, transfer: torch.Tensor) -> torch.Tensor:
    """The rows of the sheet that hold nothing are never transformed along themselves."""
    height, width = light.shape[2:]
    spectrum = torch.fft.fft(torch.fft.rfft(light, n=2 * width).transpose(2, 3).contiguous(), n=2 * height)
    spectrum *= transfer.T
    rows = torch.fft.ifft(spectrum)[..., :height].transpose(2, 3)
    seen: torch.Tensor = torch.fft.irfft(rows, n=2 * width)[..., :width]
    return seen


def _mirrored(light: torch.Tensor, transfer: torch.Tensor) -> torch.Tensor:
    """A mirrored sheet has a spectrum of cosines alone, as many as the image has pixels."""
    height, width = light.shape[2:]
    cosines = _cosines(_cosines(light).transpose(2, 3).contiguous())
    cosines *= transfer[:height, :width].T
    return _from_cosines(_from_cosines(cosines).transpose(2, 3).contiguous())


def _cosines(rows: torch.Tensor) -> torch.Tensor:
    """The discrete cosine transform of rows, but for a factor of 2."""
    count = rows.shape[-1]
    spectrum = torch.view_as_real(torch.fft.rfft(torch.cat((rows, rows.flip(-1)), -1))[..., :count])
    turn = torch.view_as_real(_half_pixel(count, rows.dtype, rows.device))
    return spectrum[..., 0] * turn[:, 0] + spectrum[..., 1] * turn[:, 1]


def _from_cosines(cosines: torch.Tensor) -> torch.Tensor:
    count = cosines.shape[-1]
    turned = cosines * _half_pixel(count, cosines.dtype, cosines.device)
    rows: torch.Tensor = torch.fft.irfft(turned, n=2 * count)[..., :count]
    return rows


@functools.lru_cache(maxsize=8)
def _half_pixel(count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """What the centre of the mirror, half a pixel from the first, turns each frequency's phase by."""
    turn = torch.from_numpy(np.exp(1j * np.pi * np.arange(count) / (2 * count)))
    return turn.to(device, torch.complex64 if dtype == torch.float32 else torch.complex128)


@functools.lru_cache(maxsize=4)
def _transfer(height: int, width: int, ppd: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The MTF on the half plane of frequencies of a sheet of twice the image's size."""
    down, across = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
    return torch.from_numpy(mtf(np.hypot(down[:, None], across) * ppd)).to(device, dtype)
