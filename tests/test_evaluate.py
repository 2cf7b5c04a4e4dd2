import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from exposurebench import catalog, measures, tables
from exposurebench.checkpoint import Checkpoint, save_checkpoint
from exposurebench.dataset import Dataset, load_dataset
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.files import sha256_file
from exposurebench.foreign import Told
from exposurebench.images import encode_image, encode_radiance, quantize
from exposurebench.make_dataset import make_dataset
from exposurebench.method import Brackets, Method, corrected, open_method
from exposurebench.models.small_cnn import network
from exposurebench.predict import predict, predict_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.report.page import write_page
from exposurebench.report.summary import as_text
from exposurebench.result import read_result, write_result


def test_psnr_is_scikit_images_on_what_a_file_holds(samples: Path) -> None:
    result = evaluate("baseline:identity", samples, metrics=["psnr"])
    dataset = load_dataset(samples)
    for row, found in zip(dataset.rows("test"), result.per_image.to_dict("records"), strict=True):
        sides = dataset.read_target("test", row).pixels, dataset.read_input("test", row).pixels
        assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(*sides, data_range=255), abs=1e-6)
    assert result.summary["value"][0] == pytest.approx(result.per_image["psnr"].mean())
    assert result.summary["low"][0] < result.summary["value"][0] < result.summary["high"][0]


def test_workers_and_order_change_nothing(samples: Path) -> None:
    one, three = (evaluate("baseline:clahe", samples, workers=w) for w in (1, 3))
    assert one.per_image.equals(three.per_image)
    assert one.summary.equals(three.summary)


def test_predicting_files_and_scoring_them_is_evaluating(samples: Path, tmp_path: Path) -> None:
    weights = network(width=4).state_dict()
    save_checkpoint(tmp_path / "run" / "model.pt", Checkpoint("small_cnn", {"width": 4}, weights))
    for what in ("baseline:inverse_clip", str(tmp_path / "run" / "model.pt")):
        out = tmp_path / what.replace("/", "_").replace(":", "_")
        predict_dataset(open_method(what), samples, "test", out)
        direct, by_files = evaluate(what, samples), evaluate(None, samples, predictions=out, name="files")
        assert direct.per_image.equals(by_files.per_image)
        assert by_files.document["method"]["kind"] == "predictions"


def test_a_result_survives_the_disk_and_its_summary_follows_from_the_table(samples: Path, tmp_path: Path) -> None:
    result = evaluate("baseline:gamma", samples)
    write_result(result, tmp_path / "r")
    again = read_result(tmp_path / "r")
    assert again.per_image.equals(result.per_image)
    assert again.summary.equals(result.summary)
    assert again.document == result.document
    (tmp_path / "r" / "result.json").write_text('{"format": "exposurebench.result", "schema": 9}')
    with pytest.raises(InputError, match="newer than"):
        read_result(tmp_path / "r")


def test_pairs_that_were_right_already_are_reported_apart(trainable: Path) -> None:
    result = evaluate("baseline:inverse_clip/blind", trainable, metrics=["psnr"])
    unchanged = result.per_image["unchanged"]
    assert (unchanged == (result.per_image["tau"] == 1)).all()
    assert unchanged.any()
    assert result.summary["pairs"][0] == (~unchanged).sum()
    assert result.summary["value"][0] == pytest.approx(result.per_image["psnr"][~unchanged].mean())
    harm = result.document["already_right"]
    assert harm == {"pairs": int(unchanged.sum()), "psnr": pytest.approx(result.per_image["psnr"][unchanged].mean())}
    kept = evaluate("baseline:identity", trainable, metrics=["psnr"])
    assert np.isinf(kept.per_image["psnr"][unchanged]).all()
    assert kept.document["already_right"]["psnr"] == 100, "the cap of the protocol"
    assert kept.document["protocols"]["psnr"]


def test_a_photograph_counts_once_however_many_pairs_it_gave(trainable: Path) -> None:
    result = evaluate("baseline:identity", trainable, metrics=["psnr"])
    assert result.summary["photographs"][0] == result.per_image["scene"].nunique()
    assert result.summary["photographs"][0] < result.summary["pairs"][0]


