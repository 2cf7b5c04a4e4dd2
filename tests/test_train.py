import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from exposurebench.checkpoint import load_checkpoint
from exposurebench.dataset import load_dataset
from exposurebench.errors import InputError, MissingError, ModelError, RecipeError, StorageError
from exposurebench.evaluate import evaluate
from exposurebench.train import train
from exposurebench.training_recipe import TrainingRecipe, training_recipe

ROOT = Path(__file__).resolve().parent.parent


def recipe(**changes: object) -> TrainingRecipe:
    plain = {"model": "small_cnn", "network.width": 6, "steps": 60, "patch": 48, "learning_rate": 3e-3}
    return training_recipe({**plain, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder / "model.pt").state)


def same(a: Path, b: Path) -> bool:
    """Whether two runs ended with the same weights, optimisers and log, to the last bit."""
    states = [torch.load(f / "state.pt", weights_only=True) for f in (a, b)]
    logs = [(f / "log.csv").read_text() for f in (a, b)]
    ours, theirs = weights(a), weights(b)
    return (
        logs[0] == logs[1]
        and all(torch.equal(ours[name], theirs[name]) for name in {*ours, *theirs})
        and flat(states[0]) == flat(states[1])
    )


def flat(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: flat(inner) for name, inner in value.items()}
    return value.tolist() if isinstance(value, torch.Tensor) else value


