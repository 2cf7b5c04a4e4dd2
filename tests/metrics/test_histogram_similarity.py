import io

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from exposurebench.histograms import chi_square, correlation, hellinger, intersection
from exposurebench.metrics.histogram_similarity import COLUMNS, histogram_similarity, statistics


def uniform_columns(seed, number=200):
    rng = np.random.default_rng(seed)
    return {name: rng.random(number) for name in COLUMNS}


# ------------------------------------------------------------------------------------------ statistics


def test_by_hand():
    """Half black, half a saturated orange: every number can be worked out on paper."""
    image = torch.zeros(1, 3, 2, 4, dtype=torch.float64)
    image[0, :, :, 2:] = torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1)
    light = 0.27 + 0.67 / 2
    expected = {"luminance": light / 2, "contrast": light, "saturation": 0.5}
    measured = statistics(image)
    assert list(measured) == list(COLUMNS)
    for name, value in expected.items():
        assert measured[name].item() == pytest.approx(value, abs=1e-12)


def test_agrees_with_opencv(images):
    measured = statistics(images.float())
    for i, image in enumerate(images.float().permute(0, 2, 3, 1).numpy()):
        light = image @ np.array([0.27, 0.67, 0.06])
        saturation = cv2.cvtColor(image, cv2.COLOR_RGB2HLS)[..., 2].mean(dtype=np.float64)
        expected = light.mean(), 2 * light.std(), saturation
        assert [measured[name][i].item() for name in COLUMNS] == pytest.approx(expected, abs=1e-6)


def test_extremes_stay_in_range():
    white, stripes = torch.ones(1, 3, 9, 10), torch.ones(1, 3, 9, 10)
    stripes[..., ::2] = 0
    red = white * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    measured = statistics(torch.cat((white, stripes, red)))
    assert measured["luminance"].tolist() == pytest.approx([1, 0.5, 0.27])
    assert measured["contrast"].tolist() == pytest.approx([0, 1, 0])
    assert measured["saturation"].tolist() == [0, 0, 1]
    assert all(((column >= 0) & (column <= 1)).all() for column in measured.values())
    histogram_similarity(measured, measured)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["image", "hu2018"])
def test_order_and_batch_do_not_matter(images, kind, dtype):
    images, seeds = images.to(dtype), [5, 6, 7, 8]
    together = statistics(images, patches=kind, seeds=seeds)
    for i in (3, 0, 2, 1):
        alone = statistics(images[i : i + 1], patches=kind, seeds=seeds[i : i + 1])
        assert all(torch.equal(alone[name][0], together[name][i]) for name in COLUMNS)


def test_hu2018_measures_sixteen_patches(images):
    measured = statistics(images, patches="hu2018", seeds=range(4))
    assert {column.shape for column in measured.values()} == {(4, 16)}
    assert all(column.dtype == torch.float64 for column in measured.values())
    again = statistics(images, patches="hu2018", seeds=range(4))
    other = statistics(images, patches="hu2018", seeds=range(1, 5))
    assert all(torch.equal(measured[name], again[name]) for name in COLUMNS)
    assert not torch.equal(measured["luminance"], other["luminance"])


def test_hu2018_cuts_both_sides_alike(images):
    """Halving the light of an image halves the luminance of every patch only if the boxes are the same."""
    light = statistics(images, patches="hu2018", seeds=range(4))["luminance"]
    dark = statistics(images * 0.5, patches="hu2018", seeds=range(4))["luminance"]
    torch.testing.assert_close(dark, light * 0.5)


def test_hu2018_averages_by_area(images):
    """The box of a square is all of it, and some crop of OpenCV's area average has each patch's mean."""
    square = images[:1, :, :, :93]
    means = statistics(square, patches="hu2018", seeds=[0])["luminance"][0]
    light = square[0].permute(1, 2, 0).numpy() @ np.array([0.27, 0.67, 0.06])
    small = cv2.resize(light, (80, 80), interpolation=cv2.INTER_AREA)
    crops = np.lib.stride_tricks.sliding_window_view(small, (64, 64)).mean((2, 3)).ravel()
    assert all(np.abs(crops - mean.item()).min() < 1e-6 for mean in means)


def test_hu2018_of_a_small_square_is_the_square():
    image = torch.full((1, 3, 80, 80), 0.3, dtype=torch.float64)
    torch.testing.assert_close(
        statistics(image, patches="hu2018", seeds=[1])["luminance"],
        torch.full((1, 16), 0.3, dtype=torch.float64),
    )


def test_one_pixel_is_an_image():
    assert statistics(torch.full((1, 3, 1, 1), 0.5))["contrast"].item() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patches": "hu2018"}, "seed"),
        ({"patches": "hu2018", "seeds": [1, 2]}, "seed"),
        ({"patches": "hu2018", "seeds": [1]}, "80 px"),
        ({"patches": "tiles"}, "patches"),
    ],
)
def test_refuses_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        statistics(torch.zeros(1, 3, 79, 90), **settings)


# ------------------------------------------------------------------------------------------ similarity


