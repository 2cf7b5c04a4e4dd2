"""How far an output pixel of a network sees, worked out from its layers, whatever settings it was built with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SIDE_PX = 256
"""Layers are followed on shapes of this side, or the next multiple of what the network pads to."""


def reach(network: nn.Module, multiple: int = 1) -> int | None:
    """The distance in pixels, up, down, left or right, beyond which no input pixel changes an output pixel.

    Convolutions, pooling, resampling and padding move and widen the interval ``[step * i + low, step * i + high]`` of
    input pixels that element ``i`` of a layer depends on; what works pixel by pixel leaves it. Nothing is computed:
    only shapes go through the network. Where the phase of an upsampled pixel decides, the widest phase counts.

    Args:
        network: from (N, 3, H, W) to the same shape, in eval mode.
        multiple: what it pads sides to.

    Returns:
        The distance; None where some layer mixes the whole image, or does something that is not known here.

    >>> reach(nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)))
    3
    >>> reach(nn.InstanceNorm2d(3)) is None
    True
    """
    side = -(-SIDE_PX // multiple) * multiple
    # In inference mode some operations would pass as wholes, not as what they are made of.
    with torch.inference_mode(False), torch.no_grad():
        weights = {n: t.detach().to("meta") for n, t in (*network.named_parameters(), *network.named_buffers())}
        image = torch.empty(1, 3, side, side, device="meta")
        with _Follower(image) as follower:
            output = torch.func.functional_call(network, weights, image)
    seen = follower.seen.get(id(output))
    return None if seen is None or follower.lost else max(math.ceil(max(-one.low, one.high)) for one in seen)


@dataclass(frozen=True)
class _Span:
    """The input pixels along one side that element ``i`` depends on: from ``step * i + low`` to ``step * i + high``."""

    step: float = 1.0
    low: float = 0.0
    high: float = 0.0

    def moved(self, first: float, last: float, stride: float = 1.0) -> _Span:
        """That of an element ``o`` which depends on the elements from ``stride * o + first`` to ``stride * o + last``."""
        return _Span(self.step * stride, self.low + self.step * first, self.high + self.step * last)

    def joined(self, other: _Span) -> _Span:
        return _Span(self.step, min(self.low, other.low), max(self.high, other.high))


_Spans = tuple[_Span, _Span]
_KEEPING = ("clone", "_to_copy", "alias", "detach", "lift_fresh", "contiguous", "dropout")
_PER_CHANNEL = ("amax", "amin", "max", "min", "sum", "mean", "split", "split_with_sizes", "cat")


class _Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps, for every tensor that depends on the image, which of its pixels each element sees."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: dict[int, _Spans] = {id(image): (_Span(), _Span())}
        self.lost = False
        self._held: list[torch.Tensor] = [image]  # an id is one tensor's as long as that lives

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        answer = function(*args, **kwargs)
        inputs = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and id(x) in self.seen]
        if inputs:
            spans = _through(function, args, kwargs, answer, [self.seen[id(x)] for x in inputs])
            self.lost |= spans is None
            for leaf in tree_leaves(answer):
                if spans is not None and isinstance(leaf, torch.Tensor):
                    self.seen[id(leaf)] = spans
                    self._held.append(leaf)
        return answer


def _through(function: Any, args: Sequence[Any], kwargs: Any, answer: Any, inputs: list[_Spans]) -> _Spans | None:
    """What an operation makes of the spans of its inputs; None where that is not known."""
    if len({one.step for spans in inputs for one in spans}) > 1:
        return None
    rows, columns = inputs[0]
    for other_rows, other_columns in inputs[1:]:
        rows, columns = rows.joined(other_rows), columns.joined(other_columns)
    name = function.overloadpacket.__name__.removesuffix("_")
    if torch.Tag.pointwise in function.tags or name in _KEEPING:
        return rows, columns
    if name in _PER_CHANNEL:
        values = {a.name: v for a, v in zip(function._schema.arguments, args, strict=False)} | kwargs
        return (rows, columns) if values.get("dim") in (1, -3, [1], [-3]) else None
    if "batch_norm" in name:
        return (rows, columns) if "no_training" in name or not any(x is True for x in args[5:6]) else None
    if name not in _LAYERS:
        return None
    moves = _LAYERS[name](function, args, kwargs, answer)
    return None if moves is None else (rows.moved(*moves[0]), columns.moved(*moves[1]))


_Moves = list[tuple[float, float, float]]


def _convolved(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    _, weight, _, strides, paddings, dilations, transposed = args[:7]
    moves = []
    for kernel, stride, padding, dilation in zip(
        weight.shape[2:], *map(_two, (strides, paddings, dilations)), strict=True
    ):
        width = dilation * (kernel - 1)
        if transposed:
            moves.append(((padding - width) / stride, padding / stride, 1 / stride))
        else:
            moves.append((float(-padding), float(width - padding), float(stride)))
    return moves


def _pooled(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    kernels = _two(args[1])
    strides = _two(args[2]) if len(args) > 2 and args[2] else kernels
    paddings = _two(args[3]) if len(args) > 3 else (0, 0)
    return [(-p, k - 1 - p, s) for k, s, p in zip(kernels, strides, paddings, strict=True)]


def _padded(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    left, top = args[1][0], args[1][2] if len(args[1]) > 2 else 0
    return [(-top, -top, 1.0), (-left, -left, 1.0)]


def _cut(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    dim, start, step = (
        (args[1] if len(args) > 1 else 0) % 4,
        args[2] if len(args) > 2 else 0,
        args[4] if len(args) > 4 else 1,
    )
    start = start or 0
    if step != 1 or start < 0:
        return None
    return [(float(start), float(start), 1.0) if dim == side else (0.0, 0.0, 1.0) for side in (2, 3)]


def _repeated(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    return [((1 - f) / f, 0.0, 1 / f) for f in _factors(args[0], answer)]


def _interpolated(function: Any, args: Sequence[Any], kwargs: Any, answer: Any) -> _Moves | None:
    if args[2]:  # corners that are aligned: the step depends on the size
        return None
    return [(0.5 / f - 1.5, 0.5 / f + 0.5, 1 / f) for f in _factors(args[0], answer)]


def _factors(small: torch.Tensor, large: torch.Tensor) -> list[float]:
    return [b / a for a, b in zip(small.shape[2:], large.shape[2:], strict=True)]


def _two(value: Any) -> tuple[Any, Any]:
    values = value if isinstance(value, list | tuple) else [value]
    return values[0], values[-1]


_LAYERS: dict[str, Callable[[Any, Sequence[Any], Any, Any], _Moves | None]] = {
    "convolution": _convolved,
    "max_pool2d_with_indices": _pooled,
    "avg_pool2d": _pooled,
    "replication_pad2d": _padded,
    "reflection_pad2d": _padded,
    "constant_pad_nd": _padded,
    "slice": _cut,
    "upsample_nearest2d": _repeated,
    "upsample_bilinear2d": _interpolated,
}