def test_training_targets_come_from_the_train_split_alone(samples: Path, trainable: Path) -> None:
    result = evaluate("baseline:histogram_match", trainable, metrics=["psnr"])
    assert result.document["method"]["training_targets"]["pixels"] == load_dataset(trainable).pixels
    with pytest.raises(MissingError, match="--training"):
        evaluate("baseline:histogram_match", samples, metrics=["psnr"])
    other = evaluate("baseline:histogram_match", samples, training=trainable, metrics=["psnr"])
    assert other.document["method"]["training_targets"]["pixels"] == load_dataset(trainable).pixels


def test_a_bracket_is_every_input_of_the_scene_darkest_first(trainable: Path) -> None:
    dataset = load_dataset(trainable)
    brackets = Brackets(dataset, "test")
    for row in dataset.rows("test"):
        frames = brackets.frames(row["scene"])
        assert [frame.exposure_ev for frame in frames] == pytest.approx([0, np.log2(1 / 0.7), np.log2(1 / 0.4)])
        shown = [np.array_equal(frame.pixels, dataset.read_input("test", row).as_float()) for frame in frames]
        assert shown == [frame.exposure_ev == row["exposure_ev"] for frame in frames]


@pytest.mark.parametrize("name", ["mertens", "merge_reinhard"])
def test_baselines_that_see_the_frames(trainable: Path, tmp_path: Path, name: str) -> None:
    result = evaluate(f"baseline:{name}", trainable, metrics=["psnr"])
    assert result.document["method"]["needs"] == ["frames"]
    assert result.document["method"]["oracle"] is True
    assert "told the scene's other exposures" in as_text(result)
    assert (result.per_image.groupby("scene")["psnr"].nunique() == 1).all(), "one bracket gives one picture"
    dataset = load_dataset(trainable)
    predict_dataset(open_method(f"baseline:{name}", brackets=Brackets(dataset, "test")), trainable, "test", tmp_path)
    again = evaluate(None, trainable, predictions=tmp_path, metrics=["psnr"])
    assert again.per_image.equals(result.per_image)
    first = evaluate(f"baseline:{name}", trainable, metrics=["psnr"], limit=1)
    assert first.per_image["psnr"][0] == result.per_image["psnr"][0], "a limit takes rows away, not frames"


def test_the_frames_of_a_scene_are_read_once(trainable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, original = [], Dataset.read_input

    def counted(self: Dataset, split: str, row: dict) -> object:
        read.append(row["id"])
        return original(self, split, row)

    monkeypatch.setattr(Dataset, "read_input", counted)
    pairs = len(evaluate("baseline:mertens", trainable, metrics=["psnr"], workers=1).per_image)
    assert len(read) == 2 * pairs, "each input once as an input and once as a frame"


def test_a_scene_of_one_exposure_is_no_bracket(samples: Path, trainable: Path) -> None:
    with pytest.raises(InputError, match=r"has one exposure of '.*make-dataset --tau 0.2,0.5,1") as caught:
        evaluate("baseline:mertens", samples, metrics=["psnr"])
    assert "\n" not in str(caught.value)
    with pytest.raises(MissingError, match="baseline:merge_reinhard needs a scene's other exposures"):
        open_method("baseline:merge_reinhard")
    evaluate("baseline:identity", samples, metrics=["psnr"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"what": "baseline:identify"}, RecipeError, "did you mean 'identity'"),
        ({"what": "nowhere.pt"}, InputError, "no such file"),
        ({"what": None}, RecipeError, "expected one of"),
        ({"what": "baseline:identity", "split": "train"}, InputError, "has no split 'train': it has test"),
        ({"what": "baseline:identity", "metrics": ["pnsr"]}, RecipeError, "did you mean 'psnr'"),
        ({"what": "baseline:gamma", "settings": {"middle": 1}}, RecipeError, "unknown setting 'middle'"),
    ],
)
def test_mistakes_end_in_one_line(samples: Path, arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        evaluate(dataset=samples, **arguments)
    assert "\n" not in str(caught.value)


def test_predictions_that_do_not_fit(samples: Path, tmp_path: Path) -> None:
    predict_dataset(open_method("baseline:identity"), samples, "test", tmp_path)
    first = sorted(tmp_path.iterdir())[0]
    first.rename(tmp_path / "stranger.png")
    with pytest.raises(InputError, match=f"1 of 6 predictions are missing.*{first.stem}"):
        evaluate(None, samples, predictions=tmp_path)
    (tmp_path / "stranger.png").rename(first)
    (tmp_path / f"{first.stem}.jpg").write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="two predictions"):
        evaluate(None, samples, predictions=tmp_path)
    (tmp_path / f"{first.stem}.jpg").unlink()
    from exposurebench.images import encode_image

    first.write_bytes(encode_image(np.zeros((5, 5, 3), np.uint8)))
    with pytest.raises(ModelError, match="the output has 5 x 5 pixels"):
        evaluate(None, samples, predictions=tmp_path)
    first.write_bytes(b"")
    with pytest.raises(InputError, match=rf"{first.name}.*is empty"):
        evaluate(None, samples, predictions=tmp_path)


