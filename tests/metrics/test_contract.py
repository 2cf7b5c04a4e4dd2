"""What every metric promises, checked of every file that there is."""

import functools
import inspect

import pytest
import torch

from exposurebench import catalog, measures
from exposurebench.errors import MissingError

FACTS = ("TITLE", "TAKES", "UNIT", "RANGE", "BETTER", "REFERENCE", "VERSION", "PROTOCOL")
NAMES = catalog.names("metrics")
STEMS = catalog.names("metrics", variants=False)
PER_SET = [name for name in NAMES if hasattr(catalog.load("metrics", name).module, "statistics")]
STEPS = [
    n for n in NAMES if n.endswith(("/plain", "/percentile")) and catalog.load("metrics", n).fact("TAKES") == "nits"
]
"""Variants of what is done before a metric sees the light: the function is the same."""
PER_IMAGE = [name for name in NAMES if name not in PER_SET and name not in STEPS]
OTHERWISE = ("GROUP", "weights_facts")
"""What marks metrics of scenes, and of sets by a network's weights, whose own tests hold them to their promises."""
SETS = [name for name in PER_SET if not any(hasattr(catalog.load("metrics", name).module, mark) for mark in OTHERWISE)]
UNRANKED = [
    f"{name}/{v}"
    for name in STEMS
    for v, own in catalog.facts("metrics")[name].get("VARIANT_FACTS", {}).items()
    if not own.get("RANKED", True)
]
REGIONAL = [n for n in PER_IMAGE if "mask" in inspect.signature(catalog.load("metrics", n).function()).parameters]

SLOW = [name for name in PER_IMAGE if name.startswith("hdrvdp") and "/" in name]
"""Variants of costly metrics, which share their code with the metric itself."""

per_image = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in PER_IMAGE]
)
per_set = pytest.mark.parametrize("name", SETS)


@functools.cache
def pictures(takes: str) -> torch.Tensor:
    """Four smooth, colourful images with some texture, float64, in the encoding that a metric takes."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(4, 3, 5, 6, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (211, 243), mode="bicubic").clamp(0.02, 0.98)
    display = (smooth + 0.02 * torch.randn(smooth.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)
    return {"srgb": display, "linear": display**2.2, "nits": 0.05 + 500 * display**2.2}[takes]


def degraded(images: torch.Tensor, amount: float) -> torch.Tensor:
    """Darker by a factor, and noisy, within the range of the images."""
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(images.shape, generator=generator, dtype=torch.float64).to(images.dtype)
    return (images * (1 - amount) + 0.3 * amount * images.max() * noise).clamp(images.min(), images.max())


def scores(name: str, prediction: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """A metric's named columns; one without a name has the metric's. One of a region gets all pixels as it.

    Skips where a metric's own package is missing.
    """
    entry = catalog.load("metrics", name)
    region = {"mask": torch.ones_like(target[:, :1])} if hasattr(entry.module, "REGION") else {}
    try:
        values = entry.function()(prediction, target, **region)
    except MissingError as error:
        pytest.skip(str(error))
    return values if isinstance(values, dict) else {name: values}


def graded(name: str, found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The columns that are scores: where a metric says which of them is the ``WHOLE``, the others are parts of it."""
    whole = getattr(catalog.load("metrics", name).module, "WHOLE", None)
    return found if whole is None else {whole: found[whole]}


def columns(name: str, images: torch.Tensor, order: tuple[int, ...] = (0, 1, 2, 3)) -> dict[str, torch.Tensor]:
    """A set metric's statistics of some of the images; where it draws boxes, an image keeps its seed."""
    statistics = catalog.load("metrics", name).function("statistics")
    seeded = {"seeds": list(order)} if "seeds" in inspect.signature(statistics).parameters else {}
    return statistics(images[list(order)], **seeded)


def takes(name: str) -> str:
    return catalog.load("metrics", name).fact("TAKES")


def fact(name: str, key: str, column: str):
    """A fact, which may be given for each column or once for all of them."""
    value = catalog.load("metrics", name).fact(key)
    return value[column] if isinstance(value, dict) else value


@pytest.mark.parametrize("name", STEMS)
def test_facts(name):
    facts = catalog.facts("metrics")[name]
    assert not [key for key in FACTS if key not in facts]
    assert facts["TITLE"] and facts["REFERENCE"]
    assert facts["TAKES"] in ("srgb", "linear", "nits")
    directions = facts["BETTER"].values() if isinstance(facts["BETTER"], dict) else [facts["BETTER"]]
    assert set(directions) <= {"higher", "lower", "zero", "target", "neither"}
    assert isinstance(facts["VERSION"], int)
    for low, high in facts["RANGE"].values() if isinstance(facts["RANGE"], dict) else [facts["RANGE"]]:
        assert low is None or high is None or low < high


