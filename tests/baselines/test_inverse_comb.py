"""The gap reader: it must read the literal form, and must have nothing to read in the camera form."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.baselines.inverse_clip import inverse_clip
from exposurebench.baselines.inverse_comb import inverse_comb, read_tau
from exposurebench.images import Image, quantize, read_image
from exposurebench.pairing.gamma_clip import gamma_clip, overexposure_table
from exposurebench.scene import Evidence, Frame, Pair, Scene
from exposurebench.sources.samples import samples

SHARED = Path(os.environ.get("EXPOSUREBENCH_SHARED", Path(__file__).parents[2].parent / "shared"))
BLIND = 0.75


def psnr(prediction: np.ndarray, target: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.mean((prediction - target) ** 2, dtype=np.float64), 1e-10)))


def photographs(folder: str) -> list[Scene]:
    if folder == "samples":
        return [scene.read() for scene in samples()]
    paths = sorted((SHARED / "data" / folder).glob("*.[jp][pn]g"))
    if not paths:
        pytest.skip(f"no photographs in data/{folder} of EXPOSUREBENCH_SHARED ({SHARED})")
    return [Scene(path.stem, (Frame(path, image=read_image(path)),)) for path in paths]


def pairs(folder: str, form: str) -> Iterator[Pair]:
    for number, scene in enumerate(photographs(folder)):
        yield from gamma_clip(scene, tau="0.5:1", form=form, seed=number)


def gain_over_blind(made: list[Pair]) -> float:
    gains = []
    for pair in made:
        given, target = Evidence(pair.input.as_float()), pair.target.as_float()
        gains.append(psnr(inverse_comb(given), target) - psnr(inverse_clip(given, tau=BLIND), target))
    return float(np.mean(gains))


@pytest.mark.parametrize("folder", ["kodak", "ldr", "samples"])
def test_reads_the_literal_form(folder: str) -> None:
    made = list(pairs(folder, "literal"))
    read = [(read_tau(pair.input.pixels), pair.settings["tau"]) for pair in made]
    errors = [abs(found - true) for found, true in read if found < 1]
    assert len(errors) >= 0.8 * len(made)
    assert all(true > 0.95 for found, true in read if found == 1), "only a comb of few gaps may be missed"
    assert max(errors) < 0.001
    assert gain_over_blind(made) > 6


@pytest.mark.parametrize("folder", ["kodak", "ldr", "samples"])
def test_the_camera_form_is_not_readable(folder: str) -> None:
    assert gain_over_blind(list(pairs(folder, "camera"))) <= 1


@pytest.mark.parametrize("tau", np.random.default_rng(0).uniform(0.15, 0.95, 12))
def test_reads_any_threshold_from_a_full_table(tau: float) -> None:
    assert abs(read_tau(overexposure_table(tau)) - tau) < 0.0005


def test_reads_a_dark_picture_that_reaches_no_white() -> None:
    assert abs(read_tau(overexposure_table(0.6)[20:110]) - 0.6) < 0.002


def test_true_threshold_known_means_the_inverse_of_it() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    (pair,) = gamma_clip(Scene("ramp", (Frame(Path("ramp.png"), image=Image(ramp)),)), tau=0.63)
    output = quantize(inverse_comb(Evidence(pair.input.as_float()))).astype(int)
    kept = ramp < 255 * 0.63 ** (1 / 2.2)
    assert np.abs(output - ramp)[kept].max() <= 1


def blind(image: np.ndarray) -> bool:
    return np.array_equal(inverse_comb(Evidence(image)), inverse_clip(Evidence(image), tau=BLIND))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 16, 32, 64, 128, 200])
def test_a_palette_is_no_comb(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(10):
        palette = rng.choice(256, count, replace=False).astype(np.float32) / np.float32(255)
        assert blind(palette[rng.integers(count, size=(16, 16, 3))])


@pytest.mark.parametrize("step", [3, 5, 15, 17, 51, 85])
def test_evenly_spaced_levels_of_a_poster_are_no_comb(step: int) -> None:
    assert read_tau(np.arange(0, 256, step, dtype=np.uint8)) == 1


@pytest.mark.parametrize(("low", "high"), [(0, 256), (0, 128), (17, 60), (100, 101), (100, 256)])
def test_a_range_without_gaps_is_no_comb(low: int, high: int) -> None:
    assert read_tau(np.arange(low, high, dtype=np.uint8)) == 1


def test_smooth_and_float_pictures_are_no_comb() -> None:
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.random((5, 6, 3), dtype=np.float32), (96, 64), interpolation=cv2.INTER_LINEAR)
    assert blind(quantize(smooth) / np.float32(255))
    assert blind(smooth)
    comb = overexposure_table(0.6)[quantize(smooth)] / np.float32(255)
    assert not blind(comb)
    assert blind((comb + np.float32(0.3 / 255)).clip(0, 1)), "off the 8-bit grid there are no levels to read"
