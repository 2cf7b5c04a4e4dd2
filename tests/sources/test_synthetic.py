"""Computed scenes as a source: no file, nothing to download."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest

from exposurebench.errors import RecipeError
from exposurebench.sources.synthetic import synthetic
from exposurebench.synthesis import KINDS
from exposurebench.synthesis import synthesize as compute_light


def test_kinds_come_in_turn() -> None:
    scenes = list(synthetic(scenes=6))
    assert [scene.name for scene in scenes] == [
        *("sky-0000", "interior-0001", "night-0002", "texture-0003"),
        *("sky-0004", "interior-0005"),
    ]
    assert len(list(synthetic())) == 24
    assert {scene.split for scene in scenes} == {None}, "split by shares, as any source without official splits"


def test_a_scene_is_read_as_light_in_half_floats() -> None:
    (scene,) = synthetic(scenes=1, kinds=["night"], height=24, width=40)
    (frame,) = scene.read().frames
    image = frame.pixels
    assert frame.encoding == image.encoding == "linear"
    assert image.bit_depth == 16
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (24, 40, 3)
    assert np.array_equal(image.pixels, image.pixels.astype(np.float16))
    assert np.isfinite(image.pixels).all()
    exact = compute_light(image.facts["scene_seed"], "night", 24, 40)
    assert np.allclose(image.pixels, exact, rtol=2**-11, atol=3e-8)


def test_a_scene_does_not_depend_on_how_many_there_are() -> None:
    few = {s.name: s.read().frames[0].pixels.pixels.tobytes() for s in synthetic(scenes=4, height=16, width=24)}
    more = {s.name: s.read().frames[0].pixels.pixels.tobytes() for s in synthetic(scenes=9, height=16, width=24)}
    assert few.items() <= more.items()
    assert len(set(more.values())) == 9
    other = {
        s.name: s.read().frames[0].pixels.pixels.tobytes() for s in synthetic(scenes=4, height=16, width=24, seed=1)
    }
    assert all(other[name] != few[name] for name in few)


def test_a_spawned_process_reads_the_same_pixels() -> None:
    code = (
        "import pickle, sys, zlib\n"
        "scene = pickle.load(sys.stdin.buffer)\n"
        "print(zlib.crc32(scene.read().frames[0].pixels.pixels.tobytes()))"
    )
    for scene in synthetic(scenes=len(KINDS), height=16, width=24):
        run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(scene), capture_output=True, check=True)
        assert int(run.stdout) == zlib.crc32(scene.read().frames[0].pixels.pixels.tobytes())


@pytest.mark.parametrize(
    "settings",
    [{"kinds": []}, {"kinds": ["dawn"]}, {"kinds": ["sky", "sky"]}, {"scenes": 0}, {"height": 0}, {"width": -1}],
    ids=str,
)
def test_wrong_settings(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} must be"):
        list(synthetic(**settings))  # type: ignore[arg-type]
