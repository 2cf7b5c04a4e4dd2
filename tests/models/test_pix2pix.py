"""What is special about paper 1's system: levels, dropout, statistics."""

import pytest
import torch
from torch import nn

from exposurebench import catalog
from exposurebench.models import pix2pix
from exposurebench.models.pix2pix import discriminator, network


def batch(side: int = 64) -> dict[str, torch.Tensor]:
    target = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    return {"input": (target / 0.73).clamp(0, 1), "target": target}


def test_eight_levels_end_in_a_single_unit():
    made = network(width=1).eval()
    sizes, seen = [], torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        for block in made.down:
            seen = block(seen)
            sizes.append(tuple(seen.shape[2:]))
    assert sizes == [(side, side) for side in (128, 64, 32, 16, 8, 4, 2, 1)]


def test_nothing_is_resized():
    """An image that is a part of its own reflection gives a part of the answer."""
    made = network(width=2).eval()
    image = torch.rand(1, 3, 200, 150)
    whole = torch.nn.functional.pad(image, (0, 106, 0, 56), mode="reflect")
    with torch.no_grad():
        assert torch.equal(made(image), made(whole)[..., :200, :150])


def test_values_are_those_of_a_display():
    made = network(width=2).eval()
    with torch.no_grad():
        made.up[-1][0].bias.fill_(50.0)
        assert made(torch.rand(1, 3, 8, 8)).eq(1).all()
        made.up[-1][0].bias.fill_(-50.0)
        assert made(torch.rand(1, 3, 8, 8)).eq(0).all()


def test_statistics_of_the_training_or_of_the_image():
    torch.manual_seed(0)
    running, own = network(width=2).eval(), network(width=2, norm_mode="batch").eval()
    own.load_state_dict(running.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(own(images), running(images))
        running.train()
        for module in running.modules():
            if not isinstance(module, nn.BatchNorm2d):
                module.training = False  # no dropout, but the batch's statistics
        torch.testing.assert_close(own(images[:1]), running(images[:1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(own(images)[:1], own(images[:1]), atol=1e-6, rtol=0)


def test_dropout_in_use_follows_the_seed():
    torch.manual_seed(0)
    made, images = network(width=2, dropout_at_eval=True).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        one, other = made(images, [1, 2]), made(images, [1, 3])
        assert torch.equal(made(images, [1, 2]), one)
        assert torch.equal(one[0], other[0])
        assert not torch.equal(one[1], other[1])
        made.dropout_at_eval = False
        assert torch.equal(made(images, [1, 2]), made(images, [1, 3]))


def test_dropout_drops_half_and_keeps_the_mean():
    made = network(width=2, dropout_at_eval=True).eval()
    dropped = made._dropped(torch.ones(1, 64, 32, 32), 0, [0])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1, abs=4 / dropped.numel() ** 0.5)


def test_losses_by_hand():
    class Says(nn.Module):
        def forward(self, given, images):
            return images.mean(1, keepdim=True)

    pair = {"input": torch.zeros(1, 3, 4, 4), "target": torch.full((1, 3, 4, 4), 2.0)}
    output = torch.full((1, 3, 4, 4), -1.0)
    own = pix2pix.loss(output, pair, discriminator=Says())
    assert own["l1"].item() == pytest.approx(600), "100 times a difference of 3, doubled: of values in [-1, 1]"
    softplus = torch.nn.functional.softplus
    assert own["adversarial"].item() == pytest.approx(softplus(torch.tensor(1.0)).item())
    verdict = pix2pix.discriminator_loss(Says(), output, pair)
    assert verdict["real"].item() == pytest.approx(softplus(torch.tensor(-2.0)).item() / 2)
    assert verdict["fake"].item() == pytest.approx(softplus(torch.tensor(-1.0)).item() / 2)
    assert set(pix2pix.loss(output, pair)) == {"l1"}


def test_published_and_corrected_are_one_network():
    """What differs is the recipe's augmentation."""
    ours, published = (catalog.load("models", name) for name in ("pix2pix", "pix2pix/as_published"))
    assert published.settings == {}
    assert published.fact("TITLE") != ours.fact("TITLE")
    assert published.fact("PARAMETERS") == ours.fact("PARAMETERS")


@pytest.mark.parametrize("settings", [{"norm_mode": "instance"}, {"width": -1}])
def test_nonsense_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        network(**settings)
    with pytest.raises(ValueError, match="width"):
        discriminator(width=0)


@pytest.mark.slow
def test_overfits_eight_real_pairs(decibels_above_the_input):
    assert decibels_above_the_input("pix2pix", steps=60, learning_rate=4e-3, width=8) >= 5
