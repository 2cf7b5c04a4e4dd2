"""The page of an evaluation: one file, every method a row, nothing fetched, nothing believed."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench.dataset import Dataset
from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate
from exposurebench.images import encode_radiance
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.report.page import write_page
from exposurebench.result import Result, read_result, write_result

HOSTILE = "<script>alert(1)<i>.png"
METRICS = ("psnr", "ssim", "histogram_similarity", "histogram_similarity/hu2018")


class Elements(HTMLParser):
    """Every element of a page with its attributes; void ones are not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.found if t == tag and all(a.get(k) == v for k, v in attributes.items())]


def build(folder: Path, photographs: int) -> Dataset:
    rng = np.random.default_rng(1)
    (folder / "photos").mkdir()
    for number in range(photographs):
        image = cv2.resize(rng.integers(30, 220, (5, 7, 3), dtype=np.uint8), (96, 88), interpolation=cv2.INTER_CUBIC)
        name = HOSTILE if number == 0 else f"photo {number}.png"
        (folder / "photos" / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
    recipe = dataset_recipe({"source": "folder", "split": "test", "well_exposed": 1})
    return make_dataset(recipe, folder / "set", root=folder / "photos", card=False).dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(tmp_path_factory.mktemp("page"), 4)


@pytest.fixture(scope="module")
def results(dataset: Dataset) -> list[Result]:
    return [
        evaluate(f"baseline:{name}", dataset.folder, metrics=METRICS, workers=1)
        for name in ("identity", "inverse_clip", "inverse_clip/blind")
    ]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_page_is_the_same_bytes_twice(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    pages = [write_page(results, dataset.folder, tmp_path / name).read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_page_has_a_row_a_method_and_marks_the_oracle(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    page = text_of(write_page(results, dataset.folder, tmp_path))
    board = page[: page.index("<h2>Pictures")]
    rows = re.findall(r'<tr class="result"><th [^>]*>([^<]*)</th>', board)
    assert rows == ["identity", "inverse_clip*", "inverse_clip/blind"]
    assert "inverse_clip is an oracle" in page


def test_page_loads_nothing_and_closes_what_it_opens(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    for chosen in (results, results[:1]):
        elements = Elements(text_of(write_page(chosen, dataset.folder, tmp_path)))
        assert not elements.open
        for _, attributes in elements.found:
            for name in ("src", "href", "srcset", "data", "action"):
                assert (attributes.get(name) or "#").startswith(("data:image/jpeg;base64,", "#"))
        assert not elements.of("link")
    names = {attributes.get("id") for _, attributes in elements.found}
    assert all((a["href"] or "").removeprefix("#") in names for a in elements.of("a"))


def test_hostile_names_stay_text(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    renamed = dataclasses.replace(results[0], document={**results[0].document, "name": "<b>me</b>"})
    for chosen in ([results[0]], [renamed, results[1]]):
        page = text_of(write_page(chosen, dataset.folder, tmp_path, title="</title><script>"))
        assert "&lt;script&gt;alert(1)" in page
        assert "<b>me" not in page
        assert len(Elements(page).of("script")) == 1


@pytest.mark.parametrize("chosen", [slice(0, 1), slice(None)])
def test_few_photographs_are_a_smoke_test_without_ranks(
    dataset: Dataset, results: list[Result], tmp_path: Path, chosen: slice
) -> None:
    page = text_of(write_page(results[chosen], dataset.folder, tmp_path))
    assert "4 photographs: a smoke test, not a ranking" in page
    assert not re.search(r"<th[^>]*>\s*(rank|place|#)", page, re.IGNORECASE)


def test_thirty_photographs_are_no_smoke_test(tmp_path: Path) -> None:
    dataset = build(tmp_path, 30)
    result = evaluate("baseline:identity", dataset.folder, metrics=("psnr",), workers=1)
    page = text_of(write_page([result], dataset.folder, tmp_path / "out"))
    assert "smoke test" not in page
    assert "30 pairs of 30 photographs" in page
    assert [word for word in ("the worst", "the median", "the best") if f"\u00b7 {word} " in page] == [
        "the worst",
        "the median",
        "the best",
    ]


def test_a_result_that_was_read_has_no_pictures_of_predictions(
    dataset: Dataset, results: list[Result], tmp_path: Path
) -> None:
    write_result(results[0], tmp_path)
    page = text_of(write_page([read_result(tmp_path)], dataset.folder, tmp_path))
    assert 'alt="target"' in page and "prediction of" not in page
    assert "No predictions are shown of identity" in page


def test_pictures_of_submitted_predictions(dataset: Dataset, tmp_path: Path) -> None:
    for row in dataset.rows("test"):
        data = (dataset.folder / "test" / row["target_file_name"]).read_bytes()
        (tmp_path / f"{row['id']}.png").write_bytes(data)
    result = evaluate(None, dataset.folder, predictions=tmp_path, name="mine", metrics=("psnr",), workers=1)
    page = text_of(write_page([result], dataset.folder, tmp_path / "out"))
    assert page.count('alt="prediction of mine"') == 4
    assert "\u221e dB" in page


def test_maps_stand_beside_the_prediction_with_their_scores(tmp_path: Path) -> None:
    """Of one result: input, target, prediction and a map of every metric that draws one, in one row."""
    recipe = {"source": "synthetic", "pair": "relative_luminance", "limit": 2, "size": 48, "ev": "0", "split": "test"}
    built = make_dataset(dataset_recipe(recipe), tmp_path / "set", card=False).dataset
    (tmp_path / "half").mkdir()
    for row in built.rows("test"):
        light = built.read_target("test", row).pixels
        clipped = light.clip(None, np.quantile(light, 0.8).astype(np.float32))
        (tmp_path / "half" / f"{row['id']}.exr").write_bytes(encode_radiance(clipped, "exr32"))
    metrics = ["hdrvdp3", "pu21_psnr", "hdrvdp2"]
    result = evaluate(None, built.folder, predictions=tmp_path / "half", metrics=metrics)
    text = write_page([result], built.folder, tmp_path / "page").read_text("utf-8")
    page = Elements(text)
    assert [grid["style"] for grid in page.of("div", **{"class": "grid"})] == ["--images: 5"] * 2
    maps = [image["alt"] for image in page.of("img") if "probability" in str(image["alt"])]
    assert maps == [f"{name}: probability that a difference is seen" for name in ("hdrvdp3", "hdrvdp2")] * 2
    for _, row in result.per_image.iterrows():
        assert f"(Q {row['hdrvdp3:Q']:.3f}, Q_JOD {row['hdrvdp3:Q_JOD']:.3f}, P_det" in text
        largest = row["hdrvdp2:C_max"]
        assert (f"C_max {largest:,.0f})" if largest >= 1000 else f"C_max {largest:.3f})") in text
    assert len(page.of("figure", **{"class": "legend"})) == 1
    first = re.search(r'data:image/jpeg;base64,([^"]+)" alt="hdrvdp3: probability', text)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(first[1]), np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (picture[..., 2] - picture[..., 0]).max() > 60, "what was clipped is seen, in colour"
    assert np.ptp(picture, axis=2).min() < 10, "the rest is gray"


def test_the_folder_of_another_data_set_is_refused(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the data set that identity was evaluated on"):
        write_page(results, build(tmp_path, 2).folder, tmp_path)
    with pytest.raises(InputError, match="no results"):
        write_page([], dataset.folder, tmp_path)
