"""All matches of a search: none missing, none twice, in the order of the search, read when they are asked for."""

from datetime import date

import pytest
from sample import write_jsonl

from index.build import add, rebuild
from index.errors import QueryError
from search import retrieve
from search.engine import Engine

PLACES = ("harbour", "court", "museum", "railway")
STORY = " ".join(f"The captain told reporters about wave number {number} off the coast." for number in range(30))


@pytest.fixture
def engine(tmp_path, load):
    """240 articles of two sources over two years, some of them undated."""
    records = [
        {
            "id": f"a{number}",
            "title": f"{PLACES[number % 4].title()} report {number}",
            "text": f"The {PLACES[number % 4]} opened on day {number}.",
            "source": f"Source {number % 2}",
            "published": f"{2023 + number % 2}-01-{1 + number % 28:02}" if number % 20 else None,
        }
        for number in range(240)
    ]
    rebuild(tmp_path / "index", [str(write_jsonl(tmp_path / "large.jsonl", records))], load)
    return Engine.open(tmp_path / "index", load)


@pytest.fixture
def copied(tmp_path, load):
    """A story that three papers printed, the latest of them first, and another article."""
    records = [
        {"id": f"copy{day}", "title": "Waves off the coast", "text": STORY, "published": f"2025-03-{day:02}",
         "url": f"https://paper{day}.example/waves", "source": f"Paper {day}"}
        for day in (3, 1, 2)
    ]  # fmt: skip
    records.append({"id": "other", "title": "Council meets", "text": "The council met.", "published": "2025-03-02"})
    rebuild(tmp_path / "index", [str(write_jsonl(tmp_path / "copies.jsonl", records))], load)
    return Engine.open(tmp_path / "index", load)


def ids(matches):
    return [hit.article.id for hit in matches.hits]


def all_pages(engine, query, **options):
    """What the pages of a search hold above the gate, and what the last of them says of it."""
    page, hits = 1, []
    while True:
        found = engine.search(query, page=page, size=50, **options)
        hits += [hit for hit in found if hit.score >= found.gate]
        if not found.has_more:
            return hits, found
        page += 1


@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest"])
@pytest.mark.parametrize("query", ["source:'Source 1'", "after:2024", "before:2024"])
def test_a_filter_alone_gives_every_article_in_the_order_of_the_pages(engine, query, sort):
    query = query.replace("'", '"')
    pages, found = all_pages(engine, query, sort=sort)
    assert ids(engine.matches(query, sort=sort)) == [hit.article.id for hit in pages]
    assert len(pages) == found.total


@pytest.mark.parametrize("collapse", ["article", "story", "off"])
@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_words_give_what_the_pages_count_in_their_order(engine, mode, collapse):
    options = {"mode": mode, "collapse": collapse, "spelling": False}
    pages, _ = all_pages(engine, "harbour report opened", **options)
    assert [hit.passage_id for hit in engine.matches("harbour report opened", **options).hits] == [
        hit.passage_id for hit in pages
    ]


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_words_by_date_give_the_same_matches_those_without_a_date_last(engine, sort):
    by_relevance = ids(engine.matches("harbour report"))
    hits = list(engine.matches("harbour report", sort=sort).hits)
    assert sorted(hit.article.id for hit in hits) == sorted(by_relevance)
    days = [hit.article.day for hit in hits if hit.article.day]
    assert days == sorted(days, reverse=sort == "newest")
    assert not any(hit.article.day for hit in hits[len(days) :])


def test_ranks_count_from_one_without_a_gap(engine):
    hits = list(engine.matches('source:"Source 0"').hits)
    assert [hit.rank for hit in hits] == list(range(1, 121))


def test_there_is_no_cap_on_what_filters_leave(engine, monkeypatch):
    monkeypatch.setattr(retrieve, "MAX_RESULTS", 20)
    found = ids(engine.matches("after:1900"))
    assert len(found) == len(set(found)) == 228
    assert engine.search("after:1900").total == 20


