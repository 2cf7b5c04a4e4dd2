"""Brackets of known radiance come back; the published formulas, OpenCV and another program agree."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.color import srgb_to_display, srgb_to_light, to_display, to_light
from exposurebench.merging import (
    HAT,
    estimate_response,
    exposure_times,
    merge_debevec,
    merge_linear,
    merge_robertson,
    mertens,
)

MERGES = {"debevec": merge_debevec, "robertson": merge_robertson}
PARLIAMENT_EV = np.log2([1 / 50, 1 / 13, 0.4])
"""What the three pictures' EXIF says; aperture and sensitivity are the same."""


def scene(seed: int = 0, stops: tuple[float, float] = (-9, 1.9)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.exp2(rng.uniform(*stops, (60, 80, 1)) + rng.normal(0, 0.3, (60, 80, 3)))


def shots(light: np.ndarray, evs: tuple[float, ...], transfer: str = "srgb") -> list[np.ndarray]:
    return [np.rint(255 * to_display((light * 2.0**ev).clip(0, 1), transfer)).astype(np.uint8) for ev in evs]


def errors(merged: np.ndarray, light: np.ndarray) -> np.ndarray:
    """In EV, up to one scale for the picture."""
    off = np.log2(merged.astype(np.float64) / light)
    return np.abs(off - np.median(off))


def curve(transfer: str = "srgb") -> np.ndarray:
    light = to_light(np.arange(256) / 255, transfer)
    return np.repeat((light / light[128])[:, None], 3, axis=1)


# ---- response and radiance ---------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", ["srgb", "gamma22"])
@pytest.mark.parametrize("evs", [(-2, 0, 2), (-3, 0, 3), (-4, -2, 0, 2)], ids=str)
def test_debevec_recovers_response_and_radiance(evs: tuple[float, ...], transfer: str) -> None:
    light = scene()
    frames = shots(light, evs, transfer)
    response = estimate_response(frames, evs)
    assert response.shape == (256, 3)
    assert np.abs(np.log2(response[8:251] / curve(transfer)[8:251])).max() < 0.12
    off = errors(merge_debevec(frames, evs), light)
    assert np.median(off) < 0.02
    assert np.percentile(off, 99) < 0.08


def test_robertson_recovers_response_and_radiance_where_steps_are_uneven() -> None:
    evs, light = (-2.32, 0, 1), scene()
    frames = shots(light, evs)
    response = estimate_response(frames, evs, method="robertson")
    assert np.abs(np.log2(response[8:251] / curve()[8:251])).max() < 0.08
    assert np.median(errors(merge_robertson(frames, evs), light)) < 0.02


@pytest.mark.parametrize("method", ["debevec", "robertson"])
def test_a_known_response_leaves_only_rounding(method: str) -> None:
    evs, light = (-3, -1, 1), scene(1, (-6, 2.5))
    merged = MERGES[method](shots(light, evs), evs, curve())
    shown = (light * 2**-3 < 1) & (light * 2 > 0.01)
    scale = srgb_to_light(np.array(128 / 255))
    assert np.abs(merged * scale / light - 1)[shown].max() < 0.1
    assert np.median(np.abs(merged * scale / light - 1)) < 0.006


@pytest.mark.parametrize("method", ["debevec", "robertson"])
def test_the_formula_by_hand(method: str) -> None:
    levels, evs = (40, 120, 230), (-2, 0, 1)
    frames = [np.full((1, 1, 3), level, np.uint8) for level in levels]
    times, values = np.exp2(evs), curve()[list(levels), 0]
    if method == "debevec":
        weights = np.array([40, 120, 25])
        wanted = np.exp((weights * (np.log(values) - np.log(times))).sum() / weights.sum())
    else:
        weights = np.exp(-4 * ((np.array(levels) - 127.5) / 127.5) ** 2)
        weights = (weights - np.exp(-4)) / (1 - np.exp(-4))
        wanted = (weights * times * values).sum() / (weights * times**2).sum()
    assert MERGES[method](frames, evs, curve())[0, 0] == pytest.approx([wanted] * 3, rel=1e-6)


@pytest.mark.parametrize("method", ["debevec", "robertson"])
def test_what_every_frame_clips_takes_the_nearest_bound(method: str) -> None:
    evs, response = (2, -1, 0), curve() + 1e-3
    white, black = (MERGES[method]([np.full((1, 1, 3), v, np.uint8)] * 3, evs, response)[0, 0] for v in (255, 0))
    assert white == pytest.approx(response[255] * 2)
    assert black == pytest.approx(response[0] / 4)
    torn = [np.full((1, 1, 3), v, np.uint8) for v in (255, 0, 255)]
    assert MERGES[method](torn, evs, response)[0, 0] == pytest.approx(response[255] / 4)


@pytest.mark.parametrize("method", ["debevec", "robertson"])
def test_order_does_not_matter_and_exposures_scale(method: str) -> None:
    evs, light = (-2.5, 0, 1.5), scene(2)
    frames = shots(light, evs)
    merged = MERGES[method](frames, evs)
    assert MERGES[method](frames[::-1], evs[::-1]) == pytest.approx(merged, rel=1e-4)
    brighter = MERGES[method](frames, [ev + 3 for ev in evs])
    assert brighter * 8 == pytest.approx(merged, rel=1e-4)


def test_clipped_pixels_do_not_count() -> None:
    frames = [np.full((1, 1, 3), level, np.uint8) for level in (100, 255)]
    alone = merge_debevec(frames[:1], (-4,), curve())
    assert np.array_equal(merge_debevec(frames, (-4, 4), curve()), alone)
    assert HAT[[0, 255]].tolist() == [0, 0]


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("method", ["debevec", "robertson"])
def test_flat_and_tiny_pictures_stay_finite(method: str, level: int) -> None:
    frames = [np.full((1, 2, 3), level, np.uint8)] * 3
    response = estimate_response(frames, (-1, 0, 1), method=method)
    assert np.isfinite(response).all()
    assert (response >= 0).all()
    assert np.isfinite(MERGES[method](frames, (-1, 0, 1))).all()


def test_debevec_agrees_with_opencv() -> None:
    evs = (-2, 0, 2)
    frames, times = shots(scene(3), evs), np.exp2(evs).astype(np.float32)
    theirs = cv2.createCalibrateDebevec().process(frames, times)
    assert np.abs(np.log2(estimate_response(frames, evs) / theirs[:, 0]))[8:248].max() < 0.15
    merged = cv2.createMergeDebevec().process(frames, times, curve().clip(1e-6, None).astype(np.float32)[:, None])
    ours = merge_debevec(frames, evs, curve())
    assert np.percentile(np.abs(np.log2(merged / ours)), 95) < 0.05


def test_inputs_stay() -> None:
    frames = shots(scene(), (-2, 0, 2))
    for frame in frames:
        frame.flags.writeable = False
    response = curve()
    response.flags.writeable = False
    for merge in MERGES.values():
        assert merge(frames, (-2, 0, 2), response).dtype == np.float32
    assert estimate_response(frames, (-2, 0, 2)).dtype == np.float64
    merge_linear([frame.astype(np.float32) for frame in frames], (-2, 0, 2))
    mertens(frames)


@pytest.mark.parametrize(
    ("frames", "evs", "message"),
    [
        ([(2, 2), (2, 2)], (0, None), "exposure of frame 1 is unknown.*mertens"),
        ([(2, 2), (2, 2)], (float("nan"), 0), "exposure of frame 0 is unknown"),
        ([(2, 2), (2, 3)], (0, 1), "one size, not 2 x 2 and 3 x 2"),
        ([(2, 2), (2, 2)], (0,), "2 frames need as many"),
        ([(2, 2), (2, 2)], (1, 1), "at least two different exposures"),
        ([(2, 2)], (1,), "at least two different exposures"),
        ([], (), "not none"),
    ],
)
def test_brackets_that_cannot_be_merged(frames: list[tuple[int, int]], evs: tuple, message: str) -> None:
    pictures = [np.zeros((*size, 3), np.uint8) for size in frames]
    for merge in MERGES.values():
        with pytest.raises(ValueError, match=message):
            merge(pictures, evs)


def test_settings_and_types_that_are_refused() -> None:
    frames = shots(scene(), (0, 1))
    with pytest.raises(ValueError, match="one of debevec, robertson"):
        estimate_response(frames, (0, 1), method="mitsunaga")
    with pytest.raises(ValueError, match="smoothness"):
        estimate_response(frames, (0, 1), smoothness=0)
    with pytest.raises(ValueError, match="samples"):
        estimate_response(frames, (0, 1), samples=0)
    with pytest.raises(TypeError, match="8-bit"):
        merge_debevec([frame / 255 for frame in frames], (0, 1))
    with pytest.raises(ValueError, match=r"a response of \(256, 3\)"):
        merge_robertson(frames, (0, 1), np.ones(256))
    with pytest.raises(TypeError, match="merge_debevec"):
        merge_linear(frames, (0, 1))
    with pytest.raises(TypeError, match="float32 or uint8"):
        mertens([frame.astype(np.float64) for frame in frames])
    with pytest.raises(ValueError, match="exponents"):
        mertens(frames, exposure=-1)


# ---- linear frames -----------------------------------------------------------------------------------------


def test_linear_frames_are_weighted_for_photon_noise() -> None:
    rng, evs, photons = np.random.default_rng(0), (-3, 0, 2), 200.0
    frames = [(rng.poisson(photons * 2.0**ev, (100, 100, 3)) / photons).astype(np.float32) for ev in evs]
    merged, times = merge_linear(frames, evs), exposure_times(frames, evs)
    assert merged.mean() == pytest.approx(1, abs=0.005)
    assert merged.var() == pytest.approx(1 / (photons * times.sum()), rel=0.05)
    even = np.mean([frame / time for frame, time in zip(frames, times, strict=True)], axis=0)
    assert even.var() > 3 * merged.var()


def test_saturated_linear_pixels_are_left_out() -> None:
    light = scene(4, (-6, 3))
    evs = (0, -2, 2)
    frames = [(light * 2.0**ev).clip(0, 1).astype(np.float32) for ev in evs]
    masks = [(frame >= 1).any(axis=2) for frame in frames]
    merged = merge_linear(frames, evs, masks)
    some = ~np.logical_and.reduce(masks)
    assert merged[some] == pytest.approx(light[some], rel=1e-5)
    assert merged[~some] == pytest.approx(frames[1][~some] * 4, rel=1e-5)
    assert some.any()
    assert (~some).any()
    with pytest.raises(ValueError, match="as many masks"):
        merge_linear(frames, evs, masks[:2])
    with pytest.raises(ValueError, match="mask of saturation"):
        merge_linear(frames, evs, [None, None, masks[0][:1]])


# ---- fusion ------------------------------------------------------------------------------------------------


def noise(seed: int, shape: tuple[int, int] = (33, 47)) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(3)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (16, 16), (33, 47)], ids=str)
def test_fusing_a_picture_with_itself_gives_the_picture(shape: tuple[int, int]) -> None:
    frame = noise(0, shape)[0].astype(np.float32) / 255
    for copies in (1, 2, 5):
        assert np.abs(mertens([frame] * copies) - frame).max() < 1e-6


