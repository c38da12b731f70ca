import threading

import numpy as np
import pytest
from sample import FakeEncoder, write_jsonl

from index.build import add, rebuild, remove
from index.errors import IndexMissing, ModelError, QueryError
from index.filters import Filters
from search.engine import Engine
from search.query import SearchRequest

BEATS = ("court", "weather", "harbour", "hospital", "school", "railway", "museum", "council")


@pytest.fixture
def engine(root, load):
    return Engine.open(root, load)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """120 articles over 4 sources and 60 days, several passages each."""
    records = [
        {
            "id": f"a{number}",
            "title": f"{BEATS[number % 8].title()} report {number}",
            "text": "\n\n".join(
                f"The {BEATS[(number + part) % 8]} story{number} part{part}. " * 20 for part in range(3)
            ),
            "source": f"Source {number % 4}",
            "published": f"2025-{1 + number % 2:02}-{1 + number % 28:02}",
        }
        for number in range(120)
    ]
    folder, encoder = tmp_path_factory.mktemp("large"), FakeEncoder()
    rebuild(folder / "index", [str(write_jsonl(folder / "large.jsonl", records))], lambda name: encoder)
    return Engine.open(folder / "index", lambda name: encoder)


def ids(result):
    return [hit.article.id for hit in result]


def test_the_article_that_is_asked_for_stands_first(engine):
    assert ids(engine.search("ferry strike called off"))[0] == "strike"
    assert ids(engine.search("lighthouse keeper"))[0] == "undated"


def test_offsets_point_into_the_stored_text(engine):
    for hit in engine.search("ferry wages council"):
        assert hit.text == hit.article.text[hit.passage.start : hit.passage.end]
        assert all(0 <= start < end <= len(hit.text) for start, end in (*hit.highlights, hit.best_sentence))
        assert hit.passage_id == f"{hit.article.id}:{hit.passage.start}-{hit.passage.end}"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(sources=("harbour wire",)), {"strike", "budget"}),
        (Filters(excluded_sources=("Harbour Wire",)), {"ferry", "pont", "undated"}),
        (Filters(authors=("lyra dunmore",)), {"strike"}),
        (Filters(languages=("en",)), {"ferry", "strike", "budget", "undated"}),
        (Filters(languages=("fr",)), {"pont"}),
        (Filters(first_day="2025-01-15", last_day="2025-03-04"), {"budget", "pont"}),
        (Filters(last_day="2024-12-31"), {"ferry"}),
        (Filters(sources=("Nobody",)), set()),
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_filters_leave_exactly_the_articles_that_pass(engine, filters, expected, mode):
    result = engine.search("ferry", filters=filters, mode=mode, size=100)
    assert set(ids(result)) == expected
    assert result.total == sum(hit.score >= result.gate for hit in result)
    assert result.total_is_exact


def test_an_unknown_name_is_noted(engine):
    assert "Nobody" in engine.search("ferry", filters=Filters(sources=("Nobody",))).interpreted.notes[0]


def test_a_phrase_must_stand_in_the_passage(engine):
    assert ids(engine.search('"called off"')) == ["strike"]
    assert ids(engine.search('"off called"')) == []


def test_an_excluded_word_leaves_out_the_whole_article(engine):
    # "wages" stands in the second passage of the article about the strike, if anywhere.
    assert "strike" not in ids(engine.search("ferry -wages", size=100))
    assert "ferry" in ids(engine.search("ferry -wages", size=100))


def test_lexical_mode_finds_only_what_has_the_words(engine):
    assert set(ids(engine.search("ferry", mode="lexical"))) == {"ferry", "strike"}
    assert ids(engine.search("zeppelin", mode="lexical")) == []


def test_a_query_of_stop_words_is_searched_for_as_it_is(engine):
    assert set(ids(engine.search("who never", mode="lexical"))) == {"undated"}


@pytest.mark.parametrize(("sort", "expected"), [("newest", ["strike", "ferry"]), ("oldest", ["ferry", "strike"])])
def test_sorting_by_date_keeps_relevance_as_the_gate(engine, sort, expected):
    assert ids(engine.search("ferry", sort=sort)) == expected


