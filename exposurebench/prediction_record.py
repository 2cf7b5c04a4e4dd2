"""What lies in a folder of predictions, so that nothing is made twice and everybody can see what it was made of.

```
DIR/predictions.json    format, schema
  methods               by a hash of what they are: name, checkpoint's hash, settings, version, file format
  files                 output file: SHA-256 of its input, its method, its own SHA-256
DIR/predictions-3-of-8.json    the same of a share, which one process writes alone
```
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exposurebench.engine import Share
from exposurebench.errors import InputError
from exposurebench.files import read_document, sha256, sha256_file, write_json
from exposurebench.recipe import SCHEMA

NAME = "predictions.json"
FORMAT = "exposurebench.predictions"
SAVED_EVERY_S = 10
"""A run that is killed makes again what it wrote since the record was last saved."""


class Record:
    """Which input and which method every output in a folder was made of; saved when it is left as a context.

    Args:
        out: the folder.
        made_by: everything that an output depends on besides its input, in plain values.
        share: which one writes; it reads what the others and whole runs have on record, and adds to its own.

    Raises:
        InputError: the folder has a file of that name that is no such record, or is of a newer program.
    """

    def __init__(self, out: Path, made_by: Mapping[str, Any], share: Share | None = None) -> None:
        self.path = out / (NAME if share is None else f"predictions-{share.index + 1}-of-{share.count}.json")
        text = json.dumps(made_by, sort_keys=True, default=str)
        self.maker, self.made_by = sha256(text.encode())[:16], made_by
        self.methods, self.files = _read(self.path)
        records = {out / NAME, *out.glob("predictions-*-of-*.json")} - {self.path}
        self.others = [_read(path)[1] for path in sorted(records)]
        self._added, self._saved = False, time.monotonic()

    def has(self, output: Path, digest: str) -> bool:
        """Whether an output stands there as this method made it of this input."""
        name = self._name(output)
        known = [files[name] for files in (self.files, *self.others) if name in files]
        made = {one.get("output") for one in known if (one.get("input"), one.get("method")) == (digest, self.maker)}
        with contextlib.suppress(OSError):
            return bool(made) and sha256_file(output) in made
        return False

    def add(self, output: Path, digest: str, made: str) -> None:
        """Note an output that was written: the hashes of its input and of itself."""
        self._added = True
        self.methods[self.maker] = self.made_by
        self.files[self._name(output)] = {"input": digest, "method": self.maker, "output": made}

    def __enter__(self) -> None:
        """Nothing is begun; the record is saved at the end."""

    def __exit__(self, *_: object) -> None:
        self.store()

    def store(self, *, every_s: float = 0) -> None:
        """Write what was added, if the last time was so long ago; methods of which nothing is left are dropped."""
        if self._added and time.monotonic() - self._saved >= every_s:
            used = {made["method"] for made in self.files.values()}
            methods = {maker: made_by for maker, made_by in self.methods.items() if maker in used}
            files = dict(sorted(self.files.items()))
            write_json(self.path, {"format": FORMAT, "schema": SCHEMA, "methods": methods, "files": files})
            self._added, self._saved = False, time.monotonic()

    def _name(self, output: Path) -> str:
        return output.relative_to(self.path.parent).as_posix()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.exists():
        return {}, {}
    found = read_document(path, "a record of predictions", FORMAT, SCHEMA, ("methods", "files"))
    methods, files = found["methods"], found["files"]
    if not (isinstance(methods, dict) and isinstance(files, dict)):
        raise InputError(f"{str(path)!r} is damaged: methods and files should hold keys: delete it")
    return methods, files
