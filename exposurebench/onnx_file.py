"""An ONNX file taken apart as far as trust needs it: where its weights lie, and whether they are as large as it says.

ONNX is a protocol buffer: fields of (number, type, value). Only those are read that lead to tensors; nothing is
computed. The field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from exposurebench.errors import InputError, UnsafeModelError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
TO_TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""The fields of each message that lead to tensors."""
BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
"""Of one number, by ONNX's number of the type; smaller and newer types are not counted."""
DEEPEST = 50


def looks_like(data: bytes) -> bool:
    """Whether bytes are an ONNX model: a version first, and a graph."""
    try:
        fields = {number: kind for number, kind, _ in _fields(memoryview(data))}
    except ValueError:
        return False
    return fields.get(1) == VARINT and fields.get(7) == BYTES


def check(path: Path, data: bytes) -> list[Path]:
    """The files that a model keeps weights in, all of them inside its folder, and large enough.

    Raises:
        UnsafeModelError: it asks for a file outside its folder.
        InputError: a file is missing or too short, or a tensor announces more numbers than there are.
    """
    files = []
    try:
        for tensor in _tensors(memoryview(data), "model"):
            if found := _check_tensor(path, tensor):
                files.append(found)
    except ValueError as error:
        raise InputError(f"{path}: is a damaged ONNX file ({error}): get or export it again") from error
    return sorted(set(files))


def _check_tensor(path: Path, tensor: memoryview) -> Path | None:
    dims: list[int] = []
    entries: dict[str, str] = {}
    kind, held, external, name = 0, 0, False, ""
    for number, wire, value in _fields(tensor):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 14 and isinstance(value, int):
            external = value == 1
        elif number == 8 and not isinstance(value, int):
            name = bytes(value).decode("utf-8", "replace")
        elif number == 13 and not isinstance(value, int):
            pair = {n: bytes(v).decode("utf-8", "replace") for n, _, v in _fields(value) if not isinstance(v, int)}
            entries[pair.get(1, "")] = pair.get(2, "")
        elif wire == BYTES and not isinstance(value, int):
            held += len(value)
        elif wire in (FIXED32, FIXED64):
            held += 4 if wire == FIXED32 else 8
        elif isinstance(value, int):
            held += 16  # a number on its own may be written in fewer bytes than it stands for
    bits = BITS.get(kind, 1)
    needed = math.prod(dims) * bits // 8
    if external or entries:
        return _check_external(path, name, entries, needed)
    # Integers of 32 and 64 bits may be packed in one byte each.
    if needed > held * (8 if kind in (6, 7, 12, 13, 2, 3, 4, 5, 9, 10, 16) else 1) and kind != 8:
        raise InputError(
            f"{path}: is damaged: its tensor {name!r} announces {needed:,} bytes ({' x '.join(map(str, dims))}) and "
            f"holds {held:,}"
        )
    return None


def _check_external(path: Path, name: str, entries: dict[str, str], needed: int) -> Path:
    location = entries.get("location", "")
    folder = path.resolve().parent
    file = folder / location
    outside = os.path.isabs(location) or ".." in Path(location).parts or "\0" in location or not location
    if outside or not file.resolve().is_relative_to(folder):
        raise UnsafeModelError(
            f"{path}: refused: its tensor {name!r} asks for the file {location!r} outside the model's folder; external "
            "weights must lie beside the model"
        )
    if not file.is_file():
        raise InputError(f"{path}: its weights are missing: put {location!r} beside it")
    numbers = [entries.get(key, "") for key in ("offset", "length")]
    if any(number and not number.isdecimal() for number in numbers):
        raise ValueError(f"the place of {name!r} in {location!r} is no number")
    offset, length = int(numbers[0] or 0), int(numbers[1] or needed)
    if max(length, needed) + offset > file.stat().st_size:
        raise InputError(
            f"{path}: is damaged: its tensor {name!r} announces {max(length, needed):,} bytes in {location!r}, which holds "
            f"{file.stat().st_size:,}"
        )
    return file


def _tensors(data: memoryview, kind: str, depth: int = 0) -> Iterator[memoryview]:
    if kind == "tensor":
        yield data
        return
    if depth > DEEPEST:
        raise ValueError(f"it nests deeper than {DEEPEST}")
    for number, wire, value in _fields(data):
        below = TO_TENSORS[kind].get(number)
        if below and wire == BYTES and not isinstance(value, int):
            yield from _tensors(value, below, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """The fields of a message: number, type, and a number or bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, place = _varint(data, place)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, place = _varint(data, place)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"a field has the type {wire}")
        if number == 0 or place + size > len(data):
            raise ValueError("a field ends after the file")
        yield number, wire, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
    raise ValueError("a number does not end")


def _varints(data: memoryview) -> Iterator[int]:
    place = 0
    while place < len(data):
        value, place = _varint(data, place)
        yield value
