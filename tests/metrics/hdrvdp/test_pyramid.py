import pytest
import torch
from torch.nn.functional import conv2d, pad

from exposurebench.metrics.hdrvdp.pyramid import analysed, correlated, levels, synthesised, taps


@pytest.mark.parametrize("filters", ["sp0", "sp3"])
@pytest.mark.parametrize("name", ["hi0", "lo0", "lo", "bands"])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (17, 40), (33, 18)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_correlation_by_blocks(filters, name, step, size, dtype):
    images = torch.rand(2, 1, *size, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 100
    weights = getattr(taps(filters), name)
    side = weights.shape[-1]
    if side // 2 >= min(size):
        pytest.skip("the pyramid has no level that small")
    padded = pad(images, (side // 2,) * 4, mode="reflect")
    expected = conv2d(padded, torch.from_numpy(weights.copy())[:, None].to(dtype), stride=step)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-4
    torch.testing.assert_close(correlated(images, weights, step), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("filters", "count"), [("sp0", 1), ("sp3", 4)])
def test_bands_add_up_to_the_image(filters, count):
    y, x = torch.meshgrid(torch.arange(129.0), torch.arange(97.0), indexing="ij")
    image = (torch.sin(x / 4) * torch.cos(y / 7) + x / 50).double()[None, None]
    bands = analysed(image, filters, 3)
    sizes = [(1, 129, 97), (count, 129, 97), (count, 65, 49), (count, 33, 25), (1, 17, 13)]
    assert [tuple(band.shape[1:]) for band in bands] == sizes
    again = synthesised(bands, filters)
    inside = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    assert (again - image)[inside].abs().max() < 0.02 * image.abs().max()


def test_height():
    assert [levels((side, 300), "sp3") for side in (16, 17, 34, 255)] == [0, 1, 2, 4]
    assert [levels((300, side), "sp0") for side in (12, 13, 26)] == [0, 1, 2]


def test_original_bands(references):
    """The pattern of release 2.2.2: sizes and root mean square differences, band by band."""
    from exposurebench.metrics import hdrvdp2
    from exposurebench.metrics.hdrvdp.light import catches
    from exposurebench.metrics.hdrvdp.optics import on_retina
    from exposurebench.metrics.hdrvdp.receptors import response

    answers = []
    for side in references.pair("gabor50_c01"):
        seen = on_retina(side, 30.0, torch.full((1, 1, 1, 1), 1e-5, dtype=torch.float64))
        answer = response(catches(seen, "2.2.2", "d65"), hdrvdp2._RECEPTORS)
        answers.append(answer - answer.mean())
    prediction, target = answers
    assert target.std(correction=0).item() == pytest.approx(2.542880690, abs=1e-4)
    assert (prediction - target)[0, 0, 128, 127].item() == pytest.approx(0.243363477, abs=1e-8)
    bands = [ours - theirs for ours, theirs in zip(*(analysed(a, "sp3", 4) for a in answers), strict=True)]
    assert [tuple(b.shape[2:]) for b in bands] == [(257, 255), (257, 255), (129, 128), (65, 64), (33, 32), (17, 16)]
    expected = [
        (0.0015186,),
        (0.0127724, 0.0036881, 0.0000617, 0.0036881),
        (0.0535297, 0.0196652, 0.0000504, 0.0196652),
        (0.0005245, 0.0001908, 0.0000057, 0.0001908),
        (0.0000269, 0.0000279, 0.0000252, 0.0000279),
        (0.0006339,),
    ]
    for band, values in zip(bands, expected, strict=True):
        assert band.square().mean((2, 3)).sqrt()[0].tolist() == pytest.approx(values, abs=6e-8)
