"""Photographs in, corrected photographs out: trees, metadata, light, resuming, batches, interruptions."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from exposurebench import tiling
from exposurebench.checkpoint import Checkpoint, save_checkpoint
from exposurebench.dataset import load_dataset
from exposurebench.engine import Share
from exposurebench.errors import ImageError, InputError, ModelError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.files import read_json
from exposurebench.images import encode_image, encode_radiance, read_image
from exposurebench.method import Method, open_method
from exposurebench.models.small_cnn import network
from exposurebench.predict import predict, predict_dataset


def brighter(image: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
    return np.minimum(image * np.float32(1.25), 1)


def to_light(image: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
    return image**2 * np.float32(100)


BRIGHTER = Method("brighter", brighter, {"kind": "a test"})
LIGHT = Method("light", to_light, {"kind": "a test"}, "linear")


def opened(path: Path) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(path.read_bytes()))


def levels(height: int, width: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width, 3), dtype)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for number, name in enumerate(("a.png", "day/b.png", "day/c.d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode_image(levels(6, 8, number)))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "runs" / "tiny" / "model.pt"
    save_checkpoint(path, Checkpoint("small_cnn", {"width": 4}, network(width=4).state_dict()))
    return path


def test_a_folders_tree_stands_again(tree: Path, tmp_path: Path) -> None:
    done = predict(BRIGHTER, [tree], tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in done.written] == [
        "a.png",
        "day/b.png",
        "day/c.d.png",
    ]
    made = read_image(tmp_path / "out" / "day" / "b.png").pixels
    assert np.abs(made - np.minimum(levels(6, 8, 1) * 1.25, 255)).max() <= 0.5
    with pytest.raises(RecipeError, match="lies inside"):
        predict(BRIGHTER, [tree], tree / "fixed")
    with pytest.raises(InputError, match="holds no files to correct"):
        predict(replace(BRIGHTER, takes="linear"), [tree], tmp_path / "out")


def test_names_that_would_meet_are_kept_apart(tmp_path: Path) -> None:
    for name in ("x/a.png", "y/A.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(encode_image(levels(3, 4)))
    done = predict(
        BRIGHTER, [tmp_path / "x" / "a.png", tmp_path / "y" / "A.png", tmp_path / "x" / "a.png"], tmp_path / "out"
    )
    assert len({path.name.casefold() for path in done.written}) == len(done.written) == 2


def test_depth_is_kept_and_a_jpeg_has_eight_bits(tmp_path: Path) -> None:
    deep = levels(5, 7, dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(encode_image(deep))
    made = read_image(predict(BRIGHTER, [tmp_path / "deep.png"], tmp_path / "out").written[0])
    assert made.bit_depth == 16
    assert np.abs(made.pixels - np.minimum(deep * 1.25, 65535)).max() <= 1
    made = read_image(predict(BRIGHTER, [tmp_path / "deep.png"], tmp_path / "out", file_format="jpg").written[0])
    assert (made.bit_depth, made.pixels.shape) == (8, (5, 7, 3))


def test_light_is_written_as_light(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_image(levels(5, 7)))
    expected = to_light(levels(5, 7).astype(np.float32) / 255, {})
    for suffix, error in (("exr", 2**-11), ("hdr", 2**-7)):
        done = predict(LIGHT, [tmp_path / "a.png"], tmp_path / "out", file_format=suffix)
        assert done.written == [tmp_path / "out" / f"a.{suffix}"]
        made = read_image(done.written[0], encoding="linear")
        assert (np.abs(made.pixels - expected) <= error * expected.max(axis=2, keepdims=True) + 1e-7).all()
    assert read_image(tmp_path / "out" / "a.exr", encoding="linear").bit_depth == 16
    bright = replace(LIGHT, run=lambda image, row: to_light(image, row) * np.float32(1e4))
    done = predict(bright, [tmp_path / "a.png"], tmp_path / "bright")
    assert read_image(done.written[0], encoding="linear").pixels.max() > 65504, "more than a half can hold"
    with pytest.raises(RecipeError, match="gives light, which is written as exr or hdr, not png"):
        predict(LIGHT, [tmp_path / "a.png"], tmp_path / "out", file_format="png")


def test_light_goes_to_models_of_light_alone(tmp_path: Path) -> None:
    light = np.random.default_rng(0).random((4, 5, 3), np.float32)
    (tmp_path / "a.exr").write_bytes(encode_radiance(light, "exr32"))
    (tmp_path / "b.png").write_bytes(encode_image(levels(4, 5)))
    done = predict(BRIGHTER, [tmp_path / "a.exr"], tmp_path / "out")
    assert "takes photographs: render it" in done.failed[str(tmp_path / "a.exr")]
    doubled = Method("doubled", lambda image, row: image * 2, {}, "linear", "linear")
    done = predict(doubled, [tmp_path / "a.exr", tmp_path / "b.png"], tmp_path / "out")
    assert np.abs(read_image(done.written[0], encoding="linear").pixels - 2 * light).max() < 1e-3
    assert "holds display values" in done.failed[str(tmp_path / "b.png")]


def test_a_raw_file_is_developed_for_a_model_of_photographs(shared: Path, tmp_path: Path) -> None:
    done = predict(Method("same", lambda image, row: image), [shared / "data" / "raw" / "colorchart.dng"], tmp_path)
    made = read_image(done.written[0])
    light = read_image(shared / "data" / "raw" / "colorchart.dng", encoding="linear").pixels
    assert made.bit_depth == 16
    assert np.abs((made.pixels / 65535) ** 2.2 - light).max() < 0.02
    assert opened(done.written[0]).getexif()[272] == "Canon EOS Kiss X4"


# ----------------------------------------------------------------------------------------- metadata


def exif_block(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[274], exif[271] = orientation, "A maker"
    exif.get_ifd(0x8769).update({36867: "2020:02:03 04:05:06", 40962: 8, 40963: 6, 40961: 65535, 37500: b"maker's own"})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 1.5)})
    return exif.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_the_camera_said_is_kept_and_the_picture_is_upright(tmp_path: Path, kind: str, suffix: str) -> None:
    source = PIL.Image.fromarray(np.repeat(levels(6, 8)[:, :1] // 2 * 2, 8, axis=1))
    source.save(tmp_path / "turned", kind, exif=exif_block(6), **({"quality": 100} if kind == "JPEG" else {}))
    done = predict(
        Method("same", lambda image, row: image), [tmp_path / "turned"], tmp_path / "out", file_format=suffix
    )
    made = opened(done.written[0])
    assert made.size == (6, 8), "turned upright"
    exif = made.getexif()
    assert (
        (exif[274], exif[271]) == (1, "A maker") if kind != "TIFF" else exif[271] == "A maker" and exif.get(274, 1) == 1
    )
    inside = exif.get_ifd(0x8769)
    assert inside[36867] == "2020:02:03 04:05:06"
    assert exif.get_ifd(0x8825)[1] == "N"
    if kind != "TIFF":
        assert (inside[40962], inside[40963], inside[40961]) == (6, 8, 1)
        assert inside[37500] == b"maker's own"
    again = read_image(done.written[0])
    assert not [note for note in again.notes if "orientation" in note]
    assert again.pixels.shape == (8, 6, 3)


def test_the_preview_of_what_was_before_is_gone(tmp_path: Path) -> None:
    stream = io.BytesIO()
    PIL.Image.fromarray(levels(4, 4)).save(stream, "JPEG")
    preview = stream.getvalue()
    first = struct.pack("<HHHIHH", 1, 274, 3, 1, 8, 0) + struct.pack("<I", 26)
    second = struct.pack("<HHHIIHHII", 2, 513, 4, 1, 56, 514, 4, 1, len(preview)) + bytes(4)
    block = b"II*\0" + struct.pack("<I", 8) + first + second + preview
    source = io.BytesIO()
    PIL.Image.fromarray(levels(6, 8)).save(source, "JPEG", exif=b"Exif\0\0" + block)
    assert preview in source.getvalue()
    (tmp_path / "a.jpg").write_bytes(source.getvalue())
    done = predict(BRIGHTER, [tmp_path / "a.jpg"], tmp_path / "out", file_format="jpg")
    made = done.written[0].read_bytes()
    assert preview[:100] not in made
    assert opened(done.written[0]).getexif().get_ifd(1) == {}
    assert opened(done.written[0]).getexif()[274] == 1


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12", b"XX" * 40]
)
def test_damaged_metadata_is_none(tmp_path: Path, damage: bytes) -> None:
    plain = encode_image(levels(6, 8), "jpg")
    body = b"Exif\0\0" + damage
    (tmp_path / "a.jpg").write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:])
    done = predict(BRIGHTER, [tmp_path / "a.jpg"], tmp_path / "out")
    assert read_image(done.written[0]).pixels.shape == (6, 8, 3)


# ----------------------------------------------------------------------------- running on and stopping


def test_what_was_made_of_the_same_by_the_same_is_kept(tree: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", []

    def counting(image: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
        seen.append(row["id"])
        return brighter(image, row)

    method = replace(BRIGHTER, run=counting)
    assert len(predict(method, [tree], out).written) == 3
    done = predict(method, [tree], out)
    assert (len(done.written), len(done.kept), len(seen)) == (0, 3, 3)
    (tree / "a.png").write_bytes(encode_image(levels(6, 8, 9)))  # another photograph of that name
    (out / "day" / "b.png").write_bytes(b"half of")
    (out / "day" / "c.d.png").unlink()
    assert len(predict(method, [tree], out).written) == 3
    assert len(predict(replace(method, facts={"kind": "another"}), [tree], out).written) == 3
    record = read_json(out / "predictions.json", "")
    assert [about["kind"] for about in record["methods"].values()] == ["another"]
    assert set(record["files"]) == {"a.png", "day/b.png", "day/c.d.png"}
    before = (out / "predictions.json").stat().st_mtime_ns
    assert len(predict(replace(method, facts={"kind": "another"}), [tree], out).kept) == 3
    assert (out / "predictions.json").stat().st_mtime_ns == before


def test_a_record_of_something_else_is_not_overwritten(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match="is not a record of predictions"):
        predict(BRIGHTER, [tree], tmp_path / "out")
    assert (tmp_path / "out" / "predictions.json").read_text() == '{"mine": 1}'


def test_an_interruption_leaves_whole_files_and_goes_on(tree: Path, tmp_path: Path) -> None:
    def stopping(image: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
        if row["id"] == "day/c.d":
            raise KeyboardInterrupt
        return brighter(image, row)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict(replace(BRIGHTER, run=stopping), [tree], out)
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"a.png", "b.png", "predictions.json"}
    done = predict(BRIGHTER, [tree], out)
    assert (len(done.written), len(done.kept)) == (1, 2)


def test_one_that_fails_does_not_hold_up_the_others(tree: Path, tmp_path: Path) -> None:
    def failing(image: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
        if row["id"] == "a":
            raise ImageError("has 1 x 1 pixels")
        return image * np.float32(np.nan if row["id"].endswith("b") else 1)

    method = replace(BRIGHTER, run=failing)
    done = predict(method, [tree], tmp_path / "out")
    assert [path.name for path in done.written] == ["c.d.png"]
    assert [reason for reason in done.failed.values() if "has 1 x 1" in reason or "NaN" in reason].__len__() == 2
    with pytest.raises(InputError, match=r"a\.png' has 1 x 1 pixels"):
        predict(method, [tree], tmp_path / "other", on_error="fail")
    with pytest.raises(ModelError, match="NaN"):
        predict(method, [tree / "day" / "b.png"], tmp_path / "other", on_error="fail")


def test_photographs_of_one_size_go_together(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"in{number:02d}.png").write_bytes(encode_image(levels(4, 6 + number % 2, number)))
    groups = []

    def several(images: Sequence[np.ndarray], rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
        groups.append([image.shape[1] for image in images])
        return [brighter(image, row) for image, row in zip(images, rows, strict=True)]

    files = sorted(tmp_path.glob("in*.png"))
    together = predict(replace(BRIGHTER, several=several), files, tmp_path / "together")
    alone = predict(BRIGHTER, files, tmp_path / "alone")
    assert groups == [[6] * 10, [7] * 10]
    for path in together.written:
        assert path.read_bytes() == (tmp_path / "alone" / path.name).read_bytes()
    assert {path.name for path in together.written} == {path.name for path in alone.written}


# ------------------------------------------------------------------------------------ networks, data sets


def test_tiles_do_not_show(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(1))
    smooth = nn.functional.interpolate(coarse, (600, 700), mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0).numpy()
    (tmp_path / "large.png").write_bytes(encode_image((smooth * 255).astype(np.uint8)))
    whole = read_image(predict(open_method(str(checkpoint)), [tmp_path / "large.png"], tmp_path / "whole").written[0])
    monkeypatch.setattr(tiling, "CPU_BUDGET", 12_000_000)
    cut = read_image(predict(open_method(str(checkpoint)), [tmp_path / "large.png"], tmp_path / "cut").written[0])
    apart = np.abs(whole.pixels.astype(int) - cut.pixels)
    assert apart.max() <= 1, "a rounding at most"
    assert (apart > 0).mean() < 1e-4


def test_predictions_of_a_data_set_score_as_the_model_does(checkpoint: Path, samples: Path, tmp_path: Path) -> None:
    done = predict_dataset(open_method(str(checkpoint)), samples, "test", tmp_path / "out")
    assert len(done.written) == len(load_dataset(samples).rows("test"))
    ours = evaluate(str(checkpoint), samples, metrics=["psnr", "ssim"]).per_image
    theirs = evaluate(None, samples, predictions=tmp_path / "out", metrics=["psnr", "ssim"]).per_image
    assert ours.equals(theirs)
    assert len(predict_dataset(open_method(str(checkpoint)), samples, "test", tmp_path / "out").kept) == len(
        done.written
    )


def test_shares_in_any_order_are_one_run(checkpoint: Path, samples: Path, tmp_path: Path) -> None:
    method, pairs = open_method(str(checkpoint)), len(load_dataset(samples).rows("test"))
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    predict_dataset(method, samples, "test", whole)
    written = [len(predict_dataset(method, samples, "test", shared, share=Share(i, 3)).written) for i in (2, 0, 1)]
    assert sum(written) == pairs and max(written) < pairs
    images = {path.name: path.read_bytes() for path in whole.glob("*.png")}
    assert {path.name: path.read_bytes() for path in shared.glob("*.png")} == images
    records = [json.loads((shared / f"predictions-{n}-of-3.json").read_text()) for n in (1, 2, 3)]
    one = json.loads((whole / "predictions.json").read_text())
    assert {name: made for record in records for name, made in record["files"].items()} == one["files"]
    assert all(record["methods"] == one["methods"] for record in records)
    for share in (None, Share(0, 2), Share(2, 3)):  # what others made is known, whoever they were
        again = predict_dataset(method, samples, "test", shared, share=share)
        assert not again.written and again.kept
    (shared / next(iter(images))).write_bytes(b"changed")
    assert len(predict_dataset(method, samples, "test", shared).written) == 1
    ours, theirs = (evaluate(None, samples, predictions=made, metrics=["psnr"]).per_image for made in (whole, shared))
    assert ours.equals(theirs)


def test_light_of_a_data_set_is_written_exactly(samples: Path, tmp_path: Path) -> None:
    done = predict_dataset(LIGHT, samples, "test", tmp_path / "out")
    dataset = load_dataset(samples)
    for path, row in zip(done.written, dataset.rows("test"), strict=True):
        given = dataset.read_input("test", row).as_float()
        assert np.array_equal(read_image(path, encoding="linear").pixels, to_light(given, row))


def test_orientation_and_wild_photographs(shared: Path, checkpoint: Path, tmp_path: Path) -> None:
    files = [shared / "data" / "quirks" / f"orientation_Landscape_{number}.jpg" for number in (3, 6)]
    done = predict(open_method(str(checkpoint)), files, tmp_path)
    for path in done.written:
        made = opened(path)
        assert made.size[0] > made.size[1]
        assert made.getexif()[274] == 1
