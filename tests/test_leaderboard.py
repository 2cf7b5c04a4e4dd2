import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exposurebench import catalog, leaderboard, tables
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.files import sha256
from exposurebench.make_dataset import make_dataset
from exposurebench.quickstart import build_samples
from exposurebench.recipe import dataset_recipe, read_recipe
from exposurebench.result import Result, write_result
from exposurebench.track import track_named, tracks
from exposurebench.train import train
from exposurebench.training_recipe import training_recipe

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_samples(tmp_path_factory.mktemp("samples") / "set").folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest of the committed boards, a table of claims, and the pages of these."""
    root = tmp_path_factory.mktemp("small") / "leaderboards"
    shutil.copytree(ROOT / "samples", root / "samples")
    (root / "claimed").mkdir()
    shutil.copy(ROOT / "claimed" / "paper0.toml", root / "claimed")
    leaderboard.build(root)
    return root


@pytest.fixture(scope="module")
def small_checkpoint(tmp_path_factory: pytest.TempPathFactory, trainable: Path) -> Path:
    """A checkpoint of two steps."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    recipe = training_recipe(read_recipe("small_cnn", "training") | {"steps": 2, "patch": 32, "batch": 2})
    train(recipe, trainable, folder, device="cpu")
    return folder / "model.pt"


@pytest.fixture
def copy(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "leaderboards"))


def test_the_committed_pages_follow_from_their_entries() -> None:
    assert list(leaderboard.check(ROOT)) == []


