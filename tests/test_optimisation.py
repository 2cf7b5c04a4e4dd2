import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from exposurebench.errors import MissingError, RecipeError
from exposurebench.optimisation import Training, prediction, settled, start, step
from exposurebench.processes import Place
from exposurebench.training_recipe import training_recipe

HERE = Place(torch.device("cpu"))
Toy = Callable[..., None]


def made(**changes: object) -> Training:
    plain = {"model": "toy_gan", "steps": 9, "batch": 4, "learning_rate": 1e-2, "betas": [0.5, 0.999]}
    return start(training_recipe({**plain, **changes}), HERE)


def batch(number: int = 0, count: int = 4, side: int = 16) -> dict[str, torch.Tensor]:
    target = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(number))
    return {"input": (target / 0.73).clamp(0, 1), "target": target}


def copies(training: Training) -> tuple[nn.Module, nn.Module, nn.Module]:
    assert training.critic is not None
    return copy.deepcopy((training.learner.network, training.critic.network, training.loss.keywords["features"]))


def close(ours: nn.Module, theirs: nn.Module, tolerance: float = 1e-6) -> bool:
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return all(torch.allclose(a, b, atol=tolerance, rtol=1e-4) for a, b in pairs)


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_it_does_what_the_plainest_loop_does(toy: Toy, clip: float) -> None:
    training = made(clip=clip, discriminator_learning_rate=3e-3)
    network, judge, features = copies(training)
    adam = torch.optim.Adam(network.parameters(), 1e-2, (0.5, 0.999))
    judge_adam = torch.optim.Adam(judge.parameters(), 3e-3, (0.5, 0.999))
    for number in range(4):
        if number == 2:
            for group in (*adam.param_groups, *judge_adam.param_groups):
                group["lr"] *= 0.5
        given, target = batch(number).values()
        output = network(given)
        verdict = judge(given, target).square().mean(), (judge(given, output.detach()) - 1).square().mean()
        judge_adam.zero_grad()
        sum(verdict).backward()
        if clip:
            nn.utils.clip_grad_norm_(judge.parameters(), clip)
        judge_adam.step()
        own = (
            50 * (output - target).abs().mean(),
            judge(given, output).square().mean(),
            0.1 * (features(output) - features(target)).abs().mean(),
        )
        adam.zero_grad()
        sum(own).backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        adam.step()
        terms = step(training, batch(number), number, 0.5 if number >= 2 else 1.0)
        assert list(terms) == ["l1", "adversarial", "perceptual", "discriminator_real", "discriminator_fake"]
        assert torch.allclose(torch.stack(list(terms.values())), torch.stack([*own, *verdict]).detach(), atol=1e-5)
    assert training.learner.network.calls == 4, "the output is computed once a step"
    assert close(training.learner.network, network)
    assert close(training.critic.network, judge)


@pytest.mark.parametrize("adversarial", [0.0, 3.0])
def test_a_batch_in_pieces_is_the_whole_batch(toy: Toy, adversarial: float) -> None:
    whole, pieces = (made(**{"loss.adversarial": adversarial, "accumulate": n}) for n in (1, 4))
    for number in range(3):
        ours, theirs = (step(training, batch(number), number) for training in (whole, pieces))
        assert list(ours) == list(theirs)
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)
    assert close(whole.learner.network, pieces.learner.network, 1e-5)
    assert not adversarial or close(whole.critic.network, pieces.critic.network, 1e-5)


