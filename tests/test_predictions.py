"""Predictions of another program, by key, by file name, by a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError
from exposurebench.evaluate import evaluate


@pytest.fixture
def outputs(samples: Path, tmp_path: Path) -> Path:
    """The inputs under names of no meaning, and a table that says whose they are."""
    folder, lines = tmp_path / "outputs", ["id,file,note"]
    (folder / "deep").mkdir(parents=True)
    for number, row in enumerate(load_dataset(samples).rows("test")):
        name = f"{'deep/' if number % 2 else ''}{number}.png"
        (folder / name).write_bytes((samples / "test" / row["input_file_name"]).read_bytes())
        known = (row["id"], row["input_file_name"], Path(row["input_file_name"]).name)[number % 3]
        lines.append(f"{known},{name},x")
    (tmp_path / "map.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return folder


def test_a_table_says_which_file_is_whose(samples: Path, outputs: Path) -> None:
    table = outputs.parent / "map.csv"
    result = evaluate(None, samples, predictions=outputs, predictions_map=table, metrics=["psnr"])
    same = evaluate("baseline:identity", samples, metrics=["psnr"])
    assert result.per_image["psnr"].tolist() == same.per_image["psnr"].tolist()
    with pytest.raises(InputError, match=r"6 of 6 predictions are missing.*or a CSV with --map"):
        evaluate(None, samples, predictions=outputs, metrics=["psnr"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("id,file", "key,path"), "has key, path, note: expected the columns id and file"),
        (lambda text: "", "has no rows: expected the columns id and file"),
        (lambda text: text.replace("2.png", "7.png"), "no file '.*7.png'"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "1 of 6 predictions are missing in .*expected a row for each"),
        (lambda text: text + text.splitlines()[1], "two predictions for '.*': 0.png and 0.png; keep one"),
    ],
    ids=["columns", "empty", "lost", "missing", "twice"],
)
def test_tables_that_do_not_say_it(samples: Path, outputs: Path, change: object, said: str) -> None:
    table = outputs.parent / "map.csv"
    table.write_text(change(table.read_text(encoding="utf-8-sig")))  # type: ignore[operator]
    with pytest.raises(InputError, match=said) as caught:
        evaluate(None, samples, predictions=outputs, predictions_map=table, metrics=["psnr"])
    assert "\n" not in str(caught.value)
