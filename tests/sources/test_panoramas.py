"""A tree of panoramas: all views of one are frames of one scene."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from exposurebench import scene as scene_module
from exposurebench.errors import ImageError, RecipeError
from exposurebench.images import Image
from exposurebench.panorama import perspective
from exposurebench.scene import Scene
from exposurebench.sources.panoramas import panoramas

SMALL = {"height": 24, "width": 32}


def read_radiance(path: Path, *, encoding: str = "srgb") -> Image:
    """A reader of .hdr files for these tests."""
    assert encoding == "linear"
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ImageError("is no radiance map")
    return Image(np.ascontiguousarray(pixels[..., ::-1]), 16, "linear", notes=("read",), facts={"max": 1.0})


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    paths: list[Path] = []

    def counting(path: Path, **settings: Any) -> Image:
        paths.append(path)
        return read_radiance(path, **settings)

    monkeypatch.setattr(scene_module, "read_image", counting)
    return paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    light = np.random.default_rng(0).lognormal(0, 1, (128, 256, 3)).astype(np.float32)
    for name, pixels in (
        ("a.hdr", light),
        ("b/c.hdr", light),
        ("no.hdr", light[:, :200]),
        ("tiny.hdr", light[:8, :16]),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(cv2.imencode(".hdr", pixels)[1].tobytes())
    (tmp_path / "readme.txt").write_text("no panorama")
    return tmp_path


def scene(root: Path, name: str, **settings: Any) -> Scene:
    return {scene.name: scene for scene in panoramas(root, **{**SMALL, **settings})}[name]


def test_one_scene_a_panorama_and_one_frame_a_view(root: Path) -> None:
    scenes = list(panoramas(root, views=5))
    assert [scene.name for scene in scenes] == ["a.hdr", "b/c.hdr", "no.hdr", "readme.txt", "tiny.hdr"]
    assert {len(scene.frames) for scene in scenes} == {5}
    assert {frame.encoding for scene in scenes for frame in scene.frames} == {"linear"}


def test_views_are_cut_from_one_decoding(root: Path, decoded: list[Path]) -> None:
    given = pickle.loads(pickle.dumps(scene(root, "a.hdr", views=4)))  # noqa: S301 - our own bytes
    read = given.read()
    assert decoded == [root / "a.hdr"]
    whole = read_radiance(root / "a.hdr", encoding="linear").pixels
    seen = set()
    for frame in read.frames:
        image = frame.pixels
        assert image.encoding == "linear"
        assert image.bit_depth == 16
        assert image.notes == ("read",)
        assert image.facts["max"] == 1.0
        look = {name: image.facts[name] for name in ("yaw_deg", "pitch_deg", "fov_deg")}
        assert np.array_equal(image.pixels, perspective(whole, **look, **SMALL)), "the facts make the view again"
        seen.add(image.pixels.tobytes())
    assert len(seen) == 4


def test_views_depend_on_the_seed_and_the_name_alone(root: Path, decoded: list[Path]) -> None:
    def looks(name: str, **settings: Any) -> list[float]:
        return [frame.pixels.facts["yaw_deg"] for frame in scene(root, name, **settings).read().frames]

    assert looks("a.hdr", views=3) == looks("a.hdr", views=5)[:3]
    assert looks("a.hdr", views=3) != looks("b/c.hdr", views=3)
    assert looks("a.hdr", views=3) != looks("a.hdr", views=3, seed=1)


def test_what_is_no_panorama_is_said_on_reading(root: Path, decoded: list[Path]) -> None:
    with pytest.raises(
        ImageError, match=r"^is 200 x 128; expected an equirectangular panorama, twice as wide as high$"
    ):
        scene(root, "no.hdr").read()
    with pytest.raises(ImageError, match="no radiance map"):
        scene(root, "readme.txt").read()


def test_views_are_never_enlarged(root: Path, decoded: list[Path]) -> None:
    with pytest.raises(ImageError, match=r"is 16 x 8, which a view of \S+ degrees in 32 columns would enlarge"):
        scene(root, "tiny.hdr").read()
    exact = {"min_fov_deg": 90.0, "max_fov_deg": 90.0}  # 256 columns around: 2 * 256 / 2 / pi = 81.5 in the view
    scene(root, "a.hdr", **exact, width=81).read()
    with pytest.raises(ImageError, match="it takes 258 columns; lower width"):
        scene(root, "a.hdr", **exact, width=82).read()


@pytest.mark.parametrize(
    "settings",
    [{"views": 0}, {"height": 0}, {"width": 0}, {"max_pitch_deg": 91.0}, {"min_fov_deg": 95.0}, {"max_fov_deg": 151.0}],
    ids=str,
)
def test_wrong_settings(root: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=next(iter(settings))):
        list(panoramas(root, **settings))


def test_real_panoramas(shared: Path, decoded: list[Path]) -> None:
    """Views of four photographed panoramas: the sky or ceiling is above the floor, light is light."""
    files = sorted((shared / "data" / "hdr").glob("ph_*.hdr"))
    if not files:
        pytest.skip("the panoramas of EXPOSUREBENCH_SHARED are not here")
    found = {s.name: s for s in panoramas(files[0].parent, views=6, height=120, width=160, max_pitch_deg=5)}
    for path in files:
        light = [frame.pixels.pixels for frame in found[path.name].read().frames]
        assert all(np.isfinite(pixels).all() and pixels.min() >= 0 for pixels in light)
        brightness = np.median([pixels[:40].mean() / pixels[-40:].mean() for pixels in light])
        assert brightness > 1, f"{path.name} is upside down"
    assert decoded == files