@pytest.mark.parametrize("fusion", ["share", "rrf"])
def test_signals_explain_a_hit(engine, fusion):
    hit = engine.search("ferry strike", explain=True, fusion=fusion).hits[0]
    assert {"dense", "bm25", "lexical_share"} <= set(hit.signals)
    assert sum(hit.shares.values()) == pytest.approx(hit.score, abs=1e-3)
    plain = engine.search("ferry strike").hits[0]
    assert (plain.signals, plain.shares) == ({}, {})


@pytest.mark.parametrize("collapse", ["article", "off"])
@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_pages_together_are_one_ranking_without_gap_or_repetition(large, collapse, mode):
    options = {"collapse": collapse, "mode": mode, "size": 7}
    pages = [large.search("harbour story", page=page, **options) for page in range(1, 60)]
    seen = [hit.passage_id if collapse == "off" else hit.article.id for page in pages for hit in page]
    assert len(seen) == len(set(seen))
    assert [hit.rank for page in pages for hit in page] == list(range(1, len(seen) + 1))
    if mode != "lexical":
        everything = large.store.counts().passages if collapse == "off" else 120
        assert len(seen) == everything


@pytest.mark.parametrize("size", [1, 10, 100])
def test_filters_never_starve(large, size):
    filters = Filters(sources=("Source 3",), first_day="2025-02-01")
    found = ids(large.search("council weather", size=size, filters=filters))
    exist = sum(1 for number in range(120) if number % 4 == 3 and number % 2)
    assert len(found) == min(size, exist)


def test_dense_search_is_exact(large):
    query = "railway museum"
    found = [hit.passage.number for hit in large.search(query, mode="dense", collapse="off", size=20)]
    vectors = large.store._vectors
    cosines = vectors.matrix @ FakeEncoder().encode_query(query)
    best = np.sort(cosines)[::-1][:20]
    assert cosines[vectors.positions(np.array(found))[0]] == pytest.approx(best, abs=1e-5)


def test_more_passages_are_counted(large):
    hit = large.search("story7 part1", size=1).hits[0]
    assert hit.article.id == "a7"
    assert hit.more_passages >= 1


def test_facets_and_timeline_count_articles(engine):
    result = engine.search("ferry", size=1)
    assert dict(result.facets.sources)["Harbour Wire"] == 1
    assert dict(result.facets.years) == {"2024": 1, "2025": 1}
    assert dict(result.facets.authors)["Morag Sillitoe"] == 1
    assert ("2025-08", 1) in result.facets.months


def test_an_article_view_marks_the_passage_that_answers(large):
    view = large.article("a7", "story7 part2")
    assert "part2" in view.article.text[view.best.start : view.best.end]
    assert len(view.scores) == len(view.passages)
    assert large.article("a7").best is None
    assert large.article("nope") is None


def test_refresh_follows_a_new_generation_an_addition_and_a_removal(root, corpus, load, tmp_path, engine):
    assert not engine.refresh(load)
    extra = write_jsonl(
        tmp_path / "extra.jsonl", [{"id": "new", "title": "Zeppelin lands", "text": "A zeppelin landed."}]
    )
    add(root, [str(extra)], load)
    assert engine.refresh(load)
    assert ids(engine.search("zeppelin", mode="lexical")) == ["new"]
    remove(root, ["new"])
    assert engine.refresh(load)
    assert ids(engine.search("zeppelin", mode="lexical")) == []
    before = engine.search("ferry").generation
    rebuild(root, [str(corpus)], load)
    assert engine.refresh(load)
    assert engine.search("ferry").generation != before


def test_searches_go_on_while_the_index_changes(root, corpus, load, engine):
    failures: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                assert ids(engine.search("ferry strike called off"))[0] == "strike"
            except BaseException as error:
                failures.append(error)
                return

    searchers = [threading.Thread(target=search) for _ in range(3)]
    for thread in searchers:
        thread.start()
    for _ in range(4):
        rebuild(root, [str(corpus)], load)
        engine.refresh(load)
    stop.set()
    for thread in searchers:
        thread.join()
    assert not failures


