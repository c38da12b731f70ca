"""What all commands share: their common options, how errors are told, and how results are written."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from index.configuration import configured
from index.errors import DatelineError, UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

_INTERRUPTED = 130
# While articles are added, the slowest answer of a server is then that of an undisturbed one; otherwise ten times
# as slow (benchmarks/update.py).
_NICE = 10


def index_option(command: Command) -> Command:
    """`--index DIR`."""
    return click.option(
        "--index", "root", type=click.Path(path_type=Path), envvar="DATELINE_INDEX", default="dateline-index",
        show_default="$DATELINE_INDEX or ./dateline-index", help="Folder of the index.",
    )(command)  # fmt: skip


def store_option(command: Command) -> Command:
    """`--store ADDRESS`."""
    return click.option(
        "--store", metavar="ADDRESS", envvar="DATELINE_STORE",
        help="A vector server that many search: milvus://HOST:PORT/COLLECTION.  [default: $DATELINE_STORE or none]",
    )(command)  # fmt: skip


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout.")(command)


def quiet_option(command: Command) -> Command:
    """`--quiet`."""
    return click.option("--quiet", is_flag=True, help="No progress and no messages.")(command)


def encoder_option(command: Command) -> Command:
    """`--encoder auto|torch|fast`."""
    return click.option(
        "--encoder", type=click.Choice(["auto", "torch", "fast"]), default="auto", show_default=True,
        help="How the model is run: as exported for this processor, or by torch.",
    )(command)  # fmt: skip


def step_back() -> None:
    """Lets searches go first: a server on the same machine stays as fast as it was, and nothing else is slower."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def command_line(commands: Sequence[click.Command], *, whole: bool = True) -> click.Group:
    """The `dateline` command with these subcommands; whether they are all that it has."""
    group = click.Group("dateline", commands=list(commands), help="Semantic search over a news corpus.")
    return click.version_option(package_name="dateline", prog_name="dateline")(configured(group, whole=whole))


def run_command_line(commands: Sequence[click.Command], *, whole: bool = True) -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 bad usage; errors are one line on stderr."""
    try:
        status = command_line(commands, whole=whole).main(standalone_mode=False)
        _flush()
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), 2 if isinstance(error, click.UsageError) else 1)
    except UsageError as error:
        _fail(str(error), 2)
    except DatelineError as error:
        _fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted. What was already stored is kept.", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone, which is its good right ("| head").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)
    except Exception as error:
        if os.environ.get("DATELINE_DEBUG"):
            raise
        _fail(f"Unexpected {type(error).__name__}: {error}. Set DATELINE_DEBUG=1 for the details, and report it.", 1)


def write_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 article", "2 articles"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _fail(message: str, status: int) -> None:
    click.echo(f"dateline: {' '.join(message.split())}", err=True)
    sys.exit(status)


def _flush() -> None:
    sys.stdout.flush()
