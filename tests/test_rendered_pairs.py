"""From light to pairs: RAW files, radiance maps and computed scenes, on disk and back."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.camera import Camera, expose
from exposurebench.crf import parse_curve
from exposurebench.dataset import torch_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.images import encode_radiance, read_image
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.synthesis import synthesize
from exposurebench.verify import rebuild, verify

SHARED = Path(os.environ.get("EXPOSUREBENCH_SHARED", Path(__file__).parents[1].parent / "shared")) / "data"
SMALL = {"source": "synthetic", "scenes": 6, "height": 48, "width": 64, "split": "train=0.5,test=0.5"}
PAIRINGS = {
    "multi_ev": {"pair": "multi_ev", "ev": [-1.5, 0.0, 1.0], "crf": "sigmoid", "jpeg_quality": "80:95"},
    "relative_luminance": {"pair": "relative_luminance", "crf": ["sqrt", "sigmoid"], "noise_signal": "0:0.01"},
    "absolute": {"pair": "relative_luminance/absolute"},
    "triplet": {"pair": "triplet", "noise_constant": 0.002},
}


def build(out: Path, document: dict, workers: int = 1, root: Path | None = None):
    return make_dataset(dataset_recipe(document), out, root=root, workers=workers, card=False)


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".exposurebench" not in path.parts
    }


@pytest.mark.parametrize("name", PAIRINGS)
def test_any_number_of_workers_gives_the_same_bytes_and_rebuilding_agrees(name, tmp_path):
    document = SMALL | PAIRINGS[name]
    build(tmp_path / "1", document)
    build(tmp_path / "2", document, workers=2)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    assert list(verify(tmp_path / "1")) == []
    assert list(rebuild(tmp_path / "1", 6)) == []


def test_the_seed_of_the_recipe_makes_other_scenes(tmp_path):
    first, second = (build(tmp_path / str(seed), SMALL | PAIRINGS["triplet"] | {"seed": seed}) for seed in (0, 1))
    rows = [{row["id"]: row for row in built.dataset.rows("train")} for built in (first, second)]
    assert not {row["radiance_sha256"] for row in rows[0].values()} & {
        row["radiance_sha256"] for row in rows[1].values()
    }


def test_relative_luminance_pairs_light_with_what_the_camera_shows_of_it(tmp_path):
    built = build(tmp_path, SMALL | {"pair": "relative_luminance", "ev": [-3.0, 0.0, 3.0]}).dataset
    assert built.gives == "linear"
    rows = built.rows("train")
    for row in rows:
        light = built.read_target("train", row)
        assert light.encoding == "linear" and light.pixels.dtype == np.float32
        shown = expose(light.pixels, Camera(parse_curve("sqrt"))).pixels.astype(int)
        given = built.read_input("train", row).pixels.astype(int)
        assert np.abs(shown - given).max() <= 1, "half floats move a level at most"
        share = (light.pixels.max(axis=2) <= 2.0 ** row["ev"]).mean()
        assert share == pytest.approx(0.95, abs=0.01), "95 % of the brightest channels lie in [0, 1] at 0 EV"
        assert built.read("train", row, "preview").pixels.dtype == np.uint8
    by_scene = {row["scene"]: [] for row in rows}
    for row in rows:
        by_scene[row["scene"]].append(built.read_target("train", row).pixels)
    for dark, plain, bright in by_scene.values():
        kept = (dark > 1e-3).all(axis=2) & (bright < 6e4).all(axis=2)
        np.testing.assert_allclose(bright[kept], 64 * dark[kept], rtol=2e-3)
        np.testing.assert_allclose(plain[kept], 8 * dark[kept], rtol=2e-3)


def test_absolute_luminance_pairs_every_exposure_with_the_same_light(tmp_path):
    built = build(tmp_path, SMALL | PAIRINGS["absolute"]).dataset
    rows = built.rows("train")
    assert len({row["target_exr"] for row in rows}) == len({row["scene"] for row in rows}) == len(rows) / 3


def test_a_triplet_holds_the_light_of_its_input_and_one_target(tmp_path):
    built = build(tmp_path, SMALL | {"pair": "triplet"}).dataset
    assert built.gives == "srgb"
    for row in built.rows("train"):
        light = built.read("train", row, "radiance").pixels
        given = built.read_input("train", row).pixels.astype(int)
        shown = expose(light, Camera(parse_curve("gamma:2.2"))).pixels.astype(int)
        assert np.abs(shown - given).max() <= 1
        assert (row["alpha"], row["gamma"]) == (1 / 30, 1 / 2.2)
    assert len({row["target_file_name"] for row in built.rows("train")}) == len(built.rows("train")) / 3


def test_pairs_whose_input_is_the_target_are_marked_and_kept_out_of_means(tmp_path):
    built = build(tmp_path, SMALL | {"pair": "multi_ev", "ev": [-1.0, 0.0, 1.0]}).dataset
    marks = built.table("test")[["ev", "input_is_target"]].drop_duplicates()
    assert marks.set_index("ev")["input_is_target"].to_dict() == {-1.0: False, 0.0: True, 1.0: False}
    result = evaluate("baseline:identity", tmp_path, metrics=["psnr"])
    assert result.summary["pairs"].tolist() == [2 * len(built.rows("test")) // 3]
    assert result.document["already_right"]


def test_metrics_of_display_images_refuse_targets_of_light(tmp_path):
    build(tmp_path, SMALL | {"pair": "relative_luminance"})
    with pytest.raises(InputError, match=r"psnr takes srgb images and the targets of .* are linear"):
        evaluate("baseline:identity", tmp_path, metrics=["psnr"])


def test_a_finished_picture_is_the_target_where_a_scene_has_one():
    from exposurebench import catalog
    from exposurebench.images import Image
    from exposurebench.scene import Frame, Scene

    light = Image(synthesize(3, "sky", 24, 32), 16, "linear")
    pictures = {
        role: Image(np.full((24, 32, 3), level, np.uint8)) for role, level in (("expert_a", 90), ("expert_c", 99))
    }
    frames = [Frame(Path("a.dng"), image=light, encoding="linear")]
    frames += [Frame(Path(f"{role}.tif"), image=image, role=role) for role, image in pictures.items()]
    multi_ev = catalog.load("pairing", "multi_ev").function()
    for chosen, target, level in ((frames, "expert_c", 99), (frames[:2], "auto", 90)):
        pairs = list(multi_ev(Scene("a", tuple(chosen)), target=target, register="none"))
        assert {int(p.target.pixels[0, 0, 0]) for p in pairs} == {level}
    with pytest.raises(ValueError, match="has no picture 'expert_b': target must be render or expert_a or expert_c"):
        list(multi_ev(Scene("a", tuple(frames)), target="expert_b"))
    small = Frame(Path("b.tif"), image=Image(np.zeros((12, 16, 3), np.uint8)), role="expert_c")
    with pytest.raises(ValueError, match="the finished picture is 16 x 12 and the light 32 x 24"):
        list(multi_ev(Scene("a", (frames[0], small)), register="none"))
    flat = list(multi_ev(Scene("a", (frames[0], small))))
    assert [rejected.name for rejected in flat] == ["ev-1p5", "ev-1", "ev0", "ev1", "ev1p5"]
    assert {rejected.reason for rejected in flat} == {"no warp was found: the numbers are without one"}
    other = Frame(Path("c.exr"), image=light, encoding="linear", role="target")
    with pytest.raises(ValueError, match="the picture 'target' of 'a' is light"):
        list(multi_ev(Scene("a", (frames[0], other))))


def test_a_pairing_of_light_refuses_photographs_and_the_other_way_round(tmp_path):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), np.full((8, 8, 3), 128, np.uint8))
    with pytest.raises(RecipeError, match=r"multi_ev takes light .* the source folder gives display-encoded"):
        build(tmp_path / "out", {"source": "folder", "pair": "multi_ev"}, root=tmp_path / "in")
    with pytest.raises(RecipeError, match=r"gamma_clip takes display-encoded .* the source synthetic gives light"):
        build(tmp_path / "out", {"source": "synthetic", "tau": 0.5})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"ev": "one"},
        {"ev": "1,1"},
        {"ev": []},
        {"crf": "kodak"},
        {"crf": []},
        {"scale": "black"},
        {"target": "expert_c"},
        {"noise_signal": "1:0"},
        {"jpeg_quality": 0},
    ],
)
def test_wrong_settings_are_known_before_anything_is_read(wrong, tmp_path):
    named = {"crf: kodak": "unknown camera response 'kodak'"}
    with pytest.raises(
        RecipeError, match=named.get("; ".join(f"{k}: {v}" for k, v in wrong.items()), next(iter(wrong)))
    ):
        build(tmp_path / "out", SMALL | {"pair": "multi_ev"} | wrong)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def maps(tmp_path) -> Path:
    """Radiance maps: good ones, one beyond half floats, and what is damaged or something else."""
    folder = tmp_path / "maps"
    folder.mkdir()
    light = synthesize(1, "interior", 40, 60)
    (folder / "good.hdr").write_bytes(encode_radiance(light, "hdr"))
    (folder / "good.exr").write_bytes(encode_radiance(light, "exr"))
    bright = light / np.quantile(light.max(axis=2), 0.95)
    bright[3, 4] = 60_000
    (folder / "bright.exr").write_bytes(encode_radiance(bright, "exr32"))
    (folder / "cut.exr").write_bytes(encode_radiance(light, "exr")[:-200])
    (folder / "cut.hdr").write_bytes(encode_radiance(light, "hdr")[:-200])
    cv2.imwrite(str(folder / "picture.png"), np.full((8, 8, 3), 128, np.uint8))
    (folder / "picture.png").rename(folder / "picture.hdr")
    (folder / "empty.exr").write_bytes(b"")
    (folder / "black.exr").write_bytes(encode_radiance(np.zeros((40, 60, 3), np.float32), "exr"))
    return folder


def test_odd_and_damaged_maps_are_listed_with_their_reasons(maps, tmp_path):
    built = build(tmp_path / "set", {"source": "radiance", "pair": "relative_luminance", "split": "test"}, root=maps)
    rejected = (tmp_path / "set" / "rejected.csv").read_text().splitlines()[1:]
    reasons = {line.split(",", 1)[0]: line.split(",", 1)[1] for line in rejected}
    assert set(reasons) == {"cut.exr", "cut.hdr", "picture.hdr", "empty.exr"}
    assert "display values (png)" in reasons["picture.hdr"] and "0 bytes" in reasons["empty.exr"]
    assert list(verify(tmp_path / "set")) == []
    assert list(rebuild(tmp_path / "set", 9, root=maps)) == []
    bright = [row for row in built.dataset.rows("test") if row["scene"] == "bright.exr" and row["ev"] == 3]
    assert built.dataset.read_target("test", bright[0]).pixels.max() == pytest.approx(480_000, rel=0.05), (
        "light beyond half floats is kept"
    )


def test_a_changed_map_of_light_and_a_lost_preview_are_found_and_a_lost_one_is_built_again(maps, tmp_path):
    document = {"source": "radiance", "pair": "relative_luminance", "split": "test"}
    build(tmp_path / "set", document, root=maps)
    before = tree(tmp_path / "set")
    preview = next((tmp_path / "set" / "test" / "preview").iterdir())
    preview.unlink()
    assert list(verify(tmp_path / "set")) == [f"test/preview/{preview.name} is missing"]
    build(tmp_path / "set", document, root=maps)
    assert tree(tmp_path / "set") == before
    target = next((tmp_path / "set" / "test" / "target").iterdir())
    target.write_bytes(target.read_bytes()[:-1] + b"\0")
    assert f"test/target/{target.name} was changed" in list(verify(tmp_path / "set"))


def test_a_scene_that_cannot_be_paired_leaves_nothing(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "deep.exr").write_bytes(encode_radiance(synthesize(1, "sky", 20, 30), "exr"))
    (tmp_path / "maps" / "other.exr").write_bytes(encode_radiance(synthesize(2, "sky", 20, 30), "exr"))
    from exposurebench import store

    real, failed = store.encoded, []

    def encoded(image, *rest):
        if image.encoding == "linear" and not failed:
            failed.append(image)
            raise ValueError("cannot be held")
        return real(image, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "encoded", encoded)
        build(tmp_path / "set", {"source": "radiance", "pair": "triplet", "split": "test"}, root=tmp_path / "maps")
    assert not [name for name in tree(tmp_path / "set") if "deep" in name]
    assert list(verify(tmp_path / "set")) == []


def test_other_loops_read_light(tmp_path):
    build(tmp_path, SMALL | PAIRINGS["relative_luminance"])
    sample = torch_dataset(tmp_path, "train")[0]
    assert sample["target"].shape == sample["input"].shape == (3, 48, 64)
    assert float(sample["input"].max()) <= 1 and str(sample["target"].dtype) == "torch.float32"


def test_the_card_of_light_says_what_it_is(tmp_path):
    make_dataset(dataset_recipe(SMALL | {"pair": "multi_ev"}), tmp_path / "ev")
    text = (tmp_path / "ev" / "README.md").read_text()
    assert "a linear gain on the light, not Camera Raw" in text
    make_dataset(dataset_recipe(SMALL | {"pair": "relative_luminance"}), tmp_path / "light")
    text = (tmp_path / "light" / "README.md").read_text()
    assert "target_exr" in text and "target_file_name" not in text
    described = json.loads((tmp_path / "light" / "croissant.json").read_text())
    assert "target_exr" in json.dumps(described)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared photographs (EXPOSUREBENCH_SHARED)")
@pytest.mark.parametrize(
    ("document", "folder", "kept", "rejected"),
    [
        ({"source": "radiance", "pair": "relative_luminance", "size": 128}, "hdr", 9, 0),
        ({"source": "panoramas", "pair": "triplet", "width": 96, "height": 96}, "hdr", 4, 5),
        ({"source": "raw", "pair": "multi_ev", "half_size": True, "size": 128}, "raw", 4, 0),
        ({"source": "radiance", "pair": "multi_ev"}, "quirks", 1, 11),
    ],
)
def test_real_files(document, folder, kept, rejected, tmp_path):
    built = build(tmp_path, document | {"split": "test"}, root=SHARED / folder)
    counts = built.dataset.document["counts"]["test"]
    assert (counts["photographs"], sum(built.dataset.document["rejected"].values())) == (kept, rejected)
    assert list(verify(tmp_path)) == []
    assert list(rebuild(tmp_path, 2, root=SHARED / folder)) == []
    for row in built.dataset.rows("test")[:3]:
        assert read_image(tmp_path / "test" / row["input_file_name"]).pixels.std() > 1
