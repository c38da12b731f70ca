"""Articles from web pages. The one module that knows trafilatura."""

import re

from index.article import Article, make_article
from index.dates import iso_moment
from index.errors import SourceError

_LANGUAGE = re.compile(r"<html\b[^>]*?\slang=[\"']?([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)", re.IGNORECASE)
# The html element stands at the top, after comments at most.
_TOP = 4096
# A section name and a kicker may stand between the top of the page's text and its headline.
_PARAGRAPHS_ABOVE_TITLE = 3


def read_html(page: bytes | str, url: str | None = None) -> Article:
    """The article of a web page with the metadata that the page states. Raises SourceError."""
    from trafilatura import bare_extraction

    try:
        found = bare_extraction(page, url=url, with_metadata=True, include_comments=False)
    except Exception as error:  # lxml and the extractor's own parsers raise freely on broken pages
        raise SourceError(f"the page cannot be parsed ({type(error).__name__})") from error
    if found is None or not (found.text or "").strip():
        raise SourceError("no article text in the page")
    return make_article(
        _without_title(found.text.split("\n"), found.title or ""),
        title=found.title or "",
        url=found.url or url,
        published=iso_moment(found.date),
        authors=tuple(name for part in (found.author or "").split(";") if (name := part.strip())),
        source=found.sitename or found.hostname,
        language=found.language or _declared_language(page),
        section="; ".join(found.categories or ()) or None,
        summary=found.description or None,
    )


def _without_title(paragraphs: list[str], title: str) -> str:
    """The text (trafilatura puts each paragraph on a line of its own) from below the headline on."""
    above = paragraphs[:_PARAGRAPHS_ABOVE_TITLE]
    below = above.index(title) + 1 if title in above and len(paragraphs) > above.index(title) + 1 else 0
    return "\n\n".join(paragraphs[below:])


def _declared_language(page: bytes | str) -> str | None:
    top = page[:_TOP]
    found = _LANGUAGE.search(top if isinstance(top, str) else top.decode("latin-1"))
    return found[1] if found else None
