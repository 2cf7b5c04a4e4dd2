"""Two images or two folders: the numbers of an evaluation, and where the difference lies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import torch

from exposurebench import measures
from exposurebench.compare import WHITE_EV, WHITE_LEVELS, compare
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.images import encode_image, encode_radiance, read_image
from exposurebench.method import open_method
from exposurebench.predict import predict_dataset
from exposurebench.report.summary import comparison_as_text


def write(path: Path, level: int = 100, size: tuple[int, int] = (12, 16), **change: int) -> Path:
    levels = np.full((*size, 3), level, np.uint8)
    levels[:, : size[1] // 2] += np.uint8(change.get("left", 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(levels))
    return path


def write_light(path: Path, value: float, size: tuple[int, int] = (6, 8)) -> Path:
    light = np.full((*size, 3), value, np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_radiance(light, "hdr" if path.suffix == ".hdr" else "exr"))
    return path


@pytest.fixture
def ev_error(register: Callable) -> str:
    """A metric of absolute light."""
    register("ev_error", ev_error=lambda p, t: (p.log2() - t.log2()).abs().mean((1, 2, 3)), TAKES="nits", UNIT="EV")
    return "ev_error"


def test_two_images(tmp_path: Path) -> None:
    found = compare(write(tmp_path / "a.png", 110), write(tmp_path / "b.png", 100))
    assert found.summary["metric"].tolist() == ["psnr", "ssim"]
    assert found.summary["value"][0] == pytest.approx(20 * np.log10(25.5), abs=1e-7)
    assert found.per_image["id"].tolist() == ["b"]
    same = compare(tmp_path / "a.png", tmp_path / "a.png")
    assert same.per_image["psnr"][0] == np.inf
    assert same.summary["value"].tolist() == [100, 1], "infinite ones enter means at the cap"


def test_two_folders_have_the_numbers_of_an_evaluation(samples: Path, tmp_path: Path) -> None:
    dataset = load_dataset(samples)
    predict_dataset(open_method("baseline:gamma"), samples, "test", tmp_path / "ours")
    for row in dataset.rows("test"):
        target = dataset.read_target("test", row)
        path = tmp_path / "theirs" / f"{row['id']}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_image(target.pixels))
    found = compare(tmp_path / "ours", tmp_path / "theirs", workers=2)
    measured = evaluate("baseline:gamma", samples, metrics=["psnr", "ssim", "histogram_similarity"])
    assert found.per_image["psnr"].tolist() == measured.per_image["psnr"].tolist()
    values, expected = (s.set_index("metric")["value"].to_dict() for s in (found.summary, measured.summary))
    assert values == expected
    assert found.protocols == measured.document["protocols"]
    text = comparison_as_text(found)
    assert "N = 6 pairs of images" in text
    assert all(key in text for key in found.per_image["id"])


def test_a_deeper_prediction_is_quantised_to_its_target(tmp_path: Path) -> None:
    target = write(tmp_path / "b.png", 100)
    (tmp_path / "a.png").write_bytes(encode_image(np.full((12, 16, 3), 100 * 257 + 100, np.uint16)))
    assert compare(tmp_path / "a.png", target).per_image["psnr"][0] == np.inf


def test_files_are_matched_by_name_and_the_rest_is_named(tmp_path: Path) -> None:
    for name, level in (("x", 100), ("y", 120), ("only_here", 1)):
        write(tmp_path / "a" / f"{name}.png", level)
    for name in ("y", "x", "only_there"):
        write(tmp_path / "b" / f"{name}.png", 110)
    (tmp_path / "b" / "x.png").rename(tmp_path / "b" / "x.jpeg")
    (tmp_path / "b" / ".hidden").write_bytes(b"")
    found = compare(tmp_path / "a", tmp_path / "b", metrics=["psnr"])
    assert found.per_image["id"].tolist() == ["x", "y"]
    assert [Path(name).name for name in found.unmatched] == ["only_here.png", "only_there.png"]
    assert "2 files without a partner: " in comparison_as_text(found)


def test_light_is_told_by_content(tmp_path: Path, ev_error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = write_light(tmp_path / "a.exr", 0.5), write_light(tmp_path / "b.hdr", 2.0)
    monkeypatch.setattr(measures, "LIGHT_METRICS", ("not_there", ev_error))
    assert compare(ours, theirs).summary["metric"].tolist() == [ev_error], "what light is measured by when nobody says"
    monkeypatch.setattr(measures, "LIGHT_METRICS", ("not_there",))
    with pytest.raises(RecipeError, match="no metric takes light unless it is named"):
        compare(ours, theirs)
    plain = {ev_error: {"alignment": "none", "crf_correction": False}}
    found = compare(ours.rename(tmp_path / "a.png"), theirs, metrics=[ev_error], metric_settings=plain)
    assert found.per_image[ev_error].tolist() == [2]
    assert found.protocols[ev_error]["scale"] == "white100"
    found = compare(tmp_path / "a.png", theirs, metrics=[ev_error])
    assert found.per_image[ev_error][0] == pytest.approx(0, abs=1e-6), "the headline aligns first"
    assert "no input" in found.protocols[ev_error]["gain"]


# ---- maps ------------------------------------------------------------------------------------------------


def test_a_map_shows_where_and_how_much(tmp_path: Path) -> None:
    ours, theirs = write(tmp_path / "a.png", 100, left=WHITE_LEVELS // 2), write(tmp_path / "b.png", 100)
    found = compare(ours, theirs, maps=tmp_path / "maps" / "d.png")
    assert [path.name for path in found.maps] == ["d.png"]
    drawn = read_image(found.maps[0]).pixels
    assert drawn.shape == (12, 16, 3)
    assert np.unique(drawn[:, :8]).tolist() == [128]
    assert not drawn[:, 8:].any()
    assert "1 map, black where equal: " in comparison_as_text(found)


def test_a_map_of_light_is_in_stops(tmp_path: Path, register: Callable) -> None:
    ev_error = "apart"
    register("apart", apart=lambda p, t: (p - t).abs().mean((1, 2, 3)), TAKES="linear")
    ours, theirs = write_light(tmp_path / "a.exr", 0.5), write_light(tmp_path / "b.exr", 0.5 * 2 ** (WHITE_EV / 4))
    found = compare(ours, theirs, metrics=[ev_error], maps=tmp_path / "d.png")
    assert np.unique(read_image(found.maps[0]).pixels).tolist() == [64]
    black = write_light(tmp_path / "c.exr", 0.0)
    assert not read_image(compare(black, black, metrics=[ev_error], maps=tmp_path / "e.png").maps[0]).pixels.any()


def test_metrics_draw_their_own_maps_in_the_pass_that_scores(tmp_path: Path, register: Callable) -> None:
    calls = []

    def drawing(name: str, shares: tuple[float, float]) -> Callable:
        def score(prediction: torch.Tensor, target: torch.Tensor, *, with_map: bool = False) -> dict:
            calls.append(name)
            seen = torch.full_like(prediction[:, :1], shares[0])
            seen[..., :8] = shares[1]
            return {"Q": prediction.mean((1, 2, 3)), **({"P_map": seen} if with_map else {})}

        return score

    register("first", first=drawing("first", (0.0, 1.0)), MAP="what it sees")
    register("second", second=drawing("second", (-0.1, -0.1)), MAP="what it sees")
    ours, theirs = write(tmp_path / "a" / "x.png", 100), write(tmp_path / "b" / "x.png", 120)
    one = compare(ours, theirs, metrics=["psnr", "first"], maps=tmp_path / "one.png")
    assert [path.name for path in one.maps] == ["one.png"]
    assert calls == ["first"]
    assert one.per_image["first:Q"][0] == pytest.approx(100 / 255)
    assert "P_map" not in " ".join(one.per_image)
    drawn = read_image(one.maps[0]).pixels
    assert drawn.shape[0] > 100 and drawn.shape[1] > 500, "a legend below"
    picture = drawn[12:24, 12:28].astype(int)
    assert (picture[:, 8:] == 120).all(), "bare where the metric sees nothing"
    assert (picture[:, :8, 0] - picture[:, :8, 1]).min() > 100, "red where it surely sees something"
    two = compare(tmp_path / "a", tmp_path / "b", metrics=["first", "second"], maps=tmp_path / "maps")
    assert [path.relative_to(tmp_path).as_posix() for path in two.maps] == ["maps/x-first.png", "maps/x-second.png"]
    assert (read_image(two.maps[1]).pixels[12:24, 12:28] == 120).all(), "what is below 0 is bare"
    assert "red where a difference is surely seen: " in comparison_as_text(two)


def test_hdrvdp_shows_where_light_was_clipped(tmp_path: Path) -> None:
    light = np.full((48, 64, 3), 0.2, np.float32)
    light[8:24, 8:24] = 8
    for name, pixels in (("a", light.clip(0, 1)), ("b", light)):
        (tmp_path / f"{name}.exr").write_bytes(encode_radiance(pixels, "exr"))
    sides = tmp_path / "a.exr", tmp_path / "b.exr"
    found = compare(*sides, metrics=["hdrvdp3/plain"], maps=tmp_path / "map.png")
    drawn = read_image(found.maps[0]).pixels[12:60, 12:76].astype(int)
    red = drawn[..., 0] - drawn[..., 2]
    assert red[12:20, 12:20].min() > red[36:, 40:].max() + 50
    alone = compare(*sides, metrics=["hdrvdp3/plain"])
    assert alone.per_image.equals(found.per_image), "the map changes no score"


# ---- mistakes --------------------------------------------------------------------------------------------


def test_mistakes_end_in_one_line(tmp_path: Path, ev_error: str) -> None:
    image, small = write(tmp_path / "a.png"), write(tmp_path / "small.png", size=(12, 20))
    light, folder = write_light(tmp_path / "l.exr", 1.0, (12, 16)), tmp_path / "empty"
    folder.mkdir()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    for arguments, error, message in (
        ((image, small), InputError, "small: 16 x 12 pixels and 20 x 12: only images of one size can be compared"),
        ((image, tmp_path / "nowhere.png"), InputError, "nowhere.png': no such file or folder"),
        ((image, folder), InputError, "expected two images or two folders"),
        ((folder, folder), InputError, "have no file names in common"),
        ((broken, image), InputError, "broken.png' is not an image"),
        ((image, light, [ev_error]), InputError, "a.png' holds display values, others not: compare alike"),
        ((light, image), InputError, "l.exr' holds light, others not: compare alike"),
        ((image, image, ["psrn"]), RecipeError, "did you mean 'psnr'"),
        ((image, image, [ev_error]), RecipeError, "takes nits images, and these hold display values"),
        ((light, light, ["psnr"]), RecipeError, "takes srgb images, and these hold light"),
        ((image, image, ["consistency"]), RecipeError, "compares several exposures of a scene"),
    ):
        with pytest.raises(error, match=message) as caught:
            compare(*arguments[:2], metrics=arguments[2] if len(arguments) > 2 else ())
        assert "\n" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"expected a name that ends in \.png"):
        compare(image, image, maps=tmp_path / "d.exr")
    with pytest.raises(RecipeError, match="settings of ssim, which is not measured"):
        compare(image, image, metrics=["psnr"], metric_settings={"ssim": {"downsample": True}})
    write(tmp_path / "two" / "x.png")
    (tmp_path / "two" / "x.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"has x\.jpg and x\.png: keep one"):
        compare(tmp_path / "two", tmp_path / "two")


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN in 1 pixels"), (np.inf, "infinite values in 1"), (-1.0, "light below 0 in 1")]
)
def test_broken_light_is_not_mended_before_it_is_scored(tmp_path: Path, ev_error: str, value: float, said: str) -> None:
    theirs = write_light(tmp_path / "b.exr", 2.0)
    light = np.full((6, 8, 3), 2.0, np.float32)
    light[1, 2, 0] = value
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": light}).write(str(tmp_path / "a.exr"))
    with pytest.raises(InputError, match=rf"a\.exr' holds {said}.*write finite light at or above 0"):
        compare(tmp_path / "a.exr", theirs, metrics=[ev_error])


def test_light_in_nits_that_is_relative_is_refused_with_advice(tmp_path: Path, ev_error: str) -> None:
    ours, theirs = write_light(tmp_path / "a.exr", 2.0), write_light(tmp_path / "b.exr", 0.5)
    with pytest.raises(InputError, match=r"target peaks at 0\.5 and cd/m2 are expected: .*scale=white100"):
        compare(ours, theirs, metrics=[ev_error], metric_settings={ev_error: {"scale": "nits"}})


def test_sets_of_one_are_too_small_for_some(tmp_path: Path, inceptions: dict) -> None:
    image = write(tmp_path / "a.png")
    with pytest.raises(InputError, match="1 pairs of images do not give the metrics: a kernel distance needs"):
        compare(image, image, metrics=["kid"])
