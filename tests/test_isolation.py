"""Code in a process that can do no harm: it works, it can do no harm, and where that cannot be had nothing runs."""

from __future__ import annotations

import os
import pickle
import runpy
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exposurebench import isolated, isolation
from exposurebench.errors import InputError, ModelError, UnsafeModelError
from exposurebench.evaluate import evaluate
from exposurebench.isolation import Isolated
from exposurebench.method import open_method

F = runpy.run_path(str(Path(__file__).with_name("model_files.py")))
IMAGES = np.random.default_rng(0).random((1, 3, 24, 20), np.float32)
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has namespaces"),
]


class Code:
    """A pickle that is made by running Python: what its last expression gives is called with each batch."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return eval, (f"(lambda made: (exec({self.code!r}, made), made['run'])[1])({{}})",)


def opened(code: str, timeout_s: float = 60.0) -> Isolated:
    return Isolated(F["saved"](Code(code)), "weights", "model.pt", timeout_s)


@pytest.fixture
def tried(tmp_path: Path) -> Callable[[str], str]:
    """Runs code in isolation when a picture comes; gives what it raised."""

    def tried(code: str) -> str:
        inner = "\n    ".join(code.splitlines())
        network = opened(f"import os, socket, torch\ndef run(x):\n    {inner}\n    return x")
        with pytest.raises(ModelError) as caught:
            network(IMAGES)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return tried


# ------------------------------------------------------------------------------------------------- it works


@pytest.mark.slow
def test_torchscript_is_scored_in_isolation(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(F["script"]())
    result = evaluate(str(tmp_path / "m.pt"), samples, metrics=["psnr"], trust_code=True, limit=2)
    assert result.document["method"]["kind"] == "isolated"
    same = evaluate(None, samples, code="torch.nn:Identity", metrics=["psnr"], limit=2)
    assert (result.per_image["psnr"] != same.per_image["psnr"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["script", "exported", "module"])
def test_each_kind_of_code_gives_its_pictures(tmp_path: Path, name: str) -> None:
    import torch

    factor, images, path = 0.5, IMAGES, tmp_path / "m.pt"
    if name == "module":
        network = torch.nn.Conv2d(3, 3, 1, bias=False)
        network.weight.data = factor * torch.eye(3)[:, :, None, None]
        path.write_bytes(F["saved"](network))
    else:
        images = IMAGES if name == "script" else IMAGES[..., :8, :8]
        path.write_bytes(F[name]())
    image = np.ascontiguousarray(images[0].transpose(1, 2, 0))
    np.testing.assert_allclose(open_method(str(path), trust_code=True).run(image, {}), image * factor, atol=1e-6)


# -------------------------------------------------------------------------------------- it can do no harm


def test_code_cannot_write_reach_or_see_anything(tmp_path: Path, tried: Callable[[str], str]) -> None:
    """All of it in one process, which takes seconds to begin: every attempt must fail, and says how."""
    (tmp_path / "secret").write_text("secret")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        attempts = {
            "write": f"open({str(tmp_path / 'canary')!r}, 'w')",
            "home": f"open({str(Path.home() / 'canary')!r}, 'w')",
            "package": f"open({isolation.__file__!r}, 'a')",
            "system": "open('/usr/canary', 'w')",
            "root": "open('/canary', 'w')",
            "read": f"open({str(tmp_path / 'secret')!r}).read()",
            "network": f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)",
            "name": "socket.getaddrinfo('example.org', 80)",
            "mount": "__import__('ctypes').CDLL(None).mount(b'tmpfs', b'/usr', b'tmpfs', 0, None) and 1 / 0",
            "remount": "__import__('ctypes').CDLL(None).mount(None, b'/', None, 0x1020, None) and 1 / 0",
            "namespace": "__import__('ctypes').CDLL(None).unshare(0x20000) and 1 / 0",
            "kill": f"os.kill({os.getpid()}, 9)",
            "fill": "[f.write(bytes(1 << 20)) for f in [open('/tmp/big', 'wb')] for _ in range(400)]",
            "memory": "bytearray(20 << 30)",
        }
        listed = [f"({name!r}, lambda: {code})" for name, code in attempts.items()]
        said = tried(
            "failed = []\n"
            f"for name, attempt in [{', '.join(listed)}]:\n"
            "    try: attempt()\n"
            "    except BaseException: failed.append(name)\n"
            "raise ValueError(' '.join(failed))"
        )
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert said == f"model.pt: ValueError: {' '.join(attempts)}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_the_current_folder_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python puts it where modules are looked for, as --model does."""
    (tmp_path / "secret").write_text("secret")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    network = opened(f"import os\ndef run(x): return os.listdir({str(tmp_path)!r})")
    with pytest.raises(ModelError, match="FileNotFoundError"):
        network(IMAGES)


