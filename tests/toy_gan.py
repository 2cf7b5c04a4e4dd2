"""A model with everything that a model can have, small enough for tests: its file as the catalog would find it."""

import sys
from types import ModuleType
from typing import Any

import torch
from torch import nn

NAME = "toy_gan"


class Net(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.calls = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return images + self.last(self.dropout(torch.relu(self.first(images))))


class Judge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(6, width, 4, 2), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4))

    def forward(self, given: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([given, images], 1))


def network(*, width: int = 6, dropout: float = 0.0) -> nn.Module:
    if width < 1:
        raise ValueError(f"width must be at least 1, not {width}")
    return Net(width, dropout)


def discriminator(*, width: int = 4) -> nn.Module:
    return Judge(width)


def frozen(*, perceptual: float = 0.1) -> dict[str, nn.Module]:
    return {"features": nn.Conv2d(3, 2, 3)} if perceptual else {}


def loss(
    output: torch.Tensor,
    batch: dict[str, torch.Tensor],
    *,
    discriminator: nn.Module | None = None,
    features: nn.Module | None = None,
    adversarial: float = 1.0,
    l1: float = 50.0,
    perceptual: float = 0.1,
) -> dict[str, torch.Tensor]:
    terms = {"l1": l1 * (output - batch["target"]).abs().mean()}
    if discriminator is not None:
        terms["adversarial"] = adversarial * discriminator(batch["input"], output).square().mean()
    if features is not None:
        terms["perceptual"] = perceptual * (features(output) - features(batch["target"])).abs().mean()
    return terms


def discriminator_loss(
    discriminator: nn.Module, output: torch.Tensor, batch: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    return {
        "real": discriminator(batch["input"], batch["target"]).square().mean(),
        "fake": (discriminator(batch["input"], output) - 1).square().mean(),
    }


FACTS = {
    "TITLE": "toy",
    "PAPER": "none",
    "TAKES": "srgb",
    "GIVES": "srgb",
    "OUTPUT_FIELD_OF_VIEW": 7,
    "MULTIPLE": 1,
}
FUNCTIONS = (network, discriminator, frozen, loss, discriminator_loss)


def module(**changes: Any) -> ModuleType:
    """The file; ``changes`` replaces functions and facts, and None takes one away."""
    made = ModuleType(f"exposurebench.models.{NAME}")
    contents = {**FACTS, **{function.__name__: function for function in FUNCTIONS}, **changes}
    vars(made).update({name: value for name, value in contents.items() if value is not None})
    return made


def register(made: ModuleType) -> None:
    """Put it into the catalog of this process, for good."""
    from exposurebench import catalog

    sys.modules[made.__name__] = made
    catalog.facts("models")[NAME] = dict(FACTS)
