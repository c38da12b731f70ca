"""The Flask application."""

from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response
from markupsafe import Markup

from search.engine import Engine
from web import problems
from web.api import api
from web.pages import pages, pieces

# A query as JSON is short; nothing else is ever sent here.
_MAX_BODY_BYTES = 64 * 1024
_HEADERS = {
    # No script, no style in attributes, nothing from elsewhere: article text is other people's.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(engine: Callable[[], Engine], index: Path) -> Flask:
    """The application over the engine that `engine` gives, which raises NotReady while there is none."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=_MAX_BODY_BYTES, INDEX=index)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["engine"] = engine
    app.jinja_env.filters["pieces"] = pieces
    app.jinja_env.filters["safe_link"] = _safe_link
    app.jinja_env.filters["moment"] = _moment
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(api)
    app.register_blueprint(pages)
    problems.register(app)
    app.after_request(_with_headers)
    return app


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _safe_link(url: str | None) -> str | None:
    """`url` if a page may link to it: a javascript: URL in a feed must stay text."""
    return url if url and url.lower().startswith(("http://", "https://")) else None


def _moment(published: str | None) -> Markup | str:
    """An ISO date or datetime for people: 20 August 2025, 15:07."""
    from datetime import datetime

    if not published:
        return "undated"
    try:
        moment = datetime.fromisoformat(published)
    except ValueError:
        return published
    day = f"{moment.day} {moment:%B} {moment.year}"
    return day if len(published) <= len("2025-08-20") else f"{day}, {moment:%H:%M}"
