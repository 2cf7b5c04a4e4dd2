"""The program of an isolated process: it shuts itself in, opens a model, and answers pictures with pictures.

``python -m exposurebench.isolated``, begun by :class:`exposurebench.isolation.Isolated` alone. On standard input it gets
a line of JSON and bytes, again and again; it answers in the same way. What the model prints goes nowhere.

Nothing but the standard library is imported before it is shut in: a process that has threads cannot be.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import platform
import resource
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

MEMORY = 8 << 30
"""What the process may allocate, in bytes."""
MAPPED = 24 << 30
"""The same with the libraries that it maps."""
SCRATCH = 256 << 20
"""The size of the folder in memory that it may write to."""
PROCESSOR_S = 24 * 3600
SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
NAMESPACES = 0x00020000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000  # mount, IPC, user, process, network
BIND, RECURSIVE, PRIVATE, NOSUID, NODEV, NOEXEC = 0x1000, 0x4000, 0x40000, 2, 4, 8
PDEATHSIG, CAPBSET_DROP, NO_NEW_PRIVS = 1, 24, 38
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MOUNT_SETATTR = 442
DETACH, AT_RECURSIVE = 2, 0x8000


def main() -> None:
    """Shut this process in, open the model, and answer until nobody asks."""
    asked = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    try:
        enter([sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.realpath(sys.executable), *sys.path])
    except OSError as error:
        _answer(answers, {"error": error.strerror or str(error)})
        return
    _answer(answers, {"ready": True})
    try:
        header = json.loads(asked.readline())
        network = _opened(asked.read(header["size"]), header["kind"])
    except Exception as error:
        _answer(answers, {"error": _line(error)})
        return
    _answer(answers, {"opened": True})
    while line := asked.readline():
        shape = json.loads(line)["shape"]
        data = asked.read(4 * shape[0] * shape[1] * shape[2] * shape[3])
        try:
            found = _made(network, data, shape)
        except Exception as error:
            _answer(answers, {"error": _line(error)})
            continue
        _answer(answers, {"shape": list(found.shape)}, found.numpy().tobytes())


def _opened(data: bytes, kind: str) -> Any:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    if kind == "torchscript":
        found = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    elif kind == "exported":
        found = torch.export.load(io.BytesIO(data)).module()
    else:
        found = torch.load(io.BytesIO(data), weights_only=False, map_location="cpu")
        found = found.eval() if isinstance(found, torch.nn.Module) else found
    if not callable(found):
        raise TypeError(f"it holds a {type(found).__name__}, no network: leave out --trust-code")
    return found


def _made(network: Any, data: bytes, shape: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        found = network(torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape))
    if not isinstance(found, torch.Tensor):
        raise TypeError(f"it gave a {type(found).__name__}, no tensor")
    return found.detach().float().contiguous()


def _line(error: Exception) -> str:
    said = str(error)
    if "Traceback of TorchScript" in said:  # the reason comes last
        said = said.strip().splitlines()[-1]
    return f"{type(error).__name__}: {' '.join(said.split())}"[:300].removesuffix(": ")


def _answer(stream: BinaryIO, header: dict[str, Any], data: bytes = b"") -> None:
    stream.write(json.dumps(header).encode() + b"\n" + data)
    stream.flush()


# ------------------------------------------------------------------------------------------- shut in


def enter(readable: Sequence[str]) -> None:
    """Give up everything but the files below some paths; for good, in this process, which must have one thread.

    It returns in a child; this process waits for it and ends as it ends.

    Raises:
        OSError: the system does not allow part of it, and nothing must be run.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in PIVOT_ROOT:
        raise OSError(f"there are no namespaces on {sys.platform} {machine}")
    user, group = os.getuid(), os.getgid()
    parent = os.getppid()
    _call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise OSError("whoever began this process is gone")
    _call("unshare", NAMESPACES)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(text)
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    _call("prctl", PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _build_root(readable, PIVOT_ROOT[machine])
    _limit()
    _drop_capabilities()
    _check()


def _build_root(readable: Sequence[str], pivot_root: int) -> None:
    """A file tree in memory that shows some paths, read-only, and has a folder to write to."""
    _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    # What is shown may lie where the tree is built: it is opened before anything covers it, and closed once it is shown.
    shown = [
        (path, os.readlink(path) if os.path.islink(path) else "", os.open(path, os.O_PATH | os.O_NOFOLLOW))
        for path in _outermost([*SYSTEM, *DEVICES, *readable])
    ]
    root = tempfile.gettempdir()
    _call("mount", b"tmpfs", root.encode(), b"tmpfs", NOSUID | NODEV, b"size=1m,mode=755")
    scratch, processes = Path(root + "/tmp"), Path(root + "/proc")  # noqa: S108
    scratch.mkdir()
    processes.mkdir()
    _call("mount", b"tmpfs", str(scratch).encode(), b"tmpfs", NOSUID | NODEV | NOEXEC, f"size={SCRATCH}".encode())
    for path, leads_to, opened in shown:
        inside = Path(root + path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        if leads_to:
            inside.symlink_to(leads_to)
        else:
            inside.mkdir(exist_ok=True) if stat.S_ISDIR(os.fstat(opened).st_mode) else inside.touch()
            _call("mount", f"/proc/self/fd/{opened}".encode(), str(inside).encode(), None, BIND | RECURSIVE, None)
        os.close(opened)
    _set_attributes(root, AT_RECURSIVE, 1 | 2, 0)  # read-only, no setuid
    _set_attributes(str(scratch), 0, 0, 1)
    try:
        _call("mount", b"proc", str(processes).encode(), b"proc", NOSUID | NODEV | NOEXEC | 1, None)
    except OSError:
        processes = None  # type: ignore[assignment]  # a container may forbid it; nothing here needs it
    os.chdir(root)
    _call("syscall", pivot_root, b".", b".")
    _call("umount2", b".", DETACH)
    os.chdir("/tmp")  # noqa: S108


def _set_attributes(place: str, flags: int, on: int, off: int) -> None:
    attributes = (ctypes.c_uint64 * 4)(on, off, 0, 0)
    _call("syscall", MOUNT_SETATTR, -1, place.encode(), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))


def _outermost(paths: Sequence[str]) -> list[str]:
    """The paths that exist and lie in no other of them; links as they are, beside what they lead to."""
    there = {os.path.abspath(path) for path in paths if os.path.lexists(path)}
    there |= {os.path.realpath(path) for path in there}
    kept: list[str] = []
    for path in sorted(there):
        if not any(path == other or path.startswith(f"{other.rstrip('/')}/") for other in kept):
            kept.append(path)
    return kept


def _limit() -> None:
    limits = {
        resource.RLIMIT_DATA: MEMORY,
        resource.RLIMIT_AS: MEMORY + MAPPED,
        resource.RLIMIT_FSIZE: SCRATCH,
        resource.RLIMIT_CPU: PROCESSOR_S,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _drop_capabilities() -> None:
    for number in range(64):
        try:
            _call("prctl", CAPBSET_DROP, number, 0, 0, 0)
        except OSError:
            break  # there are no more of them
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def _check() -> None:
    """See that it holds, before anything relies on it."""
    if not os.statvfs("/").f_flag & os.ST_RDONLY:
        raise OSError("the file tree can be written")
    if [name for _, name in socket.if_nameindex() if name != "lo"]:
        raise OSError("there is a network")


def _call(name: str, *arguments: Any) -> None:
    """Call the C library, whose errors become ours."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
