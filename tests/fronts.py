"""A server's front over an application without an index: whatever is let through to a search is answered with 503."""

from pathlib import Path

from werkzeug.test import Client

from web.app import create_app
from web.front import Front
from web.live import NotReady

OPTIONS = {"threads": 1, "queue": 8, "patience": 5.0, "cache_bytes": 1 << 20}
PASSED = 503


def not_ready():
    raise NotReady("The index is being opened.")


def front(folder: Path, *steps, **options) -> Front:
    """Each of `steps` is made from the refusals, as a server does it."""
    app = create_app(not_ready, folder)
    return Front(app, lambda: None, steps=lambda refuse: [step(refuse) for step in steps], **(OPTIONS | options))


def client(folder: Path, *steps, **options) -> Client:
    return Client(front(folder, *steps, **options))
