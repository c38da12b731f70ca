"""Passages as cards in other people's pages: a frame to embed, and oEmbed 1.0 for programs that ask for one."""

import hashlib
from base64 import b64encode
from functools import cache
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from flask import Blueprint, Response, abort, jsonify, render_template, request

from index.article import Passage
from index.errors import QueryError
from index.terms import analyse
from search.engine import Engine
from search.excerpts import inside
from search.highlight import Marker
from search.hits import ArticleView, Span
from web.addresses import Addresses
from web.current import current_engine

embeds = Blueprint("embeds", __name__)

# Pixels of a card: as wide as a column of text and as high as most passages; the rest can be scrolled to.
_WIDTH, _HEIGHT = 600, 320
# A narrower one could not be read.
_SMALLEST = 100
# An article's title and authors hardly ever change, and the frame shows what they are now.
_CACHE_SECONDS = 3600
_ARTICLES = "/article/"


@embeds.get("/embed/<id:id>")
def card(id: str) -> Response:
    """A passage of an article: the one at `start`, or the one that answers `q` best, or the first."""
    engine = current_engine()
    query = request.args.get("q", "")
    view = _viewed(engine, id, query)
    if view is None:
        return _framed("The article is not here any more.", 404)
    passage = _passage(view, request.args.get("start"), request.args.get("end"))
    to = Addresses({"q": query})
    if passage is None:
        return _framed("This passage is not here any more.", 404, view=view, link=to.article(id))
    window = (passage.start, passage.end)
    text, marks = view.article.text[slice(*window)], inside(view.highlights, window)
    return _framed(
        "", 200, view=view, text=text, marks=marks, best=_best_sentence(view, window, text, marks),
        link=to.article(id, f"p{passage.start}"),
    )  # fmt: skip


@embeds.get("/oembed")
def oembed() -> Response:
    """The card of a passage for whoever has found its address, as oEmbed wants it."""
    if request.args.get("format", "json") != "json":
        abort(501, "Only JSON is given here. Ask with format=json.")
    width, height = _size("maxwidth", _WIDTH), _size("maxheight", _HEIGHT)
    id, place = _cited(request.args.get("url", ""))
    found = current_engine().store.article(id)
    if found is None:
        abort(404, f"No article has the id '{id}'.")
    article = found[1]
    address = f"{request.host_url}embed/{quote(id, safe='/')}{f'?{urlencode(place)}' if place else ''}"
    answer: dict[str, Any] = {
        "version": "1.0",
        "type": "rich",
        "title": article.title,
        "author_name": ", ".join(article.authors) or article.source,
        "provider_name": "Dateline",
        "provider_url": request.host_url,
        "cache_age": _CACHE_SECONDS,
        "html": frame(address, article.title, width, height),
        "width": width,
        "height": height,
    }
    return jsonify({name: value for name, value in answer.items() if value is not None})


def frame(address: str, title: str, width: int, height: int) -> str:
    """The HTML that embeds a card: a frame without scripts, whose links open pages of their own."""
    return (
        f'<iframe src="{escape(address)}" title="{escape(title)}" width="{width}" height="{height}" frameborder="0"'
        ' loading="lazy" referrerpolicy="no-referrer"'
        ' sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>'
    )


def _viewed(engine: Engine, id: str, query: str) -> ArticleView | None:
    try:
        return engine.article(id, query)
    except QueryError:  # a card without marks is better than none
        return engine.article(id)


def _passage(view: ArticleView, start: str | None, end: str | None) -> Passage | None:
    """The passage that is asked for; none where the article has no such passage any more."""
    if not start:
        return view.best or next(iter(view.passages), None)
    found = (one for one in view.passages if start == str(one.start) and (not end or end == str(one.end)))
    return next(found, None)


def _best_sentence(view: ArticleView, window: Span, text: str, marks: tuple[Span, ...]) -> Span | None:
    """The sentence that answers, where something was asked."""
    if view.best_sentence and window[0] <= view.best_sentence[0] < window[1]:
        return inside([view.best_sentence], window)[0]
    if not marks:
        return None
    stems = {term.stem for span in marks for term in analyse(text[slice(*span)])}
    return Marker(stems).best_sentence(text)


def _framed(message: str, status: int, **card: Any) -> Response:
    """A card that any page may show in a frame, and that can do nothing but be read."""
    style, digest = _style()
    response = Response(render_template("embed.html", message=message, style=style, **card), status=status)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    )
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@cache
def _style() -> tuple[str, str]:
    """The style sheet that a card carries with it, and its hash, by which a browser knows that it is ours."""
    source = render_template("embed.css")
    return source, b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")


def _cited(url: str) -> tuple[str, dict[str, str]]:
    """The article that an address on this server leads to, and the place in it; any other address is a 404."""
    try:
        address = urlsplit(url)
    except ValueError:
        address = urlsplit("")
    if address.scheme not in ("http", "https") or address.netloc.lower() != request.host.lower():
        abort(404, f"'url' should be the address of an article at {request.host_url}.")
    if not address.path.startswith(_ARTICLES):
        abort(404, f"Only articles have cards: their addresses begin with {request.host_url}article/.")
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    fragment = address.fragment.removeprefix("p")
    if fragment.isdecimal():
        asked = {"start": fragment, "q": asked.get("q", "")}
    place = {str(name): asked[name] for name in ("start", "end", "q") if asked.get(name)}
    return unquote(address.path[len(_ARTICLES) :]), place


def _size(name: str, usual: int) -> int:
    """The pixels of a side, at most those that the asking page allows."""
    most = request.args.get(name, "")
    if not most:
        return usual
    if not most.isascii() or not most.isdecimal() or int(most[:9]) < _SMALLEST:
        raise QueryError(f"'{name}' should be a number of pixels from {_SMALLEST} on, not {most!r}.", name)
    return min(usual, int(most[:9]))
