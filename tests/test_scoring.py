"""One pair's cells: regions, named columns, light, and what lies beside the table."""

import math

import numpy as np
import pytest
import torch

from exposurebench.errors import InputError
from exposurebench.images import Image
from exposurebench.measures import entry_of
from exposurebench.scoring import cells_of, scene_cells, sides_of
from exposurebench.threads import in_threads


def picture(level=100, size=(6, 8)):
    return Image(np.full((*size, 3), level, np.uint8))


def half_clipped():
    """The left half white, one column nearly so, the rest dark."""
    levels = np.full((6, 8, 3), 40, np.uint8)
    levels[:, :4] = 255
    levels[:, 4, 1] = 240
    return Image(levels)


def test_a_region_is_the_inputs_and_a_score_of_it_is_of_its_pixels_alone():
    prediction, target = picture(100).pixels.copy(), picture(100)
    prediction[:, :4] += 10
    prediction[:, 4] += 20
    sides = sides_of(prediction, target, half_clipped())
    assert {name: int(mask.sum()) for name, mask in sides.regions.items()} == {
        "clipped": 24, "near_clipped": 6, "unclipped": 18,
    }  # fmt: skip
    names = ("psnr@clipped", "psnr@near_clipped", "psnr@unclipped")
    cells, _ = cells_of({name: entry_of(name) for name in names}, "k", sides)
    assert cells["psnr@clipped"] == pytest.approx(20 * math.log10(255 / 10))
    assert cells["psnr@near_clipped"] == pytest.approx(20 * math.log10(255 / 20))
    assert cells["psnr@unclipped"] == math.inf


@pytest.mark.parametrize(
    ("level", "region"), [(249, "near_clipped"), (250, "clipped"), (230, "near_clipped"), (229, "unclipped")]
)
@pytest.mark.parametrize("depth", [8, 16])
def test_regions_begin_at_their_levels(level, region, depth):
    given = picture(level) if depth == 8 else Image(picture(level).pixels.astype(np.uint16) * 257, 16)
    sides = sides_of(picture().pixels, picture(), given)
    assert [name for name, mask in sides.regions.items() if mask.all()] == [region]
    assert sum(mask.any() for mask in sides.regions.values()) == 1


def test_a_region_without_pixels_has_no_value():
    cells, _ = cells_of(
        {"psnr@clipped": entry_of("psnr@clipped")}, "k", sides_of(picture().pixels, picture(), picture())
    )
    assert math.isnan(cells["psnr@clipped"])


def test_a_metric_that_asks_where_the_input_is_not_clipped_is_told(register):
    def unclipped_share(prediction, target, *, unclipped=None):
        return torch.ones(1) if unclipped is None else unclipped.double().mean((1, 2, 3))

    register("unclipped_share", unclipped_share=unclipped_share)
    entries = {"unclipped_share": entry_of("unclipped_share")}
    for given, share in ((half_clipped(), 0.5), (None, 1)):
        cells, _ = cells_of(entries, "k", sides_of(picture().pixels, picture(), given))
        assert cells["unclipped_share"] == share


def test_a_metric_of_one_region_gets_it_always(register):
    def clipped_mean(prediction, target, *, mask=None):
        return {"mean": (prediction * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)) / 3}

    register("clipped_mean", clipped_mean=clipped_mean, REGION="clipped", COLUMNS=("mean",))
    entries = {"clipped_mean": entry_of("clipped_mean")}
    cells, _ = cells_of(entries, "k", sides_of(picture(51).pixels, picture(), half_clipped()))
    assert cells == {"clipped_mean:mean": 0.2}
    cells, _ = cells_of(entries, "k", sides_of(picture(51).pixels, picture(), picture()))
    assert list(cells) == ["clipped_mean:mean"]
    assert math.isnan(cells["clipped_mean:mean"])
    with pytest.raises(
        InputError, match="k: clipped_mean: it is measured over clipped pixels of the input, and here is"
    ):
        cells_of(entries, "k", sides_of(picture().pixels, picture()))


def test_named_columns_become_cells(register):
    def vdp(prediction, target):
        return {"Q": prediction.mean((1, 2, 3)), "P_det": target.mean((1, 2, 3))}

    register("vdp", vdp=vdp)
    cells, _ = cells_of({"vdp": entry_of("vdp")}, "k", sides_of(picture(51).pixels, picture(102)))
    assert cells == {"vdp:Q": 0.2, "vdp:P_det": 0.4}


def light(value):
    return Image(np.full((4, 5, 3), value, np.float32), 16, "linear")


