"""The contrast sensitivity of the nerves behind the eye: how faint a pattern can be and still be seen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.metrics.hdrvdp.interpolation import looked_up, resized, table
from exposurebench.metrics.hdrvdp.optics import mtf
from exposurebench.metrics.hdrvdp.receptors import LOG_RANGE

Rows = tuple[tuple[float, float, float, float, float], ...]
"""The light in cd/m2 at which four parameters were fitted, and those four; light rises from row to row."""

ROWS = 256


def sensitivity(frequency: Any, light: Any, rows: Rows, without_optics: bool) -> NDArray[np.float64]:
    """The sensitivity to a pattern, ``p4 / sqrt((1 + (p1 f) ** p2) / (1 - exp(-(f / 7) ** 2)) ** p3)``.

    The four parameters lie linearly between the rows over log10 of the light. No pattern, no sensitivity.

    Args:
        frequency: cycles per degree.
        light: cd/m2 that the eye is adapted to; broadcast against frequency.
        rows: the version's fit.
        without_optics: the fit is of the whole eye: divide by its :func:`mtf` and take frequencies up to
            1e-4 as none.
    """
    rho, level = np.broadcast_arrays(np.asarray(frequency, np.float64), np.asarray(light, np.float64))
    fitted = np.array(rows).T
    p1, p2, p3, p4 = (np.interp(np.log10(level), np.log10(fitted[0]), column) for column in fitted[1:])
    seen = rho > (1e-4 if without_optics else 0)
    safe = np.where(seen, rho, 1.0)
    curve = p4 / np.sqrt((1 + (p1 * safe) ** p2) / (1 - np.exp(-((safe / 7) ** 2))) ** p3)
    return np.where(seen, curve / mtf(safe) if without_optics else curve, 0.0)


def noises(
    adapted: torch.Tensor, bands: Sequence[torch.Tensor], frequencies: Sequence[float], rows: Rows, without_optics: bool
) -> list[torch.Tensor]:
    """The noise that hides a pattern, ``1 / sensitivity``, at every place of some bands.

    Args:
        adapted: ``(N, 1, H, W)``, log10 of the light that each place is adapted to, see :func:`adaptation`.
        bands: whose sizes count.
        frequencies: of the bands, in cycles per degree.
        rows: the version's fit.
        without_optics: see :func:`sensitivity`.

    Returns:
        ``(N, 1, h, w)`` for each band.
    """
    low, high = LOG_RANGE
    places: dict[tuple[int, int], torch.Tensor] = {}
    found = []
    for band, frequency in zip(bands, frequencies, strict=True):
        size = band.shape[2], band.shape[3]
        if size not in places:
            level = resized(adapted, size).clamp(low, high)
            places[size] = level.sub_(low).mul_((ROWS - 1) / (high - low)).clamp_(0, ROWS - 1)
        curve = _table(frequency, rows, without_optics, adapted.dtype, adapted.device)
        found.append(looked_up(places[size], curve).reciprocal_())
    return found


def adaptation(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """log10 of the mean of the light that two images adapt the eye to, held in [-5, 5]."""
    low, high = LOG_RANGE
    return ((prediction + target) / 2).clamp_(10**low, 10**high).log10_()


@functools.lru_cache(maxsize=64)
def _table(
    frequency: float, rows: Rows, without_optics: bool, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    light = 10 ** np.linspace(*LOG_RANGE, ROWS)
    return table(sensitivity(frequency, light, rows, without_optics), dtype, device)


def filtered(
    residual: torch.Tensor, light: torch.Tensor, outside: torch.Tensor, pixels_per_degree: float, rows: Rows
) -> torch.Tensor:
    """The residual band times the sensitivity at one light an image, frequency by frequency.

    Args:
        residual: ``(N, 1, h, w)``.
        light: ``(N,)`` in cd/m2, what each image adapts the eye to.
        outside: ``(1 or N, 1, 1, 1)``, what fills the sheet of twice the size.
        pixels_per_degree: of the band.
        rows: the version's fit.
    """
    height, width = residual.shape[2:]
    down, across = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
    rho = np.hypot(down[:, None], across) * pixels_per_degree
    gain = _numbers(light, lambda level: sensitivity(rho, level[:, None, None, None], rows, False))
    # To what fills the sheet, a constant, the sensitivity is 0.
    spectrum = torch.fft.rfft2(residual - outside, s=(2 * height, 2 * width)) * gain
    seen: torch.Tensor = torch.fft.irfft2(spectrum, s=(2 * height, 2 * width))[..., :height, :width]
    return seen


def residual_noise(
    difference: torch.Tensor, adapted: torch.Tensor, pixels_per_degree: float, rows: Rows
) -> torch.Tensor:
    """One noise for the residual band of each pair: that of the frequency at which the images differ most.

    Args:
        difference: of the residual bands, ``(N, 1, h, w)``.
        adapted: ``(N, 1, H, W)``, see :func:`adaptation`.
        pixels_per_degree: of the band.
        rows: the version's fit.

    Returns:
        ``(N, 1, 1, 1)``, infinite where nothing but the mean differs.
    """
    rho = strongest_frequency(difference, pixels_per_degree).numpy()
    light = 10 ** resized(adapted, (difference.shape[2], difference.shape[3])).mean((1, 2, 3))
    return _numbers(light, lambda level: sensitivity(rho, level, rows, True)).view(-1, 1, 1, 1).reciprocal_()


def _numbers(light: torch.Tensor, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> torch.Tensor:
    """A function of a few numbers in double precision, put back where they came from."""
    return torch.from_numpy(of(light.double().cpu().numpy())).to(light.device, light.dtype)


def strongest_frequency(band: torch.Tensor, pixels_per_degree: float) -> torch.Tensor:
    """The frequency in cycles per degree at which each band has the largest magnitude, the mean left out: ``(N,)``."""
    height, width = band.shape[2:]
    size = torch.fft.fft2(band[:, 0]).abs()
    size[:, 0, 0] = 0
    first = size.transpose(1, 2).flatten(1).argmax(1)  # of equals the first, column by column
    down, across = np.fft.fftfreq(height), np.fft.fftfreq(width)
    rho = np.hypot(down, across[:, None]).ravel() * pixels_per_degree
    return torch.from_numpy(rho)[first.cpu()]
