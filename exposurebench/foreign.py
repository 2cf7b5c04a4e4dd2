"""Networks that nobody here wrote, as functions from a batch of images to a batch of images.

ONNX files run in onnxruntime; a function of the user's own gives any callable; code that came in a file runs isolated.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from exposurebench import onnx_file
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError
from exposurebench.isolation import Isolated
from exposurebench.opening import ModelFile

ENCODINGS = ("srgb", "linear")


@dataclass(frozen=True)
class Told:
    """What a person says of a model that does not say it itself; None where nothing was said.

    Attributes:
        takes: what the numbers of its inputs stand for, ``srgb`` or ``linear``; by default srgb.
        gives: the same of its outputs.
        values: the numbers that stand for 0 and 1, in its inputs and its outputs; by default 0 and 1.
        multiple: what the sides of its inputs must be multiples of; by default 1.
    """

    takes: str | None = None
    gives: str | None = None
    values: tuple[float, float] | None = None
    multiple: int | None = None

    def filled(self, *others: Any) -> dict[str, Any]:
        """Every fact: what was said, else what the first of some objects has as an attribute, else the default.

        Raises:
            RecipeError: a fact is none of those that it may be.

        >>> Told(multiple=8).filled()
        {'takes': 'srgb', 'gives': 'srgb', 'values': (0.0, 1.0), 'multiple': 8}
        """
        defaults = {"takes": "srgb", "gives": "srgb", "values": (0.0, 1.0), "multiple": 1}
        found: dict[str, Any] = {}
        for name, default in defaults.items():
            said = [getattr(self, name), *(getattr(other, name, None) for other in others)]
            found[name] = next((value for value in said if value is not None), default)
        for name in ("takes", "gives"):
            if found[name] not in ENCODINGS:
                raise RecipeError(f"{name} must be srgb or linear, not {found[name]!r}")
        try:
            low, high = (float(value) for value in found["values"])
        except (TypeError, ValueError) as error:
            raise RecipeError(f"values must be two numbers such as (-1, 1), not {found['values']!r}") from error
        if not low < high:
            raise RecipeError(f"values must be two numbers, the smaller one first, not {low:g} and {high:g}")
        if not isinstance(found["multiple"], int) or not 1 <= found["multiple"] <= 1024:
            raise RecipeError(f"multiple must be in 1 to 1024, not {found['multiple']!r}")
        return {**found, "values": (low, high)}


class Adapted(nn.Module):
    """A foreign network as one of ours: images in [0, 1] (or light), of any sides, in and out.

    Args:
        network: from a float32 batch to a batch.
        name: what it is called in messages.
        values: the numbers that it takes and gives for 0 and 1.
        multiple: its inputs' sides are padded to multiples of this, by repeating the last row and column, and cut again.

    >>> half = Adapted(lambda batch: batch / 2, "half", (0.0, 255.0), 4)
    >>> half(torch.ones(1, 3, 5, 7)).shape, half(torch.ones(1, 3, 5, 7)).mean().item()
    (torch.Size([1, 3, 5, 7]), 0.5)
    """

    def __init__(self, network: Callable[[torch.Tensor], Any], name: str, values: tuple[float, float], multiple: int):
        super().__init__()
        self.network, self.name, self.values, self.multiple = network, name, values, multiple

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        low, high = self.values
        height, width = images.shape[2:]
        given = images * (high - low) + low if self.values != (0.0, 1.0) else images
        spare = (0, -width % self.multiple, 0, -height % self.multiple)
        if any(spare):
            given = nn.functional.pad(given, spare, "replicate")
        try:
            made = self.network(given)
        except (ModelError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # it is anybody's code, and can fail in any way
            raise ModelError(f"{self.name}: failed: {_line(error)}") from error
        if not isinstance(made, torch.Tensor):
            raise ModelError(f"{self.name}: gave a {type(made).__name__}, expected a tensor (N, 3, H, W)")
        if made.shape != given.shape:
            raise ModelError(
                f"{self.name}: the output has the shape {tuple(made.shape)}, the input {tuple(given.shape)}: a prediction "
                "must keep the input's size"
            )
        made = made.float()[..., :height, :width]
        return (made - low) / (high - low) if self.values != (0.0, 1.0) else made


def isolated(file: ModelFile, timeout_s: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A model that is code, in a process that can do no harm; on the processor.

    Raises:
        UnsafeModelError: this machine cannot isolate a process.
        InputError: it cannot be opened.
    """
    process, lock = Isolated(file.data, file.kind, str(file.path), timeout_s), threading.Lock()

    def run(images: torch.Tensor) -> torch.Tensor:
        with lock:
            return torch.from_numpy(process(images.cpu().numpy()).copy())

    return run


# ------------------------------------------------------------------------------------------------ ONNX


