"""An evaluation that is killed goes on, and keeps nothing of another one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exposurebench.errors import InputError, ModelError, RecipeError
from exposurebench.evaluate import evaluate
from exposurebench.journal import NAME, Journal, folder_for
from exposurebench.method import Method
from exposurebench.result import read_result, write_result

ABOUT = {"name": "m", "method": {"kind": "baseline"}, "dataset": {"pixels": "p", "split": "test"}, "protocols": {}}


def pair(key: str, value: float = 1.0) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"id": key, "psnr": value, "unchanged": False}, {"wide": np.arange(3, dtype=np.float32)}


def test_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    with Journal(tmp_path / "r", ABOUT) as journal:
        journal.add([pair("a", float("inf")), pair("b", 1 / 3)])
    with Journal(tmp_path / "r", ABOUT) as journal:
        assert [cells for cells, _ in journal.known.values()] == [pair("a", float("inf"))[0], pair("b", 1 / 3)[0]]
        assert journal.known["a"][1]["wide"].dtype == np.float32
        assert journal.known["a"][1]["wide"].tolist() == [0, 1, 2]


def test_a_torn_line_is_passed_over_and_ended(tmp_path: Path) -> None:
    with Journal(tmp_path, ABOUT) as journal:
        journal.add([pair("a"), pair("b")])
    file = tmp_path / NAME / "pairs-0.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    with Journal(tmp_path, ABOUT) as journal:
        assert list(journal.known) == ["a"]
        journal.add([pair("c")])
    with Journal(tmp_path, ABOUT, rank=1) as journal:
        assert list(journal.known) == ["a", "c"], "those of all processes"


def test_another_evaluation_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path, ABOUT) as journal:
        journal.add([pair("a")])
    other = {**ABOUT, "method": {"kind": "baseline", "settings": {"mid": 0.3}}}
    with pytest.raises(
        RecipeError, match=r"another evaluation is unfinished in .* \(method.settings differ\): choose another"
    ):
        Journal(tmp_path, other)
    assert folder_for(str(tmp_path), "m", other) == tmp_path, "what was asked for stays"
    assert folder_for(str(tmp_path / "{name}"), "a/b", other) == tmp_path / "a-b"


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with Journal(tmp_path, ABOUT), pytest.raises(InputError, match="another process evaluates into"):
        Journal(tmp_path, ABOUT)


@pytest.mark.parametrize(
    ("error", "kept"), [(None, True), (ModelError, False), (InputError, True), (KeyboardInterrupt, True)]
)
def test_what_failed_for_good_leaves_nothing(tmp_path: Path, error: type[BaseException] | None, kept: bool) -> None:
    try:
        with Journal(tmp_path / "results" / "m", ABOUT) as journal:
            journal.add([pair("a")])
            if error:
                raise error("x")
    except (ModelError, InputError, KeyboardInterrupt):
        pass
    assert (tmp_path / "results").exists() == kept


def test_nothing_scored_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError), Journal(tmp_path / "results" / "m", ABOUT):
        raise InputError("x")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------- of whole evaluations


def test_a_run_that_ended_early_is_gone_on_with(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, out = ["psnr", "histogram_similarity"], tmp_path / "r"
    whole = evaluate("baseline:gamma", samples, metrics=metrics)
    from exposurebench import pipeline as module

    corrected, asked = module.checked_output, []

    def interrupted(method: Method, output: Any, image: Any, row: Any, depth: int) -> Any:
        asked.append(row["id"])
        if len(asked) == 4:
            raise KeyboardInterrupt
        return corrected(method, output, image, row, depth)

    monkeypatch.setattr(module, "checked_output", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate("baseline:gamma", samples, metrics=metrics, out=out, workers=1)
    again = evaluate("baseline:gamma", samples, metrics=metrics, out=out, workers=1)
    assert len(asked) == 4 + 3, "three were kept"
    assert again.per_image.equals(whole.per_image)
    assert again.summary.equals(whole.summary)
    write_result(again, out)
    assert not (out / NAME).exists()
    assert read_result(out).per_image.equals(whole.per_image)


def test_a_finished_result_is_not_written_over_by_another(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    write_result(evaluate("baseline:gamma", samples, metrics=["psnr"], out=out), out)
    write_result(evaluate("baseline:gamma", samples, metrics=["psnr"], out=out), out)
    for changed in ({"what": "baseline:identity"}, {"metrics": ["ssim"]}, {"settings": {"mid": 0.3}}):
        words = {"what": "baseline:gamma", "metrics": ["psnr"], **changed}
        with pytest.raises(RecipeError, match=r"another evaluation lies in .*choose another --out"):
            evaluate(dataset=samples, out=out, **words)
    named = evaluate("baseline:gamma", samples, metrics=["psnr"], out=tmp_path / "{name}").folder
    write_result(evaluate("baseline:gamma", samples, metrics=["psnr"], out=tmp_path / "{name}"), named)
    other = evaluate("baseline:gamma", samples, metrics=["ssim"], out=tmp_path / "{name}").folder
    assert named == tmp_path / "gamma"
    assert other.name.startswith("gamma-"), "a name that is taken gets a hash"


@pytest.mark.slow
def test_a_killed_run_ends_like_another(trainable: Path, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "exposurebench",
        "eval",
        "baseline:clahe",
        "--dataset",
        str(trainable),
        "--metric",
        "fsimc",
    ]
    killed = subprocess.Popen([*words, "--out", str(tmp_path / "a"), "--workers", "1"], stdout=subprocess.PIPE)
    lines = tmp_path / "a" / NAME / "pairs-0.jsonl"
    until = time.monotonic() + 120
    while time.monotonic() < until and not (lines.exists() and lines.read_bytes().count(b"{") > 2):
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    kept = [json.loads(line)["cells"]["id"] for line in lines.read_bytes().splitlines() if line.endswith(b"}")]
    assert kept
    for out in ("a", "b"):
        subprocess.run([*words, "--out", str(tmp_path / out)], check=True, capture_output=True)
    assert (tmp_path / "a" / "per_image.csv").read_bytes() == (tmp_path / "b" / "per_image.csv").read_bytes()
    assert not lines.exists()


@pytest.mark.slow
def test_two_processes_give_the_table_of_one(trainable: Path, tmp_path: Path) -> None:
    words = ["-m", "exposurebench", "eval", "baseline:clahe", "--dataset", str(trainable), "--device", "cpu"]
    subprocess.run([sys.executable, *words, "--out", str(tmp_path / "one")], check=True, capture_output=True)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    ran = subprocess.run([*launch, "--out", str(tmp_path / "two")], check=True, capture_output=True, text=True)
    assert ran.stdout.count("page with pictures") == 1, "one of them speaks"
    for name in ("per_image.csv", "summary.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert not (tmp_path / "two" / NAME).exists()
