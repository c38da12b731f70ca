"""The commands that take an index back to what it was: from a backup, or to the generation before."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.command_line import counted, index_option, json_option, quiet_option, step_back, write_json

if TYPE_CHECKING:
    from index.restore import Switched


@click.command()
@click.argument("destination", type=click.Path(path_type=Path))
@click.option(
    "--keep", type=click.IntRange(1, 10_000), metavar="N",
    help="Write a folder named for the time into DESTINATION, and keep the newest N of them.",
)  # fmt: skip
@click.option("--small", is_flag=True, help="Leave out what restore can make again without embedding.")
@quiet_option
@index_option
@json_option
def backup(destination: Path, keep: int | None, small: bool, quiet: bool, root: Path, as_json: bool) -> None:
    """Write a verified copy of the index, as it is now, to the folder DESTINATION.

    Searching and adding go on meanwhile. A backup is an index that can be searched, and appears whole or not at all.
    """
    from index.backup import back_up

    step_back()
    made = back_up(root, destination, keep=keep, small=small)
    if as_json:
        write_json({**asdict(made), "folder": str(made.folder), "files": len(made.files), "bytes": made.size})
    elif not quiet:
        articles = counted(made.articles, "article")
        click.echo(f"Backed up {articles} to {made.folder} ({made.size / 1e6:,.1f} MB, read back and whole).")
        if not made.derived:
            click.echo("What is derived from the articles is not in it; restore makes it anew, without embedding.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="BACKUP")
@quiet_option
@index_option
@json_option
def restore(folder: Path, quiet: bool, root: Path, as_json: bool) -> None:
    """Put the verified contents of BACKUP into the index and switch to them.

    Servers follow. What was live is kept, and rollback returns to it. There need not be an index yet.
    """
    from index.restore import restore as run

    step_back()
    _tell(run(folder, root), f"Restored {folder}", quiet=quiet, as_json=as_json)


@click.command()
@quiet_option
@index_option
@json_option
def rollback(quiet: bool, root: Path, as_json: bool) -> None:
    """Switch back to the generation that was live before the last rebuild or restore.

    What was added since is not in it. Done again, it returns.
    """
    from index.restore import rollback as run

    step_back()
    _tell(run(root), "Rolled back", quiet=quiet, as_json=as_json)


def _tell(switched: "Switched", done: str, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        write_json(asdict(switched))
        return
    if quiet:
        return
    made = f"{datetime.fromisoformat(switched.created):%Y-%m-%d %H:%M} UTC"
    click.echo(f"{done}: {counted(switched.articles, 'article')} in generation {switched.generation}, made {made}.")
    if switched.remade:
        click.echo("What is derived from the articles was made anew; nothing was embedded.")
    if switched.kept:
        had = "" if switched.kept_articles is None else f" with {counted(switched.kept_articles, 'article')}"
        click.echo(
            f"The generation that was live, {switched.kept}{had}, is kept until the next rebuild or restore."
            " To return to it: dateline rollback"
        )