@pytest.mark.parametrize("name", NAMES)
def test_protocol_says_what_was_computed(name):
    """Settings stand in the protocol under their names, so that a variant's overwrite the default's."""
    entry = catalog.load("metrics", name)
    protocol = measures.protocol(name)
    assert all(isinstance(value, str | int | float) for value in protocol.values())
    for setting, parameter in entry.parameters().items():
        if isinstance(parameter.default, str | int | float):
            assert protocol[setting] == entry.settings.get(setting, parameter.default)
    capped = getattr(entry.module, "MEAN_CAP", None)
    assert protocol.get("mean_cap") == capped


def test_what_carries_no_information_is_not_ranked():
    assert UNRANKED == ["psnr/paper2_literal"]


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_keywords_with_defaults(name):
    entry = catalog.load("metrics", name)
    functions = [entry.function()] + ([entry.function("statistics")] if name in PER_SET else [])
    for function in functions:
        parameters = list(inspect.signature(function).parameters.values())
        required = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert len(required) == (1 if function is not functions[0] else 2)
        assert all(p.default is not p.empty for p in parameters if p.kind is p.KEYWORD_ONLY)


@per_image
def test_equal_images_score_best(name):
    images = pictures(takes(name))
    same = graded(name, scores(name, images, images))
    worse = scores(name, degraded(images, 0.1), images)
    for column, values in same.items():
        low, high = fact(name, "RANGE", column)
        better = fact(name, "BETTER", column)
        best = {"higher": high, "lower": low, "zero": 0, "target": same.get("target")}[better]
        if best is None:  # infinite, or no best at all
            assert ((values > worse[column]) if better == "higher" else (values < worse[column])).all()
        else:
            assert (values == best).all()
        assert (worse[column] != values).all() or column == "target"


@per_image
def test_direction_and_range(name):
    images = pictures(takes(name))
    steps = [scores(name, degraded(images, amount), images) for amount in (0.02, 0.1, 0.4)]
    for column in steps[0]:
        values = torch.stack([step[column] for step in steps])
        assert values.shape == (3, 4)
        if column not in graded(name, steps[0]):
            assert (values >= 0).all(), "a part is no score by itself"
            continue
        better = fact(name, "BETTER", column)
        distance = {
            "higher": lambda values: -values,
            "lower": lambda values: values,
            "zero": torch.abs,
            "target": lambda values, steps=steps: (values - torch.stack([step["target"] for step in steps])).abs(),
        }[better](values)
        worst = fact(name, "RANGE", column)[better == "lower"]  # a probability of 1 grows no further
        grows = (distance.diff(dim=0) > 0) | (values[1:] == (torch.nan if worst is None else worst))
        assert grows.all() or column == "target" or name in UNRANKED
        low, high = fact(name, "RANGE", column)
        assert low is None or (values >= low).all()
        assert high is None or (values <= high).all()


def test_names_of_columns_are_told_from_names_of_variants():
    for name in PER_IMAGE:
        unit = catalog.load("metrics", name).fact("UNIT")
        for column in unit if isinstance(unit, dict) else ():
            assert measures.name_and_column(f"{name}.{column}") == (name, column)
        assert measures.name_and_column(name) == (name, "")


def test_most_have_regions():
    assert {"psnr", "ssim", "ssim/wang", "fsim", "fsimc", "delta_e2000", "exposure_error"} <= set(REGIONAL)
    assert {"log_psnr", "mu_psnr", "pu21_psnr"} <= set(REGIONAL)


