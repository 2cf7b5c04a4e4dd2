"""Files that call themselves models: some are, some lie, some would do harm. Tests make them, each in a folder."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from exposurebench.checkpoint import Checkpoint, save_checkpoint
from exposurebench.models.small_cnn import network

# ------------------------------------------------------------------------------------------ torch's files


class Planted:
    """A pickle that would make a file when opened."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.system, (f"touch '{self.canary}'",)


class Halved(nn.Module):
    """A network that TorchScript and torch.export take."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Half the light."""
        return images * 0.5


Halved.__module__ = "model_files"  # TorchScript takes no other kind of name


def state(width: int = 4, seed: int = 3) -> dict[str, torch.Tensor]:
    """Weights of small_cnn."""
    torch.manual_seed(seed)
    return dict(network(width=width).state_dict())


def saved(payload: Any, zipped: bool = True) -> bytes:
    """What torch.save makes of it."""
    stream = io.BytesIO()
    torch.save(payload, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def checkpoint(path: Path, weights: Mapping[str, torch.Tensor] | None = None, **changes: Any) -> Path:
    """A checkpoint of small_cnn of width 4, with parts of its payload replaced."""
    save_checkpoint(path, Checkpoint("small_cnn", {"width": 4}, weights or state(), {"steps": 1}, {"name": "x"}))
    if changes:
        path.write_bytes(saved({**torch.load(path, weights_only=True), **changes}))
    return path


def script() -> bytes:
    """A TorchScript archive."""
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(Halved()), stream)
    return stream.getvalue()


