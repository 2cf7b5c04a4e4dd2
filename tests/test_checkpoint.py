import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from exposurebench.checkpoint import Checkpoint, as_variant, build_network, load_checkpoint, save_checkpoint
from exposurebench.errors import InputError, RecipeError, UnsafeModelError
from exposurebench.method import open_method
from exposurebench.models import drht, vgg16_autoencoder
from exposurebench.models.small_cnn import network


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "model.pt"
    made = Checkpoint("small_cnn", {"width": 4}, network(width=4).state_dict(), {"steps": 1}, {"name": "x"})
    save_checkpoint(path, made)
    return path


def test_what_was_saved_comes_back_and_predicts_the_same(saved: Path) -> None:
    torch.manual_seed(3)
    original = network(width=4)
    checkpoint = load_checkpoint(saved)
    assert (checkpoint.architecture, checkpoint.settings, checkpoint.recipe) == (
        "small_cnn",
        {"width": 4},
        {"steps": 1},
    )
    images = torch.rand(1, 3, 12, 9)
    with torch.no_grad():
        assert torch.equal(build_network(checkpoint)(images), original(images))
    assert not any(parameter.requires_grad for parameter in build_network(checkpoint).parameters())


def test_a_checkpoint_opens_as_the_variant_that_gives_its_light(tmp_path: Path) -> None:
    settings = {"width": 2, "gives": "picture"}
    whole = drht.network(width=2).eval()
    save_checkpoint(tmp_path / "model.pt", Checkpoint("drht", settings, whole.state_dict()))
    method = open_method(str(tmp_path / "model.pt"), settings={"variant": "radiance"})
    assert (method.gives, method.name) == ("linear", f"{tmp_path.name}/radiance")
    assert method.facts["architecture"] == "drht/radiance"
    assert method.facts["settings"] == {"width": 2, "gives": "light"}
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        light = drht.decoded(whole(image, stages=True)["light"])
    made = method.run(image[0].permute(1, 2, 0).numpy(), {})
    assert torch.allclose(torch.from_numpy(made).permute(2, 0, 1)[None], light, rtol=1e-4)


@pytest.mark.parametrize("variant", ["literal", "released", "radience"])
def test_a_variant_that_is_more_than_another_part_is_another_training(variant: str) -> None:
    checkpoint = Checkpoint("drht", {"width": 2}, {})
    with pytest.raises(RecipeError, match=f"unknown variant to open drht as '{variant}';.* Known: radiance"):
        as_variant(checkpoint, variant)
    with pytest.raises(RecipeError, match="unknown variant to open small_cnn as 'radiance'; Known: none"):
        as_variant(Checkpoint("small_cnn", {}, {}), "radiance")


def test_a_checkpoint_that_began_with_imagenet_needs_its_file_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing"))
    state = vgg16_autoencoder.network(width=2).state_dict()
    for began in ("imagenet", "none"):
        settings = {"width": 2, "pretrained": began}
        save_checkpoint(tmp_path / "model.pt", Checkpoint("vgg16_autoencoder", settings, state))
        method = open_method(str(tmp_path / "model.pt"))
        assert method.facts["settings"]["pretrained"] == began
        assert method.run(np.full((32, 32, 3), 0.5, np.float32), {}).shape == (32, 32, 3)


class Planted:
    """A pickle that would make a file when opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["pickle", "torch", "nested"])
def test_a_pickled_object_is_refused_and_nothing_runs(tmp_path: Path, how: str) -> None:
    trap, path = tmp_path / "sprung", tmp_path / "model.pt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Planted(trap)))
    else:
        payload = (
            Planted(trap) if how == "torch" else {"format": "exposurebench.checkpoint", "state": {"a": Planted(trap)}}
        )
        torch.save(payload, path)
    with pytest.raises(UnsafeModelError, match=r"refused: it is a pickled Python object.*--predictions"):
        load_checkpoint(path)
    assert not trap.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(UnsafeModelError):
        load_checkpoint(tmp_path / "whole.pt")


@pytest.mark.parametrize("data", [b"", b"not a model", b"PK\x03\x04broken", b"\x80\x02."])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    with pytest.raises((InputError, UnsafeModelError), match=r"model\.pt") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"lr = 0.1\nsteps = 5\n", b"# Notes\n", b"<!DOCTYPE html>", bytes(100)])
def test_a_file_of_another_kind_is_no_model_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.pt: is (no model file|a web page)") as caught:
        load_checkpoint(tmp_path / "model.pt")
    assert not isinstance(caught.value, UnsafeModelError)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_called_one(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Planted(tmp_path / "sprung"), protocol))
    with pytest.raises(UnsafeModelError, match="pickled Python object"):
        load_checkpoint(tmp_path / "model.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_checkpoint_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-200])
    with pytest.raises((InputError, UnsafeModelError)):
        load_checkpoint(saved)


def test_bare_weights_say_what_is_missing(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "bare.pt")
    with pytest.raises(InputError, match="not what network they belong to"):
        load_checkpoint(tmp_path / "bare.pt")


def change(path: Path, **changes: object) -> None:
    payload = torch.load(path, weights_only=True) | changes
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    path.write_bytes(buffer.getvalue())


def test_a_newer_schema_and_an_unknown_network_are_refused(saved: Path) -> None:
    change(saved, schema=99)
    with pytest.raises(InputError, match="newer than"):
        load_checkpoint(saved)
    change(saved, schema=1, architecture="smal_cnn")
    with pytest.raises(InputError, match="did you mean 'small_cnn'"):
        load_checkpoint(saved)
    change(saved, architecture="small_cnn", state=["no"])
    with pytest.raises(InputError, match="state"):
        load_checkpoint(saved)


def test_weights_of_another_shape_are_named(saved: Path) -> None:
    change(saved, settings={"width": 5})
    with pytest.raises(
        InputError, match=r"5 weights do not fit small_cnn \(layers.0.weight is \(4, 3, 3, 3\) for \(5, 3, 3, 3\);"
    ):
        build_network(load_checkpoint(saved))
    change(saved, settings={"depth": 5})
    with pytest.raises(InputError, match="settings of small_cnn"):
        build_network(load_checkpoint(saved))


def test_an_absurd_size_is_refused_before_anything_is_allocated(saved: Path) -> None:
    change(saved, settings={"width": 4096})  # 600 MB of weights if it were built
    with pytest.raises(InputError, match="weights do not fit"):
        build_network(load_checkpoint(saved))


def test_the_file_is_a_plain_torch_archive(saved: Path) -> None:
    assert zipfile.is_zipfile(saved)
    assert torch.load(saved, weights_only=True)["preprocessing"] == {
        "takes": "srgb",
        "gives": "srgb",
        "range": [0.0, 1.0],
    }
