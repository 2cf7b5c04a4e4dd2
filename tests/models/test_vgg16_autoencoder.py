from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from exposurebench.checkpoint import Checkpoint, build_network
from exposurebench.errors import MissingError
from exposurebench.models.vgg16_autoencoder import forward, loss, network, start
from exposurebench.pretrained import vgg, vgg_layers

VGG_CONVOLUTIONS = 14_714_688
SKIP_SOURCES = {"conv1_2": 36_928, "conv2_2": 147_584, "conv3_3": 590_080, "conv4_3": 2_359_808, "conv5_3": 2_359_808}


def count(module: nn.Module, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


def outlined(**settings: object) -> nn.Module:
    with torch.device("meta"):
        return network(**settings)


def test_the_papers_counts_layer_by_layer() -> None:
    net = outlined()
    assert count(net.encoder) == VGG_CONVOLUTIONS
    assert count(net.latent) == 262_656
    assert [count(up) for up in net.ups] == [2_359_808, 2_359_808, 1_179_904, 295_040, 73_792]
    assert [count(fuse) for fuse in net.fuses] == [524_800, 524_800, 131_328, 32_896, 8_256]
    assert (count(net.colors), count(net.output)) == (195, 21)
    assert (count(net), count(net, trained=True)) == (22_467_992, 13_247_512)
    assert round(100 * 13_247_512 / 22_467_992, 2) == 58.96


@pytest.mark.parametrize(
    ("settings", "trained"),
    [
        ({"freeze": "all"}, 7_753_304),
        ({"freeze": "none"}, 22_467_992),
        ({"pretrained": "none"}, 22_467_992),
        ({"pretrained": "none", "freeze": "all"}, 22_467_992),
        ({"upsampling": "bilinear"}, 13_247_512),
    ],
    ids=["all", "none", "random", "random-all", "bilinear"],
)
def test_what_is_trained(settings: dict[str, str], trained: int) -> None:
    net = outlined(**settings)
    assert (count(net), count(net, trained=True)) == (22_467_992, trained)


@pytest.mark.parametrize("skips", range(7))
def test_skips_bring_their_fusing_layer_and_let_their_source_train(skips: int) -> None:
    net = outlined(skips=skips)
    sources = list(reversed(SKIP_SOURCES.values()))[:skips]
    assert len(net.fuses) == min(skips, 5)
    assert count(net.encoder, trained=True) == sum(sources)
    assert count(net.output) == (21 if skips == 6 else 195)


def test_batch_norm_and_dropout_are_in_the_decoder() -> None:
    channels = 512 + (512 + 512 + 256 + 128 + 64) * 2 + 3
    assert count(outlined(batch_norm=True)) - 22_467_992 == 2 * channels
    torch.manual_seed(0)
    net = network(width=2, dropout=0.5).train()
    images = torch.rand(1, 3, 32, 32)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))
    assert not any(isinstance(module, nn.Dropout) for module in net.encoder.modules())


def test_a_sigmoid_bounds_the_output_and_a_relu_only_below() -> None:
    images = torch.rand(1, 3, 32, 32)
    for output, above in (("sigmoid", False), ("relu", True)):
        net = network(width=2, output=output)
        net.output.weight.data.fill_(0)
        net.output.bias.data.fill_(3)
        assert (net(images).max().item() > 1) is above
        net.output.bias.data.fill_(-3)
        assert net(images).min().item() >= 0


def test_the_input_reaches_the_output_beside_what_was_decoded() -> None:
    net = network(width=2)
    net.output.weight.data.fill_(0)
    net.output.bias.data.fill_(0)
    for channel in range(3):
        net.output.weight.data[channel, 3 + channel] = 1
    images = torch.rand(2, 3, 21, 40)
    assert torch.allclose(net(images), images.sigmoid())


# ------------------------------------------------------------------------------------------- ImageNet's weights