class OnnxNetwork:
    """An ONNX model: one image input of three channels, rows of channels (NCHW) or of pixels (NHWC), and one output.

    Args:
        file: what was opened.
        device: ``cpu``, or ``cuda`` with onnxruntime-gpu.
        timeout_s: how long one call may take.

    Raises:
        MissingError: onnxruntime is not installed, or has no such device.
        UnsafeModelError: its weights lie outside its folder.
        InputError: it cannot be opened, or takes no images.
    """

    def __init__(self, file: ModelFile, device: torch.device, timeout_s: float) -> None:
        self.path, self.timeout_s = file.path, timeout_s
        self.external = onnx_file.check(file.path, file.data)
        runtime = _onnxruntime()
        providers = ["CPUExecutionProvider"]
        if device.type != "cpu":
            providers.insert(0, "CUDAExecutionProvider")
            if device.type != "cuda" or providers[0] not in runtime.get_available_providers():
                raise MissingError(
                    f"onnxruntime has no {device.type} here: install onnxruntime-gpu, or use --device cpu"
                )
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1 if device.type == "cpu" else 0
        options.inter_op_num_threads = 1
        where = [(name, {"device_id": device.index or 0}) if name.startswith("CUDA") else name for name in providers]
        try:
            model = str(file.path) if self.external else file.data
            self.session = runtime.InferenceSession(model, options, providers=where)
        except Exception as error:  # onnxruntime has a class for each of its complaints
            raise InputError(f"{file.path}: cannot be opened by onnxruntime: {_line(error)}") from error
        self.runtime = runtime
        self.input, self.pixels_last, self.half = self._image_input()

    def _image_input(self) -> tuple[str, bool, bool]:
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            listed = ", ".join(f"{one.name}: {one.type}" for one in inputs) or "none"
            raise InputError(f"{self.path}: expected one input of images in floats, not {listed}")
        shape, half = list(inputs[0].shape), inputs[0].type == "tensor(float16)"
        if len(shape) == 4 and (shape[1] == 3 or (isinstance(shape[1], str | None) and shape[3] != 3)):
            return inputs[0].name, False, half
        if len(shape) == 4 and shape[3] == 3:
            return inputs[0].name, True, half
        raise InputError(f"{self.path}: expected an input of the shape (N, 3, H, W) or (N, H, W, 3), not {shape}")

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """What the model makes of images, one by one: many are exported for a batch of one."""
        return torch.cat([self._one(image) for image in images.cpu().numpy()])

    def _one(self, image: NDArray[np.float32]) -> torch.Tensor:
        self._check_size(image.shape)
        given = np.ascontiguousarray(image.transpose(1, 2, 0) if self.pixels_last else image)[None]
        options = self.runtime.RunOptions()
        options.log_severity_level = 4
        watch = threading.Timer(self.timeout_s, lambda: setattr(options, "terminate", True))
        watch.daemon = True
        watch.start()
        try:
            feed = {self.input: given.astype(np.float16) if self.half else given}
            made = self.session.run(None, feed, options)[0]
        except Exception as error:
            if options.terminate:
                raise ModelError(f"{self.path}: took longer than it may (--timeout {self.timeout_s:g})") from error
            raise ModelError(f"{self.path}: failed: {_line(error)}") from error
        finally:
            watch.cancel()
        if not isinstance(made, np.ndarray) or made.ndim != 4:
            raise ModelError(f"{self.path}: gave no batch of images: its first output must have four dimensions")
        made = made.transpose(0, 3, 1, 2) if self.pixels_last else made
        return torch.from_numpy(np.ascontiguousarray(made, np.float32))

    def _check_size(self, shape: tuple[int, ...]) -> None:
        fixed = self.session.get_inputs()[0].shape
        wanted = fixed[1:3] if self.pixels_last else fixed[2:4]
        for side, size in zip(wanted, shape[1:], strict=True):
            if isinstance(side, int) and side != size:
                raise ModelError(
                    f"{self.path}: takes {wanted[1]} x {wanted[0]} pixels alone, not {shape[2]} x {shape[1]}: export it with "
                    "dynamic axes, or build the data set in that size"
                )


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise MissingError("ONNX models need onnxruntime: pip install 'exposurebench[onnx]'") from error


# ------------------------------------------------------------------------------------- the user's own code


def from_code(what: str, settings: Mapping[str, Any], device: torch.device) -> tuple[Any, tuple[Any, ...], str]:
    """What a function of the user's own gives, as ``package.module:function`` names it.

    The current folder is looked in first. The function is called with the settings, and gives a module or any callable
    from a float32 batch ``(N, 3, H, W)`` on the device to such a batch. It, or what it gives, may have the attributes
    ``takes``, ``gives``, ``values`` and ``multiple``.

    Returns:
        The callable, what may have those attributes, and a hash of the file that the function is in.

    Raises:
        RecipeError: there is no such function, or no network comes of it.
        ModelError: the code fails.
    """
    module_name, colon, name = what.partition(":")
    if not colon or not module_name or not name:
        raise RecipeError(f"--model {what!r}: expected package.module:function")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = f"there is no module {error.name!r}" if error.name else str(error)
        raise RecipeError(f"--model {what!r}: {missing}: run it from the folder it lies in, or install it") from error
    except (Exception, SystemExit) as error:  # a script that runs and exits, say
        raise ModelError(f"--model {what!r}: importing {module_name} failed: {_line(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == module_name]
        raise RecipeError(
            f"--model {what!r}: {module_name} has no function {name!r}; it has {', '.join(known[:8]) or 'none'}"
        )
    try:
        made = function(**settings)
    except (Exception, SystemExit) as error:
        raise ModelError(f"--model {what!r}: {name}() failed: {_line(error)}") from error
    if not callable(made):
        raise RecipeError(f"--model {what!r}: gave a {type(made).__name__}, expected a network or another callable")
    if isinstance(made, nn.Module):
        made = made.to(device).eval().requires_grad_(False)
    source = getattr(module, "__file__", None)
    return made, (made, function), ModelFile(Path(what), "weights", _bytes(source)).sha256


def _bytes(source: str | None) -> bytes:
    return Path(source).read_bytes() if source and os.path.isfile(source) else b""


def _line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    said = f": {words[:200]}{'...' if len(words) > 200 else ''}" if words else ""
    return f"{type(error).__name__}{said}"