@pytest.mark.parametrize("exponents", [(1, 1, 1), (1, 1, 0), (0, 0, 1), (2, 0.5, 1)], ids=str)
def test_fusion_agrees_with_opencv(exponents: tuple[float, float, float]) -> None:
    frames = noise(1)
    theirs = cv2.createMergeMertens(*exponents).process(frames).clip(0, 1)
    ours = mertens(frames, contrast=exponents[0], saturation=exponents[1], exposure=exponents[2])
    assert np.abs(ours - theirs).max() < 1e-5
    assert ours.dtype == np.float32


def test_fusion_of_levels_and_of_floats_is_one_and_the_order_does_not_matter() -> None:
    frames = noise(2)
    fused = mertens(frames)
    assert np.array_equal(fused, mertens([frame.astype(np.float32) / 255 for frame in frames]))
    assert np.array_equal(fused, mertens(frames))
    assert mertens(frames[::-1]) == pytest.approx(fused, abs=1e-6)
    mirrored = mertens([frame[..., ::-1] for frame in frames])[..., ::-1]
    assert np.abs(mirrored - fused).max() > 0.01, "the contrast is that of a gray picture: channels have their places"


def test_fusion_takes_the_well_exposed_frame() -> None:
    rng = np.random.default_rng(0)
    good = (0.5 + 0.1 * rng.standard_normal((64, 64, 3))).clip(0, 1).astype(np.float32)
    fused = mertens([good * np.float32(0.1), good, (good + np.float32(0.45)).clip(0, 1)])
    assert np.abs(fused - good).mean() < 0.02


