"""Photographs degraded as tensors: the numbers that the pairing writes, for any batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from exposurebench.degradation import degrade, read_degradation
from exposurebench.errors import RecipeError
from exposurebench.exposure import overexpose_dithered
from exposurebench.images import Image, quantize
from exposurebench.pairing.gamma_clip import gamma_clip
from exposurebench.scene import Frame, Pair, Scene
from exposurebench.tensors import to_tensor

LEVELS = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
BATCH = torch.cat([to_tensor(levels) for levels in LEVELS])


def pairs(levels: np.ndarray, **settings: Any) -> list[Pair]:
    return list(gamma_clip(Scene("a", (Frame(Path("a.png"), image=Image(levels)),)), **settings))


def to_levels(batch: torch.Tensor) -> np.ndarray:
    return (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("transfer", ["gamma22", "srgb"])
def test_the_literal_form_is_the_pairings_to_the_last_bit(transfer: str) -> None:
    how = read_degradation({"tau": [0.2, 0.5, 1.0], "transfer": transfer})
    assert (how.form, how.versions) == ("literal", 3)
    for version in range(3):
        made = to_levels(degrade(BATCH, how, seeds=[0, 1, 2], versions=[version] * 3, bit_depths=[8] * 3))
        for levels, picture in zip(LEVELS, made, strict=True):
            np.testing.assert_array_equal(
                picture, pairs(levels, tau=[0.2, 0.5, 1.0], transfer=transfer)[version].input.pixels
            )


@pytest.mark.parametrize("transfer", ["gamma22", "srgb"])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_camera_form_is_the_pairings_formula_with_other_dither(transfer: str, noise: float) -> None:
    how = read_degradation({"tau": "0.3:0.9", "transfer": transfer, "noise": noise})
    made = to_levels(degrade(BATCH, how, seeds=[5, 6, 7], versions=[0] * 3, bit_depths=[8] * 3))
    for levels, picture, seed in zip(LEVELS, made, (5, 6, 7), strict=True):
        (pair,) = pairs(levels, tau="0.3:0.9", transfer=transfer, noise=noise, seed=seed)
        tau, generator = pair.settings["tau"], torch.Generator().manual_seed(seed)
        drawn = [torch.rand(3, 40, 50, generator=generator), torch.randn(3, 40, 50, generator=generator)]
        dither, field = (d.permute(1, 2, 0).numpy() for d in drawn)
        values = overexpose_dithered(
            levels / np.float32(255),
            tau,
            transfer,
            uniform=dither.copy,
            noise=noise,
            normal=field.copy,
        )
        np.testing.assert_array_equal(
            picture, quantize(values), "the same threshold, dither and formula: the same levels"
        )
        assert np.abs(picture.astype(int) - pair.input.pixels).mean() < 1 + 255 * noise * 1.5


def test_the_camera_form_leaves_no_comb() -> None:
    ramp = torch.arange(256).repeat(40, 1).expand(1, 3, 40, 256) / 255
    for form, empty in (("camera", 0), ("literal", 69)):
        made = to_levels(
            degrade(ramp, read_degradation({"tau": 0.5, "form": form}), seeds=[0], versions=[0], bit_depths=[8])
        )
        assert 256 - len(np.unique(made)) == empty


def test_a_picture_is_the_same_in_any_batch_and_nothing_is_changed() -> None:
    how, before = read_degradation({"tau": "0.3:0.9", "noise": 0.01}), BATCH.clone()
    whole = degrade(BATCH, how, seeds=[5, 6, 7], versions=[0] * 3, bit_depths=[8] * 3)
    assert torch.equal(degrade(BATCH[1:2], how, seeds=[6], versions=[0], bit_depths=[8]), whole[1:2])
    assert not torch.equal(degrade(BATCH[1:2], how, seeds=[8], versions=[0], bit_depths=[8]), whole[1:2])
    assert torch.equal(BATCH, before)


@pytest.mark.parametrize(
    ("document", "form", "versions"),
    [
        ({}, "literal", 1),
        ({"pairing": "gamma_clip/camera"}, "camera", 1),
        ({"tau": "0.5:1"}, "camera", 1),
        ({"tau": "0.5:1", "form": "literal"}, "literal", 1),
        ({"tau": "0.2,0.5"}, "literal", 2),
    ],
)
def test_settings_are_those_of_the_pairing(document: dict[str, Any], form: str, versions: int) -> None:
    how = read_degradation(document)
    assert (how.form, how.versions) == (form, versions)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"pairing": "multi_ev"}, "must be gamma_clip, not 'multi_ev'"),
        ({"pairing": 3}, "must be gamma_clip, not 3"),
        ({"tau": 0}, "must be in"),
        ({"tau": True}, "tau must be"),
        ({"form": "other"}, "form must be 'auto'"),
        ({"transfer": "other"}, "transfer must be"),
        ({"noise": 2.0, "form": "camera"}, "noise must be in"),
    ],
)
def test_mistakes_are_one_line(document: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as error:
        read_degradation(document)
    assert "\n" not in str(error.value)
