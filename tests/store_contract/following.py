"""Following: what is added, replaced, removed and built anew is in the store once it is published."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from sample import FakeEncoder, write_jsonl

from index.build import add, remove
from index.errors import StoreChanged
from index.filters import Filters
from index.stats import index_stats
from index.store import Store
from store_contract.back_ends import BackEnd
from store_contract.corpus import ARTICLES, MORE, SHORT_PASSAGES, build
from store_contract.legs import words
from store_contract.reading import without_its_own
from store_contract.scopes import EVERYTHING, HALF_PRECISION, QUERY, dense
from store_contract.truth import Truth

# Until their segments are merged away, the embedded store counts the words of removed passages.
_LAGGING = 0.2


START = ARTICLES[:20]
"""What the index holds when a test begins."""


@pytest.fixture(scope="class")
def growing(back_end: BackEnd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that all of these tests change: to publish into new collections takes a server many seconds."""
    root = build(tmp_path_factory.mktemp("growing") / "growing", START, SHORT_PASSAGES)
    back_end.publish(root)
    return root


@pytest.fixture(autouse=True)
def from_the_start(request: pytest.FixtureRequest) -> None:
    """Has the index that tests change hold what it held before the first of them."""
    if "growing" not in request.fixturenames:
        return
    root, back_end = request.getfixturevalue("growing"), request.getfixturevalue("back_end")
    wanted = {record["id"] for record in START}
    add_all(root, START)
    if stray := {article.id for article in Truth.of(root).articles.values()} - wanted:
        remove(root, sorted(stray))
    back_end.publish(root)


@contextmanager
def opened(back_end: BackEnd, root: Path) -> Iterator[Store]:
    store = back_end.open(root)
    try:
        yield store
    finally:
        store.close()


def add_all(root: Path, records: list[dict]) -> None:
    add(root, [str(write_jsonl(root.parent / "more.jsonl", records))], lambda name: FakeEncoder())


def agrees(store: Store, root: Path) -> None:
    """Holds all of a store that can be asked in a moment against the catalog as it is now."""
    truth, query = Truth.of(root), FakeEncoder().encode_query(QUERY)
    assert store.counts() == truth.counts
    assert without_its_own(store.stats()) == without_its_own(index_stats(root))
    assert store.articles(list(truth.articles)) == truth.articles
    everywhere = store.scope(Filters())
    assert (everywhere.passages, everywhere.articles) == (len(truth.passages), len(truth.articles))
    found = store.search_dense(query, EVERYTHING, everywhere)
    assert sorted(found.numbers.tolist()) == truth.numbers.tolist()
    assert found.scores == pytest.approx(truth.rows(found.numbers) @ query, abs=HALF_PRECISION)
    assert store.newest(everywhere).tolist() == truth.newest(truth.passages)
    facts = dict(zip(truth.article_numbers.tolist(), store.facts(truth.article_numbers), strict=True))
    assert {number: fact.source for number, fact in facts.items()} == {
        number: article.source for number, article in truth.articles.items()
    }
    for filters in (Filters(sources=("Air Mail",)), Filters(title=("version",)), Filters(phrases=("whale",))):
        assert sorted(dense(store, filters)) == truth.left(filters)
    for word in ("whale", "zeppelin", "ferry"):
        having = truth.left(Filters(phrases=(word,)))
        assert store.vocabulary.frequency(words(word)[0].alternatives[0][0]) == len(having)
        if store.lexical:
            by_words = store.search_lexical(words(word), EVERYTHING, everywhere)
            assert sorted(by_words.numbers.tolist()) == having
    assert store.copies(list(truth.articles)) == truth.copies


