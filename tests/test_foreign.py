"""Networks of other people: ONNX, the user's own code, and what they may do wrong."""

from __future__ import annotations

import re
import runpy
import struct
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.foreign import Adapted, Told
from exposurebench.method import open_method
from exposurebench.opening import open_file

F = runpy.run_path(str(Path(__file__).with_name("model_files.py")))
IMAGE = np.random.default_rng(0).random((37, 45, 3), np.float32)


@pytest.fixture
def write_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a module of the user's into the current folder; gives its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = f"users_{re.sub(r'[^a-z0-9]', '_', tmp_path.name.lower())}"

    def write(code: str) -> str:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


# ------------------------------------------------------------------------------------------- what is told


def test_what_is_told_comes_first_then_what_the_code_says() -> None:
    class Says:
        gives, values, multiple = "linear", (-1, 1), 4

    assert Told(gives="srgb").filled(Says()) == {"takes": "srgb", "gives": "srgb", "values": (-1.0, 1.0), "multiple": 4}
    for wrong in (Told(takes="nits"), Told(values=(1, 0)), Told(multiple=0)):
        with pytest.raises(RecipeError, match="must be"):
            wrong.filled()


def test_numbers_and_sides_are_fitted_and_fitted_back() -> None:
    given = []

    class Seen(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            given.append(images)
            return -images

    images = torch.rand(1, 3, 5, 9)
    made = Adapted(Seen(), "seen", (-1.0, 1.0), 4)(images)
    assert given[0].shape == (1, 3, 8, 12)
    assert torch.equal(given[0][..., :5, :9], images * 2 - 1)
    assert torch.equal(given[0][..., 7, :9], images[..., 4, :] * 2 - 1), "the last row again"
    torch.testing.assert_close(made, 1 - images)


# ------------------------------------------------------------------------------------------ the user's code


def test_a_users_network_is_scored_and_its_protocol_says_by_what(samples: Path, write_code: Callable[..., str]) -> None:
    module = write_code(
        """
        import torch
        def bright(gain=1.0):
            network = torch.nn.Conv2d(3, 3, 1, bias=False)
            network.weight.data = gain * torch.eye(3)[:, :, None, None]
            return network
        bright.multiple = 8
        """
    )
    result = evaluate(None, samples, code=f"{module}:bright", metrics=["psnr"])
    same = evaluate("baseline:identity", samples, metrics=["psnr"])
    assert result.per_image["psnr"].tolist() == same.per_image["psnr"].tolist()
    method = result.document["method"]
    assert (method["kind"], method["parameters"], result.name) == ("code", 9, f"{module}-bright")
    assert method["preprocessing"] == {"takes": "srgb", "gives": "srgb", "values": [0.0, 1.0], "multiple": 8}
    other = evaluate(None, samples, code=f"{module}:bright", settings={"gain": 0.5}, metrics=["psnr"])
    assert other.document["method"]["weights_sha256"] != method["weights_sha256"]
    assert other.document["method"]["source_sha256"] == method["source_sha256"]


def test_a_users_network_runs_in_tiles_where_its_layers_allow_it(
    write_code: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_code(
        """
        import torch
        sizes = []
        class Blur(torch.nn.Conv2d):
            def forward(self, images):
                sizes.append(tuple(images.shape))
                return super().forward(images)
        def blur():
            torch.manual_seed(0)
            return Blur(3, 3, 5, padding=2)
        def whole():
            return lambda images: blur()(images)
        """
    )
    image = np.random.default_rng(1).random((600, 700, 3), np.float32)
    whole = open_method(code=f"{module}:whole").run(image, {})
    monkeypatch.setattr("exposurebench.tiling.CPU_BUDGET", 4_000_000)
    tiled = open_method(code=f"{module}:blur")
    sizes = sys.modules[module].sizes
    sizes.clear()
    made = tiled.run(image, {})
    assert len(sizes) > 1
    assert max(height * width for _, _, height, width in sizes) < 600 * 700
    np.testing.assert_allclose(made, whole, atol=1e-5)


def test_a_network_that_keeps_what_it_computed_is_not_spoiled_by_looking(write_code: Callable[..., str]) -> None:
    module = write_code(
        """
        import torch
        class Keeps(torch.nn.Module):
            kept = None
            def forward(self, images):
                if self.kept is None:
                    self.kept = torch.full((1,), 0.5, device=images.device)
                return images * self.kept
        """
    )
    assert np.allclose(open_method(code=f"{module}:Keeps").run(IMAGE, {}), IMAGE / 2)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("fails", ModelError, r"fails\(\) failed: ZeroDivisionError: division by zero"),
        ("number", RecipeError, "gave a int, expected a network or another callable"),
        ("smaller", ModelError, r"the output has the shape \(1, 3, 64, 128\), the input \(1, 3, 128, 128\)"),
        ("leaves", ModelError, r"failed: SystemExit: 0"),
        ("never_begins", ModelError, r"never_begins\(\) failed: SystemExit"),
        ("text", ModelError, r"gave a str, expected a tensor \(N, 3, H, W\)"),
        ("broken", ModelError, "failed: RuntimeError: The size of tensor"),
        ("nan", ModelError, "astronaut: the output holds NaN or infinite values"),
        ("gray", ModelError, r"astronaut: the output is constant \(0.5\)"),
        ("bytes_", ModelError, r"the output is constant \(1.* to .*\): numbers from 0 to 1 are expected"),
        (
            "to_255",
            ModelError,
            r"output is \d+ on average: numbers from 0 to 1 .* does the network give others \(--values",
        ),
        (
            "light",
            InputError,
            r"light gives light \(linear\) images, and the targets of .* are display-encoded \(srgb\)",
        ),
        ("takes_light", InputError, r"takes light \(linear\) images, and the inputs of .* are display-encoded"),
        ("odd", RecipeError, "gives must be srgb or linear, not 'rgb'"),
        ("nothing", RecipeError, "has no function 'nothing'; it has"),
    ],
)
def test_what_a_users_code_may_do_wrong(
    samples: Path, write_code: Callable[..., str], name: str, error: type[Exception], said: str
) -> None:
    module = write_code(
        """
        import sys, torch
        def fails(): return 1 / 0
        def number(): return 3
        def smaller(): return lambda x: x[:, :, ::2]
        def leaves(): return lambda x: sys.exit(0)
        def never_begins(): sys.exit()
        def text(): return lambda x: "done"
        def broken(): return lambda x: x + torch.zeros(1, 3, 5, 5)
        def nan(): return lambda x: x * float("nan")
        def gray(): return lambda x: torch.full_like(x, 0.5)
        def bytes_(): return lambda x: x * 255 + 1
        def to_255(): return lambda x: x * 255
        def light(): return lambda x: x
        light.gives = "linear"
        def takes_light(): return lambda x: x
        takes_light.takes = "linear"
        def odd(): return lambda x: x
        odd.gives = "rgb"
        """
    )
    with pytest.raises(error, match=said) as caught:
        evaluate(None, samples, code=f"{module}:{name}", metrics=["psnr"])
    assert "\n" not in str(caught.value)


