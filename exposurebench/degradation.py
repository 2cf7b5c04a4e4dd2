"""Clean photographs to badly exposed ones while training: the arithmetic of the pairings, on the device's tensors."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from exposurebench import catalog
from exposurebench.color import Transfer
from exposurebench.errors import RecipeError
from exposurebench.exposure import overexpose_dithered
from exposurebench.pairing.gamma_clip import form_used, overexposure_table, thresholds
from exposurebench.recipe import plugin_settings


@dataclass(frozen=True)
class Degradation:
    """How a photograph becomes an input: ``gamma_clip``, with the settings of that pairing.

    Attributes:
        tau: as the pairing takes it: a number, a range to draw from for every picture, or a list.
        transfer: how display values and light relate.
        form: ``literal`` or ``camera``.
        noise: standard deviation of display noise.
        versions: how many inputs a photograph has: as many as ``tau`` lists.
    """

    tau: float | str | list[float]
    transfer: Transfer
    form: str
    noise: float
    versions: int


def read_degradation(document: Mapping[str, Any]) -> Degradation:
    """The degradation out of a recipe's table: ``pairing`` (``gamma_clip``, variants included) and its settings.

    Raises:
        RecipeError: another pairing, a setting that it has not, or a value that it does not take.

    >>> read_degradation({"tau": "0.5:1"}).form
    'camera'
    """
    given = dict(document)
    name = given.pop("pairing", "gamma_clip")
    if not isinstance(name, str) or name.partition("/")[0] != "gamma_clip":
        raise RecipeError(
            f"degrade.pairing must be gamma_clip, not {name!r}: of other pairings build a data set with make-dataset"
        )
    entry = catalog.load("pairing", name)
    defaults = {n: p.default for n, p in entry.parameters().items() if n != "seed"}
    if "seed" in given:
        raise RecipeError("degrade.seed: the degradation is drawn from the recipe's seed; leave it out")
    settings = {**defaults, **entry.settings, **plugin_settings(entry, given)}
    try:
        settings["form"] = form_used(settings["tau"], settings["form"], settings["noise"])
        versions = len(thresholds(settings["tau"], 0))
        overexposure_table(1.0, settings["transfer"])
    except ValueError as error:
        raise RecipeError(f"degrade: {error}") from error
    return Degradation(**settings, versions=versions)


def degrade(
    photographs: torch.Tensor,
    how: Degradation,
    *,
    seeds: Sequence[int],
    versions: Sequence[int],
    bit_depths: Sequence[int],
) -> torch.Tensor:
    """Overexpose photographs as ``gamma_clip`` does, quantised as its files are.

    The literal form is that pairing's own table. The camera form is :func:`exposurebench.exposure.overexpose_dithered`
    with dither and noise out of the device's generator, seeded for every picture: the same for a seed on one kind of
    device, whatever the batch.

    Args:
        photographs: ``(N, 3, H, W)`` float32 in [0, 1]; not changed.
        how: of :func:`read_degradation`.
        seeds: one a picture, for what is drawn.
        versions: which of the listed thresholds, one a picture.
        bit_depths: 8 or 16, one a picture: whose levels it has, and is given.

    Returns:
        The same shape, in [0, 1].

    >>> gray = torch.full((1, 3, 2, 2), 128 / 255)
    >>> made = degrade(gray, read_degradation({"tau": 0.5}), seeds=[0], versions=[0], bit_depths=[8])
    >>> (made * 255).round()[0, 0, 0].tolist()
    [175.0, 175.0]
    """
    made = torch.empty_like(photographs)
    for number, (seed, version, depth) in enumerate(zip(seeds, versions, bit_depths, strict=True)):
        picture, tau, top = photographs[number], thresholds(how.tau, seed)[version], (1 << depth) - 1
        if how.form == "literal":
            table = _table(tau, how.transfer, depth, str(picture.device))
            made[number] = table[(picture * top).round_().int()]
            continue
        drawn = {"generator": torch.Generator(picture.device).manual_seed(seed), "device": picture.device}
        draws = [functools.partial(draw, picture.shape, **drawn) for draw in (torch.rand, torch.randn)]
        values = overexpose_dithered(
            picture, tau, how.transfer, uniform=draws[0], levels=top, noise=how.noise, normal=draws[1]
        )
        made[number] = (values * top).round_().clip_(0, top) / top
    return made


@functools.lru_cache(maxsize=64)
def _table(tau: float, transfer: Transfer, bit_depth: int, device: str) -> torch.Tensor:
    """The pairing's table in [0, 1], on the device."""
    levels = torch.from_numpy(overexposure_table(tau, transfer, bit_depth).astype("float32"))
    return (levels / ((1 << bit_depth) - 1)).to(device)
