"""Running the application on a production server. The one module that knows granian."""

import logging
import os
import socket
import sys
from pathlib import Path

import click
from flask import Flask

from index.errors import DatelineError

# One search keeps a core busy; a few more threads let quick requests pass slow ones.
_THREADS = 4
_STOP_SECONDS = 10


def serve(root: Path, host: str, port: int, rerank: str | None = None) -> None:
    """Serves the index at `root` until stopped. Raises DatelineError when the address cannot be used."""
    from granian import Granian
    from granian.constants import Interfaces

    _check_address(host, port)
    os.environ["DATELINE_INDEX"] = str(root.absolute())
    os.environ["DATELINE_RERANK"] = rerank or ""
    server = Granian(
        "web.serving:application", address=host, port=port, interface=Interfaces.WSGI, factory=True,
        workers=1, blocking_threads=_THREADS, websockets=False, log_enabled=False, workers_kill_timeout=_STOP_SECONDS,
    )  # fmt: skip
    click.echo(f"Dateline is at http://{host}:{port} (stop with Ctrl-C)", err=True)
    server.serve()


def application() -> Flask:
    """The application for one worker process, over the index in $DATELINE_INDEX, with the model $DATELINE_RERANK."""
    from web.app import create_app
    from web.live import LiveEngine

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    root = Path(os.environ["DATELINE_INDEX"])
    return create_app(LiveEngine(root, os.environ.get("DATELINE_RERANK")).start().engine, root)


def _check_address(host: str, port: int) -> None:
    """The server would only log that it cannot listen; a person wants to be told."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise DatelineError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --port.") from error