def test_gray_pictures_are_fused_by_equal_shares_whatever_rounds() -> None:
    ramp = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32, 1).repeat(3, axis=2)
    assert mertens([ramp, ramp * ramp]) == pytest.approx((ramp + ramp * ramp) / 2, abs=1e-6)


# ---- real brackets -----------------------------------------------------------------------------------------


def bracket(folder: Path) -> list[np.ndarray]:
    """The pictures as they lie: the parliament's EXIF asks for a rotation that was done already."""
    paths = sorted((*folder.glob("*.png"), *folder.glob("*.jpg")))
    return [cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1] for path in paths]


def agreement(merged: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Correlation of the logarithms, and their median distance in EV up to one scale for the picture."""
    ours, theirs = np.log2(merged.astype(np.float64)), np.log2(reference)
    off = ours - theirs
    return float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]), float(np.median(np.abs(off - np.median(off))))


@pytest.fixture(scope="module")
def parliament(shared: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """The pictures, and the radiance that GEGL's exp-combine made of them.

    It estimates a response as Robertson does, with a narrower bell, and merges by one weight for all channels. Its result
    is labelled as display values, so saving it as light sent it through the sRGB curve, which is undone here.
    """
    folder = shared / "data" / "brackets" / "gegl_parliament"
    saved = cv2.imread(str(folder / "reference_exp-combine.hdr"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    return bracket(folder), srgb_to_display(saved.astype(np.float64))


# Measured: correlation 0.996 and 0.042 EV for Debevec, 0.946 and 0.201 EV for Robertson.
@pytest.mark.parametrize(("method", "least", "most"), [("debevec", 0.99, 0.06), ("robertson", 0.93, 0.25)])
def test_agrees_with_another_program(parliament: tuple, method: str, least: float, most: float) -> None:
    frames, reference = parliament
    correlation, distance = agreement(MERGES[method](frames, PARLIAMENT_EV), reference)
    assert correlation > least
    assert distance < most


@pytest.mark.parametrize("wrong", ["reversed", "swapped", "bgr", "halved"])
def test_a_wrong_merge_does_not_agree(parliament: tuple, wrong: str) -> None:
    frames, reference = parliament
    evs = {"reversed": PARLIAMENT_EV[::-1], "swapped": PARLIAMENT_EV[[1, 0, 2]], "halved": PARLIAMENT_EV / 2}
    order = slice(None, None, -1) if wrong == "bgr" else slice(None)
    merged = merge_debevec([frame[..., order] for frame in frames], evs.get(wrong, PARLIAMENT_EV))
    correlation, distance = agreement(merged, reference)
    assert correlation < 0.85 or distance > 0.15
    assert distance > 0.06


@pytest.mark.parametrize("name", ["mertens_house", "merianos_flowers", "merianos_oldhouse"])
def test_fusion_of_real_brackets(shared: Path, name: str) -> None:
    frames = bracket(shared / "data" / "brackets" / name)
    fused = mertens(frames)
    theirs = cv2.createMergeMertens(1, 1, 1).process(frames)
    assert theirs.min() < 0
    assert theirs.max() > 1, "the blend overshoots"
    assert (fused.min(), fused.max()) == (0, 1)
    assert np.percentile(np.abs(fused - theirs.clip(0, 1)), 99) < 0.01
    good = [np.mean((frame > 5) & (frame < 250)) for frame in frames]
    assert np.mean((fused > 5 / 255) & (fused < 250 / 255)) > np.mean(good) + 0.05