def test_running_statistics_count_every_piece_once(toy: Toy) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, momentum=0.5))

    toy(network=network)
    training = made(accumulate=2)
    norm, conv = training.learner.network[1], training.learner.network[0]
    expected = torch.zeros(3)
    for piece in batch()["input"].chunk(2):
        expected = 0.5 * expected + 0.5 * conv(piece).detach().mean((0, 2, 3))
    step(training, batch(), 0)
    assert norm.num_batches_tracked == 2
    assert torch.allclose(norm.running_mean, expected, atol=1e-6)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_statistics_are_those_of_the_weights_to_predict_with(toy: Toy, average: float) -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))

    toy(network=network)
    training = made(average=average, accumulate=2)
    for number in range(3):
        step(training, batch(number), number)
    before = copy.deepcopy(training.learner.network.state_dict())
    found = settled(training, [batch(7), batch(8)])
    assert found.keys() == {"2.running_mean", "2.running_var", "2.num_batches_tracked"}
    weights = training.weights()
    pieces = [piece for number in (7, 8) for piece in batch(number)["input"].chunk(2)]
    seen = [nn.functional.conv2d(piece, weights["0.weight"], weights["0.bias"]) for piece in pieces]
    means, variances = (torch.stack([what(s) for s in seen]).mean(0) for what in (mean, variance))
    assert torch.allclose(found["2.running_mean"], means, atol=1e-6)
    assert torch.allclose(found["2.running_var"], variances, atol=1e-6)
    after = training.learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert training.learner.network.training and training.learner.network[2].momentum == 0.1
    shown = prediction(training, batch()["input"], found)
    assert not torch.allclose(shown, prediction(training, batch()["input"]), atol=1e-3)
    toy()
    assert settled(made(), [batch()]) == {}, "without batch norm"


def mean(values: torch.Tensor) -> torch.Tensor:
    return values.mean((0, 2, 3))


def variance(values: torch.Tensor) -> torch.Tensor:
    return values.transpose(0, 1).flatten(1).var(1)


def test_frozen_networks_and_a_discriminator_without_weight(toy: Toy) -> None:
    training = made()
    features = training.loss.keywords["features"]
    before = copy.deepcopy(features)
    step(training, batch(), 0)
    assert close(features, before, 0)
    assert not features.training
    assert all(parameter.grad is None for parameter in (*features.parameters(), *training.critic.network.parameters()))
    plain = made(**{"loss.adversarial": 0, "loss.perceptual": 0})
    assert plain.critic is None
    assert list(step(plain, batch(), 0)) == ["l1"]


def test_noise_follows_from_the_seed_and_the_step_alone(toy: Toy) -> None:
    def losses(*numbers: int, **changes: object) -> list[float]:
        training = made(**{"network.dropout": 0.5, "loss.adversarial": 0, **changes})
        torch.manual_seed(1234)
        return [step(training, batch(), number)["l1"].item() for number in numbers]

    assert losses(3) == losses(3)
    assert losses(3) != losses(4)


def test_an_average_of_the_weights_is_kept_and_predicted_with(toy: Toy) -> None:
    training = made(average=0.9)
    expected = {name: p.detach().clone() for name, p in training.learner.network.named_parameters()}
    for number in range(3):
        step(training, batch(number), number)
        for name, p in training.learner.network.named_parameters():
            expected[name] = 0.9 * expected[name] + 0.1 * p.detach()
    weights = training.weights()
    assert set(weights) == set(training.learner.network.state_dict())
    assert all(torch.allclose(weights[name], expected[name], atol=1e-6) for name in expected)
    images = batch(9)["input"]
    averaged = copy.deepcopy(training.learner.network)
    averaged.load_state_dict(weights)
    with torch.no_grad():
        assert torch.allclose(prediction(training, images), averaged.eval()(images), atol=1e-6)
    assert training.learner.network.training, "a picture leaves the training as it was"


