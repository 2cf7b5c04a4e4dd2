"""Exposure ratios from pixels: known brackets with noise, things that move, clipping; real frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.color import srgb_to_light
from exposurebench.exposure_ratio import estimate_exposure_ev
from exposurebench.images import read_exposure, read_image, relative_exposures

EVS = [0.0, -2.07, 1.93, -4.1, 3.05]


def bracket(seed: int, electrons: float = 2000.0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A scene of seven stops as a sensor sees it: photon noise, two electrons of read noise, whole numbers, clipped."""
    random = np.random.default_rng(seed)
    scene = np.exp(cv2.GaussianBlur(random.normal(size=(300, 400, 3)), (0, 0), 12) * 14)
    scene *= np.exp(random.normal(size=scene.shape) * 0.2)
    scene *= 0.1 / np.median(scene)
    frames, masks = [], []
    for ev in EVS:
        counts = random.poisson(scene * 2**ev * electrons) + 2 * random.normal(size=scene.shape)
        light = np.rint(counts) / electrons
        masks.append((light >= 1).any(axis=2))
        frames.append(light.clip(0, 1).astype(np.float32))
    return frames, masks


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_bracket_within_a_hundredth(seed: int) -> None:
    frames, masks = bracket(seed)
    before = [frame.copy() for frame in frames]
    np.testing.assert_allclose(estimate_exposure_ev(frames, masks), EVS, rtol=0, atol=0.01)
    for frame, copy in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame, copy)
    np.testing.assert_allclose(estimate_exposure_ev(frames), EVS, rtol=0, atol=0.02)  # clipping told by value alone


@pytest.mark.parametrize("seed", range(3))
def test_what_moves_is_left_out(seed: int) -> None:
    """A bright object on a tenth of the pixels, elsewhere and of another brightness in every frame."""
    frames, masks = bracket(seed)
    random = np.random.default_rng(seed)
    for number, frame in enumerate(frames):
        left = 30 + 40 * number
        frame[60:160, left : left + 120] = 0.35 * min(2.0 ** EVS[number], 2) * random.uniform(0.5, 1)
    naive = []
    for frame, mask in zip(frames, masks, strict=True):
        both = ~(mask | masks[0])
        naive.append(np.log2(frame[both].sum() / frames[0][both].sum()))
    assert np.abs(np.array(naive) - EVS).max() > 0.1, "without the rejection it shows"
    np.testing.assert_allclose(estimate_exposure_ev(frames, masks), EVS, rtol=0, atol=0.02)


def test_masks_are_heeded() -> None:
    random = np.random.default_rng(0)
    scene = random.uniform(0.02, 0.2, (128, 128, 3))
    frames = [scene, 2 * scene]
    frames[1][:100] = 0.3
    bad = np.zeros((128, 128), bool)
    bad[:100] = True
    assert estimate_exposure_ev(frames, [None, bad], tile_px=8) == pytest.approx([0, 1], abs=1e-9)
    frames[0][100:104] = np.nan
    assert estimate_exposure_ev(frames, [None, bad], tile_px=8) == pytest.approx([0, 1], abs=1e-9)


def test_order_and_reference() -> None:
    frames, masks = bracket(4)
    order = [3, 0, 4, 1, 2]
    found = estimate_exposure_ev([frames[i] for i in order], [masks[i] for i in order])
    np.testing.assert_allclose(found, [EVS[i] - EVS[3] for i in order], atol=0.01)
    assert estimate_exposure_ev(frames[:1]) == [0.0]


def test_what_cannot_be_told_is_refused() -> None:
    scene = np.random.default_rng(0).uniform(0.02, 0.2, (64, 64, 3))
    with pytest.raises(ValueError, match="share no well-exposed tiles"):
        estimate_exposure_ev([scene, np.ones_like(scene)])
    with pytest.raises(ValueError, match="share no well-exposed tiles"):
        estimate_exposure_ev([scene, scene * 1e-4])
    with pytest.raises(ValueError, match="of one shape"):
        estimate_exposure_ev([scene, scene[1:]])
    with pytest.raises(ValueError, match="of one shape"):
        estimate_exposure_ev([])
    with pytest.raises(ValueError, match="a mask for each"):
        estimate_exposure_ev([scene, scene], [None])


def test_real_frames_need_their_response_undone(shared: Path) -> None:
    """The camera's tone curve is steeper than sRGB: linearised with sRGB alone, ratios come out too large."""
    paths = [shared / f"data/brackets/gegl_parliament/parliament_{i}.png" for i in range(3)]
    images = [read_image(path) for path in paths]
    nominal = relative_exposures([read_exposure(path) for path in paths])
    assert nominal is not None
    found = estimate_exposure_ev(
        [srgb_to_light(image.as_float()) for image in images], [image.pixels.max(axis=2) >= 250 for image in images]
    )
    excess = np.array(found) - nominal
    assert (np.diff(found) > 0).all()
    assert ((excess[1:] > 0.1) & (excess[1:] < 1)).all()
