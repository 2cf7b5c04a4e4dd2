"""A model while it is trained: its networks and optimisers, and one step of both.

A step is a function of the weights, the batch and (seed, step, rank): torch's generator is seeded for each one, so
that a training that was interrupted draws the same noise as one that was not.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from exposurebench import catalog
from exposurebench.catalog import Entry
from exposurebench.errors import MissingError, RecipeError
from exposurebench.processes import Place
from exposurebench.recipe import draw
from exposurebench.training_recipe import TrainingRecipe

Batch = Mapping[str, torch.Tensor]
Terms = dict[str, torch.Tensor]
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""What batch norm remembers, by its names in a state."""


class Call(nn.Module):
    """What is computed with a network, as one module, so that DistributedDataParallel sees it begin and end."""

    def __init__(self, network: nn.Module, run: Callable[..., Any]) -> None:
        super().__init__()
        self.network, self.run = network, run

    def forward(self, *arguments: Any) -> Any:
        return self.run(self.network, *arguments)


@dataclass
class Learner:
    """A network, the optimiser that changes it, and the call whose result its gradient is of."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    call: nn.Module
    learning_rate: float

    def step(self, decline: float, clip: float) -> None:
        """Follow the gradient, and forget it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * decline
        if clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def together(self, synchronised: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients are exchanged between processes, or kept for the next piece of the batch."""
        if isinstance(self.call, DistributedDataParallel) and not synchronised:
            return self.call.no_sync()
        return contextlib.nullcontext()


@dataclass
class Training:
    """Everything that a step changes.

    Attributes:
        recipe: what and how.
        place: this process among those that train together.
        learner: the network's side.
        critic: the discriminator's, if the model has one and its weight is not 0.
        loss: the model's loss with its settings and the networks it looks through.
        settings: what describes the network in its checkpoint.
        note: what is to be told of its beginning; empty where all is as the paper has it.
        average: the exponential average of the network's parameters, by name; empty without one.
    """

    recipe: TrainingRecipe
    place: Place
    learner: Learner
    critic: Learner | None
    loss: Callable[..., Terms]
    settings: Mapping[str, Any]
    note: str = ""
    average: dict[str, torch.Tensor] = field(default_factory=dict)

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights to predict with: the network's, or their average."""
        return {**self.learner.network.state_dict(), **self.average}

    def state(self) -> dict[str, Any]:
        """What :meth:`load` needs to go on as if nothing had happened."""
        sides = {"network": self.learner, "discriminator": self.critic}
        held = {
            name: {"weights": side.network.state_dict(), "optimizer": side.optimizer.state_dict()}
            for name, side in sides.items()
            if side
        }
        return {**held, "average": self.average, "settings": dict(self.settings)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of this recipe.

        Raises:
            MissingError: it began with pretrained weights that are no longer there, or the other way round.
        """
        if state["settings"] != dict(self.settings):
            raise MissingError(
                f"the training began with {_spelled(state['settings'], self.settings)}, and now it would with "
                f"{_spelled(self.settings, state['settings'])}: bring back the pretrained weights, or choose another --out"
            )
        for name, side in (("network", self.learner), ("discriminator", self.critic)):
            if side:
                side.network.load_state_dict(state[name]["weights"])
                side.optimizer.load_state_dict(state[name]["optimizer"])
        for name, tensor in self.average.items():
            tensor.copy_(state["average"][name])

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        return all(bool(tensor.isfinite().all()) for tensor in self.weights().values() if tensor.is_floating_point())


def start(recipe: TrainingRecipe, place: Place) -> Training:
    """The networks and optimisers at their beginning, the same in every process.

    Raises:
        RecipeError: the settings make no network.
        MissingError: pretrained weights that the loss looks through are not there.
    """
    entry = recipe.entry
    torch.manual_seed(draw(recipe.seed, "weights"))
    frozen = _built(entry, "frozen", recipe.loss) if hasattr(entry.module, "frozen") else {}
    for module in frozen.values():
        _prepared(module.requires_grad_(False).eval(), recipe, place)
    network = _built(entry, "network", recipe.network)
    settings = {name: value for name, value in recipe.network.items() if name in entry.parameters()}
    note = ""
    if settings.get("pretrained", "none") != "none":
        changed, note = _built(entry, "start", recipe.network, network)
        settings |= changed
    network = _prepared(network, recipe, place)
    critic = None
    if hasattr(entry.module, "discriminator") and recipe.loss.get("adversarial", 1) != 0:
        judge = _prepared(_built(entry, "discriminator", recipe.discriminator), recipe, place)
        verdict = functools.partial(entry.function("discriminator_loss"), **_taken(entry, "discriminator_loss", recipe))
        rate = recipe.discriminator_learning_rate or recipe.learning_rate
        critic = _learner(judge, verdict, rate, recipe, place)
    seen = {"discriminator": critic.network if critic else None, **frozen}
    loss = functools.partial(
        entry.function("loss"),
        **{name: module for name, module in seen.items() if name in catalog.keywords(entry.module.loss)},
        **_taken(entry, "loss", recipe),
    )
    run: Callable[..., Any] = _output
    if hasattr(entry.module, "forward"):
        run = functools.partial(entry.function("forward"), discriminator=seen["discriminator"])
    learner = _learner(network, run, recipe.learning_rate, recipe, place)
    average = {n: p.detach().clone() for n, p in network.named_parameters()} if recipe.average else {}
    return Training(recipe, place, learner, critic, loss, settings, note, average)


def step(training: Training, batch: Batch, number: int, decline: float = 1.0) -> Terms:
    """One step of the discriminator, if there is one, and then one of the network.

    The output is computed once; of a batch in pieces that a discriminator judges twice, since its step must have seen
    all of them before the network's sees the first. Both give the same.

    Args:
        training: what is trained; changed.
        batch: this process's share, (N, 3, H, W) by side.
        number: the step's, from 0.
        decline: factor on the learning rates.

    Returns:
        The terms of the losses by name, means over the batch of all processes, on the device; those of the
        discriminator begin with ``discriminator_``.
    """
    recipe, learner = training.recipe, training.learner
    pieces = _pieces(batch, recipe.accumulate)
    found: list[Terms] = [{} for _ in pieces]
    output = None
    if training.critic:
        if len(pieces) == 1:
            output = _made(training, pieces, 0, number)
        verdicts = _judged(training, training.critic, pieces, output, number)
        training.critic.step(decline, recipe.clip)
        found = [{f"discriminator_{n.removeprefix('discriminator_')}": t for n, t in v.items()} for v in verdicts]
    for index, piece in enumerate(pieces):
        with learner.together(index == len(pieces) - 1):
            terms = training.loss(_made(training, pieces, index, number) if output is None else output, piece)
            _backward(terms, len(pieces))
        found[index] = {**terms, **found[index]}
    learner.step(decline, recipe.clip)
    if training.average:
        now = dict(learner.network.named_parameters())
        ours, theirs = list(training.average.values()), [now[name].detach() for name in training.average]
        torch._foreach_lerp_(ours, theirs, 1 - recipe.average)
    values = torch.stack([torch.stack([t.detach().float() for t in terms.values()]) for terms in found]).mean(0)
    return dict(zip(found[0], training.place.mean(values), strict=True))


def _made(training: Training, pieces: Sequence[Batch], index: int, number: int) -> Any:
    """The network's output for a piece of a batch, with noise that follows from the step and the piece."""
    torch.manual_seed(draw(training.recipe.seed, "step", str(number), str(training.place.rank), str(index)))
    return training.learner.call(pieces[index])


def _judged(training: Training, critic: Learner, pieces: Sequence[Batch], output: Any, number: int) -> list[Terms]:
    """The discriminator's terms of every piece, and its gradient; ``output`` is that of a batch in one piece."""
    critic.network.requires_grad_(True)
    buffers = dict(training.learner.network.named_buffers())
    before = {} if len(pieces) == 1 else {name: buffer.clone() for name, buffer in buffers.items()}
    verdicts = []
    for index, piece in enumerate(pieces):
        if len(pieces) > 1:
            with torch.no_grad():
                output = _made(training, pieces, index, number)
        with critic.together(index == len(pieces) - 1):
            verdicts.append(critic.call(_mapped(output, torch.Tensor.detach), piece))
            _backward(verdicts[-1], len(pieces))
    for name, buffer in before.items():  # running statistics count a batch once
        buffers[name].copy_(buffer)
    critic.network.requires_grad_(False)
    return verdicts


def prediction(
    training: Training, images: torch.Tensor, statistics: Mapping[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """What the weights as they would be saved make of a batch, in eval mode; with statistics of :func:`settled`."""
    weights = {**training.weights(), **(statistics or {})}
    network = training.learner.network.eval()
    try:
        with torch.no_grad():
            return torch.func.functional_call(network, weights, (images,))  # type: ignore[no-any-return]
    finally:
        network.train()


def settled(training: Training, batches: Iterable[Batch]) -> dict[str, torch.Tensor]:
    """Batch norm's statistics of the weights to predict with, where :meth:`Training.weights` has those of the training.

    These trail behind weights that still change, and are another network's where weights are averaged. Here all but
    the batch norms are as in use, without dropout; each batch counts the same.

    Args:
        training: not changed.
        batches: this process's share of some, as :func:`step` has them.

    Returns:
        The statistics by their names in the network; empty without batch norm.
    """
    network = training.learner.network
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return {}
    weights = {name: tensor.detach().clone() for name, tensor in training.weights().items()}
    names = [n for n, _ in network.named_buffers() if n.rpartition(".")[2] in _STATISTICS]
    for name in names:
        weights[name].fill_(name.endswith("running_var"))
    named = {f"network.{name}": tensor for name, tensor in weights.items()}
    call = getattr(training.learner.call, "module", training.learner.call)  # what DistributedDataParallel holds
    momenta = [norm.momentum for norm in norms]
    network.eval()
    try:
        for norm in norms:
            norm.train()
            norm.momentum = None  # torch's way to let batches count the same
        with torch.no_grad():
            for batch in batches:
                for piece in _pieces(batch, training.recipe.accumulate):
                    torch.func.functional_call(call, named, (piece,))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.train()
    return {name: weights[name] for name in names}


def _output(network: nn.Module, batch: Batch) -> Any:
    return network(batch["input"])


def _spelled(settings: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if other.get(name) != value)


def _built(entry: Entry, function: str, settings: Mapping[str, Any], *arguments: Any) -> Any:
    taken = {n: value for n, value in settings.items() if n in catalog.keywords(getattr(entry.module, function))}
    try:
        return entry.function(function)(*arguments, **taken)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"the settings of {entry.name} cannot be used: {error}") from error


def _taken(entry: Entry, function: str, recipe: TrainingRecipe) -> dict[str, Any]:
    return {n: v for n, v in recipe.loss.items() if n in catalog.keywords(getattr(entry.module, function))}


def _prepared(network: nn.Module, recipe: TrainingRecipe, place: Place) -> nn.Module:
    """On the device, in its layout, batch statistics over all processes, and its inside in the recipe's precision."""
    if place.world > 1 and place.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    network = network.to(place.device).to(memory_format=_layout(place.device))
    if recipe.precision == "bf16":
        network.forward = _in_bf16(network.forward, place.device.type)
    if recipe.compile:
        network.compile()
    return network


def _in_bf16(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    """The same function under autocast, with float32 results for the loss."""

    @functools.wraps(forward)
    def run(*arguments: Any, **more: Any) -> Any:
        with torch.autocast(device, torch.bfloat16):
            output = forward(*arguments, **more)
        return _mapped(output, torch.Tensor.float)

    return run


def _learner(
    network: nn.Module, run: Callable[..., Any], learning_rate: float, recipe: TrainingRecipe, place: Place
) -> Learner:
    trained = [p for p in network.parameters() if p.requires_grad]
    low, high = recipe.betas
    optimizer = torch.optim.Adam(trained, learning_rate, (low, high), fused=place.device.type in ("cpu", "cuda"))
    call: nn.Module = Call(network, run)
    if place.world > 1:
        call = DistributedDataParallel(call, gradient_as_bucket_view=True)
    return Learner(network, optimizer, call, learning_rate)


def _layout(device: torch.device) -> torch.memory_format:
    """Channels last where matrix units want it; on a CPU noise_unet took 1.4 times as long so, pix2pix 0.95 times."""
    return torch.contiguous_format if device.type == "cpu" else torch.channels_last


def _pieces(batch: Batch, count: int) -> list[Batch]:
    ready = {side: images.contiguous(memory_format=_layout(images.device)) for side, images in batch.items()}
    if count == 1:
        return [ready]
    cut: Sequence[Any] = [images.chunk(count) for images in ready.values()]
    return [dict(zip(ready, images, strict=True)) for images in zip(*cut, strict=True)]


def _backward(terms: Terms, pieces: int) -> None:
    (torch.stack(list(terms.values())).sum() / pieces).backward()  # type: ignore[no-untyped-call]


def _mapped(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A function of every tensor in a network's output, which may hold several."""
    if isinstance(value, dict):
        return {name: _mapped(inner, function) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(inner, function) for inner in value)
    return function(value) if isinstance(value, torch.Tensor) else value
