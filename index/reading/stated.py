"""An article completed by what is known of it from elsewhere, such as the feed that named it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from index.article import Article, derived_id, from_record
from index.errors import SourceError

_FIELDS = ("title", "url", "updated", "authors", "source", "language", "section", "summary")


def completed(article: Article, url: str | None, stated: Mapping[str, Any]) -> Article:
    """`article` with the address where it was found and the `stated` fields, where it says nothing itself.

    Of two moments of publication on one day the more precise one counts.
    """
    if not stated and (url is None or article.url):
        return article
    try:
        known = from_record({**stated, "text": article.text, "title": stated.get("title") or article.title})
    except SourceError:  # what is wrong elsewhere is no fault of the article
        known = replace(article, extra={})
    known = known if known.url else replace(known, url=url)
    added = {name: getattr(known, name) for name in _FIELDS if not getattr(article, name)}
    whole = replace(
        article,
        **added,
        published=_more_precise(article.published, known.published),
        extra={**known.extra, **article.extra},
    )
    return replace(whole, id=derived_id(whole)) if article.id == derived_id(article) else whole


def _more_precise(own: str | None, stated: str | None) -> str | None:
    if own is None or stated is None:
        return own or stated
    # ISO 8601: the same day in front, then a time, then a zone.
    return stated if own[:10] == stated[:10] and len(stated) > len(own) else own
