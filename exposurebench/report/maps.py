"""Where a difference is seen, in colour over a gray picture, with a legend that says whose eye that was."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from exposurebench.camera import preview
from exposurebench.color import REC709, weighted
from exposurebench.images import Image, quantize

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STOPS = (0.0, 0.5, 1.0)
_COLORS = ((1.0, 0.9, 0.1), (1.0, 0.8, 0.0), (0.9, 0.0, 0.05))
_OPACITY = (0.0, 0.75, 0.9)
_DPI = 100
_NARROWEST_PX = 520


def gray(image: Image) -> NDArray[np.float32]:
    """An image as display values of one channel, ``(H, W)``; light as its preview shows it."""
    shown = (image if image.encoding == "srgb" else preview(image.pixels)).as_float()
    luma: NDArray[np.float32] = weighted(shown[..., 0], shown[..., 1], shown[..., 2], REC709)
    return luma


def overlaid(shares: NDArray[np.floating], picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A map over a gray picture: bare where it is 0, yellow at a half, red at 1.

    Args:
        shares: ``(H, W)`` in [0, 1].
        picture: ``(H, W)`` display values.

    Returns:
        ``(H, W, 3)``, 8-bit RGB. Colours are darker where the picture is, so that it stays to be seen.

    >>> overlaid(np.array([[0.0, 1.0]]), np.array([[0.5, 1.0]])).tolist()
    [[[128, 128, 128], [232, 26, 37]]]
    """
    opacity = np.interp(shares, _STOPS, _OPACITY)[..., None]
    ink = np.stack([np.interp(shares, _STOPS, channel) for channel in zip(*_COLORS, strict=True)], -1)
    light = picture[..., None]
    return quantize(((1 - opacity) * light + opacity * ink * (0.4 + 0.6 * light)).astype(np.float32), 8)


def ramp(width: int, height: int) -> NDArray[np.uint8]:
    """The legend's colours: the map's values from 0 to 1 across, over every gray from white down to black."""
    shares = np.broadcast_to(np.linspace(0, 1, width), (height, width))
    return overlaid(shares, np.broadcast_to(np.linspace(1, 0, height)[:, None], (height, width)))


def with_legend(picture: NDArray[np.uint8], title: str, lines: Sequence[str]) -> bytes:
    """A map's picture, pixel by pixel, above a bar of its colours with numbers, a title and some lines, as PNG.

    Not for several threads at once: the library that draws the letters is none for that.
    """
    height, width = picture.shape[:2]
    unit = max(1.0, width / 900)
    margin, font = round(12 * unit), 8 * unit
    whole = max(width, round(_NARROWEST_PX * unit)) + 2 * margin
    row = round(15 * unit)
    wrapped = [part for line in lines for part in textwrap.wrap(line, int((whole - 2 * margin) / (5.9 * unit)))]
    bar = ramp(round(360 * unit), round(22 * unit))
    below = bar.shape[0] + row * (len(wrapped) + 4)
    total = height + below + 2 * margin
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(whole / _DPI, total / _DPI), dpi=_DPI, facecolor="white")
        figure.figimage(picture, margin, total - margin - height, origin="upper")
        top = height + margin + row

        def say(x: float, y: float, text: str, **look: Any) -> None:
            figure.text(
                x / whole, 1 - y / total, text, fontsize=font, va="center", fontfamily="DejaVu Sans", parse_math=False,
                **look,
            )  # fmt: skip

        say(margin, top, title, weight="bold")
        top += row
        figure.figimage(bar, margin, total - top - bar.shape[0], origin="upper")
        for tick in TICKS:
            say(margin + tick * bar.shape[1], top + bar.shape[0] + 0.6 * row, f"{tick:g}", ha="center")
        for number, line in enumerate(wrapped):
            say(margin, top + bar.shape[0] + (number + 2) * row, line)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=_DPI, metadata={"Software": None})
    return data.getvalue()