def test_a_model_with_other_weights_is_refused(root):
    with pytest.raises(ModelError, match="dateline rebuild"):
        Engine.open(root, lambda name: FakeEncoder(weight_hash="other"))


def test_no_index_says_how_to_build_one(tmp_path, load):
    with pytest.raises(IndexMissing, match="dateline rebuild"):
        Engine.open(tmp_path / "nowhere", load)


def test_a_bad_request_is_refused(engine):
    with pytest.raises(QueryError):
        engine.search(SearchRequest("ferry", size=0))


@pytest.fixture
def dated(tmp_path, load):
    """The same words in 2019, in June 2025 and in August 2025, from two hosts."""
    records = [
        {
            "id": day,
            "title": f"Harbour closed {number}",
            "text": f"The harbour was closed because of fog, the master said in report {number}.",
            "published": day,
            "url": f"https://{host}/harbour/{day}",
        }
        for number, (day, host) in enumerate(
            [("2019-08-20", "www.coast.example"), ("2025-06-01", "news.coast.example"), ("2025-08-15", "wire.example")]
        )
    ]
    rebuild(tmp_path / "dated", [str(write_jsonl(tmp_path / "dated.jsonl", records))], load)
    return Engine.open(tmp_path / "dated", load)


def test_of_equals_the_freshest_stands_first_seen_from_its_own_time(dated):
    found = dated.search("harbour closed fog", as_of="2025-08-21", explain=True)
    assert ids(found)[0] == "2025-08-15"
    assert found.hits[0].shares["recency"] > found.hits[1].shares["recency"] > 0
    assert ids(dated.search("harbour closed fog", as_of="2019-08-21"))[0] == "2019-08-20"


def test_who_names_a_time_gets_no_freshness_on_top(dated):
    found = dated.search("harbour closed fog", filters=Filters(first_day="2019-01-01"), explain=True)
    assert all("recency" not in hit.shares for hit in found)


def test_date_words_limit_the_time_and_say_so(dated):
    found = dated.search("harbour fog last week", as_of="2025-08-21")
    assert ids(found) == ["2025-08-15"]
    assert found.interpreted.period.words == "last week"
    assert any("2025-08-11" in note for note in found.interpreted.notes)
    assert len(dated.search("harbour fog last week", as_of="2025-08-21", date_words=False)) == 3


def test_date_words_that_would_leave_nothing_are_not_a_filter(dated):
    found = dated.search("harbour fog yesterday", as_of="2025-08-21")
    assert len(found) == 3
    assert found.interpreted.period is None
    assert any("yesterday" in note for note in found.interpreted.notes)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("harbour site:coast.example", {"2019-08-20", "2025-06-01"}),
        ("harbour site:news.coast.example", {"2025-06-01"}),
        ("harbour -site:coast.example", {"2025-08-15"}),
        ("harbour after:2025-07-01", {"2025-08-15"}),
        ("harbour before:2020", {"2019-08-20"}),
        ('harbour intitle:"closed 1"', {"2025-06-01"}),
    ],
)
def test_operators_limit_the_search(dated, query, expected):
    assert set(ids(dated.search(query))) == expected


def test_a_query_of_operators_alone_lists_the_newest_first(dated):
    assert ids(dated.search("site:coast.example")) == ["2025-06-01", "2019-08-20"]
    assert ids(dated.search("after:2019-01-01", sort="oldest")) == ["2019-08-20", "2025-06-01", "2025-08-15"]


def test_a_slip_is_put_right_and_said(engine):
    found = engine.search("ferri deckhnads strike")
    assert found.interpreted.text == "ferri deckhands strike"  # "ferri" is a stem that the corpus has
    assert found.interpreted.corrections == (("deckhnads", "deckhands"),)
    assert any(note.startswith("Showing results for") for note in found.interpreted.notes)
    assert engine.search("deckhnads strike", spelling=False).interpreted.corrections == ()


