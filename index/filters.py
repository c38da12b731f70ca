"""Which passages a search may look at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """Limits on a search; an empty field does not limit.

    Days are ISO dates, both ends included; an article without a date lies in no period. Names are
    compared without regard to case. A language matches its regional variants: "en" finds "en-CA".
    Each of `phrases` must stand in the passage, word for word but for endings; none of `excluded`
    (words or phrases) may stand anywhere in the article. Each of `title` (words or phrases) must stand
    in the article's title.
    """

    first_day: str | None = None
    last_day: str | None = None
    sources: tuple[str, ...] = ()
    excluded_sources: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    title: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Filters()


def same_name(asked: str, stored: str) -> bool:
    """Whether a filter value names this source or author."""
    return asked.strip().casefold() == stored.casefold()


def same_language(asked: str, stored: str) -> bool:
    """Whether `stored` is the language asked for, or a regional variant of it (RFC 4647, basic filtering)."""
    asked, stored = asked.strip().lower().replace("_", "-"), stored.lower().replace("_", "-")
    return stored == asked or stored.startswith(f"{asked}-")
