"""The pairs that an evaluation has scored so far, on disk, so that it can be killed at any moment and go on.

```
OUT/unfinished/evaluation.json    what is evaluated: method, data, protocols, versions
OUT/unfinished/pairs-RANK.jsonl   a line a pair, appended as soon as it is scored; a torn last line is passed over
```
The folder goes away when the result is written.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exposurebench.errors import InputError, ModelError, RecipeError
from exposurebench.files import appending, read_json, safe_key, short_hash, write_json
from exposurebench.pipeline import Scored
from exposurebench.recipe import SCHEMA

NAME = "unfinished"
FORMAT = "exposurebench.unfinished"
SYNCED_EVERY_S = 1.0


class Journal:
    """Appends scored pairs to a file, and knows those of earlier runs.

    Args:
        out: the result's folder.
        identity: everything that the numbers depend on, in plain values.
        rank: this process's number among those that evaluate together.

    Raises:
        RecipeError: the folder holds another evaluation.
        InputError: another process evaluates into it.
        StorageError: it cannot be written.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any], rank: int = 0) -> None:
        self.folder = out / NAME
        self._new = [folder for folder in (self.folder, out, *out.parents) if not folder.exists()]
        self._kept = False
        identity = _plain({"format": FORMAT, "schema": SCHEMA, **identity})
        check_folder(out, identity)
        if not (self.folder / "evaluation.json").exists():
            write_json(self.folder / "evaluation.json", identity)
        self.known: dict[str, Scored] = {}
        for path in sorted(self.folder.glob("pairs-*.jsonl")):
            self.known |= _read(path)
        self._stream = appending(self.folder / f"pairs-{rank}.jsonl")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._stream.close()
            raise InputError(
                f"another process evaluates into {str(out)!r}: wait for it, or choose another --out"
            ) from error
        self._kept = bool(self.known)
        self._stream.write(b"\n")  # ends a line that was torn
        self._synced = time.monotonic()

    def add(self, scored: Sequence[Scored]) -> None:
        """Note pairs that were scored."""
        self._kept = self._kept or bool(scored)
        for cells, arrays in scored:
            line = {"cells": cells, "arrays": {name: _packed(array) for name, array in arrays.items()}}
            self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()
        if time.monotonic() - self._synced > SYNCED_EVERY_S:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """What failed leaves nothing behind, unless it can be gone on with."""
        self._stream.close()
        if kind is not None and (issubclass(kind, ModelError) or not self._kept):
            finish(self.folder.parent)
            with contextlib.suppress(OSError):  # somebody else put something there
                for folder in self._new[1:]:
                    folder.rmdir()


def check_folder(out: Path, identity: Mapping[str, Any]) -> None:
    """See that a folder holds nothing, or what is known of this very evaluation.

    Raises:
        RecipeError: it holds another one; the message says what differs.
    """
    ours = _plain(identity)
    for path, keys in (
        (out / NAME / "evaluation.json", None),
        (out / "result.json", ("method", "dataset", "protocols")),
    ):
        if path.exists():
            theirs = read_json(path, "what is evaluated there")
            other = sorted(_differing(ours, theirs, keys))
            if other:
                unfinished = "is unfinished" if keys is None else "lies"
                raise RecipeError(
                    f"another evaluation {unfinished} in {str(out)!r} ({', '.join(other[:3])} differ): choose another "
                    "--out, or delete it"
                )


def folder_for(out: str, name: str, identity: Mapping[str, Any]) -> Path:
    """A result's folder: ``{name}`` in it stands for the method's, with a hash after it where that is taken already."""
    key = safe_key(name.replace("/", "-"))
    plain = Path(out.replace("{name}", key))
    if "{name}" in out:
        try:
            check_folder(plain, identity)
        except (RecipeError, InputError):
            text = json.dumps(_plain(identity), sort_keys=True)
            return Path(out.replace("{name}", f"{key}-{short_hash(text)}"))
    return plain


def finish(out: str | Path) -> None:
    """Drop what is known of an evaluation whose result was written."""
    shutil.rmtree(Path(out) / NAME, ignore_errors=True)


def _differing(ours: Any, theirs: Any, keys: Sequence[str] | None) -> set[str]:
    if not isinstance(theirs, dict):
        return {"format"}
    found = set()
    for key in keys or {*ours, *theirs}:
        one, other = ours.get(key), theirs.get(key)
        if key == "dataset" and isinstance(one, dict) and isinstance(other, dict):
            one, other = ({k: side.get(k) for k in ("pixels", "split")} for side in (one, other))
        if one != other:
            inner = (one, other) if isinstance(one, dict) and isinstance(other, dict) else ({}, {})
            deeper = [f"{key}.{k}" for k in sorted({*inner[0], *inner[1]}) if inner[0].get(k) != inner[1].get(k)]
            found |= set(deeper) or {key}
    return found


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _packed(array: Any) -> str:
    stream = io.BytesIO()
    np.save(stream, array)
    return base64.b64encode(stream.getvalue()).decode()


def _read(path: Path) -> dict[str, Scored]:
    """The pairs of a file; a line that is no whole one was torn when a run was killed."""
    found: dict[str, Scored] = {}
    for line in path.read_bytes().splitlines():
        try:
            pair = json.loads(line)
            packed = {name: io.BytesIO(base64.b64decode(text)) for name, text in pair["arrays"].items()}
            arrays = {name: np.load(stream, allow_pickle=False) for name, stream in packed.items()}
            found[pair["cells"]["id"]] = pair["cells"], arrays
        except (ValueError, KeyError, TypeError):
            continue
    return found
