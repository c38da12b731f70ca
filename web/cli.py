"""The commands that serve, and all others: this is the whole of `dateline`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from index.command_line import encoder_option, index_option, json_option, run_command_line, store_option, write_json
from index.errors import DatelineError
from search.cli import COMMANDS as SEARCH_COMMANDS

if TYPE_CHECKING:
    from web.keys import Scope

Command = TypeVar("Command", bound=Callable[..., Any])


def keys_file_option(command: Command) -> Command:
    """`--keys-file FILE`."""
    return click.option(
        "--keys-file", type=click.Path(path_type=Path, dir_okay=False), envvar="DATELINE_KEYS_FILE",
        help="File of API keys.  [default: keys.json in the index]",
    )(command)  # fmt: skip


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--rerank", metavar="MODEL", help="Let this cross-encoder order the first results of every search.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that answer.  [default: one a core, up to 4; 1 with --rerank]",
)
@click.option(
    "--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Searches at once in each worker."
)
@click.option(
    "--queue", type=click.IntRange(0, 1000), default=64, show_default=True,
    help="Requests that may wait in each worker; more are told to come back (503).",
)  # fmt: skip
@click.option(
    "--cache", "cache_mb", metavar="MB", type=click.IntRange(0, 4096), default=16, show_default=True,
    help="Memory of each worker for answers that may be asked for again; 0 keeps none.",
)  # fmt: skip
@click.option(
    "--access", type=click.Choice(["auto", "open", "keys"]), default="auto", show_default=True,
    help="Who may ask: everybody, or who has an API key. By itself, only what this machine alone can reach is open.",
)  # fmt: skip
@keys_file_option
@click.option(
    "--rate", type=click.IntRange(0, 100_000), metavar="N",
    help="Requests a minute of one key or address, 0 for no limit.  [default: 0 on this machine, 300 elsewhere]",
)  # fmt: skip
@click.option(
    "--behind-proxies", type=click.IntRange(0, 10), default=0, show_default=True, metavar="N",
    help="Proxies before the server, whose X-Forwarded headers are believed.",
)  # fmt: skip
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME",
    help="Answer to this name; on this machine, otherwise to localhost only. May be repeated.",
)  # fmt: skip
@click.option(
    "--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN",
    help="Let pages of this origin, or of all (*), ask the API from a browser. May be repeated.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How the log is written to standard error.",
)  # fmt: skip
@click.option("--log-queries", is_flag=True, help="Write into the log what is searched for.")
@encoder_option
@store_option
@index_option
def serve(root: Path, **settings: Any) -> None:
    """Serve the search box and the JSON API."""
    from web.serving import serve as run
    from web.settings import ServeSettings

    run(ServeSettings(root, **settings))


@click.group()
def keys() -> None:
    """Make, list and remove API keys."""


@keys.command("add")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["read", "export", "metrics"]), default=["read"],
    show_default=True, help="What it opens; may be repeated.",
)  # fmt: skip
@click.option("--rate", type=click.IntRange(1, 100_000), metavar="N", help="Its own requests a minute.")
@keys_file_option
@index_option
@json_option
def keys_add(
    name: str, scopes: "Sequence[Scope]", rate: int | None, keys_file: Path | None, root: Path, as_json: bool
) -> None:
    """Make the API key NAME and show it, once."""
    from web.keys import add_key, keys_of

    secret = add_key(keys_file or keys_of(root), name, scopes, rate)
    if as_json:
        write_json({"name": name, "key": secret})
        return
    click.echo(secret)
    click.echo("Keep it now: it is not shown again.", err=True)


@keys.command("list")
@keys_file_option
@index_option
@json_option
def keys_list(keys_file: Path | None, root: Path, as_json: bool) -> None:
    """List the API keys, without their secrets."""
    from web.keys import keys_of, load_keys

    found = load_keys(keys_file or keys_of(root))
    if as_json:
        write_json([{name: value for name, value in asdict(key).items() if name != "sha256"} for key in found])
        return
    for key in found:
        rate = f"  {key.rate} a minute" if key.rate else ""
        click.echo(f"{key.name}  {', '.join(key.scopes)}  since {key.created}{rate}")


@keys.command("remove")
@click.argument("name")
@keys_file_option
@index_option
def keys_remove(name: str, keys_file: Path | None, root: Path) -> None:
    """Remove the API key NAME; a running server refuses it from now on."""
    from web.keys import keys_of, remove_key

    remove_key(keys_file or keys_of(root), name)


@click.command()
@click.option("--http", is_flag=True, help="Serve over HTTP, at /mcp, instead of standard input and output.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True, help="With --http.")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="With --http: answer to this name. May be repeated."
)
@keys_file_option
@store_option
@index_option
def mcp(
    http: bool, host: str, port: int, hosts: tuple[str, ...], keys_file: Path | None, root: Path, store: str | None
) -> None:
    """Let language models search, by the Model Context Protocol."""
    try:
        from web.mcp import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise DatelineError("The MCP server needs one more package. Run: pip install 'dateline[mcp]'") from error
    from index.place import place_of
    from web.keys import keys_of

    run(place_of(root, store), (host, port) if http else None, hosts, keys_file or keys_of(root))


COMMANDS: tuple[click.Command, ...] = (*SEARCH_COMMANDS[:2], serve, mcp, keys, *SEARCH_COMMANDS[2:])


def main() -> None:
    """Runs `dateline`."""
    run_command_line(COMMANDS)
