"""Measures: what they are called, where their values stand, what they depend on."""

import numpy as np
import pandas as pd
import pytest

from exposurebench import measures
from exposurebench.errors import RecipeError


def test_a_region_is_part_of_the_name_and_of_the_protocol():
    assert measures.entry_of("psnr@clipped").name == "psnr"
    whole, part = measures.protocol("psnr"), measures.protocol("psnr@clipped")
    assert part.pop("region") == measures.REGIONS["clipped"]
    assert part.pop("metric") == "psnr@clipped"
    assert {**part, "metric": "psnr"} == whole


def test_a_region_that_there_is_none_of():
    with pytest.raises(RecipeError, match="unknown region 'cliped'; did you mean 'clipped'"):
        measures.entry_of("psnr@cliped")


def test_metrics_that_take_a_mask_are_measured_by_region(register):
    def fixed(prediction, target, *, mask=None):
        return prediction.mean((1, 2, 3))

    register("one_region", one_region=fixed, REGION="clipped")
    found = measures.by_region(["psnr", "histogram_similarity", "one_region"])
    assert found == ["psnr@clipped", "psnr@near_clipped", "psnr@unclipped"]
    with pytest.raises(RecipeError, match="none of histogram_similarity, one_region can be measured over regions"):
        measures.by_region(["histogram_similarity", "one_region"])


def test_settings_stand_in_the_protocol_and_come_back_from_it():
    stated = measures.protocol("histogram_similarity/hu2018", {"bins": 16})
    assert (stated["bins"], stated["patches"]) == (16, "hu2018")
    entry = measures.measured_with("histogram_similarity/hu2018", stated)
    assert entry.settings == {"bins": 16, "patches": "hu2018"}
    assert entry.function().keywords == {"bins": 16, "patches": "hu2018"}
    assert entry.function("statistics").keywords == {"patches": "hu2018"}


def test_a_protocol_has_no_path_in_it(inceptions):
    entry = measures.entry_of("inception_score", {"weights": str(inceptions["torchvision"]), "splits": 2})
    stated = {**measures.protocol("inception_score", entry.settings), **measures.run_facts(entry)}
    assert "weights" not in stated
    assert stated["splits"] == 2
    assert len(stated["weights_sha256"]) == 64
    assert set(measures.run_facts(entry)) == set(measures.OF_THE_RUN)
    assert measures.run_facts(measures.entry_of("psnr")) == {}


def test_what_light_is_scored_as_is_said(register):
    def score(prediction, target):
        return prediction.mean((1, 2, 3))

    register("of_light", of_light=score, TAKES="linear")
    register("of_nits", of_nits=score, TAKES="nits", PROTOCOL={"precision": "float64"})
    light, nits = (measures.protocol(name) for name in ("of_light", "of_nits"))
    assert light["prediction"] == "light as its file holds it"
    assert not {"scale", "alignment", "peak_nits"} & light.keys()
    steps = {"scale": "white100", "alignment": "gain", "crf_correction": True, "peak_nits": 1000.0}
    assert nits.items() >= steps.items()
    assert (light["precision"], nits["precision"]) == ("float32", "float64")
    assert "not clipped in the input" in nits["gain"] and "ridge" in nits["crf"]
    plain = measures.protocol("of_nits", {"alignment": "none", "crf_correction": False, "scale": "nits"})
    assert (plain["scale"], plain["alignment"], plain["crf_correction"]) == ("nits", "none", False)
    assert not {"gain", "crf"} & plain.keys()


def test_where_values_stand():
    table = pd.DataFrame({"psnr": [], "psnr@clipped": [], "vdp:Q": [], "vdp:P_det": [], "vdp@clipped:Q": []})
    assert measures.value_columns("psnr", table) == {"psnr": "psnr"}
    assert measures.value_columns("psnr@clipped", table) == {"psnr@clipped": "psnr@clipped"}
    assert measures.value_columns("vdp", table) == {"vdp.Q": "vdp:Q", "vdp.P_det": "vdp:P_det"}
    assert measures.value_columns("vdp@clipped", table) == {"vdp@clipped.Q": "vdp@clipped:Q"}
    with pytest.raises(KeyError, match="ssim"):
        measures.value_columns("ssim", table)


def test_statistics_stand_in_the_table_or_beside_it():
    table = pd.DataFrame({"kid:target:small": [1.0, 2.0], "kid:prediction:small": [3.0, 4.0]})
    beside = {"kid:target:features": np.ones((2, 5)), "kid/tf2015:target:features": np.zeros((2, 5))}
    found = measures.set_columns("kid", "target", table, beside)
    assert found["small"].tolist() == [1, 2]
    assert found["features"] is beside["kid:target:features"]
