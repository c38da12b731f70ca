"""Options from one TOML file and from the environment, under the names that they have on the command line.

    index = "/srv/news/index"     # every command that has --index
    [serve]
    port = 9000                   # dateline serve --port 9000, or DATELINE_SERVE_PORT=9000
    allow-host = ["news.local"]   # an option that may be repeated is a list

What is typed goes before the environment, the environment before the file, the file before what is built in.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from index.errors import UsageError

FILE = "dateline.toml"
"""Read from the working folder if there is one and no other is named."""

_PREFIX = "DATELINE"
# A value, and where in the file it stands.
Given = dict[str, tuple[Any, str]]


def configured(group: click.Group, *, whole: bool = True) -> click.Group:
    """`group` with `--config`, and every option of its commands with the name of its environment variable.

    A group that is not `whole` passes over tables and names of commands that it does not have.
    """

    def read(context: click.Context, _: click.Parameter, path: Path | None) -> None:
        found = path or Path(FILE)
        if path or found.is_file():
            context.default_map = default_map(group, table_of(found), str(found), whole=whole)

    group.params.insert(
        0,
        click.Option(
            ["--config"], type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", envvar=f"{_PREFIX}_CONFIG",
            is_eager=True, expose_value=False, callback=read,
            help=f"TOML file with options.  [default: $DATELINE_CONFIG, or ./{FILE} if there is one]",
        ),
    )  # fmt: skip
    for words, command in _commands(group):
        for name, option in options_of(command).items():
            own = "_".join((_PREFIX, *words, name)).upper().replace("-", "_")
            before = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
            option.envvar = [own, *(name for name in before if name != own)]
    return group


def options_of(command: click.Command) -> dict[str, click.Option]:
    """The options of a command by their names: that of `-k`, `--size` is "size"."""
    options = (option for option in command.params if isinstance(option, click.Option))
    return {max(option.opts, key=len).lstrip("-"): option for option in options}


def table_of(path: Path) -> dict[str, Any]:
    """What a TOML file says. Raises UsageError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Name another file with --config.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error


def default_map(
    command: click.Command, table: Mapping[str, Any], where: str, given: Given | None = None, *, whole: bool = True
) -> dict[str, Any]:
    """The defaults of a command and those below it, as click wants them; `given` is what stands above its table.

    Raises UsageError for a name that no command has, and for a value that is none of its option.
    """
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    own = {
        name.replace("_", "-"): (value, f"{where}: {name}") for name, value in table.items() if name not in tables
    }  # fmt: skip
    if isinstance(command, click.Group):
        names = {name for _, one in _commands(command) for name in options_of(one)}
        if whole:
            _refuse_unknown(tables, command.commands, where, "table")
            _refuse_unknown(own, names, where, "option")
        inner = (given or {}) | own
        return {
            name: default_map(one, tables.get(name, {}), f"{where} [{name}]", inner, whole=whole)
            for name, one in command.commands.items()
        }
    options = options_of(command)
    _refuse_unknown(tables, (), where, "table")
    _refuse_unknown(own, options, where, "option")
    return {
        str(options[name].name): _checked(options[name], value, place)
        for name, (value, place) in ((given or {}) | own).items()
        if name in options
    }


def _commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of a group that is no group itself, and the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _refuse_unknown(names: Iterable[str], known: Iterable[str], where: str, kind: str) -> None:
    from difflib import get_close_matches

    for name in names:
        if name not in known:
            near = get_close_matches(name, list(known), 1)
            raise UsageError(f"{where}: there is no {kind} '{name}'.{f' Did you mean {near[0]!r}?' if near else ''}")


def _checked(option: click.Option, value: Any, where: str) -> Any:
    """`value` if the option may have it, a date as text. Raises UsageError."""
    if option.multiple:
        if not isinstance(value, list):
            raise UsageError(f"{where} should be a list, such as [{value!r}].")
        return [_checked_one(option, one, where) for one in value]
    return _checked_one(option, value, where)


def _checked_one(option: click.Option, value: Any, where: str) -> Any:
    if isinstance(value, date | datetime):
        value = value.isoformat()
    wanted, described = _wanted(option)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise UsageError(f"{where} should be {described}, not {value!r}.")
    if not isinstance(option.type, click.Path | click.File):  # a file that is named is looked for by who needs it
        try:
            option.type.convert(value, option, None)
        except click.BadParameter as error:
            raise UsageError(f"{where}: {error.message}") from error
    return value


def _wanted(option: click.Option) -> tuple[tuple[type, ...], str]:
    if option.is_flag:
        return (bool,), "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return (int,), "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return (int, float), "a number"
    return (str,), "text in quotation marks"
