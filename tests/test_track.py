"""Tracks: pinned by fingerprints, known by name."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from exposurebench import catalog, leaderboard, track
from exposurebench.errors import RecipeError
from exposurebench.recipe import dataset_recipe, read_recipe
from exposurebench.track import pairs_of, track_named, tracks

ROOT = Path(__file__).resolve().parent.parent


def test_every_track_pins_what_exists_and_has_its_entries() -> None:
    assert list(tracks()) == sorted(path.stem for path in (ROOT / "recipes" / "tracks").glob("*.toml"))
    for name, pinned in tracks().items():
        assert set(pinned.metrics) <= set(catalog.names("metrics"))
        assert dataset_recipe(read_recipe(pinned.dataset, "datasets"))
        assert pinned.study in ("", *leaderboard.STUDIES)
        entries = list((ROOT / "leaderboards" / name / "entries").glob("*.json"))
        if pinned.pinned:
            assert re.fullmatch("[0-9a-f]{64} [0-9a-f]{64}", f"{pinned.pixels} {pinned.pairs}")
            assert entries, f"track {name} has no entries"
        else:
            assert (pinned.pixels, pinned.pairs, entries) == ("", "", [])


def test_one_track_has_a_camera_response_that_no_recipe_trains_on() -> None:
    tested = {track.dataset for track in tracks().values() if track.pinned}
    curves = {}
    for path in (ROOT / "recipes" / "datasets").glob("*.toml"):
        given = dataset_recipe(read_recipe(path, "datasets")).pair_settings.get("crf", [])
        curves[path.stem] = {given} if isinstance(given, str) else set(given)
    trained = set().union(*(curves[name] for name in curves if name not in tested))
    for path in (ROOT / "recipes" / "training").glob("*.toml"):
        document = read_recipe(path, "training")
        trained |= {document.get("loss", {}).get("crf", ""), document.get("degrade", {}).get("crf", "")}
    unseen = curves["synthetic-ev-curve-test-v1"]
    assert not unseen & trained
    assert all(not curve.startswith("sigmoid:") for curve in trained), "the drawn family is far from it, see below"
    # A curve of the family that is trained on has n near 0.9 and sigma near 0.6, standard deviations 0.1.
    (n, sigma) = (float(part.partition("=")[2]) for part in next(iter(unseen)).partition(":")[2].split(","))
    assert abs(n - 0.9) > 0.3 and abs(sigma - 0.6) > 0.3


@pytest.mark.parametrize("name", tracks())
def test_the_pinned_pairs_are_those_of_every_entry(name: str) -> None:
    for path in (ROOT / "leaderboards" / name / "entries").glob("*.csv"):
        assert pairs_of(pd.read_csv(path, dtype={"id": str, "scene": str})) == track_named(name).pairs


def table(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "scene", "unchanged"])


def test_the_fingerprint_of_pairs_sees_everything_but_their_order_and_values() -> None:
    a, b = ("a", "x.png", False), ("b", "y.png", False)
    assert pairs_of(table(a, b)) == pairs_of(table(b, a)) == pairs_of(table(a, b).assign(psnr=1.0))
    others = [
        table(a),
        table(a, b, b),
        table(a, ("c", "y.png", False)),
        table(a, ("b", "z.png", False)),
        table(a, ("b", "y.png", True)),
    ]
    assert len({pairs_of(table(a, b)), *map(pairs_of, others)}) == 6


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sample", "unknown track 'sample'; did you mean 'samples'? Known: brackets, fivek-ev, "),
        ("../tracks/samples", "unknown track '../tracks/samples'"),
        ("samples.toml", "did you mean 'samples'?"),
        ("", "unknown track ''"),
    ],
)
def test_a_track_that_is_not_there_lists_the_known_ones(name: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        track_named(name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("schema = 1", "schema = 2"), "schema 2 is newer than this program reads"),
        (('split = "test"', ""), "split is missing"),
        (('split = "test"', "split = 3"), "split must be text, not 3"),
        (('split = "test"', 'splitt = "test"'), "unknown key 'splitt'; did you mean 'split'?"),
        (("psnr = 1", 'psnr = "one"'), "metrics must be"),
    ],
)
def test_a_damaged_track_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], said: str
) -> None:
    (tmp_path / "tracks").mkdir()
    text = (ROOT / "recipes" / "tracks" / "samples.toml").read_text("utf-8")
    assert change[0] in text
    (tmp_path / "tracks" / "mine.toml").write_text(text.replace(*change))
    monkeypatch.setattr(track, "shipped", lambda *_: tmp_path)
    with pytest.raises(RecipeError, match=re.escape(said)):
        tracks()
