"""Weights on disk, and the facts needed to rebuild the network and to trust the file.

A checkpoint is a dictionary of plain values and tensors, saved with ``torch.save`` and read by
:mod:`exposurebench.opening`, which runs no code. Weights that somebody else saved need to be told what network they
belong to.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from exposurebench import __version__, catalog
from exposurebench.errors import InputError, RecipeError, unknown_name
from exposurebench.files import write_bytes
from exposurebench.opening import ModelFile, open_file, plain, tensors_in
from exposurebench.recipe import SCHEMA, plugin_settings

FORMAT = "exposurebench.checkpoint"
PARALLEL = "module."
"""What DataParallel puts before every name."""


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a checkpoint says.

    Attributes:
        architecture: a file of ``models/``, variant included.
        settings: what its ``network`` is called with.
        state: the weights by name.
        recipe: the training recipe.
        dataset: name and pixel fingerprint of the data set it was trained on.
        sha256: of the file it came from; empty for one that was not saved yet.
    """

    architecture: str
    settings: Mapping[str, Any]
    state: Mapping[str, torch.Tensor]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    entry = catalog.load("models", checkpoint.architecture)
    payload = {
        "format": FORMAT,
        "schema": SCHEMA,
        "architecture": checkpoint.architecture,
        "settings": dict(checkpoint.settings),
        "preprocessing": preprocessing(entry),
        "state": {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()},
        "recipe": dict(checkpoint.recipe),
        "dataset": dict(checkpoint.dataset),
        "versions": {"exposurebench": __version__, "torch": str(torch.__version__)},
    }
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    write_bytes(path, buffer.getbuffer(), durable=True)


def preprocessing(entry: catalog.Entry) -> dict[str, Any]:
    """What a model of ours is fed with, and what it gives: what the numbers of its images stand for, and their range."""
    return {"takes": entry.fact("TAKES"), "gives": entry.fact("GIVES"), "range": [0.0, 1.0]}


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without running anything that is in it.

    Raises:
        InputError: no such file, or not a checkpoint of ours.
        UnsafeModelError: a pickled Python object or a program.
    """
    return read_checkpoint(open_file(path))


def read_checkpoint(file: ModelFile) -> Checkpoint:
    """The same of a file that was read already."""
    payload = plain(file) if file.kind != "onnx" else {}
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise InputError(
            f"{file.path}: holds weights but not what network they belong to: name it with --arch where it is "
            "one of exposurebench models, else give the code that builds it with --model"
        )
    return _checked(str(file.path), payload, file.sha256)


def read_weights(file: ModelFile, architecture: str, settings: Mapping[str, Any]) -> Checkpoint:
    """Weights that somebody else saved, as those of an architecture of ours.

    They may lie in a dictionary beside other things, as training programs save them, and bear DataParallel's prefix;
    half precision becomes single.

    Args:
        file: safetensors, or a file of ``torch.save``.
        architecture: a file of ``models/``, variant included.
        settings: what its ``network`` is called with.

    Raises:
        RecipeError: there is no such architecture or setting, or the file says itself what it is.
        InputError: it holds no weights, or several sets of them.
        UnsafeModelError: a pickled Python object or a program.
    """
    entry = catalog.load("models", architecture)
    known = plugin_settings(entry, settings)
    payload = plain(file)
    if isinstance(payload, dict) and payload.get("format") == FORMAT:
        raise RecipeError(
            f"{file.path}: says itself that it is {payload.get('architecture')}: leave out --arch and --set"
        )
    sets = {"": tensors_in(payload)}
    if sets[""] is None and isinstance(payload, Mapping):
        sets = {str(name): tensors_in(value) for name, value in payload.items()}
    found = {name: tensors for name, tensors in sets.items() if tensors}
    if len(found) != 1:
        what = f"several sets of weights ({', '.join(found)}): save one alone" if found else "no weights by name"
        raise InputError(f"{file.path}: holds {what}; expected a state_dict")
    (state,) = found.values()
    if all(name.startswith(PARALLEL) for name in state):
        state = {name.removeprefix(PARALLEL): tensor for name, tensor in state.items()}
    state = {n: tensor.float() if tensor.is_floating_point() else tensor for n, tensor in state.items()}
    return Checkpoint(architecture, known, state, sha256=file.sha256)


def build_network(checkpoint: Checkpoint) -> torch.nn.Module:
    """The network with the checkpoint's weights, ready to predict; nothing is allocated before the shapes fit.

    Raises:
        InputError: the weights are not those of the architecture.
    """
    entry = catalog.load("models", checkpoint.architecture)
    try:
        with torch.device("meta"):
            network: torch.nn.Module = entry.function()(**checkpoint.settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"the settings of {checkpoint.architecture} cannot be used: {error}") from error
    expected, found = ({n: _shape(t) for n, t in state.items()} for state in (network.state_dict(), checkpoint.state))
    if expected != found:
        hint = (
            "" if checkpoint.recipe else ": give the settings it was trained with by --set (see exposurebench models)"
        )
        raise InputError(f"{_misfit(checkpoint.architecture, expected, found)}{hint}")
    network.load_state_dict(dict(checkpoint.state), assign=True)
    return network.eval().requires_grad_(False)


def as_variant(checkpoint: Checkpoint, variant: str) -> Checkpoint:
    """The same weights as a variant that gives another part of what they compute, such as the light in between.

    Raises:
        RecipeError: the architecture has no such variant, or it says more of the weights than what they give.
    """
    entry = catalog.load("models", checkpoint.architecture)
    stem = checkpoint.architecture.partition("/")[0]
    others = [catalog.load("models", name) for name in catalog.names("models") if name.startswith(f"{stem}/")]
    parts = {other.name.partition("/")[2]: other for other in others if other.fact("GIVES") != entry.fact("GIVES")}
    if variant not in parts:
        raise RecipeError(unknown_name(f"variant to open {checkpoint.architecture} as", variant, parts))
    settings = {**checkpoint.settings, **parts[variant].settings}
    return replace(checkpoint, architecture=parts[variant].name, settings=settings)


def _shape(tensor: torch.Tensor) -> str:
    """A tensor's shape, and its type where that is not the usual one."""
    kind = "" if tensor.dtype == torch.float32 else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{tuple(tensor.shape)}{kind}"


