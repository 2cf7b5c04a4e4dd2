"""Camera response functions: their values, their inverses, both kinds of arrays, and the tables' files."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exposurebench.crf import Curve, parse_curve
from exposurebench.errors import InputError

GRID = np.linspace(0, 1, 4097)
STEPS = np.arange(64) / 63
FORMULAS = (
    "linear",
    "sqrt",
    "gamma",
    "gamma:1",
    "gamma:2.4",
    "gamma:0.5",
    "srgb",
    "sigmoid:n=0.9,sigma=0.6",
    "sigmoid",
)


def printed(values: np.ndarray) -> str:
    """Numbers as the two databases print them: seven digits and three of the exponent."""
    return "   ".join(f"{v:.6e}".replace("e-0", "e-00").replace("e+0", "e+00") for v in values)


def dorf(curves: dict[str, np.ndarray]) -> str:
    blocks = (
        f"{name}\ngraph-log-log-neg\nI =\n{printed(STEPS)}\nB =\n{printed(values)}\n" for name, values in curves.items()
    )
    return "".join(blocks)


def emor(names: str, *blocks: np.ndarray) -> str:
    """Blocks of four numbers a line, CRLF, as in emor.txt (``E f0 h``) and invemor.txt (``B g0 hinv``)."""
    grid, mean, component = names.split()
    heads = [f"{grid} = ", f"{mean} = ", *(f"{component}({k})=" for k in range(1, len(blocks) - 1))]
    lines = []
    for head, values in zip(heads, blocks, strict=True):
        lines += [head, *(printed(values[i : i + 4]) for i in range(0, len(values), 4))]
    return "\r\n".join(lines) + "\r\n"


def bump(k: int) -> np.ndarray:
    """A component: 0 at both ends, as those of the database."""
    return np.sin(k * np.pi * STEPS)


DORF = {"Film-100CDRed": STEPS**0.5, "Film-100CDGreen": STEPS**0.4, "Chip": np.minimum(STEPS * 1.5, 1)}
EMOR = (STEPS, STEPS**0.6, bump(1), bump(2))
INVEMOR = (STEPS, STEPS ** (1 / 0.6), bump(1))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "dorfCurves.txt").write_text(dorf(DORF), "ascii")
    (folder / "emor.txt").write_text(emor("E f0 h", *EMOR), "ascii", newline="")
    (folder / "invemor.txt").write_text(emor("B g0 hinv", *INVEMOR), "ascii", newline="")
    return folder


TABLES = (
    "dorf:{}/dorfCurves.txt",
    "dorf:{}/dorfCurves.txt#Film-100CDGreen",
    "emor:{}/emor.txt",
    "emor:{}/emor.txt#0.05,-0.03",
    "emor:{}/invemor.txt",
    "emor:{}/invemor.txt#0.05",
)


@pytest.fixture(params=[*FORMULAS, *TABLES])
def curve(request: pytest.FixtureRequest, tables: Path) -> Curve:
    """Every kind of curve that rises everywhere."""
    return parse_curve(request.param.format(tables), seed=2)


# ------------------------------------------------------------------------------------- every curve


def test_ends_stay_and_what_is_outside_is_clipped(curve: Curve) -> None:
    for function in (curve.to_display, curve.to_light):
        found = function(np.array([-3.0, -0.0, 0.0, 1.0, 1.5, math.inf]))
        np.testing.assert_allclose(found, [0, 0, 0, 1, 1, 1], rtol=0, atol=5e-16)
        assert np.isnan(function(np.array([math.nan])))[0]


def test_curves_rise_and_return(curve: Curve) -> None:
    display = curve.to_display(GRID)
    assert (np.diff(display) > 0).all()
    assert (np.diff(curve.to_light(GRID)) > 0).all()
    tolerance = 2e-7 if curve.text == "srgb" else 1e-11  # the standard rounds its two thresholds
    np.testing.assert_allclose(curve.to_light(display), GRID, rtol=0, atol=tolerance)
    np.testing.assert_allclose(curve.to_display(curve.to_light(GRID)), GRID, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 4e-15), (np.float32, 1e-6)])
@pytest.mark.parametrize("way", ["to_display", "to_light"])
def test_arrays_and_tensors_agree(curve: Curve, dtype: type, tolerance: float, way: str) -> None:
    """And so do shapes: what is done to a row is done to an image."""
    function = getattr(curve, way)
    values = np.concatenate((GRID[:-1], [-0.5, 0.0, 1.0, 7.0, *np.geomspace(1e-12, 1e-2, 100)])).astype(dtype)
    before = values.copy()
    array, tensor = function(values), function(torch.from_numpy(values))
    assert array.dtype == dtype
    assert tensor.numpy().dtype == dtype
    np.testing.assert_allclose(array, tensor.numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(values, before, err_msg="the input is untouched")
    np.testing.assert_array_equal(function(values.reshape(2, 21, 100)).ravel(), array)
    exact = function(values.astype(np.float64))
    np.testing.assert_allclose(array, exact, rtol=0, atol=4e-6 if dtype == np.float32 else 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_flow_to_the_light(curve: Curve, dtype: torch.dtype) -> None:
    """Finite everywhere, 0 and what is clipped included; above 0 inside; the slope of the curve."""
    light = torch.tensor([-1.0, 0.0, 1e-9, 1e-4, 0.3, 0.77, 1.0, 2.0], dtype=dtype, requires_grad=True)
    curve.to_display(light).sum().backward()  # type: ignore[no-untyped-call]
    assert light.grad is not None
    slope = light.grad.numpy()
    assert np.isfinite(slope).all()
    assert (slope[2:6] > 0).all()
    assert slope[[0, 7]].tolist() == [0, 0]
    nearby = np.array([0.3, 0.77])
    expected = (curve.to_display(nearby + 1e-6) - curve.to_display(nearby - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope[4:6], expected, rtol=1e-4)


def test_the_text_is_the_curve(curve: Curve) -> None:
    again = parse_curve(str(curve), seed=99)
    assert again == curve
    assert hash(again) == hash(curve)
    np.testing.assert_array_equal(again.to_display(GRID), curve.to_display(GRID))


# ---------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("linear", lambda x: x),
        ("sqrt", lambda x: math.sqrt(x)),
        ("gamma", lambda x: math.pow(x, 1 / 2.2)),
        ("gamma:3", lambda x: math.pow(x, 1 / 3)),
        ("srgb", lambda x: 12.92 * x if x <= 0.0031308 else 1.055 * math.pow(x, 1 / 2.4) - 0.055),
        ("sigmoid:n=0.8,sigma=0.5", lambda x: 1.5 * math.pow(x, 0.8) / (math.pow(x, 0.8) + 0.5)),
    ],
)
def test_formulas_have_their_values(text: str, formula: Callable[[float], float]) -> None:
    light = np.concatenate((np.geomspace(1e-11, 1, 200), GRID))
    np.testing.assert_allclose(
        parse_curve(text).to_display(light), [formula(float(v)) for v in light], rtol=4e-15, atol=1e-16
    )


def test_the_inverse_of_the_naive_response_is_the_square() -> None:
    np.testing.assert_array_equal(parse_curve("sqrt").to_light(GRID), GRID * GRID)


def test_the_straight_toe_moves_no_level() -> None:
    for text, bits in (("sqrt", 16), ("gamma:2.2", 16), ("gamma:2.4", 8), ("sigmoid:n=0.9,sigma=0.6", 16)):
        assert parse_curve(text).to_display(np.array([2.0**-40]))[0] * (2**bits - 1) < 0.5


def test_names_are_canonical_and_equal_where_the_curves_are() -> None:
    assert parse_curve("gamma").text == parse_curve(" gamma:2.20 ").text == "gamma:2.2"
    assert parse_curve("sigmoid: n=0.90, sigma=.6").text == "sigmoid:n=0.9,sigma=0.6"
    assert parse_curve("gamma:2.4") != parse_curve("gamma")
    assert parse_curve("srgb").name == "srgb"


def test_drawn_sigmoids_have_their_law() -> None:
    texts = [parse_curve("sigmoid", seed=seed).text for seed in range(4000)]
    assert len(set(texts)) == 4000
    drawn = np.array([[float(part.partition("=")[2]) for part in t.partition(":")[2].split(",")] for t in texts])
    np.testing.assert_allclose(drawn.mean(axis=0), [0.9, 0.6], atol=5 * 0.1 / math.sqrt(4000))
    np.testing.assert_allclose(drawn.std(axis=0), 0.1, atol=5 * 0.1 / math.sqrt(8000))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.08
    assert parse_curve("sigmoid", seed=5) == parse_curve("sigmoid", seed=5)
    assert parse_curve("sigmoid", seed=(5, 1)) != parse_curve("sigmoid", seed=5)


@given(st.floats(0.4, 1.4), st.floats(0.1, 1.1))
def test_every_sigmoid_returns_exactly_as_text(n: float, sigma: float) -> None:
    curve = parse_curve(f"sigmoid:n={n!r},sigma={sigma!r}")
    assert parse_curve(curve.text).text == curve.text
    np.testing.assert_allclose(curve.to_light(curve.to_display(GRID)), GRID, atol=1e-11)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reinhard", "unknown camera response 'reinhard'"),
        ("", "unknown camera response ''"),
        ("gama", "did you mean 'gamma'"),
        ("sqrt:2", "sqrt takes no parameter, not '2'"),
        ("linear:1", "linear takes no parameter"),
        ("srgb:2.4", "srgb takes no parameter"),
        ("gamma:0", "gamma must be a number above 0, not 0.0"),
        ("gamma:nan", "gamma takes at most 1 finite numbers"),
        ("gamma:2.2,3", "gamma takes at most 1 finite numbers"),
        ("gamma:two", "gamma takes numbers, not 'two'"),
        ("sigmoid:0.9,0.6", "sigmoid takes n=NUMBER,sigma=NUMBER"),
        ("sigmoid:n=0.9", "sigmoid takes n=NUMBER,sigma=NUMBER"),
        ("sigmoid:n=-1,sigma=0.6", "n of the sigmoid must be a number above 0"),
        ("sigmoid:n=1,sigma=0", "sigma of the sigmoid must be a number above 0"),
        ("dorf", "dorf needs the path of its table, dorf:FILE"),
        ("emor:#mean", "emor needs the path of its table"),
    ],
)
def test_what_makes_no_curve_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_curve(text)


# ------------------------------------------------------------------------------------------ tables


def test_dorf_holds_the_measured_points(tables: Path) -> None:
    for name, values in DORF.items():
        curve = parse_curve(f"dorf:{tables}/dorfCurves.txt#{name}")
        np.testing.assert_allclose(curve.to_display(STEPS), values, atol=1e-6)
        np.testing.assert_allclose(
            curve.to_display(GRID), np.interp(GRID, STEPS, values), atol=1e-6, err_msg="straight lines between"
        )


def test_dorf_is_drawn_evenly_and_recorded_by_name(tables: Path) -> None:
    text = f"dorf:{tables}/dorfCurves.txt"
    drawn = [parse_curve(text, seed=seed).text for seed in range(600)]
    counts = [drawn.count(f"{text}#{name}") for name in DORF]
    assert sum(counts) == 600
    assert all(150 < count < 250 for count in counts)


def test_the_name_leaves_out_the_folder(tables: Path) -> None:
    assert parse_curve(f"dorf:{tables}/dorfCurves.txt#Chip").name == "dorf:dorfCurves.txt#Chip"
    assert parse_curve(f"emor:{tables}/emor.txt").name == "emor:emor.txt#mean"


def test_a_folder_with_a_hash_is_reached_by_the_whole_text(tmp_path: Path) -> None:
    folder = tmp_path / "a#b"
    folder.mkdir()
    (folder / "emor.txt").write_text(emor("E f0 h", *EMOR), "ascii")
    curve = parse_curve(f"emor:{folder}/emor.txt#mean")
    assert parse_curve(str(curve)) == curve


def test_a_flat_end_returns_to_the_least_light_that_is_white(tables: Path) -> None:
    curve = parse_curve(f"dorf:{tables}/dorfCurves.txt#Chip")
    assert curve.to_display(np.array([2 / 3, 0.8, 1.0])).tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    assert curve.to_light(np.array([1.0]))[0] == pytest.approx(2 / 3, abs=1e-6)
    np.testing.assert_allclose(curve.to_display(curve.to_light(GRID)), GRID, atol=1e-12)


def test_flat_starts_and_landings_return_to_their_least_light(tmp_path: Path) -> None:
    values = np.interp(STEPS, [0, 0.2, 0.4, 0.6, 1], [0, 0, 0.5, 0.5, 1])
    (tmp_path / "d.txt").write_text(dorf({"steps": values}), "ascii")
    curve = parse_curve(f"dorf:{tmp_path}/d.txt#steps")
    display = curve.to_display(GRID)
    assert (np.diff(display) >= 0).all()
    light = curve.to_light(np.array([0.0, 0.5, 1.0]))
    assert light[0] == 0
    assert light[1] == pytest.approx(0.4, abs=1 / 63)
    assert light[2] == 1
    np.testing.assert_allclose(curve.to_display(curve.to_light(GRID)), GRID, atol=1e-12)
    tensor = torch.from_numpy(GRID)
    np.testing.assert_allclose(curve.to_light(tensor).numpy(), curve.to_light(GRID), atol=1e-15)


def test_emor_is_the_mean_and_its_components(tables: Path) -> None:
    expected = EMOR[1] + 0.05 * EMOR[2] - 0.03 * EMOR[3]
    curve = parse_curve(f"emor:{tables}/emor.txt#0.05,-0.03")
    np.testing.assert_allclose(curve.to_display(STEPS), expected, atol=2e-6)
    short, mean = parse_curve(f"emor:{tables}/emor.txt#0.05"), parse_curve(f"emor:{tables}/emor.txt")
    np.testing.assert_allclose(short.to_display(STEPS), EMOR[1] + 0.05 * EMOR[2], atol=2e-6)
    np.testing.assert_allclose(mean.to_display(STEPS), EMOR[1], atol=2e-6)


def test_invemor_gives_light_over_display_values(tables: Path) -> None:
    curve = parse_curve(f"emor:{tables}/invemor.txt#0.05")
    np.testing.assert_allclose(curve.to_light(STEPS), INVEMOR[1] + 0.05 * INVEMOR[2], atol=2e-6)
    mean = parse_curve(f"emor:{tables}/invemor.txt")
    np.testing.assert_allclose(mean.to_display(mean.to_light(GRID)), GRID, atol=1e-12)


def test_a_small_fall_is_mended_and_a_large_one_refused(tmp_path: Path) -> None:
    """By a cumulative maximum, up to one 8-bit level."""
    (tmp_path / "emor.txt").write_text(emor("E f0 h", STEPS, STEPS, bump(8)), "ascii")
    curve = parse_curve(f"emor:{tmp_path}/emor.txt#0.045")
    raw = STEPS + 0.045 * bump(8)
    assert 0 < (np.maximum.accumulate(raw) - raw).max() < 1 / 255
    np.testing.assert_allclose(curve.to_display(STEPS), np.maximum.accumulate(raw), atol=1e-6)
    assert (np.diff(curve.to_display(GRID)) >= 0).all()
    with pytest.raises(ValueError, match=r"emor.txt#0.2 does not rise from 0 to 1: value \d+ of 64 is"):
        parse_curve(f"emor:{tmp_path}/emor.txt#0.2")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_table_never_falls_by_a_rounding(tmp_path: Path, dtype: type) -> None:
    """At every point of tables that climb and rest, and one float to either side."""
    light = np.linspace(0, 1, 12)
    for seed in range(50):
        display = np.sort(np.random.default_rng(seed).random(6) ** 6).repeat(2)
        display[[0, -1]] = 0, 1
        (tmp_path / f"{seed}.txt").write_text(f"one\ngraph\nI =\n{printed(light)}\nB =\n{printed(display)}", "ascii")
        curve = parse_curve(f"dorf:{tmp_path}/{seed}.txt")
        for function, knots in ((curve.to_display, light), (curve.to_light, display)):
            points = np.array(printed(knots).split(), np.float64).astype(dtype)
            near = np.sort(np.concatenate([points, *(np.nextafter(points, dtype(to)) for to in (0, 1))]))
            assert (np.diff(function(near)) >= 0).all()


def test_names_met_again_are_counted(tmp_path: Path) -> None:
    text = dorf({"same": STEPS**0.5}) + dorf({"same": STEPS**0.4}) + dorf({"same": STEPS**0.3})
    (tmp_path / "d.txt").write_text(text, "ascii")
    for name, power in (("same", 0.5), ("same~2", 0.4), ("same~3", 0.3)):
        np.testing.assert_allclose(
            parse_curve(f"dorf:{tmp_path}/d.txt#{name}").to_display(STEPS), STEPS**power, atol=1e-6
        )


GOOD = dorf({"one": STEPS**0.5, "two": STEPS}).splitlines()


def broken(number: int, line: str | None) -> str:
    """Two good curves with one line replaced, or everything from it on left out."""
    lines = list(GOOD)
    lines[number - 1 :] = [] if line is None else [line, *GOOD[number:]]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the name of a curve"),
        (broken(12, None), "line 7: expected the name of a curve and five lines more, got the end"),
        (broken(7, ""), "line 7: expected the name of a curve"),
        (broken(3, "J ="), "line 3: expected 'I =', got 'J ='"),
        (broken(11, "0 1"), "line 11: expected 'B =', got '0 1'"),
        (broken(4, "0 a 1"), "line 4: expected numbers, got '0 a 1'"),
        (broken(10, "0 nan 1"), "line 10: expected finite numbers"),
        (broken(12, "0 0.5 1"), "line 12: expected 64 values as in line 10, got 3"),
        (
            broken(6, "0 0.6 0.5 1"),
            "line 6: expected a rise from 0 to 1; B of one does not rise from 0 to 1: value 3 of 4 is 0.5, 0.1 off",
        ),
        (broken(6, "0.1 0.5 1"), "line 6: .* value 1 of 3 is 0.1"),
        (broken(6, "0 0.5 0.9"), "line 6: .* value 3 of 3 is 0.9"),
        (broken(6, "0 255"), "line 6: .* value 2 of 2 is 255"),
        (broken(6, ""), "line 6: expected a rise from 0 to 1; B of one has 0 values where two make a line"),
        (broken(6, "1"), "line 6: .* has 1 values"),
        ("\x89PNG\xff", r"cannot be read \(it is no text\)"),
    ],
    ids=range(15),
)
def test_a_damaged_dorf_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.txt").write_text(text, "latin-1")
    with pytest.raises(InputError, match=message):
        parse_curve(f"dorf:{tmp_path}/d.txt#two")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "should hold E, f0, .* not nothing"),
        ("0 0.5 1\n", "line 1: expected a block such as 'E =' or 'B =', got '0 0.5 1'"),
        ("E =\n0 0.5 1\nf0 =\n0 x 1\n", "line 4: expected numbers, got '0 x 1'"),
        ("E =\n0 0.5 1\nf0 =\n0 inf 1\n", "line 4: expected finite numbers"),
        ("E =\n0 0.5 1\nE =\n", "line 3: expected a new block, got E again"),
        ("E =\n0 0.5 1\n", "should hold E, f0, .* not E of 3"),
        ("E =\n0 0.5 1\nf0 =\n0 1\n", "of one length, not E of 3, f0 of 2"),
        ("E =\n0 0.5 1\ng0 =\n0 0.5 1\n", "should hold .* not E of 3, g0 of 3"),
        ("E =\n0 1\nf0 =\n0 1\nh(2)=\n0 0\n", r"should hold .* not E of 2, f0 of 2, h\(2\) of 2"),
        ("E =\n0\nf0 =\n0\n", "should hold .* not E of 1"),
        ("E =\nf0 =\n", "should hold .* not E of 0"),
    ],
    ids=range(11),
)
def test_a_damaged_emor_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "e.txt").write_text(text, "ascii")
    with pytest.raises(InputError, match=message):
        parse_curve(f"emor:{tmp_path}/e.txt")


def test_tables_that_are_not_there(tables: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\).*CAVE"):
        parse_curve("dorf:/no/such/dorfCurves.txt")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        parse_curve(f"emor:{tables}")
    with pytest.raises(ValueError, match="has 3 curves, none called 'Film-100CDBlue'; the nearest is 'Film-100CD"):
        parse_curve(f"dorf:{tables}/dorfCurves.txt#Film-100CDBlue")
    with pytest.raises(ValueError, match="takes at most 2 finite numbers"):
        parse_curve(f"emor:{tables}/emor.txt#0,0,0")
    with pytest.raises(ValueError, match="takes numbers, not 'x'"):
        parse_curve(f"emor:{tables}/emor.txt#x")


def test_a_curve_travels_between_processes(curve: Curve) -> None:
    import pickle

    again: Any = pickle.loads(pickle.dumps(curve))  # noqa: S301
    np.testing.assert_array_equal(again.to_display(GRID), curve.to_display(GRID))
