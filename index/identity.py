"""Whether an incoming article is one that is there already, and what becomes of the two.

An article is the same as another when it has the same id, or when it has the same normalised URL
and at least one of the two has no id but the one that comes from its URL. Two ids that were given
on purpose are two articles, whatever their URLs: nobody's article is lost to a shared address.
"""

from dataclasses import replace

from index.article import Article, derived_id


def has_derived_id(article: Article) -> bool:
    """Whether nobody gave this article an id of its own."""
    return article.id == derived_id(article)


def updated(old: Article, new: Article) -> Article:
    """What is stored when `new` comes in as another version of `old`.

    The new version counts, but an id that was given stays, and an article is published once: the
    earlier of both times, and of two on one day the more precise. A later one is when it was updated.
    """
    published = _first_published(old.published, new.published)
    moved = new.published if new.published and published and new.published[:10] > published[:10] else None
    return replace(
        new,
        id=old.id if has_derived_id(new) else new.id,
        published=published,
        updated=new.updated or moved or old.updated,
    )


def _first_published(old: str | None, new: str | None) -> str | None:
    if not old or not new:
        return old or new
    if old[:10] == new[:10]:
        return max(old, new, key=len)
    return min(old, new, key=lambda moment: moment[:10])
