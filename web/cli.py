"""The commands that serve, and all others: this is the whole of `dateline`."""

from pathlib import Path

import click

from index.cli import index_option, run_command_line
from search.cli import COMMANDS as SEARCH_COMMANDS


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--rerank", metavar="MODEL", help="Let this cross-encoder order the first results of every search.")
@index_option
def serve(host: str, port: int, rerank: str | None, root: Path) -> None:
    """Serve the search box and the JSON API."""
    from web.serving import serve as run

    run(root, host, port, rerank)


COMMANDS: tuple[click.Command, ...] = (*SEARCH_COMMANDS[:2], serve, *SEARCH_COMMANDS[2:])


def main() -> None:
    """Runs `dateline`."""
    run_command_line(COMMANDS)
