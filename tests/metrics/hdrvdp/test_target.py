import pytest
import torch

from exposurebench.metrics import hdrvdp2, hdrvdp3

SETTINGS = [
    (hdrvdp2, {}),
    (hdrvdp2, {"surround": "mean", "pixels_per_degree": 45.0, "encoding": "rgb-native"}),
    (hdrvdp3, {}),
    (hdrvdp3, {"task": "detection", "surround": "mean", "encoding": "rgb-bt.2020"}),
]


def images(count, size=(40, 52), dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    return 1 + 400 * torch.rand(count, 3, *size, generator=generator, dtype=dtype) ** 3


def metric(module):
    return getattr(module, module.__name__.rpartition(".")[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("module", "settings"), SETTINGS)
def test_one_after_the_other_to_the_last_digit(module, settings, dtype):
    target, others = images(1, dtype=dtype), images(3, dtype=dtype).clamp(max=250)
    half = module.prepared(target, **settings)
    for prediction in (*others.unsqueeze(1), target):
        expected = metric(module)(prediction, target, with_map=True, **settings)
        found = metric(module)(prediction, half, with_map=True, **settings)
        for column, values in expected.items():
            assert torch.equal(values, found[column]), f"{column}: a prediction changed what was prepared"


@pytest.mark.parametrize("module", [hdrvdp2, hdrvdp3])
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (images(2), images(3), "one target, or one for each of 2 predictions, not 3"),
        (images(2), images(2, (40, 53)), "shape"),
        (images(2), images(2, dtype=torch.float64), "dtype"),
    ],
    ids=["count", "shape", "dtype"],
)
def test_refuses_what_does_not_match(module, prepared, prediction, target, message):
    with pytest.raises(ValueError, match=message):
        metric(module)(prediction, module.prepared(target) if prepared else target)


@pytest.mark.parametrize("module", [hdrvdp2, hdrvdp3])
def test_refuses_other_settings(module):
    half = module.prepared(images(1), pixels_per_degree=60.0)
    with pytest.raises(ValueError, match=r"prepared with pixels_per_degree=60\.0, not with 30\.0"):
        metric(module)(images(1), half)
