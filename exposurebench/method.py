"""What corrects photographs: a baseline, a checkpoint, somebody else's weights or network, code of the user's own."""

from __future__ import annotations

import copy
import functools
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench import catalog
from exposurebench.checkpoint import Checkpoint, as_variant, build_network, preprocessing, read_checkpoint, read_weights
from exposurebench.dataset import Dataset
from exposurebench.errors import ImageError, InputError, MissingError, ModelError, RecipeError
from exposurebench.files import sha256, sha256_file
from exposurebench.foreign import Adapted, OnnxNetwork, Told, from_code, isolated
from exposurebench.images import Encoding, quantize
from exposurebench.opening import ModelFile, open_file
from exposurebench.recipe import draw, plugin_settings
from exposurebench.scene import Evidence, ExposedFrame
from exposurebench.tensors import checked_device, to_image, to_tensor
from exposurebench.tiling import Tiled

PICTURES = (-0.5, 1.5)
"""A mean beyond these is that of no picture in numbers from 0 to 1."""


@dataclass(frozen=True)
class Method:
    """Something that corrects one photograph at a time.

    Attributes:
        name: what it is called in tables.
        run: the input, ``(H, W, 3)`` float32 in [0, 1], and its manifest row, to the corrected image.
        facts: what a table must say of it: kind, title, oracle, needs, settings, hashes.
        gives: what the numbers of its images stand for: ``srgb``, in [0, 1], or ``linear`` light at or above 0.
        takes: what those of its inputs stand for.
        several: the same for images of one size at once, where that is quicker.
        lanes: how many threads may run it at a time; None for any number.
    """

    name: str
    run: Callable[[NDArray[np.float32], Mapping[str, Any]], NDArray[np.float32]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    gives: Encoding = "srgb"
    takes: Encoding = "srgb"
    several: (
        Callable[[Sequence[NDArray[np.float32]], Sequence[Mapping[str, Any]]], list[NDArray[np.float32]]] | None
    ) = None
    lanes: int | None = None

    @property
    def is_network(self) -> bool:
        """Whether it is a network, of whose output nothing is known."""
        return self.facts.get("kind") not in ("baseline", "predictions", "attack")


class TrainingTargets:
    """The targets of a data set's training split, read one by one each time they are walked."""

    def __init__(self, dataset: Dataset, split: str = "train") -> None:
        self.dataset, self.split = dataset, split

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        seen = set()
        for row in self.dataset.rows(self.split):
            if row["target_file_name"] not in seen:
                seen.add(row["target_file_name"])
                yield self.dataset.read_target(self.split, row).as_float()


class Brackets:
    """Every exposure that a data set's split has of a scene; a scene is read once as long as its rows follow another."""

    KEPT = 2
    """Scenes in memory: threads may be at the end of one and the beginning of the next."""

    def __init__(self, dataset: Dataset, split: str) -> None:
        self.dataset, self.split = dataset, split
        self._read: dict[str, tuple[ExposedFrame, ...]] = {}
        self._lock = threading.Lock()

    @functools.cached_property
    def rows(self) -> dict[str, list[Mapping[str, Any]]]:
        """The rows of every scene, darkest first.

        Raises:
            InputError: a scene has one exposure only.
        """
        scenes: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.dataset.rows(self.split):
            scenes.setdefault(row["scene"], []).append(row)
        for scene, rows in scenes.items():
            if len(rows) < 2:
                raise InputError(
                    f"{str(self.dataset.folder)!r} has one exposure of {scene!r}, and a bracket needs two or more: build it "
                    "with several, such as make-dataset --tau 0.2,0.5,1"
                )
            rows.sort(key=lambda row: -math.inf if (ev := _exposure(row)) is None else ev)
        return scenes

    def frames(self, scene: str) -> tuple[ExposedFrame, ...]:
        """The inputs of a scene's pairs."""
        with self._lock:
            if scene not in self._read:
                while len(self._read) >= self.KEPT:
                    self._read.pop(next(iter(self._read)))
                inputs = [(self.dataset.read_input(self.split, row), _exposure(row)) for row in self.rows[scene]]
                self._read[scene] = tuple(ExposedFrame(image.as_float(), ev) for image, ev in inputs)
            return self._read[scene]


def _exposure(row: Mapping[str, Any]) -> float | None:
    ev = row.get("exposure_ev")
    return float(ev) if isinstance(ev, int | float) and math.isfinite(ev) else None


def open_method(
    what: str = "",
    *,
    training: TrainingTargets | None = None,
    brackets: Brackets | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    architecture: str = "",
    code: str = "",
    told: Told | None = None,
    trust_code: bool = False,
    timeout_s: float = 600.0,
) -> Method:
    """A method by what a person calls it: ``baseline:NAME``, a model's file, or a function of the person's own.

    A file is told by its content. What holds code (whole modules, TorchScript, exported programs) is refused, unless
    ``trust_code`` says to run it, and then in isolation alone.

    Args:
        what: ``baseline:NAME`` or a path; empty with ``code``.
        training: what a baseline may look at.
        brackets: the same.
        settings: of a baseline, of an architecture, or of the function.
        device: where a network runs: ``auto``, ``cpu``, ``cuda``, ...
        architecture: the file of ``models/`` that weights belong to which do not say it.
        code: ``package.module:function``; see :func:`exposurebench.foreign.from_code`.
        told: what a foreign model takes and gives.
        trust_code: open what is code.
        timeout_s: how long a foreign model may take for a picture.

    A checkpoint has one setting, ``variant``: what of its network's work it is to give, where there is a choice.

    Raises:
        RecipeError: no such baseline, architecture, function or setting, or flags that do not go together.
        MissingError: a baseline needs training targets or brackets and there are none; a package or device is missing.
        InputError: the file cannot be used, or a scene has one exposure and the baseline needs more.
        UnsafeModelError: the file would run code.
        ModelError: the user's code failed.
    """
    kind, colon, name = what.partition(":")
    settings, told = settings or {}, told or Told()
    if bool(what) == bool(code):
        raise RecipeError("expected one of: a model's file, baseline:NAME, --model, or --predictions DIR")
    if colon and kind == "baseline":
        _leave_out("a baseline", {"--arch": architecture, "--trust-code": trust_code}, told)
        return _baseline(name, training, brackets, settings)
    placed = checked_device(device)
    if code:
        _leave_out("--model", {"--arch": architecture, "--trust-code": trust_code})
        return _code(code, settings, told, placed)
    if not Path(what).exists():
        raise InputError(
            f"{what!r}: no such file; expected a model's file, baseline:NAME (see exposurebench baselines), or "
            "--predictions DIR"
        )
    file = open_file(what)
    if file.kind == "onnx":
        _leave_out("an ONNX model", {"--arch": architecture, "--trust-code": trust_code, "--set": settings})
        return _onnx(file, told, placed, timeout_s)
    if trust_code and file.kind != "safetensors":
        _leave_out("--trust-code", {"--arch": architecture, "--set": settings})
        return _trusted(file, told, timeout_s)
    _leave_out("weights of an architecture of ours", {"--trust-code": trust_code}, told)
    if architecture:
        return _network(file.path, read_weights(file, architecture, settings), placed, "weights")
    rest = dict(settings)
    variant = str(rest.pop("variant", ""))
    if rest:
        raise RecipeError(f"a checkpoint has its settings in it: leave out {', '.join(rest)}")
    checkpoint = read_checkpoint(file)
    if not variant:
        return _network(file.path, checkpoint, placed, "checkpoint")
    method = _network(file.path, as_variant(checkpoint, variant), placed, "checkpoint")
    return replace(method, name=f"{method.name}/{variant}")


def _leave_out(what: str, flags: Mapping[str, Any], told: Told | None = None) -> None:
    """Refuse flags that would do nothing."""
    said = {"--takes": "takes", "--gives": "gives", "--values": "values", "--multiple": "multiple"}
    given = [flag for flag, value in flags.items() if value]
    given += [flag for flag, name in said.items() if told and getattr(told, name) is not None]
    if given:
        raise RecipeError(f"{', '.join(given)}: of no use with {what}: leave it out")


def _baseline(
    name: str, training: TrainingTargets | None, brackets: Brackets | None, settings: Mapping[str, Any]
) -> Method:
    entry = catalog.load("baselines", name)
    settings = plugin_settings(entry, settings)
    needs: Sequence[str] = entry.fact("NEEDS")
    if "training_targets" in needs and training is None:
        raise MissingError(
            f"baseline:{name} needs training targets and the data set has no train split: name another data set with "
            "--training DATASET"
        )
    if "frames" in needs and (brackets is None or not brackets.rows):
        raise MissingError(
            f"baseline:{name} needs a scene's other exposures: give a data set that has them with --dataset"
        )
    function = entry.function()
    if settings:
        _try_settings(name, function, needs, settings)

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        known: dict[str, Any] = {"training_targets": training}
        known |= {n: row[n] for n in ("tau", "transfer") if n in row}
        if "frames" in needs and brackets is not None:
            known["frames"] = brackets.frames(row["scene"])
        try:
            return function(Evidence(image, **{n: known[n] for n in needs if n in known}), **settings)  # type: ignore[no-any-return]
        except ValueError as error:
            raise ModelError(f"baseline:{name}: {row.get('id', 'the input')}: {error}") from error

    facts = {
        "kind": "baseline",
        "baseline": name,
        "title": entry.fact("TITLE"),
        "reference": entry.fact("REFERENCE"),
        "oracle": entry.fact("ORACLE"),
        "needs": list(needs),
        "settings": {**entry.settings, **settings},
    }
    if "training_targets" in needs and training is not None:
        about = {"name": training.dataset.name, "split": training.split, "pixels": training.dataset.pixels}
        facts["training_targets"] = about
    return Method(name, run, facts, entry.fact("GIVES"))


def _try_settings(name: str, function: Callable[..., Any], needs: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Correct a small ramp, so that settings out of their range are a mistake of the caller, known at once."""
    ramp = np.linspace(0, 1, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    frames = tuple(ExposedFrame(ramp**power, math.log2(1 / power)) for power in (2, 1))
    known = {"tau": 0.5, "transfer": "gamma22", "training_targets": [ramp], "frames": frames}
    try:
        function(Evidence(ramp, **{n: known[n] for n in needs if n in known}), **settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise RecipeError(f"baseline:{name}: {error}") from error


def _network(path: Path, checkpoint: Checkpoint, device: torch.device, kind: str) -> Method:
    entry = catalog.load("models", checkpoint.architecture)
    network = build_network(checkpoint).to(device)
    noisy = bool(getattr(entry.module, "NOISY", False))
    whole = entry.fact("OUTPUT_FIELD_OF_VIEW") == "whole image"
    tiled = Tiled(network, entry.fact("MULTIPLE"), whole=whole, noisy=noisy)

    def several(images: Sequence[NDArray[np.float32]], rows: Sequence[Mapping[str, Any]]) -> list[NDArray[np.float32]]:
        drawn = [(int(row.get("draw", 0)), "noise", str(row.get("id", ""))) for row in rows]
        seeds = [draw(*names) for names in drawn] if noisy else None
        made = tiled(torch.cat([to_tensor(image) for image in images]), seeds)
        return [to_image(image) for image in made]

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        return several([image], [row])[0]

    facts = {
        "kind": kind,
        "title": entry.fact("TITLE"),
        "reference": entry.fact("PAPER"),
        "oracle": False,
        "needs": ["input"],
        "architecture": checkpoint.architecture,
        "settings": dict(checkpoint.settings),
        "preprocessing": preprocessing(entry),
        "parameters": sum(p.numel() for p in network.parameters()),
        "checkpoint_sha256": checkpoint.sha256,
        "trained_on": dict(checkpoint.dataset),
        **training_facts(checkpoint.recipe),
        **({"noisy": True} if noisy else {}),
    }
    takes, gives = entry.fact("TAKES"), entry.fact("GIVES")
    accelerated = device.type != "cpu"
    lanes = 1 if accelerated or whole else None
    return Method(_named(path), run, facts, gives, takes, several if accelerated else None, lanes)


def training_facts(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a table says of a training: its steps, its seed, and what was not as in the paper.

    >>> training_facts({"steps_done": 500, "seed": 1, "batch": 4})
    {'steps': 500, 'seed': 1}
    """
    names = {"steps": "steps_done", "seed": "seed", "note": "note"}
    return {name: recipe[key] for name, key in names.items() if key in recipe}


def _onnx(file: ModelFile, told: Told, device: torch.device, timeout_s: float) -> Method:
    network = OnnxNetwork(file, device, timeout_s)
    external = [sha256_file(path) for path in network.external]
    facts = {
        "title": "ONNX model",
        "checkpoint_sha256": file.sha256,
        **({"external_sha256": external} if external else {}),
    }
    return _foreign("onnx", _named(file.path), network, told.filled(), facts, None if device.type == "cpu" else 1)


def _code(what: str, settings: Mapping[str, Any], told: Told, device: torch.device) -> Method:
    made, said, source = from_code(what, settings, device)
    weights: dict[str, Any] = (
        {"parameters": sum(p.numel() for p in made.parameters())} if isinstance(made, torch.nn.Module) else {}
    )
    if weights:
        weights["weights_sha256"] = _weights_sha256(made)
    facts = {"title": f"the user's code, {what}", "settings": dict(settings), "source_sha256": source, **weights}
    return _foreign("code", what.rpartition(".")[2].replace(":", "-"), made, told.filled(*said), facts, 1, device)


def _weights_sha256(network: torch.nn.Module) -> str:
    tensors = (tensor.detach().cpu().contiguous().flatten() for tensor in network.state_dict().values())
    return sha256("".join(sha256(t.view(torch.uint8).numpy().data) for t in tensors if t.numel()).encode())


def _trusted(file: ModelFile, told: Told, timeout_s: float) -> Method:
    run = isolated(file, timeout_s)
    facts = {"title": "a model that is code, run in isolation", "checkpoint_sha256": file.sha256}
    return _foreign("isolated", _named(file.path), run, told.filled(), facts, 1)


def _foreign(
    kind: str,
    name: str,
    network: Any,
    preprocessing: Mapping[str, Any],
    facts: Mapping[str, Any],
    lanes: int | None,
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> Method:
    """A network of somebody else's; in tiles where its layers say that it may be cut, else whole."""
    adapted = Adapted(network, name, preprocessing["values"], preprocessing["multiple"]).eval()
    tiled = _tiled(adapted) if isinstance(network, torch.nn.Module) else None

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        if tiled is not None:
            return to_image(tiled(to_tensor(image)))
        with torch.inference_mode():
            return to_image(adapted(to_tensor(image, device=device)))

    known = {"kind": kind, "reference": "", "oracle": False, "needs": ["input"], "settings": {}, **facts}
    known["preprocessing"] = {**preprocessing, "values": list(preprocessing["values"])}
    return Method(name, run, known, preprocessing["gives"], preprocessing["takes"], lanes=lanes)


def _tiled(network: Adapted) -> Tiled | None:
    """The network in tiles; None where following its layers fails."""
    try:
        probe = Tiled(copy.deepcopy(network), network.multiple)  # some networks keep what they computed, even of shapes
        margin, needed = probe.margin, probe.bytes_per_pixel
    except Exception:  # it is anybody's code, and can fail in any way
        return None
    tiled = Tiled(network, network.multiple)
    tiled.margin, tiled.bytes_per_pixel = margin, needed
    return tiled


def _named(path: Path) -> str:
    return path.stem if path.stem != "model" else path.resolve().parent.name


def corrected(method: Method, image: NDArray[np.float32], row: Mapping[str, Any], bit_depth: int = 8) -> NDArray[Any]:
    """Run a method on one photograph and give the levels that a file of its output holds; light as it is.

    Raises:
        InputError: the method cannot take so large a photograph.
        ModelError: the output has another size, is not finite, or is negative light.
    """
    try:
        output = method.run(image, row)
    except ImageError as error:
        raise InputError(f"{row.get('id', 'the input')} {error}") from error
    return checked_output(method, output, image, row, bit_depth)


def checked_output(
    method: Method, output: NDArray[np.float32], image: NDArray[np.float32], row: Mapping[str, Any], bit_depth: int = 8
) -> NDArray[Any]:
    """What a method made of a photograph, as :func:`corrected` gives it."""
    what = f"{method.name}: {row.get('id', 'the input')}"
    if output.shape != image.shape:
        raise ModelError(
            f"{what}: the output has {output.shape[1]} x {output.shape[0]} pixels, the input {image.shape[1]} x "
            f"{image.shape[0]}: a prediction must keep the input's size"
        )
    if not np.isfinite(output).all():
        raise ModelError(f"{what}: the output holds NaN or infinite values")
    if method.is_network:
        _check_plausible(what, output, image, method)
    if method.gives != "srgb":
        if output.min() < 0:
            raise ModelError(f"{what}: the output holds light below 0")
        return output
    return quantize(output, bit_depth)


def _check_plausible(what: str, output: NDArray[np.float32], image: NDArray[np.float32], method: Method) -> None:
    """Refuse one colour for a photograph that has several, and somebody else's network that gives other numbers."""
    low, high = float(output.min()), float(output.max())
    foreign = method.facts.get("kind") in ("onnx", "code", "isolated")
    asked = ": numbers from 0 to 1 are expected" + ("; does the network give others (--values)?" if foreign else "")
    seen = np.clip((low, high), 0, 1) if method.gives == "srgb" else (low, high)
    if seen[0] == seen[1] and image.min() != image.max():
        hint = asked if (low, high) != tuple(seen) else ": were its weights loaded?"
        raise ModelError(f"{what}: the output is constant ({low:g}{f' to {high:g}' if low != high else ''}){hint}")
    if foreign and method.gives == "srgb" and not PICTURES[0] <= (mean := float(output.mean())) <= PICTURES[1]:
        raise ModelError(f"{what}: the output is {mean:.3g} on average{asked}")
