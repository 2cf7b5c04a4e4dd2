"""What a model's file is, told by its content and never by its name; and what opens without running anything in it.

Three kinds hold numbers alone and are read here: archives and pickles of weights (``torch.save``), read with
``weights_only=True``, and safetensors. ONNX describes a computation and has a room of its own. Whole modules, TorchScript
and exported programs hold code: they are refused, or opened in a process that can do no harm
(:mod:`exposurebench.isolation`) when somebody asked for that. What cannot be read safely is never tried unsafely.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from exposurebench import onnx_file
from exposurebench.errors import InputError, UnsafeModelError
from exposurebench.files import sha256

Kind = Literal["weights", "safetensors", "onnx", "torchscript", "exported"]
LARGEST = 16 << 30
"""A larger file is read by nothing here, in bytes."""
EXPECTED = "expected a checkpoint that exposurebench train wrote, safetensors, weights (.pt), or ONNX"
INSTEAD = (
    "Save its weights alone (state_dict) and name the network with --arch, export it to ONNX, score its output with "
    "--predictions, or open it isolated with --trust-code"
)
NOT_FETCHED = {
    b"<!doctype html": "a web page that was saved in the model's place: get the file itself",
    b"<html": "a web page that was saved in the model's place: get the file itself",
    b"version https://git-lfs": "a pointer of Git LFS, not the model: fetch it with git lfs pull, or download it",
}
"""What lies where a download went wrong, by its first bytes."""
PROGRAMS = {"torchscript": "TorchScript", "exported": "an exported program (.pt2)"}


@dataclass(frozen=True)
class ModelFile:
    """A model's file, read once, so that what was looked at is what is used.

    Attributes:
        path: where it lies.
        kind: what it is: ``weights`` may turn out to be a pickled object, which :func:`plain` refuses.
        data: its bytes.
    """

    path: Path
    kind: Kind
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the bytes."""
        return sha256(self.data)


def open_file(path: str | Path) -> ModelFile:
    """Read a model's file and tell what it is; nothing in it is run, and nothing is allocated but its bytes.

    Raises:
        InputError: there is no such file, or it is of no kind that is known.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(f"{path}: {'is a folder' if path.is_dir() else 'is no file'}; {EXPECTED}")
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path}: has {size / 1e9:,.0f} GB; a model has at most {LARGEST / 1e9:.0f}")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
    return ModelFile(path, _kind(path, data), data)


def plain(file: ModelFile) -> Any:
    """What weights hold, without running anything: plain values and tensors, each no larger than its bytes in the file.

    Raises:
        InputError: the file is damaged, or announces more than it holds.
        UnsafeModelError: it is a pickled Python object or a program.
    """
    if file.kind == "safetensors":
        return _safetensors(file)
    if file.kind in PROGRAMS:
        raise UnsafeModelError(
            f"{file.path}: refused: it is {PROGRAMS[file.kind]}, and running it can do anything. {INSTEAD}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd pickle is refused below, in one line
            payload = torch.load(io.BytesIO(file.data), weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        if not _is_pickle(file.data):
            raise InputError(f"{file.path}: is no model file ({EXPECTED})") from error
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        calls = f" that would call {named[1]}" if named else ""
        raise UnsafeModelError(
            f"{file.path}: refused: it is a pickled Python object{calls}, and opening one can run any code. {INSTEAD}"
        ) from error
    except Exception as error:  # a damaged pickle can fail in any way; whichever, the file is no checkpoint
        if "does not match expected size" in str(error) or "can't allocate" in str(error):
            raise InputError(f"{file.path}: is damaged: it announces more numbers than it holds") from error
        raise InputError(f"{file.path}: is no model file, or a damaged one ({EXPECTED})") from error
    _check_held(file.path, payload)
    return payload


def tensors_in(payload: Any) -> Mapping[str, torch.Tensor] | None:
    """A payload as weights by name, if it is that."""
    if (
        isinstance(payload, Mapping)
        and payload
        and all(isinstance(tensor, torch.Tensor) for tensor in payload.values())
    ):
        return {str(name): tensor for name, tensor in payload.items()}
    return None


def _kind(path: Path, data: bytes) -> Kind:
    if data[8:9] == b"{" and not data.startswith(b"PK"):
        return "safetensors"
    if data.startswith(b"PK"):
        members = _members(path, data)
        names = [member.filename for member in members]
        if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
            # Exported programs keep their constants and code under other names, and say what they are.
            return "exported" if any(name.endswith("/archive_format") for name in names) else "torchscript"
        if any(name.endswith(("/archive_format", "serialized_exported_program.json")) for name in names):
            return "exported"
        if not any(name.endswith("data.pkl") for name in names):
            raise InputError(f"{path}: is a zip archive without a model in it ({EXPECTED})")
        _check_unpacked(path, members, len(data))
        return "weights"
    if onnx_file.looks_like(data):
        return "onnx"
    if not data:
        raise InputError(f"{path}: is empty (0 bytes): get or save it again")
    for mark, what in NOT_FETCHED.items():
        if data.lstrip()[: len(mark)].lower() == mark:
            raise InputError(f"{path}: is {what}")
    if _is_pickle(data):
        return "weights"
    raise InputError(f"{path}: is no model file ({EXPECTED})")


def _is_pickle(data: bytes) -> bool:
    """Whether the bytes could be meant as a pickle: an archive, or the mark that every pickle since protocol 2 has.

    Protocols 0 and 1 have no mark, but end as all do, with a stop; so does the odd text, and is then refused as one.
    """
    return data.startswith((b"PK", b"\x80")) or data.endswith(b".")


def _members(path: Path, data: bytes) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: is a damaged archive ({error}): get or save it again") from error
    return members


def _check_unpacked(path: Path, members: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Refuse packed members: torch packs no weights, so one that is packed is there to burst."""
    if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > size for member in members):
        grown = sum(member.file_size for member in members)
        raise InputError(
            f"{path}: is packed, and would grow to {grown / 1e6:,.1f} MB from {size / 1e6:,.1f}: weights are never packed; "
            "save them with torch.save"
        )


def _safetensors(file: ModelFile) -> dict[str, torch.Tensor]:
    import safetensors.torch
    from safetensors import SafetensorError

    length, rest = int.from_bytes(file.data[:8], "little"), len(file.data) - 8
    if length > rest:
        raise InputError(f"{file.path}: is damaged: it announces a header of {length:,} bytes and holds {rest:,}")
    try:
        header = json.loads(file.data[8 : 8 + length])
        announced = max((int(t["data_offsets"][1]) for n, t in header.items() if n != "__metadata__"), default=0)
        if announced > rest - length:
            raise InputError(
                f"{file.path}: is damaged: it announces {announced:,} bytes of weights and holds {rest - length:,}"
            )
        return safetensors.torch.load(file.data)
    except (SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        detail = " ".join(str(error).split())[:120]
        raise InputError(f"{file.path}: is a damaged safetensors file ({detail}): get it again") from error


def _check_held(path: Path, payload: Any) -> None:
    """Refuse tensors that stand for more numbers than there are: one number repeated a million times, say."""
    waiting, seen = [payload], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided or value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise InputError(
                    f"{path}: is damaged: a tensor of shape {tuple(value.shape)} has fewer numbers than that"
                )
        elif isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set):
            waiting.extend(value)
