"""How to cite an article."""

from index.article import Article
from web.moments import moment


def citation(article: Article, address: str | None) -> str:
    """An article as a reference list names it: authors, title, publisher, day, address."""
    day = moment(article.day) if article.day else None
    parts = [_together(article.authors), f"“{article.title}”", article.source, day, address]
    return ", ".join(part for part in parts if part) + "."


def _together(names: tuple[str, ...]) -> str:
    """One name, two joined by "and", of more the first three."""
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} et al."
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


_MOST_NAMED = 3
