"""Weights that others published: found, checked, loaded."""

import pytest
import torch

from exposurebench import pretrained
from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file
from exposurebench.pretrained import place, vgg

NAMES = tuple(pretrained.VGG)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_torchvisions(vggs, name):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        whole = torchvision.models.get_model(name)
    ours, theirs = vgg(name), whole.features
    assert [str(layer).replace(", inplace=True", "").replace("inplace=True", "") for layer in theirs] == [
        str(layer) for layer in ours
    ]
    theirs.load_state_dict(ours.state_dict(), assign=True)
    image = torch.rand(1, 3, 40, 32)
    assert torch.equal(ours(image), theirs(image))


def test_they_are_frozen(vggs):
    network = vgg("vgg16")
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert sum(parameter.numel() for parameter in network.parameters()) == 14_714_688


def test_places_by_name(vggs):
    assert [place(vgg("vgg19"), f"conv{n}") for n in ("1_1", "3_1", "3_4", "4_4", "5_4")] == [0, 10, 16, 25, 34]
    with pytest.raises(ValueError, match=r"no layer is called 'conv3_4'; there are conv1_1, .*conv5_3"):
        place(vgg("vgg16"), "conv3_4")


def test_a_path_goes_before_the_cache(vggs, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torch.equal(vgg("vgg16", str(vggs["vgg16"]))[0].weight, torch.load(vggs["vgg16"])["features.0.weight"])


def test_missing_weights_say_what_to_get_and_what_trains_without(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingError) as caught:
        vgg("vgg19", otherwise="train without")
    message = str(caught.value)
    assert "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth" in message
    assert str(tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth") in message
    assert message.endswith("or train without")
    assert "\n" not in message


def test_other_files_are_refused(vggs, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"is not vgg19-dcbb9e9d\.pth: its SHA-256 begins with"):
        vgg("vgg19", str(vggs["vgg16"]))
    path = tmp_path / "weights.pth"
    for content, message in (
        (b"no weights", "cannot be read"),
        ({"features.0.weight": torch.zeros(1)}, "other weights"),
    ):
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        known = pretrained.VGG["vgg16"]._replace(sha256=sha256_file(path)[:8])
        monkeypatch.setitem(pretrained.VGG, "vgg16", known)
        with pytest.raises(InputError, match=message):
            vgg("vgg16", str(path))


def test_an_unknown_network():
    with pytest.raises(ValueError, match="expected one of vgg16, vgg19, not 'vgg11'"):
        vgg("vgg11")
