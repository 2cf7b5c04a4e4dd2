"""The page of an evaluation: one file, every method a row, nothing fetched, nothing believed."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from exposurebench import tables
from exposurebench.compare_runs import compare_runs
from exposurebench.dataset import Dataset
from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate
from exposurebench.images import encode_radiance
from exposurebench.make_dataset import make_dataset
from exposurebench.recipe import dataset_recipe
from exposurebench.report.page import write_comparison_page, write_page
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
        if tag not in ("meta", "img", "link", "input"):
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


@pytest.fixture(scope="module")
def comparison(dataset: Dataset, results: list[Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two results that were read from disk."""
    out = tmp_path_factory.mktemp("compared")
    for result in results[::2]:
        write_result(result, out / result.name.replace("/", "-"))
    found = compare_runs([out / "identity", out / "inverse_clip-blind"])
    return write_comparison_page(found, out / "page", dataset=dataset.folder)


@pytest.fixture(scope="module")
def pages(
    dataset: Dataset, results: list[Result], comparison: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A page of one result, of several, and of a comparison."""
    out = tmp_path_factory.mktemp("pages")
    return {
        "one": write_page(results[:1], dataset.folder, out / "one"),
        "several": write_page(results, dataset.folder, out / "several"),
        "comparison": comparison,
    }


def test_page_is_the_same_bytes_twice(
    dataset: Dataset, results: list[Result], pages: dict[str, Path], tmp_path: Path
) -> None:
    again = write_page(results[:1], dataset.folder, tmp_path)
    for path in sorted(pages["one"].parent.rglob("*.*")):
        assert (tmp_path / path.relative_to(pages["one"].parent)).read_bytes() == path.read_bytes()
    assert again == tmp_path / "report.html"


def test_page_has_a_row_a_method_and_marks_the_oracle(pages: dict[str, Path]) -> None:
    page = text_of(pages["several"])
    board = page[page.index('id="scores"') : page.index('id="photographs"')]
    rows = re.findall(r'<tr class="result"><th [^>]*>([^<]*)</th>', board)
    assert rows == ["identity", "inverse_clip*", "inverse_clip/blind"]
    assert "inverse_clip is an oracle" in page


@pytest.mark.parametrize("kind", ["one", "several", "comparison"])
def test_page_loads_nothing_and_closes_what_it_opens(pages: dict[str, Path], kind: str) -> None:
    elements = Elements(text_of(pages[kind]))
    assert not elements.open
    for _, attributes in elements.found:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "#").startswith(("data:image/", "#", "data:,"))
    names = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(names) == len(set(names))
    assert all((a["href"] or "").removeprefix("#") in names for a in elements.of("a"))
    assert all(image.get("alt") for image in elements.of("img"))


def test_the_files_for_papers_are_those_of_the_page(pages: dict[str, Path]) -> None:
    page, folder = text_of(pages["one"]), pages["one"].parent
    plots = sorted((folder / "figures").glob("distribution-*.png"))
    assert [path.stem for path in plots] == ["distribution-psnr", "distribution-ssim"]
    for path in plots:
        assert base64.b64encode(path.read_bytes()).decode() in page
    assert len(list((folder / "figures").glob("photograph-1-*.png"))) == 6
    assert text_of(folder / "table.md").count("\n| ") > 5
    tex = text_of(folder / "table.tex")
    assert r"histogram\_similarity" in tex and tex.count("\\begin{") == tex.count("\\end{") == 2


def test_every_number_of_the_summary_is_text_on_the_page(results: list[Result], pages: dict[str, Path]) -> None:
    page = text_of(pages["one"])
    for row in results[0].summary.to_dict("records"):
        assert f">{tables.words(row).value}<" in page
    for value in results[0].per_image["psnr"]:
        assert f">{value:.2f}</td>" in page


def test_the_comparison_says_which_is_better_by_how_much_and_how_surely(comparison: Path) -> None:
    page = text_of(comparison)
    short = page[page.index('id="in-short"') : page.index("<nav")]
    assert "identity against inverse_clip/blind" in short
    [row] = [line for line in short.splitlines() if "By psnr" in line]
    assert re.search(r"inverse_clip/blind is better by \d\.\d\d dB \(\d\.\d\d to \d\.\d\d\), p &lt; 0\.\d+", row)
    assert "Of 2 scores:" in row
    assert "corrected for" in page and "(Holm)" in page


def test_the_picture_of_the_error_stands_beside_that_of_the_inverse(pages: dict[str, Path], dataset: Dataset) -> None:
    """Where nothing was clipped the inverse has no error, and where the output is right it is dark."""
    page = text_of(pages["one"])
    uris = re.findall(r'data:image/jpeg;base64,([^"]+)" alt="\|target . ([^|]*)\|', page)
    assert [name for _, name in uris] == ["identity", "inverse_clip, which is told tau"] * (len(uris) // 2)
    means = []
    for data, _ in uris[:2]:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        means.append(picture.mean())
    assert means[0] > means[1], "yellow is much, dark blue is none"


def test_without_a_data_set_there_are_numbers_and_no_photographs(results: list[Result], tmp_path: Path) -> None:
    page = text_of(write_page(results[:1], None, tmp_path))
    assert 'id="distributions"' in page and 'id="photographs"' not in page


def test_curves_where_a_setting_varies(made: Callable[..., Result], tmp_path: Path) -> None:
    flat = made("a", {"psnr": [20.0, 21.0, 22.0, 23.0]})
    varied = dataclasses.replace(flat, per_image=flat.per_image.assign(ev=[-1.0, 1.0, -1.0, 1.0]))
    page = text_of(write_page([varied], None, tmp_path))
    assert 'id="along-ev"' in page and (tmp_path / "figures" / "psnr-along-ev.png").is_file()
    rows = re.findall(
        r'<tr><td>a</td><td>psnr</td><td data-value="([-\d.]+)">[^<]*</td><td data-value="([\d.]+)">', page
    )
    assert rows == [("-1.0", "21.0"), ("1.0", "22.0")]
    still = dataclasses.replace(flat, per_image=flat.per_image.assign(tau=0.5))
    assert "No curve along tau, which is 0.5 in every pair" in text_of(write_page([still], None, tmp_path))


@pytest.mark.slow
def test_a_thousand_photographs_of_noise_stay_below_twenty_megabytes(
    made: Callable[..., Result], tmp_path: Path
) -> None:
    """Noise is what JPEG is worst at; the pictures that are shown are five, however many there are."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        noise = rng.integers(0, 256, (500, 500, 3), dtype=np.uint8)
        (tmp_path / "photos" / f"n{number}.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    recipe = dataset_recipe({"source": "folder", "split": "test", "well_exposed": 1})
    built = make_dataset(recipe, tmp_path / "set", root=tmp_path / "photos", card=False).dataset
    keys = [row["id"] for row in built.rows("test")]
    places = [0, 1, 499, 998, 999]
    ids = [f"p{n}" for n in range(1000)]
    for place, key in zip(places, keys, strict=True):
        ids[place] = key
    result = made(
        "noisy", {name: np.linspace(10, 40, 1000).tolist() for name in ("psnr", "ms_ssim", "fsim", "delta_e2000")}
    )
    document = {**result.document, "dataset": {**result.document["dataset"], "pixels": built.pixels}}
    run = evaluate("baseline:identity", built.folder, metrics=("psnr",), workers=1).method
    many = dataclasses.replace(result, document=document, per_image=result.per_image.assign(id=ids), method=run)
    path = write_page([many], built.folder, tmp_path / "page")
    assert text_of(path).count('class="picture"') == 5
    assert text_of(path).count("<tr><td>p") == 1000
    assert path.stat().st_size < 20e6


def test_hostile_names_stay_text(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    renamed = dataclasses.replace(results[0], document={**results[0].document, "name": "<b>me</b>"})
    for chosen in ([results[0]], [renamed, results[1]]):
        page = text_of(write_page(chosen, dataset.folder, tmp_path, title="</title><script>"))
        assert "&lt;script&gt;alert(1)" in page
        assert "<b>me" not in page
        assert len(Elements(page).of("script")) == 1


@pytest.mark.parametrize("kind", ["one", "several", "comparison"])
def test_few_photographs_are_a_smoke_test_without_ranks(pages: dict[str, Path], kind: str) -> None:
    page = text_of(pages[kind])
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
    assert 'alt="target"' in page and 'alt="identity"' not in page
    assert "No outputs are shown of identity" in page


def test_pictures_of_submitted_predictions(dataset: Dataset, tmp_path: Path) -> None:
    for row in dataset.rows("test"):
        data = (dataset.folder / "test" / row["target_file_name"]).read_bytes()
        (tmp_path / f"{row['id']}.png").write_bytes(data)
    result = evaluate(None, dataset.folder, predictions=tmp_path, name="mine", metrics=("psnr",), workers=1)
    page = text_of(write_page([result], dataset.folder, tmp_path / "out"))
    assert page.count('alt="mine"') == 3
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
    layers = [image["data-layer"] for image in page.of("img") if "data-layer" in image]
    assert layers == ["input", "target", "half", "target, 3 stops darker", "half, 3 stops darker"] * 2
    maps = [image["alt"] for image in page.of("img") if "probability" in str(image["alt"])]
    assert maps == [f"half: {name}: probability that a difference is seen" for name in ("hdrvdp3", "hdrvdp2")] * 2
    for _, row in result.per_image.iterrows():
        assert f"(Q {row['hdrvdp3:Q']:.3f}, Q_JOD {row['hdrvdp3:Q_JOD']:.3f}, P_det" in text
        largest = row["hdrvdp2:C_max"]
        assert (f"C_max {largest:,.0f})" if largest >= 1000 else f"C_max {largest:.3f})") in text
    assert len(page.of("figure", **{"class": "legend"})) == 2
    first = re.search(r'data:image/jpeg;base64,([^"]+)" alt="half: hdrvdp3: probability', text)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(first[1]), np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (picture[..., 2] - picture[..., 0]).max() > 60, "what was clipped is seen, in colour"
    assert np.ptp(picture, axis=2).min() < 10, "the rest is gray"


def test_the_folder_of_another_data_set_is_refused(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the data set that identity was evaluated on"):
        write_page(results, build(tmp_path, 2).folder, tmp_path)
    with pytest.raises(InputError, match="no results"):
        write_page([], dataset.folder, tmp_path)
