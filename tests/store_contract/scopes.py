"""Filters: what they leave, what they count, and what they make of names that nothing has."""

from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sample import FakeEncoder

from index.encoder import Matrix
from index.filters import Filters
from index.store import Store
from index.terms import Word, as_word
from store_contract.corpus import AUTHORS, DAYS, HOSTS, INJECTIONS, LANGUAGES, SOURCES
from store_contract.truth import Truth, stems

EVERYTHING = 10_000
QUERY = "ferry strike"
# Half precision, in which vectors are kept, moves a cosine by less than this.
HALF_PRECISION = 2e-3
FIELDS = ("sources", "excluded_sources", "authors", "languages", "phrases", "excluded", "title")


def words(text: str) -> list[Word]:
    """The words of a text, each once."""
    return [as_word(stem) for stem in dict.fromkeys(stems(text))]


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


phrases = some(
    "ferry", "Ferries", "harbour strike", "crew whale", "ete", "l'automne ferry", "unheard", "—",
    "peacekeeping", "peace keeping council", "Whale",
)  # fmt: skip
names = some(*SOURCES, *HOSTS, "harbour wire", " La Vigie ", "Nobody", "example.org", "nobody.example")
all_filters = st.builds(
    Filters,
    first_day=st.none() | st.sampled_from([*DAYS, "2024-01-01", "2026-01-01"]),
    last_day=st.none() | st.sampled_from([*DAYS, "2024-01-01", "2026-01-01"]),
    sources=names,
    excluded_sources=names,
    authors=some(*AUTHORS, "ann öst", "Nobody"),
    languages=some(*LANGUAGES, "EN", "en-ca", "en-US", "e", "de"),
    phrases=phrases,
    excluded=phrases,
    title=some("ferry", "Ferries", "strike crew", "été", "unheard", "—"),
)


def dense(store: Store, filters: Filters, size: int = EVERYTHING, query: Matrix | None = None) -> list[int]:
    """The passages that dense search finds within filters."""
    query = FakeEncoder().encode_query(QUERY) if query is None else query
    return store.search_dense(query, size, store.scope(filters)).numbers.tolist()


class Scopes:
    """`Store.scope`, and that both legs keep to it."""

    # One instance of the suite for each back end is what is wanted here.
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(filters=all_filters, size=st.integers(1, 30))
    @example(Filters(), 5)
    @example(Filters(last_day="2025-01-15"), 5)
    @example(Filters(phrases=("harbour strike",)), 1)
    @example(Filters(phrases=("l’automne ferry",)), 1)
    @example(Filters(excluded=("whale",)), 1)
    @example(Filters(title=("ferry",)), 5)
    @example(Filters(sources=("harbour.example",)), 9)
    @example(Filters(excluded_sources=("harbour.example", "LA VIGIE")), 9)
    @example(Filters(languages=("en",), authors=("BO",)), 9)
    def test_filters_leave_what_a_look_at_every_passage_leaves(
        self, store: Store, truth: Truth, filters: Filters, size: int
    ) -> None:
        expected, scope = truth.left(filters), store.scope(filters)
        query = FakeEncoder().encode_query(QUERY)
        assert scope.passages == len(expected)
        assert scope.articles == len({truth.passages[number].article for number in expected})
        assert set(scope.unknown) == truth.unknown(filters)

        found = store.search_dense(query, size, scope)
        best = np.sort(truth.rows(expected) @ query)[::-1][:size]
        assert set(found.numbers.tolist()) <= set(expected)
        assert len(set(found.numbers.tolist())) == len(found) == min(size, len(expected))
        assert found.scores == pytest.approx(best, abs=HALF_PRECISION)

        lexical = store.search_lexical(words(QUERY), size, scope)
        assert set(lexical.numbers.tolist()) <= set(expected)
        if store.lexical:
            having = [number for number in expected if set(stems(truth.text(number))) & set(stems(QUERY))]
            assert len(set(lexical.numbers.tolist())) == len(lexical) == min(size, len(having))
        assert store.newest(scope).tolist() == truth.newest(expected)

    @pytest.mark.parametrize(
        ("filters", "unknown"),
        [
            (Filters(sources=("Nobody", "la vigie")), ("Nobody",)), (Filters(authors=("Nobody",)), ("Nobody",)),
            (Filters(excluded_sources=("Nobody",)), ("Nobody",)), (Filters(languages=("de", "en")), ("de",)),
            (Filters(sources=(" harbour WIRE ",), languages=("EN_ca",)), ()),
            (Filters(sources=("coast.example.org", "nobody.example")), ("nobody.example",)),
        ],
    )  # fmt: skip
    def test_names_that_nothing_has_are_told_as_they_were_asked(
        self, store: Store, filters: Filters, unknown: tuple[str, ...]
    ) -> None:
        assert store.scope(filters).unknown == unknown

    def test_a_host_finds_what_lies_below_it_and_nothing_that_only_looks_like_it(
        self, store: Store, truth: Truth
    ) -> None:
        found = {truth.passages[number].article for number in dense(store, Filters(sources=("harbour.example",)))}
        hosts = {one: urlsplit(truth.articles[one].url or "").hostname for one in truth.articles}
        at_it = {one for one, host in hosts.items() if host in ("harbour.example", "news.harbour.example")}
        assert {hosts[one] for one in at_it} == {"harbour.example", "news.harbour.example"}
        assert at_it <= found
        assert {truth.articles[one].source for one in found - at_it} == {"harbour.example"}

    @pytest.mark.parametrize("value", INJECTIONS, ids=lambda value: repr(value[:30]))
    @pytest.mark.parametrize("field", FIELDS)
    def test_filter_values_are_values_whatever_stands_in_them(
        self, store: Store, truth: Truth, field: str, value: str
    ) -> None:
        for filters in (Filters(**{field: (value,)}), Filters(**{field: (value, "Harbour Wire")})):
            expected, scope = truth.left(filters), store.scope(filters)
            assert (scope.passages, set(scope.unknown)) == (len(expected), truth.unknown(filters))
            assert sorted(dense(store, filters)) == expected

    def test_what_filters_leave_few_of_is_found_however_far_from_the_query(self, store: Store, truth: Truth) -> None:
        for article in truth.article_numbers.tolist():
            first = truth.articles[article]
            filters = Filters(title=(first.title,), sources=(first.source,) if first.source else ())
            left = truth.left(filters)
            farthest = -truth.mean(article)
            assert sorted(dense(store, filters, len(left), farthest)) == left

    def test_a_scope_in_which_nothing_lies_finds_nothing(self, store: Store) -> None:
        scope = store.scope(Filters(first_day="2026-01-01", last_day="2025-01-01"))
        assert (scope.passages, scope.articles) == (0, 0)
        assert len(store.search_dense(FakeEncoder().encode_query(QUERY), 5, scope)) == 0
        assert len(store.search_lexical(words(QUERY), 5, scope)) == 0
        assert len(store.newest(scope)) == 0
