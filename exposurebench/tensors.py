"""The one bridge between images on the NumPy side and batches on the torch side."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


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