@pytest.mark.parametrize("name", REGIONAL)
def test_a_region_is_what_the_mask_says(name):
    """A mask of everything is no mask, a pixel outside counts for nothing, and an empty mask has no score."""
    entry = catalog.load("metrics", name)
    score = entry.function()
    images = pictures(takes(name))
    prediction = degraded(images, 0.1)
    everything = torch.ones_like(images[:, :1])
    left = everything.clone()
    left[..., 120:] = 0
    if not hasattr(entry.module, "REGION"):
        torch.testing.assert_close(score(prediction, images, mask=everything), score(prediction, images))
    whole, half = score(prediction, images, mask=everything), score(prediction, images, mask=left)
    assert (half != whole).all()
    assert torch.equal(score(prediction, images, mask=left.bool()), half)
    assert torch.equal(score(prediction, images, mask=left.float()), half)
    far = images.clone()
    far[..., 230:] = 1 - far[..., 230:] if takes(name) != "nits" else far[..., 230:] * 2
    if entry.fact("PROTOCOL").get("border_px") == 0:
        torch.testing.assert_close(score(far, images, mask=left), score(images, images, mask=left))
    left[1:3] = 0
    assert score(prediction, images, mask=left).isnan().tolist() == [False, True, True, False]
    for bad in (everything[:2], everything.expand(-1, 3, -1, -1), everything + 1, everything * torch.nan):
        with pytest.raises(ValueError, match="mask"):
            score(prediction, images, mask=bad)
    with pytest.raises(TypeError, match="mask"):
        score(prediction, images, mask=everything.long())


@per_image
def test_batch_does_not_matter(name):
    images = pictures(takes(name))
    prediction = degraded(images, 0.1)
    together = scores(name, prediction, images)
    for i in range(4):
        for column, value in scores(name, prediction[i : i + 1], images[i : i + 1]).items():
            torch.testing.assert_close(value, together[column][i : i + 1], atol=1e-12, rtol=1e-12)


@per_image
def test_float32_against_float64(name):
    images = pictures(takes(name))
    prediction = degraded(images, 0.1)
    double = scores(name, prediction, images)
    for column, values in scores(name, prediction.float(), images.float()).items():
        torch.testing.assert_close(values.double(), double[column], atol=1e-4, rtol=1e-4)


@per_image
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_processor_against_accelerator(name):
    images = pictures(takes(name))
    prediction = degraded(images, 0.1)
    here = scores(name, prediction, images)
    for column, values in scores(name, prediction.cuda(), images.cuda()).items():
        torch.testing.assert_close(values.cpu(), here[column], atol=1e-9, rtol=1e-9)


@per_image
def test_inputs_stay(name):
    images = pictures(takes(name))
    prediction = degraded(images, 0.1)
    copies = prediction.clone(), images.clone()
    scores(name, prediction, images)
    assert torch.equal(prediction, copies[0])
    assert torch.equal(images, copies[1])


@pytest.mark.parametrize("name", NAMES)
def test_refuses_what_it_cannot_score(name):
    images = pictures(takes(name))
    score = columns if name in PER_SET else functools.partial(scores, target=images)
    ruined = images.clone()
    ruined[2, 1, 30, 40] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        score(name, ruined)
    with pytest.raises(ValueError, match="lie"):
        score(name, images - 2 * images.max())
    with pytest.raises(TypeError):
        score(name, (images / images.max() * 255).to(torch.uint8))
    with pytest.raises(ValueError, match="shape"):
        score(name, images[:, :2])


@per_set
def test_set_order_and_batch_do_not_matter(name):
    images = pictures(takes(name))
    whole, turned = columns(name, images), columns(name, images, (3, 1, 0, 2))
    alone = [columns(name, images, (i,)) for i in range(4)]
    for column, values in whole.items():
        assert values.shape[0] == 4
        assert torch.equal(turned[column], values[[3, 1, 0, 2]])
        assert torch.equal(torch.cat([one[column] for one in alone]), values)
    other = columns(name, degraded(images, 0.1))
    score = catalog.load("metrics", name).function()
    assert score(turned, other) == score(whole, other)


@per_set
def test_set_of_itself_scores_best_and_falls(name):
    images = pictures(takes(name))
    score = catalog.load("metrics", name).function()
    target = columns(name, images)
    same = score(target, target)
    worst = score(columns(name, degraded(images, 0.6)), target)
    best = catalog.load("metrics", name).fact("RANGE")[1]
    assert same["mean"] == best
    assert worst["mean"] < best


@per_set
def test_set_is_told_again_from_plain_numbers(name):
    images = pictures(takes(name))
    sides = [columns(name, batch) for batch in (degraded(images, 0.1), images)]
    score = catalog.load("metrics", name).function()
    assert score(*({key: values.numpy() for key, values in side.items()} for side in sides)) == score(*sides)


@per_set
def test_set_float32_against_float64(name):
    images = pictures(takes(name))
    double = columns(name, images)
    for column, values in columns(name, images.float()).items():
        torch.testing.assert_close(values, double[column], atol=1e-5, rtol=0)
