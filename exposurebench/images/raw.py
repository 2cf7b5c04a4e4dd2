"""Read RAW files as scene light through LibRaw, with the sensor's saturation beside it.

What 1.0 means: the light at which the channel with the smallest white-balance multiplier (green, as a rule)
reaches the sensor's limit. It follows from the file's black and white levels and the multipliers alone, never
from the picture, so frames of one camera under one fixed white balance share a scale. The limit is LibRaw's
white level, or the lower one that the camera states, the least of the channels.

With ``highlight_mode="clip"`` every channel ends at 1.0, so what saturates is neutral white; the other modes
keep the scale and go above it where the other channels still measured.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import rawpy
from numpy.typing import NDArray

from exposurebench.errors import ImageError
from exposurebench.images.exif import Exposure, completed, stated_exposure
from exposurebench.images.image import BYTE_LIMIT, PIXEL_LIMIT, Image
from exposurebench.images.tiff import directories

WhiteBalance = Literal["camera", "daylight"] | Sequence[float]
OutputColor = Literal["srgb", "raw"]
HighlightMode = Literal["clip", "blend", "reconstruct", "ignore"]
Demosaic = Literal["linear", "vng", "ppg", "ahd", "dcb", "dht", "aahd"]

_HIGHLIGHTS = {
    "clip": rawpy.HighlightMode.Clip,
    "blend": rawpy.HighlightMode.Blend,
    "reconstruct": rawpy.HighlightMode.ReconstructDefault,
    "ignore": rawpy.HighlightMode.Ignore,
}
_JPEG_INSIDE = ((6,), (7,), (34892,))
"""TIFF compressions that are JPEG streams: their decoder fills what is missing with gray and says nothing."""


def read_raw(
    source: str | Path | bytes,
    *,
    white_balance: WhiteBalance = "camera",
    output_color: OutputColor = "srgb",
    highlight_mode: HighlightMode = "clip",
    demosaic: Demosaic = "ahd",
    half_size: bool = False,
    pixel_limit: int = PIXEL_LIMIT,
) -> Image:
    """Read one RAW file as linear light.

    ``value = (raw - black) / (white - black) * multiplier / smallest multiplier``, then demosaicing, then the
    camera's colour matrix, which leaves white where it is. Neither brightness nor levels depend on the picture.

    Args:
        source: a path, or the file's bytes.
        white_balance: ``camera`` as it was set when taken (where void: daylight, noted), ``daylight``, or
            multipliers (r, g, b) or (r, g, b, g2) in any scale: give all frames of a bracket the same.
        output_color: ``srgb`` for linear Rec. 709, ``raw`` for the camera's own white-balanced channels.
        highlight_mode: ``clip`` ends every channel at 1; ``blend`` and ``reconstruct`` are LibRaw's; ``ignore``
            leaves the other channels as measured (magenta where green saturates).
        demosaic: the algorithm, by LibRaw's name; sensors other than Bayer's get LibRaw's nearest.
        half_size: one pixel for each 2 x 2 photosites, without interpolation.
        pixel_limit: refuse larger images, from the header.

    Returns:
        Pixels ``(H, W, 3)`` float32 at or above 0, upright and of square pixels; ``saturated``: the pixels
        of which any photosite that linear interpolation would use is at or above its limit, before white
        balance; facts (``libraw``, ``demosaic``, ``white_balance``: r, g, b, g2 with the smallest 1,
        ``black_level``, ``white_level``, and of ``exposure_ev``, ``exposure_time_s``, ``iso``, ``f_number``,
        ``camera`` what the file tells); notes.

    Raises:
        ImageError: the file is no RAW file that LibRaw reads, is damaged, truncated or too large.
        ValueError: a setting is unknown or a multiplier is not positive.
    """
    check_settings(white_balance, output_color, highlight_mode, demosaic)
    data = source if isinstance(source, bytes) else _bytes(Path(source))
    if data.startswith(b"\xff\xd8\xff"):
        raise ImageError("is JPEG data under a RAW name: rename it to .jpg")
    _check_whole(data)
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            _check_size(raw, pixel_limit)
            raw.unpack()
            multipliers, notes = _multipliers(raw, white_balance)
            limits, black = _limits(raw)
            saturated = _at_limit(raw, limits)
            settings: dict[str, Any] = {
                "half_size": half_size,
                "gamma": (1, 1),
                "no_auto_bright": True,
                "adjust_maximum_thr": 0,
            }
            levels = raw.postprocess(
                **settings,
                demosaic_algorithm=rawpy.DemosaicAlgorithm[demosaic.upper()],
                output_color=rawpy.ColorSpace.sRGB if output_color == "srgb" else rawpy.ColorSpace.raw,
                output_bps=16,
                highlight_mode=_HIGHLIGHTS[highlight_mode],
                user_wb=multipliers,
                user_sat=_room(limits, black),
            )
            mask = _developed(raw, saturated, settings) if saturated.any() else np.zeros(levels.shape[:2], bool)
            exposure, told = stated_exposure(data)
            if not told:
                exposure = completed(exposure, raw)
            notes += _geometry_notes(raw, levels)
            if output_color == "srgb" and not raw.color_matrix.any() and not raw.rgb_xyz_matrix.any():
                notes.append("no colour matrix: the camera's own primaries kept")
    except (rawpy.LibRawError, OSError) as error:
        raise ImageError(_reason(error)) from error
    if levels.shape[2] == 4:
        raise ImageError("has four colours: output_color raw gives three only, ask for srgb")
    scale = 1.0 if highlight_mode == "clip" else max(multipliers)
    facts = {
        "libraw": ".".join(map(str, rawpy.libraw_version)),
        "demosaic": demosaic,
        "white_balance": tuple(round(value, 6) for value in multipliers),
        "black_level": min(black),
        "white_level": min(limits),
        **_exposure_facts(exposure),
    }
    light = levels.astype(np.float32) * np.float32(scale / 65535)
    return Image(
        pixels=light if levels.shape[2] == 3 else np.repeat(light, 3, axis=2),
        bit_depth=16,
        encoding="linear",
        notes=(*notes, *(["gray repeated to three channels"] if levels.shape[2] == 1 else [])),
        saturated=mask,
        facts=facts,
    )


def camera_multipliers(path: str | Path) -> list[float]:
    """The white balance that a RAW file was taken under (red, green, blue, second green, the smallest 1), for others.

    Raises:
        ImageError: the file is no RAW file that LibRaw reads.
    """
    data = _bytes(Path(path))
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            return _multipliers(raw, "camera")[0]
    except (rawpy.LibRawError, OSError) as error:
        raise ImageError(_reason(error)) from error


def check_settings(white_balance: WhiteBalance, output_color: str, highlight_mode: str, demosaic: str) -> None:
    for name, value, known in (
        ("output_color", output_color, get_args(OutputColor)),
        ("highlight_mode", highlight_mode, get_args(HighlightMode)),
        ("demosaic", demosaic, get_args(Demosaic)),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if isinstance(white_balance, str):
        if white_balance not in ("camera", "daylight"):
            raise ValueError(f"white_balance must be camera, daylight or multipliers, not {white_balance!r}")
    elif len(white_balance) not in (3, 4) or not all(0 < value < np.inf for value in white_balance):
        raise ValueError(f"white_balance takes three or four positive multipliers, not {white_balance}")


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ImageError("is not a regular file" if path.exists() else "does not exist")
        if path.stat().st_size > BYTE_LIMIT:
            raise ImageError(f"is larger than {BYTE_LIMIT >> 30} GiB")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be opened ({error.strerror})") from error


def _check_whole(data: bytes) -> None:
    """LibRaw reports every other file that ends early; a JPEG stream that does becomes gray without a word."""
    if not data:
        raise ImageError("is empty (0 bytes)")
    for directory in directories(data) if data[2:4] in (b"*\0", b"\0*") else ():
        for where, size in ((273, 279), (324, 325)):
            if directory.get(259) in _JPEG_INSIDE:
                ends = [a + b for a, b in zip(directory.get(where, ()), directory.get(size, ()), strict=False)]
                if max(ends, default=0) > len(data):
                    raise ImageError(f"is truncated: {len(data)} of at least {max(ends):.0f} bytes")


def _check_size(raw: Any, pixel_limit: int) -> None:
    sizes = raw.sizes
    stretch = max(sizes.pixel_aspect, 1 / sizes.pixel_aspect) if sizes.pixel_aspect > 0 else 1
    if max(sizes.raw_width * sizes.raw_height, sizes.width * sizes.height * stretch) > pixel_limit:
        raise ImageError(f"holds {sizes.raw_width} x {sizes.raw_height} photosites, over the limit of {pixel_limit:,}")


def _multipliers(raw: Any, white_balance: WhiteBalance) -> tuple[list[float], list[str]]:
    """Red, green, blue, second green, the smallest 1; a second green that is not told is the first."""
    notes = []
    if isinstance(white_balance, str):
        values = raw.camera_whitebalance if white_balance == "camera" else raw.daylight_whitebalance
        if min(values[:3]) <= 0 and white_balance == "camera":
            notes.append("no camera white balance: daylight used")
            values = raw.daylight_whitebalance
        if min(values[:3]) <= 0:
            notes.append("no daylight white balance: none applied")
            values = [1.0, 1.0, 1.0, 1.0]
    else:
        values = list(white_balance)
    values = [*values[:3], values[3] if len(values) > 3 and values[3] > 0 else values[1]]
    return [float(value) / min(values) for value in values], notes


def _limits(raw: Any) -> tuple[list[int], list[int]]:
    """The level of each channel at which it counts as saturated, and its black level."""
    stated = raw.camera_white_level_per_channel or [0] * 4
    white = raw.white_level
    limits = [level if white / 2 < level < white else white for level in stated]
    return limits, list(raw.black_level_per_channel)


def _room(limits: list[int], black: list[int]) -> int:
    """Levels between black and the limit, the least of the channels: what becomes 1.0."""
    room = min(limit - dark for limit, dark in zip(limits, black, strict=True))
    if not 0 < room <= 65535:
        raise ImageError(f"is damaged: its white level {min(limits)} does not fit its black level {max(black)}")
    return room


def _at_limit(raw: Any, limits: list[int]) -> NDArray[np.bool_]:
    """Which photosites (of all, margins included) are at or above their channel's limit."""
    levels = raw.raw_image
    if levels.ndim == 3:
        return np.asarray((levels[..., :3] >= np.array(limits[:3])).any(axis=2))
    if len(set(limits)) == 1:
        return np.asarray(levels >= limits[0])
    return np.asarray(levels >= np.array(limits)[raw.raw_colors])


