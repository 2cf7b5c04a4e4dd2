"""The one bridge between images on the NumPy side and batches on the torch side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench.errors import MissingError, RecipeError


def checked_device(name: str) -> torch.device:
    """A device by name, if it is there; ``auto`` is CUDA's where there is one, else the processor.

    Raises:
        RecipeError: no such kind of device.
        MissingError: this machine has none of that kind.

    >>> checked_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RecipeError(f"no device is called {name!r}: expected auto, cpu, cuda, cuda:0, ...") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MissingError(f"this machine has no usable device {name!r}: use --device cpu") from error
    return device


def to_tensor(
    image: NDArray[Any], dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """An ``(H, W, 3)`` image to a ``(1, 3, H, W)`` tensor; integers become [0, 1].

    >>> to_tensor(np.full((4, 5, 3), 255, np.uint8)).shape
    torch.Size([1, 3, 4, 5])
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected an (H, W, 3) image, got {image.shape}")
    tensor = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    scaled = tensor.to(dtype)
    if not np.issubdtype(image.dtype, np.floating):
        scaled = scaled / float(np.iinfo(image.dtype).max)
    return scaled.permute(2, 0, 1).unsqueeze(0).contiguous()


def to_image(tensor: torch.Tensor) -> NDArray[np.float32]:
    """A ``(1, 3, H, W)`` or ``(3, H, W)`` tensor to an ``(H, W, 3)`` float32 image.

    >>> to_image(torch.zeros(1, 3, 4, 5)).shape
    (4, 5, 3)
    """
    if tensor.ndim == 4:
        if tensor.shape[0] != 1:
            raise ValueError(f"expected a batch of one, got {tuple(tensor.shape)}")
        tensor = tensor[0]
    return np.ascontiguousarray(tensor.detach().float().cpu().permute(1, 2, 0).numpy())


def checked_pair(
    prediction: torch.Tensor, target: torch.Tensor, *, peak: float | None = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give back two batches that can be scored against each other, or say why they cannot.

    Both must be ``(N, 3, H, W)``, not empty, of one shape, one device and one dtype (float32 or float64:
    half precision would decide the score), with every value in ``[0, peak]``. Nothing is clamped, cast or
    moved.

    Args:
        prediction: the batch to score.
        target: the batch it is scored against.
        peak: the largest value allowed; None (for light without a ceiling) allows any finite value from 0.

    Raises:
        TypeError: not tensors, or not float32 or float64.
        ValueError: shapes, dtypes or devices that differ, NaN, infinity, or values out of range.

    >>> batch = torch.zeros(2, 3, 4, 5)
    >>> checked_pair(batch, batch)[0].shape
    torch.Size([2, 3, 4, 5])
    >>> checked_pair(batch, batch + 2)
    Traceback (most recent call last):
    ValueError: target must lie in [0, 1], not in [2, 2]
    """
    for name, batch in (("prediction", prediction), ("target", target)):
        checked_batch(batch, name, peak=peak)
    for fact in ("shape", "dtype", "device"):
        ours, theirs = getattr(prediction, fact), getattr(target, fact)
        if ours != theirs:
            raise ValueError(f"prediction and target differ in {fact}: {ours} and {theirs}")
    return prediction, target


def checked_batch(batch: torch.Tensor, name: str = "images", *, peak: float | None = 1.0) -> torch.Tensor:
    """Give back one batch of ``(N, 3, H, W)`` images that can be measured; see :func:`checked_pair`.

    >>> checked_batch(torch.zeros(2, 3, 4, 5, dtype=torch.uint8))
    Traceback (most recent call last):
    TypeError: images must be a float32 or float64 tensor, not torch.uint8
    """
    kind = batch.dtype if isinstance(batch, torch.Tensor) else type(batch).__name__
    if kind not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be a float32 or float64 tensor, not {kind}")
    if batch.ndim != 4 or batch.shape[1] != 3 or batch.numel() == 0:
        raise ValueError(f"{name} must have the shape (N, 3, H, W), not {tuple(batch.shape)}")
    low, high = (bound.item() for bound in torch.aminmax(batch.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values: mend them before they are scored")
    if low < 0 or (peak is not None and high > peak):
        allowed = "at or above 0" if peak is None else f"in [0, {peak:g}]"
        advice = ": raise negative light to 0, or to a display's black" if peak is None else ""
        raise ValueError(f"{name} must lie {allowed}, not in [{low:g}, {high:g}]{advice}")
    return batch


def checked_mask(mask: torch.Tensor, images: torch.Tensor, name: str = "mask") -> torch.Tensor:
    """Give back a region of a batch as weights in the images' dtype, or say why it is none.

    Args:
        mask: ``(N, 1, H, W)``, bool or float: 1 for the pixels that count, 0 for the others; weights between
            are allowed.
        images: the batch that it belongs to.
        name: what it is called in messages.

    Raises:
        TypeError: not a tensor of bool or float.
        ValueError: another shape or device than the images, or values outside [0, 1].

    >>> checked_mask(torch.ones(2, 1, 4, 5, dtype=torch.bool), torch.zeros(2, 3, 4, 5)).dtype
    torch.float32
    """
    kind = mask.dtype if isinstance(mask, torch.Tensor) else type(mask).__name__
    if kind not in (torch.bool, torch.float32, torch.float64):
        raise TypeError(f"{name} must be a tensor of bool, float32 or float64, not {kind}")
    expected = (images.shape[0], 1, *images.shape[2:])
    if mask.shape != expected:
        raise ValueError(f"{name} must have the shape {tuple(expected)}, not {tuple(mask.shape)}")
    if mask.device != images.device:
        raise ValueError(f"{name} and images differ in device: {mask.device} and {images.device}")
    weights = mask.to(images.dtype)
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1]")
    return weights


def region_mean(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """The mean of each image's values over a region: ``sum(mask * values) / sum(mask)``.

    Args:
        values: ``(N, C, H, W)``, a number for every pixel and channel.
        mask: ``(N, 1, H, W)`` weights; None for all pixels.

    Returns:
        ``(N,)``; NaN for an image whose mask is empty.

    >>> region_mean(torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).item()
    2.0
    """
    if mask is None:
        return values.mean((1, 2, 3))
    return (mask * values).sum((1, 2, 3)) / (mask.sum((1, 2, 3)) * values.shape[1])
