"""From filters to the passages that a search may look at."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.columns import Codes, Numbers, PassageColumns
from index.filters import Filters, same_language, same_name
from index.lists import Mask
from index.terms import Clause, Terms, day_ordinal, stems_of

_NO_NAME = ("\0",)
_END_OF_TIME = 2**31 - 1

ArticlesAt = Callable[[str], Numbers]
"""The articles whose address is at a host, such as bbc.co.uk, or below it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The passages that filters leave: what a store needs to search only those.

    `passages` and `articles` count what is left; `unknown` lists filter values that name nothing. Files are searched
    under `mask` and `clauses`, a server under `expression`; `whole` says whether articles are left with all passages.
    """

    mask: Mask | None
    clauses: tuple[Clause, ...]
    passages: int
    articles: int
    unknown: tuple[str, ...] = ()
    expression: str = ""
    whole: bool = True


def scope_of(filters: Filters, columns: PassageColumns, terms: Terms, at_host: ArticlesAt) -> Scope:
    """The passages that `filters` leave. Words to leave out and hosts are no clauses: only the mask knows of them."""
    if not filters:
        return Scope(None, (), len(columns.numbers), len(columns.article_numbers))
    hosts = {name: at_host(name) for name in (*filters.sources, *filters.excluded_sources) if "." in name}
    hosts = {name: articles for name, articles in hosts.items() if len(articles)}
    exact, unknown = _stored_names(filters, columns, hosts)
    articles = _article_mask(exact, columns)
    articles &= _sources_mask(exact, filters, columns, hosts)
    for stems in map(stems_of, filters.excluded):
        articles[_articles_with(stems, columns, terms)] = False
    mask = articles[columns.article_positions]
    for stems in map(stems_of, filters.phrases):
        if stems:
            mask &= np.isin(columns.numbers, terms.matching(stems))
    for stems in map(stems_of, filters.title):
        if stems:
            mask &= np.isin(columns.numbers, terms.in_title(stems))
    clauses = tuple(terms.clauses(replace(exact, sources=()) if hosts else exact)) if mask.any() else ()
    return Scope(mask, clauses, int(mask.sum()), _distinct(columns.article_positions[mask]), unknown)


def _stored_names(filters: Filters, columns: PassageColumns, hosts: Iterable[str]) -> tuple[Filters, tuple[str, ...]]:
    """`filters` with every name as it is stored, and the names that nothing has."""
    unknown: list[str] = []

    def named(wanted: tuple[str, ...], stored: tuple[str, ...], same: Callable[[str, str], bool]) -> tuple[str, ...]:
        unknown.extend(asked for asked in wanted if not any(same(asked, value) for value in stored))
        found = tuple(value for value in stored if any(same(asked, value) for asked in wanted))
        # A name that nothing has must leave nothing, not everything.
        return found or (_NO_NAME if wanted else ())

    excluded = named(filters.excluded_sources, columns.source_names, same_name)
    exact = replace(
        filters,
        sources=named(filters.sources, columns.source_names, same_name),
        excluded_sources=() if excluded == _NO_NAME else excluded,
        authors=named(filters.authors, columns.author_names, same_name),
        languages=named(filters.languages, columns.language_names, same_language),
    )
    return exact, tuple(name for name in unknown if name not in hosts)


def _article_mask(exact: Filters, columns: PassageColumns) -> Mask:
    """Which articles pass the filters on days, languages and authors."""
    mask = np.ones(len(columns.article_numbers), dtype=bool)
    if exact.first_day or exact.last_day:
        first, last = day_ordinal(exact.first_day), day_ordinal(exact.last_day) or _END_OF_TIME
        mask &= (columns.days >= max(first, 1)) & (columns.days <= last)
    if exact.languages:
        mask &= _among(columns.languages, columns.language_names, exact.languages)
    if exact.authors:
        written = np.flatnonzero(_among(columns.author_codes, columns.author_names, exact.authors))
        theirs = np.zeros(len(mask), dtype=bool)
        theirs[np.searchsorted(columns.author_offsets, written, side="right") - 1] = True
        mask &= theirs
    return mask


def _sources_mask(exact: Filters, asked: Filters, columns: PassageColumns, hosts: dict[str, Numbers]) -> Mask:
    """Which articles come from a source that is wanted, by its name or its host, and from none that is not."""

    def at(names: Sequence[str]) -> Mask:
        found = [hosts[name] for name in names if name in hosts]
        return np.isin(columns.article_numbers, np.concatenate([*found, np.empty(0, dtype=np.int64)]))

    mask = np.ones(len(columns.article_numbers), dtype=bool)
    if asked.sources:
        mask &= _among(columns.sources, columns.source_names, exact.sources) | at(asked.sources)
    if asked.excluded_sources:
        mask &= ~(_among(columns.sources, columns.source_names, exact.excluded_sources) | at(asked.excluded_sources))
    return mask


def _among(codes: Codes, names: Sequence[str], wanted: Iterable[str]) -> Mask:
    """Which of these codes stand for one of the wanted names."""
    chosen = frozenset(wanted)
    # One more at the end: where NO_NAME points.
    return np.array([*(name in chosen for name in names), False], dtype=bool)[codes]


def _articles_with(stems: Sequence[str], columns: PassageColumns, terms: Terms) -> Codes:
    """Positions of the articles in which these stems stand side by side."""
    found = terms.matching(stems) if stems else np.empty(0, dtype=np.int64)
    return columns.article_positions[np.isin(columns.numbers, found)]


def _distinct(ascending: Codes) -> int:
    return int(np.count_nonzero(np.diff(ascending))) + 1 if len(ascending) else 0
