"""Adaptation, and what cones and rods answer to light."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.metrics.hdrvdp.blurring import blurred
from exposurebench.metrics.hdrvdp.interpolation import looked_up, table

LOG_RANGE = (-5.0, 5.0)
"""log10 of the light that the tables cover."""
ROWS = 2048


@dataclass(frozen=True)
class Receptors:
    """The constants of one version.

    ``joint``: ``s(L) = c1 ((c2 / L) ** c3 + 1) ** -c4`` of cones and rods together. ``rod``: its six numbers
    ``r1..r6`` of ``10 ** r6 exp(-|log10(L / r1)| ** e / w)`` with ``e, w = r5, r4`` above r1, ``r3, r2`` at
    or below. ``gain`` turns the integral into the answer.
    """

    joint: tuple[float, float, float, float]
    rod: tuple[float, float, float, float, float, float]
    gain: float


def local_adaptation(cones: torch.Tensor, pixels_per_degree: float) -> torch.Tensor:
    """The natural logarithm of the light a place is adapted to: a blur of the logarithm, over about 0.17 degrees.

    Args:
        cones: ``(N, 1, H, W)``, what L and M cones catch together.
        pixels_per_degree: of visual angle.
    """
    return blurred(cones.clamp(min=1e-6).log_(), 10**-0.781367 * pixels_per_degree, "replicate")


def pupil_gain(log_adaptation: torch.Tensor, degrees2: float) -> torch.Tensor:
    """How much more light the pupil of an eye of 24 years lets in than that of the measured eyes of 28.

    ``d(y) = s + (y - 28.58)(0.02132 - 0.009562 s)``, ``s = 7.75 - 5.75 t / (t + 2)``,
    ``t = (g A / 846) ** 0.41`` with g the geometric mean of the adaptation and A the area; the gain is
    ``d(24) ** 2 / d(28) ** 2``.

    Returns:
        ``(N, 1, 1, 1)``.

    Source: Watson and Yellott 2012, A unified formula for light-adapted pupil size.
    """
    t = (log_adaptation.mean((1, 2, 3), keepdim=True).exp() * (degrees2 / 846)) ** 0.41
    s = 7.75 - 5.75 * t / (t + 2)
    young, measured = (s + (age - 28.58) * (0.02132 - 0.009562 * s) for age in (24, 28))
    return (young / measured) ** 2


def response(catch: torch.Tensor, receptors: Receptors) -> torch.Tensor:
    """What the receptors answer to the light they catch, summed: ``cone(L) + cone(M) + rod(R)``.

    Args:
        catch: ``(N, 3, H, W)``, the light that L cones, M cones and rods catch.
        receptors: the version's constants.

    Returns:
        ``(N, 1, H, W)``, without unit.
    """
    low, high = LOG_RANGE
    cone, rod = _tables(receptors, catch.dtype, catch.device)
    places = catch.clamp(10**low, 10**high).log10_().sub_(low).mul_((ROWS - 1) / (high - low)).clamp_(0, ROWS - 1)
    answer = looked_up(places[:, 0:2], cone).sum(1, keepdim=True)
    return answer.add_(looked_up(places[:, 2:3], rod))


def response_tables(receptors: Receptors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The answers of cones and rods at 2048 lights, equally spaced in log10 from 1e-5 to 1e5.

    The answer is ``gain`` times the integral of the sensitivity over ``ln L``. A cone has half of what the
    joint sensitivity leaves when the rods have theirs, at twice the light.
    """
    log_light = np.linspace(*LOG_RANGE, ROWS)
    light = 10**log_light
    rods = rod_sensitivity(light, receptors.rod)
    c1, c2, c3, c4 = receptors.joint
    joint = c1 * ((c2 / light) ** c3 + 1) ** -c4
    both = np.maximum(joint - rods, 1e-3)
    cones = 0.5 * np.interp(np.minimum(2 * light, 10 ** LOG_RANGE[1]), light, both)
    cone, rod = (receptors.gain * _integral(s * np.log(10), log_light) for s in (cones, rods))
    return cone, rod


def rod_sensitivity(light: NDArray[np.float64], rod: tuple[float, ...]) -> NDArray[np.float64]:
    """The sensitivity of rods to light; see :class:`Receptors`."""
    r1, r2, r3, r4, r5, r6 = rod
    above = light > r1
    distance = np.abs(np.log10(light / r1))
    exponent = np.where(above, distance**r5 / r4, distance**r3 / r2)
    sensitivity: NDArray[np.float64] = 10**r6 * np.exp(-exponent)
    return sensitivity


def _integral(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(0.0, np.cumsum(np.diff(at) * (values[1:] + values[:-1]) / 2))


@functools.lru_cache(maxsize=16)
def _tables(receptors: Receptors, dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    cone, rod = response_tables(receptors)
    return table(cone, dtype, device), table(rod, dtype, device)
