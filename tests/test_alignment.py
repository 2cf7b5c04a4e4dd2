import numpy as np
import pytest
import torch

from exposurebench.alignment import (
    align,
    align_gain,
    align_percentiles,
    checked_light,
    correct_crf,
    near_peak,
    shown,
    to_nits,
)
from exposurebench.color import REC709, rgb_to_xyz, weighted
from exposurebench.perception import pq_decode, pq_encode, xyz_to_uv

SIZE = (2, 3, 40, 50)


@pytest.fixture
def target() -> torch.Tensor:
    """Two colourful images of light in cd/m2, 1 to 800."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(2, 3, 5, 6, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, SIZE[2:], mode="bicubic").clamp(0.01, 1)
    return 1 + 799 * smooth**2.2


@pytest.fixture
def muted(target: torch.Tensor) -> torch.Tensor:
    """The same with a third of the colour: corrections of it stay within Rec. 709."""
    return 0.7 * target.mean(1, keepdim=True) + 0.3 * target


def luminance(light: torch.Tensor) -> torch.Tensor:
    return weighted(*light.split(1, 1), REC709)


# ------------------------------------------------------------------------------------------ absolute scale


@pytest.mark.parametrize(("scale", "white"), [("white100", 100), ("white203", 203)])
def test_white_gets_its_light(scale, white):
    light = torch.linspace(0.1, 9, 3 * 4 * 5).view(1, 3, 4, 5)
    ours, theirs = to_nits(light, light.flip(3), scale=scale)
    assert torch.equal(ours, white * light)
    assert torch.equal(theirs, white * light.flip(3))


def test_peak_is_the_targets_image_by_image(target):
    prediction = 3 * target
    ours, theirs = to_nits(prediction, target, scale="peak4000")
    torch.testing.assert_close(theirs.amax((1, 2, 3)), torch.full((2,), 4000.0, dtype=torch.float64))
    torch.testing.assert_close(ours, 3 * theirs)


def test_light_in_nits_keeps_its_scale(target):
    assert all(map(torch.equal, to_nits(target, 2 * target, scale="nits"), (target, 2 * target)))
    with pytest.raises(ValueError, match=r"relative light needs a scale first \(scale=white100 puts 1 at 100 cd/m2\)"):
        shown(target, target / target.max(), scale="nits")


def test_shown_is_scale_then_alignment(target):
    relative = target / 100
    prediction = relative.flip(3)
    unclipped = luminance(target) < 200
    ours, theirs = shown(prediction, relative, scale="white203", peak_nits=700, unclipped=unclipped)
    expected = align(203 * prediction, 203 * relative, peak_nits=700, unclipped=unclipped)
    assert torch.equal(ours, expected[0]) and torch.equal(theirs, expected[1])


@pytest.mark.parametrize("alignment", ["gain", "percentile"])
@pytest.mark.parametrize("unit", [0.02, 1e-4, 1e-12])
def test_alignment_does_not_mind_a_small_unit(target, unit, alignment):
    """Its light would be below the display's black, and none of it above 1 cd/m2."""
    relative = (target / 100).float()
    prediction = relative * torch.rand(SIZE, generator=torch.Generator().manual_seed(2)).add(0.5)
    expected = shown(prediction, relative, alignment=alignment)
    found = shown(unit * prediction, relative, alignment=alignment)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    with_zeros = (unit * prediction).index_fill(3, torch.tensor([7]), 0)
    dark, _ = shown(with_zeros, relative, alignment=alignment, crf_correction=False)
    assert (dark[..., 7] <= dark[..., 8:].amin()).all()
    night = 4 * target / target.max()
    torch.testing.assert_close(*shown(night / 5, night, scale="nits", alignment=alignment), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="and cd/m2 are expected: relative light needs a scale"):
        shown(1e-4 * prediction, relative, alignment="none")


def test_the_unit_is_found_where_the_input_shows_the_light(target):
    unclipped = luminance(target) < 200
    lost = torch.where(unclipped, target / 100, 1e6 * target)
    ours, theirs = shown(1e-5 * lost, target / 100, unclipped=unclipped, crf_correction=False)
    torch.testing.assert_close(ours[unclipped.expand(SIZE)], theirs[unclipped.expand(SIZE)])


