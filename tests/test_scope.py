"""Searching within filters, against a look at every article."""

import random
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample import FakeEncoder, write_jsonl

from index.article import Article
from index.build import rebuild
from index.filters import Filters
from index.passages import PassageSettings
from index.store import EmbeddedStore
from index.terms import analyse

WORDS = ["ferry", "harbour", "strike", "whale", "budget", "été", "l’automne", "crews"]
DAYS = ["2024-02-29", "2024-03-01", "2025-01-15"]
SOURCES = ["Harbour Wire", "Coastline Press", "LA VIGIE"]
AUTHORS = ["Ann Öst", "Bo", "Cy"]
LANGUAGES = ["en", "en-CA", "EN_us", "fr", "eng"]
EVERYTHING = 10_000
QUERY = "ferry strike"


def record(at: int) -> dict:
    pick = random.Random(at)
    published = pick.choice([None, *DAYS, "2024-03-01T23:30:00-05:00"])
    return {
        "id": str(at), "title": f"{pick.choice(WORDS)} {pick.choice(WORDS)}", "published": published,
        "text": "\n\n".join(" ".join(pick.choices(WORDS, k=7)) + "." for _ in range(pick.randint(1, 4))),
        "source": pick.choice([None, *SOURCES]), "language": pick.choice([None, *LANGUAGES]),
        "authors": pick.sample(AUTHORS, pick.randint(0, 2)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    folder = tmp_path_factory.mktemp("scope")
    corpus = write_jsonl(folder / "articles.jsonl", [record(at) for at in range(60)])
    rebuild(folder / "index", [str(corpus)], lambda name: FakeEncoder(), settings=PassageSettings(7, 9, 1))
    with closing(EmbeddedStore.open(folder / "index")) as store:
        yield store


@cache
def stems(text: str) -> list[str]:
    return [term.stem for term in analyse(text)]


def stand(phrase: str, text: str) -> bool:
    wanted, words = stems(phrase), stems(text)
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))


def same(asked: str, stored: str | None) -> bool:
    return stored is not None and asked.casefold() == stored.casefold()


def passes(filters: Filters, article: Article) -> bool:
    language, day = (article.language or "?").lower().replace("_", "-"), article.day
    return (
        (not filters.first_day or (day is not None and filters.first_day <= day))
        and (not filters.last_day or (day is not None and day <= filters.last_day))
        and (not filters.sources or any(same(asked, article.source) for asked in filters.sources))
        and not any(same(asked, article.source) for asked in filters.excluded_sources)
        and (not filters.authors or any(same(*pair) for pair in product(filters.authors, article.authors)))
        and (not filters.languages or any(f"{language}-".startswith(f"{a.lower()}-") for a in filters.languages))
        and all(stand(words, article.title) for words in filters.title)
    )


def left(store: EmbeddedStore, filters: Filters) -> set[int]:
    """The passages that `filters` should leave, by looking at each."""
    passages: set[int] = set()
    numbers = store.search_dense(FakeEncoder().encode_query("all"), EVERYTHING, store.scope(Filters())).numbers
    for number, article in store.articles(store.article_numbers(numbers).tolist()).items():
        texts = {p.number: f"{article.title}\n{article.text[p.start : p.end]}" for p in store.passages_of(number)}
        excluded = any(stand(phrase, text) for phrase in filters.excluded if stems(phrase) for text in texts.values())
        if passes(filters, article) and not excluded:
            passages |= {n for n, text in texts.items() if all(stand(phrase, text) for phrase in filters.phrases)}
    return passages


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


phrases = some("ferry", "Ferries", "harbour strike", "crew whale", "ete", "l'automne ferry", "unheard", "—")
all_filters = st.builds(
    Filters,
    first_day=st.none() | st.sampled_from([*DAYS, "2024-01-01", "2026-01-01"]),
    last_day=st.none() | st.sampled_from([*DAYS, "2024-01-01", "2026-01-01"]),
    sources=some(*SOURCES, "harbour wire", "La Vigie", "Nobody"),
    excluded_sources=some(*SOURCES, "coastline press", "Nobody"),
    authors=some(*AUTHORS, "ann öst", "Nobody"),
    languages=some("en", "EN", "fr", "en-ca", "en-US", "e", "de"),
    phrases=phrases,
    excluded=phrases,
)


