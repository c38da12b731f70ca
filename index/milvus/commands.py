"""What the commands that write do with `--store`: look at the server before, publish behind."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from index.command_line import counted
from index.errors import StoreUnavailable
from index.milvus.address import StoreAddress
from index.milvus.client import Server


def target(store: str | None, *, quiet: bool = False) -> StoreAddress | None:
    """The address that a command was given, if any; says at once what the server there cannot do.

    A server that does not answer now may do so when there is something to publish. Raises UsageError.
    """
    if not store:
        return None
    address = StoreAddress.parse(store)
    server = Server(address)
    try:
        if not server.has_sparse_vectors and not quiet:
            click.echo(
                f"{address} is Milvus {server.version}, which finds no passages by their words (2.4 and later do):"
                " searches there go by meaning alone, and words count only among what that finds.",
                err=True,
            )
    except StoreUnavailable as error:
        click.echo(f"{error} Publishing is tried when the index is written.", err=True)
    finally:
        server.close()
    return address


def published(root: Path, address: StoreAddress, *, quiet: bool = False) -> dict[str, Any]:
    """Publishes an index, says so, and returns what was done, for JSON. Raises StoreUnavailable."""
    from index.milvus.publishing import publish

    if not quiet:
        click.echo(f"publishing to {address} …", err=True)
    done = publish(root, address)
    if not quiet:
        click.echo(
            f"Published {counted(done.passages, 'passage')} at {done.store}: {done.stored:,} stored, {done.deleted:,}"
            f" deleted, in {done.seconds:.1f} s.",
            err=True,
        )
    return asdict(done)
