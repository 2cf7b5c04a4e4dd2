"""A target's half of the work, which does not change with what is scored against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a metric found out about its target before it saw a prediction.

    Attributes:
        settings: those of the metric, which a prediction must be scored with too.
        dtype: of the target's numbers.
        light: ``(N, C, H, W)``, float64, in the channels that differences are looked for in.
        surround: the light around it; None where the image is mirrored.
        answer: of the receptors, ``(N, 1, H, W)``, float64.
        adapted: the light that each place is adapted to, ``(N, 1, H, W)``.
        bands: of the answer, weighted and filtered as the metric's masking takes them.
        residual: the last band before the filter, where there is one.
    """

    settings: Mapping[str, Any]
    dtype: torch.dtype
    light: torch.Tensor
    surround: torch.Tensor | None
    answer: torch.Tensor
    adapted: torch.Tensor
    bands: list[torch.Tensor]
    residual: torch.Tensor

    def check(self, prediction: torch.Tensor, light: torch.Tensor, settings: Mapping[str, Any]) -> None:
        """Say why a prediction cannot be scored against this target.

        Raises:
            ValueError: another shape, dtype or device, more than one target for other than as many predictions, or
                settings that it was not prepared with.
        """
        for name, value in settings.items():
            if self.settings[name] != value:
                raise ValueError(f"the target was prepared with {name}={self.settings[name]!r}, not with {value!r}")
        if len(self.light) not in (1, len(light)):
            raise ValueError(f"expected one target, or one for each of {len(light)} predictions, not {len(self.light)}")
        for fact, ours, theirs in (
            ("shape", tuple(light.shape[1:]), tuple(self.light.shape[1:])),
            ("dtype", prediction.dtype, self.dtype),
            ("device", prediction.device, self.light.device),
        ):
            if ours != theirs:
                raise ValueError(f"prediction and target differ in {fact}: {ours} and {theirs}")
