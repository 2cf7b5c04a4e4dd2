"""Brackets: aligned, cut alike, gated one by one."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from exposurebench.dataset import load_dataset
from exposurebench.images import Image, encode_image, quantize
from exposurebench.make_dataset import make_dataset
from exposurebench.pairing.bracket import bracket
from exposurebench.recipe import dataset_recipe
from exposurebench.scene import Frame, Pair, Rejected, Scene
from exposurebench.verify import rebuild, verify


def light(seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    found = cv2.GaussianBlur(rng.random((170, 210, 3), np.float32), (0, 0), 3)
    return np.asarray(((found - found.min()) / np.ptp(found)) ** 2, np.float32)


def exposed(scene: NDArray[np.float32], ev: float, x: int = 0, y: int = 0) -> Image:
    from exposurebench.color import srgb_to_display

    window = scene[5 + y : 165 + y, 5 + x : 205 + x]
    return Image(quantize(srgb_to_display((window * np.float32(2**ev)).clip(0, 1))))


def scene(*images: tuple[float, Image], render: Image | None = None) -> Scene:
    frames = [Frame(Path(f"{n}.png"), ev, image) for n, (ev, image) in enumerate(images)]
    finished = [Frame(Path("render.png"), image=render, role="render")] if render else []
    return Scene("s", (*frames, *finished))


def split(made: list[Pair | Rejected]) -> tuple[list[Pair], list[Rejected]]:
    return [m for m in made if isinstance(m, Pair)], [m for m in made if isinstance(m, Rejected)]


SHIFTED = ((-2.0, exposed(light(), -2, 3, -2)), (0.0, exposed(light(), 0)), (2.0, exposed(light(), 2, -4, 1)))


def test_frames_against_a_render_show_the_same() -> None:
    render = exposed(light(), 0.3)
    pairs, rejected = split(list(bracket(scene(*SHIFTED, render=render), motion="translation")))
    assert not rejected
    assert [p.name for p in pairs] == ["frame0", "frame1", "frame2"]
    assert len({id(p.target) for p in pairs}) == 1, "they share the target"
    assert len({p.input.pixels.shape for p in pairs}) == 1
    assert all(p.settings["target"] == "render" for p in pairs)
    assert pairs[0].target.pixels.shape == pairs[0].input.pixels.shape
    height, width = pairs[0].target.pixels.shape[:2]
    assert (155, 191) <= (height, width) <= (158, 194)
    middle = pairs[1].input.pixels.astype(float), pairs[1].target.pixels.astype(float)
    assert np.corrcoef(middle[0].ravel(), middle[1].ravel())[0, 1] > 0.99
    assert [p.facts["corner_shift_px"] for p in pairs] == pytest.approx([13**0.5, 0, 17**0.5], abs=0.1)
    assert [p.facts["stated_step_ev"] for p in pairs] == [0, 2, 4]
    assert [p.facts["estimated_step_ev"] for p in pairs] == pytest.approx([0, 2, 4], abs=0.05)


@pytest.mark.parametrize("target", ["mertens", "merge_reinhard"])
def test_frames_against_their_merge(target: str) -> None:
    from exposurebench import catalog
    from exposurebench.scene import Evidence, ExposedFrame

    pairs, _ = split(list(bracket(scene(*SHIFTED), target=target)))
    assert len(pairs) == 3
    frames = tuple(ExposedFrame(p.input.as_float(), ev) for p, ev in zip(pairs, (-2.0, 0.0, 2.0), strict=True))
    merged = catalog.load("baselines", target).function()(Evidence(frames[0].pixels, frames=frames))
    np.testing.assert_array_equal(pairs[0].target.pixels, quantize(merged))


@pytest.mark.parametrize("target", ["auto", "debevec", "robertson", "linear"])
def test_frames_against_their_light(target: str) -> None:
    still = [(ev, exposed(light(), ev)) for ev in (-2.0, 0.0, 2.0)]
    pairs, rejected = split(list(bracket(scene(*still), target=target, light=True, register="none")))
    assert not rejected
    assert {id(pair.target) for pair in pairs} == {id(pairs[0].target)}
    assert pairs[0].target.encoding == "linear"
    assert pairs[0].settings["target"] == ("debevec" if target == "auto" else target)
    truth = light()[5:165, 5:205]
    ratio = np.log2(pairs[0].target.pixels / truth)[truth > 0.05]
    assert np.std(ratio) < 0.15, "the light of the scene but for its scale"
    if target == "linear":
        assert np.median(ratio) == pytest.approx(0, abs=0.02)


def test_light_needs_exposures() -> None:
    frames = tuple(Frame(Path(str(n)), None, exposed(light(), n)) for n in range(2))
    with pytest.raises(ValueError, match="debevec needs the exposure of every frame"):
        list(bracket(Scene("s", frames), light=True, register="none"))


def test_a_frame_that_fails_is_left_out_with_its_numbers() -> None:
    frames = (*SHIFTED, (1.0, exposed(light(5), 1)))
    pairs, rejected = split(list(bracket(scene(*frames, render=exposed(light(), 0.3)))))
    assert [p.name for p in pairs] == ["frame0", "frame1", "frame2"]
    assert [r.name for r in rejected] == ["frame3"]
    assert any(word in rejected[0].reason for word in ("correlation", "residual", "no warp"))
    assert rejected[0].numbers["correlation"] < 0.8
    assert rejected[0].numbers["residual_px"] > 1
    kept, _ = split(list(bracket(scene(*SHIFTED), target="mertens")))
    beside, gated = split(list(bracket(scene(*frames), target="mertens")))
    assert [r.name for r in gated] == ["frame3"]
    np.testing.assert_array_equal(beside[0].target.pixels, kept[0].target.pixels)


def test_without_registration_pairs_stay_as_far_apart_as_they_are() -> None:
    render = exposed(light(), 0.3)
    pairs, rejected = split(list(bracket(scene(*SHIFTED, render=render), register="none")))
    assert not rejected
    np.testing.assert_array_equal(pairs[0].input.pixels, SHIFTED[0][1].pixels)
    assert pairs[0].facts["residual_px"] == pytest.approx(13**0.5, abs=0.3)
    assert pairs[1].facts["residual_px"] < 0.1


def test_what_cannot_be_paired_says_why() -> None:
    alone = scene((0.0, exposed(light(), 0)))
    assert [m.reason for m in split(list(bracket(alone)))[1]] == ["a merge needs two frames or more"]
    assert "no picture 'expert'" in split(list(bracket(alone, target="expert")))[1][0].reason
    flat = Image(np.full((160, 200, 3), 128, np.uint8))
    _, rejected = split(list(bracket(scene((0.0, exposed(light(), 0)), (1.0, flat)))))
    assert [r.reason for r in rejected] == [
        "no warp was found: the numbers are without one",
        "is left alone by the gates",
    ]


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="register must be one of ecc, none"):
        list(bracket(scene(*SHIFTED), register="sift"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="motion must be one of"):
        list(bracket(scene(*SHIFTED), motion="shear"))  # type: ignore[arg-type]
    unknown = replace(SHIFTED[0][1])
    frames = tuple(Frame(Path(str(n)), None, unknown) for n in range(2))
    with pytest.raises(ValueError, match="exposure"):
        list(bracket(Scene("s", frames), target="merge_reinhard"))


@pytest.mark.parametrize("register", ["ecc", "none"])
def test_a_data_set_of_brackets(register: str, tmp_path: Path) -> None:
    for name, seed in (("hall", 0), ("yard", 1)):
        for number, (ev, x) in enumerate(((-2, 2), (0, 0), (2, -3))):
            source = light(9 if (seed, ev) == (1, -2) else seed)
            path = tmp_path / "in" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_image(exposed(source, ev, x).pixels))
    recipe = dataset_recipe(
        {"source": "brackets", "pair": "bracket", "register": register, "exposures": [-2, 0, 2], "split": "test"}
    )
    built = make_dataset(recipe, tmp_path / "out", root=tmp_path / "in", card=False)
    assert built.failed == 0
    rows = built.dataset.rows("test")
    with (tmp_path / "out" / "rejected.csv").open(newline="") as stream:
        rejected = list(csv.DictReader(stream))
    if register == "none":
        assert len(rows) == 6
        assert not rejected
    else:
        assert len(rows) == 5
        assert [(r["source"], r["pair"]) for r in rejected] == [("yard", "frame0")]
        assert rejected[0]["reason"]
        assert float(rejected[0]["correlation"]) < 0.8
        assert float(rejected[0]["residual_px"]) > 0.3
        assert built.dataset.document["rejected"] == {"pair rejected": 1}
    assert len({row["target_file_name"] for row in rows if row["scene"] == "hall"}) == 1
    assert {row["exposure_ev"] for row in rows} == {-2, 0, 2}
    assert not list(verify(tmp_path / "out"))
    assert not list(rebuild(tmp_path / "out", 2, root=tmp_path / "in"))
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["recipe"]["register"] == register


def test_real_brackets_become_a_data_set(shared: Path, tmp_path: Path) -> None:
    recipe = dataset_recipe({"source": "brackets", "pair": "bracket", "split": "test"})
    root = shared / "data" / "brackets" / "mertens_house"
    built = make_dataset(recipe, tmp_path / "set", root=root, card=False)
    rows = load_dataset(tmp_path / "set").rows("test")
    assert len(rows) == 4
    assert not built.dataset.document["rejected"]
    assert max(row["residual_px"] for row in rows) < 0.3
