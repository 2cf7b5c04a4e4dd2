"""The command line as a person meets it: photographs in, leaderboard out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def run(*words: object, cwd: Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "exposurebench", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_photographs_in_leaderboard_out(tmp_path: Path) -> None:
    made = json.loads(run("make-dataset", "--recipe", "samples-tau50-v1", "--json", cwd=tmp_path).stdout)
    dataset = Path(made["out"])
    assert made["counts"]["test"] == {"pairs": 6, "photographs": 6}
    assert "intact" in run("verify", dataset, "--rebuild", 3, cwd=tmp_path).stdout

    mixed = "train=0.5,test=0.5"
    run("make-dataset", "samples", "--out", "set", "--tau", "0.5:1", "--size", 96, "--split", mixed, "--seed", 1,
        "--well-exposed", 1, cwd=tmp_path)  # fmt: skip
    run("train", "small_cnn", "--data", "set", "--out", "run", "--set", "steps=5", "--set", "patch=32", cwd=tmp_path)
    scored = json.loads(
        run("eval", "run/model.pt", "--dataset", dataset, "--out", "results/net", "--json", cwd=tmp_path).stdout
    )
    assert scored["name"] == "run"
    assert scored["method"]["checkpoint_sha256"]
    assert {row["metric"] for row in scored["summary"]} >= {"psnr", "ssim", "histogram_similarity.mean"}
    assert (tmp_path / "results" / "net" / "report.html").stat().st_size > 10_000

    run("predict", "run/model.pt", "--dataset", dataset, "--out", "outputs", cwd=tmp_path)
    files = run("eval", "--predictions", "outputs", "--name", "mine", "--dataset", dataset, cwd=tmp_path)
    assert "psnr" in files.stdout
    ours, theirs = ((tmp_path / "results" / n / "per_image.csv").read_text() for n in ("net", "mine"))
    assert ours == theirs

    run("leaderboard", "add", "results/net", "--track", "samples", cwd=tmp_path)
    run("leaderboard", "build", cwd=tmp_path)
    assert "everything follows" in run("leaderboard", "check", cwd=tmp_path).stdout
    page = tmp_path / "leaderboards" / "samples" / "README.md"
    assert "| run | scored |" in page.read_text()
    page.write_text(page.read_text().replace("scored", "checked"))
    problem = run("leaderboard", "check", cwd=tmp_path, code=1)
    assert "samples/README.md is not what its entries give" in problem.stderr


def test_quickstart(tmp_path: Path) -> None:
    done = run("quickstart", cwd=tmp_path)
    for method in ("inverse_clip*", "inverse_clip/blind", "inverse_comb", "identity", "clahe", "box3"):
        assert method in done.stdout
    assert "a smoke test, not a ranking" in done.stdout
    page = tmp_path / "exposurebench-quickstart" / "report.html"
    assert str(page.relative_to(tmp_path)) in done.stdout
    text = page.read_text()
    assert "smoke test" in text
    assert text.count("data:image/") >= 6


def test_a_pickled_model_is_refused_with_its_own_exit_code(tmp_path: Path, samples: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "someone.pt")
    refused = run("eval", "someone.pt", "--dataset", samples, cwd=tmp_path, code=5)
    assert refused.stderr.count("\n") == 1
    assert "someone.pt: refused: it is a pickled Python object" in refused.stderr
    assert not (tmp_path / "results").exists()


def test_a_full_destination_has_its_own_exit_code(tmp_path: Path, samples: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    done = run("eval", "baseline:identity", "--dataset", samples, cwd=tmp_path, code=74)
    assert done.stderr.count("\n") == 1
    assert "results" in done.stderr
