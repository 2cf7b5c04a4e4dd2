import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from exposurebench.checkpoint import load_checkpoint
from exposurebench.errors import InputError, RecipeError
from exposurebench.optimisation import Training, start, step
from exposurebench.processes import Place
from exposurebench.run import Log, Saved, held, read_log, save, saved
from exposurebench.training_recipe import training_recipe

ABOUT = {"name": "photographs", "pixels": "ab" * 32, "seen": [["a", "00"]]}


def made(**changes: object) -> Training:
    recipe = training_recipe({"model": "toy_gan", "steps": 9, "average": 0.5, **changes})
    return start(recipe, Place(torch.device("cpu")))


def after_two_steps(folder: Path, **changes: object) -> Training:
    training, log = made(**changes), Log()
    for number in range(2):
        batch = {side: torch.rand(2, 3, 16, 16) for side in ("input", "target")}
        log.add(number, {name: term.item() for name, term in step(training, batch, number).items()})
    save(folder, Saved(2, training.state(), log, ABOUT), training)
    return training


@pytest.fixture(autouse=True)
def _toy(toy: Callable[..., None]) -> None:
    pass


def test_what_was_saved_is_found_again(tmp_path: Path) -> None:
    training = after_two_steps(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["log.csv", "model.pt", "state.pt"]
    found = saved(tmp_path / "run", training.recipe, ABOUT["pixels"])
    assert (found.step, found.about) == (2, ABOUT)
    assert [row["step"] for row in found.log.rows] == [0, 1]
    assert found.log.text == (tmp_path / "run" / "log.csv").read_text()
    other = made()
    other.load(found.state)
    ours, theirs = training.weights(), other.weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    checkpoint = load_checkpoint(tmp_path / "run" / "model.pt")
    assert all(torch.equal(ours[name], checkpoint.state[name]) for name in ours), "the averaged weights"
    assert checkpoint.recipe["steps_done"] == 2
    assert checkpoint.settings == {"width": 6, "dropout": 0.0}


def test_nothing_is_found_where_nothing_was_saved(tmp_path: Path) -> None:
    assert saved(tmp_path / "nowhere", made().recipe, "").step == 0


def test_rows_of_steps_that_are_done_again_are_dropped(tmp_path: Path) -> None:
    training = after_two_steps(tmp_path)
    path = tmp_path / "log.csv"
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[2].replace("1,", "2,", 1) + "\n")
    assert saved(tmp_path, training.recipe, ABOUT["pixels"]).log.text == whole
    path.write_text("\n".join(whole.splitlines()[:2]))
    with pytest.raises(InputError, match="lacks steps that were done"):
        saved(tmp_path, training.recipe, ABOUT["pixels"])


def test_the_log_keeps_the_digits_that_it_stores(tmp_path: Path) -> None:
    log = Log()
    for number, value in enumerate((1 / 3, 123456789.0, 1e-12)):
        log.add(number, {"l1": value, "l2": -value})
    (tmp_path / "log.csv").write_text(log.text)
    again = read_log(tmp_path / "log.csv")
    assert (again.text, again.rows) == (log.text, log.rows)
    assert again.rows[0]["l1"] == pytest.approx(1 / 3, rel=1e-6)


def test_another_recipe_or_data_set_is_refused_with_the_difference(tmp_path: Path) -> None:
    after_two_steps(tmp_path)
    other = made(**{"network.width": 3, "seed": 7}).recipe
    with pytest.raises(RecipeError) as caught:
        saved(tmp_path, other, "cd" * 32)
    assert str(caught.value).endswith(
        "holds another training: seed is 7 here and 0 there, network.width is 3 here and 6 there, the data set is "
        "another one than 'photographs' was; choose another --out"
    )
    assert saved(tmp_path, made(save_every=3).recipe, ABOUT["pixels"]).step == 2


def test_a_checkpoint_of_the_first_save_may_lack_its_state(tmp_path: Path) -> None:
    training = after_two_steps(tmp_path)
    (tmp_path / "state.pt").unlink()
    assert saved(tmp_path, training.recipe, ABOUT["pixels"]).step == 0
    with pytest.raises(InputError, match=r"model\.pt' is of another training, without a state\.pt: choose another"):
        saved(tmp_path, made(seed=4).recipe, ABOUT["pixels"])
    (tmp_path / "model.pt").write_bytes(b"mine")
    with pytest.raises(InputError, match="of another training"):
        saved(tmp_path, training.recipe, ABOUT["pixels"])


@pytest.mark.parametrize("damage", ["truncated", "other", "foreign", "newer", "lacking"])
def test_a_damaged_state_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    training = after_two_steps(tmp_path)
    path = tmp_path / "state.pt"
    payload = torch.load(path, weights_only=True)
    if damage == "newer":
        payload["schema"] = 99
    elif damage == "foreign":
        payload = {"a": 1}
    elif damage == "lacking":
        del payload["step"]
    stream = io.BytesIO()
    torch.save(payload, stream)
    data = stream.getvalue()
    path.write_bytes({"truncated": data[:-99], "other": b"\x80\x02."}.get(damage, data))
    with pytest.raises(InputError, match=r"state\.pt' (is damaged|is no state|has schema 99)") as caught:
        saved(tmp_path, training.recipe, ABOUT["pixels"])
    assert "\n" not in str(caught.value)


def test_a_folder_is_held_by_one_training(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held(folder):
        with pytest.raises(InputError, match="another process trains in"), held(folder):
            pass
        assert folder.is_dir()
    assert not folder.exists(), "nothing was written"
    with held(folder):
        (folder / "log.csv").write_text("step\n")
    assert (folder / "log.csv").exists()
