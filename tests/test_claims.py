"""Published numbers: read whole or refused, kept with their digits, and never among what was measured."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from exposurebench import leaderboard
from exposurebench.claims import FOLDER, read_claims
from exposurebench.errors import InputError

ROOT = Path(__file__).resolve().parent.parent / "leaderboards"
WHOLE = """
schema = 1
source = "somebody"
url = ""

[[tables]]
title = "Table 1"
tracks = ["samples"]
data = "theirs"
protocol = "not stated"
columns = ["PSNR dB", "SSIM"]
rows = [["a", 18.00, ""], ["b", 20, 0.5]]
"""


def written(root: Path, text: str) -> Path:
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / "somebody.toml").write_text(text)
    return root


def test_numbers_keep_the_digits_that_were_printed(tmp_path: Path) -> None:
    (found,) = read_claims(written(tmp_path, WHOLE))
    assert found.tables[0].rows == [["a", Decimal("18.00"), ""], ["b", 20, Decimal("0.5")]]
    page = leaderboard.pages(leaderboard.Boards({}, [found]))["claimed/README.md"]
    assert "| a | 18.00 | - |" in page
    assert "not comparable: [samples](../samples/README.md)" in page


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", "schema must be 1, not 2"),
        ("schema = 1", "", "schema must be 1, not None"),
        ('source = "somebody"', "source = 3", "source must be text, not 3"),
        ('url = ""', 'ur = ""', "unknown key 'ur'; did you mean 'url'?"),
        ('data = "theirs"', "", "table 1: data must be text, not 'missing'"),
        ('["samples"]', '["sample"]', "table 1: unknown track 'sample'; did you mean 'samples'?"),
        ('["a", 18.00, ""]', '["a", 18.00]', "table 1: a row must be a name and 2 numbers"),
        ('["a", 18.00, ""]', '[1, 18.00, ""]', "table 1: a row must be a name and 2 numbers"),
        ('["a", 18.00, ""]', '["a", "18.00", ""]', "table 1: a: expected numbers"),
        ('["a", 18.00, ""]', '["a", true, ""]', "table 1: a: expected numbers"),
        ("[[tables]]", "[[tables", "cannot be read as TOML"),
    ],
)
def test_a_damaged_claim_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(InputError, match=re.escape(said)):
        read_claims(written(tmp_path, WHOLE.replace(old, new)))


def test_the_committed_claims_are_whole_and_name_where_they_come_from() -> None:
    found = read_claims(ROOT)
    assert {"paper0", "paper2", "iat", "lcdpnet", "agcnet", "pec"} <= {claims.name for claims in found}
    for claims in found:
        assert claims.source and claims.tables
        assert all(table.data and table.protocol for table in claims.tables)
    named = {track for claims in found for table in claims.tables for track in table.tracks}
    assert {"msec", "lcdp", "sice"} <= named


@pytest.mark.parametrize(
    ("name", "document"), [("paper0", "0-overexposure-gan"), ("paper2", "2-vgg16-hdr-autoencoder")]
)
def test_every_claimed_number_of_a_paper_stands_in_it_as_printed(shared: Path, name: str, document: str) -> None:
    text = (shared / "papers" / f"{document}.txt").read_text("utf-8")
    (claims,) = (claims for claims in read_claims(ROOT) if claims.name == name)
    for table in claims.tables:
        for row in table.rows:
            for number in row[1:]:
                assert re.search(rf"(?<![\d.]){re.escape(str(number))}(?![\d]|\.\d)", text), (table.title, row, number)


def test_no_claim_is_on_a_board() -> None:
    names = {row[0] for claims in read_claims(ROOT) for table in claims.tables for row in table.rows}
    for path in ROOT.glob("*/table.csv"):
        assert not names & {line.partition(",")[0] for line in path.read_text("utf-8").splitlines()}
