"""Computed HDR scenes: plausible light, structure at every scale, the same bits every time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from exposurebench.color import weighted
from exposurebench.synthesis import KINDS, LARGEST, SMALLEST, Kind, synthesize
from exposurebench.synthesis.noise import render, sample, tile
from exposurebench.synthesis.texture import BRIGHTEST, DARKEST

SEEDS = (0, 7, 20)


def luminance(light: NDArray[np.float32]) -> NDArray[np.float64]:
    return weighted(*np.moveaxis(light.astype(np.float64), -1, 0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_light_is_plausible(kind: Kind, seed: int) -> None:
    light = synthesize(seed, kind)
    assert light.shape == (256, 384, 3)
    assert light.dtype == np.float32
    assert light.min() >= np.float32(SMALLEST)
    assert light.max() <= LARGEST < np.finfo(np.float16).max
    seen = luminance(light)
    assert 0.099 < np.median(seen) < 0.301
    low, high = {"sky": (3.5, 6), "interior": (4, 5.6), "night": (5, 6.5), "texture": (2, 3.5)}[kind]
    assert low < np.log10(seen.max() / np.percentile(seen, 1)) < high, "orders of dynamic range"
    assert np.log(seen).std() > 0.5
    counts, _ = np.histogram(np.log2(seen), bins=np.arange(-14, 17))
    assert (counts > 0.002 * seen.size).sum() >= 5, "light at five exposures or more"
    assert counts.max() < 0.6 * seen.size


@pytest.mark.parametrize("kind", KINDS)
def test_the_amplitude_spectrum_falls_about_as_one_over_frequency(kind: Kind) -> None:
    slopes = []
    for seed in SEEDS:
        square = np.log(luminance(synthesize(seed, kind)))[:, 64:320]
        windowed = (square - square.mean()) * np.outer(np.hanning(256), np.hanning(256))
        power = np.abs(np.fft.fft2(windowed)) ** 2
        cycles = np.fft.fftfreq(256) * 256
        ring = np.hypot(cycles[:, None], cycles[None]).round().astype(int).ravel()
        amplitude = np.sqrt(np.bincount(ring, power.ravel()) / np.bincount(ring))
        slopes.append(np.polyfit(np.log(np.arange(4, 65)), np.log(amplitude[4:65]), 1)[0])
    assert -1.5 < np.mean(slopes) < -0.6, slopes


@pytest.mark.parametrize("kind", KINDS)
def test_shadows_and_highlights_have_structure(kind: Kind) -> None:
    """What is dark and what is bright differs from its neighbours, as a photograph's does: no flat areas."""
    seen = np.log2(luminance(synthesize(3, kind)))
    across = abs(np.diff(seen, axis=1))
    for low, high in ((5, 30), (70, 95)):
        part = (seen > np.percentile(seen, low)) & (seen < np.percentile(seen, high))
        assert np.mean(across[part[:, 1:]] > 0.002) > 0.5


def test_sky_is_blue_and_the_sun_is_the_brightest() -> None:
    for seed in range(6):
        light = synthesize(seed, "sky", 96, 144)
        brightest = np.unravel_index(luminance(light).argmax(), (96, 144))
        assert brightest[0] < 64
        lamp = light[brightest]
        assert lamp[0] >= lamp[2], "the low sun is warm"
    clear = synthesize(5, "sky", 96, 144)[:10, 70:]
    assert (clear[..., 2] > 1.2 * clear[..., 0]).mean() > 0.9


def test_night_lamps_are_warm_and_interior_windows_are_bright() -> None:
    for seed in range(4):
        night = synthesize(seed, "night", 96, 144)
        lamps = night[luminance(night) > 1000]
        assert len(lamps)
        assert (lamps[:, 0] > lamps[:, 2]).all()
        room = luminance(synthesize(seed, "interior", 96, 144))
        assert (room > 10 * np.median(room)).mean() > 0.02


