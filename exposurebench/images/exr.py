"""OpenEXR files: which colours are read and what is done with them; the library unpacks the pixels."""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import os
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from exposurebench.color import REC709_PRIMARIES, Chromaticity, Primaries, rgb_to_xyz
from exposurebench.errors import ImageError
from exposurebench.images.exr_structure import Part, check_chunks, read_structure
from exposurebench.images.image import Image
from exposurebench.images.light import check_size, to_image

MAGIC = b"\x76\x2f\x31\x01"
_CHANNELS_LIMIT = 8
"""All channels of all parts may hold this many times the pixel limit: the library reads them all."""
_HALF, _FLOAT = 1, 2
# Chroma halfway between two samples: the half-band filter of OpenEXR's own luminance-chroma reader.
_HALF_BAND = np.array([0.002128, -0.007540, 0.019597, -0.043159, 0.087929, -0.186077, 0.627123], np.float32)
_BETWEEN = np.concatenate([_HALF_BAND, _HALF_BAND[::-1]])
_GATE = threading.Lock()


def read_exr(data: bytes, pixel_limit: int) -> Image:
    """Decode the colours of an OpenEXR file to linear Rec. 709.

    The first part that has colours is read, of it the layer without a name or else the first: R, G and B,
    or Y with RY and BY, or Y alone, which is repeated. Colours stay multiplied with their alpha, as they are
    stored. The whole data window is given, the display window is not applied.

    Raises:
        ImageError: the file is truncated, damaged, deep or too large, or has no colours.
    """
    structure, data = read_structure(data)
    parts = structure.parts
    for part in parts:
        check_size(*part.size, pixel_limit)
    samples = sum(math.prod(part.size) * len(part.channels) for part in parts)
    if samples > _CHANNELS_LIMIT * pixel_limit:
        most = _CHANNELS_LIMIT * pixel_limit
        raise ImageError(f"would decode to {samples:,} values in all its channels, over the limit of {most:,}")
    check_chunks(data, structure)
    index, layer, names = _colours(parts)
    part = parts[index]
    planes = _decoded(data, index, parts)
    notes = _notes(parts, index, layer, names)

    primaries, neutral = _primaries(part)
    colours = [planes[layer + name] for name in names]
    if names == ("Y", "RY", "BY"):
        pixels = _from_luma_chroma(colours[0], colours[1], colours[2], primaries or REC709_PRIMARIES)
        notes.append("colours rebuilt from luminance and chroma")
    else:
        pixels = np.asarray(cv2.merge([colours[i % len(names)].astype(np.float32) for i in range(3)]), np.float32)
    facts = _exposure(part)
    if layer + "A" in planes:
        notes.append("alpha dropped")
        lit = (pixels[..., 0] != 0) | (pixels[..., 1] != 0) | (pixels[..., 2] != 0)
        facts["lit_pixels_of_alpha_0"] = int(np.count_nonzero(lit & (planes[layer + "A"] == 0)))
    bit_depth = 16 if all(part.channels[layer + name].depth == _HALF for name in names) else 32
    return to_image(pixels, bit_depth, primaries, neutral, facts=facts, notes=notes)


def encode_exr(light: NDArray[Any]) -> bytes:
    """An OpenEXR file of half or float RGB: scan lines, ZIP, Rec. 709, nothing that changes from run to run.

    Args:
        light: ``(H, W, 3)`` float16 or float32.
    """
    import OpenEXR  # slow to load, and needed for light alone

    header = {
        "type": OpenEXR.scanlineimage,
        "compression": OpenEXR.ZIP_COMPRESSION,
        "chromaticities": tuple(number for corner in REC709_PRIMARIES for number in corner),
    }
    channels = {name: np.ascontiguousarray(light[..., i]) for i, name in enumerate("RGB")}
    stream = io.BytesIO()
    OpenEXR.File(header, channels, num_threads=0).write(stream)
    return stream.getvalue()


