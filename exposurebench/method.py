"""What corrects photographs: a baseline, a checkpoint, a folder of images that another program made."""

from __future__ import annotations

import functools
import hashlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exposurebench import catalog
from exposurebench.checkpoint import as_variant, build_network, load_checkpoint
from exposurebench.dataset import Dataset
from exposurebench.errors import ImageError, InputError, MissingError, ModelError, RecipeError
from exposurebench.files import sha256_file
from exposurebench.images import Encoding, quantize, read_image
from exposurebench.recipe import draw, plugin_settings
from exposurebench.scene import Evidence, ExposedFrame
from exposurebench.scoring import check_unmended
from exposurebench.tensors import checked_device, to_image, to_tensor
from exposurebench.tiling import Tiled


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
    """

    name: str
    run: Callable[[NDArray[np.float32], Mapping[str, Any]], NDArray[np.float32]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    gives: Encoding = "srgb"
    takes: Encoding = "srgb"
    several: (
        Callable[[Sequence[NDArray[np.float32]], Sequence[Mapping[str, Any]]], list[NDArray[np.float32]]] | None
    ) = None


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
    what: str,
    *,
    training: TrainingTargets | None = None,
    brackets: Brackets | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Method:
    """A method by what a person calls it: ``baseline:NAME`` or the path of a checkpoint.

    A checkpoint has one setting, ``variant``: what of its network's work it is to give, where there is a choice.

    Raises:
        RecipeError: no such baseline or setting.
        MissingError: a baseline needs training targets or brackets and there are none.
        InputError, UnsafeModelError: the checkpoint cannot be used, or a scene has one exposure and the baseline
            needs more.
    """
    kind, colon, name = what.partition(":")
    if colon and kind == "baseline":
        return _baseline(name, training, brackets, settings or {})
    if not Path(what).exists():
        raise InputError(
            f"{what!r}: no such file; expected a checkpoint, baseline:NAME (see exposurebench baselines), or --predictions DIR"
        )
    rest = dict(settings or {})
    variant = str(rest.pop("variant", ""))
    if rest:
        raise RecipeError(f"a checkpoint has its settings in it: leave out {', '.join(rest)}")
    return _checkpoint(Path(what), device, variant)


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


def _checkpoint(path: Path, device: str, variant: str) -> Method:
    checkpoint = load_checkpoint(path)
    if variant:
        checkpoint = as_variant(checkpoint, variant)
    entry = catalog.load("models", checkpoint.architecture)
    placed = checked_device(device)
    network = build_network(checkpoint).to(placed)
    noisy = bool(getattr(entry.module, "NOISY", False))
    whole = entry.fact("OUTPUT_FIELD_OF_VIEW") == "whole image"
    tiled = Tiled(network, entry.fact("MULTIPLE"), whole=whole, noisy=noisy)

    def several(images: Sequence[NDArray[np.float32]], rows: Sequence[Mapping[str, Any]]) -> list[NDArray[np.float32]]:
        seeds = [draw(0, "noise", str(row.get("id", ""))) for row in rows] if noisy else None
        made = tiled(torch.cat([to_tensor(image) for image in images]), seeds)
        return [to_image(image) for image in made]

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        return several([image], [row])[0]

    facts = {
        "kind": "checkpoint",
        "title": entry.fact("TITLE"),
        "reference": entry.fact("PAPER"),
        "oracle": False,
        "needs": ["input"],
        "architecture": checkpoint.architecture,
        "settings": dict(checkpoint.settings),
        "parameters": sum(p.numel() for p in network.parameters()),
        "checkpoint_sha256": checkpoint.sha256,
        "trained_on": dict(checkpoint.dataset),
    }
    name = path.stem if path.stem != "model" else path.resolve().parent.name
    name = f"{name}/{variant}" if variant else name
    takes, gives = entry.fact("TAKES"), entry.fact("GIVES")
    return Method(name, run, facts, gives, takes, several if placed.type != "cpu" else None)


def open_predictions(
    folder: str | Path, name: str, rows: Sequence[Mapping[str, Any]], gives: Encoding = "srgb"
) -> Method:
    """Images that another program made, matched to the manifest by their key or the input's file name.

    Args:
        folder: where they lie.
        name: what the method is called in tables.
        rows: the manifest.
        gives: ``srgb``, or ``linear`` for light in OpenEXR files or Radiance pictures.

    Raises:
        InputError: predictions are missing or ambiguous; the message names the first few.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}: give the predictions' folder with --predictions")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path)
    chosen: dict[str, Path] = {}
    missing = []
    for row in rows:
        candidates = found.get(row["id"]) or found.get(Path(row["input_file_name"]).stem) or []
        if len(candidates) > 1:
            raise InputError(
                f"two predictions for {row['id']!r}: {candidates[0].name} and {candidates[1].name}; keep one"
            )
        if candidates:
            chosen[row["id"]] = candidates[0]
        else:
            missing.append(row["id"])
    if missing:
        raise InputError(
            f"{len(missing)} of {len(rows)} predictions are missing in {str(folder)!r}: "
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}; expected files named after the input's key"
        )
    digest = hashlib.sha256()
    for key in sorted(chosen):
        digest.update(f"{key} {sha256_file(chosen[key])}\n".encode())

    def run(image: NDArray[np.float32], row: Mapping[str, Any]) -> NDArray[np.float32]:
        try:
            made = read_image(chosen[row["id"]], encoding=gives)
        except ImageError as error:
            raise InputError(f"{str(chosen[row['id']])!r} {error}") from error
        check_unmended(chosen[row["id"]], made)
        return made.as_float()

    facts = {"kind": "predictions", "title": "submitted images", "reference": "", "oracle": False, "needs": ["input"]}
    return Method(name, run, {**facts, "settings": {}, "predictions_sha256": digest.hexdigest()}, gives)


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
    if method.gives != "srgb":
        if output.min() < 0:
            raise ModelError(f"{what}: the output holds light below 0")
        return output
    return quantize(output, bit_depth)