def test_texture_contrast_is_that_of_paint() -> None:
    """Neighbouring points differ by no more than black and white paint, but for the few blocks on the shade's edge."""
    blocks = synthesize(2, "texture").reshape(32, 8, 48, 8, 3)
    contrast = blocks.max(axis=(1, 3)) / blocks.min(axis=(1, 3))
    assert np.mean(contrast < 1.3 * BRIGHTEST / DARKEST) > 0.98
    assert np.mean(contrast > 3) > 0.3


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_the_same_seed_is_the_same_scene_and_another_is_another(kind: Kind | None) -> None:
    first = synthesize(5, kind, 48, 64)
    assert first.tobytes() == synthesize(5, kind, 48, 64).tobytes()
    assert not np.allclose(first, synthesize(6, kind, 48, 64))


def test_another_process_computes_the_same_bits() -> None:
    code = "import zlib; from exposurebench.synthesis import KINDS, synthesize\n"
    code += "print(zlib.crc32(b''.join(synthesize(1, k, 40, 60).tobytes() for k in KINDS)))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_another_size_is_the_same_scene(kind: Kind) -> None:
    small = np.log(luminance(synthesize(4, kind, 64, 96)))
    large = np.log(luminance(synthesize(4, kind, 256, 384)).reshape(64, 4, 96, 4).mean(axis=(1, 3)))
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.85


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (31, 17), (33, 65)], ids=str)
def test_odd_sizes(kind: Kind, shape: tuple[int, int]) -> None:
    light = synthesize(0, kind, *shape)
    assert light.shape == (*shape, 3)
    assert np.isfinite(light).all()
    assert (light > 0).all()


def test_none_draws_every_kind() -> None:
    drawn = set()
    for seed in range(16):
        light = synthesize(seed, None, 8, 12)
        drawn |= {kind for kind in KINDS if np.array_equal(light, synthesize(seed, kind, 8, 12))}
    assert drawn == set(KINDS)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="kind must be one of sky"):
        synthesize(0, "dawn")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        synthesize(0, "sky", 0, 10)


def test_noise_is_periodic_smooth_and_normed() -> None:
    noise = tile(np.random.default_rng(3), 0.7, 64)
    assert noise.dtype == np.float32
    assert (noise[0] == noise[-1]).all()
    assert (noise[:, 0] == noise[:, -1]).all()
    assert abs(noise[:-1, :-1].mean()) < 1e-6
    assert noise[:-1, :-1].std() == pytest.approx(1, abs=1e-5)
    u, v = np.random.default_rng(0).uniform(-2, 2, (2, 500)).astype(np.float32)
    near = sample(noise, u, v)
    assert np.allclose(near, sample(noise, u + 1, v - 3), atol=1e-3)
    corners = np.arange(64, dtype=np.float32) / 64
    assert np.array_equal(sample(noise, corners, np.zeros_like(corners)), noise[0, :-1])
    middle = sample(noise, corners + np.float32(1 / 128), np.zeros_like(corners))
    assert np.allclose(middle, (noise[0, :-1] + noise[0, 1:]) / 2, atol=1e-6)


@pytest.mark.parametrize(("persistence", "slope"), [(1.0, -1.0), (0.5, -2.0)])
def test_noise_falls_with_frequency_as_asked(persistence: float, slope: float) -> None:
    """Persistence p adds log2(p) to the slope of 1/f."""
    slopes = []
    for seed in range(4):
        power = np.abs(np.fft.fft2(tile(np.random.default_rng(seed), persistence)[:-1, :-1])) ** 2
        cycles = np.fft.fftfreq(256) * 256
        ring = np.hypot(cycles[:, None], cycles[None]).round().astype(int).ravel()
        amplitude = np.sqrt(np.bincount(ring, power.ravel()) / np.bincount(ring))
        slopes.append(np.polyfit(np.log(np.arange(2, 49)), np.log(amplitude[2:49]), 1)[0])
    assert np.mean(slopes) == pytest.approx(slope, abs=0.2), slopes


def test_edges_are_looked_at_four_times() -> None:
    """A half plane's edge pixel is the share that the four places see; flat areas stay as they are."""

    def shade(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.where(x[:, None] < 0, np.float32(1), np.float32(9)).repeat(3, axis=1)

    light = render(shade, 4, 5)
    assert light[:, :, 0].tolist() == [[1, 1, 5, 9, 9]] * 4
