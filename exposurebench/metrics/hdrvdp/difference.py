from dataclasses import dataclass
import torch
@dataclass(frozen=True)
class Difference:
    bands: list[torch.Tensor]
    frequencies: list[float]
    mask: torch.Tensor