def _developed(raw: Any, saturated: NDArray[np.bool_], settings: dict[str, Any]) -> NDArray[np.bool_]:
    """The mask as a picture: through LibRaw itself, so that margins, rotation and stretching are the image's.

    Linear interpolation of 0 and the highest level is above 0 wherever a saturated photosite has a part in it.
    """
    levels = raw.raw_image
    levels[:] = np.where(saturated if levels.ndim == 2 else saturated[..., None], np.iinfo(levels.dtype).max, 0)
    picture = raw.postprocess(
        **settings,
        demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
        output_color=rawpy.ColorSpace.raw,
        output_bps=8,
        no_auto_scale=True,
    )
    return np.asarray(picture.any(axis=2))


def _geometry_notes(raw: Any, levels: NDArray[Any]) -> list[str]:
    sizes = raw.sizes
    notes = []
    if abs(sizes.pixel_aspect - 1) > 0.005:
        notes.append(f"non-square pixels: stretched to {levels.shape[1]}x{levels.shape[0]}")
    if sizes.flip:
        notes.append(f"rotated as the camera says ({ {3: 180, 5: 270, 6: 90}.get(sizes.flip, 0) } degrees clockwise)")
    return notes


def _exposure_facts(exposure: Exposure) -> dict[str, Any]:
    told = {
        "exposure_ev": exposure.exposure_ev,
        "exposure_time_s": exposure.time_s,
        "iso": exposure.iso,
        "f_number": exposure.f_number,
        "camera": exposure.model,
    }
    return {name: value for name, value in told.items() if value is not None}


def _reason(error: Exception) -> str:
    if isinstance(error, rawpy.LibRawFileUnsupportedError):
        return "is no RAW file that LibRaw knows, or its end is missing"
    if isinstance(error, rawpy.LibRawIOError | rawpy.LibRawDataError):
        return "is truncated, damaged or no RAW file: LibRaw ran out of data that make sense"
    words = error.args[0] if error.args else error
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return f"cannot be decoded by LibRaw: {' '.join(text.split())[:200]}"