def test_it_learns_something_and_writes_what_it_learned(trainable: Path, tmp_path: Path, undrawn: list[Any]) -> None:
    trained = train(recipe(steps=150, batch=3), trainable, tmp_path / "run")
    log = pd.read_csv(tmp_path / "run" / "log.csv")
    assert log["step"].tolist() == list(range(150))
    assert log["l1"].tail(20).mean() < 0.7 * log["l1"].head(5).mean()
    assert (trained.steps, trained.made, trained.losses["l1"]) == (150, 150, log["l1"].iloc[-1])
    assert trained.images_per_second > 0
    assert 0 <= trained.waiting < 1
    checkpoint = load_checkpoint(trained.checkpoint)
    assert checkpoint.dataset["pixels"] == load_dataset(trainable).pixels
    assert (checkpoint.recipe["steps"], checkpoint.recipe["steps_done"]) == (150, 150)
    ours, theirs = (
        evaluate(what, trainable, metrics=["psnr"]).summary["value"][0]
        for what in (str(trained.checkpoint), "baseline:identity")
    )
    assert ours > theirs + 1, "150 steps must beat doing nothing by more than a decibel"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    trainable: Path, tmp_path: Path, undrawn: list[Any]
) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train(recipe(steps=3, seed=seed), trainable, tmp_path / name)
    assert same(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(weights(tmp_path / "a")["layers.0.weight"], weights(tmp_path / "c")["layers.0.weight"])


def gan(**changes: object) -> TrainingRecipe:
    """Noise, a discriminator, an average, several saves: everything that a state must hold."""
    plain = {"model": "toy_gan", "steps": 12, "batch": 4, "patch": 32, "save_every": 4, "schedule": [[6, 1e-3]]}
    return training_recipe({**plain, "learning_rate": 4e-3, "average": 0.9, "network.dropout": 0.3, **changes})


class Killed(BaseException):
    """The end of a process, as far as a test can have one."""


def test_a_run_that_is_killed_at_any_write_ends_as_if_it_were_not(
    toy: None, trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: list[Any]
) -> None:
    """Twelve steps with a log and three saves of two files: killed before some of the seven take their name."""
    train(gan(), trainable, tmp_path / "whole")
    replace, left = os.replace, [0]

    def killing(*names: str) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        replace(*names)

    for write in (0, 1, 4, 6):
        left[0], run = write, tmp_path / str(write)
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killing)
            with pytest.raises(Killed):
                train(gan(), trainable, run)
        again = train(gan(), trainable, run)
        assert again.made == 12 - 4 * (max(0, write - 1) // 2)
        assert same(tmp_path / "whole", run)
    before = (run / "state.pt").read_bytes()
    told: list[int] = []
    finished = train(gan(), trainable, run, on_progress=lambda done, *_: told.append(done))
    assert (finished.made, finished.steps, told) == (0, 12, [])
    assert finished.losses == again.losses
    assert (run / "state.pt").read_bytes() == before


def test_a_signal_is_heeded_after_the_step_and_nothing_is_lost(
    toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exposurebench.train.LOOK_S", 0)
    train(gan(), trainable, tmp_path / "whole")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def stop(done: int, total: int, losses: Any) -> None:
        if done == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(gan(), trainable, tmp_path / "run", on_progress=stop)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert load_checkpoint(tmp_path / "run" / "model.pt").recipe["steps_done"] == 7
    assert train(gan(), trainable, tmp_path / "run").made == 5
    assert same(tmp_path / "whole", tmp_path / "run")


def test_rows_of_the_log_come_before_the_save_and_never_twice(
    toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exposurebench.train.LOOK_S", 0)
    log, rows = tmp_path / "run" / "log.csv", []

    def watch(done: int, total: int, losses: Any) -> None:
        rows.append(log.read_text().splitlines()[1:] if log.exists() else [])
        if done == 7:
            raise Killed

    with pytest.raises(Killed):
        train(gan(save_every=5), trainable, tmp_path / "run", on_progress=watch)
    assert [len(seen) for seen in rows] == [0, 1, 2, 3, 4, 5, 6, 7]
    train(gan(save_every=5), trainable, tmp_path / "run")
    assert pd.read_csv(log)["step"].tolist() == list(range(12)), "steps 5 and 6 were done again"


def test_a_checkpoint_has_statistics_of_the_weights_that_it_holds(
    toy: Callable[..., None], trainable: Path, tmp_path: Path, undrawn: list[Any]
) -> None:
    """Batch norm trails behind: with a momentum of 0 it stays where it began."""

    def network(*, width: int = 6, dropout: float = 0.0) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3, momentum=0.0))

    toy(network=network)
    train(gan(save_every=5), trainable, tmp_path / "whole")
    checkpoint = load_checkpoint(tmp_path / "whole" / "model.pt")
    assert checkpoint.recipe["batch_norm_statistics"] == "of the last batches, dropout off"
    assert not torch.allclose(checkpoint.state["1.running_mean"], torch.zeros(3), atol=1e-3)
    state = torch.load(tmp_path / "whole" / "state.pt")["state"]["network"]["weights"]
    assert torch.equal(state["1.running_mean"], torch.zeros(3)), "the training's own are as they were"

    def stop(done: int, total: int, losses: Any) -> None:
        if done == 5:
            raise Killed

    with pytest.raises(Killed):
        train(gan(save_every=5), trainable, tmp_path / "run", on_progress=stop)
    train(gan(save_every=5), trainable, tmp_path / "run")
    assert same(tmp_path / "whole", tmp_path / "run")


def test_epochs_schedule_and_progress(toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any]) -> None:
    told: list[tuple[int, int]] = []
    recipe = gan(steps=None, epochs=4, batch=1)
    trained = train(recipe, trainable, tmp_path / "run", on_progress=lambda *now: told.append(now[:2]))
    assert len(load_dataset(trainable).rows("train")) == 3
    assert trained.steps == 12, "three pairs one by one are three steps an epoch"
    assert (told[0], told[-1]) == ((0, 12), (12, 12))
    rates = [
        g["lr"] for g in torch.load(tmp_path / "run" / "state.pt")["state"]["network"]["optimizer"]["param_groups"]
    ]
    assert rates == [4e-3], "the schedule begins in epoch 6"
    train(gan(), trainable, tmp_path / "steps")
    sides = torch.load(tmp_path / "steps" / "state.pt")["state"]
    for side in ("network", "discriminator"):
        assert [group["lr"] for group in sides[side]["optimizer"]["param_groups"]] == [1e-3]


