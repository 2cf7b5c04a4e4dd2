"""Augmentation: what papers 1 and 2 did, what they should have done, and paper 2's counts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from exposurebench.augmentation import DIHEDRAL, NAMES, TURNS, augment, augment_pair, draw_augmented, jittered
from exposurebench.images import Image, encode_image
from exposurebench.make_dataset import make_dataset
from exposurebench.plan import make_pairs
from exposurebench.recipe import DatasetRecipe, dataset_recipe
from exposurebench.scene import Pair
from exposurebench.sources.brackets import brackets
from exposurebench.verify import rebuild


def sides(height: int = 4, width: int = 6) -> dict[str, np.ndarray]:
    """Every pixel its own number, on both sides the same."""
    pixels = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    return {"input": pixels, "target": pixels.copy()}


def distinct(how: str, **shape: int) -> int:
    return len({version.sides["input"].tobytes() for version in augment(sides(**shape), how)})


def test_paper2_has_fourteen_of_which_two_are_doubles() -> None:
    made = list(augment(sides(), "paper2"))
    assert len(made) == 14
    assert distinct("paper2") == 12
    named = {version.name: version.sides["input"] for version in made}
    assert len(named) == 14
    for crop in ("crop0", "crop1"):
        np.testing.assert_array_equal(named[f"{crop}-hv"], named[f"{crop}-rot180"])
    np.testing.assert_array_equal(named["crop0-whole"], sides()["input"][:, :4])
    np.testing.assert_array_equal(named["crop1-whole"], sides()["input"][:, 2:], err_msg="flush with the end")


def test_corrected_paper2_is_the_whole_dihedral_group() -> None:
    assert len(list(augment(sides(), "paper2/corrected"))) == distinct("paper2/corrected") == 16
    square = np.arange(9).reshape(3, 3)
    group = {TURNS[turn](square).tobytes() for turn in DIHEDRAL}
    assert len(group) == 8
    for one in DIHEDRAL:
        for other in DIHEDRAL:
            assert TURNS[other](TURNS[one](square)).tobytes() in group, "closed"


@pytest.mark.parametrize(("height", "width", "crops"), [(4, 6, 2), (6, 4, 2), (4, 4, 1), (4, 9, 3), (4, 8, 2)])
def test_crops_cover_the_long_side(height: int, width: int, crops: int) -> None:
    made = [v.sides["input"] for v in augment(sides(height, width), "paper2") if v.name.endswith("whole")]
    assert len(made) == crops
    assert {array.shape for array in made} == {(4, 4, 3)}
    assert {x for array in made for x in array.ravel().tolist()} == set(range(height * width * 3))


@pytest.mark.parametrize("how", ["paper2", "paper2/corrected", "paper1/corrected"])
def test_sides_still_match(how: str) -> None:
    for seed in range(30):
        for version in augment(sides(), how, seed=seed):
            if not version.settings:
                np.testing.assert_array_equal(version.sides["input"], version.sides["target"])
            assert len(set(version.geometry.values())) == 1


def test_paper1_as_published_flips_the_input_alone() -> None:
    flipped = jitters = 0
    for seed in range(1000):
        (version,) = augment(sides(), "paper1", seed=seed)
        np.testing.assert_array_equal(version.sides["target"], sides()["target"])
        flipped += version.geometry["input"] == "h"
        jitters += bool(version.settings)
        if version.name == "h":
            np.testing.assert_array_equal(version.sides["input"], sides()["input"][:, ::-1])
        assert all(abs(amount) <= 0.2 for amount in version.settings.values())
    assert flipped == pytest.approx(500, abs=60)
    assert jitters == pytest.approx(200, abs=50)


@pytest.mark.parametrize("how", NAMES)
def test_same_seed_same_bytes_inputs_untouched(how: str) -> None:
    given = sides()
    first, second = (list(augment(given, how, seed=3)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.name == other.name
        for side in given:
            np.testing.assert_array_equal(one.sides[side], other.sides[side])
            assert one.sides[side].flags.c_contiguous
    np.testing.assert_array_equal(given["input"], sides()["input"])


def test_jitter() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((9, 7, 3), dtype=np.float32) * 0.5 + 0.2
    still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    np.testing.assert_allclose(jittered(picture, **still), picture, atol=1e-6)
    np.testing.assert_allclose(jittered(picture, **{**still, "brightness": 0.1}), picture * 1.1, atol=1e-6)
    away = jittered(picture, **{**still, "contrast": -0.999999})
    assert np.ptp(away) < 1e-5
    turned = jittered(picture, **{**still, "hue": 1 / 3})
    np.testing.assert_allclose(turned, picture[..., [2, 0, 1]], atol=1e-5)
    gray = jittered(picture, **{**still, "saturation": -1.0})
    np.testing.assert_allclose(gray[..., 0], gray[..., 1], atol=1e-6)
    levels = (picture * 65535).astype(np.uint16)
    assert jittered(levels, **{**still, "brightness": 0.1}).dtype == np.uint16


def test_pairs_that_shared_a_target_still_do() -> None:
    target = Image(sides()["target"], file=(b"x", ".png"))
    pairs = [Pair(name, Image(sides()["input"]), target, {}, shared_names={"target": ""}) for name in ("a", "b")]
    done: dict[tuple[int, str], Image] = {}
    made = [list(augment_pair(pair, "paper2", done=done)) for pair in pairs]
    for one, other in zip(*made, strict=True):
        assert one.target is other.target
        assert one.shared_names == {"target": one.facts["augmentation"]}
    for seed in range(20):
        (version,) = augment_pair(pairs[0], "paper1", seed=seed)
        assert version.target is target, "nothing was done to it: its own bytes"


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'paper2'"):
        list(augment(sides(), "paper3"))
    with pytest.raises(ValueError, match="of its size"):
        list(augment({"input": np.zeros((4, 6, 3)), "target": np.zeros((4, 5, 3))}, "paper2"))


def bracket_tree(folder: Path, frames: list[int]) -> Path:
    """A folder a scene, tiny frames of 3:2 and a render beside."""
    rng = np.random.default_rng(0)
    for scene, count in enumerate(frames):
        inside = folder / f"scene{scene:03d}"
        inside.mkdir(parents=True)
        for number in range(count):
            (inside / f"{number}.png").write_bytes(encode_image(rng.integers(0, 255, (4, 6, 3), np.uint8)))
        (folder / f"scene{scene:03d}_rendered.png").write_bytes(encode_image(rng.integers(0, 255, (4, 6, 3), np.uint8)))
    return folder


def test_papers_2_counts(tmp_path: Path) -> None:
    """917 frames in 102 scenes, 14 each: 12,838; ten scenes of nine: 1,260. The test split keeps its frames."""
    frames = [9] * 94 + [6, 7, 8, 8, 8, 8, 8, 18]
    assert (len(frames), sum(frames)) == (102, 917)
    recipe = DatasetRecipe(
        "brackets", "bracket", augment="paper2", pair_settings={"register": "none", "target": "render"}
    )
    found = {
        scene.name: sum(1 for _ in make_pairs(recipe, scene.read(), "train"))
        for scene in brackets(bracket_tree(tmp_path, frames))
    }
    assert len(found) == 102
    assert sum(found.values()) == 12838
    assert sum(list(found.values())[:10]) == 1260
    ten = [scene.read() for scene, _ in zip(brackets(tmp_path), range(10), strict=False)]
    assert sum(1 for scene in ten for _ in make_pairs(recipe, scene, "val")) == 1260
    assert sum(1 for scene in ten for _ in make_pairs(recipe, scene, "test")) == 90
    assert sum(1 for s in ten for _ in make_pairs(dataclasses.replace(recipe, augment=None), s)) == 90


@pytest.mark.parametrize("how", ["paper2", "paper1"])
def test_augmented_data_sets(how: str, tmp_path: Path) -> None:
    root = bracket_tree(tmp_path / "in", [3] * 12)
    recipe = dataset_recipe(
        {"source": "brackets", "pair": "bracket", "register": "none", "augment": how, "split": "train=0.5,test=0.5"}
    )
    built = make_dataset(recipe, tmp_path / "out", root=root, card=False).dataset
    counts = built.document["counts"]
    many = 14 if how == "paper2" else 1
    assert counts["train"]["pairs"] == 3 * many * counts["train"]["photographs"]
    assert counts["test"]["pairs"] == 3 * counts["test"]["photographs"]
    assert {row["augmentation"] for row in built.rows("test")} == {"none"}
    targets = {row["target_file_name"] for row in built.rows("train")}
    assert len(targets) == counts["train"]["photographs"] * many, "exposures share their target"
    assert not list(rebuild(tmp_path / "out", 12, root=root))


def test_an_unknown_augmentation_is_known_at_once(tmp_path: Path) -> None:
    from exposurebench.errors import RecipeError

    recipe = dataset_recipe({"source": "brackets", "pair": "bracket", "augment": "paper9"})
    with pytest.raises(RecipeError, match="unknown augmentation 'paper9'"):
        make_dataset(recipe, tmp_path / "out", root=tmp_path)


@pytest.mark.parametrize("how", NAMES)
def test_one_is_drawn_of_all_versions(how: str) -> None:
    every = {version.name for seed in range(40) for version in augment(sides(), how, seed=seed)}
    met = set()
    for seed in range(300):
        drawn = draw_augmented(sides(), how, seed=seed)
        alike = [v for v in augment(sides(), how, seed=seed) if v.name == drawn.name]
        np.testing.assert_array_equal(drawn.sides["input"], alike[0].sides["input"])
        assert drawn.settings == alike[0].settings
        met.add(drawn.name)
    assert met == every