class Following:
    """How a store follows its catalog."""

    def test_what_is_added_and_replaced_is_found_and_what_it_replaced_is_not(
        self, back_end: BackEnd, growing: Path
    ) -> None:
        with opened(back_end, growing) as store:
            before, (replaced, _) = store.generation, store.article("1") or (0, None)
        add_all(growing, MORE)
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            assert store.generation != before
            agrees(store, growing)
            number, article = store.article("1") or (0, None)
            assert number != replaced
            assert article is not None
            assert article.text == "The whale came back as another text."
            with suppress(StoreChanged):  # or it is said that what was there a moment ago is gone
                assert store.articles([replaced]) == {}
            assert store.scope(Filters(sources=("air mail",))).unknown == ()
            assert store.sources_named("air", 5) == ["Air Mail"]
            [newest] = store.latest(1).tolist()
            assert store.articles([newest])[newest].id == "new"

    def test_words_weigh_what_they_weigh_to_the_reference_after_changes(self, back_end: BackEnd, growing: Path) -> None:
        from index.store import EmbeddedStore

        add_all(growing, [*MORE, *ARTICLES[20:40]])
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            reference, numbers = EmbeddedStore.open(growing), Truth.of(growing).numbers
            for query in (QUERY, "zeppelin whale"):
                found, expected = (each.matches(words(query), (), numbers).bm25 for each in (store, reference))
                assert found == pytest.approx(expected, rel=_LAGGING)
                ideal = reference.ideal_bm25(words(query))
                assert store.ideal_bm25(words(query)) == pytest.approx(ideal, rel=_LAGGING)
            reference.close()

    def test_what_is_removed_is_gone(self, back_end: BackEnd, growing: Path) -> None:
        with opened(back_end, growing) as store:
            before = store.generation
        remove(growing, ["1", "2", "3"])
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            assert store.generation != before
            agrees(store, growing)
            assert store.article("2") is None

    def test_copies_that_come_and_go_are_followed(self, back_end: BackEnd, growing: Path) -> None:
        story = [record for record in ARTICLES if record["id"] in ("wire", "reprint", "trimmed")]
        add_all(growing, story)
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            agrees(store, growing)
            wire = (store.article("wire") or (0, None))[0]
            assert [copy.id for copy in store.copies([wire])[wire]] == ["trimmed", "reprint"]
        remove(growing, ["wire"])
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            agrees(store, growing)
            numbers = np.asarray([(store.article(id) or (0, None))[0] for id in ("reprint", "trimmed")])
            assert store.stories(numbers).tolist() == [numbers[0]] * 2

    def test_a_rebuild_is_turned_to_and_a_store_opened_before_still_answers(
        self, back_end: BackEnd, growing: Path
    ) -> None:
        with opened(back_end, growing) as before:
            earlier, passages = before.generation, before.counts().passages
            build(growing, ARTICLES[10:30], SHORT_PASSAGES)
            back_end.publish(growing)
            with opened(back_end, growing) as after:
                assert after.generation != earlier
                agrees(after, growing)
                assert after.article("0") is None
            assert before.generation == earlier
            assert len(dense(before, Filters())) == passages
            number, article = before.article("0") or (0, None)
            assert article is not None
            assert before.articles([number]) == {number: article}
            assert len(before.vectors(np.asarray([passage.number for passage in before.passages_of(number)])))

    def test_a_second_rebuild_leaves_nothing_of_the_first(self, back_end: BackEnd, growing: Path) -> None:
        for start in (10, 20, 30):
            build(growing, ARTICLES[start : start + 5], SHORT_PASSAGES)
            back_end.publish(growing)
        with opened(back_end, growing) as store:
            agrees(store, growing)

    def test_to_publish_again_changes_nothing(self, back_end: BackEnd, growing: Path) -> None:
        with opened(back_end, growing) as store:
            before = store.generation
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            assert store.generation == before
            agrees(store, growing)

    def test_several_changes_are_published_at_once(self, back_end: BackEnd, growing: Path) -> None:
        add_all(growing, MORE)
        remove(growing, ["new", "2"])
        add_all(growing, ARTICLES[30:40])
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            agrees(store, growing)

    def test_a_store_of_which_all_was_removed_is_empty_and_says_so(self, back_end: BackEnd, growing: Path) -> None:
        remove(growing, [str(at) for at in range(20)])
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            everywhere, query = store.scope(Filters()), FakeEncoder().encode_query(QUERY)
            assert (everywhere.passages, everywhere.articles, store.counts().passages) == (0, 0, 0)
            assert store.scope(Filters(sources=("Harbour Wire",))).passages == 0
            assert len(store.search_dense(query, 5, everywhere)) == len(store.newest(everywhere)) == 0
            assert len(store.search_lexical(words(QUERY), 5, everywhere)) == len(store.latest(5)) == 0
            assert store.vocabulary.frequency("ferri") == 0
            assert store.sources_named("har", 5) == []
            assert store.titled("ferry", 5).tolist() == []
            assert store.article("0") is None
        add_all(growing, MORE)
        back_end.publish(growing)
        with opened(back_end, growing) as store:
            agrees(store, growing)
