"""Phase congruency: where the waves that make up an image agree, whatever its contrast."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

SCALES = 4
ORIENTATIONS = 4
SHORTEST_WAVE_PX = 6
WAVE_RATIO = 2
RADIAL_SPREAD = 0.55
ANGULAR_SPREAD = math.pi / ORIENTATIONS / 1.2
CUTOFF = 0.45
CUTOFF_ORDER = 15
NOISE_DEVIATIONS = 2.0
NOISE_OVERESTIMATE = 1.7
EPSILON = 1e-4


def phase_congruency(images: torch.Tensor) -> torch.Tensor:
    """How far the phases of an image's waves agree at every pixel: high on edges and lines, 0 where it is flat.

    Log-Gabor wavelets of four scales s and four orientations o give even and odd responses ``e + i o``. With
    ``S_o`` their sum over scales and ``T_o`` what noise alone would give,
    ``PC = sum_o max(|S_o| - sum_s |component across S_o| - T_o, 0) / sum_o sum_s |response|``.
    The noise is told from the median of the squared responses at the finest scale of each image.

    Args:
        images: ``(N, H, W)``, float32 or float64; gray levels on a scale of 255 (an ``EPSILON`` of 1e-4 of such
            a level keeps rounding from counting as a feature).

    Returns:
        ``(N, H, W)``, the same dtype, in [0, 1].

    Source: Kovesi 1999, Image features from phase congruency, eqs. 10 to 25; constants of Zhang et al. 2011,
    section IV-A.

    >>> step = torch.zeros(1, 64, 64)
    >>> step[:, :, 32:] = 200
    >>> phase_congruency(step)[0, 30, 16:48:4].argmax().item() * 4 + 16
    32
    """
    bank, noise_gains = _wavelets(images.shape[1], images.shape[2], images.dtype, images.device)
    # No wavelet sees the mean; without it less is lost to rounding.
    spectrum = torch.fft.fft2(images - images.mean((1, 2), keepdim=True)).unsqueeze(1)
    energies, amplitudes = torch.zeros_like(images), torch.zeros_like(images)
    for wavelets, noise_gain in zip(bank, noise_gains, strict=True):
        responses = torch.fft.ifft2(spectrum * wavelets)
        powers = _power(responses)
        total = responses.sum(1, keepdim=True)
        across = (responses * total.conj()).imag.abs().sum(1)
        power = _power(total.squeeze(1))
        energy = (power - across) / (_root(power) + EPSILON)
        noise = noise_gain * _root(_median(powers[:, 0].flatten(1)))
        energies = energies + (energy - noise[:, None, None]).clamp(min=0)
        amplitudes = amplitudes + _root(powers).sum(1)
    return energies / (amplitudes + torch.finfo(images.dtype).tiny)


def _power(responses: torch.Tensor) -> torch.Tensor:
    squares = torch.view_as_real(responses).square()
    return squares[..., 0] + squares[..., 1]


def _root(power: torch.Tensor) -> torch.Tensor:
    """The square root, with a gradient at 0 that does not turn the chain's zeros into NaN."""
    return (power + torch.finfo(power.dtype).tiny).sqrt()


def _median(values: torch.Tensor) -> torch.Tensor:
    """The median of each row; of an even number of values the mean of the middle two."""
    length = values.shape[1]
    lower = values.topk(length // 2 + 1, largest=False, sorted=False).values
    return lower.topk(2 - length % 2).values.mean(1)


@functools.lru_cache(maxsize=8)
def _wavelets(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, list[float]]:
    """The wavelets' transfer functions ``(orientations, scales, H, W)``, and each orientation's noise for a
    median of 1."""
    y, x = np.meshgrid(_frequencies(height), _frequencies(width), indexing="ij")
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    band = 1 / (1 + (radius / CUTOFF) ** (2 * CUTOFF_ORDER))
    radius[0, 0] = 1
    radial = []
    for scale in range(SCALES):
        wave_px = SHORTEST_WAVE_PX * WAVE_RATIO**scale
        bell = np.exp(-(np.log(radius * wave_px) ** 2) / (2 * math.log(RADIAL_SPREAD) ** 2)) * band
        bell[0, 0] = 0
        radial.append(bell)
    bank, noise_gains = [], []
    for orientation in range(ORIENTATIONS):
        apart = angle - orientation * math.pi / ORIENTATIONS
        apart = np.arctan2(np.sin(apart), np.cos(apart))
        wavelets = np.stack(radial) * np.exp(-(apart**2) / (2 * ANGULAR_SPREAD**2))
        bank.append(wavelets)
        noise_gains.append(_noise_gain(wavelets))
    # Cached tensors must be ordinary ones, even if the first call comes from inference mode.
    with torch.inference_mode(False):
        return torch.from_numpy(np.stack(bank)).to(device, dtype), noise_gains


def _noise_gain(wavelets: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """What noise adds to the energy of one orientation, where its squared response has the median 1.

    The squared response to noise falls off exponentially, so its mean is ``median / ln 2``; the sum over
    scales follows Rayleigh's law, of which mean and deviations are taken.
    """
    finest = float((wavelets[0] ** 2).sum())
    if finest == 0:  # an image of one or two pixels has no wave this short
        return 0.0
    pixels = wavelets[0].size
    together = float((np.fft.ifft2(wavelets).real.sum(0) ** 2).sum()) * pixels
    rayleigh = math.sqrt(together / finest / math.log(2))
    return rayleigh * (math.sqrt(math.pi / 2) + NOISE_DEVIATIONS * math.sqrt(2 - math.pi / 2)) / NOISE_OVERESTIMATE


def _frequencies(length: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Cycles per pixel in the order of the transform; odd lengths are spread over ``length - 1``, as the authors'
    program has it."""
    steps = np.fft.fftfreq(length) * length
    return steps / max(length - length % 2, 1)
