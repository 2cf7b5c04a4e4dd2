"""Brackets are grouped by what their files tell; real ones beside frames that are none."""

import io
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from exposurebench.errors import InputError, RecipeError
from exposurebench.scene import Scene
from exposurebench.sources.brackets import brackets

NOON = datetime(2020, 5, 1, 12)


def frame(path: Path, second: float | None = None, time_s: float = 0.01, iso: int = 100, model: str = "A") -> Path:
    """A JPEG of 8 x 6 pixels with the EXIF of a camera."""
    exif = PIL.Image.Exif()
    if second is not None:
        exif[0x0110] = model
        inside = exif.get_ifd(0x8769)
        inside[0x829A], inside[0x829D], inside[0x8827] = time_s, 4.0, iso
        inside[0x9003] = (NOON + timedelta(seconds=second)).strftime("%Y:%m:%d %H:%M:%S")
    stream = io.BytesIO()
    level = int(np.clip(4000 * time_s * iso / 100, 5, 250))
    PIL.Image.new("RGB", (8, 6), (level, level, level)).save(stream, format="JPEG", exif=exif)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    return path


def told(scenes: list[Scene]) -> dict[str, list[tuple[str, float | None]]]:
    return {
        s.name: [
            (f.path.name, None if f.exposure_ev is None else round(f.exposure_ev, 2)) for f in s.frames if not f.role
        ]
        for s in scenes
    }


def test_a_folder_is_a_scene(tmp_path: Path) -> None:
    for name, second, time_s in (("a", 0, 0.01), ("b", 5, 0.04), ("c", 12, 0.16)):
        frame(tmp_path / "kitchen" / f"{name}.jpg", second, time_s)
    for name, time_s in (("x", 0.01), ("y", 0.02)):  # no EXIF: the level alone tells them apart
        frame(tmp_path / "day one" / "hall" / f"{name}.jpg", time_s=time_s)
    assert told(list(brackets(tmp_path))) == {
        "day one/hall": [("x.jpg", None), ("y.jpg", None)],
        "kitchen": [("a.jpg", -2), ("b.jpg", 0), ("c.jpg", 2)],
    }
    assert [len(s.frames) for s in brackets(tmp_path, group="time", gap_s=8)] == [3], "nothing is told of the hall"
    assert not list(brackets(tmp_path, group="time"))


def test_series_are_cut_where_an_exposure_comes_again_the_camera_changes_or_time_passes(tmp_path: Path) -> None:
    shots = (
        *((0, 0.01, 100, "A"), (0, 0.005, 100, "A"), (1, 0.005, 400, "A")),  # the last is +1 by its ISO
        *((1, 0.02, 50, "A"), (2, 0.04, 100, "A")),  # 0.02 s at ISO 50 is the first exposure again
        (2, 0.08, 100, "B"),
        *((30, 4.0, 100, "A"), (35, 8.0, 100, "A")),  # 5 s from begin to begin, 1 s between
        (60, 0.01, 100, "A"),
    )
    for number, (second, time_s, iso, model) in enumerate(shots):
        frame(tmp_path / f"{number}.jpg", second, time_s, iso, model)
    found = told(list(brackets(tmp_path)))
    assert found == {
        "0": [("0.jpg", 0), ("1.jpg", -1), ("2.jpg", 1)],
        "3": [("3.jpg", 0), ("4.jpg", 2)],
        "6": [("6.jpg", 0), ("7.jpg", 1)],
    }
    assert len(list(brackets(tmp_path, gap_s=0.5))) == 2


def test_two_cameras_that_took_turns_are_two_brackets(tmp_path: Path) -> None:
    for number, time_s in enumerate((0.01, 0.04, 0.16)):
        frame(tmp_path / "hall" / f"a{number}.jpg", 2 * number, time_s, model="A")
        frame(tmp_path / "hall" / f"b{number}.jpg", 2 * number + 1, 1.2 * time_s, model="B")
    assert told(list(brackets(tmp_path))) == {
        "hall/a0": [("a0.jpg", -2), ("a1.jpg", 0), ("a2.jpg", 2)],
        "hall/b0": [("b0.jpg", -2), ("b1.jpg", 0), ("b2.jpg", 2)],
    }


def test_a_copy_is_no_frame(tmp_path: Path) -> None:
    """It would be the exposure that comes again, and cut the bracket in two."""
    for number, time_s in enumerate((0.01, 0.04, 0.16)):
        frame(tmp_path / "hall" / f"{number}.jpg", number, time_s)
    (tmp_path / "hall" / "1 copy.jpg").write_bytes((tmp_path / "hall" / "1.jpg").read_bytes())
    assert told(list(brackets(tmp_path))) == {"hall": [("0.jpg", -2), ("1.jpg", 0), ("2.jpg", 2)]}


def test_one_frame_without_a_render_is_said_to_be_no_bracket(tmp_path: Path) -> None:
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import DatasetRecipe

    frame(tmp_path / "one" / "a.jpg", 0)
    with pytest.raises(InputError, match=r"no files in .* that it takes: .*one frame without a render"):
        make_dataset(DatasetRecipe("brackets", "bracket"), tmp_path / "out", root=tmp_path / "one", workers=1)


