"""The section of a page that says what cheats gain."""

from __future__ import annotations

from typing import Any

import pandas as pd

from exposurebench.defence import Attacks
from exposurebench.report.attacks import as_text, section


def attack(
    verdict: str, sets: dict[str, Any] | None = None, **gains: tuple[float, float, float, bool]
) -> dict[str, Any]:
    rows = {
        name.replace("__", "/"): {
            "cheat": 20 + value, "honest": 20.0, "gain": value, "low": low, "high": high, "ranks": ranks, "unit": "dB", "margin": 0.1, "better": "higher"
        }
        for name, (value, low, high, ranks) in gains.items()
    }  # fmt: skip
    facts = {"title": "a | title", "exploits": "a weakness", "honest": "an honest row", "reference": "somebody 2021"}
    return {**facts, "gains": rows, "sets": sets or {}, "verdict": verdict}


def found(exposures: tuple[float, ...] = (0.0, 1.0), **attacks: dict[str, Any]) -> Attacks:
    document = {"track": "light", "date": "2026-01-02", "attacks": attacks}
    return Attacks(document, pd.DataFrame({"exposure_ev": exposures}))


def test_a_gain_that_is_no_headline_is_said() -> None:
    sparkle = attack("holds", pu21_psnr=(-1.5, -2, -1, True), pu21_psnr__percentile=(14.4, 12, 16, False))
    for text in (section(found(sparkle=sparkle)), as_text(found(sparkle=sparkle))):
        assert "+14.40 dB" in text
        assert "of pu21_psnr/percentile, by which nothing is ranked here" in text
        assert "\u22121.50 dB" in text
        assert "All 1 cheats are kept down, or out." in text
    quiet = attack("holds", pu21_psnr=(-1.5, -2, -1, True), pu21_psnr__percentile=(14.4, -12, 40, False))
    assert "of pu21_psnr/percentile" not in section(found(quiet=quiet)), "not sure, not said"


def test_a_broken_track_says_so_and_claims_nothing_else() -> None:
    shown = section(found(gap_reader=attack("broken", psnr=(9.8, 2, 19, True))))
    assert "Nothing is ranked: not kept down: gap_reader (broken)." in shown
    assert "kept down." not in shown.replace("not kept down", "")


def test_sets_and_what_cannot_be_read_are_said() -> None:
    better = attack("holds", {"histogram_similarity.mean": {"cheat": 0.6, "honest": 0.2}}, psnr=(0, 0, 0, True))
    shown = as_text(found((1.0, 1.0), metadata_reader=better))
    assert "60.0 % of histogram_similarity.mean where the honest row has 20.0 %" in shown
    assert "nothing to read here" in shown
    assert "nothing to read here" not in as_text(found(metadata_reader=better))


def test_words_cannot_break_the_page() -> None:
    table = [line for line in section(found(x=attack("holds", psnr=(0, 0, 0, True)))).splitlines() if line[:1] == "|"]
    assert len(table) == 3
    assert "a \\| title" in section(found(x=attack("holds", psnr=(0, 0, 0, True))))
