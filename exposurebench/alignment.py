"""Steps between light and a score: absolute scale, gain or percentile alignment, and CRF correction.

Nothing in one photograph tells a method how bright the scene was, nor what the camera's curve did to it. What
a score says about such things is chance, so the headline protocol takes them out of the prediction first:
one gain fitted where the input shows the light, then one tone and colour curve for the whole image (Hanji et
al. 2022). Alignments by extremes are there because papers used them; a few bright pixels can turn them.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from exposurebench.color import REC709, REC709_PRIMARIES, rgb_to_xyz, weighted
from exposurebench.perception import PU21_BLACK, pq_decode, pq_encode, uv_to_xyz, xyz_to_uv
from exposurebench.tensors import checked_mask, checked_pair

Alignment = Literal["gain", "percentile", "none"]
Scale = Literal["white100", "white203", "peak4000", "nits"]

DISPLAY_PEAK = 1000.0
"""The brightest light of the display on which images are compared, in cd/m2."""
EXTREMES = 1000
"""Percentile alignment leaves out one value in so many at either end."""
OTHER_UNIT = 10.0
"""A prediction this many times darker than its target is in another unit, whatever the files say."""
RIDGE = 0.01
_DEGREE = 3
_LEAST_V = 0.01
"""Below every real colour; a curve that leaves them must not divide by zero."""


def to_nits(
    prediction: torch.Tensor, target: torch.Tensor, *, scale: Scale = "white100"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give relative light an absolute scale: both sides times one number for each pair.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709, where 1 is the white of an ordinary photograph.
        target: the same shape and dtype.
        scale: ``white100`` and ``white203`` put that white at 100 or 203 cd/m2; ``peak4000`` puts the
            brightest channel of the target at 4000 (compare with ``peak_nits=4000`` then); ``nits`` is for light
            that is in cd/m2 already.

    Returns:
        Both in cd/m2, from the black of the display (0.005) up; what its peak clips is left to :func:`align`.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, negative light, an image without any light, an unknown
            scale.

    >>> light = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
    >>> [side.flatten().tolist() for side in to_nits(light, 2 * light)]
    [[0.004999999888241291, 50.0, 100.0], [0.004999999888241291, 100.0, 200.0]]
    """
    if scale not in get_args(Scale):
        raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}, not {scale!r}")
    checked_pair(prediction, target, peak=None)
    for name, light in (("prediction", prediction), ("target", target)):
        if (light.detach().amax((1, 2, 3)) == 0).any():
            raise ValueError(f"{name} is black all over an image, and there is no light to score")
    factor: float | torch.Tensor = {"white100": 100.0, "white203": 203.0}.get(scale, 1.0)
    if scale == "peak4000":
        factor = 4000 / target.amax((1, 2, 3), keepdim=True)
    return (factor * prediction).clamp(min=PU21_BLACK), (factor * target).clamp(min=PU21_BLACK)