def test_black_becomes_the_black_of_a_display():
    light = torch.zeros(2, 3, 2, 2)
    light[:, 0, 0, 0] = 1
    assert [side.unique().tolist() for side in to_nits(light, light)] == [pytest.approx([0.005, 100])] * 2
    black = light * torch.tensor([1, 0]).view(2, 1, 1, 1)
    for name, sides in (("prediction", (black, light)), ("target", (light, black))):
        with pytest.raises(ValueError, match=f"{name} is black all over an image, and there is no light"):
            to_nits(*sides)


def test_scale_refuses():
    light = torch.ones(1, 3, 2, 2)
    with pytest.raises(ValueError, match="white100, white203, peak4000"):
        to_nits(light, light, scale="white80")
    with pytest.raises(ValueError, match="lie at or above 0"):
        to_nits(light, -light)


# -------------------------------------------------------------------------------------------------- gain


def test_gain_is_found_whatever_lies_in_clipped_pixels(target):
    unclipped = torch.rand(2, 1, *SIZE[2:], generator=torch.Generator().manual_seed(2)) < 0.7
    gains = torch.tensor([0.02, 7.0], dtype=torch.float64).view(-1, 1, 1, 1)
    prediction = torch.where(unclipped, target / gains, 1e5)
    aligned = align_gain(prediction, target, unclipped=unclipped)
    torch.testing.assert_close(aligned, prediction * gains)


def test_gain_is_the_least_squares_fit(target):
    """Against NumPy's least squares of log ratio by a constant, weighted."""
    rng = np.random.default_rng(0)
    prediction = target * torch.from_numpy(rng.lognormal(0.3, 0.5, SIZE))
    weights = torch.from_numpy(rng.uniform(0, 1, (2, 1, *SIZE[2:])))
    aligned = align_gain(prediction, target, unclipped=weights)
    for i in range(2):
        ratio = (luminance(target) / luminance(prediction)).log()[i].numpy().ravel()
        root = np.sqrt(weights[i].numpy().ravel())
        (slope,), *_ = np.linalg.lstsq(root[:, None], root * ratio, rcond=None)
        torch.testing.assert_close(aligned[i], prediction[i] * np.exp(slope))


def test_without_weights_every_pixel_counts(target):
    prediction = target**1.1
    everywhere = torch.ones(2, 1, *SIZE[2:], dtype=torch.bool)
    torch.testing.assert_close(align_gain(prediction, target), align_gain(prediction, target, unclipped=everywhere))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.ones(2, *SIZE[2:]), "shape"),
        (torch.ones(1, 1, *SIZE[2:]), "shape"),
        (torch.full((2, 1, *SIZE[2:]), -1.0), "lie in"),
        (torch.full((2, 1, *SIZE[2:]), torch.nan), "lie in"),
        (torch.stack((torch.ones(1, *SIZE[2:]), torch.zeros(1, *SIZE[2:]))), "no gain to fit"),
    ],
    ids=["no channel", "one for two", "negative", "NaN", "all clipped"],
)
def test_gain_refuses_weights(target, weights, message):
    with pytest.raises(ValueError, match=message):
        align_gain(target, target, unclipped=weights)


# ------------------------------------------------------------------------------------------- percentiles


def test_percentiles_by_numpy(target):
    """The order statistics that leave out one value in a thousand at either end become the target's."""
    prediction = target.flip(3) ** 0.7 + 3
    aligned = align_percentiles(prediction, target)
    for i in range(2):
        ours, theirs = (np.sort(side[i].numpy(), axis=None) for side in (prediction, target))
        k = ours.size // 1000
        assert k == 6
        (low, high), (target_low, target_high) = ((v[k - 1], v[-k]) for v in (ours, theirs))
        slope = (target_high - target_low) / (high - low)
        expected = (slope * (prediction[i] - low) + target_low).clamp(min=0.005)
        torch.testing.assert_close(aligned[i], expected)


def test_percentiles_undo_a_straight_line(target):
    torch.testing.assert_close(align_percentiles(0.02 * target + 5, target), target)


def test_percentiles_of_a_flat_image_are_finite(target):
    flat = torch.full_like(target, 30)
    assert torch.equal(align_percentiles(flat, target), near_low(target).expand_as(target))


