"""Pairs that a data set holds: indexed where they lie, or copied; the manifest is the same."""

from __future__ import annotations

import hashlib
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from exposurebench.dataset import load_dataset
from exposurebench.errors import RecipeError
from exposurebench.images import Image, read_image
from exposurebench.make_dataset import Built, estimate, make_dataset
from exposurebench.pairing.paired import paired
from exposurebench.recipe import dataset_recipe
from exposurebench.scene import Frame, Scene
from exposurebench.verify import rebuild, verify

LAYOUTS = runpy.run_path(str(Path(__file__).parents[1] / "sources" / "layouts.py"))


def gray(level: float, name: str = "a.png", **settings: object) -> Frame:
    linear = settings.pop("encoding", "srgb") == "linear"
    pixels = np.full((4, 6, 3), level, np.float32 if linear else np.uint8)
    image = Image(
        pixels, 16 if linear else 8, "linear" if linear else "srgb", file=None if linear else (b"bytes", ".png")
    )
    return Frame(Path("folder", name), image=image, encoding=image.encoding, **settings)  # type: ignore[arg-type]


def build(out: Path, root: Path, source: str, **settings: object) -> Built:
    recipe = dataset_recipe({"source": source, "pair": "paired", "well_exposed": 1, **settings})
    return make_dataset(recipe, out, root=root, card=False)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".exposurebench" not in path.parts
    }


# ---- the function ----------------------------------------------------------------------------------------


def test_every_photograph_against_the_finished_picture() -> None:
    taken = [gray(10 * n, f"{n}.png", exposure_ev=float(n)) for n in (1, 2)]
    pairs = list(paired(Scene("s", (*taken, gray(110, "t.png", role="expert_c")))))
    assert [(p.name, p.facts["exposure_ev"], p.facts["input_from"]) for p in pairs] == [
        ("ev1", 1.0, "folder/1.png"),
        ("ev2", 2.0, "folder/2.png"),
    ]
    assert pairs[0].target is pairs[1].target, "one file serves both"
    assert [p.input.origin for p in pairs] == [frame.path for frame in taken]
    assert pairs[0].target.origin == Path("folder/t.png")
    assert all(frame.pixels.origin is None for frame in taken)
    assert [p.name for p in paired(Scene("s", (gray(1), gray(2), gray(3, role="target"))))] == ["frame0", "frame1"]


def test_an_input_that_is_its_target_is_marked() -> None:
    pairs = list(paired(Scene("s", (gray(110), gray(111), gray(110, role="target")))))
    assert [p.facts["input_is_target"] for p in pairs] == [True, False]


@pytest.mark.parametrize(("ev", "names"), [("-1.5,-1", ["ev-1p5", "ev-1"]), (0.0, [""]), ([1.0, 0.0], ["ev0", "ev1"])])
def test_some_exposures_alone(ev: object, names: list[str]) -> None:
    taken = [gray(100 + n, exposure_ev=n) for n in (-1.5, -1.0, 0.0, 1.0)]
    assert [p.name for p in paired(Scene("s", (*taken, gray(110, role="target"))), ev=ev)] == names  # type: ignore[arg-type]


def test_copies_have_no_origin_and_neither_has_what_is_no_file() -> None:
    scene = Scene("s", (gray(10), gray(110, role="target")))
    assert {image.origin for pair in paired(scene, copy=True) for image in (pair.input, pair.target)} == {None}
    resized = scene.resize(2, "none", 0)
    assert {image.origin for pair in paired(resized) for image in (pair.input, pair.target)} == {None}


