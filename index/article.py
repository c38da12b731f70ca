"""The values everything else is about: an article, its passages, and what could not become one."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from index.dates import iso_moment
from index.errors import SourceError
from index.urls import normalised_url

# Half of a SHA-256: among ten million articles a collision has odds of one in 10^25.
_ID_DIGITS = 32
# Control characters that no article needs, except tab, newline and carriage return, and half of a
# surrogate pair, which cannot be encoded at all.
_JUNK = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff]")
_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Article:
    """One news article as it is stored; `text` is what every offset points into.

    `published` and `updated` are ISO 8601 dates or datetimes, `language` a BCP 47 tag. Unknown is
    None or empty.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    published: str | None = None
    updated: str | None = None
    authors: tuple[str, ...] = ()
    source: str | None = None
    language: str | None = None
    section: str | None = None
    summary: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def day(self) -> str | None:
        """The calendar day of publication, as written in the article's own time zone."""
        return self.published[:10] if self.published else None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A document that did not become an article, and why.

    `origin` is the file or web address to read again for another try; empty where there is none, as
    for standard input.
    """

    source: str
    reason: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a web address has been read, so that the next run need only ask whether it changed.

    It is stored once everything read before it is stored: a receipt never stands for an article
    that was lost. `etag` and `last_modified` are the server's validators; `stamp` is what the feed
    or sitemap that named the address said of it then.
    """

    url: str
    etag: str | None = None
    last_modified: str | None = None
    stamp: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a story: what a result says of the other publications of the same text."""

    number: int
    id: str
    title: str
    source: str | None
    url: str | None
    published: str | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of one article: `article.text[start:end]`. `number` is never used twice."""

    number: int
    article: int
    start: int
    end: int


_TEXT_KEYS = ("title", "source", "language", "section", "summary")
_LINE_KEYS = ("url", "source", "language", "section", "summary")
_RECORD_KEYS = ("id", "url", "text", "published", "updated", "authors", *_TEXT_KEYS)


def make_article(text: str, *, id: str | None = None, **fields: Any) -> Article:
    """An article from cleaned text and known fields; the id comes from URL or content when absent.

    What is a line of text is made one, so that the article stays the same when it is written as a record and read.
    Raises SourceError when there is no text to search in.
    """
    text = tidy(text)
    if not text:
        raise SourceError("no text in it")
    id, title = id and _line(id), _line(fields.pop("title", ""))
    lines = {key: _line(fields[key]) or None for key in _LINE_KEYS if fields.get(key)}
    authors = tuple(dict.fromkeys(name for written in fields.pop("authors", ()) if (name := _line(written))))
    article = Article(id="", text=text, title=title, authors=authors, **{**fields, **lines})
    if not article.title:
        article = replace(article, title=headline_of(text))
    return replace(article, id=id or derived_id(article))


def from_record(record: Mapping[str, Any]) -> Article:
    """An article from a JSON record that has `text`; unknown keys are kept under `extra`.

    Raises SourceError when a field has the wrong type or there is no text.
    """
    text = record.get("text")
    if not isinstance(text, str):
        raise SourceError("no text or html in the record")
    fields: dict[str, Any] = {key: _one_line(record, key) for key in (*_TEXT_KEYS, "url", "id")}
    fields["title"] = fields["title"] or ""
    extra = dict(_mapping(record.get("extra")))
    extra.update({key: value for key, value in record.items() if key not in (*_RECORD_KEYS, "extra", "html")})
    for key in ("published", "updated"):
        fields[key] = iso_moment(record.get(key))
        if fields[key] is None and record.get(key):
            extra[key] = record[key]
    return make_article(text, authors=_authors(record.get("authors")), extra=extra, **fields)


def to_record(article: Article) -> dict[str, Any]:
    """The JSON record of an article: what `from_record` turns into the same article again."""
    record: dict[str, Any] = {key: getattr(article, key) for key in _RECORD_KEYS}
    record["authors"] = list(article.authors)
    record["extra"] = dict(article.extra)
    return {key: value for key, value in record.items() if value not in (None, [], {})}


def content_hash(article: Article) -> str:
    """Changes whenever anything stored about the article changes."""
    return _digest(json.dumps(to_record(article), sort_keys=True, ensure_ascii=False))


def derived_id(article: Article) -> str:
    """A stable id: of the normalised URL where there is one, else of title and text."""
    return _digest((article.url and normalised_url(article.url)) or f"{article.title}\n{article.text}")


def tidy(text: str) -> str:
    """`text` with one kind of line end, one blank line between paragraphs, and no control characters."""
    text = _JUNK.sub(
        "", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    )
    paragraphs = ("\n".join(line.strip() for line in part.split("\n")) for part in _BLANK_LINES.split(text))
    return "\n\n".join(stripped for part in paragraphs if (stripped := part.strip()))


def headline_of(text: str) -> str:
    """A title for an article that came without one: its first line, shortened at a word."""
    line = " ".join(text.split("\n", 1)[0].split())
    if len(line) <= _HEADLINE_LENGTH:
        return line
    return line[:_HEADLINE_LENGTH].rsplit(" ", 1)[0].rstrip(" ,;:–—-") + "…"


# Headlines in the development corpora end well below this many characters.
_HEADLINE_LENGTH = 120


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]


def _one_line(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and key == "id":
        return str(value)
    if not isinstance(value, str):
        raise SourceError(f"'{key}' should be a text, not {type(value).__name__}")
    return _line(value) or None


def _line(text: str) -> str:
    return " ".join(_JUNK.sub("", text).split())


def _authors(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SourceError("'authors' should be a list of names")
    return tuple(names)


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SourceError(f"'extra' should be an object, not {type(value).__name__}")
    return value
