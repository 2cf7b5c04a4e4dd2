import json
import tomllib
from collections.abc import Callable

import pytest

from exposurebench.errors import RecipeError
from exposurebench.training_recipe import differences, overridden, training_recipe

TOML = """
schema = 1
model = "toy_gan"
epochs = 4
batch = 6
learning_rate = 2e-4
schedule = [[2, 1e-4]]
betas = [0.5, 0.999]

[network]
width = 8

[loss]
l1 = 100
"""


def document(**changes: object) -> dict[str, object]:
    return {**tomllib.loads(TOML), **changes}


@pytest.fixture(autouse=True)
def _toy(toy: Callable[..., None]) -> None:
    pass


def test_a_document_is_resolved_with_the_models_defaults() -> None:
    recipe = training_recipe(document(**{"loss.perceptual": 0, "discriminator.width": 2}))
    assert recipe.network == {"width": 8, "dropout": 0.0}
    assert recipe.discriminator == {"width": 2}
    assert recipe.loss == {"adversarial": 1.0, "l1": 100.0, "perceptual": 0.0}
    assert isinstance(recipe.loss["l1"], float), "a whole number stands for a float"
    assert recipe.total(steps_per_epoch=7) == 28
    stored = json.loads(json.dumps(recipe.document()))
    assert stored == recipe.document()
    assert training_recipe(stored).document() == stored, "the stored recipe is the recipe"


def test_a_setting_of_the_command_line_wins_over_the_table() -> None:
    recipe = training_recipe({**document(), "network.width": 3})
    assert recipe.network["width"] == 3
    assert recipe.network["dropout"] == 0.0


def test_every_mistake_is_in_the_one_line() -> None:
    wrong = document(
        stepps=3,
        width=2,
        batch="many",
        network={"widht": 4},
        loss={"adversaril": 1, "perceptual": "no"},
        discriminator=5,
    )
    with pytest.raises(RecipeError) as caught:
        training_recipe(wrong)
    line = str(caught.value)
    assert "\n" not in line
    for part in (
        "unknown key 'stepps'; did you mean 'steps'?",
        "width is a setting of [network]: write network.width",
        "batch must be a whole number, not 'many'",
        "unknown key of [network] 'widht'; did you mean 'width'?",
        "unknown key of [loss] 'adversaril'; did you mean 'adversarial'?",
        "loss.perceptual must be a number, not 'no'",
        "[discriminator] must be a table of settings, not 5",
    ):
        assert part in line


def test_networks_that_the_loop_hands_in_are_no_settings() -> None:
    with pytest.raises(RecipeError, match=r"unknown key of \[loss\] 'features'; Known: adversarial, l1, perceptual"):
        training_recipe(document(loss={"features": 1}))


def test_a_flag_says_the_length_in_the_other_unit() -> None:
    plain = document(schedule=[])
    assert (
        training_recipe(overridden(plain, {"steps": 7})).document()
        == training_recipe(document(schedule=[], epochs=None, steps=7)).document()
    )
    assert overridden(plain, {"batch": 3}) == {**plain, "batch": 3}
    with pytest.raises(RecipeError, match="give steps or epochs, one of the two"):
        training_recipe(overridden(plain, {"steps": 7, "epochs": 2}))
    with pytest.raises(RecipeError, match="schedule counts epochs: set schedule too"):
        overridden(document(), {"steps": 7})
    with pytest.raises(RecipeError, match="decay counts epochs: set decay too, such as decay=0"):
        overridden({**plain, "decay": 2}, {"steps": 7})
    assert overridden(document(), {"steps": 7, "schedule": [[5, 1e-5]]})["schedule"] == [[5, 1e-5]]


def test_a_model_without_a_discriminator_has_nothing_to_set() -> None:
    plain = {"model": "small_cnn", "steps": 1}
    with pytest.raises(RecipeError, match=r"small_cnn has no discriminator to set: leave out \[discriminator\]"):
        training_recipe({**plain, "discriminator.width": 2})
    assert training_recipe(plain).loss == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 3}, "give steps or epochs, one of the two"),
        ({"epochs": None}, "give steps or epochs, one of the two"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"patch": -1}, "patch must be at least 0"),
        ({"accumulate": 4}, "batch (6) must be a multiple of accumulate (4)"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite"),
        ({"discriminator_learning_rate": float("nan")}, "discriminator_learning_rate must be positive and finite"),
        ({"schedule": [[2]]}, "schedule must be pairs"),
        ({"schedule": [[4, 1e-4], [2, 1e-5]]}, "schedule must be pairs"),
        ({"schedule": [[2, 0]]}, "schedule must be pairs"),
        ({"schedule": 3}, "schedule must be a list"),
        ({"decay": -1}, "decay must be at least 0, not -1"),
        ({"decay": 5}, "decay (5) must be at most the 4 of the whole training"),
        ({"betas": [0.5]}, "betas must be two numbers"),
        ({"betas": [0.5, 1.0]}, "betas must be two numbers"),
        ({"clip": -1.0}, "clip must be a norm"),
        ({"average": 1.0}, "average must be in [0, 1)"),
        ({"precision": "fp16"}, "precision must be 'float32' or 'bf16'"),
        ({"save_every": 0}, "save_every must be at least 1"),
        ({"picture_every": -1}, "picture_every must be at least 0"),
        ({"model": 3}, "model must be text"),
        ({"model": "toygan"}, "unknown model 'toygan'; did you mean 'toy_gan'?"),
        ({"schema": 9}, "schema 9 is newer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_out_of_range(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        training_recipe(document(**changes))
    assert said in str(caught.value)


def test_the_rate_follows_the_schedule_in_the_recipes_own_unit() -> None:
    recipe = training_recipe(document(schedule=[[2, 1e-4], [3, 5e-5]]))
    assert [recipe.decline(step, 10) for step in (0, 19, 20, 29, 30)] == [1, 1, 0.5, 0.5, 0.25]
    recipe = training_recipe(document(epochs=None, steps=9))
    assert [recipe.decline(step, 10) for step in (1, 2)] == [1, 0.5]


def test_the_rate_decays_to_the_end_on_top_of_the_schedule() -> None:
    recipe = training_recipe(document(schedule=[], decay=2))
    assert [recipe.decline(step, 10) for step in (0, 20, 25, 30, 39)] == [1, 1, 0.75, 0.5, 0.05]
    recipe = training_recipe(document(epochs=None, steps=8, decay=4))
    assert [recipe.decline(step, 10) for step in (0, 2, 4, 6, 7)] == [1, 0.5, 0.5, 0.25, 0.125]


def test_what_two_recipes_differ_in_leaves_out_what_weights_do_not_see() -> None:
    ours = training_recipe(document(save_every=5, seed=1))
    theirs = training_recipe(document(save_every=7, picture_every=3, tensorboard=True, **{"loss.l1": 1}))
    assert differences(ours.document(), theirs.document()) == [
        "seed is 1 here and 0 there",
        "loss.l1 is 100.0 here and 1.0 there",
    ]