@pytest.mark.parametrize(
    ("frames", "settings", "reason"),
    [
        ([gray(1)], {}, "has no finished picture"),
        ([gray(1), gray(2, role="expert_a"), gray(2, role="expert_b")], {}, "must be expert_a or expert_b"),
        ([gray(1), gray(2, role="label")], {"target": "render"}, "has no picture 'render': target must be label"),
        ([gray(1), gray(2, role="target")], {"ev": 1.0}, "no photograph at 1.0 EV"),
        ([gray(1), gray(2, role="target")], {"light": True}, "is not linear: choose --pair paired or"),
        ([gray(1), gray(2, role="target", encoding="linear")], {}, "is not srgb: choose --pair paired/light"),
        ([gray(2, role="target")], {}, "has none beside"),
    ],
)
def test_what_cannot_be_paired_says_why(frames: list[Frame], settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        list(paired(Scene("s", tuple(frames)), **settings))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_sides_of_two_sizes_are_refused() -> None:
    large = Frame(Path("t.png"), image=Image(np.zeros((5, 6, 3), np.uint8)), role="target")
    with pytest.raises(ValueError, match=r"'a.png' is 6 x 4 and the picture 'target' 6 x 5"):
        list(paired(Scene("s", (gray(1), large))))


# ---- data sets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        ("msec", {"train": 10, "val": 10, "test": 10}),
        ("lol", {"train": 4, "test": 2}),
        ("lcdp", {"train": 2, "val": 2, "test": 2}),
        ("sice", 38),
    ],
)
def test_one_command_indexes_a_published_layout(source: str, pairs: dict[str, int] | int, tmp_path: Path) -> None:
    root = LAYOUTS[source](tmp_path / "in")
    built = build(tmp_path / "out", root, source).dataset
    counts = {split: number["pairs"] for split, number in built.document["counts"].items()}
    assert (counts if isinstance(pairs, dict) else sum(counts.values())) == pairs
    assert not built.document["rejected"]
    for split in built.splits:
        for row in built.rows(split):
            for side in ("input", "target"):
                link = built.folder / split / row[f"{side}_file_name"]
                assert link.is_symlink()
                assert link.resolve().is_relative_to(root)
                assert f"{link.resolve().parent.name}/{link.resolve().name}" == row[f"{side}_from"]
                np.testing.assert_array_equal(built.read(split, row, side).pixels, read_image(link.resolve()).pixels)
    assert list(verify(built.folder)) == []
    assert list(rebuild(built.folder, 6, root=root)) == []


def test_a_copy_has_the_same_manifest_and_the_same_bytes(tmp_path: Path) -> None:
    root = LAYOUTS["msec"](tmp_path / "in")
    linked = build(tmp_path / "linked", root, "msec").dataset
    copied = build(tmp_path / "copied", root, "msec", copy=True).dataset
    there = files(linked.folder)
    assert {**files(copied.folder), "dataset.json": ""} == {**there, "dataset.json": ""}
    assert linked.document["fingerprints"] == copied.document["fingerprints"]
    assert not any(path.is_symlink() for path in copied.folder.rglob("*"))
    assert sum(path.is_symlink() for path in linked.folder.rglob("*")) == 30 + 6
    assert "--set copy=true" in copied.document["command"]
    shutil.copytree(linked.folder, tmp_path / "alone", symlinks=False)
    shutil.rmtree(root)
    assert list(verify(tmp_path / "alone")) == []


def test_the_data_set_may_move_and_a_source_that_moved_is_found_again(tmp_path: Path) -> None:
    root = LAYOUTS["lol"](tmp_path / "in")
    folder = build(tmp_path / "out", root, "lol").dataset.folder
    moved = folder.rename(tmp_path / "elsewhere")
    assert list(verify(moved)) == []
    elsewhere = root.rename(tmp_path / "moved")
    problems = list(verify(moved))
    assert len(problems) == 12
    assert all(problem.endswith(" is missing") for problem in problems)
    build(moved, elsewhere, "lol")
    assert list(verify(moved)) == []


