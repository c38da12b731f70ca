"""What a reader hands on: the bytes of one document, where they came from, and what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from index.article import Receipt

__all__ = ["Document", "Kind", "Receipt"]

Kind = Literal["text", "markdown", "html", "json"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document, not parsed yet.

    `source` says where it is, for people; `weight` is how many bytes of the source it used up, for
    the progress bar. A "json" document is a file, which may hold several records, or one record.
    `origin` is the file or web address that has to be read again to get the document again; it is
    `source` where empty. `url` is where a page is published and `charset` the encoding that its
    server declared. `stated` are fields of an article record that are known from elsewhere, such as
    the feed that named the page; they count where the page itself says nothing.
    """

    source: str
    kind: Kind
    data: bytes
    weight: int
    origin: str = ""
    url: str | None = None
    charset: str | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