def near_low(light: torch.Tensor) -> torch.Tensor:
    return light.flatten(1).sort(1).values[:, light[0].numel() // 1000 - 1].view(-1, 1, 1, 1)


def test_near_peak_is_an_order_statistic(target):
    expected = target.flatten(1).sort(1).values[:, -(target[0].numel() // 1000)]
    assert torch.equal(near_peak(target).flatten(), expected)


# ---------------------------------------------------------------------------------------- CRF correction


def test_a_cubic_in_pq_is_undone_exactly(target):
    """The target is a cubic of the prediction's PQ luminance: the correction finds it to rounding."""
    gray = luminance(target).expand(-1, 3, -1, -1)
    signal = pq_encode(gray)
    bent = pq_decode(0.02 + 0.8 * signal + 0.3 * signal**2 - 0.2 * signal**3)
    torch.testing.assert_close(correct_crf(gray, bent), bent, rtol=1e-9, atol=0)


def test_luminance_is_the_least_squares_cubic(muted):
    """Against NumPy's polynomial fit of PQ luminance, which shares no line with ours."""
    prediction = (muted.flip(2) + muted) / 2
    corrected = correct_crf(prediction, muted)
    assert (corrected > 0).all()
    for i in range(2):
        x, y, ours = (pq_encode(exact_luminance(side[i])) for side in (prediction, muted, corrected))
        fit = np.polynomial.Polynomial.fit(x.ravel(), y.ravel(), 3)
        np.testing.assert_allclose(ours.ravel(), fit(x.ravel()), atol=1e-9)


def exact_luminance(light: torch.Tensor) -> np.ndarray:
    return np.tensordot(rgb_to_xyz()[1], light.numpy(), 1)


def test_chromaticity_is_the_ridge_regression(muted):
    """Against NumPy's least squares with the ridge as extra rows that ask for the identity."""
    prediction = muted**0.9 * torch.tensor([1.5, 1, 0.8], dtype=torch.float64).view(1, 3, 1, 1)
    corrected = correct_crf(prediction, muted)
    assert (corrected > 0).all()
    for i in range(2):
        ours, theirs, found = (
            np.stack(xyz_to_uv(*np.tensordot(rgb_to_xyz(), side[i].numpy(), 1)), -1).reshape(-1, 2)
            for side in (prediction, muted, corrected)
        )
        u, v = ours.T
        terms = np.stack((np.ones_like(u), u, v, u**2, v**2, u**3, v**3, u * v), 1)
        identity = np.zeros((8, 2))
        identity[1, 0] = identity[2, 1] = 1
        root = np.sqrt(0.01 * len(terms) / 8)
        matrix, *_ = np.linalg.lstsq(np.vstack((terms, root * np.eye(8))), np.vstack((theirs, root * identity)))
        np.testing.assert_allclose(found, terms @ matrix, atol=1e-9)


def test_correction_brings_a_cast_and_a_curve_nearer(muted):
    prediction = 800 * (muted / 800) ** 1.4 * torch.tensor([1.3, 1, 0.7], dtype=torch.float64).view(1, 3, 1, 1)
    corrected = correct_crf(prediction, muted)
    before, after = ((pq_encode(side) - pq_encode(muted)).square().mean() for side in (prediction, corrected))
    assert after < before / 50


def test_an_image_of_few_levels_is_corrected(target):
    """Two levels bear no cubic, one no line: what fits best then are the means of the target over them."""
    two = torch.where(luminance(target) > luminance(target).median(), 200.0, 10.0).double().expand(-1, 3, -1, -1)
    gray = luminance(target).expand(-1, 3, -1, -1)
    corrected = correct_crf(two, gray)
    for i in range(2):
        for level in (10, 200):
            there = two[i] == level
            expected = pq_decode(pq_encode(gray[i][there]).mean())
            torch.testing.assert_close(corrected[i][there], expected.expand(int(there.sum())), rtol=1e-9, atol=0)
    flat = correct_crf(torch.full_like(two, 30), gray)
    assert flat.isfinite().all()
    assert (flat.amax((1, 2, 3)) / flat.amin((1, 2, 3))).max() < 1 + 1e-9


def test_black_and_saturated_light_stays_finite():
    colors = torch.tensor([[0.005, 0.005, 900.0], [900.0, 0.005, 0.005], [0.005, 900.0, 0.005], [0.005] * 3])
    prediction = colors.T.reshape(1, 3, 2, 2).double()
    corrected = correct_crf(prediction, prediction.flip(1))
    assert corrected.isfinite().all()
    assert (corrected >= 0).all()


# ------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("crf_correction", [False, True])
@pytest.mark.parametrize("alignment", ["gain", "percentile", "none"])
def test_equal_images_stay_equal(target, alignment, crf_correction):
    ours, theirs = align(target, target, alignment=alignment, crf_correction=crf_correction, peak_nits=300)
    if alignment != "percentile":  # a line through two points of itself, to rounding
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs)
    assert theirs.max() == 300


def test_order_gain_then_peak_then_curve(target):
    unclipped = luminance(target) < 200
    prediction = 0.25 * torch.where(unclipped, target, 50.0)
    ours, theirs = align(prediction, target, peak_nits=500, unclipped=unclipped)
    gained = align_gain(prediction, target, unclipped=unclipped).clamp(max=500)
    expected = correct_crf(gained, target.clamp(max=500)).clamp(0.005, 500)
    assert torch.equal(ours, expected)
    assert torch.equal(theirs, target.clamp(max=500))


def test_plain_changes_nothing_below_the_peak(target):
    ours, theirs = align(target / 3, target, alignment="none", crf_correction=False, peak_nits=10_000)
    assert torch.equal(ours, target / 3)
    assert torch.equal(theirs, target)


def test_gain_of_the_prediction_does_not_matter(target):
    prediction = target.flip(3)
    first, second = (align(gain * prediction, target)[0] for gain in (0.3, 40.0))
    torch.testing.assert_close(first, second)


def test_images_are_aligned_one_by_one(target):
    prediction = target.flip(3) ** 0.8
    together = align(prediction, target)[0]
    alone = torch.cat([align(prediction[i : i + 1], target[i : i + 1])[0] for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)


def test_single_precision_is_nearly_as_good(target):
    prediction = target.flip(3) ** 0.8
    single = align(prediction.float(), target.float())[0]
    assert single.dtype == torch.float64
    torch.testing.assert_close(single, align(prediction, target)[0], rtol=1e-4, atol=1e-3)


def test_gradient(target):
    small = target[:1, :, ::8, ::10].contiguous()
    prediction = (small.flip(3) + 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: align(x, small, peak_nits=10_000)[0], (prediction,), atol=1e-4)


def test_inputs_stay(target):
    before = target.clone()
    align(target, target.flip(3), unclipped=luminance(target) < 100)
    assert torch.equal(target, before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment": "mean"}, "gain, percentile, none"),
        ({"peak_nits": 1.0}, "above 1"),
        ({"peak_nits": np.nan}, "above 1"),
    ],
    ids=["alignment", "peak", "NaN"],
)
def test_align_refuses_settings(target, settings, message):
    with pytest.raises(ValueError, match=message):
        align(target, target, **settings)


@pytest.mark.parametrize("side", ["prediction", "target"])
@pytest.mark.parametrize(
    ("ruin", "message"),
    [
        (lambda light: light * 0, "holds zeros: raise them to the black of a display, 0.005"),
        (lambda light: light * (light > light.mean()), "holds zeros"),
        (
            lambda light: light - light.mean(),
            "must lie at or above 0, .*: raise negative light to 0, or to a display's black",
        ),
        (lambda light: light / light.max(), "peaks at .* cd/m2 are expected: relative light needs a scale"),
        (lambda light: torch.where(light > light.mean(), torch.inf, light), "infinite values: mend them"),
        (lambda light: torch.where(light > light.mean(), torch.nan, light), "NaN .*: mend them"),
    ],
    ids=["black", "zeros", "negative", "relative", "infinite", "NaN"],
)
def test_refuses_what_is_no_light(target, ruin, message, side):
    sides = {"prediction": target, "target": target} | {side: ruin(target)}
    with pytest.raises(ValueError, match=f"{side} .*{message}"):
        checked_light(**sides)
    with pytest.raises(ValueError, match=f"{side} .*{message}"):
        align(**sides)


def test_one_relative_image_in_a_batch_is_found(target):
    mixed = torch.cat((target[:1], target[1:] / target.max()))
    with pytest.raises(ValueError, match="relative"):
        checked_light(mixed, target)