def exported() -> bytes:
    """An exported program (.pt2)."""
    stream = io.BytesIO()
    torch.export.save(torch.export.export(Halved(), (torch.zeros(1, 3, 8, 8),)), stream)
    return stream.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """An archive's members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(contents: Mapping[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as made:
        for name, data in contents.items():
            made.writestr(name, data)
    return stream.getvalue()


def lying(count: int) -> bytes:
    """An archive of one tensor of twelve numbers, which says that its storage has so many."""
    contents = members(saved({"a": torch.arange(12.0)}))
    name = next(name for name in contents if name.endswith("data.pkl"))
    data = contents[name]
    place = data.index(b"K\x0c", data.index(b"cpuq"))
    contents[name] = data[:place] + b"\x8a\x08" + struct.pack("<q", count) + data[place + 2 :]
    return archive(contents)


# -------------------------------------------------------------------------------------------- safetensors


def safetensors(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """What safetensors makes of them."""
    import safetensors.torch

    return bytes(safetensors.torch.save(dict(tensors)))


def safetensors_header(header: Mapping[str, Any], data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file of a header as it is, and of the length that it says it has."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


# --------------------------------------------------------------------------------------------------- ONNX


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, dims: Sequence[int], raw: bytes = b"", kind: int = 1, external: Mapping[str, str] = {}) -> bytes:
    """A TensorProto."""
    out = b"".join(_field(1, size) for size in dims) + _field(2, kind) + _field(8, name)
    if external:
        pairs = (_field(13, _field(1, key) + _field(2, value)) for key, value in external.items())
        return out + b"".join(pairs) + _field(14, 1)
    return out + _field(9, raw)


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes) -> bytes:
    """A NodeProto."""
    out = b"".join(_field(1, name) for name in inputs) + b"".join(_field(2, name) for name in outputs)
    return out + _field(4, kind) + b"".join(_field(5, attribute) for attribute in attributes)


def numbers(name: str, values: Sequence[int]) -> bytes:
    """An attribute of integers."""
    return _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, 7)


def body(graph: bytes) -> bytes:
    """The attribute of a loop that holds what it repeats."""
    return _field(1, "body") + _field(6, graph) + _field(20, 5)


def value(name: str, dims: Sequence[int | str], kind: int = 1) -> bytes:
    """A ValueInfoProto."""
    shape = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def graph(nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], tensors: Sequence[bytes]) -> bytes:
    """A GraphProto."""
    parts = ((1, nodes), (5, tensors), (11, inputs), (12, outputs))
    return _field(2, "g") + b"".join(_field(number, item) for number, items in parts for item in items)


IMAGES = ("n", 3, "h", "w")


def onnx(
    nodes: Sequence[bytes],
    tensors: Sequence[bytes] = (),
    inputs: Sequence[bytes] | None = None,
    outputs: Sequence[bytes] | None = None,
) -> bytes:
    """An ONNX model; by default from images ``x`` to images ``y`` of any size."""
    whole = graph(nodes, inputs or [value("x", IMAGES)], outputs or [value("y", IMAGES)], tensors)
    return _field(1, 8) + _field(7, whole) + _field(8, _field(2, 17))


def scaled(factor: float = 0.5, **external: str) -> bytes:
    """An ONNX model that multiplies its images, by a number in it or in a file beside it."""
    weight = tensor("f", [1], struct.pack("<f", factor), external=external)
    return onnx([node("Mul", ["x", "f"], ["y"])], [weight])


def endless() -> bytes:
    """An ONNX model with a loop whose condition stays true, and which does a little each time."""
    repeated = graph(
        [node("Identity", ["c"], ["c2"]), node("Identity", ["v"], ["v2"])],
        [value("i", [], 7), value("c", [], 9), value("v", IMAGES)],
        [value("c2", [], 9), value("v2", IMAGES)],
        [],
    )
    most = tensor("m", [], struct.pack("<q", 2**62), kind=7)
    true = tensor("t", [], b"\x01", kind=9)
    return onnx([node("Loop", ["m", "t", "x"], ["y"], body(repeated))], [most, true])


# ------------------------------------------------------------------------------------- what is refused

Case = tuple[Callable[[Path, Path], Sequence[object]], int, str]
"""What makes the files (in a folder, with a canary's path) and gives the command's words; exit code; what is said."""


def _file(name: str, make: Callable[[Path], bytes], *words: object) -> Callable[[Path, Path], Sequence[object]]:
    def build(folder: Path, canary: Path) -> Sequence[object]:
        (folder / name).write_bytes(make(canary))
        return (name, *words)

    return build


def _external(location: str) -> Callable[[Path, Path], Sequence[object]]:
    def build(folder: Path, canary: Path) -> Sequence[object]:
        (folder / "in").mkdir()
        secret = folder / "secret"
        secret.write_bytes(struct.pack("<f", 0.5))
        (folder / "in" / "link").symlink_to(secret)
        (folder / "in" / "short").write_bytes(b"\0")
        data = scaled(location=location.replace("SECRET", str(secret)))
        (folder / "in" / "model.onnx").write_bytes(data)
        return ("in/model.onnx",)

    return build


def _changed(**changes: Any) -> Callable[[Path, Path], Sequence[object]]:
    def build(folder: Path, canary: Path) -> Sequence[object]:
        return (checkpoint(folder / "run.pt", **changes).name,)

    return build


def _huge(folder: Path, canary: Path) -> Sequence[object]:
    with (folder / "huge.pt").open("wb") as stream:
        stream.truncate(20 << 30)  # a hole: it takes no room
    return ("huge.pt",)


def _nested(depth: int) -> bytes:
    inner = graph([], [], [], [])
    for _ in range(depth):
        inner = graph([node("If", [], [], body(inner))], [], [], [])
    return _field(1, 8) + _field(7, inner)


ARCH = ("--arch", "small_cnn", "--set", "width=4")
PICKLED = "refused: it is a pickled Python object"
TERABYTES = 10**12

REFUSED: dict[str, Case] = {
    "pickle": (_file("m.pt", lambda c: pickle.dumps(Planted(c))), 5, PICKLED),
    "pickle-of-protocol-0": (_file("m.pt", lambda c: pickle.dumps(Planted(c), 0)), 5, PICKLED),
    "object": (_file("m.pt", lambda c: saved(Planted(c))), 5, f"{PICKLED} that would call posix.system"),
    "object-as-before-2020": (_file("m.pth", lambda c: saved(Planted(c), zipped=False)), 5, PICKLED),
    "object-in-a-checkpoint": (
        _file("m.pt", lambda c: saved({"format": "exposurebench.checkpoint", "state": {"a": Planted(c)}})),
        5,
        PICKLED,
    ),
    "object-among-weights": (_file("m.pt", lambda c: saved({**state(), "b": Planted(c)}), *ARCH), 5, PICKLED),
    "object-called-safetensors": (_file("m.safetensors", lambda c: saved(Planted(c)), *ARCH), 5, PICKLED),
    "object-called-onnx": (_file("m.onnx", lambda c: pickle.dumps(Planted(c))), 5, PICKLED),
    "whole-module": (
        _file("m.pt", lambda c: saved(nn.Sequential(nn.Conv2d(3, 3, 1)))),
        5,
        "that would call torch.nn.modules.container.Sequential",
    ),
    "torchscript": (_file("m.pt", lambda c: script()), 5, "refused: it is TorchScript, and running it can do anything"),
    "exported": (_file("m.pt2", lambda c: exported()), 5, "refused: it is an exported program (.pt2)"),
    "exported-with-a-plant": (
        _file("m.pt", lambda c: archive({"m/archive_format": b"pt2", "m/data/sample_inputs/model.pt": saved(Planted(c))})),
        5,
        "refused: it is an exported program (.pt2)",
    ),
    "torchscript-as-weights": (_file("m.pt", lambda c: script(), *ARCH), 5, "refused: it is TorchScript"),
    "onnx-weights-absolute": (_external("SECRET"), 5, "outside the model's folder"),
    "onnx-weights-above": (_external("../secret"), 5, "asks for the file '../secret' outside the model's folder"),
    "onnx-weights-through-a-link": (_external("link"), 5, "asks for the file 'link' outside the model's folder"),
    "onnx-weights-missing": (_external("nothing"), 3, "its weights are missing: put 'nothing' beside it"),
    "onnx-weights-too-short": (_external("short"), 3, "announces 4 bytes in 'short', which holds 1"),
    "onnx-terabytes": (
        _file("m.onnx", lambda c: onnx([node("Mul", ["x", "f"], ["y"])], [tensor("f", [TERABYTES], b"\0" * 8)])),
        3,
        "its tensor 'f' announces 4,000,000,000,000 bytes (1000000000000) and holds 8",
    ),
    "onnx-cut-off": (_file("m.onnx", lambda c: scaled()[:-9] + _field(7, b"\x0a\x7f")), 3, "m.onnx: is"),
    "onnx-too-deep": (_file("m.onnx", lambda c: _nested(60)), 3, "it nests deeper than 50"),
    "zip-bomb": (
        _file("m.pt", lambda c: archive({"m/data.pkl": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)),
        3,
        "is packed, and would grow to 50.0 MB from 0.",
    ),
    "archive-that-lies": (_file("m.pt", lambda c: lying(TERABYTES)), 3, "it announces more numbers than it holds"),
    "one-number-for-terabytes": (
        _file("m.pt", lambda c: saved({"a": torch.zeros(1).expand(TERABYTES)}), *ARCH),
        3,
        "a tensor of shape (1000000000000,) has fewer numbers than that",
    ),
    "safetensors-header-of-terabytes": (
        _file("m.safetensors", lambda c: safetensors_header({}, length=TERABYTES), *ARCH),
        3,
        "it announces a header of 1,000,000,000,000 bytes and holds 2",
    ),
    "safetensors-of-terabytes": (
        _file(
            "m.safetensors",
            lambda c: safetensors_header({"a": {"dtype": "F32", "shape": [25 * 10**10], "data_offsets": [0, TERABYTES]}}),
            *ARCH,
        ),
        3,
        "it announces 1,000,000,000,000 bytes of weights and holds 0",
    ),
    "safetensors-of-another-shape": (
        _file(
            "m.safetensors",
            lambda c: safetensors_header({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}, bytes(4)),
            *ARCH,
        ),
        3,
        "is a damaged safetensors file",
    ),
    "twenty-gigabytes": (_huge, 3, "has 21 GB; a model has at most 17"),
    "cut-off": (_file("m.pt", lambda c: saved(state())[:-200], *ARCH), 3, "is a damaged archive"),
    "text": (_file("m.pt", lambda c: b"lr = 0.1\nsteps = 5\n"), 3, "m.pt: is no model file (expected a checkpoint"),
    "web-page": (_file("m.onnx", lambda c: b"\n<!DOCTYPE html><html></html>"), 3, "is a web page that was saved in"),
    "git-lfs": (
        _file("m.pt", lambda c: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        3,
        "m.pt: is a pointer of Git LFS, not the model: fetch it with git lfs pull",
    ),
    "empty": (_file("m.pt", lambda c: b""), 3, "m.pt: is empty (0 bytes): get or save it again"),
    "other-archive": (_file("m.pt", lambda c: archive({"word/document.xml": b"<w/>"})), 3, "without a model in it"),
    "folder": (lambda folder, c: ((folder / "m").mkdir(), "m")[1:], 3, "m: is a folder; expected a checkpoint"),
    "weights-of-no-name": (_file("m.safetensors", lambda c: safetensors(state())), 3, "else give the code that builds it with --model"),
    "wrong-keys": (
        _file("m.pt", lambda c: saved({n.replace("layers", "layer"): t for n, t in state().items()}), *ARCH),
        3,
        "12 weights do not fit small_cnn (layer.0.weight is unknown, the nearest is layers.0.weight;",
    ),
    "wrong-shapes": (
        _file("m.safetensors", lambda c: safetensors(state(5)), *ARCH),
        3,
        "layers.0.weight is (5, 3, 3, 3) for (4, 3, 3, 3)",
    ),
    "two-sets": (
        _file("m.pt", lambda c: saved({"params": state(), "ema": state()}), *ARCH),
        3,
        "holds several sets of weights (params, ema): save one alone",
    ),
    "no-weights": (_file("m.pt", lambda c: saved({"epoch": 3}), *ARCH), 3, "holds no weights by name"),
    "unknown-architecture": (_file("m.pt", lambda c: saved(state()), "--arch", "smal_cnn"), 2, "did you mean 'small_cnn'"),
    "unknown-setting": (_file("m.pt", lambda c: saved(state()), *ARCH[:2], "--set", "widht=4"), 2, "did you mean 'width'"),
    "checkpoint-of-nothing": (_changed(architecture="resnet"), 3, "unknown model 'resnet'"),
    "checkpoint-of-absurd-settings": (_changed(settings={"width": 10**9}), 3, "width must be in 1 to 4096"),
    "checkpoint-of-strange-settings": (_changed(settings={"depth": 3}), 3, "the settings of small_cnn cannot be used"),
    "checkpoint-from-the-future": (_changed(schema=99), 3, "newer than 1: update exposurebench"),
    "checkpoint-of-other-numbers": (
        _changed(preprocessing={"takes": "srgb", "gives": "srgb", "range": [0.0, 255.0]}),
        3,
        "was trained with another preprocessing than small_cnn has now: range [0.0, 255.0] for [0.0, 1.0]",
    ),
    "checkpoint-of-light": (
        _changed(preprocessing={"takes": "linear", "gives": "linear", "range": [0.0, 1.0]}),
        3,
        "gives linear for srgb, takes linear for srgb",
    ),
    "checkpoint-with-arch": (
        lambda folder, c: (checkpoint(folder / "run.pt").name, *ARCH),
        2,
        "says itself that it is small_cnn: leave out --arch and --set",
    ),
    "checkpoint-of-nan": (
        lambda folder, c: (checkpoint(folder / "run.pt", {n: t * float("nan") for n, t in state().items()}).name,),
        6,
        "the output holds NaN or infinite values",
    ),
    "checkpoint-of-one-colour": (
        lambda folder, c: (
            checkpoint(folder / "run.pt", {**state(), "layers.4.bias": torch.full((3,), 1e9)}).name,
        ),
        6,
        "the output is constant (1e+09): numbers from 0 to 1 are expected",
    ),
    "noise-of-none": (lambda folder, c: (checkpoint(folder / "run.pt").name, "--draws", "5"), 2, "leave out --draws"),
}  # fmt: skip