def test_bf16_is_inside_the_networks_alone(toy: Toy) -> None:
    inside: dict[str, list[torch.dtype]] = {"network": [], "loss": []}
    full, half = made(), made(precision="bf16")
    half.learner.network.first.register_forward_hook(lambda *args: inside["network"].append(args[2].dtype))
    inner = half.loss

    def loss(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
        inside["loss"].append(output.dtype)
        return inner(output, batch)

    half.loss = loss
    ours, theirs = (step(training, batch(), 0) for training in (half, full))
    assert inside == {"network": [torch.bfloat16], "loss": [torch.float32]}
    for name in ours:
        assert ours[name].dtype == torch.float32
        assert ours[name].item() == pytest.approx(theirs[name].item(), rel=0.05, abs=0.02)
        assert ours[name].item() != theirs[name].item()
    assert all(p.dtype == torch.float32 for p in half.learner.network.parameters())


def test_networks_and_images_have_the_layout_that_is_fast_there(toy: Toy) -> None:
    training = made()
    assert training.learner.network.first.weight.is_contiguous()
    seen = []
    training.learner.network.first.register_forward_hook(lambda *args: seen.append(args[1][0]))
    given = {side: images.contiguous(memory_format=torch.channels_last) for side, images in batch().items()}
    step(training, given, 0)  # as a feed makes them
    assert seen[0].is_contiguous(), "plain on a CPU"
    if torch.cuda.is_available():
        training = start(training.recipe, Place(torch.device("cuda")))
        assert training.learner.network.first.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_state_goes_on_as_if_nothing_had_happened(toy: Toy) -> None:
    settings = {"network.dropout": 0.5, "average": 0.9}
    whole, first, second = (made(**settings) for _ in range(3))
    for number in range(4):
        step(whole, batch(number), number)
    for number in range(2):
        step(first, batch(number), number)
    second.load(copy.deepcopy(first.state()))
    for number in range(2, 4):
        step(second, batch(number), number)
    for side in ("learner", "critic"):
        assert close(getattr(whole, side).network, getattr(second, side).network, 0)
    assert all(torch.equal(whole.average[name], second.average[name]) for name in whole.average)


def test_an_output_of_several_tensors(toy: Toy) -> None:
    def forward(network: nn.Module, batch: Any, *, discriminator: nn.Module | None = None) -> dict[str, Any]:
        image = network(batch["input"])
        return {"stages": (image, image * 0.5)}

    def loss(output: Any, batch: Any) -> dict[str, torch.Tensor]:
        return {
            "first": (output["stages"][0] - batch["target"]).abs().mean(),
            "second": output["stages"][1].abs().mean(),
        }

    def discriminator_loss(discriminator: nn.Module, output: Any, batch: Any) -> dict[str, torch.Tensor]:
        assert not output["stages"][0].requires_grad
        return {"discriminator_fake": discriminator(batch["input"], output["stages"][1]).square().mean()}

    toy(forward=forward, loss=loss, discriminator_loss=discriminator_loss)
    for precision in ("float32", "bf16"):
        assert list(step(made(precision=precision), batch(), 0)) == ["first", "second", "discriminator_fake"]


def test_settings_that_make_no_network(toy: Toy) -> None:
    with pytest.raises(RecipeError, match="the settings of toy_gan cannot be used: width must be at least 1"):
        made(**{"network.width": 0})


def pretrained(found: bool) -> dict[str, Any]:
    """Functions of a model whose network begins with pretrained weights, if they are found."""

    def network(*, pretrained: str = "imagenet") -> nn.Module:
        return nn.Conv2d(3, 3, 1).requires_grad_(pretrained == "none")

    def begin(network: nn.Module, *, vgg: str = "") -> tuple[dict[str, Any], str]:
        if found:
            network.bias.requires_grad_(True)
            nn.init.constant_(network.weight, 0.25)
            return {"pretrained": "imagenet"}, ""
        network.requires_grad_(True)
        return {"pretrained": "none"}, f"no weights in {vgg}"

    return {"network": network, "start": begin, "discriminator": None}


def test_pretrained_weights_are_put_in_and_what_is_missing_is_noted(toy: Toy) -> None:
    toy(**pretrained(True))
    training = made(**{"network.vgg": "a.pth"})
    assert (training.settings, training.note) == ({"pretrained": "imagenet"}, "")
    step(training, batch(), 0)
    assert torch.equal(training.learner.network.weight, torch.full((3, 3, 1, 1), 0.25)), "frozen"
    state = training.state()
    toy(**pretrained(False))
    training = made(**{"network.vgg": "a.pth"})
    assert (training.settings, training.note) == ({"pretrained": "none"}, "no weights in a.pth")
    with pytest.raises(MissingError, match="began with pretrained imagenet, and now it would with pretrained none"):
        training.load(state)


def test_missing_weights_that_the_loss_needs_pass_through(toy: Toy) -> None:
    def frozen(*, perceptual: float = 0.1) -> dict[str, nn.Module]:
        raise MissingError("get the weights")

    toy(frozen=frozen)
    with pytest.raises(MissingError, match="get the weights"):
        made()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_compiled_networks_learn_the_same(toy: Toy) -> None:
    plain, compiled = (made(compile=value) for value in (False, True))
    for number in range(2):
        ours, theirs = (step(training, batch(number), number) for training in (plain, compiled))
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)
    assert set(plain.weights()) == set(compiled.weights())