def test_a_network_that_gives_nan_is_stopped(samples: Path, tmp_path: Path) -> None:
    weights = {name: tensor * float("nan") for name, tensor in network(width=4).state_dict().items()}
    save_checkpoint(tmp_path / "model.pt", Checkpoint("small_cnn", {"width": 4}, weights))
    with pytest.raises(ModelError, match="NaN"):
        evaluate(str(tmp_path / "model.pt"), samples)


def test_predict_keeps_names_apart_and_says_what_it_left_out(samples: Path, tmp_path: Path) -> None:
    source = load_dataset(samples)
    data = (samples / "test" / source.rows("test")[0]["input_file_name"]).read_bytes()
    files = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png", tmp_path / "broken.png"]
    for file, content in zip(files, (data, data, b"no image"), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    done = predict(open_method("baseline:identity"), files, tmp_path / "out")
    assert len({path.name for path in done.written}) == 2
    assert list(done.failed) == [str(files[2])]
    with pytest.raises(InputError, match=r"broken.png.*is not an image"):
        predict(open_method("baseline:identity"), files[2:], tmp_path / "out", on_error="fail")


def test_a_set_is_never_trained_on_the_targets_it_is_scored_on(samples: Path) -> None:
    with pytest.raises(MissingError, match="has no train split"):
        evaluate("baseline:histogram_match", samples, training=samples, metrics=["psnr"])


def test_predict_never_overwrites_a_photograph(samples: Path, tmp_path: Path) -> None:
    source = load_dataset(samples)
    victim = tmp_path / "victim.png"
    victim.write_bytes((samples / "test" / source.rows("test")[0]["input_file_name"]).read_bytes())
    before = victim.read_bytes()
    with pytest.raises(RecipeError, match="would be overwritten"):
        predict(open_method("baseline:gamma"), [victim], tmp_path)
    assert victim.read_bytes() == before


def test_a_result_of_two_runs_is_refused(samples: Path, tmp_path: Path) -> None:
    for name in ("gamma", "inverse_clip"):
        write_result(evaluate(f"baseline:{name}", samples, metrics=["psnr"]), tmp_path / name)
    (tmp_path / "gamma" / "per_image.csv").write_bytes((tmp_path / "inverse_clip" / "per_image.csv").read_bytes())
    with pytest.raises(InputError, match="of two evaluations"):
        read_result(tmp_path / "gamma")


def test_pairs_that_were_all_right_already_say_nothing(tmp_path: Path) -> None:
    recipe = dataset_recipe({"source": "samples", "tau": 1.0, "size": 64, "well_exposed": 1})
    built = make_dataset(recipe, tmp_path / "set", card=False).dataset
    with pytest.raises(InputError, match="every input equals its target"):
        evaluate("baseline:identity", built.folder, metrics=["psnr"])


# ------------------------------------------------------- regions, parts, scenes, networks' answers, light


def test_regions_are_columns_with_protocols_of_their_own(samples: Path, tmp_path: Path) -> None:
    result = evaluate("baseline:gamma", samples, metrics=["psnr", "histogram_similarity"], regions=True)
    regions = ["psnr@clipped", "psnr@near_clipped", "psnr@unclipped"]
    assert result.metrics == ["psnr", "histogram_similarity", *regions]
    assert set(regions) <= set(result.per_image)
    dataset = load_dataset(samples)
    row = dataset.rows("test")[2]
    given, target = dataset.read_input("test", row).pixels, dataset.read_target("test", row).pixels
    predicted = quantize(open_method("baseline:gamma").run(given.astype(np.float32) / np.float32(255), row))
    clipped = given.max(2) >= 250
    error = ((predicted[clipped] / 255 - target[clipped] / 255) ** 2).mean()
    assert result.per_image["psnr@clipped"][2] == pytest.approx(-10 * np.log10(error), abs=1e-6)
    write_result(result, tmp_path)
    again = read_result(tmp_path)
    assert again.summary.equals(result.summary)
    assert again.per_image.equals(result.per_image)
    plain = evaluate("baseline:gamma", samples, metrics=["psnr", "histogram_similarity"])
    assert plain.per_image.equals(result.per_image.drop(columns=regions))
    with pytest.raises(RecipeError, match="none of histogram_similarity can be measured over regions"):
        evaluate("baseline:gamma", samples, metrics=["histogram_similarity"], regions=True)


def test_by_a_column_of_the_manifest(trainable: Path, tmp_path: Path) -> None:
    result = evaluate("baseline:gamma", trainable, metrics=["psnr", "histogram_similarity"], by="tau")
    assert result.parts is not None
    psnr = result.parts[result.parts["metric"] == "psnr"].set_index("tau")["value"]
    table = result.per_image[~result.per_image["unchanged"]]
    assert psnr.to_dict() == pytest.approx(table.groupby("tau")["psnr"].mean().to_dict())
    assert 1.0 not in psnr, "at tau 1 nothing was to be corrected"
    write_result(result, tmp_path)
    assert read_result(tmp_path).parts.equals(result.parts)
    assert (tmp_path / "by_tau.csv").is_file()
    assert evaluate("baseline:gamma", trainable, metrics=["psnr"], by="width").parts["width"].nunique() > 1
    with pytest.raises(InputError, match="has no column 'taw': it has input_file_name"):
        evaluate("baseline:gamma", trainable, metrics=["psnr"], by="taw")


def test_consistency_is_measured_over_the_exposures_of_a_scene(trainable: Path, samples: Path, tmp_path: Path) -> None:
    result = evaluate("baseline:inverse_clip", trainable, metrics=["psnr", "consistency"], workers=3)
    kept = evaluate("baseline:identity", trainable, metrics=["consistency"], workers=1)
    value = {name: found.summary.set_index("metric")["value"] for name, found in (("undo", result), ("keep", kept))}
    for name in ("consistency.luma_spread", "consistency.delta_e2000"):
        assert value["undo"][name] < value["keep"][name], "undoing the exposure makes the outputs alike"
    assert result.per_image["id"].tolist() == [row["id"] for row in load_dataset(trainable).rows("test")]
    assert result.summary.set_index("metric")["pairs"].to_dict()["consistency.luma_spread"] == len(result.per_image)
    same = evaluate("baseline:mertens", trainable, metrics=["consistency"])
    assert same.summary["value"].tolist() == [0, 0], "one bracket gives one picture"
    write_result(result, tmp_path)
    assert read_result(tmp_path).summary.equals(result.summary)
    with pytest.raises(InputError, match=r"has one of each: build it with several, such as make-dataset --tau"):
        evaluate("baseline:identity", samples, metrics=["consistency"])


NETWORK = {"inception_score": {"splits": 2, "smallest_split": 3}}


def test_a_networks_answers_lie_hashed_beside_the_table(samples: Path, inceptions: dict, tmp_path: Path) -> None:
    result = evaluate("baseline:gamma", samples, metrics=["inception_score", "kid"], metric_settings=NETWORK)
    rows = result.summary.set_index("metric")
    assert list(rows.index[:2]) == ["inception_score.score", "inception_score.spread"]
    assert {"inception_score.target_score", "kid.distance"} <= set(rows.index)
    assert rows["pairs"].unique().tolist() == [6]
    facts = result.document["protocols"]["inception_score"]
    assert (facts["splits"], facts["smallest_split"]) == (2, 3)
    assert facts["weights_sha256"] == sha256_file(inceptions["torchvision"])
    widths = {"inception_score:{}:log_probabilities": 1000, "kid:{}:features": 2048}
    expected = {name.format(side): (6, n) for name, n in widths.items() for side in ("prediction", "target")}
    assert {name: array.shape for name, array in result.arrays.items()} == expected
    write_result(result, tmp_path)
    again = read_result(tmp_path)
    assert again.summary.equals(result.summary)
    assert again.document == result.document
    assert not [column for column in result.per_image if "inception" in column or "kid" in column]
    path = tmp_path / "arrays" / "kid_prediction_features.npy"
    np.save(path, np.load(path) * 2)
    with pytest.raises(InputError, match=r"kid_prediction_features\.npy' is not the array that result\.json names"):
        read_result(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read as an array"):
        read_result(tmp_path)


def test_tables_refuse_other_weights(samples: Path, inceptions: dict) -> None:
    one = evaluate("baseline:gamma", samples, metrics=["kid"]).document
    other = {**one, "protocols": {"kid": {**one["protocols"]["kid"], "weights_sha256": "0" * 64}}}
    with pytest.raises(InputError, match=r"other protocols of kid \(weights_sha256\)"):
        tables.check_comparable({"a": one, "b": other})
    regions = {**one, "protocols": {"psnr@clipped": {"region": "a"}}}
    with pytest.raises(InputError, match=r"other protocols of psnr@clipped \(region\)"):
        tables.check_comparable({"a": regions, "b": {**one, "protocols": {"psnr@clipped": {"region": "b"}}}})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {},
            InputError,
            "inception_score: 6 images in 10 splits are 0 a split.*--metric-set inception_score.NAME=VALUE",
        ),
        ({"inception_score": {"split": 2}}, RecipeError, "unknown setting 'split'; did you mean 'splits'"),
        ({"inception_score": {"splits": "two"}}, RecipeError, "splits must be a whole number"),
        ({"psnr": {"peak": 1.0}}, RecipeError, "settings of psnr, which is not measured"),
        ({"inception_score": {"splits": 1, "smallest_split": 1}}, MissingError, "the weights of torchvision's"),
    ],
)
def test_what_a_network_metric_lacks_is_said_before_anything_is_measured(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, error: type, message: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(Dataset, "read_input", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(error, match=message) as caught:
        evaluate("baseline:gamma", samples, metrics=["inception_score"], metric_settings=settings)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs whose targets are light: computed scenes at two exposures."""
    recipe = {
        "source": "synthetic",
        "pair": "relative_luminance",
        "limit": 3,
        "size": 48,
        "ev": "-1,2",
        "split": "test",
    }
    return make_dataset(dataset_recipe(recipe), tmp_path_factory.mktemp("light") / "set", card=False).dataset.folder


def log_error(prediction: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    apart = (prediction.log2() - target.log2()).abs()
    return {"mean": apart.mean((1, 2, 3)), "peak": prediction.amax((1, 2, 3))}


def write_light(dataset: Dataset, folder: Path, gain: float, file_format: str = "exr32") -> Path:
    folder.mkdir()
    for row in dataset.rows("test"):
        pixels = dataset.read_target("test", row).pixels * np.float32(gain)
        suffix = "hdr" if file_format == "hdr" else "exr"
        (folder / f"{row['id']}.{suffix}").write_bytes(encode_radiance(pixels, file_format))
    return folder


def test_a_target_is_looked_at_once(tmp_path: Path, register: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one target read it once and share its half of the work, and no digit of a score tells."""
    recipe = {"source": "synthetic", "pair": "relative_luminance/absolute", "limit": 3, "size": 48, "ev": "-1,0,2"}
    built = make_dataset(dataset_recipe({**recipe, "split": "test"}), tmp_path / "set", card=False).dataset
    rows = built.rows("test")
    folder = write_light(built, tmp_path / "double", 2.0)
    read, halves, seen = [], [], []
    original = type(built).read_target
    monkeypatch.setattr(type(built), "read_target", lambda self, *row: read.append(row) or original(self, *row))

    def apart(prediction: torch.Tensor, target: Any) -> torch.Tensor:
        seen.append(type(target))
        return (prediction - (target[0] if isinstance(target, tuple) else target)).abs().mean((1, 2, 3))

    def table(workers: int) -> pd.DataFrame:
        read.clear()
        return evaluate(None, built.folder, predictions=folder, metrics=["apart"], workers=workers).per_image

    register("apart", apart=apart, TAKES="nits")
    alone = table(len(rows))
    assert len(read) == len(rows), "as many threads as rows share nothing"
    assert table(1).equals(alone)
    assert (len(rows), len(read), set(seen)) == (9, 3, {torch.Tensor})
    register("apart", apart=apart, TAKES="nits", prepared=lambda target: halves.append(1) or (target,))
    seen.clear()
    assert table(1).equals(alone)
    assert (len(read), len(halves), seen) == (3, 3, [tuple] * 9)
    assert table(2).equals(alone)


def test_light_is_scored_from_files_of_light(
    light: Path, tmp_path: Path, register: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    register("log_error", log_error=log_error, TAKES="nits", UNIT={"mean": "EV", "peak": "cd/m2"})
    register("light_error", light_error=lambda p, t: (p - t).abs().mean((1, 2, 3)), TAKES="linear")
    dataset = load_dataset(light)
    folder = write_light(dataset, tmp_path / "double", 2.0)
    metrics = ["log_error", "light_error"]
    plain = {"log_error": {"alignment": "none", "crf_correction": False}}
    result = evaluate(None, light, predictions=folder, metrics=metrics, metric_settings=plain, by="ev")
    targets = [dataset.read_target("test", row).pixels.astype(np.float64) for row in dataset.rows("test")]
    expected = [
        np.abs(np.diff([np.log2((100 * t * g).clip(0.005, 1000)) for g in (1, 2)], axis=0)).mean() for t in targets
    ]
    assert result.per_image["log_error:mean"].tolist() == pytest.approx(expected, abs=1e-5)
    assert result.per_image["log_error:peak"].max() <= 1000
    assert result.per_image["light_error"].tolist() == pytest.approx([t.mean() for t in targets], rel=1e-5)
    assert not result.per_image["unchanged"].any()
    assert result.summary.set_index("metric")["unit"].to_dict()["log_error.mean"] == "EV"
    assert result.parts["ev"].unique().tolist() == [-1, 2]
    facts = result.document["protocols"]["log_error"]
    assert (facts["scale"], facts["peak_nits"], facts["alignment"]) == ("white100", 1000, "none")
    write_result(result, tmp_path / "result")
    assert read_result(tmp_path / "result").summary.equals(result.summary)
    page = write_page([result], light, tmp_path / "result")
    assert page.read_text().count("data:image/jpeg") >= 8
    monkeypatch.setattr(measures, "LIGHT_METRICS", ("log_error",))
    assert evaluate(None, light, predictions=folder).metrics == ["log_error"], "what is measured when nobody says"
    rgbe = evaluate(None, light, predictions=write_light(dataset, tmp_path / "rgbe", 1.0, "hdr"), metrics=metrics)
    assert 0 < rgbe.per_image["light_error"].max() < 0.02 * max(t.max() for t in targets)


def test_light_is_not_scored_from_display_values(light: Path, tmp_path: Path, register: Callable) -> None:
    register("log_error", log_error=log_error, TAKES="nits")
    with pytest.raises(
        InputError, match=r"identity gives display-encoded \(srgb\) images, and the targets of .* are light \(linear\)"
    ) as caught:
        evaluate("baseline:identity", light, metrics=["log_error"])
    assert "\n" not in str(caught.value)
    for row in load_dataset(light).rows("test"):
        (tmp_path / f"{row['id']}.png").write_bytes(encode_image(np.zeros((48, 48, 3), np.uint8)))
    with pytest.raises(InputError, match=r"\.png' holds display values \(png\); expected scene light"):
        evaluate(None, light, predictions=tmp_path, metrics=["log_error"])
    with pytest.raises(InputError, match=r"psnr takes srgb images and the targets of .* are linear"):
        evaluate(None, light, predictions=tmp_path, metrics=["psnr"])


def test_a_method_that_gives_light_below_nothing_is_stopped(light: Path) -> None:
    method = Method("dark", lambda image, row: image - 1, {}, "linear")
    with pytest.raises(ModelError, match="dark: k: the output holds light below 0"):
        corrected(method, np.zeros((2, 2, 3), np.float32), {"id": "k"})


@pytest.mark.parametrize(
    ("ruin", "said"),
    [
        (lambda document, table: table.drop(columns="psnr"), "does not give the metrics: it has no column 'psnr'"),
        (lambda document, table: table.drop(columns="tau"), "does not give the metrics: it has no column 'tau'"),
        (lambda document, table: table.drop(columns="scene"), "no per-image table: it lacks scene"),
        (lambda document, table: table.assign(psnr="good"), "does not give the metrics: could not convert"),
        (lambda document, table: document.update(method="mine"), "damaged: method should hold kind"),
        (lambda document, table: document.update(already_right={}), "damaged: already_right should hold pairs"),
        (lambda document, table: document.update(protocols=["psnr"]), "damaged: protocols should hold measures"),
        (lambda document, table: document["protocols"].update(psnr=1), "damaged: the protocol of psnr is none"),
    ],
    ids=["value", "by", "scene", "text", "method", "already_right", "protocols", "protocol"],
)
def test_a_result_made_by_hand_ends_in_one_line(samples: Path, tmp_path: Path, ruin: Callable, said: str) -> None:
    write_result(evaluate("baseline:identity", samples, metrics=["psnr"], by="tau", limit=2), tmp_path)
    document, table = json.loads((tmp_path / "result.json").read_text()), pd.read_csv(tmp_path / "per_image.csv")
    ruined = ruin(document, table)
    (table if ruined is None else ruined).to_csv(tmp_path / "per_image.csv", index=False)
    document["per_image_sha256"] = sha256_file(tmp_path / "per_image.csv")
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(InputError) as refused:
        read_result(tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


# ----------------------------------------------------------------- noise, batches, targets, light of networks


def noisy(path: Path) -> str:
    torch.manual_seed(0)
    settings = {"width": 4}
    made = catalog.load("models", "noise_unet").function()(**settings).state_dict()
    weights = {name: tensor + 0.3 if name.endswith("scale") else tensor for name, tensor in made.items()}
    save_checkpoint(path / "noise.pt", Checkpoint("noise_unet", settings, weights))
    return str(path / "noise.pt")


def test_draws_of_noise_are_averaged_and_their_spread_is_told(samples: Path, tmp_path: Path) -> None:
    what, metrics = noisy(tmp_path), ["psnr", "histogram_similarity"]
    one, again = (evaluate(what, samples, metrics=metrics, limit=2, workers=n) for n in (1, 2))
    assert one.per_image.equals(again.per_image), "noise is each picture's own"
    three = evaluate(what, samples, metrics=metrics, limit=2, draws=3)
    opened, dataset = open_method(what), load_dataset(samples)
    for place, row in enumerate(dataset.rows("test")[:2]):
        given, target = dataset.read_input("test", row).as_float(), dataset.read_target("test", row).pixels
        found = [corrected(opened, given, {**row, "draw": draw}) for draw in range(3)]
        psnr = [peak_signal_noise_ratio(target, image, data_range=255) for image in found]
        assert len(set(psnr)) == 3
        assert one.per_image["psnr"][place] == pytest.approx(psnr[0])
        assert three.per_image["psnr"][place] == pytest.approx(np.mean(psnr))
        assert three.per_image["spread:psnr"][place] == pytest.approx(np.std(psnr, ddof=1), rel=1e-4)
    sets = [name for name in one.per_image if name.startswith("histogram_similarity:")]
    assert three.per_image[sets].equals(one.per_image[sets]), "sets are those of the first draw"
    assert three.document["draws"] == 3
    assert "3 draws of noise for each picture: values are means, and a picture's psnr varies by" in as_text(three)
    write_result(three, tmp_path / "r")
    assert read_result(tmp_path / "r").per_image.equals(three.per_image)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batches_of_a_network_change_no_score(
    trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    from exposurebench import evaluate as module

    save_checkpoint(tmp_path / "model.pt", Checkpoint("small_cnn", {"width": 4}, network(width=4).state_dict()))
    plain = evaluate(str(tmp_path / "model.pt"), trainable, metrics=["psnr"])
    opened, sizes = open_method(str(tmp_path / "model.pt")), []

    def several(images: list, rows: list) -> list:
        sizes.append(len(images))
        assert len({image.shape for image in images}) == 1
        return [opened.run(image, row) for image, row in zip(images, rows, strict=True)]

    fast = Method(opened.name, opened.run, opened.facts, several=several, lanes=1)
    monkeypatch.setattr(module, "open_method", lambda *a, **k: fast)
    result = evaluate("model.pt", trainable, metrics=["psnr"], batch=batch)
    assert result.per_image.equals(plain.per_image)
    assert max(sizes, default=1) == (batch if batch > 1 else 1)


def test_a_network_of_light_is_scored_against_light(
    light: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "users_light.py").write_text("def light():\n    return lambda x: x ** 2.2\nlight.gives = 'linear'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    result = evaluate(None, light, code="users_light:light", metrics=["pu21_psnr"])
    assert result.document["method"]["preprocessing"]["gives"] == "linear"
    assert np.isfinite(result.per_image["pu21_psnr"]).all()
    with pytest.raises(InputError, match=r"and the targets of .* are light \(linear\)"):
        evaluate(None, light, code="users_light:light", metrics=["pu21_psnr"], told=Told(gives="srgb"))