def test_words_are_followed_down_to_the_depth_where_nothing_matches_any_more(engine, monkeypatch):
    monkeypatch.setattr(retrieve, "_DEPTH", 5)
    found = ids(engine.matches("report opened"))
    assert len(found) == len(set(found)) > 200
    assert engine.search("report opened", size=1).total < 10


@pytest.mark.parametrize("query", ["after:1900", "report opened"])
def test_the_first_hits_come_before_the_last_are_read(engine, monkeypatch, query):
    from search import matches

    monkeypatch.setattr(matches, "_READ_AT_ONCE", 10)
    read = []
    articles = engine.store.articles
    monkeypatch.setattr(engine.store, "articles", lambda numbers: read.extend(numbers) or articles(numbers))
    found = engine.matches(query).hits
    assert read == []
    next(found)
    assert len(read) == 10
    assert sum(1 for _ in found) > 200


def test_the_gate_is_that_of_the_first_page(engine):
    found = engine.search("harbour report", size=50)
    assert all(hit.score >= found.gate for hit in engine.matches("harbour report").hits)


def test_of_a_story_one_copy_is_given_the_one_that_heads_it(copied):
    for query in ("captain waves", "after:2025-03-01"):
        found = list(copied.matches(query, collapse="story").hits)
        assert [hit.article.id for hit in found if hit.copies] == ["copy1"]
        assert len(found[0].copies or found[1].copies) == 2
    assert len(ids(copied.matches("after:2025-03-01", collapse="article"))) == 4


def test_of_a_story_whose_head_is_out_of_scope_the_newest_copy_is_given(copied):
    assert ids(copied.matches("after:2025-03-02", collapse="story")) == ["copy3", "other"]
    assert [hit.article.id for hit in copied.search("after:2025-03-02", collapse="story")] == ["copy3", "other"]


def test_what_came_last_comes_first_by_arrival_however_old_it_is(engine, tmp_path, load):
    root = tmp_path / "index"
    late = {
        "id": "late",
        "title": "Harbour report of old",
        "text": "The harbour opened long ago.",
        "published": "1950-01-01",
    }
    add(root, [str(write_jsonl(tmp_path / "late.jsonl", [late]))], load)
    engine.refresh(load)
    for query in ("harbour report opened", "after:1900"):
        assert next(engine.matches(query, order="arrival").hits).article.id == "late"
    assert ids(engine.matches("after:1900", order="published"))[-1] == "late"


def test_since_leaves_out_what_is_older_and_what_is_undated(engine):
    for query in ("harbour report opened", "after:1900"):
        since = list(engine.matches(query, order="published", since=date(2024, 1, 20)).hits)
        everything = list(engine.matches(query, order="published").hits)
        assert [hit.article.id for hit in since] == [
            hit.article.id for hit in everything if (hit.article.day or "") >= "2024-01-20"
        ]
        assert since


def test_matches_are_of_one_state_of_the_corpus(engine, tmp_path, load):
    matches = engine.matches("after:1900")
    first = next(matches.hits)
    new = {"id": "new", "title": "New", "text": "A new article.", "published": "2025-01-01"}
    add(tmp_path / "index", [str(write_jsonl(tmp_path / "new.jsonl", [new]))], load)
    assert engine.refresh(load)
    rest = ids(matches)
    assert "new" not in rest
    assert len({first.article.id, *rest}) == 228
    assert engine.matches("after:1900").generation != matches.generation


def test_a_bad_search_fails_at_once_and_how_it_was_read_is_told(engine):
    with pytest.raises(QueryError):
        engine.matches("-harbour")
    with pytest.raises(QueryError):
        engine.matches("harbour", sort="best")
    assert engine.matches("harbuor report").interpreted.text == "harbour report"
    assert list(engine.matches('harbour source:"Nobody"').hits) == []