def test_the_encoder_begins_with_the_files_weights(vggs: dict[str, Path]) -> None:
    torch.manual_seed(0)
    net = network()
    decoder = net.latent[0].weight.detach().clone()
    assert start(net) == ({"pretrained": "imagenet"}, "")
    theirs, images = vgg("vgg16"), torch.rand(1, 3, 64, 64)
    expected, found = images, images
    for block in net.encoder:
        found = net.pool(block(found))
    for layer in theirs:
        expected = layer(expected)
    assert torch.allclose(found, expected)
    assert torch.equal(net.latent[0].weight, decoder)
    assert count(net, trained=True) == 13_247_512


def test_without_a_file_all_is_trained_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    net = network()
    settings, note = start(net)
    assert settings == {"pretrained": "none"}
    assert "vgg16-397923af.pth" in note and "random weights, and all of it is trained" in note
    assert "\n" not in note
    assert count(net, trained=True) == 22_467_992
    with pytest.raises(MissingError, match="nowhere"):
        start(network(), vgg=str(tmp_path / "nowhere.pth"))


def test_other_widths_have_no_pretrained_weights() -> None:
    net = network(width=4)
    settings, note = start(net)
    assert settings == {"pretrained": "none"} and "fit a width of 64, not 4" in note
    assert all(p.requires_grad for p in net.parameters())


def test_a_checkpoint_needs_no_file_of_vggs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    net = network(width=4, freeze="all")
    again = build_network(Checkpoint("vgg16_autoencoder", {"width": 4, "freeze": "all"}, net.state_dict()))
    images = torch.rand(1, 3, 9, 33)
    assert torch.equal(again(images), net.eval()(images))


def test_the_encoder_is_vgg16_in_order() -> None:
    with torch.device("meta"):
        theirs = [layer.weight.shape for layer in vgg_layers("vgg16") if isinstance(layer, nn.Conv2d)]
        ours = [layer.weight.shape for layer in network().encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert ours == theirs


# -------------------------------------------------------------------------------------------------------- losses


def test_smoothness_is_of_the_prediction() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    plane = (0.03 * columns + 0.04 * rows).expand(1, 3, 6, 5)
    rough = torch.rand(1, 3, 6, 5)
    terms = loss((plane, torch.tensor(0.0)), {"target": rough}, total_variation=2.0)
    assert terms["total_variation"].item() == pytest.approx(2 * 0.05**2.5, rel=1e-4)
    flat = torch.full((1, 3, 6, 5), 0.5, requires_grad=True)
    loss((flat, torch.tensor(0.0)), {"target": rough}, l1=0)["total_variation"].backward()
    assert flat.grad is not None and flat.grad.abs().max() == 0  # and not NaN, where both differences are 0


def test_l1_and_l2_by_hand() -> None:
    images, target = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    terms = loss((images, torch.tensor(4.0)), {"target": target}, l1=2, l2=3, total_variation=0, weight_decay=0)
    assert {name: term.item() for name, term in terms.items()} == {"l1": 1.0, "l2": 0.75}


def test_weights_are_held_small_as_keras_does() -> None:
    """``l2(c)`` of a kernel adds ``c sum(w^2)`` to the loss, so 2 c w to its gradient."""
    torch.manual_seed(0)
    net = network(width=2, pretrained="none", batch_norm=True)
    batch = {"input": torch.rand(2, 3, 32, 32), "target": torch.rand(2, 3, 32, 32)}
    _, squares = forward(net, batch)
    (1e-3 * squares).backward()
    held = {name: p for name, p in net.named_parameters() if p.grad is not None}
    assert all(torch.allclose(p.grad, 2e-3 * p) for p in held.values())
    assert held["latent.0.weight"].grad.abs().max() > 0 and "colors.0.bias" in held
    assert not any(name.startswith(("encoder", "output")) for name in held)
    assert len(held) == 2 * (1 + 5 + 5 + 1)  # kernels and biases of convolutions, no batch norm's
    assert squares.item() == pytest.approx(sum(p.square().sum().item() for p in held.values()), rel=1e-5)


@pytest.mark.slow
def test_it_learns_eight_real_pairs_by_heart(decibels_above_the_input: Callable[..., float]) -> None:
    gain = decibels_above_the_input("vgg16_autoencoder", steps=400, learning_rate=3e-3, width=8, pretrained="none")
    assert gain > 8
