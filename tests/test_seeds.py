import json
from pathlib import Path

import pandas as pd
import pytest

from exposurebench.checkpoint import load_checkpoint
from exposurebench.evaluate import evaluate
from exposurebench.seeds import train_seeds
from exposurebench.training_recipe import training_recipe


def test_every_seed_is_trained_scored_and_compared(
    with_val: Path, trainable: Path, tmp_path: Path, undrawn: None
) -> None:
    recipe = training_recipe({"model": "small_cnn", "steps": 3, "patch": 16, "network.width": 2, "seed": 4})
    table = train_seeds(recipe, with_val, tmp_path, seeds=2)
    names = ["seed-4", "seed-5"]
    assert list(table.columns) == ["quantity", "mean", "sd", *names]
    assert list(table["quantity"]) == ["psnr", "ssim", "l1"]
    assert [load_checkpoint(tmp_path / name / "model.pt").recipe["seed"] for name in names] == [4, 5]
    rows = table.set_index("quantity")
    assert rows.loc["psnr", names].nunique() == 2, "other seeds, other networks"
    scored = evaluate(str(tmp_path / "seed-5" / "model.pt"), with_val, split="val", metrics=["psnr"]).summary
    assert rows.loc["psnr", "seed-5"] == scored["value"][0]
    assert rows.loc["l1", "seed-5"] == pytest.approx(pd.read_csv(tmp_path / "seed-5" / "log.csv")["l1"].mean())
    for name in rows.index:
        values = rows.loc[name, names].astype(float)
        assert rows.loc[name, "mean"] == pytest.approx(values.sum() / 2)
        assert rows.loc[name, "sd"] == pytest.approx((((values - values.mean()) ** 2).sum() / 1) ** 0.5)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "summary.csv"), table)
    assert json.loads((tmp_path / "summary.json").read_text())[0]["quantity"] == "psnr"

    told: list[int] = []
    again = train_seeds(recipe, with_val, tmp_path, seeds=2, on_progress=lambda done, *_: told.append(done))
    pd.testing.assert_frame_equal(again, table)
    assert told == [], "they were trained before"

    no_val = train_seeds(recipe, trainable, tmp_path / "other", seeds=2)
    assert list(no_val["quantity"]) == ["l1"]