@pytest.mark.parametrize(
    "query", ["FERRY STRIKE", "ferry AND strike", 'ferry "strike', "ferry (strike", "ferry + strike*"]
)
def test_broken_or_shouted_syntax_still_answers(engine, query):
    assert ids(engine.search(query))[0] == "strike"


def test_similar_articles_are_the_nearest_others(engine):
    assert [near.article.id for near in engine.similar("strike", 1)] == ["ferry"]
    nearest = engine.similar("strike", 10)
    assert {near.article.id for near in nearest} == {"ferry", "budget", "pont", "undated"}
    assert [near.score for near in nearest] == sorted((near.score for near in nearest), reverse=True)
    assert engine.similar("nope") is None


def test_weaker_hits_follow_those_that_pass_the_gate(engine):
    found = engine.search("ferry strike wages", size=5)
    passing = [hit.score >= found.gate for hit in found]
    assert passing == sorted(passing, reverse=True)
    assert found.total == sum(passing) < len(found) == 5
    assert sum(count for _, count in found.facets.years) <= found.total


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("harb", [("Harbour Wire", "source", 'source:"Harbour Wire"')]),
        ("lyr", [("Lyra Dunmore", "author", 'author:"Lyra Dunmore"')]),
        ("ferry", ["Ferry crews call off strike", "Ferry runs aground off Gannet Spit"]),
        ("ferry cre", ["Ferry crews call off strike"]),
        ("crews FER", ["Ferry crews call off strike"]),
        ("lighthouse", ["Lighthouse keeper remembered"]),
        ("ferme", ["Le pont restera fermé"]),
        ("cor", [("Corin Adeyale", "author", 'author:"Corin Adeyale"')]),
        ("walrus", []),
        ("", []),
        ('" \0 (', []),
    ],
)  # fmt: skip
def test_what_is_being_typed_goes_on_as_names_and_titles(engine, typed, expected):
    found = [(one.text, one.kind, one.query) for one in engine.suggest(typed)]
    assert found == [one if isinstance(one, tuple) else (one, "title", one) for one in expected]


def test_suggestions_are_few_and_each_finds_something(large):
    assert len(large.suggest("report", size=5)) == 5
    assert large.suggest("report", size=0) == []
    for suggestion in large.suggest("so") + large.suggest("cou"):
        assert large.search(suggestion.query).hits


def test_the_latest_of_many(large):
    days = [article.day for article in large.latest(10)]
    assert days == sorted((article.day for article in large.latest(120)), reverse=True)[:10]


def test_the_latest_are_the_last_published_without_copies(engine, root, load, tmp_path):
    assert [article.id for article in engine.latest(3)] == ["strike", "pont", "budget"]
    assert len(engine.latest(50)) == 4  # the fifth has no date
    text = "The union of ferry deckhands has called off its strike after a long night of talks. " * 4
    copies = [{"id": id, "title": "Strike", "text": text, "published": "2025-09-01"} for id in ("one", "two")]
    add(root, [str(write_jsonl(tmp_path / "copies.jsonl", copies))], load)
    assert [article.id for article in Engine.open(root, load).latest(2)] == ["one", "strike"]


def test_an_article_says_which_passages_match_and_which_sentence_answers(large):
    view = large.article("a3", "museum story3 part1")
    assert view.best in view.matching
    assert list(view.matching) == sorted(view.matching, key=lambda passage: passage.start)
    start, end = view.best_sentence
    assert view.best.start <= start < end <= view.best.end
    assert large.article("a3").matching == ()


def test_an_engine_closes_itself(root, load):
    with Engine.open(root, load) as engine:
        assert engine.search("ferry").hits


@pytest.mark.parametrize("query", ["museum", "court report", "story3 part1", "railway school council hospital"])
def test_a_total_is_called_exact_only_if_it_is(large, query):
    result, matches = large.search(query), sum(1 for _ in large.matches(query).hits)
    assert result.total == matches if result.total_is_exact else result.total <= matches
