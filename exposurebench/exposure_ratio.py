"""How much brighter one frame of a bracket was exposed than another, estimated from the pixels.

Nominal shutter times miss by up to 0.093 EV and apertures by more, so merges and labels take the ratio from
the pictures. Frames must be linear and registered; what moves is found tile by tile and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.floating[Any]]

_ROUNDS = 12
_OUTLIER = 3.0
_FEWEST_TILES = 8


def estimate_exposure_ev(
    frames: Sequence[Light],
    masks: Sequence[NDArray[np.bool_] | None] | None = None,
    *,
    darkest: float = 0.004,
    brightest: float = 0.9,
    tile_px: int = 16,
) -> list[float]:
    """Exposure of each frame relative to the first, in EV, positive for brighter.

    For each pair the values of a tile's channel that neither frame clips are added up, ``log2(sum x_j / sum x_i)``:
    under photon noise (variance proportional to the value) that is the maximum-likelihood ratio, and its
    variance goes with ``1 / (s p (1 - p))``, where ``s`` is the sum of both and ``p`` the share of one. What is
    clipped, and which tiles are too dark, is decided by ``s``, split by the ratio found so far: a threshold on
    single noisy values would bias the ratio. Tiles more than three robust standard deviations off (motion,
    flare) are left out and the ratio is taken again. The pairs of neighbouring exposures that have the most in
    common then go into one weighted least-squares fit of the frames' exposures.

    Args:
        frames: ``(H, W, 3)`` each, linear, registered, of one camera and white balance.
        masks: ``(H, W)`` each, true where a frame cannot be trusted (``Image.saturated``).
        darkest: tiles whose mean is below this in either frame are noise or black-level error.
        brightest: values above this may be clipped.
        tile_px: the side of a tile.

    Returns:
        One EV a frame, the first 0.

    Raises:
        ValueError: frames differ in shape, or some share no well-exposed tiles with the others.

    Source: after Hanji and Mantiuk 2023, Robust estimation of exposure ratios in multi-exposure image stacks
    (noise-weighted least squares over pairs, motion rejected by tiles); sums of tiles instead of logarithms
    of pixels are ours.

    >>> scene = np.random.default_rng(0).uniform(0.02, 0.2, (64, 64, 3))
    >>> [round(ev, 6) for ev in estimate_exposure_ev([scene, 4 * scene])]
    [0.0, 2.0]
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(f"expected one or more frames of one shape, not {sorted(shapes)}")
    masks = masks if masks is not None else [None] * len(frames)
    if len(masks) != len(frames):
        raise ValueError(f"expected a mask for each of the {len(frames)} frames, not {len(masks)}")
    usable = [_usable(frame, mask) for frame, mask in zip(frames, masks, strict=True)]
    order = [int(k) for k in np.argsort([np.nanmedian(frame) for frame in frames])]
    near = [(order[k], order[n]) for k in range(len(order)) for n in range(k + 1, min(k + 3, len(order)))]
    pairs = [
        _Pair(i, j, *found)
        for i, j in near
        if (found := _pair_ratio(frames[i], frames[j], usable[i] & usable[j], darkest, brightest, tile_px))
    ]
    return _solve(len(frames), _enough(len(frames), pairs))


class _Pair(NamedTuple):
    """``log2(j / i)`` and its information, the inverse of its variance but for a factor."""

    i: int
    j: int
    ev: float
    information: float


def _usable(frame: Light, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    good = np.isfinite(frame).all(axis=2)
    return np.asarray(good if mask is None else good & ~mask)


def _pair_ratio(
    a: Light, b: Light, usable: NDArray[np.bool_], darkest: float, brightest: float, tile_px: int
) -> tuple[float, float] | None:
    """``log2(b / a)`` and its information; None where the two share too little."""
    total = np.where(usable[..., None], a.astype(np.float64) + b, np.nan)
    ev = _first_guess(a, b, usable, darkest, brightest)
    if ev is None:
        return None
    for _ in range(_ROUNDS):
        share = 1 / (1 + 2**ev)
        unclipped = total * max(share, 1 - share) <= brightest
        sums_a, sums_b = (_tile_sums(np.where(unclipped, x, 0), tile_px) for x in (a, b))
        number = _tile_sums(unclipped, tile_px)
        counted = number >= tile_px * tile_px // 4
        counted &= ((sums_a + sums_b) * min(share, 1 - share) >= darkest * number) & (sums_a > 0) & (sums_b > 0)
        if counted.sum() < _FEWEST_TILES:
            return None
        sums_a, sums_b = sums_a[counted], sums_b[counted]
        kept = _agreeing(np.log2(sums_b / sums_a), (sums_a + sums_b) * share * (1 - share))
        before, ev = ev, float(np.log2(sums_b[kept].sum() / sums_a[kept].sum()))
        if abs(ev - before) < 1e-9:
            break
    return ev, float((sums_a + sums_b)[kept].sum() * share * (1 - share))


def _first_guess(a: Light, b: Light, usable: NDArray[np.bool_], darkest: float, brightest: float) -> float | None:
    well = usable[..., None] & (a >= darkest) & (b >= darkest) & (a <= brightest) & (b <= brightest)
    return float(np.median(np.log2(b[well] / a[well]))) if well.any() else None


def _tile_sums(values: NDArray[Any], tile_px: int) -> NDArray[Any]:
    """Sums over whole tiles, channel by channel; what is left at the right and bottom is not used."""
    height, width = (side // tile_px for side in values.shape[:2])
    whole = values[: height * tile_px, : width * tile_px]
    return np.asarray(whole.reshape(height, tile_px, width, tile_px, -1).sum(axis=(1, 3), dtype=np.float64)).ravel()


def _agreeing(ratios: NDArray[Any], information: NDArray[Any]) -> NDArray[np.bool_]:
    """Tiles within three robust standard deviations of the median, each by its own noise.

    The median counts a tile once, however bright: a moving lamp holds most of the light, but little area.
    """
    centre = np.median(ratios)
    deviation = np.abs(ratios - centre) * np.sqrt(information)
    return np.asarray(deviation <= max(_OUTLIER * 1.4826 * float(np.median(deviation)), 1e-12))


def _enough(frames: int, pairs: list[_Pair]) -> list[_Pair]:
    """The pairs that share the most light, down to the one that connects all frames.

    Pairs with less in common add little and are easily ruled by something that moves.
    """
    group = list(range(frames))
    chosen = []
    for pair in sorted(pairs, key=lambda pair: -pair.information):
        chosen.append(pair)
        group = [group[pair.i] if g == group[pair.j] else g for g in group]
        if len(set(group)) == 1:
            return chosen
    if frames > 1:
        raise ValueError("some frames share no well-exposed tiles with the others: their ratio cannot be estimated")
    return chosen


def _solve(frames: int, pairs: list[_Pair]) -> list[float]:
    """Exposures whose differences fit all ratios best, each by its information; the first is 0."""
    system = np.zeros((len(pairs), frames))
    for row, pair in enumerate(pairs):
        system[row, pair.i], system[row, pair.j] = -1, 1
    root = np.sqrt([pair.information for pair in pairs])
    solution = np.linalg.lstsq(system[:, 1:] * root[:, None], root * [pair.ev for pair in pairs], rcond=None)[0]
    return [0.0, *(float(ev) for ev in solution)]
