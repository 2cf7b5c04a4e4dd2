"""The contrast sensitivity of the nerves behind the eye: how faint a pattern can be and still be seen."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.metrics.hdrvdp.interpolation import looked_up, table
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


def noise(log_light: torch.Tensor, frequency: float, rows: Rows, without_optics: bool) -> torch.Tensor:
    """The noise that hides a pattern, ``1 / sensitivity``, at every place of a band.

    Args:
        log_light: ``(N, 1, h, w)``, log10 of the light that a place is adapted to.
        frequency: of the band, in cycles per degree.
        rows: the version's fit.
        without_optics: see :func:`sensitivity`.
    """
    low, high = LOG_RANGE
    place = log_light.clamp(low, high).sub_(low).mul_((ROWS - 1) / (high - low)).clamp_(0, ROWS - 1)
    return looked_up(place, _table(frequency, rows, without_optics, place.dtype, place.device)).reciprocal_()


@functools.lru_cache(maxsize=64)
def _table(
    frequency: float, rows: Rows, without_optics: bool, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    light = 10 ** np.linspace(*LOG_RANGE, ROWS)
    return table(sensitivity(frequency, light, rows, without_optics), dtype, device)


def filtered(
    residual: torch.Tensor, light: torch.Tensor, outside: torch.Tensor, pixels_per_degree: float, rows: Rows
) -> torch.Tensor:
    """The residual band after the nerves' sensitivity at one light an image, by its spectrum.

    Args:
        residual: ``(N, 1, h, w)``.
        light: ``(N,)`` in cd/m2, the mean that each image adapts to.
        outside: ``(1 or N, 1, 1, 1)``, what fills the sheet of twice the size.
        pixels_per_degree: of the band.
        rows: the version's fit.
    """
    height, width = residual.shape[2:]
    down, across = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
    rho = np.hypot(down[:, None], across) * pixels_per_degree
    level = light.double().cpu().numpy()[:, None, None, None]
    gain = torch.from_numpy(sensitivity(rho, level, rows, False)).to(residual.device, residual.dtype)
    spectrum = torch.fft.rfft2(residual - outside, s=(2 * height, 2 * width))
    # The part that fills the sheet is a constant, to which the sensitivity is 0.
    return torch.fft.irfft2(spectrum * gain, s=(2 * height, 2 * width))[..., :height, :width]


def strongest_frequency(band: torch.Tensor, pixels_per_degree: float) -> torch.Tensor:
    """The frequency in cycles per degree at which each band has the largest magnitude, the mean left out: ``(N,)``."""
    height, width = band.shape[2:]
    size = torch.fft.fft2(band[:, 0]).abs()
    size[:, 0, 0] = 0
    first = size.transpose(1, 2).flatten(1).argmax(1)  # of equals the first, column by column
    down, across = np.fft.fftfreq(height), np.fft.fftfreq(width)
    rho = np.hypot(down, across[:, None]).ravel() * pixels_per_degree
    return torch.from_numpy(rho)[first.cpu()]