def test_light_comes_as_it_is_or_on_a_display(register):
    seen = {}

    def keep(name):
        def score(prediction, target):
            seen[name] = (prediction, target)
            return prediction.mean((1, 2, 3))

        return score

    register("relative", relative=keep("relative"), TAKES="linear")
    register("absolute", absolute=keep("absolute"), TAKES="nits")
    register("precise", precise=keep("precise"), TAKES="nits", PROTOCOL={"precision": "float64"})
    as_it_lies = {"alignment": "none", "crf_correction": False}
    given, twice = Image(half_clipped().pixels[:4, :5]), light(0.5).pixels
    twice[:, :4] = 7  # what the input lost must not move the gain
    sides = sides_of(twice, light(0.25), given)
    entries = {name: entry_of(name) for name in ("relative", "absolute", "precise")}
    cells_of(entries, "k", sides)
    assert [side.unique().tolist() for side in seen["relative"]] == [[0.5, 7.0], [0.25]]
    assert seen["absolute"][0][0, 0, 0].tolist() == pytest.approx([25] * 5, rel=1e-5), "the curve brings all of it near"
    assert [side.dtype for side in seen["absolute"]] == [torch.float32] * 2
    assert [side.dtype for side in seen["precise"]] == [torch.float64] * 2
    cells_of(
        {"absolute": entry_of("absolute", {**as_it_lies, "alignment": "gain"})},
        "k",
        sides_of(twice, light(0.25), given),
    )
    assert seen["absolute"][0][0, 0, 0].tolist() == pytest.approx([350] * 4 + [25], rel=1e-5)
    cells_of({"absolute": entry_of("absolute", as_it_lies)}, "k", sides_of(light(40.0).pixels, light(0.1)))
    assert [side.unique().tolist() for side in seen["absolute"]] == [[1000], [pytest.approx(10)]], "clipped at the peak"


def test_wide_statistics_lie_beside_the_table_and_are_computed_once(register):
    calls = []

    def statistics(images, *, width=3):
        calls.append(width)
        return {"wide": images.mean() * torch.ones(1, 100), "narrow": torch.arange(3.0)[None], "other": torch.ones(1)}

    def score(prediction_columns, target_columns, *, width=3):
        return {"value": 0.0}

    register("first", first=score, statistics=statistics, COLUMNS=("wide", "narrow"))
    register("second", second=score, statistics=statistics, COLUMNS=("other",))
    entries = {name: entry_of(name) for name in ("first", "second")}
    cells, arrays = cells_of(entries, "k", sides_of(picture(51).pixels, picture()))
    assert cells["first:prediction:narrow"] == "0.0 1.0 2.0"
    assert cells["second:target:other"] == 1.0
    assert list(arrays) == ["first:prediction:wide", "first:target:wide"]
    assert arrays["first:prediction:wide"].dtype == np.float32
    assert len(calls) == 2, "once a side"
    cells_of({"first": entry_of("first", {"width": 5})}, "k", sides_of(picture(51).pixels, picture()))
    assert calls[2:] == [5, 5]


def test_a_scenes_outputs_are_measured_together():
    sides = [sides_of(picture(level).pixels, picture()) for level in (51, 51, 102)]
    rows = scene_cells({"psnr": entry_of("psnr"), "consistency": entry_of("consistency")}, ["a", "b", "c"], sides)
    assert [row["consistency:prediction:luma"] for row in rows] == [0.2, 0.2, 0.4]
    apart = [row["consistency:prediction:delta_e2000"] for row in rows]
    assert apart[0] == apart[1] == pytest.approx(apart[2] / 2)
    other = sides_of(picture(51, (7, 8)).pixels, picture(51, (7, 8)))
    with pytest.raises(InputError, match="a: consistency: the predictions of a scene must have one size"):
        scene_cells({"consistency": entry_of("consistency")}, ["a", "d"], [sides[0], other])


def test_a_metric_that_cannot_score_a_pair_says_which():
    with pytest.raises(InputError, match="k: ssim: SSIM needs a window of 11 px to fit") as caught:
        cells_of({"ssim": entry_of("ssim")}, "k", sides_of(picture().pixels, picture()))
    assert "\n" not in str(caught.value)


def test_threads_keep_the_order_and_give_the_libraries_their_cores_back():
    before = torch.get_num_threads()
    assert list(in_threads(lambda number: (number, torch.get_num_threads()), range(20), 3)) == [
        (n, 1) for n in range(20)
    ]
    assert torch.get_num_threads() == before