def shown(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    scale: Scale = "white100",
    alignment: Alignment = "gain",
    crf_correction: bool = True,
    peak_nits: float = DISPLAY_PEAK,
    unclipped: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """All steps between the light of two files and a metric of cd/m2: :func:`to_nits`, then :func:`align`.

    These settings are settings of every metric that takes absolute light. Where an alignment follows, a prediction may
    be in any unit: one that is more than ten times darker than its target (by the geometric mean of the pixels that
    count for the gain and have light), or nowhere above 1 cd/m2, is brought there first. Else the display's black would
    swallow what the gain is to lift.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 at or above 0, float32 or float64.
        target: the same shape and dtype.
        scale: see :func:`to_nits`.
        alignment: see :func:`align`, as are
        crf_correction: and
        peak_nits: and
        unclipped: here.

    Returns:
        Prediction and target, float64, from 0.005 to ``peak_nits`` cd/m2. Equal images come back equal.

    Raises:
        TypeError, ValueError: as these two.

    >>> light = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> ours, theirs = shown(light / 4, light)
    >>> torch.allclose(ours, theirs), round(theirs.max().item())
    (True, 100)
    """
    ours, theirs = to_nits(prediction, target, scale=scale)
    if alignment != "none":
        gain = _rough_gain(prediction, target, unclipped)
        other_unit = (gain > OTHER_UNIT) | (ours.amax((1, 2, 3), keepdim=True) <= 1)
        if other_unit.any():
            ours, _ = to_nits(torch.where(other_unit, gain * prediction, prediction), target, scale=scale)
    return align(
        ours,
        theirs,
        alignment=alignment,
        crf_correction=crf_correction,
        peak_nits=peak_nits,
        unclipped=unclipped,
    )


def align(
    prediction: torch.Tensor,
    target: torch.Tensor,
    *,
    alignment: Alignment = "gain",
    crf_correction: bool = True,
    peak_nits: float = DISPLAY_PEAK,
    unclipped: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bring a prediction's light to its target's as a protocol says, and both to what a display shows.

    In this order: ``alignment``; light beyond the display's black (0.005) and ``peak_nits`` becomes that on both
    sides; ``crf_correction``, and the same again. All in float64.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0, float32 or float64.
        target: the same shape and dtype.
        alignment: ``gain`` (:func:`align_gain`), ``percentile`` (:func:`align_percentiles`) or ``none``.
        crf_correction: whether :func:`correct_crf` follows.
        peak_nits: the peak of the display in cd/m2, above 1; for white, and so for each channel.
        unclipped: for ``gain``, ``(N, 1, H, W)`` weights: 0 where the input of the pair is clipped (at black
            or at white), 1 where it shows the light. None: nothing of the input was clipped.

    Returns:
        Prediction and target, float64, from 0.005 to ``peak_nits`` cd/m2. Equal images come back equal.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, zero or negative light, light that looks relative,
            wrong weights, an unknown alignment, a peak at or below 1.

    >>> target = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 500 + 1
    >>> ours, theirs = align(target / 4, target)
    >>> torch.allclose(ours, theirs)
    True
    """
    if alignment not in get_args(Alignment):
        raise ValueError(f"alignment must be one of {', '.join(get_args(Alignment))}, not {alignment!r}")
    if not peak_nits > 1:
        raise ValueError(f"peak_nits must be above 1 cd/m2, not {peak_nits}")
    checked_light(prediction, target)
    ours, theirs = prediction.double(), target.double()
    if alignment == "gain":
        ours = align_gain(ours, theirs, unclipped=unclipped)
    elif alignment == "percentile":
        ours = align_percentiles(ours, theirs)
    ours, theirs = ours.clamp(PU21_BLACK, peak_nits), theirs.clamp(PU21_BLACK, peak_nits)
    if crf_correction:
        ours = correct_crf(ours, theirs).clamp(PU21_BLACK, peak_nits)
    return ours, theirs


def checked_light(prediction: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give back two batches of light in cd/m2 that can be scored against each other, or say why they cannot.

    Beyond what :func:`exposurebench.tensors.checked_pair` asks: light above 0 everywhere, and above 1 cd/m2
    somewhere in every image, as relative light in [0, 1] is not.

    Raises:
        TypeError, ValueError: as there, and for these two.

    >>> checked_light(torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.5))
    Traceback (most recent call last):
    ValueError: prediction peaks at 0.5 and cd/m2 are expected: relative light needs a scale first (scale=white100 puts \
1 at 100 cd/m2), and light of another unit its factor
    """
    checked_pair(prediction, target, peak=None)
    for name, light in (("prediction", prediction), ("target", target)):
        values = light.detach()
        if not values.min() > 0:
            raise ValueError(
                f"{name} must lie above 0 cd/m2 and holds zeros: raise them to the black of a display, {PU21_BLACK:g} cd/m2"
            )
        if (peak := values.amax((1, 2, 3)).min()) <= 1:
            raise ValueError(
                f"{name} peaks at {peak:g} and cd/m2 are expected: relative light needs a scale first (scale=white100 puts 1 at 100 cd/m2), and light of another unit its factor"
            )
    return prediction, target


def align_gain(
    prediction: torch.Tensor, target: torch.Tensor, *, unclipped: torch.Tensor | None = None
) -> torch.Tensor:
    """The prediction times the one number that brings it nearest to the target in log luminance.

    ``g = exp(sum w (ln Y_target - ln Y_prediction) / sum w)``, the least squares fit, image by image. Pixels
    that the input lost have no weight, so nothing that a method puts there can move the gain.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709, above 0.
        target: the same shape and dtype.
        unclipped: the weights w, ``(N, 1, H, W)``, bool or in [0, 1]; None for 1 everywhere.

    Returns:
        The prediction's shape and dtype.

    Raises:
        TypeError: weights that are not bool, float32 or float64.
        ValueError: weights of another shape or device, outside [0, 1], or 0 all over an image.

    >>> target = torch.tensor([1.0, 10.0, 100.0]).expand(1, 3, 1, 3)
    >>> clipped = (2 * target).clamp(max=20)
    >>> align_gain(clipped, target, unclipped=clipped[:, :1] < 20)[0, 0, 0].tolist()
    [1.0, 10.0, 10.0]
    """
    ratio = _luminance(target).log() - _luminance(prediction).log()
    if unclipped is None:
        exponent = ratio.mean((1, 2, 3), keepdim=True)
    else:
        weights = checked_mask(unclipped, ratio, "unclipped")
        if (weights.sum((1, 2, 3)) == 0).any():
            raise ValueError("unclipped is 0 all over an image: where the input shows no light there is no gain to fit")
        exponent = (weights * ratio).sum((1, 2, 3), keepdim=True) / weights.sum((1, 2, 3), keepdim=True)
    return exponent.exp() * prediction


def _rough_gain(prediction: torch.Tensor, target: torch.Tensor, unclipped: torch.Tensor | None) -> torch.Tensor:
    """As :func:`align_gain` fits it, over the pixels that have light in both; 1 where there are none."""
    ours, theirs = _luminance(prediction), _luminance(target)
    weights = ((ours > 0) & (theirs > 0)).to(ours)
    if unclipped is not None:
        weights = weights * checked_mask(unclipped, ours, "unclipped")
    ratio = torch.where(weights > 0, theirs.log() - ours.log(), 0)
    total = weights.sum((1, 2, 3), keepdim=True)
    return ((weights * ratio).sum((1, 2, 3), keepdim=True) / total.clamp(min=1)).exp()


def align_percentiles(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The prediction on the straight line that brings its 0.1 % and 99.9 % order statistics to the target's.

    Over all values of the three channels, image by image; what falls below the black of the display (0.005 cd/m2)
    becomes that. This is a protocol of earlier papers, kept to repeat them: whoever brightens more than one
    clipped value in a thousand sets the scale of the whole image.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2.
        target: the same shape and dtype.

    Returns:
        The prediction's shape and dtype, from 0.005 cd/m2.

    Source: Marnerides et al. 2018, section 5 (scene-referred); the order statistics of Liu et al. 2020.

    >>> target = torch.linspace(1, 500, 3000).view(1, 3, 25, 40)
    >>> torch.allclose(align_percentiles(0.3 * target + 7, target), target, atol=1e-3)
    True
    """
    (low, high), (target_low, target_high) = _extremes(prediction), _extremes(target)
    slope = (target_high - target_low) / (high - low).clamp(min=1e-8)
    return (slope * (prediction - low) + target_low).clamp(min=PU21_BLACK)


def near_peak(light: torch.Tensor) -> torch.Tensor:
    """The 99.9th percentile of an image's values (order statistic), ``(N, 3, H, W)`` to ``(N, 1, 1, 1)``.

    >>> near_peak(torch.arange(3000.0).view(1, 3, 25, 40)).item()
    2997.0
    """
    return _extremes(light)[1]


def correct_crf(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The prediction under the tone curve and the colour curve that bring it nearest to the target.

    Luminance goes through the cubic that fits best in PQ (``y = c0 + c1 x + c2 x^2 + c3 x^3``, plain least
    squares over all pixels). Chromaticity goes through ``[u', v'] = M [1 u v u^2 v^2 u^3 v^3 uv]`` with M by
    least squares over all pixels and a ridge of 0.01 (pixels / terms) towards leaving it as it is. Global
    curves cannot make detail up, so what is left to score is what was lost and what was invented.

    Args:
        prediction: ``(N, 3, H, W)``, linear Rec. 709 in cd/m2, above 0.
        target: the same shape and dtype.

    Returns:
        The prediction's shape and dtype, in cd/m2 from 0; untouched where it equals the target.

    Source: Hanji et al. 2022, section 4.

    >>> target = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double() * 500 + 1
    >>> gray = target.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    >>> bent = 40 * (gray / 40) ** 0.9
    >>> (correct_crf(bent, gray) / gray - 1).abs().max().item() < 0.01
    True
    """
    matrix = torch.from_numpy(rgb_to_xyz(REC709_PRIMARIES)).to(prediction)
    ours, theirs = ((matrix @ side.flatten(2)).unbind(1) for side in (prediction, target))
    signal = pq_encode(ours[1])
    luminance = pq_decode(signal + _cubic(signal, pq_encode(theirs[1]) - signal))
    u, v = xyz_to_uv(*ours)
    target_u, target_v = xyz_to_uv(*theirs)
    terms = torch.stack((torch.ones_like(u), u, v, u**2, v**2, u**3, v**3, u * v), 1)
    shift = _ridge(terms, torch.stack((target_u - u, target_v - v), 1))
    xyz = torch.stack(uv_to_xyz(u + shift[:, 0], (v + shift[:, 1]).clamp(min=_LEAST_V), luminance), 1)
    corrected = (torch.linalg.inv(matrix) @ xyz).clamp(min=0).view_as(prediction)
    # An image fits itself, but not to the last digit through PQ and back.
    same = (prediction == target).flatten(1).all(1).view(-1, 1, 1, 1)
    return torch.where(same, prediction, corrected)


def _cubic(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The least squares cubic of ``(N, pixels)``, at x, by polynomials orthogonal over the pixels (Forsythe 1957).

    One that is 0 on all pixels, as in an image of few levels, has nothing to fit; so have all that follow.
    """
    low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    x = (2 * x - low - high) / (high - low).clamp(min=1e-12)
    before, now = torch.zeros_like(x), torch.ones_like(x)
    size_before, fitted = torch.ones_like(low), torch.zeros_like(x)
    for _ in range(_DEGREE + 1):
        size = _dot(now, now)
        there = size > 1e-20 * x.shape[1]
        now, size = there * now, torch.where(there, size, 1)
        fitted = torch.addcmul(fitted, _dot(y, now) / size, now)
        raised = x * now
        middle = _dot(raised, now) / size
        before, now = now, raised - middle * now - there * size / size_before * before
        size_before = size
    return fitted


def _dot(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The scalar product of two ``(N, pixels)``, ``(N, 1)``, without a temporary of that size."""
    product: torch.Tensor = (first.unsqueeze(1) @ second.unsqueeze(2)).squeeze(2)
    return product


def _ridge(terms: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Shifts ``(N, 2, pixels)`` as terms ``(N, terms, pixels)`` explain them, with a ridge towards none."""
    count, pixels = terms.shape[1:]
    ridge = RIDGE * pixels / count * torch.eye(count, dtype=terms.dtype, device=terms.device)
    matrix: torch.Tensor = torch.linalg.solve(terms @ terms.mT + ridge, terms @ shifts.mT)
    return matrix.mT @ terms


def _luminance(light: torch.Tensor) -> torch.Tensor:
    luminance: torch.Tensor = weighted(light[:, 0:1], light[:, 1:2], light[:, 2:3], REC709)
    return luminance


def _extremes(light: torch.Tensor) -> list[torch.Tensor]:
    values = light.flatten(1)
    left_out = max(1, values.shape[1] // EXTREMES)
    places = (left_out, values.shape[1] - left_out + 1)
    return [values.kthvalue(place, 1).values.view(-1, 1, 1, 1) for place in places]
