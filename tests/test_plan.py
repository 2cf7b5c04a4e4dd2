"""What a recipe asks of a source: the same scenes, keys and pairs however the source is walked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exposurebench import plan
from exposurebench.errors import InputError, MissingError, RecipeError
from exposurebench.images import Image
from exposurebench.plan import check, items, make_pairs, make_plan, scenes_of
from exposurebench.recipe import DatasetRecipe, dataset_recipe
from exposurebench.scene import Frame, Scene


def recipe(**settings: Any) -> DatasetRecipe:
    return dataset_recipe({"source": "folder", **settings})


def keys(root: Path, **settings: Any) -> dict[str, str]:
    return {item.scene.name: item.key for item in items(make_plan(recipe(**settings), root))}


def empty_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


# ---- which scenes ----------------------------------------------------------------------------------------


def test_pairs_of_one_scene_do_not_take_the_names_of_another(tmp_path: Path) -> None:
    """The first frame of the bracket ``a`` makes ``a-frame0``, which is also what a scene of one frame may be called."""
    from exposurebench.images import encode_image
    from exposurebench.make_dataset import make_dataset
    from exposurebench.verify import verify

    rng = np.random.default_rng(0)
    for name in ("a/1", "a/2", "a/render", "a-frame0/1", "a-frame0/render", "b/1", "b/2", "b/render"):
        path = tmp_path / "in" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(rng.integers(9, 240, (9, 9, 3), np.uint8)))
    asked = dataset_recipe({"source": "brackets", "pair": "bracket", "register": "none", "split": "test"})
    rows = make_dataset(asked, tmp_path / "out", root=tmp_path / "in", card=False).dataset.rows("test")
    names = [row["id"] for row in rows]
    assert sorted(names, key=len)[:3] == ["a-frame0", "b-frame0", "b-frame1"]
    assert len({*names}) == len({row["input_file_name"] for row in rows}) == 5
    assert {row["scene"] for row in rows if row["id"] == "a-frame0"} == {"a-frame0"}
    assert all(name.startswith("a-") and len(name) == len("a-01234567-frame0") for name in sorted(names, key=len)[3:])
    assert not list(verify(tmp_path / "out"))


def test_a_smaller_limit_is_a_subset_and_seed_changes_it(
    build: Callable[..., Any], photographs: Path, tmp_path: Path
) -> None:
    def built(limit: int, seed: int = 0) -> set[tuple[str, str, str]]:
        dataset = build(tmp_path / f"{limit}-{seed}", photographs, tau="0.5:1", limit=limit, seed=seed)
        return {(s, row["scene"], row["input_sha256"]) for s in dataset.splits for row in dataset.rows(s)}

    five, twelve, everything = built(5), built(12), built(99)
    assert (len(five), len(twelve), len(everything)) == (5, 12, 30)
    assert five < twelve < everything
    assert {name for _, name, _ in built(5, seed=1)} != {name for _, name, _ in five}


def test_limit_does_not_depend_on_the_order_of_the_source(
    build: Callable[..., Any], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(name: str) -> list[dict[str, Any]]:
        dataset = build(tmp_path / name, photographs, tau="0.5:1", limit=11, split="test")
        return sorted(dataset.rows("test"), key=lambda row: str(row["scene"]))

    forward = built("forward")
    real = plan.scenes_of
    monkeypatch.setattr(plan, "scenes_of", lambda *a: iter(list(real(*a))[::-1]))
    assert built("backward") == forward


def test_the_fingerprint_sees_a_name_and_a_size_that_changed(tmp_path: Path) -> None:
    empty_files(tmp_path, "a.png", "b.png")
    found = [make_plan(recipe(), tmp_path).fingerprint for _ in range(2)]
    (tmp_path / "a.png").write_bytes(b"x")
    found.append(make_plan(recipe(), tmp_path).fingerprint)
    (tmp_path / "a.png").rename(tmp_path / "c.png")
    found.append(make_plan(recipe(), tmp_path).fingerprint)
    empty_files(tmp_path, "a.png")
    found.append(make_plan(recipe(), tmp_path).fingerprint)
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_what_is_stored_beside_the_markers_says_nothing_of_this_machine(tmp_path: Path) -> None:
    document = make_plan(recipe(tau=0.3), empty_files(tmp_path, "a.png")).document()
    assert document["schema"] == 1
    assert dataset_recipe(document["recipe"]) == recipe(tau=0.3)
    assert str(tmp_path) not in str(document)


@pytest.mark.parametrize("scenes", [1, 2, 63, 64, 65, 640, 4096, 4097, 10**6])
def test_small_sources_are_cut_small_and_no_shard_is_larger_than_promised(scenes: int) -> None:
    cut = plan.Plan(recipe(), None, scenes, 0, "", None, frozenset(), frozenset()).shard_scenes
    assert 1 <= cut <= plan.SHARD_SCENES
    assert -(-scenes // cut) >= min(scenes, 32), "every worker has some"


# ---- under which names -----------------------------------------------------------------------------------


def test_names_that_share_a_key_are_told_apart_and_others_are_left_alone(tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "A.PNG", "a b.png", "a_b.png", "Été.png", "ete.png", "alone.png", "sub/alone.png"]
    found = keys(empty_files(tmp_path, *names))
    assert found.keys() == set(names)
    assert len(set(found.values())) == len(names)
    assert (found["alone.png"], found["sub/alone.png"]) == ("alone", "sub_alone")
    assert all(found[name].startswith("a-") for name in ("a.png", "a.jpg", "A.PNG"))


def test_a_key_depends_on_its_own_name_where_names_collide(tmp_path: Path) -> None:
    two = keys(empty_files(tmp_path, "a.png", "a.jpg"))
    three = keys(empty_files(tmp_path, "a.gif"))
    assert two.items() < three.items()


def test_more_than_fifty_thousand_scenes_go_into_numbered_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_plan(recipe(), empty_files(tmp_path, *(f"{number}.png" for number in range(5))))
    monkeypatch.setattr(plan, "FOLDER_SCENES", 2)
    large, small = (dataclasses.replace(made, scenes=scenes) for scenes in (50_001, 50_000))
    assert [item.below for item in items(large)] == ["0000/", "0000/", "0001/", "0001/", "0002/"]
    assert {item.below for item in items(small)} == {""}


# ---- the pairs -------------------------------------------------------------------------------------------


def scene(name: str = "a.png") -> Scene:
    pixels = np.random.default_rng(1).integers(20, 230, (12, 20, 3)).astype(np.uint8)
    return Scene(name, (Frame(Path(name), image=Image(pixels)),))


def test_what_is_drawn_depends_on_seed_source_and_scene() -> None:
    def tau(name: str = "a.png", **settings: Any) -> float:
        (pair,) = make_pairs(recipe(tau="0.2:1", **settings), scene(name))
        return float(pair.settings["tau"])

    assert tau() == tau()
    samples = dataclasses.replace(recipe(tau="0.2:1"), source="samples")
    (other,) = make_pairs(samples, scene())
    assert len({tau(), tau("b.png"), tau(seed=1), other.settings["tau"]}) == 4


def test_a_random_crop_is_another_for_every_scene_and_the_same_on_both_sides() -> None:
    made = [next(iter(make_pairs(recipe(tau=1.0, crop="random"), scene(f"{n}.png")))) for n in range(8)]
    assert {pair.target.pixels.shape for pair in made} == {(12, 12, 3)}
    assert len({pair.target.pixels.tobytes() for pair in made}) > 1
    assert all(np.array_equal(pair.input.pixels, pair.target.pixels) for pair in made), "tau 1 changes nothing"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tau": 0.0}, r"tau must be in \(0, 1\], not 0.0"),
        ({"tau": float("nan")}, r"tau must be in \(0, 1\], not nan"),
        ({"tau": "0.9:0.1"}, "must be a range low:high"),
        ({"tau": [0.5, 0.5]}, "names a threshold twice"),
        ({"tau": []}, "names a threshold twice or none at all"),
        ({"noise": 0.1, "form": "literal"}, "noise needs form=camera"),
        ({"split": "trian"}, "expected official, train, val, test"),
        ({"split": "train=0.9"}, "add up to 1"),
    ],
)
def test_settings_that_cannot_be_used_are_known_before_anything_is_read(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        check(recipe(**settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"size": 4096, "crop": "random"}, {"split": "val"}, {"tau": "0.1,0.2"}])
def test_settings_that_can_be_used_pass(settings: dict[str, Any]) -> None:
    check(recipe(**settings))


# ---- folders that cannot be used -------------------------------------------------------------------------


def test_a_source_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the source folder needs a folder: give it with --root"):
        make_plan(recipe())
    with pytest.raises(MissingError, match=r"no folder .*--root"):
        make_plan(recipe(), tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"folder: no files in .*--root"):
        make_plan(recipe(), tmp_path)


def test_files_that_cannot_be_looked_at_are_scenes_nevertheless(tmp_path: Path) -> None:
    """They are listed as rejected when they are read."""
    os.symlink("nowhere", tmp_path / "a.png")
    assert make_plan(recipe(), tmp_path).scenes == 1
    assert [found.name for found in scenes_of(recipe(), tmp_path)] == ["a.png"]


def test_a_split_may_count_scenes(tmp_path: Path) -> None:
    root = empty_files(tmp_path, *(f"{number:02d}.jpg" for number in range(12)))
    for seed in (0, 1):
        found = [i.split for i in items(make_plan(recipe(split="train=8,val=1,test=3", seed=seed), root))]
        assert [found.count(name) for name in ("train", "val", "test")] == [8, 1, 3]
    chosen = recipe(split="train=3,test=2", limit=5)
    assert sorted(i.split for i in items(make_plan(chosen, root))) == ["test"] * 2 + ["train"] * 3
    with pytest.raises(RecipeError, match="the split counts 11 scenes, and the source has 12"):
        make_plan(recipe(split="train=8,test=3"), root)


def test_the_scenes_of_some_shards_are_those_of_the_whole_walk(tmp_path: Path) -> None:
    empty_files(tmp_path, *(f"{number:03d}.png" for number in range(150)))
    planned = make_plan(recipe(split="official"), tmp_path)
    assert planned.shard_scenes == 3
    whole = list(items(planned))
    assert list(items(planned, {0, 7, 49})) == [*whole[:3], *whole[21:24], *whole[147:]]