@pytest.mark.slow
def test_what_opens_with_a_plant_leaves_nothing(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(F["saved"](F["Planted"](tmp_path / "canary")))
    with pytest.raises(InputError, match=r"m.pt: cannot be opened: TypeError: it holds a int, no network"):
        evaluate(str(tmp_path / "m.pt"), samples, metrics=["psnr"], trust_code=True, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]


@pytest.mark.slow
def test_what_never_ends_is_ended() -> None:
    network = opened("def run(x):\n    while True: pass", timeout_s=1.0)
    with pytest.raises(ModelError, match=r"took longer than it may \(--timeout 1\), and was ended"):
        network(IMAGES)
    assert network._process.poll() is not None
    with pytest.raises(ModelError, match="took longer than it may"):  # of a thread that waited for its turn meanwhile
        network(IMAGES)


@pytest.mark.slow
def test_what_never_opens_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "LOAD_S", 3.0)
    with pytest.raises(InputError) as caught:
        opened("import time; time.sleep(1000)")
    assert str(caught.value) == (
        "model.pt: cannot be opened: took longer than it may (3 s to begin and be opened), and was ended"
    )


@pytest.mark.slow
def test_what_dies_says_so() -> None:
    network = opened("import os\ndef run(x): os._exit(0)")
    with pytest.raises(ModelError, match=r"model\.pt: its process ended \(it crashed, or ran out of memory\)"):
        network(IMAGES)
    with pytest.raises(InputError, match=r"^model\.pt: cannot be opened: its process ended"):
        opened("import os; os._exit(0)")


OWN_ANSWERS = """import os
def run(x):
    for number in range(3, 20):
        try:
            os.write(number, b'{"shape": 5}\\n')
        except OSError:
            pass
    return x
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def run(x): return x[..., ::2]", r"the output has the shape \[1, 3, 24, 10\], the input \[1, 3, 24, 20\]"),
        ("def run(x): return x.tolist()", "it gave a list, no tensor"),
        ("def run(x): raise MemoryError", r"^model\.pt: MemoryError$"),
        (
            "def run(x): raise RuntimeError('it failed.\\nTraceback of TorchScript, serialized code:\\n  x\\nOut: of reach')",
            r"^model\.pt: RuntimeError: Out: of reach$",
        ),
        ("def run(x): raise ValueError('\\x1b[31mred\\n' * 99)", r"ValueError: +\[31mred"),
        (OWN_ANSWERS, "the output has the shape 5"),
    ],
    ids=["half", "list", "no words", "script", "colours", "answers of its own"],
)
def test_what_gives_no_picture(code: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        opened(code)(IMAGES)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.slow
def test_weights_are_no_code(tmp_path: Path) -> None:
    path = F["checkpoint"](tmp_path / "model.pt")
    with pytest.raises(InputError, match="it holds a dict, no network: leave out --trust-code"):
        open_method(str(path), trust_code=True)


# ----------------------------------------------------------------------- where isolation cannot be had


@pytest.mark.parametrize("part", ["unshare", "mount", "syscall", "umount2", "capset", "check"])
def test_without_any_part_of_it_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The process is told to find that a call fails, by a module that stands before ours."""
    canary = tmp_path / "canary"
    shim = tmp_path / "sitecustomize.py"
    broken = (
        "isolated._check = lambda: (_ for _ in ()).throw(OSError('the file tree can be written'))"
        if part == "check"
        else f"real = isolated._call\ndef call(name, *a):\n    if name == {part!r}: raise OSError(1, name + ': no')\n"
        "    return real(name, *a)\nisolated._call = call"
    )
    shim.write_text(
        "import runpy, sys\n"
        "if 'exposurebench.isolated' in sys.orig_argv:\n"
        f"    from exposurebench import isolated\n    {broken.replace(chr(10), chr(10) + '    ')}\n"
        "    isolated.main()\n    raise SystemExit\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(
        UnsafeModelError, match=r"m.pt: refused: code runs here only in isolation, .*--predictions"
    ) as caught:
        Isolated(pickle.dumps(F["Planted"](canary)), "weights", "m.pt")
    assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_on_another_system_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated.platform, "machine", lambda: "pdp11")
    with pytest.raises(OSError, match="there are no namespaces on linux pdp11"):
        isolated.enter([])