def test_a_changed_file_of_the_source_is_noticed_and_never_written(tmp_path: Path) -> None:
    root = LAYOUTS["lol"](tmp_path / "in")
    before = files(root)
    folder = build(tmp_path / "out", root, "lol").dataset.folder
    assert files(root) == before
    changed = root / "LOLdataset" / "eval15" / "low" / "1.png"
    changed.write_bytes(LAYOUTS["picture"](".png", 99))
    assert list(verify(folder)) == ["test/input/test_1.png was changed"]
    shutil.rmtree(folder)
    assert files(root).keys() == before.keys()


def test_what_is_resized_is_a_file_of_its_own(tmp_path: Path) -> None:
    folder = build(tmp_path / "out", LAYOUTS["lol"](tmp_path / "in"), "lol", size=4).dataset.folder
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert list(verify(folder)) == []


def test_where_there_are_no_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.symlink", refused)
    folder = build(tmp_path / "out", LAYOUTS["lol"](tmp_path / "in"), "lol").dataset.folder
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert list(verify(folder)) == []


def test_light_as_the_target(tmp_path: Path) -> None:
    root = LAYOUTS["singlehdr"](tmp_path / "in")
    built = build(tmp_path / "out", root, "singlehdr", pair="paired/light").dataset
    assert built.gives == "linear"
    rows = [(split, row) for split in built.splits for row in built.rows(split)]
    assert len(rows) == 6
    for split, row in rows:
        assert (built.folder / split / row["input_file_name"]).is_symlink()
        light = built.read_target(split, row)
        assert light.pixels.mean() == pytest.approx(0.1 + 0.1 * int(row["scene"]), rel=0.01)
    assert list(verify(built.folder)) == []


def test_a_benchmark_with_two_photographs_a_scene(tmp_path: Path) -> None:
    built = build(tmp_path / "out", LAYOUTS["sihdr"](tmp_path / "in"), "sihdr", pair="paired/light").dataset
    rows = built.rows("test")
    assert [row["input_from"] for row in rows[:2]] == ["clip_95/001.png", "clip_97/001.png"]
    assert len(rows) == 12
    assert len({row["target_exr"] for row in rows}) == 6


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"target": "expert_q"}, "the source msec gives no finished picture 'expert_q': target may be auto, expert_c"),
        ({"light": True}, "is not linear"),
        ({"pair": "paired/light", "light": False}, "is not srgb"),
        ({"ev": "1,1"}, "ev '1,1'"),
    ],
)
def test_wrong_settings_are_known_before_anything_is_read(
    settings: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=reason):
        build(tmp_path / "out", LAYOUTS["msec"](tmp_path / "in"), "msec", **settings)
    assert not (tmp_path / "out").exists()


def test_under_and_over(tmp_path: Path) -> None:
    """MSEC's two groups: -1.5 and -1 EV are under, 0, 1 and 1.5 over."""
    root = LAYOUTS["msec"](tmp_path / "in")
    recipe = {"ev": "-1.5,-1", "split": "test"}
    assert build(tmp_path / "under", root, "msec", **recipe).dataset.document["counts"]["test"]["pairs"] == 12
    assert estimate(dataset_recipe({"source": "msec", "pair": "paired", "ev": [0, 1, 1.5]}), root=root).kept == 6


def test_real_photographs(shared: Path, tmp_path: Path) -> None:
    """Real JPEG and PNG files in the layout of LOL, each beside one of another picture's."""
    root = tmp_path / "in"
    for number, name in enumerate(sorted(path.name for path in (shared / "data" / "kodak").iterdir())[:4]):
        for side in ("low", "high"):
            for half in ("our485", "eval15")[: 1 if number else 2]:
                (root / half / side).mkdir(parents=True, exist_ok=True)
                shutil.copy(shared / "data" / "kodak" / name, root / half / side / f"{number}.png")
    built = build(tmp_path / "out", root, "lol").dataset
    assert built.document["counts"]["train"] == {"pairs": 4, "photographs": 4}
    assert {row["input_is_target"] for row in built.rows("train")} == {True}
    assert load_dataset(tmp_path / "out").read_input("train", built.rows("train")[0]).pixels.shape == (512, 768, 3)
