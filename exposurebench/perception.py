"""Absolute light as the eye tells it apart: encodings of luminance in cd/m2, and chromaticities in u'v'.

Arithmetic through operators (and ``clip``), so that NumPy arrays and torch tensors go through the same lines.
"""

from __future__ import annotations

from typing import Any

from exposurebench.color import A, Weights, weighted

PU21_BLACK = 0.005
PU21_PEAK = 10_000.0
"""The luminances, in cd/m2, between which PU21 is defined; light beyond them counts as them."""
PU21_LUMINANCE: Weights = (0.212656, 0.715158, 0.072186)
"""Luminance of linear Rec. 709 RGB with the digits that the PU21 metrics use."""
PU21_BANDING_GLARE = (
    0.353487901,
    0.3734658629,
    8.277049286e-05,
    0.9062562627,
    0.09150303166,
    0.9099517204,
    596.3148142,
)
"""The fit that the authors tell people to use. An earlier set, which differs by up to 5 %, is still about."""

_PQ_PEAK = 10_000.0
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pu21_encode(light: A) -> A:
    """Light to values whose equal steps look equally large, on the scale of 8-bit images at 100 cd/m2.

    ``V = max(p7 (((p1 + p2 Y^p4) / (1 + p3 Y^p4))^p5 - p6), 0)`` with the ``banding_glare`` constants.

    Args:
        light: cd/m2, any shape; luminance, or RGB of which each channel is taken for one. Beyond 0.005 and
            10,000 it counts as those.

    Returns:
        The same shape, from 0 to 595.4; 100 cd/m2 is 256.4.

    Source: Mantiuk and Azimi 2021, eq. 4.

    >>> import numpy as np
    >>> pu21_encode(np.array([1.0, 100.0, 1000.0, 10_000.0])).round(2).tolist()
    [36.54, 256.38, 420.1, 595.39]
    """
    p1, p2, p3, p4, p5, p6, p7 = PU21_BANDING_GLARE
    power = light.clip(PU21_BLACK, PU21_PEAK) ** p4
    return (p7 * (((p1 + p2 * power) / (1 + p3 * power)) ** p5 - p6)).clip(0, None)


def pu21_luminance(light: A) -> A:
    """The PU21 value of the luminance of linear Rec. 709 light, ``(N, 3, H, W)`` to ``(N, 1, H, W)``.

    >>> import numpy as np
    >>> pu21_luminance(np.full((1, 3, 1, 1), 100.0)).round(2).tolist()
    [[[[256.38]]]]
    """
    return pu21_encode(weighted(light[:, 0:1], light[:, 1:2], light[:, 2:3], PU21_LUMINANCE))


def pq_encode(light: A) -> A:
    """Light to the signal of the perceptual quantizer, ``((c1 + c2 y^m1) / (1 + c3 y^m1))^m2``, y = light / 10,000.

    Args:
        light: cd/m2, any shape; beyond 0 and 10,000 it counts as those.

    Returns:
        The same shape, in [0, 1].

    Source: SMPTE ST 2084; ITU-R BT.2100, table 4.

    >>> import numpy as np
    >>> pq_encode(np.array([0.0, 100.0, 10_000.0])).round(4).tolist()
    [0.0, 0.5081, 1.0]
    """
    power = (light / _PQ_PEAK).clip(0, 1) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def pq_decode(signal: A) -> A:
    """The signal of the perceptual quantizer to light in cd/m2; the inverse of :func:`pq_encode`.

    >>> import numpy as np
    >>> pq_decode(pq_encode(np.array([0.01, 100.0, 4000.0]))).round(9).tolist()
    [0.01, 100.0, 4000.0]
    """
    root = signal.clip(0, 1) ** (1 / _M2)
    return _PQ_PEAK * ((root - _C1).clip(0, None) / (_C2 - _C3 * root)) ** (1 / _M1)


def xyz_to_uv(x: A, y: A, z: A) -> tuple[Any, Any]:
    """The chromaticity of light: ``u' = 4 X / (X + 15 Y + 3 Z)``, ``v' = 9 Y / (X + 15 Y + 3 Z)``.

    Source: CIE 15:2004, section 8.2.1 (CIE 1976 uniform chromaticity scale).

    >>> [round(value, 4) for value in xyz_to_uv(0.9505, 1.0, 1.0891)]
    [0.1978, 0.4683]
    """
    total = x + 15 * y + 3 * z
    return 4 * x / total, 9 * y / total


def uv_to_xyz(u: A, v: A, luminance: A) -> tuple[Any, Any, Any]:
    """Chromaticity and luminance to XYZ: ``X = 9 u' / (4 v') Y``, ``Z = (12 - 3 u' - 20 v') / (4 v') Y``.

    >>> [round(value, 4) for value in uv_to_xyz(*xyz_to_uv(0.3, 0.4, 0.5), 0.4)]
    [0.3, 0.4, 0.5]
    """
    scale = luminance / (4 * v)
    return 9 * u * scale, luminance, (12 - 3 * u - 20 * v) * scale
