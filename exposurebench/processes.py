"""Where a training runs: one process, or one of several that torchrun has started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed

from exposurebench.tensors import checked_device


@dataclass(frozen=True)
class Place:
    """One process among those that train together.

    Attributes:
        device: where it computes.
        rank: its number; the first one prints and writes.
        world: how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over all processes; the same tensor where there is one."""
        if self.world > 1:
            distributed.all_reduce(values)
            values /= self.world
        return values

    def wait(self) -> None:
        """Until every process has come here."""
        if self.world > 1:
            distributed.barrier()


@contextlib.contextmanager
def joined(device: str = "auto") -> Iterator[Place]:
    """This process's place: alone, or in the group that torchrun describes in the environment.

    Args:
        device: ``auto`` for a CUDA device where there is one, else ``cpu``; under torchrun ``cuda`` is a device for
            each process.

    Raises:
        RecipeError, MissingError: there is no such device.

    >>> with joined("cpu") as place:
    ...     place
    Place(device=device(type='cpu'), rank=0, world=1)
    """
    world = int(os.environ.get("WORLD_SIZE", 1)) if "MASTER_ADDR" in os.environ else 1
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if world > 1 and name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    place = Place(checked_device(name), int(os.environ.get("RANK", 0)) if world > 1 else 0, world)
    if place.device.type == "cuda":
        torch.cuda.set_device(place.device)
    ours = world > 1 and not distributed.is_initialized()
    if ours:
        distributed.init_process_group("nccl" if place.device.type == "cuda" else "gloo")
    try:
        yield place
    finally:
        if ours:
            distributed.destroy_process_group()


def others() -> bool:
    """Whether this process is one of torchrun's that print and write nothing."""
    return "MASTER_ADDR" in os.environ and int(os.environ.get("RANK", 0)) > 0
