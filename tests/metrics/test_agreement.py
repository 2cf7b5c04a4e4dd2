"""Every metric against the programs of its authors and of others, on all pairs that they scored.

    python -m pytest -s tests/metrics/test_agreement.py

prints the table: metric, program, how many pairs, the largest difference, what is allowed.
"""

from typing import Any, NamedTuple

import pytest
import torch

from exposurebench import catalog

HEADER = "| metric | reference program | pairs | largest difference | allowed |\n|---|---|---|---|---|"


class Row(NamedTuple):
    """One of our metrics, the rows of the reference values that it must give again, and how nearly."""

    name: str
    metric: str
    params: str
    program: str
    pairs: int
    allowed: float
    settings: dict[str, Any] = {}  # noqa: RUF012 (never changed)

    def __str__(self) -> str:
        return f"{self.name}-{self.params}-{self.program}".replace(" ", "_")


ROWS = [
    Row("psnr", "PSNR", "rgb, peak=255", "closed form", 12, 1e-9),
    Row("psnr", "PSNR", "all channels, data_range=255", "scikit-image", 9, 1e-9),
    Row("ssim", "SSIM", "gaussian11-1.5, valid, rgb-mean", "ssim_index_new.m", 12, 1e-9),
    Row("ssim", "SSIM", "gaussian11-1.5, valid, luma-float", "ssim_index_new.m", 12, 1e-9, {"color": "luma"}),
    Row("ssim", "SSIM", "gaussian11-1.5, valid, luma-uint8", "ssim_index_new.m", 9, 1e-9, {"color": "luma8"}),
    Row(
        "ssim",
        "SSIM",
        "gaussian sigma1.5 win11, use_sample_covariance=False, rgb channel mean, range=255",
        "scikit-image",
        7,
        1e-9,
    ),
    Row("ssim", "SSIM", "gaussian11-1.5, downsample=False, all channels mean", "piq", 9, 1e-9),
    # an even mean filter with no border to mirror is the same in both; odd ones are compared in test_ssim
    Row("ssim/wang", "SSIM", "gaussian11-1.5, downsample=True (library default), luma-float", "piq", 9, 1e-9),
    Row("ms_ssim", "MS-SSIM", "5 scales, luma-float", "msssim.m", 12, 1e-9),
    Row("ms_ssim/luma8", "MS-SSIM", "5 scales, luma-uint8", "msssim.m", 9, 1e-9),
    Row("fsim", "FSIM", "-", "FeatureSIM", 12, 1e-9),
    Row("fsimc", "FSIMc", "-", "FeatureSIM", 12, 1e-9),
    Row("fsim", "FSIM", "chromatic=False", "piq", 9, 1e-5),
    Row("fsimc", "FSIMc", "chromatic=True", "piq", 7, 1e-4),
    Row("fsimc", "FSIMc", "colour FSIM (the file calls it fsim)", "official MATLAB", 3, 5.1e-5),
]


@pytest.fixture(scope="module", autouse=True)
def header():
    print(f"\n{HEADER}")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_agrees(references, row):
    entry = catalog.load("metrics", row.name)
    # the levels of arrays are not whole, and the program that was given them did not round them
    kinds = ("ldr",) if "uint8" in row.params else ("ldr", "hdr_luminance")
    found = [
        abs(entry.function()(prediction, target, **row.settings).item() - score)
        for prediction, target, score in references.scores(row.metric, row.params, row.program, kinds)
    ]
    settings = "".join(f", {key} {value}" for key, value in row.settings.items())
    program = f"{row.program}: {row.params}" if row.params != "-" else row.program
    print(f"| {row.name}{settings} | {program} | {len(found)} | {max(found):.1e} | {row.allowed:.0e} |")
    assert len(found) == row.pairs
    assert max(found) <= row.allowed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "metric", "params"),
    [
        ("ssim", "SSIM", "gaussian11-1.5, valid, rgb-mean"),
        ("ms_ssim", "MS-SSIM", "5 scales, luma-float"),
        ("fsim", "FSIM", "-"),
        ("fsimc", "FSIMc", "-"),
    ],
)
def test_single_precision_is_nearly_as_good(references, name, metric, params):
    """Of photographs; the faint patterns on a flat gray are changed as much by being rounded to float32."""
    score = catalog.load("metrics", name).function()
    for kind, allowed, pairs in (("ldr", 1e-6, 9), ("hdr_luminance", 1e-4, 3)):
        found = []
        for prediction, target, value in references.scores(metric, params, "Octave", (kind,)):
            single = score(prediction.float(), target.float())
            assert single.dtype == torch.float32
            found.append(abs(single.item() - value))
        assert len(found) == pairs
        assert max(found) <= allowed
