"""A process that may run anything and can do no harm: no network, nothing to write but a folder in memory, bounded.

It lives in namespaces of its own (user, mount, network, process, IPC), sees a file tree that holds Python, this package
and the system's libraries and nothing else, all of it read-only, has no capability, and dies with whoever began it.
Models that are code run there (:mod:`exposurebench.isolated`); they get pictures and give pictures, through two pipes.
Linux alone has this, and not everywhere: where any part of it fails, nothing is run.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from exposurebench.errors import InputError, ModelError, UnsafeModelError

LOAD_S = 300.0
"""How long it may take to begin and to open the model."""
LONGEST_LINE = 4096


class Isolated:
    """A model in a process of its own: ``(N, 3, H, W)`` float32 in, the same out.

    Args:
        data: the model's file.
        kind: what it is: ``weights`` (a pickled object), ``torchscript`` or ``exported``.
        name: what it is called in messages.
        timeout_s: how long one call may take.

    Raises:
        UnsafeModelError: this machine cannot isolate a process.
        InputError: the model cannot be opened there.
    """

    def __init__(self, data: bytes, kind: str, name: str, timeout_s: float = 600.0) -> None:
        self.name, self.timeout_s, self._ended = name, timeout_s, ""
        self._allowed = f"{LOAD_S:g} s to begin and be opened"
        environment = {"PYTHONPATH": os.pathsep.join(_places()), "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-W", "ignore", "-m", "exposurebench.isolated"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        try:
            begun = self._answer(time.monotonic() + LOAD_S)
            if "ready" not in begun:
                raise UnsafeModelError(
                    f"{name}: refused: code runs here only in isolation, which this machine does not give "
                    f"({_plain(begun.get('error', 'the process ended'))}): score its output with --predictions"
                )
            self._send({"kind": kind, "size": len(data)}, data)
            opened = self._answer(time.monotonic() + LOAD_S)
        except ModelError as error:
            raise InputError(f"{name}: cannot be opened: {str(error).removeprefix(f'{name}: ')}") from error
        except BaseException:
            self.close()
            raise
        if "opened" not in opened:
            self.close()
            raise InputError(f"{name}: cannot be opened: {_plain(opened.get('error', 'no reason given'))}")
        self._allowed = f"--timeout {timeout_s:g}"

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model makes of images of one size.

        Raises:
            ModelError: it failed, took too long, or gave something that is no image of the input's size.
        """
        until = time.monotonic() + self.timeout_s
        self._send({"shape": list(images.shape)}, np.ascontiguousarray(images, np.float32).tobytes(), until)
        answer = self._answer(until)
        if "error" in answer:
            raise ModelError(f"{self.name}: {_plain(answer['error'])}")
        if answer.get("shape") != list(images.shape):
            raise ModelError(
                f"{self.name}: the output has the shape {_plain(answer.get('shape'))}, the input {list(images.shape)}: a "
                "prediction must keep the input's size"
            )
        data = self._read(images.size * 4, until)
        return np.frombuffer(data, np.float32).reshape(images.shape)

    def close(self) -> None:
        """End the process, whatever it is doing, and all that it began."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._process.wait()

    def __del__(self) -> None:
        """A process that nobody can ask anything ends."""
        if hasattr(self, "_process"):
            self.close()

    def _send(self, header: dict[str, Any], data: bytes, until: float | None = None) -> None:
        view = memoryview(json.dumps(header).encode() + b"\n" + data)
        until = until or time.monotonic() + LOAD_S
        try:
            while view:
                self._wait(self._process.stdin, selectors.EVENT_WRITE, until)
                view = view[os.write(self._process.stdin.fileno(), view[: 1 << 16]) :]  # type: ignore[union-attr]
        except (BrokenPipeError, ValueError) as error:
            raise self._failed("its process ended (it crashed, or ran out of memory)") from error

    def _answer(self, until: float) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
            line += self._read(1, until)
        try:
            found = json.loads(line)
        except ValueError as error:
            raise ModelError(f"{self.name}: its process gave no answer that can be read") from error
        return found if isinstance(found, dict) else {}

    def _read(self, size: int, until: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            self._wait(self._process.stdout, selectors.EVENT_READ, until)
            some = os.read(self._process.stdout.fileno(), min(size - len(found), 1 << 20))  # type: ignore[union-attr]
            if not some:
                raise self._failed("its process ended (it crashed, or ran out of memory)")
            found += some
        return bytes(found)

    def _wait(self, stream: IO[bytes] | None, event: int, until: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)  # type: ignore[arg-type]
            if not selector.select(max(0.0, until - time.monotonic())):
                raise self._failed(f"took longer than it may ({self._allowed}), and was ended")

    def _failed(self, why: str) -> ModelError:
        """End the process; whoever asks it for a picture afterwards is told what ended it, and not that it is gone."""
        self.close()
        self._ended = self._ended or why
        return ModelError(f"{self.name}: {self._ended}")


def _places() -> list[str]:
    """Where modules are looked for there: as here, less the current folder, which may be anything of the user's."""
    here, ours = os.path.realpath(os.getcwd()), os.path.realpath(Path(__file__).parents[1])
    return [path for path in sys.path if path and (os.path.realpath(path) != here or here == ours)]


def _plain(words: Any) -> str:
    """What came out of such a process, in one short line without anything a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in str(words))[:200]