@settings(max_examples=200, deadline=None)
@given(filters=all_filters, size=st.integers(1, 30), few=st.sampled_from([0, 1_000]))
@example(Filters(), 5, 0)
@example(Filters(last_day="2025-01-15"), 5, 0)
@example(Filters(phrases=("harbour strike",)), 1, 0)
@example(Filters(excluded=("whale",)), 1, 0)
@example(Filters(title=("ferry",)), 5, 0)
def test_both_legs_find_the_best_of_what_filters_leave(
    store: EmbeddedStore, filters: Filters, size: int, few: int
) -> None:
    """However the lexical leg gets there: by a search, or by looking at each where `few` are left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.store._FEW", few)
        check_legs(store, filters, size)


def check_legs(store: EmbeddedStore, filters: Filters, size: int) -> None:
    expected = np.asarray(sorted(left(store, filters)), dtype=np.int64)
    scope, query = store.scope(filters), FakeEncoder().encode_query(QUERY)
    assert scope.passages == len(expected)
    assert scope.articles == len(set(store.article_numbers(expected).tolist()))

    dense, lexical = store.search_dense(query, size, scope), store.search_lexical(stems(QUERY), size, scope)
    cosines, bm25 = store.vectors(expected) @ query, store.matches(stems(QUERY), (), expected).bm25
    assert set(dense.numbers.tolist()) | set(lexical.numbers.tolist()) <= set(expected.tolist())
    assert dense.scores.tolist() == pytest.approx(sorted(cosines.tolist(), reverse=True)[:size], abs=1e-5)
    assert lexical.scores.tolist() == pytest.approx(sorted(bm25[bm25 > 0].tolist(), reverse=True)[:size], rel=1e-5)
    assert (store.vectors(dense.numbers) @ query).tolist() == pytest.approx(dense.scores.tolist(), abs=1e-5)
    same = store.matches(stems(QUERY), (), lexical.numbers).bm25
    assert same.tolist() == pytest.approx(lexical.scores.tolist(), rel=1e-5)


@pytest.mark.parametrize("filters", [Filters(excluded=("ferry strike", "whale")), Filters(phrases=("crews budget",))])
def test_phrases_and_excluded_words_never_starve_a_search(
    store: EmbeddedStore, filters: Filters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.store._FEW", 0)
    scope = store.scope(filters)
    words = [term for word in WORDS for term in stems(word)]
    whole = store.search_lexical(words, EVERYTHING, scope)
    assert len(whole) == scope.passages > 3
    for size in range(1, len(whole) + 2):
        assert store.search_lexical(words, size, scope).scores.tolist() == whole.scores[:size].tolist()


@pytest.mark.parametrize(
    ("filters", "unknown"),
    [
        (Filters(sources=("Nobody", "la vigie")), ("Nobody",)), (Filters(authors=("Nobody",)), ("Nobody",)),
        (Filters(excluded_sources=("Nobody",)), ("Nobody",)), (Filters(languages=("de", "en")), ("de",)),
        (Filters(sources=(" harbour WIRE ",), languages=("EN_ca",)), ()),
    ],
)  # fmt: skip
def test_names_that_nothing_has_are_told(store: EmbeddedStore, filters: Filters, unknown: tuple[str, ...]) -> None:
    assert store.scope(filters).unknown == unknown


def test_an_article_has_the_direction_of_all_its_passages(store: EmbeddedStore) -> None:
    query = FakeEncoder().encode_query(QUERY)
    numbers = store.search_dense(query, EVERYTHING, store.scope(Filters())).numbers
    articles = np.unique(store.article_numbers(numbers))
    for article, cosine in zip(articles.tolist(), store.article_cosines(query, articles).tolist(), strict=True):
        rows = store._vectors.rows(np.asarray([passage.number for passage in store.passages_of(article)]))
        mean = rows.mean(axis=0)
        assert cosine == pytest.approx(mean @ query / np.linalg.norm(mean), abs=1e-3)  # half precision
