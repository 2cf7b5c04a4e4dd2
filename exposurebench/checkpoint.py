"""Weights on disk, and the facts needed to rebuild the network and to trust the file.

A checkpoint is a dictionary of plain values and tensors, saved with ``torch.save`` and read with
``weights_only=True``: opening it runs no code. Anything else is refused, and a load that fails safely is
never tried again unsafely.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from exposurebench import __version__, catalog
from exposurebench.errors import InputError, RecipeError, UnsafeModelError, unknown_name
from exposurebench.files import sha256, write_bytes
from exposurebench.recipe import SCHEMA

FORMAT = "exposurebench.checkpoint"
_NO_MODEL = "is no model file (expected a checkpoint that exposurebench train wrote)"


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
        "preprocessing": {"takes": entry.fact("TAKES"), "gives": entry.fact("GIVES"), "range": [0.0, 1.0]},
        "state": {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()},
        "recipe": dict(checkpoint.recipe),
        "dataset": dict(checkpoint.dataset),
        "versions": {"exposurebench": __version__, "torch": str(torch.__version__)},
    }
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    write_bytes(path, buffer.getbuffer(), durable=True)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint without running anything that is in it.

    Raises:
        InputError: no such file, or not a checkpoint of ours.
        UnsafeModelError: a pickled Python object.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
    _refuse_by_content(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd pickle is refused below, in one line
            payload = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        if not _is_pickle(data):
            raise InputError(f"{path}: {_NO_MODEL}") from error
        raise UnsafeModelError(
            f"{path}: refused: it is a pickled Python object, and opening one can run any code. Save its weights "
            "alone with exposurebench's checkpoint format, or score its output with --predictions"
        ) from error
    except Exception as error:  # a damaged pickle can fail in any way; whichever, the file is no checkpoint
        raise InputError(f"{path}: {_NO_MODEL}") from error
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise InputError(
            f"{path}: holds weights but not what network they belong to: expected a checkpoint of exposurebench"
        )
    return _checked(str(path), payload, sha256(data))


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
        wrong = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
        detail = ", ".join(f"{n}: {found.get(n, 'missing')} for {expected.get(n, 'nothing')}" for n in wrong[:3])
        raise InputError(f"{len(wrong)} weights do not fit {checkpoint.architecture} ({detail})")
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


def _is_pickle(data: bytes) -> bool:
    """Whether the bytes could be meant as a pickle: an archive, or the mark that every pickle since protocol 2 has.

    Protocols 0 and 1 have no mark, but end as all do, with a stop; so does the odd text, and is then refused as one.
    """
    return data.startswith((b"PK", b"\x80")) or data.endswith(b".")


def _refuse_by_content(path: str | Path, data: bytes) -> None:
    """What is no checkpoint of ours and would only be misunderstood by the loader."""
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        raise InputError(
            f"{path}: is a safetensors file, which does not say what network it belongs to: expected a checkpoint"
        )
    if zipfile.is_zipfile(io.BytesIO(data)):
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
        if any("/code/" in name or name.endswith(("/constants.pkl", "/archive_format")) for name in names):
            raise UnsafeModelError(
                f"{path}: refused: it is a program (TorchScript or an exported one), and running it can do anything. "
                "Score its output with --predictions"
            )


def _checked(path: str, payload: Mapping[str, Any], digest: str) -> Checkpoint:
    if not isinstance(payload.get("schema"), int) or payload["schema"] > SCHEMA:
        raise InputError(f"{path}: has schema {payload.get('schema')}, newer than {SCHEMA}: update exposurebench")
    kinds = {"architecture": str, "settings": dict, "state": dict, "recipe": dict, "dataset": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(payload.get(name), kind)]
    if wrong or not all(isinstance(t, torch.Tensor) for t in payload["state"].values()):
        raise InputError(f"{path}: is damaged: {', '.join(wrong) or 'state'} is not what a checkpoint holds")
    try:
        catalog.load("models", payload["architecture"])
    except RecipeError as error:
        raise InputError(f"{path}: {error}") from error
    return Checkpoint(**{name: payload[name] for name in kinds}, sha256=digest)
