"""Cheats run on small data sets: those that leak are found out, those that do not are not blamed."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from exposurebench import attack as module
from exposurebench.attack import attack, clues, embedded
from exposurebench.dataset import Dataset, load_dataset
from exposurebench.defence import Attacks, read, write
from exposurebench.errors import InputError, TrackError
from exposurebench.evaluate import evaluate
from exposurebench.make_dataset import make_dataset
from exposurebench.quickstart import build_samples
from exposurebench.recipe import dataset_recipe
from exposurebench.track import Track, pairs_of, track_named

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"


def track_of(opened: Dataset, metrics: dict[str, int], split: str = "test") -> Track:
    """A track of a data set that was built for a test."""
    baseline = "identity" if opened.gives == "srgb" else "brightness"
    pairs = pairs_of(evaluate(f"baseline:{baseline}", opened.folder, metrics=list(metrics), split=split).per_image)
    return Track("a title", "about it", "samples-tau50-v1", split, metrics, opened.pixels, pairs)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Dataset, Attacks]]:
    """Builds small pairs of the embedded photographs and sets the cheats on them."""

    def attacked(**settings: Any) -> tuple[Dataset, Attacks]:
        recipe = dataset_recipe({"source": "samples", "size": 128, "well_exposed": 1, "seed": 1, **settings})
        opened = make_dataset(recipe, tmp_path_factory.mktemp("attacked") / "set", card=False).dataset
        return opened, attack("small", track_of(opened, {"psnr": 1}), opened.folder, date="2026-01-02")

    return attacked


def test_a_table_over_drawn_thresholds_rewards_the_gap_reader(attacked: Callable[..., Any], tmp_path: Path) -> None:
    """What the literal form of the pairs gives away is worth 9 to 10 dB, and the track is refused for it."""
    _, found = attacked(tau="0.3:0.9", form="literal")
    assert found.verdicts["gap_reader"] == "broken"
    assert found.document["attacks"]["gap_reader"]["gains"]["psnr"]["gain"] == pytest.approx(9.8, abs=0.5)
    assert "gap_reader (broken)" in found.withheld
    with pytest.raises(TrackError, match=r"the track small rewards a cheat: gap_reader gains \+9\.\d+ dB"):
        found.refuse_broken()
    written = write(found, tmp_path)
    assert [path.name for path in written] == ["attacks.json", "attacks.csv"]
    again = read("small", tmp_path)
    assert again is not None
    assert again.document["attacks"] == found.document["attacks"]
    assert again.per_image.equals(found.per_image)


def test_the_camera_form_over_drawn_thresholds_rewards_nobody(attacked: Callable[..., Any]) -> None:
    _, found = attacked(tau="0.3:0.9", form="camera")
    verdicts = found.verdicts
    assert verdicts["gap_reader"] == verdicts["train_mean"] == verdicts["white_crop"] == "holds"
    assert verdicts["white_crop/cut"] == "refused"
    assert "a prediction must keep the input's size" in found.document["attacks"]["white_crop/cut"]["refused"]
    gains = {name: each["gains"].get("psnr") for name, each in found.document["attacks"].items()}
    assert gains["metadata_reader"]["low"] <= 0.1, "files of drawn thresholds say nothing of them"
    assert verdicts["gt_mean"] == "barred", "it gains, and it needs the target"
    assert gains["gt_mean"]["gain"] > 5
    assert found.withheld == ""
    found.refuse_broken()


def test_names_that_tell_the_setting_are_read(attacked: Callable[..., Any]) -> None:
    opened, found = attacked(tau=[0.4, 0.7], form="camera")
    gain = found.document["attacks"]["metadata_reader"]["gains"]["psnr"]
    assert gain["low"] > 1
    assert found.verdicts["metadata_reader"] == "barred"
    seen = clues(opened, "test", opened.rows("test"))
    assert seen.shape == (12, 7)
    assert set(seen[::2, 0]) != set(seen[1::2, 0]), "the ends of names"
    assert len(set(seen[:, 1])) == 1, "nothing is embedded"
    assert seen[:, 3].tolist() == [0, 1] * 6, "places within scenes"


def test_light_cheats_gain_under_percentiles_and_nothing_under_the_headline(tmp_path: Path) -> None:
    recipe = dataset_recipe(
        {"source": "synthetic", "scenes": 6, "pair": "relative_luminance", "ev": [2.0], "size": 128, "split": "test"}
    )
    opened = make_dataset(recipe, tmp_path / "set", card=False).dataset
    found = attack("light", track_of(opened, {"pu21_psnr": 1}), opened.folder)
    gains = {name: each["gains"] for name, each in found.document["attacks"].items()}
    for cheat in ("sparkle", "percentile_fix"):
        assert gains[cheat]["pu21_psnr/percentile"]["gain"] > 3
        assert not gains[cheat]["pu21_psnr/percentile"]["ranks"]
        assert gains[cheat]["pu21_psnr"]["high"] < 0
        assert found.verdicts[cheat] == "holds"
    assert found.verdicts["hdr_free"] == "holds"
    assert abs(gains["gt_mean"]["pu21_psnr"]["gain"]) < 0.05, "everybody gets the gain"
    assert "gap_reader" not in gains


def test_other_data_or_other_pairs_are_refused(samples: Path) -> None:
    with pytest.raises(InputError, match=r"not the track's data set.*--recipe samples-tau50-v1"):
        attack("samples", track_named("samples"), samples)
    pinned = Track("t", "a", "samples-tau50-v1", "test", {"psnr": 1}, load_dataset(samples).pixels, "0" * 64)
    with pytest.raises(InputError, match="other pairs than the track"):
        attack("samples", pinned, samples)


def test_one_photograph_has_no_others(build: Callable[..., Dataset], photographs: Path, tmp_path: Path) -> None:
    opened = build(tmp_path / "set", photographs, tau=0.5, well_exposed=1, split="test", limit=1)
    with pytest.raises(InputError, match="has one photograph"):
        attack("one", Track("t", "a", "d", "test", {"psnr": 1}, opened.pixels, "0" * 64), opened.folder)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_embedded_text_is_seen_and_pixels_are_not() -> None:
    head, end = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"1"), chunk(b"IEND", b"")
    plain = embedded(head + chunk(b"IDAT", b"pixels") + end)
    assert plain == embedded(head + chunk(b"IDAT", b"other pixels") + end)
    assert plain != embedded(head + chunk(b"tEXt", b"tau\x000.5") + chunk(b"IDAT", b"pixels") + end)
    assert plain != embedded(head + chunk(b"IDAT", b"pixels") + end + b"tau 0.5")
    assert embedded(b"\xff\xd8\xff\xe1 tau 0.5") != embedded(b"\xff\xd8\xff\xe1 tau 0.6")


def test_a_network_is_shown_pixels_alone(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the metadata reader needs, no network that is run here gets: no name, no row, no order but that of calls."""
    (tmp_path / "spying.py").write_text(
        "import torch\nseen = []\n"
        "class Spy(torch.nn.Module):\n"
        "    def forward(self, *given, **more):\n"
        "        seen.append((given, more))\n"
        "        return given[0]\n"
        "def spy():\n    return Spy()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    evaluate(None, samples, code="spying:spy", metrics=["psnr"], limit=1)
    seen = sys.modules["spying"].seen
    assert seen
    assert all(len(given) == 1 and type(given[0]) is torch.Tensor and not more for given, more in seen)


@pytest.mark.slow
def test_attacking_the_samples_again_gives_the_committed_values(tmp_path: Path) -> None:
    opened = build_samples(tmp_path / "set")
    again = attack("samples", track_named("samples"), opened.folder)
    committed = read("samples", ROOT)
    assert committed is not None
    assert again.verdicts == committed.verdicts
    for name, found in again.document["attacks"].items():
        for metric, gain in found["gains"].items():
            stored = committed.document["attacks"][name]["gains"][metric]
            for key in ("cheat", "honest", "gain", "low", "high"):
                assert gain[key] == pytest.approx(stored[key], abs=1e-6), (name, metric, key)


def test_so_many_others_are_looked_at(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OTHERS", 2)
    opened = load_dataset(samples)
    rows = opened.rows("test")
    robbed = module._Robbed(opened, "test", rows)
    assert robbed.others.shape == (2, 32, 32, 3)
    assert [len(robbed.of("others", row)) for row in rows[:3]] == [1, 1, 2], "never a photograph's own target"
