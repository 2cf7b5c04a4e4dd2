"""Where the error of a prediction comes from."""

from __future__ import annotations

import torch

from exposurebench.tensors import checked_mask, checked_pair

TITLE = "where the error comes from: exposure, tone, colour, detail that could be recovered or had to be invented"
TAKES = "srgb"
UNIT = "levels²"
RANGE = (0.0, None)
BETTER = "lower"
REFERENCE = "definition of this project: least squares in steps, each part the error that its step takes away"
VERSION = 1
COLUMNS = ("total", "gain", "tone", "color", "recoverable", "invented")
WHOLE = "total"
PROTOCOL = {
    "steps": "gain, tone curve, colour matrix; what is left: recoverable where the input is not clipped, else invented",
    "fit": "least squares over pixels not clipped in the input; gain and curve of the sum of the channels",
    "curve": "one for all channels, straight between 17 knots",
    "encoding": "display",
    "border_px": 0,
    "pooling": "mean squared error over pixels and channels, in levels of 255",
    "precision": "float64",
}

KNOTS = 17
"""Of the tone curve on [0, 1]: 0, 1/16, ..., 1."""
_RESOLVED = 1e-9
"""Directions of a curve in which the pixels say less than this share of what they say in the clearest are not fitted."""
_CHUNK = 1 << 18
"""Pixels whose place on the curve is held at once."""


def error_parts(
    prediction: torch.Tensor, target: torch.Tensor, *, unclipped: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """The squared error of a prediction as a sum of what gain, tone, colour and detail have in it.

    Three corrections of the prediction p are fitted to the target t in turn, by least squares over the pixels U that
    the input does not clip:

    - gain: ``F1 = g p``, with ``sum_c t_c ~ g sum_c p_c``;
    - tone: ``F2_c = g p_c + b(p_c)``, with ``sum_c t_c ~ sum_c F2_c``, one curve b for all channels, straight between
      17 knots and 0 at knots near which there is no pixel;
    - color: ``F3 = M f2``, with ``t ~ M f2`` for a 3 x 3 matrix M.

    Sums of channels, because what exchanges channels is neither exposure nor tone, and channel by channel a curve
    would take half of it for a lack of contrast. From ``f0 = p``, each is taken as far as it helps, in the unclipped
    and in the clipped area A by itself: ``f_k = f_(k-1) + s (F_k - f_(k-1))`` with the s in [0, 1] that leaves the
    least ``|t - f_k|^2`` in A. A step's part is what the error loses by it, in both areas together. So no part is
    negative, they add up to the whole, and the clipped area is measured by what the unclipped one says of it.

    Args:
        prediction: ``(N, 3, H, W)``, display-encoded, in [0, 1], float32 or float64.
        target: the same shape and dtype.
        unclipped: ``(N, 1, H, W)``, 1 where the input is not clipped; everywhere where it is None.

    Returns:
        ``(N,)`` float64 each, in squared levels of 255, from 0 up: ``total``, the mean squared error, and its parts
        ``gain``, ``tone``, ``color``, ``recoverable`` (what is left in the unclipped area) and ``invented`` (what is
        left in the clipped one). The total is their sum.

    Raises:
        TypeError: integers or half precision.
        ValueError: unequal or wrong shapes, NaN, infinity, values outside [0, 1], an area of another shape.

    >>> target = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> parts = error_parts(0.8 * target, target)
    >>> [name for name, values in parts.items() if values.item() > 1e-6]
    ['total', 'gain']
    """
    checked_pair(prediction, target)
    area = torch.ones_like(target[:, :1]) if unclipped is None else checked_mask(unclipped, target, "unclipped")
    rows = [_parts(p, t, a) for p, t, a in zip(prediction.double(), target.double(), area > 0.5, strict=True)]
    parts = torch.stack(rows, 1) * 255**2
    return {"total": parts.sum(0), **dict(zip(COLUMNS[1:], parts, strict=True))}


def _parts(prediction: torch.Tensor, target: torch.Tensor, unclipped: torch.Tensor) -> torch.Tensor:
    """Of one image ``(3, H, W)``: the parts in the order of their columns, as shares of the square of white."""
    inside = unclipped.expand_as(target)
    given, wanted = ([side[where].view(3, -1) for where in (inside, ~inside)] for side in (prediction, target))
    gain = _gain(given[0].sum(0), wanted[0].sum(0))
    curve = _curve(given[0], wanted[0].sum(0) - gain * given[0].sum(0))
    reached, parts = given, []
    for step in ("gain", "tone", "color"):
        if step == "gain":
            corrected = [gain * pixels for pixels in reached]
        elif step == "tone":
            corrected = [gain * pixels + _interpolated(curve, pixels) for pixels in given]
        else:
            matrix = _matrix(reached[0], wanted[0])
            corrected = [matrix @ pixels for pixels in reached]
        steps = [_step(*area) for area in zip(reached, corrected, wanted, strict=True)]
        reached = [after for after, _ in steps]
        parts.append(steps[0][1] + steps[1][1])
    parts += [(theirs - ours).square().sum() for ours, theirs in zip(reached, wanted, strict=True)]
    return torch.stack(parts) / target.numel()


def _step(before: torch.Tensor, correction: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Towards a correction as far as it helps: where that leads, and the squared error that it takes away."""
    along, missing = correction - before, wanted - before
    length, reach = along.square().sum(), (along * missing).sum()
    share = (reach / length).clamp(0, 1) if length > 0 else torch.zeros_like(length)
    return before + share * along, (share * (2 * reach - share * length)).clamp(min=0)


def _gain(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    power = ours.square().sum()
    return (ours * theirs).sum() / power if power > 0 else torch.ones_like(power)


def _curve(pixels: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
    """The heights at the knots of the curve whose values, summed over channels, come nearest to what is missing."""
    products, sums = pixels.new_zeros(KNOTS, KNOTS), pixels.new_zeros(KNOTS)
    for some, lacking in zip(torch.split(pixels, _CHUNK, 1), torch.split(missing, _CHUNK), strict=True):
        place, share = _places(some)
        weights = some.new_zeros(some.shape[1], KNOTS)
        for channel in range(3):
            weights.scatter_add_(1, place[channel, :, None], 1 - share[channel, :, None])
            weights.scatter_add_(1, place[channel, :, None] + 1, share[channel, :, None])
        products += weights.T @ weights
        sums += weights.T @ lacking
    return _solved(products, sums[:, None])[:, 0]


def _matrix(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """The matrix that brings colours nearest to others, the identity where nothing is known of it."""
    return torch.eye(3, dtype=ours.dtype, device=ours.device) + _solved(ours @ ours.T, ours @ (theirs - ours).T).T


def _solved(products: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """The smallest solution of normal equations, 0 in directions of which they say nothing."""
    values, vectors = torch.linalg.eigh(products)
    known = values > values[-1].clamp(min=0) * _RESOLVED
    inverse = torch.where(known, 1 / torch.where(known, values, 1.0), 0.0)
    solution: torch.Tensor = vectors @ (inverse[:, None] * (vectors.T @ sums))
    return solution


def _interpolated(curve: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    place, share = _places(pixels)
    return curve[place] * (1 - share) + curve[place + 1] * share


def _places(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The knot at or below each value, and how far the value is on the way to the next."""
    scaled = values * (KNOTS - 1)
    place = scaled.floor().clamp(0, KNOTS - 2)
    return place.long(), scaled - place