def test_pictures_come_every_so_many_steps_and_at_the_end(
    toy: None, with_val: Path, tmp_path: Path, undrawn: list[Any]
) -> None:
    train(gan(picture_every=5, patch=16), with_val, tmp_path / "run")
    assert [name for name, _ in undrawn] == ["plot_losses", "validation_picture"] * 3 + ["sample_sheet"]
    plots, pictures = (
        [given for given in undrawn if given[0] == name] for name in ("plot_losses", "validation_picture")
    )
    assert [len(rows) for _, ((rows, _), _) in plots] == [12] * 3, "the one list, which has grown"
    paths = [given[3] for _, (given, _) in pictures]
    assert paths == [tmp_path / "run" / "validation" / f"step-{step:07d}.png" for step in (5, 10, 12)]
    shapes = {tuple(tensor.shape) for tensor in pictures[0][1][0][:3]}
    assert len(shapes) == 1 and next(iter(shapes))[1] == 3
    undrawn.clear()
    train(gan(patch=16), with_val, tmp_path / "short")
    assert [name for name, _ in undrawn] == ["plot_losses", "validation_picture", "sample_sheet"], "short epochs"


def test_pictures_are_drawn(with_val: Path, tmp_path: Path) -> None:
    from exposurebench.images import read_image

    train(recipe(steps=2, patch=16), with_val, tmp_path / "run")
    found = sorted(str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.png"))
    assert found == ["plots/losses.png", "plots/losses_per_epoch.png", "samples.png", "validation/step-0000002.png"]
    assert all(read_image(tmp_path / "run" / name).pixels.std() > 1 for name in found)


# ------------------------------------------------------------------------------------------------ errors


def test_data_that_cannot_be_trained_on(samples: Path, trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train split"):
        train(recipe(), samples, tmp_path)
    with pytest.raises(InputError, match="smaller than a patch"):
        train(recipe(patch=500), trainable, tmp_path)
    with pytest.raises(RecipeError, match="width"):
        train(recipe(**{"network.width": 0}), trainable, tmp_path)


def test_a_loss_that_explodes_stops_and_writes_nothing(trainable: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lower learning_rate"):
        train(recipe(learning_rate=1e30, steps=20), trainable, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def poisoned(step: int, how: str) -> Callable[..., dict[str, torch.Tensor]]:
    """A loss that goes wrong at a step: not a number, or one whose slope is none."""
    count = [0]

    def loss(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
        count[0] += 1
        wrong = torch.tensor(0.0)
        if count[0] == step + 1:
            wrong = torch.tensor(torch.nan) if how == "loss" else (0 * output).square().sum().sqrt()
        return {"l1": (output - batch["target"]).abs().mean(), "wrong": wrong}

    return loss


@pytest.mark.parametrize("how", ["loss", "slope"])
def test_the_last_good_state_stays_where_a_loss_is_no_number(
    toy: Callable[..., None], trainable: Path, tmp_path: Path, undrawn: list[Any], how: str
) -> None:
    toy(loss=poisoned(7, how))
    with pytest.raises(ModelError) as caught:
        train(gan(), trainable, tmp_path / "run")
    what = "wrong is nan" if how == "loss" else "weights is nan"
    assert str(caught.value) == (
        f"{what} at step 7, and the state after 4 steps stays in {str(tmp_path / 'run')!r}: train in another folder with "
        "a lower learning_rate (0.004) or with clip=1"
    )
    assert load_checkpoint(tmp_path / "run" / "model.pt").recipe["steps_done"] == 4
    assert torch.load(tmp_path / "run" / "state.pt")["step"] == 4
    assert len(pd.read_csv(tmp_path / "run" / "log.csv")) == {"loss": 4, "slope": 8}[how]


def test_a_full_disk_leaves_the_last_good_state(
    toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files may grow to 30 kB, and the second save's are made larger."""
    import exposurebench.run

    wider = gan(**{"network.width": 40})
    train(wider, trainable, tmp_path / "whole")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    written: list[str] = []
    write = exposurebench.run.write_bytes

    def full(path: Path, data: memoryview, **more: Any) -> None:
        written.append(path.name)
        if len(written) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) // 2, before[1]))
        write(path, data, **more)

    with monkeypatch.context() as patch:
        patch.setattr(exposurebench.run, "write_bytes", full)
        try:
            with pytest.raises(StorageError, match="file size limit"):
                train(wider, trainable, tmp_path / "run")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert torch.load(tmp_path / "run" / "state.pt")["step"] == 4
    assert not list((tmp_path / "run").glob(".*")), "no half file is left"
    assert train(wider, trainable, tmp_path / "run").made == 8
    assert same(tmp_path / "whole", tmp_path / "run")


def test_a_want_of_memory_names_what_to_lower(toy: Callable[..., None], trainable: Path, tmp_path: Path) -> None:
    def loss(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
        return {"l1": torch.empty(1 << 50, dtype=torch.uint8).sum()}

    toy(loss=loss)
    with pytest.raises(ModelError) as caught:
        train(gan(accumulate=2), trainable, tmp_path / "run")
    assert str(caught.value) == (
        "out of memory on cpu: lower batch (4), patch (32), network.width (6), or cut the batch with accumulate=4; what "
        "was saved stays"
    )
    toy(loss=lambda output, batch: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        train(gan(), trainable, tmp_path / "run")


def test_another_recipe_in_the_folder_is_refused(
    toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any]
) -> None:
    train(gan(), trainable, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"holds another training: batch is 2 here and 4 there; choose another --out"):
        train(gan(batch=2), trainable, tmp_path / "run")
    assert train(gan(save_every=2), trainable, tmp_path / "run").made == 0


def test_data_that_are_not_the_models(toy: Callable[..., None], trainable: Path, tmp_path: Path) -> None:
    for fact, said in (
        ("GIVES", "trained on linear targets, and those of samples-tau0.4-0.7-1 are srgb"),
        ("TAKES", "trained on linear inputs, and those of samples-tau0.4-0.7-1 are srgb"),
    ):
        toy(**{fact: "linear"})
        with pytest.raises(InputError, match=said):
            train(gan(), trainable, tmp_path / "run")

    def loss(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
        return {"l1": (output - batch["radiance"]).abs().mean()}

    toy(loss=loss)
    with pytest.raises(
        InputError, match="is trained with radiance images, and the data have only input, target: build"
    ):
        train(gan(), trainable, tmp_path / "run")
    with pytest.raises(MissingError, match="no data set in"):
        train(gan(), tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_that_only_the_model_can_judge(toy: Callable[..., None], trainable: Path, tmp_path: Path) -> None:
    def loss(output: torch.Tensor, batch: Any, *, sees: str = "ldr") -> dict[str, torch.Tensor]:
        raise ValueError(f"sees must be ldr or linear, not {sees!r}")

    toy(loss=loss, discriminator=None)
    with pytest.raises(RecipeError, match="toy_gan cannot be trained so: sees must be ldr or linear, not 'x'"):
        train(gan(**{"loss.sees": "x"}), trainable, tmp_path / "run")


def test_clean_photographs_are_degraded_where_the_recipe_says_how(
    toy: None, photographs: Path, tmp_path: Path, undrawn: list[Any]
) -> None:
    with pytest.raises(InputError, match=r"no data set; if it holds clean photographs, .* --set degrade\.pairing="):
        train(gan(), photographs, tmp_path / "run")
    how = {"degrade.pairing": "gamma_clip", "degrade.tau": [0.5, 1.0]}
    trained = train(gan(steps=2, **how), photographs, tmp_path / "run")
    checkpoint = load_checkpoint(trained.checkpoint)
    assert checkpoint.recipe["degrade"] == {"pairing": "gamma_clip", "tau": [0.5, 1.0]}
    assert len(checkpoint.dataset["seen"]) > 20
    with pytest.raises(RecipeError, match="holds another training: the data set is another one"):
        train(gan(steps=2, **how), build_of(photographs, tmp_path), tmp_path / "run")


def build_of(photographs: Path, tmp_path: Path) -> Path:
    from exposurebench.make_dataset import make_dataset
    from exposurebench.recipe import dataset_recipe

    settings = {"source": "folder", "tau": 1.0, "split": "train=0.8,test=0.2"}
    return make_dataset(dataset_recipe(settings), tmp_path / "set", root=photographs, card=False).dataset.folder


def test_tensorboard_is_an_extra(
    toy: None, trainable: Path, tmp_path: Path, undrawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingError, match=r"pip install 'exposurebench\[tensorboard\]'"):
        train(gan(tensorboard=True), trainable, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    written: list[Any] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            written.append((folder, purge_step))

        def __enter__(self) -> "SummaryWriter":
            return self

        def __exit__(self, *_: object) -> None:
            written.append("closed")

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

    stand_in = ModuleType("torch.utils.tensorboard")
    vars(stand_in)["SummaryWriter"] = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    train(gan(steps=2, tensorboard=True), trainable, tmp_path / "run")
    assert (written[0], written[-1]) == ((str(tmp_path / "run" / "tensorboard"), 0), "closed")
    log = pd.read_csv(tmp_path / "run" / "log.csv")
    values = {(name, step): value for name, value, step in written[1:-1]}
    assert set(values) == {(name, step) for name in log.columns[1:] for step in (0, 1)}
    assert all(values[name, step] == pytest.approx(log[name][step], rel=1e-6) for name, step in values)


# ------------------------------------------------------------------------------------------ real processes

DRIVER = """
import sys
sys.path.insert(0, {tests!r})
import toy_gan
toy_gan.register(toy_gan.module())
from exposurebench.cli import main
main()
"""


def command(*words: object) -> list[str]:
    """The command line with the adversarial model in its catalog."""
    return [sys.executable, "-c", DRIVER.format(tests=str(ROOT / "tests")), "train", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


@pytest.fixture
def words(toy: None, trainable: Path, tmp_path: Path) -> tuple[object, ...]:
    """A run of the command line, but for its folder."""
    (tmp_path / "gan.toml").write_text(
        'model = "toy_gan"\nsteps = 60\nbatch = 4\npatch = 48\nlearning_rate = 1e-3\naverage = 0.9\nsave_every = 5\n'
        "[network]\ndropout = 0.3\nwidth = 32\n"
    )
    return tmp_path / "gan.toml", "--data", trainable, "--device", "cpu"


@pytest.mark.slow
def test_kill_9_at_random_moments(words: tuple[object, ...], tmp_path: Path) -> None:
    """Killed again and again, whatever it was doing, until it comes to its end."""
    subprocess.run(command(*words, "--out", tmp_path / "whole"), env=environment(), check=True, capture_output=True)
    moments, kills = np.random.default_rng(0), 0
    while kills < 3:
        seen = progress(tmp_path / "run")
        process = subprocess.Popen(
            command(*words, "--out", tmp_path / "run"), env=environment(), stderr=subprocess.PIPE
        )
        while progress(tmp_path / "run") == seen and process.poll() is None:
            time.sleep(0.01)  # it has begun, or goes on
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        killed = process.wait() == -signal.SIGKILL
        process.stderr.close()
        if not killed:
            break
        kills += 1
    assert kills >= 2, "it must be killed in its middle to say anything"
    done = subprocess.run(command(*words, "--out", tmp_path / "run"), env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert same(tmp_path / "whole", tmp_path / "run")


def progress(folder: Path) -> int:
    """How often a state was saved, as far as its time says."""
    path = folder / "state.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.slow
def test_two_processes_train_as_one_does(words: tuple[object, ...], tmp_path: Path) -> None:
    settings = [*words, "--set", "steps=12", "--set", "network.dropout=0", "--set", "accumulate=2"]
    subprocess.run(command(*settings, "--out", tmp_path / "one"), env=environment(), check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            command(*settings, "--out", tmp_path / "two"),
            env=environment(**group, RANK=rank, LOCAL_RANK=rank),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    (out, told), (silent, others) = (process.communicate(timeout=200) for process in started)
    assert [process.returncode for process in started] == [0, 0], told + others
    assert "Warning" not in told + others
    assert "model.pt: trained" in out
    assert silent == "", "the first process alone prints"
    ours, theirs = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], atol=2e-6), name
    logs = [pd.read_csv(tmp_path / name / "log.csv") for name in ("one", "two")]
    pd.testing.assert_frame_equal(*logs, rtol=1e-4, atol=1e-6)
