"""What a network costs, found out on shapes alone: multiply-adds and memory; nothing is allocated or computed."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from exposurebench import catalog

MEGAPIXEL = 1_000_000
SIDE = 1024
"""Multiply-adds a megapixel are those of an image of this side, so that no padding is counted."""


def multiply_adds(network: nn.Module, height: int = SIDE, width: int = SIDE) -> int:
    """How often a network multiplies and adds for one image, in its convolutions and matrix products.

    Biases, norms, activations and resampling are not counted.

    >>> multiply_adds(nn.Conv2d(3, 16, 3, padding=1), 10, 10)
    43200
    """
    from torch.utils.flop_counter import FlopCounterMode  # it looks for Triton, which takes a while

    counter = FlopCounterMode(display=False)
    _run(network, (1, 3, height, width), counter)
    return counter.get_total_flops() // 2


def peak_bytes(network: nn.Module, shape: tuple[int, int, int, int]) -> int:
    """The most memory that a batch takes on its way through a network, in bytes: input and everything alive at a time.

    Weights are not counted, nor what a library takes for itself inside one operation.

    >>> peak_bytes(nn.Identity(), (1, 3, 10, 10))
    1200
    """
    alive = _Alive()
    _run(network, shape, alive)
    return alive.most


def megapixel_macs(name: str) -> int:
    """The multiply-adds of a model with its default settings, for each megapixel of a large image.

    >>> megapixel_macs("small_cnn")
    3168000000
    """
    with torch.device("meta"):
        network: nn.Module = catalog.load("models", name).function()().eval()
    return round(multiply_adds(network) * MEGAPIXEL / SIDE**2)


def models_table() -> str:
    """The models as a Markdown table: the one in the README."""
    lines = [
        "| model | what it is | parameters | field of view, px (bottleneck, output) | GMAC a megapixel | takes, gives | paper |",
        "|---|---|---:|---|---:|---|---|",
    ]
    for name in catalog.names("models"):
        entry = catalog.load("models", name)
        fields = " / ".join(str(entry.fact(fact)) for fact in ("FIELD_OF_VIEW", "OUTPUT_FIELD_OF_VIEW"))
        title, paper = (catalog.plain_text(entry.fact(fact)) for fact in ("TITLE", "PAPER"))
        lines.append(
            f"| `{name}` | {title} | {entry.fact('PARAMETERS'):,} | {fields} | {megapixel_macs(name) / 1e9:,.2f} "
            f"| {entry.fact('TAKES')}, {entry.fact('GIVES')} | {paper} |"
        )
    return "".join(f"{line}\n" for line in lines)


def _run(network: nn.Module, shape: tuple[int, int, int, int], watch: AbstractContextManager[Any]) -> None:
    """Send shapes through a network whose weights are shapes, too, while somebody watches."""
    with torch.inference_mode(False), torch.no_grad():
        weights = {n: t.detach().to("meta") for n, t in (*network.named_parameters(), *network.named_buffers())}
        with watch:
            torch.func.functional_call(network, weights, torch.empty(shape, device="meta"))


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory of the tensors that are alive while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(answer):
            storage = leaf.untyped_storage() if isinstance(leaf, torch.Tensor) else None
            if storage is not None and storage._cdata not in self._known:
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.now)
        return answer

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
