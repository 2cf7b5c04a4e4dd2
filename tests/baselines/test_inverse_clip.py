from pathlib import Path

import numpy as np
import pytest

from exposurebench import catalog
from exposurebench.baselines.inverse_clip import inverse_clip
from exposurebench.exposure import display_threshold
from exposurebench.images import Image, quantize
from exposurebench.pairing.gamma_clip import gamma_clip
from exposurebench.scene import Evidence, Frame, Scene

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


@pytest.mark.parametrize("transfer", ["gamma22", "srgb"])
@pytest.mark.parametrize("tau", [0.2, 0.5, 0.69, 1.0])
def test_gives_unclipped_pixels_back_to_a_level(tau: float, transfer: str) -> None:
    scene = Scene("ramp", (Frame(Path("ramp.png"), image=Image(RAMP)),))
    (pair,) = gamma_clip(scene, tau=tau, transfer=transfer, form="literal")
    output = quantize(inverse_clip(Evidence(pair.input.as_float(), tau=tau), transfer=transfer)).astype(int)
    kept = display_threshold(tau, transfer) >= RAMP / 255
    assert kept.sum() >= 3 * 120
    assert np.abs(output - RAMP)[kept].max() <= 1
    if tau < 1:
        assert np.abs(output - RAMP)[~kept].max() > 20


def test_clipped_areas_become_the_flat_threshold() -> None:
    output = inverse_clip(Evidence(np.ones((4, 4, 3), np.float32), tau=0.5))
    assert np.allclose(output, 0.5 ** (1 / 2.2))


def test_closed_form_for_the_srgb_curve() -> None:
    light = 0.5 * ((0.8 + 0.055) / 1.055) ** 2.4
    output = inverse_clip(Evidence(np.full((1, 1, 3), 0.8, np.float32), tau=0.5), transfer="srgb")
    assert np.allclose(output, 1.055 * light ** (1 / 2.4) - 0.055, atol=1e-6)


def test_a_given_tau_wins_over_the_true_one() -> None:
    image = np.full((2, 2, 3), 0.4, np.float32)
    assert np.allclose(inverse_clip(Evidence(image, tau=0.2), tau=0.8), 0.4 * 0.8 ** (1 / 2.2))


def test_blind_is_no_oracle() -> None:
    true, blind = catalog.load("baselines", "inverse_clip"), catalog.load("baselines", "inverse_clip/blind")
    assert (true.fact("NEEDS"), true.fact("ORACLE")) == (("input", "tau", "transfer"), True)
    assert (blind.fact("NEEDS"), blind.fact("ORACLE")) == (("input",), False)
    assert true.fact("TITLE") != blind.fact("TITLE")
    assert true.fact("REFERENCE") == blind.fact("REFERENCE"), "what a variant does not say is the file's"
    image = np.full((2, 2, 3), 0.4, np.float32)
    assert np.allclose(blind.function()(Evidence(image, tau=0.2)), 0.4 * 0.75 ** (1 / 2.2))


def test_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"needs the true tau.*inverse_clip/blind"):
        inverse_clip(Evidence(np.zeros((1, 1, 3), np.float32)))
    with pytest.raises(ValueError, match="tau must be in"):
        inverse_clip(Evidence(np.zeros((1, 1, 3), np.float32)), tau=0)