def test_renders_are_found_by_name(tmp_path: Path) -> None:
    for scene in ("Luxo Checker", "Peck"):
        for number, time_s in enumerate((0.01, 0.02)):
            frame(tmp_path / scene / f"{number}.jpg", number, time_s)
    frame(tmp_path / "LuxoCheckerRendered.jpg")
    frame(tmp_path / "Peck" / "peck_render.png")
    frame(tmp_path / "alone" / "DSC1.jpg", 0)
    frame(tmp_path / "alone" / "DSC1-rendered.jpg")
    frame(tmp_path / "PeckingRendered.jpg")
    found = {s.name: [(f.path.name, f.role) for f in s.frames] for s in brackets(tmp_path)}
    assert found == {
        "Luxo Checker": [("0.jpg", ""), ("1.jpg", ""), ("LuxoCheckerRendered.jpg", "render")],
        "Peck": [("0.jpg", ""), ("1.jpg", ""), ("peck_render.png", "render")],
        "alone": [("DSC1.jpg", ""), ("DSC1-rendered.jpg", "render")],
    }
    frame(tmp_path / "Peck" / "render.jpg")
    with pytest.raises(InputError, match="keep one"):
        list(brackets(tmp_path))


def test_exposures_may_be_given_or_estimated(tmp_path: Path) -> None:
    for name, time_s in (("a", 0.01), ("b", 0.02)):
        frame(tmp_path / "s" / f"{name}.jpg", time_s=time_s)
    assert told(list(brackets(tmp_path, exposures=[-1.5, 0.0]))) == {"s": [("a.jpg", -1.5), ("b.jpg", 0)]}
    with pytest.raises(InputError, match="2 frames and exposures names 3"):
        list(brackets(tmp_path, exposures=[0.0, 1.0, 2.0]))
    with pytest.raises(InputError, match="'s' cannot be estimated"):
        list(brackets(tmp_path, exposures="pixels"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group": "date"}, "group must be one of auto, folder, time"),
        ({"gap_s": -1}, "gap_s"),
        ({"exposures": "guess"}, "exposures must be exif, pixels or a list"),
        ({"curve": "film"}, "unknown camera response"),
        ({"white_balance": "warm"}, "white_balance"),
    ],
)
def test_settings_are_checked(settings: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        list(brackets(tmp_path, **settings))  # type: ignore[arg-type]


def test_real_brackets(shared: Path) -> None:
    """Two series, one cut short, beside three frames that are none; ISO changes within the second."""
    found = told(list(brackets(shared / "data" / "brackets")))
    assert found["rx100_night_aeb/DSC08194"] == [("DSC08194.JPG", 0.74), ("DSC08195.JPG", 0)]
    assert found["rx100_night_aeb/DSC08196"] == [
        ("DSC08196.JPG", 0),
        ("DSC08197.JPG", -0.58),
        ("DSC08198.JPG", 0.62),
        ("DSC08199.JPG", -1.26),
        ("DSC08200.JPG", 1.32),
    ]
    assert found["gegl_parliament"] == [
        ("parliament_0.png", -1.94),
        ("parliament_1.png", 0),
        ("parliament_2.png", 2.38),
    ]
    assert found["mertens_house"] == [(f"{name}.jpg", None) for name in "ABCD"]
    assert len(found) == 6


def test_real_exposures_from_pixels(shared: Path) -> None:
    (scene,) = brackets(shared / "data" / "brackets" / "gegl_parliament", exposures="pixels")
    assert [f.exposure_ev for f in scene.frames] == pytest.approx([-1.94, 0, 2.38], abs=0.35)


def test_a_raw_bracket_has_one_white_balance_and_wins_over_its_jpeg(shared: Path, tmp_path: Path) -> None:
    for name, source in (("1.CRW", "g2_full/CRW_0304.CRW"), ("2.CRW", "g2_close/CRW_0313.CRW")):
        (tmp_path / name).symlink_to(shared / "data" / "raw_pairs" / source)
    frame(tmp_path / "1.JPG")
    (scene,) = brackets(tmp_path, group="folder")
    assert [f.path.name for f in scene.frames] == ["1.CRW", "2.CRW"]
    images = [f.pixels for f in scene.read().frames]
    assert {i.encoding for i in images} == {"srgb"}
    assert len({i.facts["white_balance"] for i in images}) == 1
    assert all(i.pixels.dtype == np.float32 and i.pixels.max() <= 1 for i in images)


def test_a_merge_is_a_target_that_the_plan_lets_pass(tmp_path: Path) -> None:
    """A source without finished pictures: the target is made of the frames."""
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.random((12, 16, 3)), (96, 72), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    for number, gain in enumerate((0.4, 0.7, 1.0)):
        (tmp_path / "in" / "a").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "in" / "a" / f"{number}.png"), (scene * gain * 220 + 10).astype(np.uint8))
    recipe = dataset_recipe(
        {
            "source": "brackets",
            "pair": "bracket",
            "target": "mertens",
            "register": "none",
            "exposures": [-1.3, -0.5, 0.0],
        }
    )
    built = make_dataset(recipe, tmp_path / "set", root=tmp_path / "in", card=False).dataset
    assert sum(count["pairs"] for count in built.document["counts"].values()) == 3