def test_building_twice_gives_the_same_bytes(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    leaderboard.build(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def committed(track: str) -> dict[str, dict[str, Any]]:
    """The documents of a track's entries, by the name of the method."""
    documents = [json.loads(path.read_text()) for path in (ROOT / track / "entries").glob("*.json")]
    return {document["name"]: document for document in documents}


@pytest.mark.parametrize("track", [name for name, track in tracks().items() if track.pinned and not track.study])
def test_a_track_holds_every_baseline_that_applies(track: str) -> None:
    recipe = dataset_recipe(read_recipe(track_named(track).dataset, "datasets"))
    gives = "linear" if recipe.pair == "relative_luminance" else "srgb"
    there = {"input", "training_targets"} | ({"tau", "transfer"} if recipe.pair == "gamma_clip" else {"frames"})
    there -= {"training_targets"} if track == "samples" else set()
    entries = {name: catalog.load("baselines", name) for name in catalog.names("baselines")}
    wanted = {n for n, e in entries.items() if e.fact("GIVES") == gives and set(e.fact("NEEDS")) <= there}
    assert wanted <= set(committed(track))


@pytest.mark.parametrize("track", ["samples", "photos72", "photos72-random"])
def test_no_histogram_gap_gives_the_threshold_away(track: str) -> None:
    values = {name: document["values"]["psnr"]["value"] for name, document in committed(track).items()}
    assert values["inverse_comb"] <= values["inverse_clip/blind"] + 1


def test_the_samples_pixels_are_the_pinned_ones(dataset: Path) -> None:
    assert load_dataset(dataset).pixels == track_named("samples").pixels


@pytest.mark.slow
@pytest.mark.parametrize("track", ["photos72", "photos72-table1"])
def test_evaluating_the_photographs_again_gives_the_committed_values(shared: Path, tmp_path: Path, track: str) -> None:
    pinned = track_named(track)
    recipe = dataset_recipe(read_recipe(pinned.dataset, "datasets"))
    built = make_dataset(recipe, tmp_path / "set", root=shared / "data", workers=2, card=False).dataset
    assert built.pixels == pinned.pixels
    for entry in leaderboard.entries(track, ROOT):
        if entry.document["name"] in ("identity", "inverse_clip/blind", "clahe"):
            again = evaluate(f"baseline:{entry.document['name']}", built.folder)
            for row in again.summary.to_dict("records"):
                assert row["value"] == pytest.approx(entry.document["values"][row["metric"]]["value"], abs=1e-6)


def test_an_entry_added_anew_is_the_committed_one_but_for_where_and_when(dataset: Path, tmp_path: Path) -> None:
    write_result(evaluate("baseline:identity", dataset), tmp_path / "result")
    leaderboard.add(tmp_path / "result", "samples", tmp_path / "boards", date="2020-02-02")
    ours = json.loads((tmp_path / "boards" / "samples" / "entries" / "identity.json").read_text())
    theirs = json.loads((ROOT / "samples" / "entries" / "identity.json").read_text())
    for document in (ours, theirs):
        for key in ("date", "hardware", "versions", "per_image_sha256"):
            document.pop(key)
    assert ours["values"].keys() == theirs["values"].keys()
    ours.pop("values"), theirs.pop("values")
    assert ours == theirs
    leaderboard.build(tmp_path / "boards")
    assert "2020-02-02" in (tmp_path / "boards" / "samples" / "README.md").read_text()


def test_results_of_other_data_or_protocols_are_refused(dataset: Path, tmp_path: Path) -> None:
    short = evaluate("baseline:identity", dataset, limit=3)
    write_result(short, tmp_path / "short")
    with pytest.raises(InputError, match="not of the track's pairs"):
        leaderboard.add(tmp_path / "short", "samples", tmp_path)
    one = evaluate("baseline:identity", dataset, metrics=["psnr"])
    write_result(one, tmp_path / "one")
    with pytest.raises(InputError, match="ssim has version none"):
        leaderboard.add(tmp_path / "one", "samples", tmp_path)
    with pytest.raises(InputError, match=r"not the pinned one.*--recipe photos72-tau50-v1"):
        leaderboard.add(tmp_path / "one", "photos72", tmp_path)
    with pytest.raises(RecipeError, match="did you mean 'samples'"):
        leaderboard.add(tmp_path / "one", "sample", tmp_path)
    assert not (tmp_path / "samples").exists()


def doctor_json(path: Path) -> None:
    document = json.loads(path.read_text())
    document["values"]["psnr"]["value"] += 0.01
    path.write_text(json.dumps(document, indent=2))


def doctor_csv(path: Path) -> None:
    table = path.with_suffix(".csv")
    frame = pd.read_csv(table)
    frame.loc[0, "psnr"] += 0.5
    frame.to_csv(table, index=False, lineterminator="\n")


def doctor_both(path: Path) -> None:
    """A better value in the table, with the hash mended: the values no longer follow."""
    doctor_csv(path)
    document = json.loads(path.read_text())
    document["per_image_sha256"] = sha256(path.with_suffix(".csv").read_bytes())
    path.write_text(json.dumps(document, indent=2))


def doctor_pixels(path: Path) -> None:
    document = json.loads(path.read_text())
    document["dataset"]["pixels"] = "0" * 64
    path.write_text(json.dumps(document, indent=2))


def doctor_protocol(path: Path) -> None:
    document = json.loads(path.read_text())
    document["protocols"]["psnr"]["border_px"] = 4
    path.write_text(json.dumps(document, indent=2))


def doctor_harm(path: Path) -> None:
    document = json.loads(path.read_text())
    document["already_right"]["pairs"] = 7
    path.write_text(json.dumps(document, indent=2))


def doctor_page(path: Path) -> None:
    page = path.parent.parent / "README.md"
    page.write_text(page.read_text().replace("32", "33", 1))


def settle(path: Path, table: pd.DataFrame) -> None:
    """A changed table with everything that follows from it mended too."""
    table.to_csv(path.with_suffix(".csv"), index=False, lineterminator="\n")
    document = json.loads(path.read_text())
    found = leaderboard.entries("samples", path.parents[2])
    mended = next(entry.result for entry in found if entry.document["name"] == document["name"])
    document["values"] = leaderboard._values(mended)
    document["per_image_sha256"] = sha256(path.with_suffix(".csv").read_bytes())
    document["already_right"] = tables.harm(mended.per_image, list(document["protocols"]))
    path.write_text(json.dumps(document, indent=2))
    leaderboard.build(path.parents[2])


def doctor_by_dropping_rows(path: Path) -> None:
    settle(path, pd.read_csv(path.with_suffix(".csv")).sort_values("psnr").tail(3))


def doctor_by_hiding_rows(path: Path) -> None:
    table = pd.read_csv(path.with_suffix(".csv"))
    table["unchanged"] = table["psnr"] < table["psnr"].median()
    settle(path, table)


def doctor_oracle(path: Path) -> None:
    oracle = path.with_name("inverse_clip.json")
    document = json.loads(oracle.read_text())
    document["method"]["oracle"] = False
    oracle.write_text(json.dumps(document, indent=2))
    leaderboard.build(path.parents[2])


def remove_csv(path: Path) -> None:
    path.with_suffix(".csv").unlink()


def doctor(**changes: Any) -> Callable[[Path], None]:
    """Changes an entry's document and mends the pages."""

    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=2))
        with contextlib.suppress(InputError):
            leaderboard.build(path.parents[2])

    return change


def doctor_claim(path: Path) -> None:
    claim = path.parents[2] / "claimed" / "paper0.toml"
    claim.write_text(claim.read_text().replace("88.44", "98.44"))


def doctor_claimed_page(path: Path) -> None:
    page = path.parents[2] / "claimed" / "README.md"
    page.write_text(page.read_text().replace("88.44", "98.44"))


def doctor_waiting_page(path: Path) -> None:
    page = path.parents[2] / "msec" / "README.md"
    page.write_text(page.read_text().replace("Not pinned yet", "Pinned"))


def doctor_table(path: Path) -> None:
    table = path.parents[1] / "table.csv"
    table.write_text(table.read_text().replace("18.", "19.", 1))