def _misfit(architecture: str, expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What of some weights does not fit a network: the first few, each with the nearest name that was expected."""
    lacking = [name for name in expected if name not in found]
    strange = [name for name in found if name not in expected]
    other = [name for name in expected if name in found and expected[name] != found[name]]
    said = [f"{name} is {found[name]} for {expected[name]}" for name in other[:3]]
    for name in strange[: 3 - len(said)]:
        near = difflib.get_close_matches(name, lacking or expected, n=1)
        said.append(f"{name} is unknown{f', the nearest is {near[0]}' if near else ''}")
    said += [f"{name} is missing" for name in lacking[: 3 - len(said)]]
    count = len(lacking) + len(strange) + len(other)
    return f"{count} weights do not fit {architecture} ({'; '.join(said)}{'; ...' if count > len(said) else ''})"


def _checked(path: str, payload: Mapping[str, Any], digest: str) -> Checkpoint:
    if not isinstance(payload.get("schema"), int) or payload["schema"] > SCHEMA:
        raise InputError(f"{path}: has schema {payload.get('schema')}, newer than {SCHEMA}: update exposurebench")
    kinds = {"architecture": str, "settings": dict, "state": dict, "recipe": dict, "dataset": dict}
    wrong = [n for n, kind in {**kinds, "preprocessing": dict}.items() if not isinstance(payload.get(n), kind)]
    if wrong or not all(isinstance(t, torch.Tensor) for t in payload["state"].values()):
        raise InputError(f"{path}: is damaged: {', '.join(wrong) or 'state'} is not what a checkpoint holds")
    try:
        entry = catalog.load("models", payload["architecture"])
    except RecipeError as error:
        raise InputError(f"{path}: {error}") from error
    stated, known = payload["preprocessing"], preprocessing(entry)
    if stated != known:
        wrong = sorted(name for name in {*stated, *known} if stated.get(name) != known.get(name))
        detail = ", ".join(f"{name} {stated.get(name, 'missing')} for {known.get(name, 'nothing')}" for name in wrong)
        raise InputError(
            f"{path}: was trained with another preprocessing than {payload['architecture']} has now: {detail}"
        )
    return Checkpoint(**{name: payload[name] for name in kinds}, sha256=digest)
