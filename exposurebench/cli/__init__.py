"""The command line: one file a command, a dozen lines of body each.

Importing this loads click alone. What the commands need is imported in their bodies, so that ``--help``
costs nothing; errors that a person can cause become one line and an exit code here and nowhere else.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from exposurebench import __version__
from exposurebench.errors import ExposureBenchError, MissingError

COMMANDS = {
    "quickstart": "quickstart",
    "make-dataset": "make_dataset",
    "merge": "merge",
    "verify": "verify",
    "export": "export",
    "overlap": "overlap",
    "train": "train",
    "predict": "predict",
    "eval": "evaluate",
    "compare": "compare",
    "compare-runs": "compare_runs",
    "explain-gap": "explain_gap",
    "attack": "attack",
    "leaderboard": "leaderboard",
    "sources": "catalog",
    "baselines": "catalog",
    "models": "catalog",
    "metrics": "catalog",
    "doctor": "doctor",
}
"""Every command and the file of this folder that holds it."""
INTERRUPTED = 130


class Lazy(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"exposurebench.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_") if cmd_name != "eval" else "evaluate")
        return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="exposurebench")
def group() -> None:
    """Paired data sets, reference models, metrics and leaderboards for exposure correction.

    \b
    exposurebench quickstart                          try everything on six photographs
    exposurebench make-dataset places365 --tau 0.5    photographs in, pairs out
    exposurebench eval model.pt                       a method in, a table out
    """


def main() -> None:
    """Run the command line and end with its exit code."""
    output = sys.stdout
    try:
        code = group.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        _end("interrupted; run the same command again to go on", INTERRUPTED)
    except click.ClickException as error:
        if error.format_message().startswith("Usage:"):  # a group without a command
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        _end(f"error: {error.format_message()}{f' See {where} --help' if where else ''}", error.exit_code)
    except ExposureBenchError as error:
        _end(f"error: {error}", error.exit_code)
    except ImportError as error:
        _end(f"error: {error}; run exposurebench doctor to see what is missing", MissingError.exit_code)
    except KeyboardInterrupt:
        _end("interrupted; run the same command again to go on", INTERRUPTED)
    except (
        SystemExit
    ) as end:  # click puts another stream there and ends with 1 where the reader of its output went away
        sys.exit(end.code if sys.stdout is output else 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _end(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", 74)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _end(message: Any, code: int) -> None:
    click.echo(" ".join(str(message).split("\n")), err=True)
    sys.exit(code)
