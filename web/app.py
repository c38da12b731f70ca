"""The Flask application."""

from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response
from werkzeug.routing import PathConverter

from search.engine import Engine
from web import delivery, problems
from web.answers import LONGEST_BODY
from web.api import api
from web.embeds import embeds
from web.exports import exports
from web.feeds import feeds
from web.marking import pieces
from web.metrics import metrics
from web.moments import days, moment
from web.pages import pages

_HEADERS = {
    # No script and no style in the page, nothing from elsewhere: article text is other people's.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Other sites' pages share no window with ours, and get nothing of them as pictures or scripts of their own.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What the pages never ask a browser for, no code that got into one could.
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    # What is not said to last may be for the holder of a key alone, errors included.
    "Cache-Control": "private, no-cache",
}


def create_app(engine: Callable[[], Engine], index: Path, ready: Callable[[], object] | None = None) -> Flask:
    """The application over the engine that `engine` gives, which raises NotReady while there is none.

    `ready` raises it too when searches should go elsewhere for now, though there is an engine.
    """
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=LONGEST_BODY, INDEX=index)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = ArticleId
    app.extensions["engine"] = engine
    app.extensions["ready"] = ready or engine
    app.jinja_env.filters["pieces"] = pieces
    app.jinja_env.filters["safe_link"] = _safe_link
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.filters["days"] = days
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    for blueprint in (api, pages, feeds, exports, embeds, metrics):
        app.register_blueprint(blueprint)
    problems.register(app)
    delivery.register(app)
    app.after_request(_with_headers)
    return app


class ArticleId(PathConverter):
    """An article's id in an address: any text, also one that begins with a slash or has several in a row."""

    regex = ".+"
    part_isolating = False


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _safe_link(url: str | None) -> str | None:
    """`url` if a page may link to it: a javascript: URL in a feed must stay text."""
    return url if url and url.lower().startswith(("http://", "https://")) else None
