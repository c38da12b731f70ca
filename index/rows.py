"""An article as a row of the catalog, and back: what comes back is what was stored, or called damaged."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from index.article import Article, content_hash
from index.errors import MEND_CATALOG, IndexDamaged
from index.urls import normalised_url

READ = "id, title, text, url, published, updated, authors, source, language, section, summary, extra, content_hash"
"""The columns that `article_of` reads, in its order."""
STORED = f"{READ}, address"
"""The columns of `row_of`, in its order."""


def row_of(article: Article) -> tuple[Any, ...]:
    """The values of STORED for an article."""
    extra = json.dumps(dict(article.extra), ensure_ascii=False)
    # Of what will be read again: in JSON every key is a text.
    digest = content_hash(replace(article, extra=json.loads(extra)) if article.extra else article)
    return (
        article.id, article.title, article.text, article.url, article.published, article.updated,
        json.dumps(article.authors, ensure_ascii=False), article.source, article.language, article.section,
        article.summary, extra, digest, address_of(article),
    )  # fmt: skip


def address_of(article: Article) -> str | None:
    """The normalised URL of an article that has one."""
    return normalised_url(article.url) if article.url else None


def article_of(row: Sequence[Any]) -> Article:
    """The article in a row of READ. Raises IndexDamaged when it is not what was stored."""
    id, title, text, url, published, updated, authors, source, language, section, summary, extra, digest = row
    try:
        article = Article(
            id=id, title=title, text=text, url=url, published=published, updated=updated,
            authors=tuple(json.loads(authors)), source=source, language=language, section=section,
            summary=summary, extra=dict(json.loads(extra)),
        )  # fmt: skip
        whole = content_hash(article) == digest
    except (ValueError, TypeError, AttributeError, RecursionError):  # what is no JSON, or of another type
        whole = False
    if not whole:
        raise IndexDamaged(f"The article {id!r} in the catalog is not what was stored. {MEND_CATALOG}")
    return article