@pytest.mark.parametrize("number", [1, 2, 3, 7, 200])
def test_equal_sets_are_exactly_one(number):
    columns = uniform_columns(0, number)
    result = histogram_similarity(columns, columns)
    assert list(result) == [*COLUMNS, "mean", "luminance_w1", "contrast_w1", "saturation_w1"]
    assert all(result[name] == 1 for name in (*COLUMNS, "mean"))
    assert all(result[f"{name}_w1"] == 0 for name in COLUMNS)


def test_agrees_with_numpy_and_scipy():
    from scipy.stats import wasserstein_distance

    ours, theirs = uniform_columns(1, 200), {k: v**2 for k, v in uniform_columns(2, 150).items()}
    result = histogram_similarity(ours, theirs)
    for name in COLUMNS:
        shares = [np.histogram(side[name], 32, (0, 1))[0] / side[name].size for side in (ours, theirs)]
        assert result[name] == pytest.approx(np.minimum(*shares).sum(), abs=1e-12)
        expected = wasserstein_distance(ours[name], theirs[name])
        assert result[f"{name}_w1"] == pytest.approx(expected, abs=1e-12)
    assert result["mean"] == pytest.approx(np.mean([result[name] for name in COLUMNS]))


def test_one_is_in_the_last_bin():
    one, near = ({name: np.array([value]) for name in COLUMNS} for value in (1.0, 0.97))
    assert histogram_similarity(one, near)["mean"] == 1


def test_order_does_not_matter_and_sides_may_swap():
    ours, theirs = uniform_columns(1), {k: v**2 for k, v in uniform_columns(2).items()}
    expected = histogram_similarity(ours, theirs)
    shuffled = {name: np.random.default_rng(0).permutation(column) for name, column in ours.items()}
    assert histogram_similarity(shuffled, theirs) == expected
    assert histogram_similarity(theirs, ours) == expected


def test_falls_as_sets_part():
    target = {name: 0.5 * column for name, column in uniform_columns(1).items()}
    results = [histogram_similarity({k: v + s for k, v in target.items()}, target) for s in (0, 0.1, 0.3, 0.5)]
    assert all(np.diff([result["mean"] for result in results]) < 0)
    assert [result["luminance_w1"] for result in results] == pytest.approx([0, 0.1, 0.3, 0.5])


@pytest.mark.parametrize("kind", ["image", "hu2018"])
def test_a_table_gives_the_same_numbers(images, kind):
    sides = [statistics(batch, patches=kind, seeds=range(4)) for batch in (images, images * 0.8)]
    read = []
    for side in sides:
        table = pd.DataFrame({k: v.ravel().numpy() for k, v in side.items()}).to_csv(index=False)
        columns = pd.read_csv(io.StringIO(table), dtype=str).astype(float)
        shape = (4,) if kind == "image" else (4, 16)
        read.append({name: columns[name].to_numpy().reshape(shape) for name in COLUMNS})
    assert histogram_similarity(*read, patches=kind) == histogram_similarity(*sides, patches=kind)


@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan]), np.array([1.1]), np.zeros((2, 16)), np.array(0.5)])
def test_refuses_columns(bad):
    good = {name: np.array([0.5]) for name in COLUMNS}
    with pytest.raises(ValueError):
        histogram_similarity(good, {**good, "contrast": bad})


def test_refuses_settings_of_similarity():
    columns = uniform_columns(0)
    with pytest.raises(ValueError, match="bins"):
        histogram_similarity(columns, columns, bins=0)
    with pytest.raises(ValueError, match="patches"):
        histogram_similarity(columns, columns, patches="tiles")
    with pytest.raises(KeyError):
        histogram_similarity(columns, {})


# ------------------------------------------------------------------------------------------ histograms


REFERENCE_NAMES = {
    "hist-intersection": intersection,
    "hist-correlation": correlation,
    "hist-hellinger": hellinger,
    "hist-chi-square(ref,test)": chi_square,
}


def opencv_histogram(path, what):
    """The shares of an image's values as the reference scores have them, in float32."""
    levels = cv2.imread(str(path))
    gray = cv2.cvtColor(levels, cv2.COLOR_BGR2GRAY)
    if what.startswith("saturation"):
        values, bins = cv2.cvtColor(levels, cv2.COLOR_BGR2HSV)[..., 1], 256
    elif what.startswith("luma"):
        values, bins = gray, 256
    else:
        light, bins = gray.astype(np.float32), 128
        mean = cv2.blur(light, (7, 7))
        values = np.sqrt(np.maximum(cv2.blur(light * light, (7, 7)) - mean * mean, 0)).astype(np.float32)
    counts = cv2.calcHist([values], [0], None, [bins], [0, bins]).ravel()
    return counts / counts.sum()


@pytest.mark.parametrize("name", REFERENCE_NAMES)
def test_histogram_distances_agree_with_opencv(references, name):
    rows = references.values[references.values.metric == name]
    assert len(rows) == 25
    for row in rows.itertuples():
        pair = references.pairs.loc[row.pair_id]
        sides = (opencv_histogram(references.folder / f, row.params) for f in (pair.reference_file, pair.test_file))
        assert REFERENCE_NAMES[name](*sides) == pytest.approx(row.value, abs=1e-9, rel=1e-9)


def test_a_flat_histogram_correlates_with_nothing():
    with pytest.raises(ValueError, match="flat"):
        correlation([1, 1], [1, 2])
