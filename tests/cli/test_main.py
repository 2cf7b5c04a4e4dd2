"""The group of all commands, and what `main` makes of every way to end."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from exposurebench import __version__, cli, errors
from exposurebench.cli import COMMANDS, group

ROOT = Path(__file__).resolve().parents[2]


def walk(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from walk(child, (*words, name))


EVERY = dict(walk(group))
LEAVES = {words: command for words, command in EVERY.items() if not isinstance(command, click.Group)}


def spelled(words: tuple[str, ...]) -> str:
    return " ".join(words) or "exposurebench"


# ---- help ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", EVERY, ids=spelled)
def test_help_says_what_every_option_is_for(words: tuple[str, ...]) -> None:
    runner = CliRunner()
    shown = runner.invoke(group, [*words, "--help"])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.output == runner.invoke(group, [*words, "-h"]).output
    assert "\x1b" not in shown.output
    command = EVERY[words]
    assert command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.opts
            assert option.opts[0] in shown.output
        else:
            assert str(option.human_readable_name).upper().rstrip(".") in shown.output


@pytest.mark.parametrize("words", LEAVES, ids=spelled)
def test_every_command_has_json(words: tuple[str, ...]) -> None:
    assert any("--json" in option.opts for option in LEAVES[words].params)


def test_the_help_names_every_command() -> None:
    shown = CliRunner().invoke(group, ["--help"]).output
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert {words[0] for words in EVERY if words} == COMMANDS.keys()


def test_every_command_and_flag_that_the_readme_shows_exists() -> None:
    lines = [
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("$ exposurebench")
    ]
    assert len(lines) > 8
    for line in " && ".join(lines).split(" && "):
        words = line.removeprefix("$ ").split()[1:]
        name = tuple(words[:2]) if tuple(words[:2]) in LEAVES else tuple(words[:1])
        known = {flag for option in LEAVES[name].params for flag in option.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


# ---- wrong use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("leaderboard",)], ids=spelled)
def test_a_group_without_a_command_shows_its_help(run: Callable[..., Any], words: tuple[str, ...]) -> None:
    shown = run(*words, code=2)
    assert shown.out == ""
    assert shown.err.startswith("Usage: ")
    assert "\nCommands:\n" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("leaderboard", "frobnicate"), "No such command 'frobnicate'"),
        (("verify",), "Missing argument 'DATASET'"),
        (("verify", "a", "b"), "unexpected extra argument"),
        (("verify", "a", "--rebuild", "0"), "'--rebuild': 0 is not in the range"),
        (("verify", "a", "--rebuild", "many"), "'many' is not a valid integer"),
        (("eval", "a", "--workers", "0"), "'--workers': 0 is not in the range"),
        (("eval", "a", "--limit", "0"), "'--limit': 0 is not in the range"),
        (("make-dataset", "samples", "--crop", "middle"), "'--crop': 'middle' is not one of"),
        (("make-dataset", "samples", "--on-error", "ignore"), "'--on-error': 'ignore' is not one of"),
        (("predict", "baseline:gamma", "a.png"), "Missing option '--out'"),
        (("train", "small_cnn", "--out", "x"), "Missing option '--data'"),
        (("leaderboard", "add", "x"), "Missing option '--track'"),
        (("metrics", "--jsn"), "No such option '--jsn'"),
    ],
)
def test_wrong_use_is_one_line_that_says_where_help_is(
    refused: Callable[..., str], words: tuple[str, ...], said: str
) -> None:
    line = refused(*words, code=2)
    assert said in line
    assert line.rstrip().endswith("--help")


def test_the_version(run: Callable[..., Any]) -> None:
    shown = run("--version")
    assert (shown.out, shown.err) == (f"exposurebench, version {__version__}\n", "")


# ---- every way to end ------------------------------------------------------------------------------------


def classes(parent: type[Exception]) -> Iterator[type[Exception]]:
    yield parent
    for child in parent.__subclasses__():
        yield from classes(child)


CODES = {
    **{kind: kind.exit_code for kind in classes(errors.ExposureBenchError) if kind.__module__ == errors.__name__},
    ImportError: 4,
    KeyboardInterrupt: 130,
    click.exceptions.Abort: 130,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_an_error_is_one_line_and_its_code(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def fail(**_: object) -> None:
        raise kind("what was expected,\nwhat came")

    monkeypatch.setattr(LEAVES["metrics",], "callback", fail)
    ran = run("metrics", "--json", code=CODES[kind])
    assert ran.out == ""
    assert ran.err.strip().count("\n") == 0
    assert ("interrupted" if CODES[kind] == 130 else "error: what was expected, what came") in ran.err


def test_the_exit_codes_are_the_readmes() -> None:
    rows = [line.split("|")[1].strip() for line in (ROOT / "README.md").read_text("utf-8").splitlines() if "|" in line]
    listed = {int(cell) for cell in rows if cell.isdigit()}
    assert {*CODES.values(), 0, 1} == listed


def test_what_the_system_refuses_is_told_with_its_path(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "there")

    monkeypatch.setattr(LEAVES["metrics",], "callback", fail)
    assert run("metrics", code=74).err == "error: No space left on device: there\n"


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(LEAVES["metrics",], "callback", fail)
    monkeypatch.setattr(sys, "argv", ["exposurebench", "metrics"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "from exposurebench.cli import main; import sys; sys.argv = ['exposurebench', 'metrics']; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    with process.stdout, process.stderr:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.wait(30) == 0
