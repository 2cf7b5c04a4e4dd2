"""What the two Inceptions answer, and which files they are loaded from."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from exposurebench import pretrained
from exposurebench.errors import InputError, MissingError
from exposurebench.files import sha256_file
from exposurebench.metrics import inception
from exposurebench.metrics.inception import network, weights
from exposurebench.metrics.inception.network import build

NETWORKS = tuple(weights.NETWORKS)


@pytest.fixture
def pictures() -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.integers(0, 256, (3, 3, 90, 110))) / 255


@pytest.mark.parametrize("name", NETWORKS)
def test_answers(inceptions, pictures, name):
    answers = inception.statistics(pictures, network=name)
    classes = {"torchvision": 1000, "tf2015": 1008}[name]
    assert answers["log_probabilities"].shape == (3, classes)
    assert answers["features"].shape == (3, 2048)
    assert all(answer.dtype == torch.float32 for answer in answers.values())
    torch.testing.assert_close(answers["log_probabilities"].double().exp().sum(1), torch.ones(3).double())
    assert answers["features"].std(0).mean() > 0, "different images have different answers"


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_is_answered_by_itself(inceptions, pictures, name):
    together, turned = (inception.statistics(images, network=name) for images in (pictures, pictures.flip(0)))
    alone = inception.statistics(pictures[1:2].double(), network=name)
    for column, values in together.items():
        assert torch.equal(turned[column].flip(0), values)
        assert torch.equal(alone[column][0], values[1])


def test_torchvisions_network_is_torchvisions(inceptions, pictures):
    from torchvision.models import inception_v3

    reference = inception_v3(weights=None, init_weights=False, aux_logits=False).eval()
    reference.load_state_dict(torch.load(inceptions["torchvision"], weights_only=True))
    seen = interpolate(pictures.float(), (75, 75), mode="bilinear", antialias=True) * 2 - 1
    with torch.inference_mode():
        expected = reference(seen).log_softmax(1)
    torch.testing.assert_close(inception.statistics(pictures)["log_probabilities"], expected, atol=1e-4, rtol=1e-4)


def test_the_auxiliary_head_of_the_published_file_is_left_out(inceptions, pictures, tmp_path, monkeypatch):
    state = torch.load(inceptions["torchvision"], weights_only=True)
    path = tmp_path / "published.pth"
    torch.save({**state, "AuxLogits.fc.bias": torch.zeros(1000)}, path)
    known = weights.NETWORKS["torchvision"]._replace(sha256=sha256_file(path)[:8])
    monkeypatch.setitem(weights.NETWORKS, "torchvision", known)
    found = inception.statistics(pictures[:1], weights=str(path))
    monkeypatch.setitem(weights.NETWORKS, "torchvision", known._replace(sha256=sha256_file(inceptions["torchvision"])))
    expected = inception.statistics(pictures[:1])
    assert torch.equal(found["features"], expected["features"])


@pytest.mark.parametrize("name", NETWORKS)
def test_pools_of_2015_leave_the_padding_out(name):
    """A constant image stays constant under an average without its padding, and dims at the border with it."""
    block = build(name).Mixed_5b.eval()
    seen = []
    block.branch_pool.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        block(torch.ones(1, 192, 5, 5))
    expected = torch.ones(5, 5)
    assert torch.equal(seen[-1][0, 0], expected) == (name == "tf2015")


def test_the_last_pool_of_2015_takes_the_largest():
    block = build("tf2015").Mixed_7c.eval()
    seen = []
    block.branch_pool.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    spot = torch.zeros(1, 2048, 5, 5)
    spot[..., 2, 2] = 1
    with torch.no_grad():
        block(spot)
    assert seen[-1][0, 0, 1:4, 1:4].eq(1).all()
    assert seen[-1][0, 0].sum() == 9


def test_2015_sees_8_bits_and_has_no_bias(inceptions, pictures):
    answers = inception.statistics(pictures, network="tf2015")
    near = inception.statistics((pictures + 0.4 / 255).clamp(max=1), network="tf2015")
    assert torch.equal(near["features"], answers["features"])
    head = torch.load(inceptions["tf2015"], weights_only=True)["fc.weight"]
    expected = (answers["features"] @ head.T).log_softmax(1)
    torch.testing.assert_close(answers["log_probabilities"], expected, atol=1e-4, rtol=1e-4)


def test_tensorflow_resizes_from_the_corner():
    ramp = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 4, 6)
    half = inception.tensorflow_resized(ramp, 3)
    assert half[0, 0, 0].tolist() == [0, 2, 4]
    double = inception.tensorflow_resized(ramp, 12)
    assert double[0, 0, 0].tolist() == [*(i / 2 for i in range(11)), 5.0]


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("name", NETWORKS)
def test_missing_weights_say_what_to_get_and_where_to_put_it(tmp_path, monkeypatch, pictures, name):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    known = weights.NETWORKS[name]
    with pytest.raises(MissingError) as caught:
        inception.statistics(pictures, network=name)
    message = str(caught.value)
    assert known.url in message
    assert str(tmp_path / "hub" / "checkpoints" / known.file) in message
    assert "weights=PATH" in message
    assert "\n" not in message
    with pytest.raises(MissingError, match=r"nowhere\.pth"):
        inception.statistics(pictures, network=name, weights="nowhere.pth")


def test_a_file_of_another_hash_is_refused(inceptions, tmp_path, pictures):
    path = tmp_path / "inception_v3_google-0cc3c7bd.pth"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=r"is not inception_v3_google-0cc3c7bd\.pth: its SHA-256 begins with"):
        inception.statistics(pictures, weights=str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.zeros(1)}, "holds other weights than torchvision's Inception v3: Conv2d_1a_3x3.conv.weight, "),
        ([1, 2], "a list, not names and tensors"),
        (None, "cannot be read as weights"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path, monkeypatch, pictures, content, message):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights") if content is None else torch.save(content, path)
    known = weights.NETWORKS["torchvision"]._replace(sha256=sha256_file(path)[:8])
    monkeypatch.setitem(weights.NETWORKS, "torchvision", known)
    with pytest.raises(InputError, match=message) as caught:
        inception.statistics(pictures, weights=str(path))
    assert "\n" not in str(caught.value)


def test_the_other_name_of_the_file_of_2015_is_found(inceptions, tmp_path, monkeypatch):
    known = weights.NETWORKS["tf2015"]
    place = tmp_path / "hub" / "checkpoints" / known.also[0]
    place.parent.mkdir(parents=True)
    place.symlink_to(inceptions["tf2015"])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert weights.find("tf2015") == place


def test_the_protocol_names_the_file_by_its_hash(inceptions):
    for name, path in inceptions.items():
        facts = inception.weights_facts(network=name)
        assert facts == {"weights_file": weights.NETWORKS[name].file, "weights_sha256": sha256_file(path)}


def test_download_fetches_into_the_cache(tmp_path, monkeypatch, inceptions):
    fetched = []

    def download(url, path, *, sha256, progress):
        fetched.append((url, sha256))
        path.parent.mkdir(parents=True)
        path.symlink_to(inceptions["torchvision"])

    monkeypatch.setattr(pretrained, "download", download)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    known = weights.NETWORKS["torchvision"]
    assert weights.find("torchvision", "download") == tmp_path / "hub" / "checkpoints" / known.file
    assert fetched == [(known.url, known.sha256)]


def test_weights_are_loaded_once(inceptions, pictures, monkeypatch):
    network._loaded.cache_clear()
    built = []
    monkeypatch.setattr(network, "build", lambda name: built.append(name) or build(name))
    for _ in range(2):
        inception.statistics(pictures[:1])
    assert built == ["torchvision"]


def test_an_unknown_network(pictures):
    with pytest.raises(ValueError, match="network must be one of torchvision, tf2015, not 'vgg'"):
        inception.statistics(pictures, network="vgg")


def test_a_torchvision_that_cannot_be_imported(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(MissingError, match="install the torch and torchvision that belong together"):
        build("torchvision")
