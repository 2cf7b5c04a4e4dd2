"""The inverse of clipping at a known threshold: all that can be had without inventing anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exposurebench.color import Transfer
from exposurebench.exposure import underexpose
from exposurebench.scene import Evidence

TITLE = "light scaled back by the true threshold"
TAKES = "srgb"
GIVES = "srgb"
REFERENCE = "Le Jeune 2019, Image enhancement with generative adversarial networks, section 3.6"
NEEDS = ("input", "tau", "transfer")
ORACLE = True
BLIND_TAU = 0.75
"""The middle of the thresholds that paper 0 draws."""
VARIANTS = {"blind": {"tau": 0.75, "transfer": "gamma22"}}
VARIANT_FACTS = {"blind": {"TITLE": "light scaled back by one threshold, 0.75", "NEEDS": ("input",), "ORACLE": False}}


def inverse_clip(
    evidence: Evidence, *, tau: float | None = None, transfer: Transfer | None = None
) -> NDArray[np.float32]:
    """Scale the light back by the clipping threshold, ``y = (tau * x ** 2.2) ** (1 / 2.2)``.

    For gamma22 that is ``y = t * x`` with ``t = tau ** (1 / 2.2)``: exact where nothing was clipped, flat
    ``t`` where something was.

    Args:
        evidence: the input, ``(H, W, 3)`` float32, display-encoded, [0, 1], its true threshold and transfer.
        tau: one threshold for every input, in (0, 1]; the true one is then not looked at. The variant
            ``blind`` takes 0.75, the middle of the thresholds that paper 0 draws.
        transfer: how display values and light relate: ``gamma22`` or ``srgb``; by default the data set's.

    Returns:
        ``(H, W, 3)`` float32, display-encoded, [0, 1].

    Raises:
        ValueError: no threshold is known, one outside (0, 1], or an unknown transfer.

    Source: paper 0, section 3.6.

    >>> white = np.ones((1, 1, 3), np.float32)
    >>> round(float(inverse_clip(Evidence(white, tau=0.5))[0, 0, 0]), 4)
    0.7297
    """
    if tau is None:
        tau = evidence.tau
    if tau is None:
        raise ValueError("inverse_clip needs the true tau, which this input lacks: take inverse_clip/blind")
    if transfer is None:
        transfer = evidence.transfer or "gamma22"
    return underexpose(evidence.input, tau, transfer).clip(0, 1)  # type: ignore[no-any-return]
