"""Searches as Atom feeds (RFC 4287), and Dateline as a search engine that browsers can add (OpenSearch 1.1)."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID, uuid5

from flask import Blueprint, Response, jsonify, render_template, request
from pydantic import BeforeValidator, Field
from werkzeug.urls import iri_to_uri

from index.errors import QueryError
from search.engine import Engine
from search.excerpts import inside
from search.hits import Hit
from search.matches import Matches
from search.query import MAX_SIZE, SearchRequest
from web.addresses import Addresses, Asked, asked_for
from web.current import current_engine
from web.marking import Piece, pieces
from web.moments import days
from web.schemas import SearchParameters

feeds = Blueprint("feeds", __name__)

_ENTRIES = 50
_SUGGESTIONS = 8
# Names of feeds and entries are made from this and from what they are about, so that they are the same on every
# host, in every order and generation. Changing it would make every entry new to every reader.
_NAMESPACE = UUID("5f0a8a3e-8f0b-4f43-9f43-2d5b1a6f1c77")
# Atom demands a moment of every entry. One that never changes makes no reader show an old entry as new, and this one
# nobody takes for news.
_UNDATED = "1970-01-01T00:00:00Z"
# What XML 1.0 has no way to write.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
# What makes two searches the same feed: all but how much of it is asked for and how it would be shown elsewhere.
_OF_THE_SEARCH = {
    "q", "first_day", "last_day", "source", "exclude_source", "author", "language", "mode", "fusion", "as_of",
    "date_words", "spelling",
}  # fmt: skip


class FeedParameters(SearchParameters):
    """The parameters of a search as a feed. Its order and its one entry a story are the feed's own."""

    size: int = Field(_ENTRIES, ge=1, le=MAX_SIZE, description="Entries.")
    since: Annotated[str | None, BeforeValidator(lambda value: value.strip() or None)] = Field(
        None, description="Published at this moment or later: an ISO 8601 date or datetime, of no zone in UTC."
    )
    order: Literal["published", "arrival"] = Field(
        "published", description="The newest first, or what came into the index last first, however old it is."
    )

    def request(self) -> SearchRequest:
        """The search behind the feed."""
        return replace(super().request(), sort="newest", collapse="story", page=1, explain=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A match as a feed shows it: where it leads, when it was published, and its passage in pieces to mark.

    `answer` is the sentence that answers, where the passage does not begin with it.
    """

    id: str
    hit: Hit
    language: str | None
    updated: str
    published: str | None
    link: str
    related: str
    answer: list[Piece]
    passage: list[Piece]


@feeds.get("/feed.atom")
def feed() -> Response:
    """The newest matches of a search, one entry a story."""
    asked = asked_for()
    of_feed = {name: request.args[name] for name in ("since", "order") if request.args.get(name, "").strip()}
    parameters = FeedParameters.model_validate(asked | of_feed)
    engine = current_engine()
    response = Response(content_type="application/atom+xml; charset=utf-8")
    response.set_etag(_tag(parameters, engine.store.generation), weak=True)
    response.cache_control.private = response.cache_control.no_cache = True
    response.make_conditional(request)
    if response.status_code != 304:
        response.set_data(_document(asked, of_feed, parameters, engine))
    return response


@feeds.get("/opensearch.xml")
def opensearch() -> Response:
    """How to search here, for browsers and feed readers."""
    text = render_template("opensearch.xml", root=request.host_url)
    return Response(text, content_type="application/opensearchdescription+xml; charset=utf-8")


@feeds.get("/suggest.json")
def suggest() -> Response:
    """What a browser shows under its search box: what was typed, searches that go on so, and what they find."""
    typed = request.args.get("q", "")
    found = current_engine().suggest(typed, _SUGGESTIONS)
    told = [one.text if one.kind == "title" else f"{one.text} ({one.kind})" for one in found]
    response = jsonify([typed, [one.query for one in found], told])
    response.mimetype = "application/x-suggestions+json"
    return response


def moment_of(text: str | None) -> datetime | None:
    """An ISO 8601 date or datetime as a moment: of no zone, in UTC; of no time, the day's first. None for neither."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def feed_name(parameters: FeedParameters) -> str:
    """A URN for the feed of a search."""
    told = parameters.model_dump(include=_OF_THE_SEARCH, exclude_defaults=True)
    return f"urn:uuid:{uuid5(_NAMESPACE, _ascii(['feed', told]))}"


def entry_name(id: str) -> str:
    """A URN for an article."""
    return f"urn:uuid:{uuid5(_NAMESPACE, _ascii(['article', id]))}"


def _document(asked: Asked, of_feed: dict[str, str], parameters: FeedParameters, engine: Engine) -> bytes:
    since = _since(parameters)
    # A day earlier, because an article's day is that of its own time zone; _is_from looks at the moment.
    first_day = date.fromordinal(max(1, since.date().toordinal() - 1)) if since else None
    matches = engine.matches(parameters.request(), order=parameters.order, since=first_day)
    hits = list(islice((hit for hit in matches.hits if _is_from(hit, since)), parameters.size))
    if parameters.order == "published":
        hits.sort(key=lambda hit: _moment_in_atom(hit.article.published) or "", reverse=True)
    here, to = request.host_url.rstrip("/"), Addresses(asked)
    entries = [_entry(hit, here, Addresses({"q": asked["q"]})) for hit in hits]
    text = render_template(
        "atom.xml", name=feed_name(parameters), query=asked["q"], subtitle=_subtitle(matches, parameters),
        updated=max((entry.updated for entry in entries), default=_UNDATED), version=version("dateline"),
        address=f"{here}/feed.atom?{urlencode(asked | of_feed, doseq=True)}", page=f"{here}{to.narrowed()}",
        entries=entries,
    )  # fmt: skip
    return _NOT_XML.sub("", text).encode()


def _entry(hit: Hit, here: str, to: Addresses) -> Entry:
    article, text, best = hit.article, hit.text, hit.best_sentence
    published = _moment_in_atom(article.published)
    related = here + to.article(article.id, f"p{hit.passage.start}")
    language = article.language if article.language and _LANGUAGE.fullmatch(article.language) else None
    return Entry(
        id=entry_name(article.id),
        hit=hit,
        language=language,
        updated=_moment_in_atom(article.updated) or published or _UNDATED,
        published=published,
        link=_web_address(article.url) or related,
        related=related,
        answer=pieces(text[slice(*best)], inside(hit.highlights, best)) if text[: best[0]].strip() else [],
        passage=pieces(text, hit.highlights),
    )


def _since(parameters: FeedParameters) -> datetime | None:
    if parameters.since is None:
        return None
    # The + of a time zone means a space in a query string.
    moment = moment_of(parameters.since.replace(" ", "+") if "T" in parameters.since else parameters.since)
    if moment is None:
        raise QueryError(
            f"'since' should be a date or datetime such as 2025-08-20T15:00Z, not {parameters.since!r}.", "since"
        )
    return moment


def _is_from(hit: Hit, since: datetime | None) -> bool:
    """Whether a hit was published at a moment or later; of one that tells only its day, whether that day is over."""
    if since is None:
        return True
    published, moment = hit.article.published or "", moment_of(hit.article.published)
    if moment is None:
        return False
    return moment.date() >= since.date() if len(published) <= len("2025-08-20") else moment >= since


def _moment_in_atom(text: str | None) -> str | None:
    """An ISO 8601 date or datetime as RFC 3339 demands it, in UTC."""
    moment = moment_of(text)
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z" if moment else None


def _web_address(url: str | None) -> str | None:
    """`url` as a feed may link to it: http or https, and nothing in it that no address has."""
    if not url or not url.lower().startswith(("http://", "https://")):
        return None
    try:
        return iri_to_uri(url)
    except ValueError:  # brackets in the wrong place, say
        return None


def _subtitle(matches: Matches, parameters: FeedParameters) -> str:
    """What the feed holds, as a sentence."""
    return " ".join(_said(matches, parameters)) + "."


def _said(matches: Matches, parameters: FeedParameters) -> Iterator[str]:
    filters = matches.interpreted.filters
    yield f"Articles that match “{matches.interpreted.text}”" if matches.interpreted.text else "All articles"
    if filters.first_day or filters.last_day:
        yield f"({days(filters.first_day, filters.last_day)})"
    named: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("of", filters.sources), ("not of", filters.excluded_sources), ("by", filters.authors),
        ("in", filters.languages), ("with", filters.phrases), ("without", filters.excluded),
        ("titled", filters.title),
    )  # fmt: skip
    yield from (f"{word} {' or '.join(names)}" for word, names in named if names)
    yield "– one entry a story,"
    yield "newest first" if parameters.order == "published" else "latest arrival first"


def _tag(parameters: FeedParameters, generation: str) -> str:
    """Names the feed's text: the same search on one state of the corpus, one day ("last week") and one host."""
    told = [parameters.model_dump(mode="json"), generation, date.today().isoformat(), request.host_url]
    return hashlib.blake2b(_ascii(told).encode("ascii"), digest_size=16).hexdigest()


def _ascii(value: Any) -> str:
    """`value` as JSON that can be encoded whatever was typed, in one way."""
    return json.dumps(value, sort_keys=True)