def _decoded(data: bytes, index: int, parts: list[Part]) -> dict[str, NDArray[Any]]:
    """The channels of one part, by name."""
    import OpenEXR

    with _quiet() as said:
        try:
            read = OpenEXR.File(io.BytesIO(data), separate_channels=True, num_threads=0).parts
        except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
            raise ImageError(f"is damaged: {_one_line(str(error))}") from error
    whole = {part.part_index: part for part in read}
    if index not in whole:
        raise ImageError(f"is damaged: {_one_line(said.getvalue().rpartition(' - ')[2])}")
    planes = {name: channel.pixels for name, channel in whole[index].channels.items()}
    for name, channel in parts[index].channels.items():
        width, height = (-(-side // step) for side, step in zip(parts[index].size, channel.sampling, strict=True))
        if name not in planes or planes[name].shape != (height, width):
            raise ImageError(f"is damaged: its channel {name!r} has not the size of the picture")
    return planes


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """What the binding prints goes into a text, what the libraries beneath it print goes nowhere.

    They print into both of C's streams, whose buffers are emptied on the way in and out.
    """
    with _GATE, contextlib.redirect_stdout(io.StringIO()) as said, contextlib.ExitStack() as back:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        back.callback(os.close, nowhere)
        _flush()
        for stream in (1, 2):
            with contextlib.suppress(OSError):  # a process without it has nothing to keep quiet
                kept = os.dup(stream)
                back.callback(os.close, kept)
                back.callback(os.dup2, kept, stream)
                os.dup2(nowhere, stream)
        back.callback(_flush)
        yield said


def _flush() -> None:
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200] or "the decoder gave nothing"


def _colours(parts: list[Part]) -> tuple[int, str, tuple[str, ...]]:
    """The first part with colours, the layer they are in (with its dot), and the channels to read."""
    for index, part in enumerate(parts):
        layers = sorted({name[: name.rfind(".") + 1] for name in part.channels})  # the nameless one comes first
        for wanted in (("R", "G", "B"), ("Y", "RY", "BY"), ("Y",)):
            for layer in layers:
                if wanted == ("Y",) and layer + "X" in part.channels:
                    continue  # the Y of a position or of XYZ
                if all(layer + name in part.channels for name in wanted):
                    _check_channels(part, layer, wanted)
                    return index, layer, wanted
    names = ", ".join(name for part in parts for name in part.channels)
    raise ImageError(f"has no colours: expected R, G, B or Y among its channels ({names[:120]})")


def _check_channels(part: Part, layer: str, names: tuple[str, ...]) -> None:
    for name in names:
        depth, sampling = part.channels[layer + name]
        if depth not in (_HALF, _FLOAT):
            raise ImageError(f"holds whole numbers in its channel {layer + name!r}; expected half or float light")
        if sampling != (1, 1) and (name not in ("RY", "BY") or sampling != (2, 2)):
            raise ImageError(
                f"has the sampling {sampling[0]} x {sampling[1]} in its channel {layer + name!r}, which is not read"
            )


def _notes(parts: list[Part], index: int, layer: str, names: tuple[str, ...]) -> list[str]:
    part, notes = parts[index], []
    if len(parts) > 1:
        notes.append(f"part {index + 1} of {len(parts)} read ({part.text('name')})")
    if layer:
        notes.append(f"layer {layer[:-1]} read")
    if names == ("Y",):
        notes.append("gray repeated to three channels")
    others = [name for name in part.channels if name not in {layer + known for known in (*names, "A")}]
    if others:
        notes.append(f"{len(others)} more channels not read ({', '.join(others)[:80]})")
    shown = part.numbers("displayWindow", "<4i")
    if shown != part.window:
        notes.append(f"the data window {part.window} is given, not the display window {shown}")
    aspect = part.numbers("pixelAspectRatio", "<f")
    if aspect and abs(aspect[0] - 1) > 1e-3:
        notes.append(f"pixels are not square (aspect ratio {aspect[0]:g}) and stay as they are")
    return notes


def _primaries(part: Part) -> tuple[Primaries | None, Chromaticity | None]:
    """What RGB stands for and which colour should look neutral, where the file says it."""
    neutral = part.numbers("adoptedNeutral", "<2f")
    corners = part.numbers("chromaticities", "<8f")
    if corners is None:
        return (None, None) if neutral is None else (REC709_PRIMARIES, (neutral[0], neutral[1]))
    x = iter(corners)
    return Primaries(*zip(x, x, strict=True)), None if neutral is None else (neutral[0], neutral[1])


def _exposure(part: Part) -> dict[str, Any]:
    """How much light the camera let in, ``log2(t * S / N ** 2)``, and what 1 stands for, where the file says it."""
    facts: dict[str, Any] = {}
    given = [(part.numbers(name, "<f") or (0.0,))[0] for name in ("expTime", "isoSpeed", "aperture")]
    if all(0 < number < math.inf for number in given):
        time, speed, aperture = given
        facts["exposure_ev"] = math.log2(time * speed / aperture**2)
    (nits,) = part.numbers("whiteLuminance", "<f") or (0.0,)
    if 0 < nits < math.inf:
        facts["nits_per_unit"] = nits
    return facts


def _from_luma_chroma(
    luma: NDArray[Any], red: NDArray[Any], blue: NDArray[Any], primaries: Primaries
) -> NDArray[np.float32]:
    """RGB of ``Y``, ``RY = (R - Y) / Y`` and ``BY = (B - Y) / Y``; the weights of Y follow from the primaries.

    OpenEXR's own reader also pales pixels that are far more saturated than their neighbours; on its Rec. 709
    picture with halved chroma that takes the error against the whole one from 0.0259 to 0.0256 (RMS) and
    worsens it in the dark, so it is left out.

    Source: Technical Introduction to OpenEXR, "Luminance/Chroma Images".
    """
    try:
        weights = rgb_to_xyz(primaries)[1].astype(np.float32)
    except ValueError as error:
        raise ImageError(f"cannot be converted to Rec. 709: {error}") from error
    if weights[1] < 1e-3:
        raise ImageError("cannot be converted to Rec. 709: its green primary has no luminance to rebuild it from")
    luma = luma.astype(np.float32)
    pixels = np.empty((*luma.shape, 3), np.float32)
    for channel, chroma in ((0, red), (2, blue)):
        chroma = chroma.astype(np.float32)
        pixels[..., channel] = (_doubled(chroma) if chroma.shape != luma.shape else chroma) * luma + luma
    pixels[..., 1] = (luma - weights[0] * pixels[..., 0] - weights[2] * pixels[..., 2]) / weights[1]
    return pixels


def _doubled(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Twice as wide and high: samples stay where they are, values between them come from the half-band filter."""
    for axis, kernel in ((1, _BETWEEN[None]), (0, _BETWEEN[:, None])):
        anchor = (6, 0) if axis else (0, 6)
        between = cv2.filter2D(samples, -1, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
        shape = list(samples.shape)
        shape[axis] *= 2
        samples = np.stack([samples, between], axis=axis + 1).reshape(shape)
    return samples