def leave_a_stray(path: Path) -> None:
    path.with_name("better.csv").write_text("id,scene,split,unchanged\n")


WEIGHTS = {"file": "weights/a.pt", "sha256": "0" * 64, "bytes": 3}


@pytest.mark.parametrize(
    "change",
    [
        doctor_json,
        doctor_csv,
        doctor_both,
        doctor_pixels,
        doctor_protocol,
        doctor_harm,
        doctor_page,
        remove_csv,
        doctor_by_dropping_rows,
        doctor_by_hiding_rows,
        doctor_oracle,
        doctor_claim,
        doctor_claimed_page,
        doctor_waiting_page,
        doctor_table,
        leave_a_stray,
        doctor(grade="scored"),
        doctor(grade="checked"),
        doctor(cost={"parameters": 3}),
        doctor(training={"steps": 1000000}),
        doctor(weights=WEIGHTS),
        doctor(weights={**WEIGHTS, "file": "../../../secret.pt"}),
        doctor(track="photos72"),
        doctor(date="2026-13-01"),
        doctor(surplus=1),
        doctor(reported={"psnr": {"value": 40.0}}),
    ],
)
def test_a_doctored_digit_is_found(copy: Path, change: Callable[[Path], None]) -> None:
    change(copy / "samples" / "entries" / "identity.json")
    problems = list(leaderboard.check(copy))
    assert problems
    assert all("samples" in problem or "README" in problem for problem in problems)


def test_a_network_brings_its_training_its_cost_and_its_weights(
    dataset: Path, tmp_path: Path, small_checkpoint: Path
) -> None:
    write_result(evaluate(str(small_checkpoint), dataset, name="mine"), tmp_path / "result")
    added = leaderboard.add(tmp_path / "result", "samples", tmp_path / "boards", date="2026-01-01")
    assert json.loads(added.read_text())["grade"] == "scored"
    leaderboard.add(
        tmp_path / "result", "samples", tmp_path / "boards", date="2026-01-01", weights=small_checkpoint,
        reported={"psnr": 20.5}, source="a paper, table 1; other photographs",
    )  # fmt: skip
    document = json.loads(added.read_text())
    assert (document["grade"], document["training"]["steps"], document["training"]["seed"]) == ("verified", 2, 0)
    assert document["cost"]["parameters"] == document["method"]["parameters"]
    assert (tmp_path / "boards" / "samples" / document["weights"]["file"]).read_bytes() == small_checkpoint.read_bytes()
    leaderboard.build(tmp_path / "boards")
    assert list(leaderboard.check(tmp_path / "boards")) == []
    page = (tmp_path / "boards" / "samples" / "README.md").read_text()
    for words in (
        "2 steps; seed 0",
        "[weights](weights/mine.pt)",
        "## Published beside measured",
        "| 20.5 | a paper, table 1",
    ):
        assert words in page
    with (tmp_path / "boards" / "samples" / "weights" / "mine.pt").open("ab") as stream:
        stream.write(b"0")
    assert any("are missing or others" in problem for problem in leaderboard.check(tmp_path / "boards"))
    for reported, source in (({"psnr": 20.5}, ""), ({}, "a paper"), ({"psnrr": 1.0}, "a paper"), ({"psnr": "a"}, "b")):
        with pytest.raises(RecipeError, match=r"published|did you mean"):
            leaderboard.add(tmp_path / "result", "samples", tmp_path / "boards", reported=reported, source=source)


def test_a_track_that_waits_takes_no_entry_and_says_what_pins_it(dataset: Path, tmp_path: Path) -> None:
    write_result(evaluate("baseline:identity", dataset, metrics=["psnr"]), tmp_path / "result")
    with pytest.raises(
        InputError, match=rf'not pinned yet.*pixels = "{load_dataset(dataset).pixels}" and pairs = "[0-9a-f]'
    ):
        leaderboard.add(tmp_path / "result", "msec", tmp_path / "boards")
    assert not (tmp_path / "boards").exists()


def test_a_lost_page_is_found(copy: Path) -> None:
    (copy / "README.md").unlink()
    assert list(leaderboard.check(copy)) == [
        "README.md is not what its entries give: run exposurebench leaderboard build"
    ]


def test_names_cannot_break_a_page(tmp_path: Path, dataset: Path) -> None:
    result = evaluate("baseline:identity", dataset, name="<b>|x|</b>\n# y")
    assert isinstance(result, Result)
    write_result(result, tmp_path / "r")
    leaderboard.add(tmp_path / "r", "samples", tmp_path / "b", date="2020-01-01")
    leaderboard.build(tmp_path / "b")
    page = (tmp_path / "b" / "samples" / "README.md").read_text()
    assert "<b>" not in page
    assert "\n# y" not in page
    assert list(leaderboard.check(tmp_path / "b")) == []