def test_a_program_that_exits_when_it_is_imported(write_code: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match=r"importing .* failed: SystemExit: 0"):
        open_method(code=f"{write_code('import sys; sys.exit(0)')}:f")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("nowhere_at_all:f", "there is no module 'nowhere_at_all': run it from the folder it lies in"),
        ("json", "expected package.module:function"),
        (":f", "expected package.module:function"),
    ],
)
def test_code_that_is_not_there(code: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        open_method(code=code)


def test_what_never_ends_is_given_up(samples: Path, write_code: Callable[..., str]) -> None:
    module = write_code(
        """
        import time
        stop = []
        def endless():
            def run(images):
                while not stop:
                    time.sleep(0.01)
                return images
            return run
        """
    )
    with pytest.raises(
        ModelError, match=r"astronaut: took longer than 0\.3 s and was given up: allow more with --timeout"
    ):
        try:
            evaluate(None, samples, code=f"{module}:endless", metrics=["psnr"], timeout_s=0.3, workers=1)
        finally:
            sys.modules[module].stop.append(True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"code": "a:b", "architecture": "small_cnn"}, "--arch: of no use with --model: leave it out"),
        ({"what": "baseline:identity", "trust_code": True}, "--trust-code: of no use with a baseline"),
        ({"what": "baseline:identity", "told": Told(multiple=8)}, "--multiple: of no use with a baseline"),
        ({"what": "x.onnx", "settings": {"a": 1}}, "--set: of no use with an ONNX model"),
        ({"what": "run.pt", "told": Told(values=(0, 255))}, "--values: of no use with weights of an architecture"),
        ({"what": "x.safetensors", "trust_code": True}, "--trust-code: of no use with weights"),
        ({"what": "baseline:identity", "code": "a:b"}, "expected one of"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.onnx").write_bytes(F["scaled"]())
    (tmp_path / "x.safetensors").write_bytes(F["safetensors"](F["state"]()))
    F["checkpoint"](tmp_path / "run.pt")
    with pytest.raises(RecipeError, match=said):
        open_method(**flags)


# --------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("how", ["safetensors", "pt", "before 2020", "nested", "parallel", "half"])
def test_weights_of_ours_that_somebody_else_saved(tmp_path: Path, how: str) -> None:
    state, path = F["state"](), tmp_path / "w"
    F["checkpoint"](tmp_path / "run.pt")
    if how == "half":
        state = {n: t.half() for n, t in state.items()}
    made = {
        "safetensors": lambda: F["safetensors"](state),
        "pt": lambda: F["saved"](state),
        "before 2020": lambda: F["saved"](state, zipped=False),
        "nested": lambda: F["saved"]({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}),
        "parallel": lambda: F["saved"]({f"module.{n}": t for n, t in state.items()}),
        "half": lambda: F["safetensors"](state),
    }
    path.write_bytes(made[how]())
    opened = open_method(str(path), architecture="small_cnn", settings={"width": 4})
    ours = open_method(str(tmp_path / "run.pt"))
    np.testing.assert_allclose(opened.run(IMAGE, {}), ours.run(IMAGE, {}), atol=1e-3 if how == "half" else 0)
    assert (opened.facts["kind"], ours.facts["kind"]) == ("weights", "checkpoint")


# ------------------------------------------------------------------------------------------------------ ONNX


@pytest.fixture
def onnx(tmp_path: Path) -> Callable[..., str]:
    """Writes an ONNX model; gives its path."""
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")

    def write(data: bytes) -> str:
        (tmp_path / "model.onnx").write_bytes(data)
        return str(tmp_path / "model.onnx")

    return write


def test_an_onnx_model_is_scored(samples: Path, onnx: Callable[..., str], tmp_path: Path) -> None:
    result = evaluate(onnx(F["scaled"](1.0)), samples, metrics=["psnr"])
    same = evaluate("baseline:identity", samples, metrics=["psnr"])
    assert result.per_image["psnr"].tolist() == same.per_image["psnr"].tolist()
    assert result.document["method"]["kind"] == "onnx"
    assert result.name == tmp_path.name
    one, three = (evaluate(onnx(F["scaled"](0.7)), samples, metrics=["psnr"], workers=n) for n in (1, 3))
    assert one.per_image.equals(three.per_image)


@pytest.mark.parametrize("name", ["whatever.jpg", "model.pt", "model"])
def test_onnx_is_told_by_its_content(onnx: Callable[..., str], tmp_path: Path, name: str) -> None:
    Path(onnx(F["scaled"]())).rename(tmp_path / name)
    assert open_file(tmp_path / name).kind == "onnx"
    assert np.allclose(open_method(str(tmp_path / name)).run(IMAGE, {}), IMAGE / 2)


def test_an_onnx_model_of_pixels_in_rows_and_of_other_numbers(onnx: Callable[..., str]) -> None:
    ends = [F["value"](name, ("n", "h", "w", 3)) for name in "xy"]
    f = F["tensor"]("f", [1], struct.pack("<f", 0.5))
    path = onnx(F["onnx"]([F["node"]("Mul", ["x", "f"], ["y"])], [f], ends[:1], ends[1:]))
    assert np.allclose(open_method(path).run(IMAGE, {}), IMAGE / 2)
    method = open_method(path, told=Told(values=(-1, 1)))
    assert np.allclose(method.run(IMAGE, {}), ((IMAGE * 2 - 1) / 2 + 1) / 2, atol=1e-6)
    assert method.facts["preprocessing"]["values"] == [-1, 1]


def test_onnx_weights_beside_the_model(onnx: Callable[..., str], tmp_path: Path) -> None:
    path = onnx(F["scaled"](location="weights.bin", offset="4", length="4"))
    (tmp_path / "weights.bin").write_bytes(struct.pack("<ff", 9, 0.25))
    method = open_method(path)
    assert np.allclose(method.run(IMAGE, {}), IMAGE / 4)
    first = method.facts["external_sha256"]
    (tmp_path / "weights.bin").write_bytes(struct.pack("<ff", 9, 0.75))
    assert open_method(path).facts["external_sha256"] != first, "other weights are another method"


def test_an_endless_onnx_model_is_given_up(samples: Path, onnx: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match=r"took longer than"):
        evaluate(onnx(F["endless"]()), samples, metrics=["psnr"], timeout_s=0.5, limit=1)


def models() -> dict[str, tuple[bytes, type[Exception], str]]:
    node, tensor, value = F["node"], F["tensor"], F["value"]
    terabytes = struct.pack("<q", 10**12)
    fill = tensor("s", [1], terabytes, kind=7)
    slim = [F["value"]("x", (1, 3, 64, 64))], [F["value"]("y", (1, 3, 64, 64))]
    return {
        "terabytes": (
            F["onnx"]([node("ConstantOfShape", ["s"], ["z"]), node("Add", ["x", "z"], ["y"])], [fill]),
            (InputError, ModelError),
            "model.onnx: ",
        ),
        "one size": (F["onnx"]([node("Relu", ["x"], ["y"])], [], *slim), ModelError, "takes 64 x 64 pixels alone"),
        "half the size": (
            F["onnx"](
                [node("MaxPool", ["x"], ["y"], F["numbers"]("kernel_shape", [2, 2]), F["numbers"]("strides", [2, 2]))]
            ),
            ModelError,
            "a prediction must keep the input's size",
        ),
        "two inputs": (
            F["onnx"]([node("Add", ["x", "b"], ["y"])], [], [value("x", ("n", 3, "h", "w")), value("b", (1,))]),
            InputError,
            "expected one input of images in floats, not x: ",
        ),
        "of words": (
            F["onnx"]([node("Identity", ["x"], ["y"])], [], [value("x", (1, 4))], [value("y", (1, 4))]),
            InputError,
            r"expected an input of the shape \(N, 3, H, W\) or \(N, H, W, 3\), not \[1, 4\]",
        ),
        "of gray pictures": (
            F["onnx"]([node("Identity", ["x"], ["y"])], [], [value("x", (1, 1, "h", "w"))]),
            InputError,
            "expected an input of the shape",
        ),
        "unknown layer": (F["onnx"]([node("Magic", ["x"], ["y"])]), InputError, "cannot be opened by onnxruntime: "),
        "nan": (F["scaled"](float("nan")), ModelError, "the output holds NaN"),
        "constant": (F["scaled"](0.0), ModelError, r"the output is constant \(0\)"),
    }


@pytest.mark.parametrize("name", models())
def test_onnx_models_that_cannot_be_scored(samples: Path, onnx: Callable[..., str], name: str) -> None:
    data, error, said = models()[name]
    with pytest.raises(error, match=said) as caught:
        evaluate(onnx(data), samples, metrics=["psnr"], limit=1)
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").write_bytes(F["scaled"]())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingError, match=r"pip install 'exposurebench\[onnx\]'"):
        open_method(str(tmp_path / "m"))
