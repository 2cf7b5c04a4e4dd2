"""The site: everything that is on the boards, links that lead somewhere, nothing from elsewhere, no pictures unasked."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from exposurebench import leaderboard
from exposurebench.files import write_text
from exposurebench.report.pareto import front, scatter
from exposurebench.report.site import MAY_BE_SHOWN, marked_up, write_site

COMMITTED = Path(__file__).resolve().parents[2] / "leaderboards"


class Page(HTMLParser):
    """The links, pictures, ids and cells of a page; what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.links += [str(known[name]) for name in ("href", "src") if name in known]
        self.ids |= {str(known["id"])} if "id" in known else set()
        if tag not in ("meta", "link", "img", "wbr", "path", "polyline", "circle", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "polyline", "circle"):
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("boards")
    shutil.copytree(COMMITTED / "samples", root / "samples")
    shutil.copytree(COMMITTED / "claimed", root / "claimed")
    entry = root / "samples" / "entries" / "gamma.json"
    document = json.loads(entry.read_text("utf-8"))
    write_text(entry, json.dumps({**document, "name": "<script>alert(1)</script>"}))
    return root


@pytest.fixture(scope="module")
def site(boards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    assert all(path.is_file() for path in write_site(boards, out))
    return out


def test_every_link_leads_to_a_page_of_the_site_or_to_a_source(site: Path) -> None:
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    for path, page in pages.items():
        assert page.open == []
        for link in page.links:
            if not link.startswith(("https://", "http://")):
                target = path if link.startswith("#") else (path.parent / link.partition("#")[0]).resolve()
                # The copy has one board; its text names others.
                assert target.is_file() or (target.stem in leaderboard.tracks() and target.parent == site), (path, link)
                if "#" in link:
                    assert link.partition("#")[2] in pages[target].ids


def test_a_board_has_every_entry_and_every_value_and_sorts_by_numbers(site: Path, boards: Path) -> None:
    page = (site / "samples.html").read_text("utf-8")
    for entry in leaderboard.entries("samples", boards):
        assert f"samples/{entry.path.stem}.html" in page
        assert (site / "samples" / f"{entry.path.stem}.html").is_file()
        psnr = entry.result.summary["value"][0]
        assert f'data-sort="{float(psnr)!r}"' in page
    assert "a smoke test, not a ranking" in page
    assert "#1" not in page, "six photographs rank nothing"
    assert page.count("<svg") == 1, (
        "fidelity against the size of the one network, and of the baselines, which is nothing"
    )


def test_names_are_escaped(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert "<script>alert" not in path.read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in (site / "samples.html").read_text("utf-8")


def test_tracks_that_wait_and_claims_are_told_apart(site: Path) -> None:
    waiting = (site / "msec.html").read_text("utf-8")
    assert "Not pinned yet, and unranked until it is" in waiting and "mahmoudnafifi" in waiting and "Terms:" in waiting
    claimed = (site / "claimed.html").read_text("utf-8")
    assert "18.00" in claimed and "None was measured here" in claimed
    index = (site / "index.html").read_text("utf-8")
    assert "How small this still is:</strong> 11 entries, all but 1 of them baselines" in index


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r'(?:src|<link[^>]*href)="(?:https?:)?//', text)
    assert re.findall(r"<script[^>]*>", (site / "index.html").read_text("utf-8")) == ['<script src="boards.js">']


def test_only_pictures_that_anybody_may_show_are_shown(samples: Path, boards: Path, tmp_path: Path) -> None:
    shown = [path for path in write_site(boards, tmp_path / "site", datasets=samples.parent) if path.suffix == ".jpg"]
    assert shown == [], "the small data set is not the one that the track pins"
    assert MAY_BE_SHOWN.match("CC0") and MAY_BE_SHOWN.match("Public domain (NASA)")
    assert not any(
        map(MAY_BE_SHOWN.match, ("CC BY 4.0", "not public domain", "GPL-2.0", "", "CC0ish", "own research only"))
    )


def test_a_paragraph_keeps_its_links_and_nothing_else() -> None:
    assert marked_up("<b> [origins](photographs.csv)") == "&lt;b&gt; origins"


def test_the_front_is_what_no_other_beats() -> None:
    points = [(1.0, 10.0), (1.0, 9.0), (2.0, 10.0), (3.0, 11.0), (0.5, 1.0)]
    assert front(points) == [4, 0, 3]
    assert front([]) == []
    drawn = scatter([("a<b", *points[0], False), ("c", *points[3], False), ("o", 0.0, 12.0, True)], [0, 1], "x", "y")
    assert drawn.count('class="best"') == 2 and drawn.count('class="oracle"') == 1 and "a<b" not in drawn
