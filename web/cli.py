"""The commands that serve, and all others: this is the whole of `dateline`."""

from pathlib import Path

import click

from index.cli import index_option, run_command_line
from search.cli import COMMANDS as SEARCH_COMMANDS


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
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
@index_option
def serve(
    host: str, port: int, rerank: str | None, workers: int | None, threads: int, queue: int, cache_mb: int, root: Path
) -> None:
    """Serve the search box and the JSON API."""
    from web.serving import ServeSettings
    from web.serving import serve as run

    run(ServeSettings(root, rerank, workers, threads, queue, cache_mb), host, port)


COMMANDS: tuple[click.Command, ...] = (*SEARCH_COMMANDS[:2], serve, *SEARCH_COMMANDS[2:])


def main() -> None:
    """Runs `dateline`."""
    run_command_line(COMMANDS)
